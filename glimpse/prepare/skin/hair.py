"""The amount of hair across a dermoscopic photo: dark, thin lines that stay straight for a while.

A mole has dark lines too (pigment network, vessels, edges), but none that are thin, long and even. A pixel therefore
counts as hair if, in one of 16 directions, three short segments in line, with the pixel in the middle one, are each
darker than *both* parallel segments beside them (segments as in DullRazor: Lee et al. 1997).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 192  # pixels of the longer side while measuring; a hair is then 1 to 3 of them wide
SEGMENT = 9  # pixels; three in line are longer than the meshes of a pigment network and shorter than a hair's bend
BESIDE = 3  # pixels from a hair's middle to the skin beside it
DEPTH = 7.0  # grey levels by which a hair is darker
DIRECTIONS = 16


def hairiness(photo: NDArray[np.uint8]) -> float:
    """The share of an RGB photo (H, W, 3) uint8 that hair covers, 0 to 1."""
    image = Image.fromarray(photo).convert("L")
    scale = SIDE / max(image.size)
    if scale < 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BOX)
    return float(np.mean(line_depth(np.asarray(image, np.float32)) > DEPTH))


def line_depth(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """The depth (H, W) of the best line through each pixel: grey levels darker than both its sides, at least 0."""
    depth = np.zeros_like(grey)
    for angle in np.arange(DIRECTIONS) * np.pi / DIRECTIONS:
        along, across = np.array((np.sin(angle), np.cos(angle))), np.array((np.cos(angle), -np.sin(angle)))
        steps = np.arange(SEGMENT) - SEGMENT // 2
        mean = np.mean([_moved(grey, step * along) for step in steps], axis=0)
        short = np.minimum(_moved(mean, BESIDE * across), _moved(mean, -BESIDE * across)) - mean
        in_line = np.minimum(_moved(short, SEGMENT * along), _moved(short, -SEGMENT * along))
        np.maximum(depth, np.minimum(short, in_line), out=depth)
    return depth


def _moved(values: NDArray[np.float32], by: NDArray[np.float64]) -> NDArray[np.float32]:
    """The values found `by` (y, x) pixels further on, rounded; the border is repeated outwards."""
    dy, dx = np.rint(by).astype(int)
    rows = np.clip(np.arange(values.shape[0]) + dy, 0, values.shape[0] - 1)
    columns = np.clip(np.arange(values.shape[1]) + dx, 0, values.shape[1] - 1)
    return values[rows][:, columns]
