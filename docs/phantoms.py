"""The row of phantoms that the README shows: `python docs/phantoms.py docs/images/phantoms.png`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.ndimage import minimum_filter, uniform_filter

from glimpse.phantom.camera import Pixels
from glimpse.phantom.dermoscopy import shoot
from glimpse.phantom.lesion import draw_lesion
from glimpse.phantom.person import draw_person
from glimpse.phantom.photo import draw_hands

HEIGHT = 240


def tiles() -> Iterator[Pixels]:
    """The backs and the fronts of two people's hands, a detail of eczema with its clean version, DF, MEL."""
    for seed, palm in ((2, False), (5, True)):
        photo = draw_hands(seed, draw_person(seed), palm=palm, width=960, height=720, eczema=False)
        yield photo.picture
    photo = draw_hands(53, draw_person(53), palm=False, width=1728, height=1152, eczema=True)
    ill = uniform_filter(photo.eczema.astype(np.float32), HEIGHT)
    wholly_skin = minimum_filter(photo.skin, HEIGHT, mode="constant", cval=0)
    y, x = np.unravel_index((ill * wholly_skin).argmax(), ill.shape)
    box = slice(y - HEIGHT // 2, y + HEIGHT // 2), slice(x - HEIGHT // 2, x + HEIGHT // 2)
    yield photo.picture[box]
    yield photo.clean[box]
    for seed, label in ((3, "DF"), (6, "MEL")):
        person = draw_person(1000 + seed)
        yield shoot(seed, draw_lesion(seed, label, person, 320), person, 320, 240)[:, 40:280]


def row() -> Image.Image:
    """All tiles side by side."""
    small = []
    for tile in tiles():
        image = Image.fromarray(np.ascontiguousarray(tile))
        image.thumbnail((10_000, HEIGHT), Image.Resampling.BOX, reducing_gap=None)
        small.append(np.pad(np.asarray(image), ((0, 0), (0, 6), (0, 0)), constant_values=255))
    return Image.fromarray(np.hstack(small)[:, :-6])


if __name__ == "__main__":
    path = Path(sys.argv[1])
    row().save(path, optimize=True)
    print(f"{path}: {path.stat().st_size // 1024} KB")
