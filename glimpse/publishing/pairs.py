"""Stimulus sets from pairs of image sets or folders.

Both sides of a pair go through the same steps (`prepare.opening`). Differences that are not content are reported
(`prepare.checks.differences`). Exact copies of real images among the generated ones are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile, zip_longest
from typing import Any

import numpy as np

from glimpse.imageset import ImageSet
from glimpse.prepare.checks.differences import differences, digests, near_copies
from glimpse.prepare.checks.findings import counted_list
from glimpse.prepare.checks.grid import grid_warning
from glimpse.prepare.folder import LARGEST, name_from
from glimpse.prepare.opening import named_before_folders, notes_on, open_alike
from glimpse.prepare.reading.pixels import Fit
from glimpse.publishing.rules import (
    PRACTICE,
    Publication,
    Published,
    Shown,
    in_order_of_use,
    last_steps,
    origin,
    publish_set,
)
from glimpse.stimuli import StimulusError
from glimpse.workspace import NAME, Workspace

SOUGHT = 2000  # generated images of which near copies are looked for, those of the stimulus set first
Rows = list[tuple[ImageSet, int]]  # images, each as its set and its position there


@dataclass(frozen=True, kw_only=True)
class PublishedPair:
    """Real images and those of one generator or several, each as an image set's name or a folder."""

    real: str
    generated: Sequence[str]
    size: tuple[int, int] | None = None  # width, height
    fit: Fit = "crop"
    skip_broken: bool = False
    allow_copies: bool = False
    unfinished: bool = False  # images drawn from unfinished runs, too


def publish_pair(workspace: Workspace, pair: PublishedPair, options: Publication) -> Published:
    """One stimulus set; several generators share its generated class evenly.

    Raises StimulusError, naming the largest count that works, if a class has too few images, for exact copies, and for
    images of unfinished runs unless `pair.unfinished` allows them.
    """
    words = [pair.real, *pair.generated]
    real, *generated = open_alike(workspace, words, pair.size, pair.fit, pair.skip_broken, at_most=LARGEST)
    generated = _with_distinct_names(pair.generated, generated)
    rng, name = np.random.default_rng(options.seed), options.name or _name(generated)
    so_far = {one.name: at for one in generated if (at := one.unfinished)}
    for made, at in so_far.items():
        if not pair.unfinished:
            raise StimulusError(
                f"The images '{made}' come from an unfinished run ({at}): publish them as they are with --unfinished."
            )
    hashes = digests(real)
    copies = [found for images in generated for found in _copies(real, hashes, images)]
    if copies and not pair.allow_copies:
        raise StimulusError(
            counted_list(f"{name}: generated images that are exact copies of real ones", copies, rest="")
            + " Remove them, or publish them with --allow-copies."
        )
    first = set(np.unique(hashes, return_index=True)[1].tolist())  # no real image is shown twice
    rows = [(real, row) for row in in_order_of_use(real, rng) if row in first]
    orders: list[Rows] = [[(images, row) for row in in_order_of_use(images, rng)] for images in generated]
    drawn = _in_turn(orders)
    most = min(len(rows), len(drawn))
    for some, what in ((rows, f"different real images in '{real.name}'"), (drawn, "generated images")):
        options.check_count(name, len(some), what, most)
    rows, drawn = rows[: options.count + PRACTICE], drawn[: options.count + PRACTICE]
    finished = options.jpeg_quality is not None, options.off_grid is not None
    warnings = [sentence for one in generated for sentence in differences(real, one, pair.fit, *finished)]
    uncompressed = last_steps((_shown(rows), _shown(drawn)), replace(options, jpeg_quality=None))
    warnings += grid_warning(name, uncompressed, options.off_grid, options.jpeg_quality, options.seed)
    for images in generated:
        if repeats := len(images) - len(set(digests(images))):
            again = "repeats" if repeats == 1 else "repeat"
            warnings.append(
                f"{images.name}: {repeats:,} of the {len(images):,} generated images {again} another one exactly. "
                "Repeats are kept, as the generator made them; if files were copied by mistake, remove them."
            )
    warnings += [sentence for images in (real, *generated) for sentence in notes_on(images)]
    if copies:
        warnings.append(counted_list("generated images that are exact copies of real ones", copies, rest=""))
    warnings += _near_copies(real, orders, len(drawn))
    warnings += [
        f"{name}: '{made}' comes from an unfinished run ({at}); the report will say so." for made, at in so_far.items()
    ]
    made_from: dict[str, Any] = {
        "image_set": real.name, "images_sha256": real.sha256,
        "generated": [{"image_set": one.name, "images_sha256": one.sha256} for one in generated],
        "size": f"{real.height}x{real.width}", "fit": pair.fit, "seed": options.seed,
        "off_grid": options.off_grid, "jpeg_quality": options.jpeg_quality, "count": options.count,
        "warnings": warnings,
    } | ({"unfinished": ", ".join(so_far.values())} if so_far else {})  # fmt: skip
    warnings = [*named_before_folders(workspace, words), *warnings]  # not kept: from elsewhere the set is the same
    return publish_set(workspace, name, options, made_from, (_shown(rows), _shown(drawn)), warnings)


def _with_distinct_names(words: Sequence[str], generated: Sequence[ImageSet]) -> list[ImageSet]:
    """The generators, those that share a folder's name under the path that was given: answers are kept by name.

    Raises StimulusError if two of them hold the same images.
    """
    first: dict[str, str] = {}
    for word, images in zip(words, generated, strict=True):
        if (other := first.setdefault(images.sha256, word)) is not word:
            raise StimulusError(f"{word} holds the same images as {other}: name each generator once.")
    names = [images.name for images in generated]
    return [
        replace(images, name=word) if names.count(images.name) > 1 else images
        for word, images in zip(words, generated, strict=True)
    ]


def _near_copies(real: ImageSet, orders: list[Rows], drawn: int) -> list[str]:
    """A warning of generated images that look like a real one, among the first SOUGHT in order of use; or none."""
    in_turn = [one for turn in zip_longest(*orders) for one in turn if one is not None]
    names = [f"{images.name}/{_file(images, row)}" for images, row in in_turn]
    sought = [(name, images.images[row]) for name, (images, row) in zip(names[:SOUGHT], in_turn, strict=False)]
    if not (alike := near_copies(real, sought)):
        return []
    listed = counted_list(
        "generated images that look like a real one", [f"{made} like {of}" for of, made in alike], rest=""
    )
    shown = len({made for _, made in alike} & set(names[:drawn]))
    among = f"all {len(names):,}" if len(names) <= SOUGHT else f"the first {SOUGHT:,} of {len(names):,}"
    return [f"{listed} Looked for among {among} generated images; {shown:,} of them in the stimulus set."]


def _in_turn(generators: list[Rows]) -> Rows:
    """An image of each generator in turn, until the next one in turn has none left.

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
    return name if NAME.fullmatch(name) else name_from(name)
