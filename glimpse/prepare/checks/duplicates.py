"""Exact duplicates among photos, and near-duplicates that must not be on both sides of the split."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dct, irfft2, rfft2
from scipy.optimize import minimize

from glimpse.progress import progress

# Three steps find near-duplicates. Perceptual hashes propose pairs: of a whole photo against another whole or cropped,
# in all eight orientations. Then the detail (the phases of its middle frequencies) must agree at the scale and shift
# that suit it best, and there in nearly every part of the photo: photos of one kind (retinas, say) agree in the rim of
# the lens and in one bright spot, and nowhere else. Last, scale and shift are refined to fractions of a pixel: copies
# then agree better, hands laid out alike do not. The numbers behind the bounds are in docs/data.md.
NEAR_BITS = 10  # of the 64 bits of the perceptual hash
THUMBNAIL = 16
LIKE_COLOURS = 0.88  # correlation of the colour thumbnails at the crop of the hash, to look closer
NEAR_COLOURS = 0.92  # correlation of the colour thumbnails, each channel's mean taken off
LIKE_DETAIL = 0.4  # correlation of the details at the scale of the hash's crop, to look closer
NEAR_DETAIL = 0.75  # correlation of the details at the best scale and shift
NEAR_PARTS = 0.5  # the lower quartile of the correlations of their parts
FINE_DETAIL = 0.88  # correlation of the details at the refined scale and shift, ...
REST = 3.0  # ... or the grey levels (standard deviation) that a copy differs by there, brightness and contrast apart
DETAIL = 64  # side of the grey thumbnail that is compared
PART = 16  # side of a part of it; parts overlap by half
CYCLES = (2, 16)  # per side of the thumbnail: the frequencies that are compared
NOISE = 100.0  # amplitude below which a frequency is taken for noise: three grey levels a pixel
BLACK = 12  # grey level: what is darker is left aside, so that the rim of a lens that all photos share is no detail ...
DARK = 0.25  # ... and in a dark photo, what is darker than this share of its bright parts
SCALES = (1.0, 0.98, 0.96, 0.94, 0.92, 0.9, 0.88)  # sides of a copy as shares of the photo's
SHIFT = 2  # pixels of the thumbnail by which a copy may lie beyond the photo
CROPS = (  # left, top and side of what a copy may show, as shares of the photo, for the hashes
    (0.0, 0.0, 1.0), (0.025, 0.025, 0.95),
    *((left, top, 0.95) for left in (0.0, 0.05) for top in (0.0, 0.05)),
    *((left, top, 0.9) for left in (0.0, 0.05, 0.1) for top in (0.0, 0.05, 0.1)),
)  # fmt: skip
ORIENTATIONS = [(transposed, down, across) for transposed in (0, 1) for down in (1, -1) for across in (1, -1)]


@dataclass(frozen=True)
class Fingerprint:
    pixels: bytes  # checksums: equal for exact duplicates, however they were saved
    detail: NDArray[np.uint8]  # (DETAIL, DETAIL), grey
    colours: NDArray[np.uint8]  # (THUMBNAIL, THUMBNAIL, 3)


def fingerprint(photo: NDArray[np.uint8]) -> Fingerprint:
    """The fingerprint of an RGB photo (H, W, 3) uint8."""
    rows, columns = photo.shape[:2]
    step = max(1, min(rows, columns) // 256)  # of a large photo every step-th pixel: decoding it is slow enough
    image = Image.fromarray(np.ascontiguousarray(photo[step // 2 :: step, step // 2 :: step]))
    detail = np.asarray(image.convert("L").resize((DETAIL, DETAIL), Image.Resampling.BOX))
    colours = np.asarray(image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX))
    # Every pixel is in the CRC; photos whose 32 bits agree by chance differ in size or thumbnail.
    pixels = repr((rows, columns, zlib.crc32(np.ascontiguousarray(photo).data))).encode() + detail.tobytes()
    return Fingerprint(pixels + colours.tobytes(), detail, colours)


@dataclass
class Lookalikes:
    """The photos seen so far: finds exact duplicates as they come, and near-duplicates across the split at the end."""

    duplicates: list[tuple[str, str]] = field(default_factory=list)  # (dropped, kept)
    _first: dict[bytes, str] = field(default_factory=dict)
    _seen: dict[str, list[tuple[str, Fingerprint]]] = field(default_factory=lambda: {"train": [], "test": []})
    _across: tuple[tuple[int, int], list[tuple[str, str]]] | None = None  # the answer for so many photos

    def is_duplicate(self, name: str, split: str, found: Fingerprint) -> bool:
        first = self._first.setdefault(found.pixels, name)
        if first != name:
            self.duplicates.append((name, first))
            return True
        self._seen[split].append((name, found))
        return False

    def across_the_split(self) -> list[tuple[str, str]]:
        """(training photo, test photo) of each pair of which one looks like the other, or a crop of it, by name."""
        sizes = len(self._seen["train"]), len(self._seen["test"])
        if self._across is None or self._across[0] != sizes:
            training, testing = (_Marks(self._seen[split]) for split in ("train", "test"))
            found = {*_copies(testing, training), *((one, other) for other, one in _copies(training, testing))}
            self._across = sizes, sorted(found)
        return self._across[1]


class _Marks:
    """Fingerprints by name, with their hashes."""

    def __init__(self, marks: Sequence[tuple[str, Fingerprint]]) -> None:
        self.marks = marks
        self.hashes = np.array([_hashes(mark.detail) for _, mark in marks])  # (photos, crops * orientations)


def _copies(copies: _Marks, photos: _Marks) -> Iterator[tuple[str, str]]:
    """(photo, copy) for each photo that another is a copy or a crop of, mirrored and turned or not."""
    if not copies.marks or not photos.marks:
        return
    marks = zip(copies.marks, copies.hashes[:, 0], strict=True)
    for (name, mark), whole in progress(marks, title="look-alikes", unit="photos", total=len(copies.marks)):
        bits = np.bitwise_count(photos.hashes ^ whole)
        for i in np.flatnonzero(bits.min(axis=1) <= NEAR_BITS):
            crop, orientation = divmod(int(bits[i].argmin()), len(ORIENTATIONS))
            other, theirs = photos.marks[int(i)]
            colours, detail = (_turned(all_of, ORIENTATIONS[orientation]) for all_of in (theirs.colours, theirs.detail))
            shown = _turned(_cropped(theirs.colours, CROPS[crop], THUMBNAIL), ORIENTATIONS[orientation])
            if _correlation(shown, mark.colours) < LIKE_COLOURS or not (
                part := _same_detail(detail, mark.detail, CROPS[crop])
            ):
                continue
            like_colours = _correlation(_cropped(colours, part, THUMBNAIL), mark.colours) >= NEAR_COLOURS
            if like_colours and _same_at_last(detail, mark.detail, part):
                yield other, name


def _correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """The correlation of two pictures (N, N, 3), each channel's mean taken off."""
    a, b = (picture - picture.mean(axis=(0, 1)) for picture in (one, other))
    return float((a * b).sum() / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-6))


def _cropped(picture: NDArray[np.uint8], crop: tuple[float, float, float], size: int) -> NDArray[np.uint8]:
    left, top, side = (len(picture) * share for share in crop)
    box = (left, top, left + side, top + side)
    return np.asarray(
        Image.fromarray(np.ascontiguousarray(picture)).resize((size, size), Image.Resampling.BILINEAR, box)
    )


def _turned(picture: NDArray[np.uint8], orientation: tuple[int, int, int]) -> NDArray[np.uint8]:
    transposed, down, across = orientation
    return (picture.swapaxes(0, 1) if transposed else picture)[::down, ::across]


def _hashes(detail: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Perceptual hashes (imagehash.phash, after Zauner 2010) of each crop in each orientation, whole and upright first.

    Mirroring an image changes the sign of every other coefficient of its cosine transform.
    """
    low = _DOWN @ detail.astype(np.float32) @ _ACROSS.swapaxes(1, 2)  # (crops, 8, 8)
    signs = {1: np.ones(8, np.float32), -1: (-1.0) ** np.arange(8, dtype=np.float32)}
    shown = np.stack(
        [
            (low.swapaxes(1, 2) if transposed else low) * signs[down][:, None] * signs[across]
            for transposed, down, across in ORIENTATIONS
        ],
        axis=1,
    ).reshape(-1, 64)
    return np.packbits(shown > np.median(shown, axis=1, keepdims=True), axis=1).view(np.uint64)[:, 0]


def _spectra(details: NDArray[np.float32], level: float) -> NDArray[np.complex64]:
    """Of each detail the phases of the middle frequencies, damped where they may be noise; of length one."""
    black = details <= level
    inside = np.where(black, 0, details).sum(axis=(1, 2)) / np.maximum((~black).sum(axis=(1, 2)), 1)
    spectra = rfft2(np.where(black, 0, details - inside[:, None, None].astype(np.float32)) * _WINDOW)
    spectra *= _MIDDLE
    spectra /= np.abs(spectra) + np.float32(NOISE)
    lengths = np.linalg.norm(irfft2(spectra, s=(DETAIL, DETAIL)), axis=(1, 2))
    return np.asarray(spectra / np.maximum(lengths, 1e-6)[:, None, None], np.complex64)


def _black(detail: NDArray[np.uint8]) -> float:
    """The grey level up to which a detail is black."""
    return float(min(BLACK, DARK * np.percentile(detail, 90)))


def _same_detail(
    photo: NDArray[np.uint8], copy: NDArray[np.uint8], near: tuple[float, float, float]
) -> tuple[float, float, float] | None:
    """The crop (left, top, side) of a photo whose detail is a copy's, its side like that of `near`; else None."""
    pixels, wanted = photo.astype(np.float32), copy.astype(np.float32)
    levels = _black(photo), _black(copy)
    spectrum = _spectra(wanted[None], levels[1])
    first = int(np.abs(np.array(SCALES) - near[2]).argmin())
    if _agreements(pixels, levels[0], spectrum, [first]).max() < LIKE_DETAIL:
        return None
    agreements = _agreements(pixels, levels[0], spectrum, range(len(SCALES)))
    scale, down, across = np.unravel_index(int(agreements.argmax()), agreements.shape)
    if agreements[scale, down, across] < NEAR_DETAIL:
        return None
    side = SCALES[scale]
    # A copy whose content lies further down shows a part of the photo that begins further up.
    top, left = (
        float(np.clip((1 - side) / 2 - (shift - DETAIL * (shift > DETAIL // 2)) * side / DETAIL, 0, 1 - side))
        for shift in (int(down), int(across))
    )
    part = _resampling(top, side, DETAIL) @ pixels @ _resampling(left, side, DETAIL).T
    shown = part[None].astype(np.float32)
    one, other = irfft2(np.concatenate([_spectra(shown, levels[0]), spectrum]), s=(DETAIL, DETAIL))
    black = (shown[0] <= levels[0]) | (copy <= levels[1])
    return (left, top, side) if _agreement_of_parts(one, other, black) >= NEAR_PARTS else None


def _same_at_last(photo: NDArray[np.uint8], copy: NDArray[np.uint8], crop: tuple[float, float, float]) -> bool:
    """Whether a copy's detail agrees with a photo's near a crop of it, at the height, width and place that suit best;
    or next to nothing is left of the copy without what the photo shows there, as where strong compression took grain.
    """
    pixels, wanted = photo.astype(np.float32), copy.astype(np.float32)
    level, spectrum = _black(photo), _spectra(wanted[None], _black(copy))[0]

    def part(place: NDArray[np.float64]) -> NDArray[np.float32]:
        height, width = np.clip(place[2:], SCALES[-1] / 2, 1)
        top, left = np.clip(place[:2], 0, (1 - height, 1 - width))
        return np.asarray(_resampling(top, height, DETAIL) @ pixels @ _resampling(left, width, DETAIL).T, np.float32)

    def disagreement(place: NDArray[np.float64]) -> float:
        found = _spectra(part(place)[None], level)[0].conj() * spectrum
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


def _agreements(
    photo: NDArray[np.float32], level: float, spectrum: NDArray[np.complex64], scales: Sequence[int]
) -> NDArray[np.float32]:
    """(scales, DETAIL, DETAIL): the agreement at each of SCALES and each shift, -1 at those out of reach."""
    centres: NDArray[np.float32] = _CENTRES[list(scales)]
    spectra = _spectra((centres @ photo @ centres.swapaxes(1, 2)).astype(np.float32), level)
    found = irfft2(spectra.conj() * spectrum, s=(DETAIL, DETAIL))
    return np.where(_IN_REACH[list(scales)], found, np.float32(-1))


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


def _resampling(start: float, side: float, size: int) -> NDArray[np.float32]:
    """(size, DETAIL): the weights that resize a part of a detail, bilinear as Pillow's, along one axis."""
    step = DETAIL * side / size
    centres = DETAIL * start + (np.arange(size) + 0.5) * step
    weights = 1 - np.abs(np.arange(DETAIL) + 0.5 - centres[:, None]) / max(step, 1)
    weights = np.maximum(weights, 0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


_LOWEST = dct(np.eye(32), axis=0)[:8]  # of the cosine transform of 32 values
_ACROSS, _DOWN = (
    np.array([_LOWEST @ _resampling(crop[axis], crop[2], 32) for crop in CROPS], np.float32) for axis in (0, 1)
)
_CENTRES = np.array([_resampling((1 - side) / 2, side, DETAIL) for side in SCALES])
_WINDOW = np.sqrt(np.outer(np.hanning(DETAIL + 2), np.hanning(DETAIL + 2)))[1:-1, 1:-1].astype(np.float32)
_RADIUS = np.hypot(np.fft.fftfreq(DETAIL)[:, None], np.fft.rfftfreq(DETAIL)) * DETAIL
_MIDDLE = (_RADIUS >= CYCLES[0]) & (_RADIUS <= CYCLES[1])  # noqa: SIM300
_REACHES = [np.abs(np.fft.fftfreq(DETAIL) * DETAIL) <= (1 - side) / 2 / side * DETAIL + SHIFT for side in SCALES]
_IN_REACH = np.array([np.outer(reach, reach) for reach in _REACHES])  # (scales, DETAIL, DETAIL)
