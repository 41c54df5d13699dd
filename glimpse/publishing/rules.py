"""The rules of every stimulus set: how many images, in which order, and the last steps that both classes share.

Images are drawn by rule and seed, never selected: real ones from the test split first, then from training, spread over
groups; two more of each class are for practice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse import reuse
from glimpse.images import one_of_each, read, through_jpeg
from glimpse.imageset import ImageSet
from glimpse.prepare.checks.grid import off_grid
from glimpse.stimuli import Source, StimulusError, StimulusSet, write_stimulus_set
from glimpse.workspace import Workspace

Shown = Iterator[tuple[NDArray[np.uint8], dict[str, Any]]]  # each with where it comes from
PRACTICE = 2
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")


@dataclass(frozen=True)
class Publication:
    """The choices that hold for every stimulus set; the seed orders the real images, and draws the generated ones."""

    count: int = 100  # per class
    label: str | None = None
    seed: int = 0
    off_grid: float | None = None  # cut at random places of JPEG's grid, then shrunk by this factor
    jpeg_quality: int | None = None  # of the last compression
    overwrite: bool = False
    name: str | None = None

    def check_count(self, name: str, available: int, what: str, largest: int) -> None:
        """Raise StimulusError, naming the largest count that works, if `available` images are too few."""
        if available < self.count + PRACTICE:
            raise StimulusError(
                f"{name}: {self.count} of each class and {PRACTICE} for practice are more than the {available} {what}: "
                + (f"use --count {largest - PRACTICE}." if largest > PRACTICE else "prepare more images first.")
            )


@dataclass(frozen=True)
class Published:
    """A stimulus set; `new` is False if it existed already, made from the same images with the same options."""

    stimuli: StimulusSet
    new: bool
    warnings: list[str]


def in_order_of_use(
    images: ImageSet, rng: np.random.Generator, splits: tuple[str, ...] = ("test", "train")
) -> NDArray[np.intp]:
    """The positions of a set in order of use: split by split, within each one image per group while groups last."""
    sides = [images.where(split) for split in splits]
    return np.concatenate([rows[one_of_each(images.groups[rows], rng)] for rows in sides])


def origin(images: ImageSet, row: int) -> dict[str, Any]:
    """The index row of an image, as a stimulus set keeps it."""
    facts = images.index.iloc[int(row)]
    return {"image_set": images.name, **{key: str(facts[key]) for key in ("image_id", "group", "split")}}


def from_jpeg(name: str, real: ImageSet, options: Publication) -> list[str]:
    """A warning if real images come from JPEG files and generated ones do not, unless `options` hide it; else none."""
    sources = real.index["source"].astype(str).str.lower()
    count = int(sources.str.endswith(JPEG_SUFFIXES).sum())
    if not count or options.jpeg_quality is not None or options.off_grid is not None:
        return []
    return [
        f"{name}: {count} of {len(sources)} real images come from JPEG files; the generated ones do not. "
        "Compression could tell them apart; --off-grid hides the blocks of the photos, and --jpeg-quality 95 then "
        "compresses both classes alike."
    ]


def publish_set(
    workspace: Workspace, name: str, options: Publication, made_from: dict[str, Any],
    classes: tuple[Shown, Shown], warnings: list[str],
) -> Published:  # fmt: skip
    """Write a stimulus set of real and generated images, the last ones of each class for practice.

    A set made from the same images with the same options is kept; any other set of this name raises StimulusError,
    unless `overwrite`.
    """
    folder, label = workspace.new("stimuli", name), options.label or name
    refusal = StimulusError(
        f"The stimulus set '{name}' exists, made from other images or with other options, and answers may refer to "
        "it: replace it with --overwrite."
    )
    same = {"made_from": made_from, "label": label}
    existing = reuse.existing(folder, same, StimulusSet.load, refusal=refusal, overwrite=options.overwrite)
    if existing is not None:
        return Published(existing, False, warnings)
    sources = last_steps(classes, options)
    return Published(write_stimulus_set(folder, label=label, sources=sources, made_from=made_from), True, warnings)


def last_steps(classes: tuple[Shown, Shown], options: Publication) -> Iterator[Source]:
    """The images of both classes after the steps that they share: off the grid, then the last compression."""
    for truth, images in zip(("real", "generated"), classes, strict=True):
        rng = np.random.default_rng([options.seed, truth == "real"])
        for i, (pixels, facts) in enumerate(images):
            if options.off_grid is not None:
                pixels = off_grid(pixels, options.off_grid, rng)
            yield Source(through_jpeg(pixels, options.jpeg_quality), truth, facts, practice=i >= options.count)


def as_shown(stimuli: StimulusSet) -> Iterator[Source]:
    """The images of a stimulus set, read back."""
    for one in stimuli.stimuli:
        yield Source(read(stimuli.folder / one.file), one.truth, one.origin, one.practice)
