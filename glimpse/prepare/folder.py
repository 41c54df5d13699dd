"""Folders of any images: one image set of all, or one per class where each class has its own folder.

Photos of any kind, or images of another generator, in the layouts that other tools read and write: a folder of
files, a zip, or a folder with one subfolder a class.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from glimpse.files import cores, sha256_json
from glimpse.images import size_in_words
from glimpse.imageset import ImageSetError
from glimpse.prepare import split
from glimpse.prepare.checks.findings import counted_list
from glimpse.prepare.class_folders import Paths, merged, refuse_divided, unwrapped, without_sides
from glimpse.prepare.pipeline import RECORDED, PhotoOptions, PhotoSet, Prepared, photos_to_sets
from glimpse.prepare.reading import matching, pixels, sources, tables
from glimpse.prepare.reading.sources import BrokenPhotoError, SourceFile
from glimpse.workspace import NAME, Workspace

LARGEST = 640  # pixels: the longer side of an image set by default, as large as the paper's hands


@dataclass(frozen=True, kw_only=True)
class FolderOptions(PhotoOptions):
    """Options of `prepare folder`."""

    name: str | None = None  # of the one image set; by default the folder's, or one set per class
    size: tuple[int, int] | None = None  # width, height; by default the largest that no photo must be enlarged to
    fit: pixels.Fit = field(default="crop", metadata=RECORDED)
    label: str | None = None  # by default the name of the set or the class
    group_pattern: str | None = None  # regular expression that finds the group in the path
    metadata: Path | None = None  # CSV table of photos and groups
    group_column: str = "group"  # of that table
    refuse_sides: bool = False  # folders for training and testing, since --test-share was given


def prepare_folder(workspace: Workspace, options: FolderOptions) -> list[Prepared]:
    """One image set, or one per class folder, cropped, padded or stretched to one size and split by group.

    Raises ImageSetError.
    """
    if options.group_pattern and options.metadata:
        raise ImageSetError("--group-pattern and --metadata both name the groups: give one of them.")
    if len(options.source) > 1 and not options.name:
        first = ", ".join(map(str, options.source[:3])) + (", ..." if len(options.source) > 3 else "")
        raise ImageSetError(
            f"The images in {len(options.source):,} sources ({first}) would become one image set: name "
            "it with --name, or prepare each on its own."
        )
    found = sources.find_photos(options.source, workspace)
    photos = matching.by_stem(found, "path")
    inner: Paths = {path: PurePosixPath(path) for path in photos}
    sides: dict[str, str] = {}
    if len(options.source) == 1:
        inner, sides = without_sides(unwrapped(inner))
    if sides and options.refuse_sides:
        raise ImageSetError(
            f"{options.source[0]} has folders for training and for testing, which split the photos: leave out "
            "--test-share, or put all photos into one folder."
        )
    classes = {options.name: photos} if options.name else _classes(photos, unwrapped(inner), options)
    for some in classes.values() if len(options.source) == 1 else ():
        matching.refuse_mixed(options.source[0], some.values())
    groups = _groups(photos, options)
    refuse_divided(groups, sides)
    sizes = sizes_of(list(photos.values()), options.threads, options.skip_broken)
    size = options.size or pixels.common_size(sizes, LARGEST)
    notes = _notes(photos, classes, groups, options, sizes, size, sides)
    if options.name is None:
        of_class = {label: {key: inner[key] for key in some} for label, some in classes.items()}
        notes += merged(of_class, grouped=bool(options.group_pattern or options.metadata))
        notes += _merged_zips(classes)
    names = [options.name] if options.name else names_from(list(classes), "folders", folder_name(options.source[0]))
    several = [
        _class_set(name, label, some, groups, size, sides, options)
        for name, (label, some) in zip(names, classes.items(), strict=True)
    ]
    several[0].findings.sentences.extend(notes)
    return photos_to_sets(workspace, several, options, f"--name NAME makes one set of all {len(several)} folders.")


def _class_set(
    name: str, label: str, photos: dict[str, SourceFile], groups: Mapping[str, str], size: tuple[int, int],
    sides: Mapping[str, str], options: FolderOptions,
) -> PhotoSet:  # fmt: skip
    label, recorded = options.label or label, options.recorded()
    if sides:  # a class may have photos on one side only
        recorded["test"] = "folders" if "test" in {sides[path] for path in photos} else 0
    return PhotoSet(
        source="folder", name=name, label=label, photos=photos, groups=groups, size=size, fit=options.fit,
        options={**recorded, "label": label}, sides=sides,
        made_from={"groups": sha256_json({file.name: groups[path] for path, file in photos.items()})},
    )  # fmt: skip


def _classes(
    photos: Mapping[str, SourceFile], inner: Paths, options: FolderOptions
) -> dict[str, dict[str, SourceFile]]:
    """The photos of each class: one class per subfolder if every photo is in a subfolder, else one class."""
    classes: dict[str, dict[str, SourceFile]] = {}
    if len(options.source) == 1 and all(len(path.parts) > 1 for path in inner.values()):
        for key, path in inner.items():
            classes.setdefault(path.parts[0], {})[key] = photos[key]
    return dict(sorted(classes.items())) or {folder_name(options.source[0]): dict(photos)}


def _merged_zips(classes: Mapping[str, Mapping[str, SourceFile]]) -> list[str]:
    """A note if the photos of a class lie in several zips of the folder."""
    of_class = [sorted({file.place.name for file in photos.values() if file.zipped}) for photos in classes.values()]
    shown = "; ".join(", ".join(zips[:3]) + (", ..." if len(zips) > 3 else "") for zips in of_class if len(zips) > 1)
    return [f"Several zips make one set ({shown}): if they are classes, prepare each on its own."] if shown else []


def _groups(photos: Mapping[str, SourceFile], options: FolderOptions) -> dict[str, str]:
    """The group of each photo, from the pattern or the table; without these, each photo is its own group."""
    if options.group_pattern:
        return {path: split.group_in(file.name, options.group_pattern) for path, file in photos.items()}
    if options.metadata is None:
        return {path: path for path in photos}
    paths = {path: file.full_path for path, file in photos.items()}  # class folders may hold photos of the same name
    found = tables.column_by_photo(options.metadata, options.group_column, paths.values())
    return {path: found.get(full, path) for path, full in paths.items()}


def _notes(
    photos: Mapping[str, SourceFile], classes: Mapping[str, object], groups: Mapping[str, str],
    options: FolderOptions, sizes: Sequence[tuple[int, int]], size: tuple[int, int], sides: Mapping[str, str],
) -> list[str]:  # fmt: skip
    """Notes on choices that no option determined."""
    notes = []
    if len(classes) > 1:
        notes.append(f"Each of the {len(classes)} folders makes one set; --name NAME makes one set of all of them.")
    if sides:
        notes.append(
            "The folders for training and for testing split the photos; one for validation counts as training beside "
            "one for testing, else as testing."
        )
    if options.size is None and set(sizes) != {size}:
        least = min(sizes, key=min)
        notes.append(
            f"Size {size_in_words(size[1], size[0])}: at most {LARGEST} pixels, and no larger than the smallest photo, "
            f"{size_in_words(least[1], least[0])}; choose another with --size."
        )
        if few := much_smaller(sizes):
            notes.append(
                f"{few} of the {len(sizes):,} photos are less than half as large as the rest, icons or thumbnails "
                "perhaps, and make the set small: remove them, or give --size with --skip-broken, which skips them."
            )
    if options.metadata:
        alone = sorted(file.name for path, file in photos.items() if groups[path] == path)
        if alone:
            notes.append(counted_list(f"Without a group in {options.metadata.name}, so each is its own group", alone))
    elif len(set(groups.values())) == len(photos) and options.test and not sides:
        notes.append(
            "Every photo is its own group, so the split is by photo and may leak if several show one person or lesion: "
            "name the groups with --group-pattern, or with --metadata and --group-column."
        )
    return notes


def sizes_of(files: Sequence[SourceFile], threads: int = 0, skip_broken: bool = False) -> list[tuple[int, int]]:
    """Width and height of each photo. Raises BrokenPhotoError, unless broken ones are skipped and others remain."""
    errors: list[BrokenPhotoError] = []

    def size(file: SourceFile) -> tuple[int, int] | None:
        try:
            try:
                return pixels.size_of(file.read(1 << 16), file.where)
            except BrokenPhotoError:  # the header may lie further on
                return file.decoded(pixels.size_of)
        except BrokenPhotoError as error:
            errors.append(error)
            return None

    found = [one for one in sources.in_order(size, files, threads or cores()) if one]
    if errors and skip_broken and not found:
        raise ImageSetError(f"No photo of {len(files)} can be read (first: {errors[0].name}).")
    if errors and not skip_broken:
        raise errors[0]
    return found


def much_smaller(sizes: Sequence[tuple[int, int]]) -> int:
    """The number of photos under half the usual size, if they are few: icons and thumbnails among the photos.

    >>> much_smaller([(600, 450)] * 20 + [(1, 1)]), much_smaller([(600, 450), (200, 150)])
    (1, 0)
    """
    sides = sorted(map(min, sizes))
    few = sum(side < sides[len(sides) // 2] / 2 for side in sides)
    return few if few <= len(sides) / 10 else 0


def folder_name(place: Path) -> str:
    """The name of a folder, or of a zip without its ending, unchanged."""
    place = Path(os.path.abspath(place))  # not resolved: a link's own name
    return place.stem if place.is_file() else place.name


def names_from(labels: Sequence[str], kind: str, place: str, start: str = "") -> list[str]:
    """The name of the set of each label, behind a common `start`; `kind` and `place` are what labels are and come from.

    Raises ImageSetError if two labels would make sets of the same name.

    >>> names_from(["Nävi", "痣"], "labels", "my photos"), names_from(["SCC", "痣"], "labels", "my photos", "x")
    (['navi', 'my-photos-class-2'], ['x-scc', 'x-class-2'])
    """
    if len(labels) == 1:
        return [start or name_from(labels[0])]
    names: dict[str, str] = {}
    for number, label in enumerate(labels, 1):
        try:
            name = name_from(label)
        except ImageSetError:  # a name without Latin letters: the set is numbered, and the index keeps the name
            name = f"class-{number}" if start else name_from(f"{place} class {number}")
        name = f"{start}-{name}" if start else name
        if other := names.get(name):
            raise ImageSetError(f"The {kind} {other} and {label} would both make the set '{name}': rename one.")
        names[name] = label
    return list(names)


def latin(text: str) -> str:
    """Text in the letters that names of the workspace may have; "" if it has none of them.

    >>> latin("Basal cell carcinoma"), latin("Nävus (2)"), latin("黑色")
    ('basal-cell-carcinoma', 'navus-2', '')
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-_")[:64]


def name_from(text: str) -> str:
    """A name for a folder of the workspace. Raises ImageSetError for a text without Latin letters and digits."""
    if not NAME.fullmatch(name := latin(text)):
        raise ImageSetError(f"'{text}' cannot be turned into a name: choose one with --name.")
    return name
