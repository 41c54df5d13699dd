"""Patches of skin, healthy and with eczema, cut from photos of any size with their lesion masks (section 3.1).

One pass over the photos makes both image sets: photos are read on threads, patches go straight into the .npy files, so
memory does not grow with the number of photos.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.files import atomic_folder, sha256_json
from glimpse.imageset import ImageSetError, ImageSetWriter
from glimpse.prepare import background, masks, matching, pipeline, pixels, sources, tables
from glimpse.prepare.duplicates import Fingerprint, fingerprint
from glimpse.prepare.pipeline import RECORDED, Findings, Options, Prepared, Recipe
from glimpse.prepare.sources import SourceFile
from glimpse.prepare.split import groups_for_testing, named_groups
from glimpse.prepare.windows import PatchWindows, cut, find_windows
from glimpse.progress import progress
from glimpse.workspace import Workspace

AT_ONCE = 16  # patches cut and written at once


@dataclass(frozen=True)
class Pair:
    """A photo and what belongs to it."""

    stem: str
    group: str
    split: str
    photo: SourceFile
    lesion: SourceFile
    skin: SourceFile | None
    truth: SourceFile | None


@dataclass(frozen=True)
class Cuttable:
    """One photo, read, and where it will be cut."""

    pair: Pair
    found: Fingerprint
    windows: PatchWindows
    removed: Mapping[str, int]  # pixels that each background rule took away; empty with a skin mask
    photo: NDArray[np.uint8]  # (H, W, 3)
    lesion: NDArray[np.bool_]  # (H, W)
    truth: NDArray[np.uint8] | None  # (H, W, 3)


@dataclass(frozen=True, kw_only=True)
class PatchOptions(Options):
    """Options of `prepare patches`. Places are folders or zip files; masks are matched to photos by file name."""

    photos: Sequence[Path]
    lesion_masks: Sequence[Path]
    skin_masks: Sequence[Path] = ()  # by default, skin is everything but a plain background at the border
    truth: Sequence[Path] = ()  # the same skin without its lesions; becomes truth.npy of the eczema patches
    names: tuple[str, str] = ("healthy", "eczema")
    size: int = field(default=128, metadata=RECORDED)  # side of a window
    stride: int = field(default=64, metadata=RECORDED)
    coverage: tuple[float, float] = field(default=(0.1, 0.8), metadata=RECORDED)  # lowest and highest share of lesion
    test: int | float | Path = field(default=0.4, metadata=RECORDED)  # count, share (< 1) or file that lists photos
    metadata: Path | None = None  # CSV table; photos of one group stay on one side of the split
    group_column: str = "lesion_id"  # of that table


def prepare_patches(workspace: Workspace, options: PatchOptions) -> list[Prepared]:
    """The healthy and the eczema image set, from every window that lies entirely on skin.

    A set without images is not made; the notes name it. Raises ImageSetError.
    """
    names, seed, threads = options.names, options.seed, options.threads
    if names[0] == names[1]:
        raise ImageSetError(f"Both image sets would be called '{names[0]}': give two names.")
    findings = Findings()
    pairs = _match(options, workspace, findings)
    files = {
        role: [file for pair in pairs if (file := getattr(pair, role))] for role in ("photo", "lesion", "skin", "truth")
    }
    digests = {role: sources.hash_files(some, threads) for role, some in files.items()}
    groups = {pair.stem: pair.stem for pair in pairs}
    if options.metadata:
        found = tables.column_by_photo(options.metadata, options.group_column, groups)
        findings.note(
            "ungrouped",
            sorted(groups.keys() - found.keys()),
            f"Without {options.group_column}, so each is its own group",
        )
        groups |= found
    kept = pipeline.drop_copies({p.stem: p.photo for p in pairs}, digests["photo"], findings)
    groups = {stem: group for stem, group in groups.items() if stem in kept}
    recorded = options.recorded()
    if isinstance(options.test, Path):
        listed = tables.as_text(options.test.read_bytes(), options.test.name).splitlines()
        testing = named_groups(groups, listed, options.test.name)
        recorded["test"] = sorted(stem for stem, group in groups.items() if group in testing)
    hashes = {f"{role}s": sources.hash_of_all(some) for role, some in digests.items() if some}
    made_from = {**hashes, "groups": sha256_json(groups), **options.made_from}
    recipe = Recipe("patches", recorded, made_from, options.licence)
    there = [pipeline.already_there(workspace, name, recipe) for name in names]
    done = [one for one in there if one]
    # One pass makes both, so one that is there and says that the other is empty is all there is to have.
    if len(done) == 2 or (done and done[0].images.manifest["counts"]["other_set_is_empty"]):
        return done
    left = {p.stem: p for p in pairs if p.stem in kept}
    if options.skip_broken:
        left = pipeline.without_broken(left, lambda pair: read_photo(pair, options), findings, threads)
    if not isinstance(options.test, Path):
        testing = groups_for_testing([groups[stem] for stem in left], options.test, seed, "photos")
    pairs = [
        replace(pair, group=groups[stem], split="test" if groups[stem] in testing else "train")
        for stem, pair in left.items()
    ]
    made = _build(workspace, pairs, recipe, options, findings)
    notes = findings.notes()
    return [Prepared(pipeline.load(workspace, name), True, notes if name == made[-1] else ()) for name in made]


def _match(options: PatchOptions, workspace: Workspace, findings: Findings) -> list[Pair]:
    """Each photo with its masks, by stem; those without are noted. Raises ImageSetError when none has all of its."""
    roles: list[tuple[matching.Role, Sequence[Path]]] = [
        ("lesion", options.lesion_masks), ("skin", options.skin_masks), ("truth", options.truth)
    ]  # fmt: skip
    places = {role: where for role, where in roles if where or role == "lesion"}
    masks = {role: sources.find_photos(where, workspace) for role, where in places.items()}
    found = matching.by_stem(sources.find_photos(options.photos, workspace))
    of_photo = matching.without_masks(found, [mask for some in masks.values() for mask in some])
    matched = {role: matching.match_masks(of_photo, some, role) for role, some in masks.items()}
    used = {file.spot for some in (of_photo, *matched.values()) for file in some.values()}
    for role, where in places.items():
        alone = sorted(mask.name for mask in masks[role] if mask.spot not in used)
        findings.note(f"{role}_without_photo", alone, f"In {where[0]}, but used for no photo")
        missing = sorted(of_photo[stem].name for stem in of_photo.keys() - matched[role].keys())
        findings.note(f"without_{role}", missing, f"Left out, because they have no partner in {where[0]}")
    complete = [stem for stem in sorted(of_photo) if all(stem in partners for partners in matched.values())]
    if not complete:
        raise ImageSetError(
            f"None of the {len(of_photo)} photos in {options.photos[0]} has all its masks: a mask has its photo's "
            "name, with or without an ending like _segmentation or _mask."
        )
    return [
        Pair(
            stem, stem, "train", of_photo[stem], matched["lesion"][stem],
            matched["skin"][stem] if "skin" in matched else None,
            matched["truth"][stem] if "truth" in matched else None,
        )
        for stem in complete
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------ one photo


def read_photo(pair: Pair, options: PatchOptions) -> Cuttable:
    """Decode a photo and its masks and find its windows. Raises ImageSetError naming the file that does not fit."""
    photo = pair.photo.decoded(pixels.decode_photo)
    if min(photo.shape[:2]) < options.size:
        raise ImageSetError(
            f"{pair.photo.name} is {photo.shape[1]}x{photo.shape[0]}, smaller than a window of {options.size}: choose "
            "a smaller --size, or leave it out."
        )
    lesion = _mask(pair.lesion, pair.photo, photo)
    removed: Mapping[str, int] = {}
    if pair.skin:
        skin = _mask(pair.skin, pair.photo, photo)
    else:
        skin, removed = background.skin_of(photo, lesion)
    windows = find_windows(skin, lesion, options.size, options.stride, options.coverage)
    truth = None
    if pair.truth:
        truth = pair.truth.decoded(pixels.decode_photo)
        _same_size(pair.truth, truth, pair.photo, photo)
    return Cuttable(pair, fingerprint(photo), windows, removed, photo, lesion, truth)


def _mask(file: SourceFile, photo_file: SourceFile, photo: NDArray[np.uint8]) -> NDArray[np.bool_]:
    mask = file.decoded(masks.decode_mask)
    _same_size(file, mask, photo_file, photo)
    return mask


def _same_size(file: SourceFile, array: NDArray[Any], photo_file: SourceFile, photo: NDArray[np.uint8]) -> None:
    if array.shape[:2] != photo.shape[:2]:
        raise ImageSetError(
            f"{file.where} is {array.shape[1]}x{array.shape[0]}, but its photo {photo_file.name} is "
            f"{photo.shape[1]}x{photo.shape[0]}: it must have the photo's full size, upright."
        )


def _stream(pairs: Sequence[Pair], options: PatchOptions, findings: Findings) -> Iterator[Cuttable]:
    """Each photo in turn, without duplicates."""
    read = sources.in_order(lambda pair: read_photo(pair, options), pairs, options.threads)
    for result in progress(read, title="patches", unit="photos", total=len(pairs)):
        if not findings.lookalikes.is_duplicate(result.pair.photo.name, result.pair.split, result.found):
            yield result


# ------------------------------------------------------------------------------------------------ both sets


def _build(
    workspace: Workspace, pairs: Sequence[Pair], recipe: Recipe, options: PatchOptions, findings: Findings
) -> list[str]:
    """Write both image sets and return the names of those that have images."""
    names, size = options.names, options.size
    has_truth = pairs[0].truth is not None
    healthy_folder, eczema_folder = (workspace.new("images", name) for name in names)
    counts: Counter[str] = Counter()
    barren: list[str] = []
    with atomic_folder(healthy_folder) as a, atomic_folder(eczema_folder) as b:
        with (
            ImageSetWriter(a, size, size) as healthy,
            ImageSetWriter(b, size, size, masks=True, truth=has_truth) as eczema,
        ):
            for photo in _stream(pairs, options, findings):
                _cut(photo, size, healthy, eczema, names)
                _count(photo, counts)
                if not len(photo.windows.healthy) + len(photo.windows.eczema):
                    barren.append(photo.pair.photo.name)
        if not healthy.count + eczema.count:
            raise ImageSetError(_no_window(counts, size))
        findings.note("no_window", barren, "Without a window that fits either set")
        made = [name for name, writer in zip(names, (healthy, eczema), strict=True) if writer.count]
        for name in set(names) - set(made):
            there = name in workspace.names("images")
            older = f" The '{name}' that is there is of an earlier run." if there else ""
            findings.sentences.append(f"No window fits '{name}', so that image set was not made.{older}")
        tallies = {**dict(sorted(counts.items())), "other_set_is_empty": len(made) < 2}
        with ThreadPoolExecutor(2) as pool:
            finished = [
                pool.submit(pipeline.finish, writer, name, recipe, tallies, findings)
                for name, writer in zip(names, (healthy, eczema), strict=True)
                if writer.count
            ]
        for one in finished:
            one.result()
        for writer in (healthy, eczema):
            if not writer.count:
                shutil.rmtree(writer.folder)  # so that nothing takes the place of an earlier set
    return made


def _cut(one: Cuttable, size: int, healthy: ImageSetWriter, eczema: ImageSetWriter, names: tuple[str, str]) -> None:
    """Append the patches of a photo to both sets, some at a time: they are written while the cache still holds them."""
    pair, windows = one.pair, one.windows

    def rows(corners: NDArray[np.intp], label: str, coverage: NDArray[np.float64]) -> list[dict[str, Any]]:
        return [
            {
                "image_id": f"{pair.stem}-{y}-{x}", "source": pair.photo.name, "group": pair.group,
                "split": pair.split, "label": label, "x": x, "y": y, "coverage": f"{share:.6g}",
            }
            for (y, x), share in zip(corners.tolist(), coverage.tolist(), strict=True)
        ]  # fmt: skip

    for corners, _ in _some(windows.healthy, windows.healthy):
        healthy.extend(cut(one.photo, corners, size), rows(corners, names[0], np.zeros(len(corners))))
    for corners, coverage in _some(windows.eczema, windows.coverage):
        masks = cut(one.lesion.view(np.uint8), corners, size)
        truth = None if one.truth is None else cut(one.truth, corners, size)
        eczema.extend(cut(one.photo, corners, size), rows(corners, names[1], coverage), masks, truth)


def _some(corners: NDArray[np.intp], coverage: NDArray[Any]) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    """The windows with their coverage, a few at a time, so that the patches of a large photo need little memory."""
    for i in range(0, len(corners), AT_ONCE):
        yield corners[i : i + AT_ONCE], coverage[i : i + AT_ONCE]


def _count(one: Cuttable, counts: Counter[str]) -> None:
    windows = one.windows
    counts["photos"] += 1
    counts[f"photos_{one.pair.split}"] += 1
    for key in ("off_skin", "too_little", "too_much"):
        counts[f"windows_{key}"] += getattr(windows, key)
    for rule, removed in one.removed.items():
        counts[f"pixels_{rule}"] += removed


def _no_window(counts: Counter[str], size: int) -> str:
    return (
        f"No {size}x{size} window lies entirely on skin with the requested coverage, in {counts['photos']} photos: "
        f"{counts['windows_off_skin']:,} reach beyond the skin, {counts['windows_too_little']:,} show too little "
        f"lesion, {counts['windows_too_much']:,} too much. "
        "Choose a smaller --size, another --coverage, or check the masks."
    )
