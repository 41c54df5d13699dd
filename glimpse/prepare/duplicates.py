"""Exact duplicates among photos, and near-duplicates that must not be on both sides of the split."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# On HAM10000 every copy that was saved again, resized, brightened, made noisy or cropped by 1 % is within both bounds,
# and so are 3 of the 50 million pairs of photos of different lesions. The hash alone, at 4 bits, accepts 322 pairs that
# have only a round spot in the middle in common.
NEAR_BITS = 8  # of the 64 bits of the perceptual hash
NEAR_CORRELATION = 0.98  # of 16x16 colour thumbnails, each channel's mean subtracted
THUMBNAIL = 16


@dataclass(frozen=True)
class Fingerprint:
    pixels: bytes  # checksums: equal for exact duplicates, however they were saved
    perceptual: np.uint64  # 64-bit DCT hash (imagehash.phash, after Zauner 2010)
    thumbnail: NDArray[np.float32]  # (768,), of length one: the dot product of two is their correlation


def fingerprint(photo: NDArray[np.uint8]) -> Fingerprint:
    """The fingerprint of an RGB photo (H, W, 3) uint8."""
    rows, columns = photo.shape[:2]
    step = max(1, min(rows, columns) // 256)  # large photos are subsampled: decoding them is slow enough
    image = Image.fromarray(np.ascontiguousarray(photo[step // 2 :: step, step // 2 :: step]))
    image = image.reduce(max(1, min(image.size) // 128))
    bits = np.packbits(imagehash.phash(image).hash.ravel()).view(np.uint64)[0]
    small = np.asarray(image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX), np.float32)
    # The CRC covers every pixel; its 32 bits alone could agree by chance, but not together with all the rest.
    pixels = repr((rows, columns, zlib.crc32(np.ascontiguousarray(photo).data), int(bits))).encode() + small.tobytes()
    small = (small - small.mean(axis=(0, 1))).ravel()
    return Fingerprint(pixels, bits, small / max(float(np.linalg.norm(small)), 1e-6))


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
        """(training photo, test photo) of each near-duplicate pair, sorted by name."""
        hashes = np.array([found.perceptual for _, found in self._seen["train"]], np.uint64)
        pairs = []
        for name, found in self._seen["test"]:
            for i in np.flatnonzero(np.bitwise_count(hashes ^ found.perceptual) <= NEAR_BITS):
                other, theirs = self._seen["train"][i]
                if theirs.thumbnail @ found.thumbnail >= NEAR_CORRELATION:
                    pairs.append((other, name))
        return sorted(pairs)
