"""Patches of skin, healthy and with eczema, cut from photos of any size with their lesion masks (section 3.1).

One pass over the photos makes both image sets: photos are read on threads, patches go straight into the .npy files, so
memory does not grow with the number of photos.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.files import atomic_folder, sha256_json
from glimpse.imageset import ImageSetError, ImageSetWriter
from glimpse.prepare import pipeline
from glimpse.prepare.checks.findings import Findings
from glimpse.prepare.checks.traits import Traits, summary
from glimpse.prepare.pairs import Cuttable, PatchOptions, PhotoPair, match_pairs, read_pair
from glimpse.prepare.pipeline import Prepared, Recipe
from glimpse.prepare.reading import sources, tables
from glimpse.prepare.skin.windows import cut
from glimpse.prepare.split import drop_copies, groups_for_testing, named_groups, without_broken
from glimpse.progress import progress
from glimpse.workspace import Workspace

AT_ONCE = 16  # patches cut and written at once


def prepare_patches(workspace: Workspace, options: PatchOptions) -> list[Prepared]:
    """The healthy and the eczema image set, from every window that lies entirely on skin.

    A set without images is not made; the notes name it. Raises ImageSetError.
    """
    names, seed, threads = options.names, options.seed, options.threads
    if names[0] == names[1]:
        raise ImageSetError(f"Both image sets would be called '{names[0]}': give two names.")
    findings = Findings()
    pairs = match_pairs(options, workspace, findings)
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
    kept = drop_copies({p.stem: p.photo for p in pairs}, digests["photo"], findings)
    groups = {stem: group for stem, group in groups.items() if stem in kept}
    recorded = options.recorded()
    if isinstance(options.test, Path):
        listed = tables.as_text(options.test.read_bytes(), options.test.name).splitlines()
        testing = named_groups(groups, listed, options.test.name)
        recorded["test"] = sorted(stem for stem, group in groups.items() if group in testing)
    hashes = {f"{role}s": sources.hash_of_all(some) for role, some in digests.items() if some}
    made_from = {**hashes, "groups": sha256_json(groups), **options.made_from}
    recipe = Recipe("patches", recorded, made_from, options.licence)
    there = [pipeline.already_there(workspace, name, recipe, options.overwrite) for name in names]
    done = [one for one in there if one]
    # One pass makes both sets: if one exists, and its manifest says that the other would be empty, nothing is missing.
    if len(done) == 2 or (done and done[0].images.manifest["counts"]["other_set_is_empty"]):
        return done
    findings.unread([*options.photos, *options.lesion_masks, *options.skin_masks, *options.truth], workspace)
    left = {p.stem: p for p in pairs if p.stem in kept}
    if options.skip_broken:
        left = without_broken(left, lambda pair: read_pair(pair, options), findings, threads)
    if not isinstance(options.test, Path):
        testing = groups_for_testing([groups[stem] for stem in left], options.test, seed)
    pairs = [
        replace(pair, group=groups[stem], split="test" if groups[stem] in testing else "train")
        for stem, pair in left.items()
    ]
    made = _build(workspace, pairs, recipe, options, findings)
    notes = findings.notes()
    return [Prepared(pipeline.load(workspace, name), True, notes if name == made[-1] else ()) for name in made]


def _stream(pairs: Sequence[PhotoPair], options: PatchOptions, findings: Findings) -> Iterator[Cuttable]:
    """Each photo in turn, without duplicates."""
    read = sources.in_order(lambda pair: read_pair(pair, options), pairs, options.threads)
    for result in progress(read, title="patches", unit="photos", total=len(pairs)):
        if not findings.lookalikes.is_duplicate(result.pair.photo.name, result.pair.split, result.found):
            yield result


# ------------------------------------------------------------------------------------------------ both sets


def _build(
    workspace: Workspace, pairs: Sequence[PhotoPair], recipe: Recipe, options: PatchOptions, findings: Findings
) -> list[str]:
    """Write both image sets and return the names of those that have images."""
    names, size = options.names, options.size
    has_truth = pairs[0].truth is not None
    healthy_folder, eczema_folder = (workspace.new("images", name) for name in names)
    counts: Counter[str] = Counter()
    no_window: list[str] = []
    remarks: set[tuple[str, str]] = set()
    traits: list[Traits] = []
    with atomic_folder(healthy_folder) as a, atomic_folder(eczema_folder) as b:
        with (
            ImageSetWriter(a, size, size) as healthy,
            ImageSetWriter(b, size, size, masks=True, truth=has_truth) as eczema,
        ):
            for photo in _stream(pairs, options, findings):
                remarks |= {(key, photo.pair.photo.name) for key in photo.remarks}
                traits.append(photo.traits)
                _cut(photo, size, healthy, eczema, names)
                _count(photo, counts)
                if not len(photo.windows.healthy) + len(photo.windows.eczema):
                    no_window.append(photo.pair.photo.name)
        inverted = sum(key == "inverted" for key, _ in remarks) > 0.8 * counts["photos"]
        if not healthy.count + eczema.count:
            raise ImageSetError(_no_window(counts, size, inverted))
        for key, name in remarks:
            if key != "inverted" or inverted:  # a lesion may well reach the rim of some photos
                findings.remark([key], name)
        findings.note("no_window", no_window, "No window fits either set")
        made = [name for name, writer in zip(names, (healthy, eczema), strict=True) if writer.count]
        for name in set(names) - set(made):
            there = name in workspace.names("images")
            older = f" The existing image set '{name}' is from an earlier run." if there else ""
            findings.sentences.append(f"No window fits '{name}', so that image set was not made.{older}")
        tallies = {**dict(sorted(counts.items())), "other_set_is_empty": len(made) < 2}
        with ThreadPoolExecutor(2) as pool:
            finished = [
                pool.submit(pipeline.finish, writer, name, recipe, tallies, findings, traits=summary(traits))
                for name, writer in zip(names, (healthy, eczema), strict=True)
                if writer.count
            ]
        for one in finished:
            one.result()
        for writer in (healthy, eczema):
            if not writer.count:
                shutil.rmtree(writer.folder)  # an empty set replaces nothing
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


def _no_window(counts: Counter[str], size: int, inverted: bool) -> str:
    hint = " They cover the rim of nearly every photo and are probably inverted: --invert-masks." if inverted else ""
    return (
        f"No {size}x{size} window lies entirely on skin with the requested coverage, in {counts['photos']} photos: "
        f"{counts['windows_off_skin']:,} reach beyond the skin, {counts['windows_too_little']:,} show too little "
        f"lesion, {counts['windows_too_much']:,} too much. "
        f"Choose a smaller --size, another --coverage, or check the masks.{hint}"
    )
