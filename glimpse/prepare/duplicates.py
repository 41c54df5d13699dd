"""Exact duplicates among photos, and near-duplicates that must not be on both sides of the split."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn, irfft2, rfft2

# Two steps find near-duplicates. Perceptual hashes propose pairs: of a whole photo against another whole or cropped, in
# all eight orientations. Then the detail must agree: the phases of its middle frequencies, in which photos of one kind
# differ however alike they are in layout. The numbers behind both bounds are in docs/data.md.
NEAR_BITS = 10  # of the 64 bits of the perceptual hash
THUMBNAIL = 16
NEAR_COLOURS = 0.92  # correlation of the colour thumbnails, each channel's mean taken off
NEAR_DETAIL = 0.7  # correlation of the details at the best shift
DETAIL = 64  # side of the grey thumbnail that is compared
CYCLES = (2, 16)  # per side of the thumbnail: the frequencies that are compared
NOISE = 100.0  # amplitude below which a frequency is taken for noise: three grey levels a pixel
BLACK = 12  # grey level: what is darker is left aside, so that the rim of a lens that all photos share is no detail
SHIFT = 5  # pixels of the thumbnail by which two details may be apart
CROPS = (  # left, top and side of what a copy may show, as shares of the photo
    (0.0, 0.0, 1.0), (0.03, 0.03, 0.94), (0.055, 0.055, 0.89), (0.0, 0.0, 0.89), (0.11, 0.0, 0.89), (0.0, 0.11, 0.89),
    (0.11, 0.11, 0.89),
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

    def is_duplicate(self, name: str, split: str, found: Fingerprint) -> bool:
        first = self._first.setdefault(found.pixels, name)
        if first != name:
            self.duplicates.append((name, first))
            return True
        self._seen[split].append((name, found))
        return False

    def across_the_split(self) -> list[tuple[str, str]]:
        """(training photo, test photo) of each pair of which one looks like the other, or a crop of it, by name."""
        training, testing = self._seen["train"], self._seen["test"]
        found = {*_copies(testing, training), *((one, other) for other, one in _copies(training, testing))}
        return sorted(found)


def _copies(
    copies: Sequence[tuple[str, Fingerprint]], photos: Sequence[tuple[str, Fingerprint]]
) -> Iterator[tuple[str, str]]:
    """(photo, copy) for each photo that another is a copy or a crop of, mirrored and turned or not."""
    if not copies or not photos:
        return
    hashes = np.stack([_hashes(mark.detail) for _, mark in photos])  # (photos, crops * orientations)
    for name, mark in copies:
        bits = np.bitwise_count(hashes ^ _hashes(mark.detail)[0])
        spectrum: NDArray[np.complex64] | None = None
        for i in np.flatnonzero(bits.min(axis=1) <= NEAR_BITS):
            crop, orientation = divmod(int(bits[i].argmin()), len(ORIENTATIONS))
            other, theirs = photos[int(i)]
            shown = _turned(_cropped(theirs.colours, CROPS[crop], THUMBNAIL), ORIENTATIONS[orientation])
            if _correlation(shown, mark.colours) < NEAR_COLOURS:
                continue
            if spectrum is None:
                spectrum = _spectrum(mark.detail)
            shown = _turned(_cropped(theirs.detail, CROPS[crop], DETAIL), ORIENTATIONS[orientation])
            if _agreement(_spectrum(shown), spectrum) >= NEAR_DETAIL:
                yield other, name


def _correlation(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """The correlation of two pictures (N, N, 3), each channel's mean taken off."""
    a, b = (picture - picture.mean(axis=(0, 1)) for picture in (one, other))
    return float((a * b).sum() / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-6))


def _cropped(picture: NDArray[np.uint8], crop: tuple[float, float, float], size: int) -> NDArray[np.uint8]:
    left, top, side = (len(picture) * share for share in crop)
    box = (left, top, left + side, top + side)
    return np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.BILINEAR, box))


def _turned(picture: NDArray[np.uint8], orientation: tuple[int, int, int]) -> NDArray[np.uint8]:
    transposed, down, across = orientation
    return (picture.swapaxes(0, 1) if transposed else picture)[::down, ::across]


def _hashes(detail: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Perceptual hashes (imagehash.phash, after Zauner 2010) of each crop in each orientation, whole and upright first.

    Mirroring an image changes the sign of every other coefficient of its cosine transform.
    """
    small = np.stack([_cropped(detail, crop, 32) for crop in CROPS]).astype(np.float32)
    low = dctn(small, axes=(1, 2))[:, :8, :8]
    signs = {1: np.ones(8, np.float32), -1: (-1.0) ** np.arange(8, dtype=np.float32)}
    shown = np.stack(
        [
            (low.swapaxes(1, 2) if transposed else low) * signs[down][:, None] * signs[across]
            for transposed, down, across in ORIENTATIONS
        ],
        axis=1,
    ).reshape(-1, 64)
    return np.packbits(shown > np.median(shown, axis=1, keepdims=True), axis=1).view(np.uint64)[:, 0]


def _spectrum(detail: NDArray[np.uint8]) -> NDArray[np.complex64]:
    """The phases of the middle frequencies, each damped where it may be noise; of length one."""
    window = np.sqrt(np.outer(np.hanning(DETAIL + 2), np.hanning(DETAIL + 2)))[1:-1, 1:-1]
    black = detail <= BLACK
    inside = float(detail[~black].mean()) if not black.all() else 0.0
    values = np.where(black, 0, detail - inside) * window
    spectrum = rfft2(values)
    cycles = np.hypot(np.fft.fftfreq(DETAIL)[:, None], np.fft.rfftfreq(DETAIL)) * DETAIL
    spectrum *= (cycles >= CYCLES[0]) & (cycles <= CYCLES[1])
    spectrum /= np.abs(spectrum) + NOISE
    length = np.linalg.norm(irfft2(spectrum, s=(DETAIL, DETAIL)))
    return np.asarray(spectrum / max(float(length), 1e-6), np.complex64)


def _agreement(one: NDArray[np.complex64], other: NDArray[np.complex64]) -> float:
    """The correlation of two details at the best shift."""
    shifts = irfft2(one.conj() * other, s=(DETAIL, DETAIL))
    near = np.arange(-SHIFT, SHIFT + 1)
    return float(shifts[np.ix_(near, near)].max())
