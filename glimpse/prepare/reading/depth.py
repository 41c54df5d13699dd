"""Conversion of values with 12, 16 or 32 bits to 8-bit levels, by the full range or by a window."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from glimpse.prepare.reading.colour import in_srgb_curve

Window = tuple[float, float] | Literal["auto"]

TAILS = (0.1, 99.9)  # percentiles that `auto` shows as black and white: a few hot pixels do not darken the rest
SMALL_RANGE = 1 / 8  # a photo whose brightest values stay below this share of the range looks nearly black


def to_levels(
    values: NDArray[Any], window: Window | None, full: tuple[float, float], gamma: float | None = None
) -> tuple[NDArray[np.uint8], bool]:
    """Values as 8-bit levels, and whether they use so little of their range that a window is probably missing.

    `full` is the range of the data type. A `window` (low, high) is mapped to black and white, and values beyond it are
    clipped; `auto` is the window from the darkest to the brightest value of this photo, without the outermost
    percentiles (TAILS). Values encoded with a PNG's `gamma` come in sRGB's curve: 8 bits would lose their shadows.

    >>> to_levels(np.array([0, 1024, 4095], np.uint16), (0, 4095), (0, 65535))[0]
    array([  0,  64, 255], dtype=uint8)
    """
    small = False
    if window == "auto":
        low, high = (_percentile(values, share) for share in TAILS)
    elif window is not None:
        low, high = window
    else:
        low, high = full
        small = _percentile(values, TAILS[1]) - low < SMALL_RANGE * (high - low)
    if values.dtype == np.uint16:  # by a table: the floats of a photo in colour would take 36 bytes a pixel
        return _scaled(np.arange(2**16), low, high, gamma)[values], small
    return _scaled(values, low, high, gamma), small


def _scaled(values: NDArray[Any], low: float, high: float, gamma: float | None) -> NDArray[np.uint8]:
    # float32 has 24 bits: enough for 8 of the result, in half the memory of float64
    scaled = (values.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1e-6))
    share = scaled.clip(0, 1)
    return ((share if gamma is None else in_srgb_curve(share, gamma)) * 255 + 0.5).astype(np.uint8)


def _percentile(values: NDArray[Any], share: float) -> float:
    """NumPy's percentile; of 16-bit values by counting them, in place of sorting a copy.

    >>> _percentile(np.array([[1, 2], [4, 8]], np.uint16), 50)
    3.0
    """
    if values.dtype != np.uint16:
        return float(np.percentile(values, share))
    counts = np.zeros(2**16, np.int64)
    for part in np.array_split(values, -(-values.size // 2**20)):
        counts += np.bincount(part.ravel(), minlength=2**16)
    place = share / 100 * (values.size - 1)
    below, above = np.searchsorted(counts.cumsum(), [np.floor(place), np.ceil(place)], side="right")
    return float(below + (above - below) * (place % 1))
