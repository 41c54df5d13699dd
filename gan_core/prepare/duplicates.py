"""The same photo twice, and photos too alike to stand on both sides of the split."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Of 64 bits: a re-saved or slightly cropped copy differs in 0 to 4 of them, different photos in about 32.
NEAR_BITS = 4


@dataclass(frozen=True)
class Fingerprint:
    pixels: str  # hash of size and pixels: equal for exact duplicates, however they were saved
    perceptual: int  # 64-bit DCT hash (imagehash.phash, after Zauner 2010): close for photos that look the same


def fingerprint(photo: NDArray[np.uint8]) -> Fingerprint:
    """Of an RGB photo (H, W, 3) uint8."""
    digest = hashlib.sha256(repr(photo.shape).encode())
    digest.update(np.ascontiguousarray(photo).data)
    image = Image.fromarray(photo)
    # The perceptual hash looks at 32x32 pixels; averaging whole blocks first makes it cheap for large photos.
    image = image.reduce(max(1, min(image.size) // 128))
    return Fingerprint(digest.hexdigest(), int(str(imagehash.phash(image)), 16))


@dataclass
class Lookalikes:
    """Photos seen so far; tells exact duplicates as they come and near-duplicates across the split at the end."""

    duplicates: list[tuple[str, str]] = field(default_factory=list)  # (dropped, the one that stays)
    _first: dict[str, str] = field(default_factory=dict)
    _seen: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: {"train": [], "test": []})

    def is_duplicate(self, name: str, split: str, found: Fingerprint) -> bool:
        first = self._first.setdefault(found.pixels, name)
        if first != name:
            self.duplicates.append((name, first))
            return True
        self._seen[split].append((name, found.perceptual))
        return False

    def across_the_split(self) -> list[tuple[str, str, int]]:
        """(training photo, test photo, bits that differ), the most alike first."""
        train = np.array([bits for _, bits in self._seen["train"]], np.uint64)
        pairs = []
        for name, bits in self._seen["test"]:
            distances = np.bitwise_count(train ^ np.uint64(bits))
            pairs += [
                (self._seen["train"][i][0], name, int(distances[i])) for i in np.flatnonzero(distances <= NEAR_BITS)
            ]
        return sorted(pairs, key=lambda pair: (pair[2], pair[:2]))
