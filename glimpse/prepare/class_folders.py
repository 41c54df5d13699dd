"""Folders as data sets lay them out: one per class, one per side of the split (train, test), or both."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from glimpse.imageset import ImageSetError

Paths = Mapping[str, PurePosixPath]  # the path of each photo, without folders that were already interpreted

# `trainA` and `testB` are CycleGAN's: two classes and their sides.
SIDE = re.compile(r"(train|training|test|testing|val|valid|validation)(?:[ _-]?([AB]))?", re.IGNORECASE)


def unwrapped(paths: Paths) -> Paths:
    """The paths without folders that hold everything, such as the one in most zips: these are not classes."""
    while len({path.parts[0] for path in paths.values()}) == 1 and all(len(p.parts) > 1 for p in paths.values()):
        paths = {key: PurePosixPath(*path.parts[1:]) for key, path in paths.items()}
    return paths


def without_sides(paths: Paths) -> tuple[Paths, dict[str, str]]:
    """The paths without their folders for training and testing, and the side of each photo; the sides are empty if
    there are no such folders.

    The folders lie outside of the classes (`train/naevi`) or within (`naevi/train`). One for validation counts as
    training beside one for testing, else as testing.

    >>> paths = {name: PurePosixPath(name) for name in ("train/a/1", "train/b/1", "test/a/2", "test/b/2")}
    >>> without_sides(paths)[1]
    {'train/a/1': 'train', 'train/b/1': 'train', 'test/a/2': 'test', 'test/b/2': 'test'}
    """
    for depth in (0, 1):
        found = {
            key: SIDE.fullmatch(path.parts[depth]) if len(path.parts) > depth + 1 else None
            for key, path in paths.items()
        }
        matches = {key: match for key, match in found.items() if match}
        words = {match[1].lower() for match in matches.values()}
        if len(matches) < len(paths) or not words & {"train", "training"} or not words - {"train", "training"}:
            continue
        held_out = {"test", "testing"} if words & {"test", "testing"} else words - {"train", "training"}
        inner = {
            key: PurePosixPath(*path.parts[:depth], *filter(None, [matches[key][2]]), *path.parts[depth + 1 :])
            for key, path in paths.items()
        }
        return inner, {key: "test" if match[1].lower() in held_out else "train" for key, match in matches.items()}
    return paths, {}


def merged(classes: Mapping[str, Paths], grouped: bool) -> list[str]:
    """A note if the photos of a class lie in several folders but make one set.

    >>> merged({"naevi": {name: PurePosixPath(name) for name in ("naevi/p1/1", "naevi/p2/1")}}, grouped=True)
    ['Several folders make one set (naevi/p1, naevi/p2): if they are classes, prepare each on its own.']
    """
    shown = []
    for paths in classes.values():
        folders = sorted({str(path.parent) for path in paths.values()})
        if len(folders) > 1:
            first = ", ".join("the outermost" if one == "." else one for one in folders[:3])
            shown.append(first + (", ..." if len(folders) > 3 else ""))
    if not shown:
        return []
    sentence = f"Several folders make one set ({'; '.join(shown[:3])}{'; ...' if len(shown) > 3 else ''}): if they are "
    sentence += "classes, prepare each on its own"
    if not grouped:
        sentence += "; if each is a person or a lesion, --group-pattern '(.+)/' keeps its photos on one side"
    return [sentence + "."]


def refuse_divided(groups: Mapping[str, str], sides: Mapping[str, str]) -> None:
    """Raise ImageSetError if the photos of a group are on both sides."""
    first: dict[str, str] = {}
    for key, side in sides.items():
        if first.setdefault(groups[key], side) != side:
            raise ImageSetError(
                f"Group '{groups[key]}' has photos in the folders for training and for testing, such as {key}: put "
                "them into one of the two, or put all photos into one folder, which --test-share splits."
            )
