"""The seal of a `generator.safetensors`: its own SHA-256 inside, so that a file used alone shows any damage.

The hash is taken of the whole file where the hash itself counts as zeros. No torch here.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from gan_core.experiments import TrainingError

KEY = "file_sha256"  # in the metadata, beside the configuration of the run
BLANK = "0" * 64
MARK = rf"\"{KEY}\": \"".encode()  # as the header has it: JSON within JSON
LONGEST_HEADER = 100_000_000  # bytes, as in the format's own reader


def seal(path: Path) -> None:
    """Write the hash into the place that the metadata keeps for it (`KEY` with the value `BLANK`)."""
    place = _place(path)
    assert place is not None
    sha256 = _digest(path, place)
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(sha256.encode())


def verify_seal(path: Path) -> None:
    """Raises TrainingError, naming the file, unless it is as it was written. Files of earlier versions have no seal."""
    place = _place(path)
    if place is None:
        return
    with open(path, "rb") as file:
        file.seek(place)
        stated = file.read(len(BLANK)).decode("ascii", "replace")
    if _digest(path, place) != stated:
        raise TrainingError(
            f"{path} is damaged: its content no longer has the SHA-256 written in it. Restore it from a backup, or "
            "train the run again."
        )


def _place(path: Path) -> int | None:
    """The position of the hash in the file; None where there is none."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        at = file.read(size).find(MARK) if size <= LONGEST_HEADER else -1
    return None if at < 0 else 8 + at + len(MARK)


def _digest(path: Path, place: int) -> str:
    """SHA-256 of the file with zeros for the hash at `place`."""
    with open(path, "rb") as file:
        digest = hashlib.sha256(file.read(place) + BLANK.encode())
        file.seek(place + len(BLANK))
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
