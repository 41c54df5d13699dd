"""The windows in which a photo can be cut into patches: those entirely on skin, classed by their share of lesion.

Pixels are counted with integral images (Crow 1984), so a window costs four look-ups whatever its size. Size and stride
are multiples of their greatest common divisor g, so the integral is taken over sums of g x g cells: exact, and g²
times smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class PatchWindows:
    """Upper left corners (K, 2) of windows as (y, x), row by row, and the numbers of windows left out, by reason."""

    healthy: NDArray[np.intp]  # no lesion pixel
    eczema: NDArray[np.intp]  # a share of lesion pixels within the requested coverage
    coverage: NDArray[np.float64]  # that share, (len(eczema),)
    off_skin: int
    too_little: int  # lesion pixels, but fewer than requested
    too_much: int


def count_in_windows(mask: NDArray[np.bool_], size: int, stride: int) -> NDArray[np.int64]:
    """The number of set pixels of `mask` (H, W) in each window, (rows, columns); [i, j] starts at stride·(i, j).

    The shape is (0, 0) if the mask is smaller than a window.
    """
    if min(mask.shape) < size:
        return np.zeros((0, 0), np.int64)
    cell = gcd(size, stride)
    rows, columns = ((side - size) // stride * stride + size for side in mask.shape)
    bits = mask.view(np.uint8)[:rows, :columns].reshape(rows // cell, cell, columns)
    bands = bits.sum(axis=1, dtype=np.uint8 if cell < 256 else np.uint32)  # bytes added to bytes: no copy is made
    cells = bands.reshape(rows // cell, columns // cell, cell).sum(axis=2, dtype=np.int64)
    integral = np.zeros((cells.shape[0] + 1, cells.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(cells, axis=0), axis=1, out=integral[1:, 1:])
    step, span = stride // cell, size // cell
    upper, lower = integral[: -span or None : step], integral[span::step]
    return (lower[:, span::step] - lower[:, :-span:step]) - (upper[:, span::step] - upper[:, :-span:step])


def find_windows(
    skin: NDArray[np.bool_], lesion: NDArray[np.bool_], size: int, stride: int, coverage: tuple[float, float]
) -> PatchWindows:
    """The windows of one photo; `skin` and `lesion` are (H, W), `coverage` is the smallest and the largest share."""
    lesion_pixels = count_in_windows(lesion, size, stride)
    on_skin = count_in_windows(skin, size, stride) == size * size
    share = lesion_pixels / (size * size)
    healthy = on_skin & (lesion_pixels == 0)
    eczema = on_skin & (lesion_pixels > 0) & (share >= coverage[0]) & (share <= coverage[1])
    return PatchWindows(
        healthy=np.argwhere(healthy) * stride,
        eczema=np.argwhere(eczema) * stride,
        coverage=share[eczema],
        off_skin=int((~on_skin).sum()),
        too_little=int((on_skin & (lesion_pixels > 0) & (share < coverage[0])).sum()),
        too_much=int((on_skin & (lesion_pixels > 0) & (share > coverage[1])).sum()),
    )


def cut(photo: NDArray[np.uint8], corners: NDArray[np.intp], size: int) -> NDArray[np.uint8]:
    """The windows (K, size, size, ...) of a photo or mask (H, W, ...) at these corners, copied."""
    if not len(corners):
        return np.zeros((0, size, size, *photo.shape[2:]), photo.dtype)
    return np.stack([photo[y : y + size, x : x + size] for y, x in corners])
