"""Prepare grey images for the test for copies: shrink, blur, remove low frequencies."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
import torch.nn.functional as F

from analysis.images.features import Images, batches

WORK = 64  # side of the grey images in pixels; all else is sampled from them


def greys(images: Images) -> torch.Tensor:
    """(n, H, W, 3) uint8 to (n, 1, 64, 64) luminance, 0 to 255.

    >>> greys(np.array([[[[255, 0, 0]]]], np.uint8)).round(decimals=3).unique()  # 0.299 of red
    tensor([76.2450])
    """
    weights = torch.tensor([0.299, 0.587, 0.114])
    parts = []
    for batch in batches(images):
        grey = (torch.from_numpy(np.ascontiguousarray(batch)).float() @ weights)[:, None]
        parts.append(resized(grey, WORK))
    return torch.cat(parts) if parts else torch.empty(0, 1, WORK, WORK)


def resized(grey: torch.Tensor, side: int) -> torch.Tensor:
    """(n, 1, H, W) to (n, 1, side, side), antialiased.

    >>> resized(torch.tensor([[[[0.0, 4.0], [8.0, 4.0]]]]), 1).item()  # by half: the mean
    4.0
    """
    if grey.shape[2:] == (side, side):
        return grey
    return F.interpolate(grey, (side, side), mode="bilinear", antialias=True, align_corners=False)


def blurred(grey: torch.Tensor, sigma: float) -> torch.Tensor:
    """(n, c, H, W) under a Gaussian of `sigma` pixels, mirrored at the border.

    >>> blurred(torch.full((1, 1, 8, 8), 3.0), 1.0).round(decimals=4).unique().tolist()
    [3.0]
    """
    down, across = (_gaussian(side, sigma) for side in grey.shape[-2:])
    return down @ grey @ across.T


@functools.lru_cache(64)
def _gaussian(side: int, sigma: float) -> torch.Tensor:
    """A matrix (side, side) that blurs a column of pixels: a product takes a fifth of a convolution's time."""
    reach = min(math.ceil(2.5 * sigma), side - 1)
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1.0) / sigma) ** 2)
    at = torch.arange(side)[:, None] + torch.arange(-reach, reach + 1)
    mirrored = (side - 1) - ((side - 1) - at.abs()).abs()
    return torch.zeros(side, side).scatter_add_(1, mirrored, (taps / taps.sum()).expand(side, -1))


def detail(grey: torch.Tensor, low: float, seen: torch.Tensor | None = None) -> torch.Tensor:
    """The grey images (n, c, H, W) minus their means under a Gaussian of `low` pixels, over the pixels `seen` only.

    >>> float(detail(torch.full((1, 1, 8, 8), 3.0), 1.0).abs().max().round(decimals=4))  # a flat image has none
    0.0
    """
    if seen is None:
        return grey - blurred(grey, low)
    return (grey - blurred(grey * seen, low) / blurred(seen, low).clamp_min(1e-3)) * seen
