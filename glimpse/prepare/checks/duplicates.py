"""Exact duplicates among photos, and near-duplicates that must not be on both sides of the split."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dct, irfft2

from glimpse.prepare.checks.detail import (
    DETAIL,
    IN_REACH,
    MIDDLE,
    SCALES,
    black_of,
    is_copy_of_crop,
    middles,
    part_shown,
    resampling,
    spectra,
)
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
CROPS = (  # left, top and side of what a copy may show, as shares of the photo, for the hashes
    (0.0, 0.0, 1.0), (0.025, 0.025, 0.95),
    *((left, top, 0.95) for left in (0.0, 0.05) for top in (0.0, 0.05)),
    *((left, top, 0.9) for left in (0.0, 0.05, 0.1) for top in (0.0, 0.05, 0.1)),
)  # fmt: skip
AT_ONCE = 512  # photos whose hashes are compared in one step: they stay in the processor's cache
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
    _across: tuple[tuple[int, int], list[tuple[str, str]]] | None = None  # the answer, with the numbers of photos

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
    """Fingerprints by name, with their hashes; hashes and spectra are computed once."""

    def __init__(self, marks: Sequence[tuple[str, Fingerprint]]) -> None:
        self.marks = marks
        self.hashes = np.array([_hashes(mark.detail) for _, mark in marks])  # (photos, crops * orientations)
        self._colours = np.zeros((len(marks), len(CROPS), THUMBNAIL, THUMBNAIL, 3), np.uint8)
        self._cropped = np.zeros((len(marks), len(CROPS)), np.bool_)
        self.spectra: dict[tuple[int, int], NDArray[np.complex64]] = {}

    def near(self, whole: np.uint64) -> NDArray[np.intp]:
        """(near, 3): photo, crop and orientation where a crop's hash is near this one, the nearest of each photo."""
        found = [np.zeros((0, 3), np.intp)]
        for first in range(0, len(self.hashes), AT_ONCE):
            bits = np.bitwise_count(self.hashes[first : first + AT_ONCE] ^ whole)
            rows = np.unique(np.flatnonzero(bits.ravel() <= NEAR_BITS) // bits.shape[1])
            if len(rows):
                found.append(np.stack([first + rows, *divmod(bits[rows].argmin(axis=1), len(ORIENTATIONS))], axis=1))
        return np.concatenate(found)

    def colours(self, photos: NDArray[np.intp], crops: NDArray[np.intp]) -> NDArray[np.uint8]:
        """(N, THUMBNAIL, THUMBNAIL, 3): the colours of a crop of each of these photos."""
        for k in np.flatnonzero(~self._cropped[photos, crops]):
            i, crop = photos[k], crops[k]
            self._colours[i, crop] = _cropped(self.marks[i][1].colours, CROPS[crop], THUMBNAIL)
        self._cropped[photos, crops] = True
        return self._colours[photos, crops]

    def spectrum(self, i: int, crop: int) -> NDArray[np.complex64]:
        """(frequencies,): the spectrum of a photo's middle at the scale of a crop."""
        scale = _SCALES_OF[crop]
        if (i, scale) not in self.spectra:
            detail = self.marks[i][1].detail
            self.spectra[i, scale] = spectra(middles(detail.astype(np.float32), [scale]), black_of(detail))[0][MIDDLE]
        return self.spectra[i, scale]


def _copies(copies: _Marks, photos: _Marks) -> Iterator[tuple[str, str]]:
    """(photo, copy) for each photo that another is a copy or a crop of, mirrored and turned or not."""
    if not copies.marks or not photos.marks:
        return
    marks = zip(copies.marks, copies.hashes[:, 0], strict=True)
    for (name, mark), whole in progress(marks, title="look-alikes", unit="photos", total=len(copies.marks)):
        for i, orientation in _candidates(mark, photos, photos.near(whole)):
            other, theirs = photos.marks[i]
            colours, detail = (_turned(all_of, orientation) for all_of in (theirs.colours, theirs.detail))
            if not (part := part_shown(detail, mark.detail)):
                continue
            like_colours = _correlations(_cropped(colours, part, THUMBNAIL), mark.colours) >= NEAR_COLOURS
            if like_colours and is_copy_of_crop(detail, mark.detail, part):
                yield other, name


def _candidates(
    copy: Fingerprint, photos: _Marks, near: NDArray[np.intp]
) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """(photo, orientation) of those that resemble a copy in colours, and in detail at the crop's scale.

    The copy is turned back to the photos, all in one step: many photos may have similar hashes although few are copies.
    """
    if len(near):
        turned = np.stack([_turned_back(copy.colours, orientation) for orientation in ORIENTATIONS])[near[:, 2]]
        near = near[_correlations(photos.colours(near[:, 0], near[:, 1]), turned) >= LIKE_COLOURS]
    if len(near):
        used, of_used = np.unique(near[:, 2], return_inverse=True)
        details = np.stack([_turned_back(copy.detail, ORIENTATIONS[orientation]) for orientation in used])
        found = spectra(details.astype(np.float32), black_of(copy.detail))[of_used]
        found[:, MIDDLE] *= np.stack([photos.spectrum(i, crop) for i, crop, _ in near.tolist()]).conj()
        agreements = irfft2(found, s=(DETAIL, DETAIL))
        for (i, crop, orientation), agreement in zip(near.tolist(), agreements, strict=True):
            if agreement[IN_REACH[_SCALES_OF[crop]]].max() >= LIKE_DETAIL:
                yield i, ORIENTATIONS[orientation]


def _correlations(some: NDArray[np.uint8], others: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The correlation of each picture (..., N, N, 3) with another, each channel's mean taken off."""
    a, b = (pictures - pictures.mean(axis=(-3, -2), keepdims=True) for pictures in (some, others))
    products, one, other = ((x * y).sum(axis=(-3, -2, -1)) for x, y in ((a, b), (a, a), (b, b)))
    return np.asarray(products / np.maximum(np.sqrt(one * other), 1e-6))


def _cropped(picture: NDArray[np.uint8], crop: tuple[float, float, float], size: int) -> NDArray[np.uint8]:
    left, top, side = (len(picture) * share for share in crop)
    box = (left, top, left + side, top + side)
    return np.asarray(
        Image.fromarray(np.ascontiguousarray(picture)).resize((size, size), Image.Resampling.BILINEAR, box)
    )


def _turned(picture: NDArray[np.uint8], orientation: tuple[int, int, int]) -> NDArray[np.uint8]:
    transposed, down, across = orientation
    return (picture.swapaxes(0, 1) if transposed else picture)[::down, ::across]


def _turned_back(picture: NDArray[np.uint8], orientation: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The inverse of `_turned`."""
    transposed, down, across = orientation
    picture = picture[::down, ::across]
    return picture.swapaxes(0, 1) if transposed else picture


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


# The one of SCALES that is nearest to the side of each of CROPS.
_SCALES_OF = [int(np.abs(np.array(SCALES) - side).argmin()) for _, _, side in CROPS]
_LOWEST = dct(np.eye(32), axis=0)[:8]  # of the cosine transform of 32 values
_ACROSS, _DOWN = (
    np.array([_LOWEST @ resampling(crop[axis], crop[2], 32) for crop in CROPS], np.float32) for axis in (0, 1)
)
