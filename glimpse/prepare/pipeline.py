"""What every kind of source does alike: know a set that is already there, collect what to tell, finish a set."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse import made
from glimpse.imageset import ImageSet, ImageSetError, ImageSetWriter
from glimpse.prepare.duplicates import Fingerprint, Lookalikes, fingerprint
from glimpse.prepare.pixels import decode_photo
from glimpse.prepare.preview import write_preview
from glimpse.prepare.sources import BrokenPhotoError, Item, SourceFile, in_order
from glimpse.progress import progress
from glimpse.workspace import Workspace

VERSION = 3  # raised whenever the same photos and options give other images than before


@dataclass(frozen=True)
class Recipe:
    """All that determines an image set; it stands in the manifest, and the same recipe is not cooked twice."""

    source: str  # "isic", "hands", "patches"
    options: dict[str, Any]
    made_from: dict[str, Any]  # hashes of the source files, by role
    licence: str = ""

    def entries(self) -> dict[str, Any]:
        entries = {
            "source": self.source, "version": VERSION, "options": self.options, "made_from": self.made_from,
            "licence": self.licence,
        }  # fmt: skip
        return dict(json.loads(json.dumps(entries)))


@dataclass(frozen=True)
class Prepared:
    """An image set, whether it had to be made, and what its maker should know."""

    images: ImageSet
    made: bool
    notes: tuple[str, ...] = ()


@dataclass
class Findings:
    """What was left out or looks odd: short in the notes, whole in the manifest."""

    lookalikes: Lookalikes = field(default_factory=Lookalikes)
    lists: dict[str, list[str]] = field(default_factory=dict)  # manifest key → names
    sentences: list[str] = field(default_factory=list)

    def note(self, key: str, names: Iterable[str], what: str) -> None:
        """Record names under `key`; `what` says on the screen what they are."""
        names = list(names)
        if names:
            self.lists[key] = names
            self.sentences.append(listed(what, names))

    def broken(self, error: BrokenPhotoError) -> None:
        self.lists.setdefault("broken", []).append(error.name)

    def entries(self) -> dict[str, Any]:
        near = [list(pair) for pair in self.lookalikes.across_the_split()]
        duplicates = [list(pair) for pair in self.lookalikes.duplicates]
        return {"left_out": {**self.lists, "duplicates": duplicates}, "near_duplicates_across_the_split": near}

    def notes(self) -> tuple[str, ...]:
        notes = list(self.sentences)
        if broken := self.lists.get("broken"):
            notes.append(listed("Skipped, because they cannot be read", broken))
        if repeats := self.lookalikes.duplicates:
            notes.append(listed("Exact duplicates, dropped", [f"{copy} (same as {kept})" for copy, kept in repeats]))
        if near := self.lookalikes.across_the_split():
            notes.append(
                listed("A training and a test photo look alike", [f"{train} and {test}" for train, test in near])
                + " If they show the same skin, give them a common group."
            )
        return tuple(notes)


def listed(what: str, names: Sequence[str], most: int = 5) -> str:
    """'what (7): a, b, c, d, e and 2 more, all in manifest.json.'"""
    more = f" and {len(names) - most} more, all in manifest.json" if len(names) > most else ""
    return f"{what} ({len(names)}): {', '.join(names[:most])}{more}."


def drop_copies(photos: dict[str, SourceFile], digests: dict[str, str], findings: Findings) -> dict[str, SourceFile]:
    """Leave out files whose bytes are those of an earlier one, so that the split never sees them."""
    first: dict[str, SourceFile] = {}
    kept = {}
    for stem, photo in photos.items():
        other = first.setdefault(digests[photo.name], photo)
        if other is photo:
            kept[stem] = photo
        else:
            findings.lookalikes.duplicates.append((photo.name, other.name))
    return kept


def without_broken(
    photos: Mapping[str, Item], read: Callable[[Item], object], findings: Findings, threads: int
) -> dict[str, Item]:
    """What `--skip-broken` leaves, before the split counts it: photos that `read` reads, each now and once more later.

    Raises ImageSetError when none can be read.
    """

    def trouble(key: str) -> BrokenPhotoError | None:
        try:
            read(photos[key])
        except BrokenPhotoError as error:
            return error
        return None

    kept = {}
    tried = progress(in_order(trouble, photos, threads), title="reading", unit="photos", total=len(photos))
    for key, error in zip(photos, tried, strict=True):
        if error:
            findings.broken(error)
        else:
            kept[key] = photos[key]
    if not kept:
        raise ImageSetError(f"Not one of the {len(photos)} photos can be read, {next(iter(photos))} and all others.")
    return kept


def each_image(
    photos: Mapping[str, SourceFile], make: Callable[[NDArray[np.uint8], str], NDArray[np.uint8]], title: str,
    threads: int,
) -> Iterator[tuple[str, NDArray[np.uint8], Fingerprint]]:  # fmt: skip
    """The image that `make` gives for each photo and its name, and its fingerprint; read on threads, in order."""

    def work(key: str) -> tuple[str, NDArray[np.uint8], Fingerprint]:
        photo = photos[key].decoded(decode_photo)
        return key, make(photo, photos[key].name), fingerprint(photo)

    yield from progress(in_order(work, photos, threads), title=title, unit="photos", total=len(photos))


def already_there(workspace: Workspace, name: str, recipe: Recipe) -> Prepared | None:
    """The undamaged image set of this name if the same recipe made it."""
    images = made.there(workspace.new("images", name), recipe.entries(), ImageSet.load)
    return None if images is None else Prepared(images, made=False)


def finish(writer: ImageSetWriter, name: str, recipe: Recipe, counts: dict[str, Any], findings: Findings) -> None:
    """Complete an image set: its preview and its manifest. Raises ImageSetError when a side of its split is empty."""
    splits, groups = writer.splits, Counter(writer.group_splits.values())
    wants_test = recipe.options.get("test") not in (0, 0.0)
    for side in ("train", "test") if wants_test else ("train",):
        if not splits[side]:
            raise ImageSetError(
                f"The image set '{name}' would have no image on its {side} side ({writer.count} in all): "
                "choose another share for testing or another --seed, or give more photos."
            )
    entries = {
        **recipe.entries(),
        "counts": {
            "images": writer.count, "train": splits["train"], "test": splits["test"],
            "groups": len(writer.group_splits), "groups_train": groups["train"], "groups_test": groups["test"],
            **counts,
        },
        **findings.entries(),
    }  # fmt: skip
    writer.close()
    with ThreadPoolExecutor(1) as pool:
        settling = pool.submit(writer.settle)  # hashing gigabytes leaves the interpreter to others
        write_preview(writer.folder, name, entries["counts"])
        settling.result()
    writer.finish(name, **entries)


def load(workspace: Workspace, name: str) -> ImageSet:
    return ImageSet.load(workspace.existing("images", name), just_written=True)
