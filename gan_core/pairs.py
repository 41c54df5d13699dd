"""A stimulus set from a pair of image sets or folders: real images and those of any generators. No torch.

Both sides go through the same steps (`glimpse.prepare.opening`). Where they differ by something that is not content,
`glimpse.prepare.checks.differences` says so. Exact copies of real images among the generated ones are refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gan_core.publishing import PRACTICE, Images, Options, Published, in_order_of_use, last_steps, origin, publish_set
from glimpse.imageset import ImageSet
from glimpse.prepare.checks.differences import differences, digests, near_copies
from glimpse.prepare.checks.findings import listed
from glimpse.prepare.checks.grid import grid_tells
from glimpse.prepare.folder import LARGEST
from glimpse.prepare.opening import left_unread, open_alike
from glimpse.prepare.reading.pixels import Fit
from glimpse.stimuli import StimulusError
from glimpse.workspace import NAME, Workspace

Rows = list[tuple[ImageSet, int]]  # images, each by its set and its position in it


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Real images and those of one generator or several, each as an image set's name or a folder."""

    real: str
    generated: Sequence[str]
    size: tuple[int, int] | None = None  # width, height
    fit: Fit = "crop"
    skip_broken: bool = False
    allow_copies: bool = False
    options: Options = field(default_factory=Options)


def publish_pair(workspace: Workspace, pair: Pair) -> Published:
    """One stimulus set; several generators share its generated class evenly.

    Raises StimulusError, naming the largest count that works, if a class has too few images, and for exact copies.
    """
    words = [pair.real, *pair.generated]
    real, *generated = open_alike(workspace, words, pair.size, pair.fit, pair.skip_broken, at_most=LARGEST)
    options, rng = pair.options, np.random.default_rng(pair.options.draw.seed)
    name = options.name or _name(generated)
    hashes = digests(real)
    copies = [found for images in generated for found in _copies(real, hashes, images)]
    if copies and not pair.allow_copies:
        raise StimulusError(
            listed(f"{name}: generated images that are exact copies of real ones", copies, rest="")
            + " Remove them, or publish them with --allow-copies."
        )
    first = np.unique(hashes, return_index=True)[1]  # no real image is shown twice
    rows = [(real, row) for row in in_order_of_use(real, rng) if row in set(first.tolist())]
    made = _in_turn([[(images, row) for row in in_order_of_use(images, rng)] for images in generated])
    wanted = options.count + PRACTICE
    for some, what in ((rows, f"different real images in '{real.name}'"), (made, "generated images")):
        if len(some) < wanted:
            largest = min(len(rows), len(made)) - PRACTICE
            raise StimulusError(
                f"{name}: {options.count} of each class and {PRACTICE} for practice are more than the {len(some)} "
                f"{what}: " + (f"use --count {largest}." if largest > 0 else "add more images first.")
            )
    rows, made = rows[:wanted], made[:wanted]
    finished = options.jpeg_quality is not None, options.off_grid is not None
    warnings = [sentence for one in generated for sentence in differences(real, one, pair.fit, *finished)]
    shown = last_steps((_shown(rows), _shown(made)), options)
    warnings += grid_tells(name, shown, options.off_grid, options.draw.seed)
    for images in generated:
        repeats = len(images) - len(set(digests(images)))
        if repeats:
            warnings.append(
                f"{images.name}: {repeats:,} of the {len(images):,} generated images repeat another one exactly. They "
                "are kept, as the generator made them; if files were copied by mistake, remove them."
            )
    warnings += [sentence for images in (real, *generated) for sentence in left_unread(images)]
    if copies:
        warnings.append(listed("generated images that are exact copies of real ones", copies, rest=""))
    alike = near_copies(real, [(_file(images, row), images.images[row]) for images, row in made])
    if alike:
        pairs = [f"{generated} like {real}" for real, generated in alike]
        warnings.append(listed("generated images that look like a real one", pairs, rest=""))
    made_from: dict[str, Any] = {
        "image_set": real.name, "images_sha256": real.sha256,
        "generated": [{"image_set": one.name, "images_sha256": one.sha256} for one in generated],
        "size": f"{real.width}x{real.height}", "fit": pair.fit, "seed": options.draw.seed,
        "off_grid": options.off_grid, "jpeg_quality": options.jpeg_quality, "count": options.count,
        "warnings": warnings,
    }  # fmt: skip
    return publish_set(workspace, name, options, made_from, (_shown(rows), _shown(made)), warnings)


def _in_turn(generators: list[Rows]) -> Rows:
    """An image of each generator in turn, until the first has none left."""
    rounds = min(map(len, generators))
    found = [rows[i] for i in range(rounds) for rows in generators]
    for rows in generators:  # the last, incomplete turn
        if len(rows) == rounds:
            break
        found.append(rows[rounds])
    return found


def _copies(real: ImageSet, hashes: Sequence[str], generated: ImageSet) -> list[str]:
    of_real = {digest: _file(real, row) for row, digest in reversed(list(enumerate(hashes)))}
    return [
        f"{_file(generated, row)} is {of_real[digest]}"
        for row, digest in enumerate(digests(generated))
        if digest in of_real
    ]


def _file(images: ImageSet, row: int) -> str:
    return str(images.index["source"].iloc[row])


def _shown(rows: Rows) -> Images:
    for images, row in rows:
        yield np.asarray(images.images[row]), origin(images, row)


def _name(generated: Sequence[ImageSet]) -> str:
    name = "-".join(images.name for images in generated)[:64]
    return name if NAME.fullmatch(name) else generated[0].name
