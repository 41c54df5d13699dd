"""More than 8 bits: grey values of 12, 16 or 32 bits to 8-bit levels, by the full range or by a window."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Window = tuple[float, float] | Literal["auto"]

TAILS = (0.1, 99.9)  # percentiles that `auto` shows as black and white: a few hot pixels do not darken the rest
SMALL_RANGE = 1 / 8  # a photo whose brightest values stay below this share of the range looks nearly black


def to_levels(values: NDArray[Any], window: Window | None, full: tuple[float, float]) -> tuple[NDArray[np.uint8], bool]:
    """Values as 8-bit levels, and whether they use so little of their range that a window is probably missing.

    `full` is the range of the data type. A `window` (low, high) is shown from black to white, what lies beyond is cut
    off; `auto` is the window from the darkest to the brightest value of this photo, its tails left out.

    >>> to_levels(np.array([0, 1024, 4095], np.uint16), (0, 4095), (0, 65535))[0]
    array([  0,  64, 255], dtype=uint8)
    """
    small = False
    if window == "auto":
        low, high = (float(value) for value in np.percentile(values, TAILS))
    elif window is not None:
        low, high = window
    else:
        low, high = full
        small = bool(np.percentile(values, TAILS[1]) - low < SMALL_RANGE * (high - low))
    # float32 has 24 bits: enough for 8 of the result, in half the memory of float64
    scaled = (values.astype(np.float32) - np.float32(low)) / np.float32(max(high - low, 1e-6))
    return (scaled.clip(0, 1) * 255 + 0.5).astype(np.uint8), small
