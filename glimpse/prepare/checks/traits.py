"""Properties of image files that are not content: format, compression, size, colour profile, bits, fine detail.

Some are read from the header of a file. Block boundaries and fine detail are measured on the pixels, so that a JPEG
saved again as PNG, and an enlarged image, are found too. `checks.differences` compares two sets by them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from glimpse.prepare.reading.colour import foreign_profile
from glimpse.prepare.reading.decoding import deep_colour, open_image
from glimpse.prepare.reading.sources import is_dicom

MEASURED = 200  # images of a set whose pixels are measured
SIDE = 512  # pixels: the part in the middle of an image that is measured
BLOCK = 8  # pixels: JPEG's blocks
ROUNDING = 1 / 12  # squared levels: the power of rounding to whole ones
KINDS = ("format", "bits", "profile")


@dataclass(frozen=True)
class Traits:
    """The traits of one file, and of its pixels if they were measured."""

    format: str  # Pillow's name
    width: int
    height: int
    bits: int  # a channel
    profile: str  # description of the colour profile, embedded or marked in EXIF; "sRGB" without one
    jpeg_quality: int | None  # on the scale of libjpeg, by the quantisation table
    steps: NDArray[np.float64] | None = None  # (2, 8), see `steps_by_phase`


def traits_of(data: bytes, name: str, photo: NDArray[np.uint8], measure: bool) -> Traits:
    """The traits of a file, from its bytes and its decoded pixels (H, W, 3); `measure` includes those of the pixels."""
    height, width = photo.shape[:2]
    steps = steps_by_phase(grey_middle(photo)) if measure else None
    if is_dicom(data):
        return Traits("DICOM", width, height, 16, "sRGB", None, steps)
    with open_image(data, name) as image:
        bits = {"I": 32, "F": 32}.get(image.mode, 16 if ";16" in image.mode else 8)
        if image.format == "PNG":
            bits = max(8, data[24])  # of its header
        elif deep_colour(image, data):
            bits = 16
        return Traits(image.format or "unknown", width, height, bits, _profile(image), _quality(image), steps)


def _profile(image: Image.Image) -> str:
    """The name of the colours that a photo is converted from."""
    profile = foreign_profile(image)
    return "sRGB" if profile is None else ImageCms.getProfileDescription(profile).strip()


def _quality(image: Image.Image) -> int | None:
    """libjpeg's quality, from the mean of the luminance table (57.6 at quality 50, scaled as jpeg_set_quality does)."""
    table = getattr(image, "quantization", {}).get(0)
    if not table:
        return None
    scale = 100 * float(np.mean(table)) / 57.625
    return int(np.clip(round((200 - scale) / 2 if scale <= 100 else 5000 / scale), 1, 100))


def grey_middle(photo: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The middle of (H, W, 3), at most SIDE pixels per side, as grey; it starts where a JPEG block would."""
    top, left = (max(0, length - SIDE) // 2 // BLOCK * BLOCK for length in photo.shape[:2])
    return np.asarray(photo[top : top + SIDE, left : left + SIDE] @ np.array([0.299, 0.587, 0.114]))


def steps_by_phase(grey: NDArray[np.float64], period: int = BLOCK) -> NDArray[np.float64] | None:
    """(2, 8): the mean step from a row to the next (and a column to the next) at each place of an 8-pixel grid.

    Relative to the mean of all steps; None for images without any step or smaller than two blocks.

    >>> steps_by_phase(np.repeat([[0.0], [8.0]], 8, axis=0).repeat(16, axis=1))[0]  # a step between rows 7 and 8 alone
    array([ 0.,  0.,  0.,  0.,  0.,  0.,  0., 16.])
    """
    if min(grey.shape) < 2 * BLOCK:
        return None
    found = []
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        found.append([steps[phase::period].mean() for phase in range(period)])
    means = np.array(found)
    return means / means.mean() if means.any() else None


def block_energy(steps: Sequence[NDArray[np.float64]]) -> float:
    """The step across block boundaries over the largest step elsewhere, from `steps_by_phase` of several images.

    Near 1 without blocks, larger after JPEG compression. The grid may start anywhere, but at the same place in all
    images. The comparison is with the largest step, not the mean, since an image enlarged by 2 has four large steps in
    eight pixels, and no blocks.

    >>> block_energy([np.array([[1, 1, 1, 1, 1, 1, 1, 3.0]] * 2)])
    3.0
    """
    ordered = np.sort(np.mean(steps, axis=0), axis=1)  # (2, 8)
    return float((ordered[:, -1] / np.maximum(ordered[:, -2], 0.01)).mean())


def power_by_ring(grey: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """(n,): the power per frequency in n rings of equal width, from the lowest to the highest frequency of an image.

    In squared grey levels, so that independent noise has its variance in each ring. None for images without contrast
    or under 16 pixels; n is half the shorter side.

    >>> noise = np.random.default_rng(0).normal(0, 3, size=(256, 256))
    >>> round(float(power_by_ring(noise)[64:].mean())), power_by_ring(np.ones((16, 16)))
    (9, None)
    """
    if min(grey.shape) < 16 or not np.ptp(grey):
        return None
    window = np.outer(*(np.hanning(length) for length in grey.shape))
    power = np.abs(np.fft.rfft2((grey - grey.mean()) * window)) ** 2 / (window**2).sum()
    rings = min(grey.shape) // 2
    rows, columns = np.fft.fftfreq(grey.shape[0]) * 2, np.fft.rfftfreq(grey.shape[1]) * 2
    ring = (np.hypot(rows[:, None], columns[None]) * rings).astype(int).clip(max=rings)  # the corners lie beyond
    return np.asarray((np.bincount(ring.ravel(), power.ravel()) / np.bincount(ring.ravel()))[:rings])


def fine_detail(*sides: NDArray[np.float64]) -> list[float] | None:
    """The power of each side at the highest frequencies, in thousandths of that at lower ones, from `power_by_ring`.

    The highest are 0.7 to 1, the lower 0.2 to 0.4 of the highest frequency up to which one of the sides has power that
    rounding to whole levels does not explain: beyond it smooth images differ by their rounding alone. An image enlarged
    by 1.5 or more has almost no power at the highest frequencies of a sharp one. None for images smoother than that.

    >>> fine_detail(np.full(100, 4), np.where(np.arange(100) < 50, 4, 0.0625))  # as after an enlargement by 2
    [1000.0, 15.625]
    """
    unseen = np.flatnonzero(np.max(sides, axis=0) <= 3 * ROUNDING)
    highest = unseen[0] if unseen.size else len(sides[0])
    if highest < 8:
        return None
    at = (np.arange(len(sides[0])) + 0.5) / highest
    top, lower = (at > 0.7) & (at < 1), (at > 0.2) & (at < 0.4)
    return [float(1000 * side[top].mean() / side[lower].mean()) for side in sides]


def repeated_lines(photo: NDArray[np.uint8]) -> float:
    """The share of the rows and columns of (H, W, 3) that equal the one before: 0.5 after each pixel was doubled.

    >>> repeated_lines(np.arange(48).reshape(4, 4, 3).repeat(2, axis=0).repeat(2, axis=1).astype(np.uint8)).__round__(2)
    0.57
    """
    same = [~np.diff(photo, axis=axis).any(axis=(1 - axis, 2)) for axis in (0, 1)]
    return float(np.concatenate(same).mean())


def summary(traits: Sequence[Traits]) -> dict[str, Any]:
    """The traits of all files of an image set, for its manifest: counts of their kinds, medians of their numbers."""
    qualities = [t.jpeg_quality for t in traits if t.jpeg_quality is not None]
    steps = [t.steps for t in traits if t.steps is not None]
    return {
        **{key: dict(Counter(str(getattr(t, key)) for t in traits).most_common()) for key in KINDS},
        "jpeg_quality": int(np.median(qualities)) if qualities else None,
        "width": int(np.median([t.width for t in traits])),
        "height": int(np.median([t.height for t in traits])),
        "block_energy": round(block_energy(steps), 4) if steps else None,
    }
