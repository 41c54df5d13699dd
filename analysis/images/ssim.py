"""Structural similarity of many pairs of images: exact, and a coarse pass that selects candidates.

SSIM of Wang et al. 2004: Gaussian windows of 11 taps, sigma 1.5, biased covariance, range 255, mean over all windows
within the image and over the channels. The values are those of scikit-image with `gaussian_weights=True, sigma=1.5,
use_sample_covariance=False, data_range=255`. Means and variances of single images are computed once; each pair takes
only the blur of the product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.images.distances import euclidean
from analysis.images.extractors import to_tensor
from analysis.section import AnalysisError
from glimpse.images import size_in_words

TAPS, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
CENTRE, ROOT2 = 128.0, 2**0.5
TILE = 24  # outputs of one dense block of the banded blur
WINDOWS = 15  # windows per side in the coarse pass
CHUNK = 64  # images per side in the coarse pass


def gaussian() -> torch.Tensor:
    """The weights of the window, (11,), which sum to one.

    >>> weights = gaussian()
    >>> len(weights), round(weights.sum().item(), 6), round((weights[6] / weights[5]).item(), 4)  # exp(-1 / 4.5)
    (11, 1.0, 0.8007)
    """
    x = torch.arange(TAPS, dtype=torch.float64) - TAPS // 2
    weights = torch.exp(-0.5 * (x / SIGMA) ** 2)
    return (weights / weights.sum()).float()


def blur(x: torch.Tensor) -> torch.Tensor:
    """The weighted means of all windows within images (n, c, H, W): (n, c, H - 10, W - 10).

    The blur is computed by matrix products: the Toeplitz band is cut into equal dense blocks, which takes a third of
    the operations of the whole matrix, runs at the speed of BLAS and writes in place.

    >>> blur(torch.full((1, 1, 11, 12), 3.0)).round(decimals=4).tolist()
    [[[[3.0, 3.0]]]]
    """
    n, c, height, width = x.shape
    across = x.new_empty(n * c * height, width - TAPS + 1)
    flat = x.reshape(-1, width)
    for start, size in _tiles(width):
        torch.mm(flat[:, start : start + size + TAPS - 1], _band(size, x.device), out=across[:, start : start + size])
    across = across.view(n * c, height, -1)
    out = x.new_empty(n * c, height - TAPS + 1, across.shape[2])
    for start, size in _tiles(height):
        band = _band(size, x.device).T.expand(n * c, -1, -1)
        torch.bmm(band, across[:, start : start + size + TAPS - 1], out=out[:, start : start + size])
    return out.view(n, c, *out.shape[1:])


def _tiles(side: int) -> list[tuple[int, int]]:
    return [(start, min(TILE, side - TAPS + 1 - start)) for start in range(0, side - TAPS + 1, TILE)]


_bands: dict[tuple[int, torch.device], torch.Tensor] = {}


def _band(size: int, device: torch.device) -> torch.Tensor:
    """The Toeplitz band, (size + 10, size): column j holds the weights in rows j to j + 10."""
    if (size, device) not in _bands:
        band, weights = torch.zeros(size + TAPS - 1, size), gaussian()
        for j in range(size):
            band[j : j + TAPS, j] = weights
        _bands[size, device] = band.to(device)
    return _bands[size, device]


@dataclass(frozen=True)
class SsimImages:
    """Images with all that SSIM needs of each image, scaled so that a pair takes few passes over memory."""

    pixels: torch.Tensor  # (n, 3, H, W): √2 times p, centred, or float32 would lose the variance of smooth skin
    mean: torch.Tensor  # (n, 3, H - 10, W - 10): its blur
    bright: torch.Tensor  # √2 times the mean of the pixels
    luminance: torch.Tensor  # squared mean of the pixels + C1 / 2
    variance: torch.Tensor  # variance + C2 / 2

    @classmethod
    def of(cls, images: NDArray[np.uint8], device: str = "cpu") -> SsimImages:
        """The input of `ssim` for images (n, H, W, 3) uint8. Raises AnalysisError if they are smaller than a window.

        >>> images = SsimImages.of(np.zeros((2, 11, 11, 3), np.uint8))
        >>> len(images), len(images.take(slice(1)))
        (2, 1)
        """
        check_size(images)
        pixels = to_tensor(images, device).float() * ROOT2
        centre = pixels.mean((2, 3), keepdim=True).round()
        pixels -= centre
        mean = blur(pixels)
        bright = mean + centre
        variance = (blur(pixels * pixels) - mean * mean).clamp_min_(0)
        return cls(pixels, mean, bright, bright**2 / 2 + C1 / 2, variance / 2 + C2 / 2)

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, rows: torch.Tensor | slice) -> SsimImages:
        fields = (self.pixels, self.mean, self.bright, self.luminance, self.variance)
        return SsimImages(*(field[rows] for field in fields))


def check_size(images: NDArray[np.uint8]) -> None:
    """Raises AnalysisError if images (n, H, W, 3) are smaller than SSIM's window of 11 pixels."""
    if min(images.shape[1:3]) < TAPS:
        raise AnalysisError(
            f"The images are {size_in_words(*images.shape[1:3])} pixels; SSIM needs at least {TAPS}x{TAPS}."
        )


def ssim(a: SsimImages, b: SsimImages) -> torch.Tensor:
    """The SSIM of a[i] with b[i], (n,); a single image on one side is compared with all of the other.

    (2 μa μb + C1)(2 σab + C2) / ((μa² + μb² + C1)(σa² + σb² + C2)), equation 13 of Wang et al. 2004.

    For two flat images only the luminance matters: (2 · 100 · 150 + C1) / (100² + 150² + C1).

    >>> flat = [SsimImages.of(np.full((1, 16, 16, 3), level, np.uint8)) for level in (100, 150)]
    >>> round(ssim(*flat).item(), 5), round((2 * 100 * 150 + C1) / (100**2 + 150**2 + C1), 5)
    (0.92309, 0.92309)
    """
    c1, c2 = a.mean.new_tensor(C1), a.mean.new_tensor(C2)
    above = blur(torch.addcmul(c2, a.pixels, b.pixels)).addcmul_(a.mean, b.mean, value=-1)
    above.mul_(torch.addcmul(c1, a.bright, b.bright))
    below = (a.luminance + b.luminance).mul_(a.variance + b.variance)
    return above.div_(below).mean((1, 2, 3))


def one_to_all(query: SsimImages, targets: SsimImages) -> torch.Tensor:
    """The SSIM of one image with each of n, (n,), computed eight at a time to stay in the processor's cache.

    >>> images = np.stack([np.full((16, 16, 3), level, np.uint8) for level in (100, 150)])
    >>> [round(value, 5) for value in one_to_all(SsimImages.of(images[:1]), SsimImages.of(images)).tolist()]
    [1.0, 0.92309]
    """
    return torch.cat([ssim(query, targets.take(rows)) for rows in chunks(len(targets), 8)])


# ------------------------------------------------------------------------------------------------ the coarse pass


@dataclass(frozen=True)
class Windows:
    """A grid of windows of each image, so that one matrix product gives twice the covariance + C2 of every pair."""

    weighted: torch.Tensor  # (windows * 3, n, 123): sqrt(2 weight) * pixel, then what takes off the means and adds C2
    bright: torch.Tensor  # (windows * 3, n): √2 times the mean
    luminance: torch.Tensor  # squared mean + C1 / 2
    variance: torch.Tensor  # variance + C2 / 2

    @classmethod
    def of(cls, images: NDArray[np.uint8], device: str = "cpu", *, second: bool = False) -> Windows:
        """The windows of images (n, H, W, 3) uint8, for the first or the second argument of `coarse`."""
        pixels = to_tensor(images, device).float() - CENTRE
        height, width = pixels.shape[2] - TAPS + 1, pixels.shape[3] - TAPS + 1
        steps = [max(1, side // WINDOWS) for side in (height, width)]
        patches = pixels[:, :, (height - 1) % steps[0] // 2 :, (width - 1) % steps[1] // 2 :]
        patches = patches.unfold(2, TAPS, steps[0]).unfold(3, TAPS, steps[1])  # (n, 3, rows, columns, 11, 11)
        patches = patches.permute(1, 2, 3, 0, 4, 5)
        weights = torch.outer(gaussian(), gaussian()).to(device)
        weighted = pixels.new_empty(patches.shape[:3].numel(), len(images), TAPS * TAPS + 2)
        inner = weighted[..., :-2]
        torch.mul(patches, (2 * weights).sqrt(), out=inner.view(patches.shape))
        mean = inner @ (weights / 2).sqrt().flatten()
        variance = (torch.linalg.vector_norm(inner, dim=-1).square() / 2 - mean**2).clamp_min(0)
        weighted[..., -2] = mean * (ROOT2 if second else -ROOT2)
        weighted[..., -1] = 1 if second else C2
        bright = mean + CENTRE
        return cls(weighted, ROOT2 * bright, bright**2 + C1 / 2, variance + C2 / 2)


def coarse(a: Windows, b: Windows) -> torch.Tensor:
    """The mean SSIM over the grid of windows, (n, m): an estimate of SSIM at a hundredth of its cost.

    >>> a, b = (np.full((1, 16, 16, 3), level, np.uint8) for level in (100, 150))
    >>> round(coarse(Windows.of(a), Windows.of(b, second=True)).item(), 4)  # as in `ssim`
    0.9231
    """
    total = a.bright.new_zeros(a.bright.shape[1], b.bright.shape[1])
    c1 = a.bright.new_tensor(C1)
    for rows in chunks(len(a.bright), 24):
        above = torch.bmm(a.weighted[rows], b.weighted[rows].transpose(1, 2))
        above.mul_(torch.addcmul(c1, a.bright[rows, :, None], b.bright[rows, None, :]))
        below = a.luminance[rows, :, None] + b.luminance[rows, None, :]
        below.mul_(a.variance[rows, :, None] + b.variance[rows, None, :])
        total += above.div_(below).sum(0)
    return total / len(a.bright)


def squared_errors(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The mean squared errors between images (n, H, W, 3) and (m, H, W, 3) uint8, (n, m), by one matrix product.

    >>> black, grey = np.zeros((1, 2, 2, 3), np.uint8), np.full((1, 2, 2, 3), 3, np.uint8)
    >>> squared_errors(black, grey)
    array([[9.]])
    """
    x, y = (v.reshape(len(v), -1).astype(np.float32) - np.float32(CENTRE) for v in (a, b))
    return euclidean(x, y) ** 2 / x.shape[1]


def chunks(count: int, size: int = CHUNK) -> Iterator[slice]:
    """Slices of at most `size` that cover `count` rows.

    >>> list(chunks(5, 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))
