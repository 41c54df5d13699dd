"""Stimulus sets, made by `publish` and shown by the survey: PNG files that reveal nothing but their pixels.

One encoder writes all images, real and generated: 8-bit RGB, no filter, stored (uncompressed) deflate blocks, three
chunks and no metadata. Every image of a set therefore has the same number of bytes, on disk and on the wire, and a file
says no more about its origin than its pixels do.
"""

from __future__ import annotations

import secrets
import struct
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.files import GlimpseError, atomic_folder, read_json, sha256_bytes, sha256_json, verify, write_json


class StimulusError(GlimpseError):
    """A stimulus set cannot be made or used as it is."""


@dataclass(frozen=True)
class Stimulus:
    """One image of a stimulus set, as recorded in its manifest."""

    id: str
    file: str
    truth: str  # "real" or "generated"
    practice: bool
    sha256: str
    origin: dict[str, Any]  # source image, its split and group; or run, seed and truncation


@dataclass(frozen=True)
class StimulusSet:
    name: str
    label: str
    folder: Path
    height: int
    width: int
    stimuli: tuple[Stimulus, ...]
    made_from: dict[str, Any]
    sha256: str  # of the manifest's content: the identity that answers refer to

    @classmethod
    def load(cls, folder: Path) -> StimulusSet:
        """Read a set. Raises WorkspaceError, naming the file, for an unknown schema or a hash that does not match."""
        manifest = read_json(folder / "manifest.json")
        for stimulus in manifest["stimuli"]:
            verify(folder / stimulus["file"], stimulus["sha256"])
        return cls(
            name=manifest["name"],
            label=manifest["label"],
            folder=folder,
            height=manifest["height"],
            width=manifest["width"],
            stimuli=tuple(Stimulus(**stimulus) for stimulus in manifest["stimuli"]),
            made_from=manifest["made_from"],
            sha256=sha256_json(manifest),
        )

    def of(self, truth: str, *, practice: bool = False) -> list[Stimulus]:
        return [s for s in self.stimuli if s.truth == truth and s.practice == practice]

    def conditions(self) -> dict[str, StimulusSet]:
        """The set by its name; a set of several generators as one for each, with all real images, by condition."""
        made_by = {s.id: str(s.origin.get("image_set", "")) for s in self.stimuli if s.truth == "generated"}
        generators = sorted(set(made_by.values()))
        if len(generators) < 2:
            return {self.name: self}
        found = {}
        for generator in generators:
            shown = tuple(s for s in self.stimuli if made_by.get(s.id, generator) == generator)
            name = condition_name(self.name, generator)
            found[name] = replace(self, name=name, stimuli=shown)
        return found


def condition_name(stimulus_set: str, generator: str) -> str:
    """The name of the condition that one of several generators of a stimulus set makes, beside the set's real images.

    >>> condition_name("foreign", "stylegan")
    'foreign stylegan'
    """
    return f"{stimulus_set} {generator}".strip()


@dataclass(frozen=True)
class Source:
    """An image to be written to a stimulus set: pixels (H, W, 3) uint8 and their origin."""

    pixels: NDArray[np.uint8]
    truth: str
    origin: dict[str, Any]
    practice: bool = False


def write_stimulus_set(
    folder: Path, *, label: str, sources: Iterable[Source], made_from: dict[str, Any]
) -> StimulusSet:
    """Write a stimulus set, all or nothing, and return it as read back.

    IDs are drawn at random and the manifest is sorted by them, so neither name nor order reveals the truth.
    Raises StimulusError when the images differ in size.
    """
    with atomic_folder(folder) as building:
        stimuli, shape = [], None
        for source in sources:
            shape = shape or source.pixels.shape
            if source.pixels.shape != shape:
                raise StimulusError(
                    f"The images for '{folder.name}' differ in size: {shape} and {source.pixels.shape}."
                )
            png = encode_png(source.pixels)
            identity = secrets.token_hex(12)
            (building / f"{identity}.png").write_bytes(png)
            stimuli.append(
                {
                    "id": identity, "file": f"{identity}.png", "truth": source.truth, "practice": source.practice,
                    "sha256": sha256_bytes(png), "origin": source.origin,
                }
            )  # fmt: skip
        if shape is None:
            raise StimulusError(f"The stimulus set '{folder.name}' would be empty: give it images.")
        write_json(
            building / "manifest.json",
            {
                "name": folder.name, "label": label, "height": shape[0], "width": shape[1], "made_from": made_from,
                "stimuli": sorted(stimuli, key=lambda s: str(s["id"])),
            },
        )  # fmt: skip
    return StimulusSet.load(folder)


def encode_png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode (H, W, 3) uint8 as a PNG whose length depends only on its size (RFC 2083; stored deflate, filter 0)."""
    height, width, _ = pixels.shape
    rows = np.zeros((height, 1 + width * 3), np.uint8)
    rows[:, 1:] = pixels.reshape(height, width * 3)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    stored = zlib.compress(rows.tobytes(), level=0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", stored) + chunk(b"IEND", b"")
