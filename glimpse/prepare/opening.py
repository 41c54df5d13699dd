"""Image sets by name, and folders of image files opened as image sets, several of them at one size. A folder goes
through the same steps as in `prepare folder` (decoding, colour, size), so that opening adds no difference to a pair.
Opened folders are cached in `.opened` of the workspace, until their files or the code that reads them change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from glimpse import reuse
from glimpse.files import atomic_folder, cores, sha256_json
from glimpse.images import size_in_words
from glimpse.imageset import ImageSet, ImageSetError, ImageSetWriter
from glimpse.prepare.checks.findings import REMARKS, UNFIT, counted_list
from glimpse.prepare.folder import folder_name, latin, much_smaller, sizes_of
from glimpse.prepare.pipeline import PhotoOptions, PhotoSet, photos_to_set
from glimpse.prepare.reading import matching, pixels, sources
from glimpse.prepare.reading.sources import SourceFile
from glimpse.progress import progress
from glimpse.workspace import KINDS, OPENED, Workspace


@dataclass(frozen=True)
class _Folder:
    """A folder or zip of images, by path without ending, and their sizes (width, height)."""

    place: Path
    photos: dict[str, SourceFile]
    sizes: list[tuple[int, int]]


def open_alike(
    workspace: Workspace,
    words: Sequence[str | ImageSet],
    size: tuple[int, int] | None = None,
    fit: pixels.Fit = "crop",
    skip_broken: bool = False,
    at_most: int | None = None,
) -> list[ImageSet]:
    """For each word the image set of this name, else the folder or zip of image files, or image set, at this path.

    All are at one `size` (width, height), by default the largest that no image has to be enlarged to, its longer side
    `at_most` pixels. `words` may contain image sets that are already open. All images of a folder, copies included, are
    on the training side, each in its own group. Raises ImageSetError for a word that is none of these, or for a file
    that cannot be read (left out with `skip_broken`).
    """
    found = [_found(workspace, word, skip_broken) if isinstance(word, str) else word for word in words]
    if size is None:
        for word, one in zip(words, found, strict=True):
            if isinstance(one, _Folder) and (few := much_smaller(one.sizes)):
                least = min(one.sizes, key=min)
                raise ImageSetError(
                    f"{word}: {few} of the {len(one.sizes):,} images are less than half as large as the rest, the "
                    f"smallest {size_in_words(least[1], least[0])}, and all would be shrunk to "
                    "that size: remove them, or give --size with --skip-broken, which skips them."
                )
        sizes = [s for one in found for s in (one.sizes if isinstance(one, _Folder) else [(one.width, one.height)])]
        size = pixels.common_size(sizes, at_most)
    return [
        _of_folder(workspace, one, size, fit, skip_broken)
        if isinstance(one, _Folder)
        else _of_set(workspace, one, size, fit)
        for one in found
    ]


def notes_on(images: ImageSet) -> list[str]:
    """Sentences on the files of an opened folder that were not read or were skipped, are nearly black, or have pages
    that are not shown; none for an image set, whose own command said so."""
    if images.folder.parent.parent.name != OPENED:
        return []
    manifest, notes = images.manifest, []
    if counts := manifest.get("not_read", {}):
        shown = ", ".join(f"{count:,} {ending or 'without ending'}" for ending, count in counts.items())
        notes.append(f"{images.name}: not read, though they look like images or archives: {shown}.")
    for kind, reason in UNFIT.items():
        if kind != "broken" and (names := manifest.get("left_out", {}).get(kind)):
            notes.append(counted_list(f"{images.name}: skipped, because {reason}", names, rest=""))
    for key, names in manifest.get("remarks", {}).items():
        remark = f"{images.name}: {REMARKS[key][0].lower()}{REMARKS[key][1:]}"
        option = " `gan_core prepare folder` has this option: name its image set here." if "--" in remark else ""
        notes.append(counted_list(remark, names, rest="") + option)
    return notes


def named_before_folders(workspace: Workspace, words: Sequence[str], kinds: Sequence[str] = ("images",)) -> list[str]:
    """A sentence on each word that names an image set (or run) and another folder as well, which is not read."""
    return [
        f"{word}: this is the {KINDS[kind][0]} of that name; write ./{word} for the folder."
        for word in words
        if Path(word).is_dir()
        for kind in kinds
        if word in workspace.names(kind) and not Path(word).samefile(workspace.existing(kind, word))
    ]


def _found(workspace: Workspace, word: str, skip_broken: bool) -> ImageSet | _Folder:
    names = workspace.names("images")
    if word in names:
        return ImageSet.load(workspace.existing("images", word))
    if all((Path(word) / file).is_file() for file in ("manifest.json", "images.npy")):
        return ImageSet.load(Path(word))
    if not sources.is_there(Path(word)):
        neither = f"neither an image set of {workspace.root} (there are: {', '.join(names)}) nor" if names else "not"
        raise ImageSetError(f"{word} is {neither} a folder of images: check the name.")
    photos = matching.by_stem(sources.find_photos([Path(word)], workspace), "path")
    matching.refuse_mixed(Path(word), photos.values())
    return _Folder(Path(word), photos, sizes_of(list(photos.values()), cores(), skip_broken))


def _of_folder(
    workspace: Workspace, found: _Folder, size: tuple[int, int], fit: pixels.Fit, skip_broken: bool
) -> ImageSet:
    options = PhotoOptions(source=[found.place], test=0, skip_broken=skip_broken, overwrite=True)
    name = folder_name(found.place)  # as the user wrote it, in every message
    wanted = PhotoSet(
        source="folder", name=_key(name, str(found.place.resolve()), size, fit), label=name,
        photos=found.photos, groups={path: path for path in found.photos}, size=size, fit=fit, keep_copies=True,
        options={**options.recorded(), "fit": fit}, made_from=_read_by(),
    )  # fmt: skip
    prepared = photos_to_set(_kept(workspace), wanted, options)
    return replace(prepared.images, name=name)


def _of_set(workspace: Workspace, images: ImageSet, size: tuple[int, int], fit: pixels.Fit) -> ImageSet:
    """The images of a set at another size, without masks."""
    width, height = size
    if (images.width, images.height) == size:
        return images
    folder = _kept(workspace).new("images", _key(images.name, images.sha256, size, fit))
    made_from = {
        "image_set": images.name, "images_sha256": images.sha256, "index": images.manifest["files"]["index.csv"],
        "size": f"{height}x{width}", "fit": fit, **_read_by(),
    }  # fmt: skip
    made_from |= {"unfinished": images.unfinished} if images.unfinished else {}
    if (there := reuse.existing(folder, {"made_from": made_from}, ImageSet.load)) is None:
        rows = images.index.astype(object).where(images.index.notna(), None).to_dict("records")
        with atomic_folder(folder) as building, ImageSetWriter(building, height, width) as writer:
            pairs = zip(images.images, rows, strict=True)
            for image, row in progress(pairs, title=images.name, unit="images", total=len(rows)):
                writer.add(pixels.fitted(image, width, height, fit, f"{row['image_id']} of '{images.name}'"), row)
            kept = {key: images.manifest[key] for key in ("traits",) if key in images.manifest}
            writer.finish(folder.name, made_from=made_from, **kept)
        there = ImageSet.load(folder, just_written=True)
    return replace(there, name=images.name)


@cache
def _read_by() -> dict[str, Any]:
    """The hash of the code that reads, converts and shrinks images: when it changes, opened sets are made again."""
    return {"code": reuse.code_sha256(Path(__file__).resolve().parents[2], ["glimpse"], ["glimpse/phantom"])}


def _kept(workspace: Workspace) -> Workspace:
    return Workspace(workspace.root / OPENED)


def _key(name: str, origin: str, size: tuple[int, int], fit: pixels.Fit) -> str:
    """The name of the folder of an opened set: one for each origin, size and fit."""
    return f"{latin(name)[:50] or 'folder'}-{sha256_json([origin, size, fit])[:12]}"
