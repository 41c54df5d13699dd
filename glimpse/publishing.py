"""Stimulus sets from pairs of image sets or folders, and the rules that hold for every stimulus set. No torch.

Images are drawn by rule and seed, never selected: real ones from the test split first, then from training, spread over
groups; two more of each class are for practice. Both sides of a pair go through the same steps (`prepare.opening`).
Where they differ by something that is not content, `prepare.checks.differences` says so. Exact copies of real images
among the generated ones are refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glimpse import made
from glimpse.images import one_of_each, through_jpeg
from glimpse.imageset import ImageSet
from glimpse.prepare.checks.differences import differences, digests, near_copies
from glimpse.prepare.checks.findings import counted_list
from glimpse.prepare.checks.grid import grid_tells, off_grid
from glimpse.prepare.folder import LARGEST
from glimpse.prepare.opening import left_unread, open_alike
from glimpse.prepare.reading.pixels import Fit
from glimpse.stimuli import Source, StimulusError, StimulusSet, write_stimulus_set
from glimpse.workspace import NAME, Workspace

Shown = Iterator[tuple[NDArray[np.uint8], dict[str, Any]]]  # each with where it comes from
Rows = list[tuple[ImageSet, int]]  # images, each by its set and its position in it
PRACTICE = 2


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
        """Raises StimulusError, naming the largest count that works, if `available` images are too few."""
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


def publish_set(
    workspace: Workspace, name: str, options: Publication, made_from: dict[str, Any],
    classes: tuple[Shown, Shown], warnings: list[str],
) -> Published:  # fmt: skip
    """Write a stimulus set of real and generated images, the last ones of each class for practice.

    A set made from the same is left as it is; one made from something else raises StimulusError without `--overwrite`.
    """
    folder, label = workspace.new("stimuli", name), options.label or name
    refusal = StimulusError(
        f"The stimulus set '{name}' exists, made from other images or with other options, and answers may refer to "
        "it: replace it with --overwrite."
    )
    same = {"made_from": made_from, "label": label}
    existing = made.there(folder, same, StimulusSet.load, refusal=refusal, overwrite=options.overwrite)
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
        yield Source(np.asarray(Image.open(stimuli.folder / one.file)), one.truth, one.origin, one.practice)


# ------------------------------------------------------------------------------------------------ pairs


@dataclass(frozen=True, kw_only=True)
class PublishedPair:
    """Real images and those of one generator or several, each as an image set's name or a folder."""

    real: str
    generated: Sequence[str]
    size: tuple[int, int] | None = None  # width, height
    fit: Fit = "crop"
    skip_broken: bool = False
    allow_copies: bool = False


def publish_pair(workspace: Workspace, pair: PublishedPair, options: Publication) -> Published:
    """One stimulus set; several generators share its generated class evenly.

    Raises StimulusError, naming the largest count that works, if a class has too few images, and for exact copies.
    """
    words = [pair.real, *pair.generated]
    real, *generated = open_alike(workspace, words, pair.size, pair.fit, pair.skip_broken, at_most=LARGEST)
    rng, name = np.random.default_rng(options.seed), options.name or _name(generated)
    hashes = digests(real)
    copies = [found for images in generated for found in _copies(real, hashes, images)]
    if copies and not pair.allow_copies:
        raise StimulusError(
            counted_list(f"{name}: generated images that are exact copies of real ones", copies, rest="")
            + " Remove them, or publish them with --allow-copies."
        )
    first = set(np.unique(hashes, return_index=True)[1].tolist())  # no real image is shown twice
    rows = [(real, row) for row in in_order_of_use(real, rng) if row in first]
    drawn = _in_turn([[(images, row) for row in in_order_of_use(images, rng)] for images in generated])
    most = min(len(rows), len(drawn))
    for some, what in ((rows, f"different real images in '{real.name}'"), (drawn, "generated images")):
        options.check_count(name, len(some), what, most)
    rows, drawn = rows[: options.count + PRACTICE], drawn[: options.count + PRACTICE]
    finished = options.jpeg_quality is not None, options.off_grid is not None
    warnings = [sentence for one in generated for sentence in differences(real, one, pair.fit, *finished)]
    shown = last_steps((_shown(rows), _shown(drawn)), options)
    warnings += grid_tells(name, shown, options.off_grid, options.jpeg_quality, options.seed)
    for images in generated:
        if repeats := len(images) - len(set(digests(images))):
            warnings.append(
                f"{images.name}: {repeats:,} of the {len(images):,} generated images repeat another one exactly. They "
                "are kept, as the generator made them; if files were copied by mistake, remove them."
            )
    warnings += [sentence for images in (real, *generated) for sentence in left_unread(images)]
    if copies:
        warnings.append(counted_list("generated images that are exact copies of real ones", copies, rest=""))
    alike = near_copies(real, [(_file(images, row), images.images[row]) for images, row in drawn])
    if alike:
        pairs = [f"{generated} like {real}" for real, generated in alike]
        warnings.append(counted_list("generated images that look like a real one", pairs, rest=""))
    made_from: dict[str, Any] = {
        "image_set": real.name, "images_sha256": real.sha256,
        "generated": [{"image_set": one.name, "images_sha256": one.sha256} for one in generated],
        "size": f"{real.width}x{real.height}", "fit": pair.fit, "seed": options.seed,
        "off_grid": options.off_grid, "jpeg_quality": options.jpeg_quality, "count": options.count,
        "warnings": warnings,
    }  # fmt: skip
    return publish_set(workspace, name, options, made_from, (_shown(rows), _shown(drawn)), warnings)


def _in_turn(generators: list[Rows]) -> Rows:
    """An image of each generator in turn, until one whose turn it is has none left.

    >>> _in_turn([["a1", "a2"], ["b1"], ["c1", "c2"]])  # in the second turn b has none
    ['a1', 'b1', 'c1', 'a2']
    """
    rounds = min(map(len, generators))
    whole = [rows[i] for i in range(rounds) for rows in generators]
    return whole + [rows[rounds] for rows in takewhile(lambda rows: len(rows) > rounds, generators)]


def _copies(real: ImageSet, hashes: Sequence[str], generated: ImageSet) -> list[str]:
    of_real = {digest: _file(real, row) for row, digest in reversed(list(enumerate(hashes)))}
    return [
        f"{_file(generated, row)} is {of_real[digest]}"
        for row, digest in enumerate(digests(generated))
        if digest in of_real
    ]


def _file(images: ImageSet, row: int) -> str:
    return str(images.index["source"].iloc[row])


def _shown(rows: Rows) -> Shown:
    for images, row in rows:
        yield np.asarray(images.images[row]), origin(images, row)


def _name(generated: Sequence[ImageSet]) -> str:
    name = "-".join(images.name for images in generated)[:64]
    return name if NAME.fullmatch(name) else generated[0].name
