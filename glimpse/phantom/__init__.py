"""Phantoms: drawn photos that stand in for the photos of the paper, which are not public.

person    who is photographed: tone, build, age          skin     optical density: melanin, blood, horn → light
hand      anatomy: outline, form, joints, creases        photo    hands on green cloth, with and without eczema
details   nails, folds, hair, freckles                   layers   the skin's layers, and their light before a backdrop
eczema    the disease, as changes of those layers        camera   from linear light to a file
lesion    dermatofibroma and melanoma                    dermoscope   photos of them
fields    random fields and strokes
studio    draws all photos of a scale on all processors and prepares them like real photos

No real person is shown; everything follows from one seed.
"""
