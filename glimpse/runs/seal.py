"""The seal of a `generator.safetensors`: its own SHA-256 inside, so that a file used alone shows any damage.

The hash is taken of the whole file where the hash itself counts as zeros. No torch here.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from glimpse.files import WorkspaceError

KEY = "file_sha256"  # in the metadata, beside the configuration of the run
BLANK = "0" * 64
MARK = rf"\"{KEY}\": \"".encode()  # as in the header: JSON within JSON
LONGEST_HEADER = 100_000_000  # bytes, as in the format's own reader


def seal(path: Path) -> None:
    """Write the hash into the place that the metadata keeps for it (`KEY` with the value `BLANK`)."""
    place, _, sha256 = _seal_of(path)
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(sha256)


def verify_seal(path: Path) -> None:
    """Raise WorkspaceError, naming the file, if it changed since it was sealed. Files without a seal pass."""
    _, stated, sha256 = _seal_of(path)
    if stated != sha256:
        raise WorkspaceError(
            f"{path} is damaged: its content no longer has the SHA-256 written in it. Restore it from a backup, or "
            "train the run again."
        )


def _seal_of(path: Path) -> tuple[int, bytes, bytes]:
    """The position of the hash, the stored hash and the computed one; -1 and empty values for a file without a seal."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        at = file.read(size).find(MARK) if size <= LONGEST_HEADER else -1
        if at < 0:
            return -1, b"", b""
        place = 8 + at + len(MARK)
        file.seek(0)
        digest = hashlib.sha256(file.read(place) + BLANK.encode())
        stated = file.read(len(BLANK))
        while block := file.read(1 << 20):
            digest.update(block)
    return place, stated, digest.hexdigest().encode()
