"""The views of training images for the coarse search for copies: mirrored, turned, shifted, enlarged."""

from __future__ import annotations

import math
from itertools import product

import torch

SHIFTS = 2  # steps of a sixteenth of the side
QUARTERS = 0, 90, 180, 270  # degrees
TURNS = -30, -15, 15, 30, 45  # further degrees
WINDOWS = {0.85: 4, 0.7: 6, 0.6: 8, 0.5: 12}  # sides of the crops, and the number of places along each axis


def affine(degrees: float, scale: float, mirror: bool, x: float, y: float) -> list[list[float]]:
    """The map of a view, (2, 3).

    >>> affine(0, 0.5, True, 0.25, 0)
    [[-0.5, 0.0, 0.25], [0.0, 0.5, 0]]
    """
    c, s = math.cos(math.radians(degrees)) * scale, math.sin(math.radians(degrees)) * scale
    m = -1 if mirror else 1
    return [[m * c, -m * s, x], [s, c, y]]


def poses() -> list[tuple[float, list[list[float]]]]:
    """The scale and map of each upright view of a training image that the coarse search compares.

    >>> len(poses())  # 25 shifts, 5 turns, 260 crops
    290
    """
    steps = range(-SHIFTS, SHIFTS + 1)
    found = [(1.0, affine(0, 1, False, x / 8, y / 8)) for x, y in product(steps, steps)]
    found += [(1.0, affine(more, 1, False, 0, 0)) for more in TURNS]
    for side, places in WINDOWS.items():
        across = [(2 * i / (places - 1) - 1) * (1 - side) for i in range(places)]
        found += [(side, affine(0, side, False, x, y)) for x, y in product(across, across)]
    return found


def orientations() -> torch.Tensor:
    """The quarter turns, and the same mirrored: (8, 2, 2).

    >>> orientations().det().round().tolist()
    [1.0, 1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0]
    """
    return torch.tensor([affine(turn, 1, mirror, 0, 0) for mirror, turn in product((False, True), QUARTERS)])[:, :, :2]


def views() -> tuple[torch.Tensor, torch.Tensor]:
    """The scales (v,) and maps (v, 2, 3) of all views: each pose in each of the orientations.

    >>> views()[1].shape
    torch.Size([2320, 2, 3])
    """
    scales, maps = zip(*poses(), strict=True)
    upright = torch.tensor(maps)[:, None].expand(-1, 8, -1, -1)
    turned = torch.cat([upright[..., :2] @ orientations(), upright[..., 2:]], -1)
    return torch.tensor(scales, dtype=torch.float64).repeat_interleave(8), turned.flatten(0, 1)
