"""Attention trials: images that nobody who looks can take for a photograph. Pure.

A mosaic of saturated tiles, another one each time, whose truth is `generated`. Which participants are excluded for
missing how many of them is part of the study file (`trials.catch_wrong`), so it is fixed before anybody comes.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TILES = 8  # along the shorter side: coarse enough to be seen in a glance, at any size
COLOURS = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255], [255, 255, 255], [0, 0, 0]],
    np.uint8,
)  # fmt: skip


def is_catch(png: bytes) -> bool:
    """Whether these bytes are such an image, as anybody sees who looks: every pixel of a pure colour."""
    import io

    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        pixels = np.asarray(image.convert("RGB"))
    return bool(np.isin(pixels, (0, 255)).all())


def catch_image(height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(height, width, 3) uint8."""
    tile = max(1, min(height, width) // TILES)
    rows, columns = -(-height // tile), -(-width // tile)
    mosaic = COLOURS[rng.integers(len(COLOURS), size=(rows, columns))]
    return np.ascontiguousarray(mosaic.repeat(tile, axis=0).repeat(tile, axis=1)[:height, :width])
