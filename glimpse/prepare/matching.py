"""Masks matched to their photos by file name."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from pathlib import PurePosixPath
from typing import Literal

from glimpse.imageset import ImageSetError
from glimpse.prepare.sources import SourceFile

# What data sets append to a photo's name to name its mask: IMG_1_segmentation, IMG_1-lesion-mask, IMG_1_hand ...
# Some words say of what it is a mask.
Role = Literal["lesion", "skin", "truth"]
ROLE_WORDS: dict[Role, str] = {"lesion": "lesions?|eczema", "skin": "skin|hands?"}
MASK_WORDS = "|".join(["segmentations?|seg|masks?|gt|label|groundtruth|ground_truth", *ROLE_WORDS.values()])
LAST_WORD = re.compile(rf"[ _.-](?:{MASK_WORDS})$", re.IGNORECASE)


def by_stem(
    files: Iterable[SourceFile],
    key: Literal["stem", "path"] = "stem",
    copies: list[tuple[SourceFile, SourceFile]] | None = None,
) -> dict[str, SourceFile]:
    """The files under their names without ending, and but for "path" without folder.

    Raises ImageSetError when two share one, but for copies where a list is given to take them: a file of the same
    name and bytes as an earlier one (Kaggle's HAM10000 holds each folder twice) goes there with that one.
    """
    found: dict[str, SourceFile] = {}
    for file in files:
        other = found.setdefault(getattr(file, key), file)
        if other is file:
            continue
        if copies is None or file.suffix != other.suffix or file.read() != other.read():
            raise ImageSetError(
                f"{other.where} and {file.where} have the same name without ending: rename or remove one."
            )
        copies.append((file, other))
    return found


def match_masks(
    photos: Mapping[str, SourceFile], masks: Iterable[SourceFile], role: Role = "lesion"
) -> dict[str, SourceFile]:
    """The mask of each photo: the one of its own name; else one whose suffix has a word of the role, like `_lesion`;
    else one with a suffix that says nothing of roles, like `_segmentation`. One of another role is none.

    Photos and masks may lie in one folder: a photo is not its own mask, nor is what bears the whole name of another
    photo. Raises ImageSetError when a photo has two masks of one rank.
    """
    themselves = {photo.spot for photo in photos.values()}
    found: dict[str, tuple[int, SourceFile]] = {}
    for mask in masks:
        stem = next((name for name in _shortened(mask.stem) if name in photos), None)
        if stem is None or mask.spot in themselves or (rank := _rank(mask.stem[len(stem) :], role)) is None:
            continue
        best, other = found.setdefault(stem, (rank, mask))
        if rank == best and other is not mask:
            raise ImageSetError(f"{photos[stem].name} has two masks, {other.name} and {mask.name}: keep one of them.")
        if rank < best:
            found[stem] = rank, mask
    return {stem: mask for stem, (_, mask) in found.items()}


def without_masks(photos: Mapping[str, SourceFile], masks: Iterable[SourceFile]) -> dict[str, SourceFile]:
    """Leave out what lies among the masks too and is by its name the mask of another of these photos."""
    among = {mask.spot for mask in masks}
    return {
        stem: photo
        for stem, photo in photos.items()
        if photo.spot not in among or not any(name in photos for name in _shortened(stem)[1:])
    }


def _shortened(stem: str) -> list[str]:
    """The name of a mask, then the same with one word less at a time: the first that is a photo's is its photo."""
    names = [stem]
    while (shorter := LAST_WORD.sub("", names[-1])) != names[-1]:
        names.append(shorter)
    return names


def _rank(suffix: str, role: Role) -> int | None:
    """How well a mask's suffix fits a role, 0 the best; None when it is of another role."""
    words = re.split("[ _.-]", suffix.lower())
    named = {other for other, its in ROLE_WORDS.items() if any(re.fullmatch(its, word) for word in words)}
    return 0 if not suffix else 1 if role in named else None if named else 2


def stem_in(stems: Container[str], name: str) -> str:
    """What of a file name in a list, with folders and ending or without, is the photo's stem; dots are no ending where
    the photos have them too."""
    last = PurePosixPath(name).name
    return last if last in stems else PurePosixPath(name).stem
