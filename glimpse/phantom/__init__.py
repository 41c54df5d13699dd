"""Phantoms: drawn photos that stand in for the photos of the paper, which are not public.

person        the person: tone, build, age                   skin        optics and layers of skin, and their light
hand          anatomy: outline, form, joints, creases        photo       hands on green cloth, with and without eczema
hand_details  nails, folds, hair, freckles                   camera      from linear light to a file
eczema        the disease, as changes of those layers        dermoscopy  photos of lesions
lesion        dermatofibroma and melanoma                    fields      random fields and strokes
drawing       draws all photos of a scale on all processors and prepares them like real photos

No real person is shown; one seed determines everything.
"""
