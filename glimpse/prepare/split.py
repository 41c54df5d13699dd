"""Training and test: whole groups (a photo, a person, a lesion) go to one side, so that nothing leaks.

Only photos that can be used, each once, are counted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

import numpy as np

from glimpse.command_line import counted
from glimpse.imageset import ImageSetError
from glimpse.prepare.checks.findings import Findings
from glimpse.prepare.reading.matching import stem_in
from glimpse.prepare.reading.sources import Item, SourceFile, UnfitFileError, composed, in_order
from glimpse.progress import progress


def groups_for_testing(groups: Sequence[str], share_or_count: float | int, seed: int) -> frozenset[str]:
    """The groups of the test side, chosen so that their photos come close to a share (< 1) or a count.

    `groups`: the group of each photo. Groups are visited in a random order that depends only on the seed and their
    names; a group is skipped unless it brings the count closer, but with two groups or more each side gets one.
    Raises ImageSetError when a side would be empty.
    """
    sizes = Counter(groups)
    wanted = share_or_count if isinstance(share_or_count, int) else round(share_or_count * len(groups))
    if share_or_count == 0:
        return frozenset()
    if len(sizes) < 2 or not 0 < wanted < len(groups):
        raise ImageSetError(
            f"Putting {share_or_count:g}{'' if isinstance(share_or_count, int) else ' (a share)'} of "
            f"{counted(len(groups), 'photo')} in {counted(len(sizes), 'group')} aside for testing would leave "
            "one side empty: choose another number, or 0 (as in --test-share 0) to keep all for training."
        )
    names = np.array(sorted(sizes), dtype=object)
    order = np.random.default_rng(seed).permutation(len(names))
    chosen: set[str] = set()
    taken = 0
    for name in names[order]:
        if abs(taken + sizes[name] - wanted) < abs(taken - wanted):
            chosen.add(name)
            taken += sizes[name]
    smallest = min(names[order], key=lambda name: sizes[name])
    if not chosen:
        chosen = {smallest}
    elif len(chosen) == len(sizes):
        chosen.remove(smallest)
    return frozenset(chosen)


def drop_copies(
    photos: Mapping[str, SourceFile], digests: Mapping[str, str], findings: Findings
) -> dict[str, SourceFile]:
    """Drop files whose bytes equal those of an earlier file, so that the split does not count them."""
    first: dict[str, SourceFile] = {}
    for photo in photos.values():
        if (other := first.setdefault(digests[photo.name], photo)) is not photo:
            findings.lookalikes.duplicates.append((photo.name, other.name))
    return {stem: photo for stem, photo in photos.items() if first[digests[photo.name]] is photo}


def without_broken(
    photos: Mapping[str, Item], read: Callable[[Item], object], findings: Findings, threads: int
) -> dict[str, Item]:
    """The photos that `read` can read, for `--skip-broken`: the split must count only these, so each is read twice.

    Raises ImageSetError when none is left.
    """

    def trouble(key: str) -> UnfitFileError | None:
        try:
            read(photos[key])
        except UnfitFileError as error:
            return error
        return None

    kept = {}
    tried = progress(in_order(trouble, photos, threads), title="reading", unit="photos", total=len(photos))
    for key, error in zip(photos, tried, strict=True):
        if error:
            findings.unfit(error)
        else:
            kept[key] = photos[key]
    if not kept:
        raise ImageSetError(f"None of the {len(photos)} photos can be used: {findings.reasons()}.")
    return kept


def group_in(name: str, pattern: str, option: str = "--group-pattern", none: str = "nothing") -> str:
    """The first group of a regular expression that matches in the path of a photo without ending, or the whole match.

    Raises ImageSetError, naming the `option`, for a bad pattern, or one that finds nothing.
    """
    path = composed(PurePosixPath(name).with_suffix("").as_posix())
    try:
        match = re.search(pattern, path)
    except re.error as error:
        raise ImageSetError(f"{option} '{pattern}' is not a regular expression: {error}.") from None
    groups = (match.groups() or (match[0],)) if match else ()
    found = next((group for group in groups if group), None)
    if not found:
        raise ImageSetError(f"{option} '{pattern}' finds {none} in {name}.")
    return str(found)


def named_groups(groups_of: dict[str, str], wanted: Iterable[str], list_name: str) -> frozenset[str]:
    """The groups of the photos that a list names, with or without file extension.

    Raises ImageSetError for an unknown name, and for a group of which only some photos are listed.
    """
    listed = {line.strip() for line in wanted if line.strip() and not line.startswith("#")}
    stems = {stem_in(groups_of, name) for name in listed}
    unknown = sorted(stems - groups_of.keys())
    if unknown:
        raise ImageSetError(
            f"{list_name} names {unknown[0]}, which is not among the photos ({len(unknown)} unknown names in total): "
            "it is missing, has no mask, or was dropped as a copy of another; correct the list."
        )
    chosen = frozenset(groups_of[stem] for stem in stems)
    halved = sorted(stem for stem, group in groups_of.items() if group in chosen and stem not in stems)
    if halved:
        raise ImageSetError(
            f"{list_name} leaves out {halved[0]}, but names other photos of its group '{groups_of[halved[0]]}': list "
            "all photos of a group or none."
        )
    if not chosen or len(chosen) == len(set(groups_of.values())):
        raise ImageSetError(f"{list_name} would leave one side of the split empty: list some of the photos, not all.")
    return chosen
