"""Translated images against the true skin: PSNR and SSIM, inside and outside the mask."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from glimpse.images import Pixels, shrink, shrink_mask


@dataclass
class TruthScore:
    """PSNR and SSIM of images against the true skin, inside and outside the mask, pooled over all pixels added."""

    sums: dict[str, float] = field(default_factory=dict)

    def add(self, image: Pixels, truth: Pixels, mask: Pixels) -> None:
        """`image` (H, W, 3) uint8; `truth` (H, W, 3) and `mask` (H, W) in {0, 1}, shrunk to its size if larger."""
        truth, mask = shrink(truth, *image.shape[:2]), shrink_mask(mask, *image.shape[:2])
        error = (image.astype(np.float64) - truth) ** 2
        similar = ssim_map(image, truth)
        for where, chosen in (("inside", mask > 0), ("outside", mask == 0)):
            found = {"pixels": chosen.sum(), "error": error[chosen].sum() / 3, "ssim": similar[chosen].sum()}
            for name, value in found.items():
                self.sums[f"{name}_{where}"] = self.sums.get(f"{name}_{where}", 0.0) + float(value)

    def result(self) -> dict[str, float | None]:
        """`psnr_inside` and `psnr_outside` in dB, `ssim_inside` and `ssim_outside`.

        None if there are no such pixels, and for the PSNR of identical images.

        >>> score, grey = TruthScore(), np.full((16, 16, 3), 100, np.uint8)
        >>> score.add(grey + np.uint8(1), grey, np.ones((16, 16), np.uint8))
        >>> round(score.result()["psnr_inside"], 2), score.result()["psnr_outside"]  # 10 log10(255^2 / 1)
        (48.13, None)
        """
        found: dict[str, float | None] = {}
        for where in ("inside", "outside"):
            pixels, error = self.sums.get(f"pixels_{where}", 0.0), self.sums.get(f"error_{where}", 0.0)
            found[f"psnr_{where}"] = 10 * float(np.log10(255**2 * pixels / error)) if pixels and error else None
            found[f"ssim_{where}"] = self.sums[f"ssim_{where}"] / pixels if pixels else None
        return found


def ssim_map(one: Pixels, other: Pixels) -> NDArray[np.float64]:
    """(H, W) structural similarity (Wang et al. 2004, Gaussian window, sigma 1.5), mean of the colour channels.

    >>> flat = [np.full((16, 16, 3), level, np.uint8) for level in (100, 150)]
    >>> c1 = (0.01 * 255) ** 2  # of flat images only the luminance counts
    >>> round(float(ssim_map(*flat)[8, 8]), 5), round((2 * 100 * 150 + c1) / (100**2 + 150**2 + c1), 5)
    (0.92309, 0.92309)
    """
    a, b = one.astype(np.float64), other.astype(np.float64)

    def blur(values: NDArray[np.float64]) -> NDArray[np.float64]:
        blurred: NDArray[np.float64] = gaussian_filter(values, (1.5, 1.5, 0), truncate=3.5)
        return blurred

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, both = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similar = ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return np.asarray(similar.mean(2))
