"""Steps shared by all sources: detect an existing image set, drop copies and broken photos, split, write, preview."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from glimpse import reuse
from glimpse.files import GlimpseError, all_or_none, atomic_folder, cores
from glimpse.images import evenly
from glimpse.imageset import ImageSet, ImageSetError, ImageSetWriter
from glimpse.prepare.checks.duplicates import Fingerprint, fingerprint
from glimpse.prepare.checks.findings import REMARKS, Findings
from glimpse.prepare.checks.traits import MEASURED, Traits, summary, traits_of
from glimpse.prepare.preview import write_preview
from glimpse.prepare.reading import pixels
from glimpse.prepare.reading.depth import Window
from glimpse.prepare.reading.sources import SourceFile, hash_files, hash_of_all, in_order
from glimpse.prepare.split import drop_copies, groups_for_testing, without_broken
from glimpse.progress import progress
from glimpse.workspace import Workspace

VERSION = 6  # to be raised whenever the same photos and options give different images
RECORDED = {"recorded": True}  # metadata of an option that determines the images: it is recorded in the manifest


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of every source. A subclass adds those of one source, under the names of its command line arguments."""

    seed: int = field(default=0, metadata=RECORDED)  # of the split
    skip_broken: bool = field(default=False, metadata=RECORDED)
    window: Window | None = field(default=None, metadata=RECORDED)  # of values with more than 8 bits
    page: int | None = field(default=None, metadata=RECORDED)  # of photos with several, from 1
    overwrite: bool = False  # replace an image set of the same name that was made differently
    licence: str = ""
    threads: int = field(default_factory=cores)
    made_from: Mapping[str, Any] = field(default_factory=dict)  # more entries of the manifest's `made_from`

    @classmethod
    def of(cls, args: argparse.Namespace) -> Self:
        """The options among parsed arguments; those left out (None) keep their defaults."""
        given = {one.name: getattr(args, one.name, None) for one in fields(cls)}
        if given["window"]:
            given["window"] = window(given["window"])
        return cls(**{name: value for name, value in given.items() if value is not None})

    def read(self, file: SourceFile) -> pixels.Photo:
        """The photo in a file, decoded as these options say. Raises BrokenPhotoError."""
        return file.decoded(partial(pixels.read_photo, how=self.reading))

    @property
    def reading(self) -> pixels.Reading:
        return pixels.Reading(self.window, self.page)

    def recorded(self) -> dict[str, Any]:
        """The options that determine the images."""
        return {one.name: getattr(self, one.name) for one in fields(self) if one.metadata == RECORDED}


def window(words: Sequence[float | str]) -> Window:
    """The window of `--window LOW HIGH` or `--window auto`. Raises ImageSetError."""
    if words[0] == "auto" == words[1]:
        return "auto"
    low, high = words
    if isinstance(low, str) or isinstance(high, str) or not low < high:
        raise ImageSetError("--window takes a lower and a higher value, as in --window 0 4095, or auto.")
    return low, high


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
    sides: Mapping[str, str] = field(default_factory=dict)  # image_id → "train" or "test", where that is settled
    keep_copies: bool = False  # of generated images: repeats are a property of the generator
    findings: Findings = field(default_factory=Findings)
    select: Callable[[dict[str, SourceFile], Findings], dict[str, SourceFile]] = lambda photos, _: photos

    def testing(self, keys: Iterable[str], options: PhotoOptions) -> frozenset[str]:
        """The groups of the test side. Raises ImageSetError when a side would be empty."""
        if self.sides:
            return frozenset(self.groups[key] for key in keys if self.sides[key] == "test")
        return groups_for_testing([self.groups[key] for key in keys], options.test, options.seed)


@dataclass(frozen=True)
class Recipe:
    """All that determines an image set. It is part of the manifest; a set with the same recipe is not rebuilt."""

    source: str  # "isic", "hands", "patches"
    options: dict[str, Any]
    made_from: dict[str, Any]  # hashes of the source files, by role
    licence: str = ""

    def entries(self) -> dict[str, Any]:
        return {
            "source": self.source, "version": VERSION, "options": self.options, "made_from": self.made_from,
            "licence": self.licence,
        }  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """An image set, whether it was made now, and notes for the user."""

    images: ImageSet
    made: bool
    notes: tuple[str, ...] = ()


def photos_to_sets(
    workspace: Workspace, several: Sequence[PhotoSet], options: PhotoOptions, if_few: str = ""
) -> list[Prepared]:
    """`photos_to_set` for each, all or none. Raises ImageSetError that names the set; if one has too few photos for its
    split, before any is read, and with the remedy `if_few`.
    """
    wanted, remedy = several[0], if_few
    try:
        for wanted in several:
            wanted.testing(wanted.photos, options)
        prepared, remedy = [], ""
        with all_or_none():
            for wanted in several:
                prepared.append(photos_to_set(workspace, wanted, options))
        return prepared
    except ImageSetError as error:
        if len(several) == 1:
            raise
        sentence = f"{wanted.name}: {error} None of the {len(several)} image sets was made or changed."
        raise ImageSetError(f"{sentence} {remedy}".strip()) from error


def photos_to_set(workspace: Workspace, wanted: PhotoSet, options: PhotoOptions) -> Prepared:
    """Make an image set, unless the same recipe made it before: one image of each photo, split by group.

    `wanted.select` sees the photos that are left without copies and broken ones; it returns those to use and notes what
    the user should know about them. Raises ImageSetError.
    """
    findings = wanted.findings
    digests = hash_files(list(wanted.photos.values()), options.threads)
    made_from = {"photos": hash_of_all(digests), **wanted.made_from, **options.made_from}
    width, height = wanted.size
    recorded = {**wanted.options, "size": f"{height}x{width}"}  # as --size takes it
    recipe = Recipe(wanted.source, recorded, made_from, options.licence)
    if there := already_there(workspace, wanted.name, recipe, options.overwrite):
        return there
    findings.unread(options.source, workspace)
    photos = dict(wanted.photos)
    if options.skip_broken:
        photos = without_broken(photos, lambda file: _image(file, wanted, options), findings, options.threads)
    if not wanted.keep_copies:
        photos = drop_copies(photos, digests, findings)
    photos = wanted.select(photos, findings)
    testing = wanted.testing(photos, options)
    folder = workspace.new("images", wanted.name)
    with atomic_folder(folder) as temporary, ImageSetWriter(temporary, height, width) as writer:
        traits: list[Traits] = []
        for key, image, mark, remarks, of_file in _each_image(photos, wanted, options):
            traits.append(of_file)
            file, group = photos[key].name, wanted.groups[key]
            findings.remark(remarks, file)
            split = "test" if group in testing else "train"
            if wanted.keep_copies or not findings.lookalikes.is_duplicate(file, split, mark):
                row = {"image_id": key, "source": file, "group": group, "split": split, "label": wanted.label}
                writer.add(image, row)
        counts = {"photos": len(photos), **wanted.counts}
        finish(writer, wanted.name, recipe, counts, findings, traits=summary(traits))
    return Prepared(load(workspace, wanted.name), made=True, notes=findings.notes())


def _image(
    file: SourceFile, wanted: PhotoSet, options: Options, measure: bool = False
) -> tuple[NDArray[np.uint8], Fingerprint, frozenset[str], Traits]:
    """The image that a photo becomes, its fingerprint, remarks and the traits of its file. Raises UnfitFileError."""

    def read(data: bytes, where: str) -> tuple[pixels.Photo, Traits]:
        photo = pixels.read_photo(data, where, options.reading)
        return photo, traits_of(data, where, photo.pixels, measure)

    photo, traits = file.decoded(read)
    width, height = wanted.size
    image = pixels.fitted(photo.pixels, width, height, wanted.fit, file.name)
    return image, fingerprint(photo.pixels), photo.remarks, traits


def _each_image(
    photos: Mapping[str, SourceFile], wanted: PhotoSet, options: Options
) -> Iterator[tuple[str, NDArray[np.uint8], Fingerprint, frozenset[str], Traits]]:
    """Each photo's key, image, fingerprint, remarks and traits; read on threads, in order."""
    measured = set(evenly(np.array(list(photos)), MEASURED).tolist())

    def work(key: str) -> tuple[str, NDArray[np.uint8], Fingerprint, frozenset[str], Traits]:
        return key, *_image(photos[key], wanted, options, key in measured)

    yield from progress(in_order(work, photos, options.threads), title=wanted.name, unit="photos", total=len(photos))


def already_there(workspace: Workspace, name: str, recipe: Recipe, overwrite: bool) -> Prepared | None:
    """The undamaged image set of this name if the same recipe made it. Raises ImageSetError as `made_before`."""
    images = made_before(workspace, name, recipe.entries(), overwrite)
    return None if images is None else Prepared(images, made=False)


def made_before(workspace: Workspace, name: str, entries: Mapping[str, Any], overwrite: bool) -> ImageSet | None:
    """The undamaged image set of this name with these entries in its manifest; None if it has to be made.

    Raises ImageSetError if it has others, unless `overwrite`: runs that were trained on it would lose it.
    """
    refusal = ImageSetError(
        f"The image set '{name}' exists and was made from other photos, with other options or by an earlier version: "
        "give this one another name, or replace it with --overwrite."
    )
    return reuse.existing(workspace.new("images", name), entries, _undamaged, refusal=None if overwrite else refusal)


def _undamaged(folder: Path) -> ImageSet | None:
    """The image set in a folder; None if it is damaged, so that it is made again."""
    try:
        return ImageSet.load(folder)
    except GlimpseError:
        return None


def finish(
    writer: ImageSetWriter, name: str, recipe: Recipe, counts: dict[str, Any], findings: Findings, **more: Any
) -> None:
    """Complete an image set: its preview and its manifest. Raises ImageSetError when a side of its split is empty."""
    splits, groups = writer.splits, Counter(writer.group_splits.values())
    hint = f" {REMARKS['inverted']}." if "inverted" in findings.remarks else ""
    wants_test = recipe.options.get("test") not in (0, 0.0)
    for side in ("train", "test") if wants_test else ("train",):
        if not splits[side]:
            remedy = "choose another share for testing or another --seed, or give more photos"
            if recipe.options.get("test") == "folders":
                remedy = "put photos of it into the folder for training, or leave it out"
            raise ImageSetError(
                f"The image set '{name}' would have no image on its {side} side ({writer.count} in all): {remedy}."
                f"{hint}"
            )
    entries = {
        **recipe.entries(),
        "counts": {
            "images": writer.count, "train": splits["train"], "test": splits["test"],
            "groups": len(writer.group_splits), "groups_train": groups["train"], "groups_test": groups["test"],
            **counts,
        },
        **findings.entries(),
        **more,
    }  # fmt: skip
    writer.close()
    with ThreadPoolExecutor(1) as pool:
        hashing = pool.submit(writer.hash_arrays)  # hashing releases the interpreter lock
        write_preview(writer.folder, name, entries["counts"])
        hashing.result()
    writer.finish(name, **entries)


def load(workspace: Workspace, name: str) -> ImageSet:
    return ImageSet.load(workspace.existing("images", name), just_written=True)
