"""Attention trials: images that an attentive participant cannot take for a photograph. Pure.

A different mosaic of saturated tiles each time; its truth is `generated`. The study file states how many a participant
may get wrong before they are excluded (`trials.catch_wrong`), so the rule is fixed before the study starts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TILES = 8  # along the shorter side: coarse enough to be recognised at a glance, at any size
COLOURS = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [0, 255, 255], [255, 0, 255], [255, 255, 255], [0, 0, 0]],
    np.uint8,
)  # fmt: skip


def is_attention_image(png: bytes) -> bool:
    """Whether this PNG is such an image: every pixel has a pure colour."""
    import io

    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        pixels = np.asarray(image.convert("RGB"))
    return bool(np.isin(pixels, (0, 255)).all())


def attention_image(height: int, width: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(height, width, 3) uint8."""
    tile = max(1, min(height, width) // TILES)
    rows, columns = -(-height // tile), -(-width // tile)
    mosaic = COLOURS[rng.integers(len(COLOURS), size=(rows, columns))]
    return np.ascontiguousarray(mosaic.repeat(tile, axis=0).repeat(tile, axis=1)[:height, :width])
