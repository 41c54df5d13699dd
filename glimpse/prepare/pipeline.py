"""Steps shared by all sources: detect an existing image set, drop copies and broken photos, split, write, preview."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from glimpse import made
from glimpse.files import atomic_folder, cores
from glimpse.imageset import ImageSet, ImageSetError, ImageSetWriter
from glimpse.prepare import pixels
from glimpse.prepare.duplicates import Fingerprint, Lookalikes, fingerprint
from glimpse.prepare.preview import write_preview
from glimpse.prepare.sources import BrokenPhotoError, Item, SourceFile, hash_files, hash_of_all, in_order
from glimpse.prepare.split import groups_for_testing
from glimpse.progress import progress
from glimpse.workspace import Workspace

VERSION = 4  # raised whenever the same photos and options give other images than before
RECORDED = {"recorded": True}  # metadata of an option that stands in the manifest, because it determines the images


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of every source. A subclass adds those of one source, under the names of its command line arguments."""

    seed: int = field(default=0, metadata=RECORDED)  # of the split
    skip_broken: bool = field(default=False, metadata=RECORDED)
    licence: str = ""
    threads: int = field(default_factory=cores)
    made_from: Mapping[str, Any] = field(default_factory=dict)  # more entries of the manifest's `made_from`

    @classmethod
    def of(cls, args: argparse.Namespace) -> Self:
        """The options among parsed arguments; those left out (None) keep their defaults."""
        given = {one.name: getattr(args, one.name, None) for one in fields(cls)}
        return cls(**{name: value for name, value in given.items() if value is not None})

    def recorded(self) -> dict[str, Any]:
        """The options that determine the images."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.metadata == RECORDED}


@dataclass(frozen=True, kw_only=True)
class PhotoOptions(Options):
    """Options of the sources that make one image of each photo."""

    source: Sequence[Path]  # folders and zip files
    test: float = field(default=0.2, metadata=RECORDED)  # share of test images


@dataclass(frozen=True, kw_only=True)
class PhotoSet:
    """The photos that become one image set, one image each."""

    source: str  # "isic", "hands", "folder"
    name: str
    label: str
    photos: Mapping[str, SourceFile]  # by image_id
    groups: Mapping[str, str]  # image_id → person, lesion, ...
    size: tuple[int, int]  # width, height
    fit: pixels.Fit  # of the photo to the ratio of `size`
    options: Mapping[str, Any]  # for the manifest
    made_from: Mapping[str, Any]  # for the manifest, beside the hash of the photos
    counts: Mapping[str, int] = field(default_factory=dict)  # for the manifest
    keep_copies: bool = False  # of generated images: that a generator repeats itself belongs to it


@dataclass(frozen=True)
class Recipe:
    """All that determines an image set. It is part of the manifest; a set with the same recipe is not rebuilt."""

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
    """An image set, whether it was made now, and notes for the user."""

    images: ImageSet
    made: bool
    notes: tuple[str, ...] = ()


@dataclass
class Findings:
    """Photos left out and warnings: shortened in the notes, complete in the manifest."""

    lookalikes: Lookalikes = field(default_factory=Lookalikes)
    lists: dict[str, list[str]] = field(default_factory=dict)  # manifest key → names
    sentences: list[str] = field(default_factory=list)

    def note(self, key: str, names: Iterable[str], what: str) -> None:
        """Record names under `key` of the manifest, and a note that introduces them with `what`."""
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


def listed(what: str, names: Sequence[str]) -> str:
    """'what (7): a, b, c, d, e and 2 more, all in manifest.json.'"""
    more = f" and {len(names) - 5} more, all in manifest.json" if len(names) > 5 else ""
    return f"{what} ({len(names)}): {', '.join(names[:5])}{more}."


def drop_copies(
    photos: Mapping[str, SourceFile], digests: Mapping[str, str], findings: Findings
) -> dict[str, SourceFile]:
    """Drop files whose bytes equal those of an earlier file, so that the split does not count them."""
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
    """The photos that `read` can read, for `--skip-broken`: the split must count only these, so each is read twice.

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
        raise ImageSetError(f"None of the {len(photos)} photos can be read (first: {next(iter(photos))}).")
    return kept


def photos_to_set(
    workspace: Workspace,
    wanted: PhotoSet,
    options: PhotoOptions,
    findings: Findings,
    select: Callable[[dict[str, SourceFile], Findings], dict[str, SourceFile]],
) -> Prepared:
    """Make an image set, unless the same recipe made it before: one image of each photo, split by group.

    `select` sees the photos that are left without copies and broken ones; it returns those to use and notes what the
    user should know about them. Raises ImageSetError.
    """
    digests = hash_files(list(wanted.photos.values()), options.threads)
    made_from = {"photos": hash_of_all(digests), **wanted.made_from, **options.made_from}
    recipe = Recipe(wanted.source, dict(wanted.options), made_from, options.licence)
    if there := already_there(workspace, wanted.name, recipe):
        return there
    photos = dict(wanted.photos) if wanted.keep_copies else drop_copies(wanted.photos, digests, findings)
    if options.skip_broken:
        photos = without_broken(photos, lambda file: file.decoded(pixels.decode_photo), findings, options.threads)
    photos = select(photos, findings)
    testing = groups_for_testing([wanted.groups[key] for key in photos], options.test, options.seed, "photos")
    width, height = wanted.size
    folder = workspace.new("images", wanted.name)
    with atomic_folder(folder) as temporary, ImageSetWriter(temporary, height, width) as writer:
        for key, image, mark in _each_image(photos, wanted, options.threads):
            file, group = photos[key].name, wanted.groups[key]
            split = "test" if group in testing else "train"
            if wanted.keep_copies or not findings.lookalikes.is_duplicate(file, split, mark):
                row = {"image_id": key, "source": file, "group": group, "split": split, "label": wanted.label}
                writer.add(image, row)
        finish(writer, wanted.name, recipe, {"photos": len(photos), **wanted.counts}, findings)
    return Prepared(load(workspace, wanted.name), made=True, notes=findings.notes())


def _each_image(
    photos: Mapping[str, SourceFile], wanted: PhotoSet, threads: int
) -> Iterator[tuple[str, NDArray[np.uint8], Fingerprint]]:
    """Each photo's key, image and fingerprint; read on threads, in order."""
    width, height = wanted.size

    def work(key: str) -> tuple[str, NDArray[np.uint8], Fingerprint]:
        photo = photos[key].decoded(pixels.decode_photo)
        return key, pixels.fitted(photo, width, height, wanted.fit, photos[key].name), fingerprint(photo)

    yield from progress(in_order(work, photos, threads), title=wanted.name, unit="photos", total=len(photos))


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
        hashing = pool.submit(writer.hash_arrays)  # hashing releases the interpreter lock
        write_preview(writer.folder, name, entries["counts"])
        hashing.result()
    writer.finish(name, **entries)


def load(workspace: Workspace, name: str) -> ImageSet:
    return ImageSet.load(workspace.existing("images", name), just_written=True)
