"""Masks matched to their photos by file name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Literal

from glimpse.imageset import ImageSetError
from glimpse.prepare.reading.sources import SourceFile

# Data sets name a mask like its photo with words appended: IMG_1_segmentation, IMG_1-lesion-mask, IMG_1_hand ...
# Some of the words say what the mask shows.
Role = Literal["lesion", "skin", "truth"]
ROLE_WORDS: dict[Role, str] = {"lesion": "lesions?|eczema", "skin": "skin|hands?"}
MASK_WORDS = "|".join(["segmentations?|seg|masks?|gt|label|groundtruth|ground_truth", *ROLE_WORDS.values()])
Matched = tuple[SourceFile, SourceFile | None]  # a photo and its mask
KIND = re.compile(r"(?:^|[_-])((?:real|fake|rec|idt)(?:_[AB])?)$")
LAST_WORD = re.compile(rf"[ _.-](?:{MASK_WORDS})$", re.IGNORECASE)


def by_stem(
    files: Iterable[SourceFile],
    key: Literal["stem", "path"] = "stem",
    copies: list[tuple[SourceFile, SourceFile]] | None = None,
) -> dict[str, SourceFile]:
    """The files by their name without extension (`key="path"`: with folder).

    Raises ImageSetError if two share a name. If `copies` is given, a file with the name and bytes of an earlier one
    (Kaggle's HAM10000 holds each folder twice) is appended to it, with that one, instead.
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


def refuse_mixed(place: Path, photos: Iterable[SourceFile]) -> None:
    """Raise ImageSetError if the names of all photos of a folder say that they are of several kinds: pix2pix and
    CycleGAN write real and generated images side by side."""
    kinds = Counter(match[1] if (match := KIND.search(photo.stem)) else "" for photo in photos)
    if len(kinds) < 2 or "" in kinds or not place.exists():
        return
    shown = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items()))
    example = f"'{place}/**/*{'fake_B' if 'fake_B' in kinds else min(kinds)}*'"
    remedy = f"name one by a pattern, as in {example}" if place.is_dir() else "unpack it and name one by a pattern"
    raise ImageSetError(f"{place} holds images of several kinds, by their names ({shown}): {remedy}.")


def match_masks(
    photos: Mapping[str, SourceFile], masks: Iterable[SourceFile], role: Role = "lesion", pattern: str | None = None
) -> dict[str, SourceFile]:
    """The mask of each photo, by file name.

    A mask with the photo's own name is preferred, then one whose suffix has a word of the role, like `_lesion`, then
    one whose suffix has no word of any role, like `_segmentation`; masks of another role are ignored. With a `pattern`,
    the first group of its match is the same in both names, or is the photo's whole name. Photos and masks may be in one
    folder: neither the photo itself nor a file with the full name of another photo is its mask. Raises ImageSetError if
    two masks of a photo rank equally.
    """
    themselves = {photo.spot for photo in photos.values()}
    found: dict[str, tuple[int, SourceFile]] = {}
    keys = _keys(photos, pattern) if pattern else {}
    for mask in masks:
        if mask.spot in themselves:
            continue
        rank: int | None = 0
        if pattern:
            stem = keys.get(_key(mask.stem, pattern) or "")
        else:
            stem = next((name for name in _shortened(mask.stem) if name in photos), None)
            rank = None if stem is None else _rank(mask.stem[len(stem) :], role)
        if stem is None or rank is None:
            continue
        best, other = found.setdefault(stem, (rank, mask))
        if rank == best and other is not mask:
            raise ImageSetError(f"{photos[stem].name} has two masks, {other.name} and {mask.name}: keep one of them.")
        if rank < best:
            found[stem] = rank, mask
    return {stem: mask for stem, (_, mask) in found.items()}


def with_masks(photos: Iterable[SourceFile], masks: Sequence[SourceFile], count: int | None) -> dict[str, Matched]:
    """The (first `count`) photos by stem, each with its mask or None.

    Raises ImageSetError if there are masks, but none for one of these photos.
    """
    found = dict(list(without_masks(by_stem(photos), masks).items())[:count])
    matched = match_masks(found, masks)
    if masks and (missing := sorted(set(found) - set(matched))):
        raise ImageSetError(f"{found[missing[0]].name} has no mask: add one, or leave the photo out.")
    return {stem: (photo, matched.get(stem)) for stem, photo in found.items()}


def without_masks(
    photos: Mapping[str, SourceFile], masks: Iterable[SourceFile], pattern: str | None = None
) -> dict[str, SourceFile]:
    """Drop photos that are also among the masks and are named like the mask of another photo."""
    among = {mask.spot for mask in masks}

    def is_mask(stem: str) -> bool:
        key = _key(stem, pattern) if pattern else None
        return key not in (None, stem) or any(name in photos for name in _shortened(stem)[1:])

    return {stem: photo for stem, photo in photos.items() if photo.spot not in among or not is_mask(stem)}


def _keys(photos: Iterable[str], pattern: str) -> dict[str, str]:
    """The part of each name that photo and mask share → the photo. Raises ImageSetError if two photos share it."""
    keys: dict[str, str] = {}
    for stem in photos:
        other = keys.setdefault(_key(stem, pattern) or stem, stem)
        if other != stem:
            raise ImageSetError(f"--mask-pattern '{pattern}' finds the same in {other} and {stem}: make it longer.")
    return keys


def _key(stem: str, pattern: str) -> str | None:
    """The first group of a pattern (the whole match if it has none) in a name. Raises ImageSetError for a bad one."""
    try:
        match = re.search(pattern, stem)
    except re.error as error:
        raise ImageSetError(f"--mask-pattern '{pattern}' is not a regular expression: {error}.") from None
    return next((group for group in (match.groups() or (match[0],)) if group), None) if match else None


def _shortened(stem: str) -> list[str]:
    """The name of a mask, then the same with one word less at a time; the first that names a photo is its photo's."""
    names = [stem]
    while (shorter := LAST_WORD.sub("", names[-1])) != names[-1]:
        names.append(shorter)
    return names


def _rank(suffix: str, role: Role) -> int | None:
    """The rank of a mask's suffix for a role, 0 for the best; None if it belongs to another role."""
    words = re.split("[ _.-]", suffix.lower())
    named = {other for other, its in ROLE_WORDS.items() if any(re.fullmatch(its, word) for word in words)}
    return 0 if not suffix else 1 if role in named else None if named else 2


def stem_in(stems: Container[str], name: str) -> str:
    """The stem of a photo that a list names with or without folder and extension; stems may contain dots."""
    path = PurePosixPath(name.replace("\\", "/"))
    return path.name if path.name in stems else path.stem
