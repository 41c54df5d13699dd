"""Phantoms: drawn photos that stand in for all the data of the paper, so that everybody can have them.

person    who is photographed: tone, build, age          skin     optical density: melanin, blood, horn → light
hand      anatomy: outline, form, joints, creases        photo    hands on green cloth, with and without eczema
details   nails, folds, hair, freckles                   layers   the skin's layers, and their light before a backdrop
eczema    the disease, as changes of those layers        camera   from linear light to a file
lesion    dermatofibroma and melanoma                    dermoscope   photos of them
fields    random fields and strokes, the paint of all    gallery  the row that the README shows
studio    draws all photos of a scale on all processors and prepares them like anybody's photos

Nothing here is a photo of anybody, and everything follows from one seed.
"""
