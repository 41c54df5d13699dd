"""Comparison of photos by their detail (the phases of middle frequencies): whether one shows a part of another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft2, rfft2
from scipy.optimize import minimize

NEAR_DETAIL = 0.75  # correlation of the details at the best scale and shift
NEAR_PARTS = 0.5  # the lower quartile of the correlations of their parts
FINE_DETAIL = 0.88  # correlation of the details at the refined scale and shift, ...
REST = 3.0  # ... or the grey levels (standard deviation) that a copy differs by there, brightness and contrast apart
DETAIL = 64  # side of the grey thumbnail that is compared
PART = 16  # side of a part of it; parts overlap by half
CYCLES = (2, 16)  # per side of the thumbnail: the frequencies that are compared
NOISE = 100.0  # amplitude below which a frequency is taken for noise: three grey levels a pixel
# Darker pixels are ignored, so that the black rim that all photos through one lens share does not count as detail.
BLACK = 12  # grey level
DARK = 0.25  # in a dark photo: share of the grey level of its bright parts
SCALES = (1.0, 0.98, 0.96, 0.94, 0.92, 0.9, 0.88)  # sides of a copy as shares of the photo's
SHIFT = 2  # pixels of the thumbnail by which a copy may lie beyond the photo


def spectra(details: NDArray[np.float32], level: float) -> NDArray[np.complex64]:
    """The phases of each detail's middle frequencies, damped where they may be noise, scaled to length one."""
    black = details <= level
    inside = np.where(black, 0, details).sum(axis=(1, 2)) / np.maximum((~black).sum(axis=(1, 2)), 1)
    found = rfft2(np.where(black, 0, details - inside[:, None, None].astype(np.float32)) * _WINDOW)
    found *= MIDDLE
    found /= np.abs(found) + np.float32(NOISE)
    lengths = np.linalg.norm(irfft2(found, s=(DETAIL, DETAIL)), axis=(1, 2))
    return np.asarray(found / np.maximum(lengths, 1e-6)[:, None, None], np.complex64)


def black_of(detail: NDArray[np.uint8]) -> float:
    """The grey level up to which a detail is black."""
    return float(min(BLACK, DARK * np.percentile(detail, 90)))


def part_shown(photo: NDArray[np.uint8], copy: NDArray[np.uint8]) -> tuple[float, float, float] | None:
    """The crop (left, top, side) of a photo whose detail agrees with a copy's; None if no crop does."""
    pixels, wanted = photo.astype(np.float32), copy.astype(np.float32)
    levels = black_of(photo), black_of(copy)
    spectrum = spectra(wanted[None], levels[1])
    agreements = _agreements(pixels, levels[0], spectrum)
    scale, down, across = np.unravel_index(int(agreements.argmax()), agreements.shape)
    if agreements[scale, down, across] < NEAR_DETAIL:
        return None
    side = SCALES[scale]
    # A copy whose content lies further down shows a part of the photo that begins further up.
    top, left = (
        float(np.clip((1 - side) / 2 - (shift - DETAIL * (shift > DETAIL // 2)) * side / DETAIL, 0, 1 - side))
        for shift in (int(down), int(across))
    )
    part = resampling(top, side, DETAIL) @ pixels @ resampling(left, side, DETAIL).T
    shown = part[None].astype(np.float32)
    one, other = irfft2(np.concatenate([spectra(shown, levels[0]), spectrum]), s=(DETAIL, DETAIL))
    black = (shown[0] <= levels[0]) | (copy <= levels[1])
    return (left, top, side) if _agreement_of_parts(one, other, black) >= NEAR_PARTS else None


def is_copy_of_crop(photo: NDArray[np.uint8], copy: NDArray[np.uint8], crop: tuple[float, float, float]) -> bool:
    """Whether a copy's detail agrees with a photo's near a crop of it, at the best height, width and place. If grain is
    lost to strong compression, it is enough that almost nothing remains of the copy once the photo is subtracted.
    """
    pixels, wanted = photo.astype(np.float32), copy.astype(np.float32)
    level, spectrum = black_of(photo), spectra(wanted[None], black_of(copy))[0]

    def part(place: NDArray[np.float64]) -> NDArray[np.float32]:
        height, width = np.clip(place[2:], SCALES[-1] / 2, 1)
        top, left = np.clip(place[:2], 0, (1 - height, 1 - width))
        return np.asarray(resampling(top, height, DETAIL) @ pixels @ resampling(left, width, DETAIL).T, np.float32)

    def disagreement(place: NDArray[np.float64]) -> float:
        found = spectra(part(place)[None], level)[0].conj() * spectrum
        return -float(irfft2(found, s=(DETAIL, DETAIL))[0, 0])

    left, top, side = crop
    start = np.array([top, left, side, side])
    inwards = np.where(start[:2] <= (1 - side) / 2, 0.01, -0.01)
    simplex = start + np.vstack([np.zeros(4), np.diag([*inwards, -0.01, -0.01])])
    best = minimize(disagreement, start, method="Nelder-Mead", options={"initial_simplex": simplex, "maxfev": 80})
    if best.fun <= -FINE_DETAIL:
        return True
    shown = part(best.x).ravel()
    rest = wanted.ravel() - np.polyval(np.polyfit(shown, wanted.ravel(), 1), shown)
    return bool(rest.std() <= REST)


def _agreements(photo: NDArray[np.float32], level: float, spectrum: NDArray[np.complex64]) -> NDArray[np.float32]:
    """(scales, DETAIL, DETAIL): the agreement at each of SCALES and each shift, -1 at those out of reach."""
    found = irfft2(spectra(middles(photo, range(len(SCALES))), level).conj() * spectrum, s=(DETAIL, DETAIL))
    return np.where(IN_REACH, found, np.float32(-1))


def middles(photo: NDArray[np.float32], scales: Sequence[int]) -> NDArray[np.float32]:
    """(scales, DETAIL, DETAIL): the middle of a detail at each of these SCALES."""
    centres: NDArray[np.float32] = _CENTRES[list(scales)]
    return (centres @ photo @ centres.swapaxes(1, 2)).astype(np.float32)


def _agreement_of_parts(one: NDArray[np.float32], other: NDArray[np.float32], black: NDArray[np.bool_]) -> float:
    """The lower quartile of the correlations of the parts of two details, of those without black; 1 without any."""
    found = []
    for top in range(0, DETAIL - PART + 1, PART // 2):
        for left in range(0, DETAIL - PART + 1, PART // 2):
            part = slice(top, top + PART), slice(left, left + PART)
            if not black[part].any():
                a, b = one[part], other[part]
                found.append(float((a * b).sum() / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-9)))
    return float(np.percentile(found, 25)) if found else 1.0


def resampling(start: float, side: float, size: int) -> NDArray[np.float32]:
    """(size, DETAIL): the weights that resize a part of a detail, bilinear as Pillow's, along one axis."""
    step = DETAIL * side / size
    centres = DETAIL * start + (np.arange(size) + 0.5) * step
    weights = 1 - np.abs(np.arange(DETAIL) + 0.5 - centres[:, None]) / max(step, 1)
    weights = np.maximum(weights, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


_CENTRES = np.array([resampling((1 - side) / 2, side, DETAIL) for side in SCALES])
_WINDOW = np.sqrt(np.outer(np.hanning(DETAIL + 2), np.hanning(DETAIL + 2)))[1:-1, 1:-1].astype(np.float32)
_RADIUS = np.hypot(np.fft.fftfreq(DETAIL)[:, None], np.fft.rfftfreq(DETAIL)) * DETAIL
MIDDLE = (_RADIUS >= CYCLES[0]) & (_RADIUS <= CYCLES[1])  # noqa: SIM300
_REACHES = [np.abs(np.fft.fftfreq(DETAIL) * DETAIL) <= (1 - side) / 2 / side * DETAIL + SHIFT for side in SCALES]
IN_REACH = np.array([np.outer(reach, reach) for reach in _REACHES])  # (scales, DETAIL, DETAIL)
