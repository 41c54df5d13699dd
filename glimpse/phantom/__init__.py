"""Phantoms: drawn photos that stand in for the photos of the paper, which are not public.

person    the person: tone, build, age                   skin        optical density: melanin, blood, horn → light
hand      anatomy: outline, form, joints, creases        photo       hands on green cloth, with and without eczema
details   nails, folds, hair, freckles                   layers      the skin's layers, and their light on a backdrop
eczema    the disease, as changes of those layers        camera      from linear light to a file
lesion    dermatofibroma and melanoma                    dermoscopy  photos of them
fields    random fields and strokes
drawing   draws all photos of a scale on all processors and prepares them like real photos

No real person is shown; one seed determines everything.
"""
