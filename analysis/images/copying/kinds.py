"""Transformations of images for the test for copies: disguised copies, and reduced sharpness and contrast.

Disguised copies of training images show which kinds the test recognises. Held-out images with the sharpness and
contrast of generated ones calibrate it, because blurred images resemble each other more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from analysis.images.copying.grey import WORK, blurred

Pictures = NDArray[np.uint8]
BLURS = 0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0  # pixels of 64


def rounded(values: NDArray[np.floating]) -> Pictures:
    """Values rounded to the nearest level from 0 to 255.

    >>> rounded(np.array([-3.0, 1.6, 300.0])).tolist()
    [0, 2, 255]
    """
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def paler(images: Pictures, contrast: float) -> Pictures:
    """Images (n, H, W, 3) with this share of their contrast about the mean colour of each.

    >>> paler(np.array([[[[0] * 3, [200] * 3]]], np.uint8), contrast=0.5)[0, 0, :, 0].tolist()
    [50, 150]
    """
    mean = images.mean((1, 2), keepdims=True)
    return rounded(mean + contrast * (images - mean))


def enlarged(images: Pictures, side: float) -> Pictures:
    """A part of each image, of this share of its sides and anywhere in it, enlarged to the original size.

    >>> np.unique(enlarged(np.full((1, 4, 4, 3), 7, np.uint8), 0.5)).tolist()
    [7]
    """
    height, width = images.shape[1:3]
    corners = np.random.default_rng(0).uniform(0, 1 - side, (len(images), 2)) * (width, height)
    boxes = [(x, y, x + side * width, y + side * height) for x, y in corners.tolist()]
    return np.stack([
        np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC, box))
        for image, box in zip(images, boxes, strict=True)
    ])  # fmt: skip


def rotated(images: Pictures) -> Pictures:
    """Images rotated by 20 degrees about their centre; the corners become black.

    >>> turned = rotated(np.full((1, 9, 9, 3), 200, np.uint8))[0, :, :, 0]
    >>> turned[0, 0].item(), turned[4, 4].item()
    (0, 200)
    """
    return np.stack([np.asarray(Image.fromarray(one).rotate(20, Image.Resampling.BICUBIC)) for one in images])


def moved(images: Pictures) -> Pictures:
    """Images shifted right and down by a sixteenth of their sides, wrapping around at the edges.

    >>> moved(np.arange(3, dtype=np.uint8).reshape(1, 1, 3, 1)).ravel().tolist()
    [2, 0, 1]
    """
    height, width = images.shape[1:3]
    return np.roll(images, (max(1, height // 16), max(1, width // 16)), (1, 2))


def out_of_focus(images: Pictures) -> Pictures:
    """Images blurred by 1.5 pixels of 64.

    >>> np.unique(out_of_focus(np.full((1, 8, 8, 3), 7, np.uint8))).tolist()
    [7]
    """
    sigma = 1.5 * np.sqrt(images.shape[1] * images.shape[2]) / 64
    return rounded(gaussian_filter(images.astype(np.float32), (0, sigma, sigma, 0)))


def quarter_turned(images: Pictures) -> Pictures:
    """Images rotated by 90 degrees, or by 180 if they are not square.

    >>> quarter_turned(np.array([[[[1], [2]]]], np.uint8)).ravel().tolist()  # 1 x 2 pixels: by 180 degrees
    [2, 1]
    """
    return np.rot90(images, 1 if images.shape[1] == images.shape[2] else 2, (1, 2))


def noisy(images: Pictures) -> Pictures:
    """Images with Gaussian noise of SD 10 grey levels.

    >>> float(noisy(np.full((1, 64, 64, 3), 128, np.uint8)).std().round())
    10.0
    """
    return rounded(images + np.random.default_rng(0).normal(0, 10, images.shape))


def spliced(images: Pictures) -> Pictures:
    """The left half of each image joined to the right half of another.

    >>> spliced(np.array([[[[1], [2]]], [[[3], [4]]]], np.uint8)).reshape(2, 2).tolist()
    [[1, 4], [3, 2]]
    """
    done, half = images.copy(), images.shape[2] // 2
    done[:, :, half:] = np.roll(images, 1, 0)[:, :, half:]
    return done


KINDS: dict[str, Callable[[Pictures], Pictures]] = {
    "exact": lambda images: images,
    "mirrored": lambda images: images[:, :, ::-1],
    "turned by a quarter": quarter_turned,
    "turned by 20 degrees": rotated,
    "shifted by a sixteenth": moved,
    "cropped to 85 %": lambda images: enlarged(images, 0.85),
    "enlarged twice": lambda images: enlarged(images, 0.5),
    "blurred": out_of_focus,
    "noisy": noisy,
    "brighter": lambda images: rounded(images + 20.0),
    "of 60 % contrast": partial(paler, contrast=0.6),
    "blended with another image": lambda images: rounded((images + np.roll(images, 1, 0).astype(np.float32)) / 2),
    "spliced with another image": spliced,
}


def sharpness(grey: torch.Tensor) -> NDArray[np.float64]:
    """The log share of the finest detail in the contrast, (n,), of grey images (n, 1, H, W).

    >>> sharpness(torch.full((1, 1, 8, 8), 3.0)).tolist()  # of a flat image: nothing fine, no contrast
    [0.0]
    """
    fine = (grey - blurred(grey, 1.0)).flatten(1).var(1)
    return np.asarray(torch.log((fine + 1e-3) / (grey.flatten(1).var(1) + 1e-3)), np.float64)


def as_soft(real: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """The grey real images (n, 1, 64, 64), with contrast and sharpness reduced to those of the generated ones.

    Quantiles are matched: the softest real image becomes as soft as the softest generated one. No image gains sharpness
    or contrast.

    >>> real = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 1, 64, 64))).float()
    >>> bool(as_soft(real, real).equal(real)), float(as_soft(real, real / 2).std() / real.std()) < 0.51
    (True, True)
    """
    done = real.clone()
    levels = [blurred(real, sigma * real.shape[-1] / WORK) if sigma else real for sigma in BLURS]
    soft = np.stack([sharpness(level) for level in levels], 1)  # (n, levels)
    wanted = _at_same_ranks(soft[:, 0], sharpness(generated))
    nearest = np.abs(np.minimum.accumulate(soft, 1) - wanted[:, None]).argmin(1)
    for level, images in enumerate(levels):
        rows = torch.from_numpy(np.flatnonzero(nearest == level))
        done[rows] = images[rows]
    contrast, aimed = (images.flatten(1).std(1).numpy().astype(float) for images in (done, generated))
    share = np.minimum(1, _at_same_ranks(contrast, aimed) / np.maximum(contrast, 1e-3))
    mean = done.mean((1, 2, 3), keepdim=True)
    return (mean + torch.from_numpy(share).float()[:, None, None, None] * (done - mean)).round()


def _at_same_ranks(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """The quantile of `others` at the rank of each value.

    >>> _at_same_ranks(np.array([5.0, 1.0, 3.0]), np.array([10.0, 30.0])).tolist()
    [30.0, 10.0, 20.0]
    """
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable") / max(1, len(values) - 1)
    return np.quantile(others, ranks)
