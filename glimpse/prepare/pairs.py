"""Photos with their masks: matched by name, read, checked against each other, and searched for windows."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glimpse.images import size_in_words
from glimpse.imageset import ImageSetError
from glimpse.prepare.checks.duplicates import Fingerprint, fingerprint
from glimpse.prepare.checks.findings import Findings
from glimpse.prepare.checks.traits import Traits, traits_of
from glimpse.prepare.pipeline import RECORDED, Options
from glimpse.prepare.reading import matching, pixels, sources
from glimpse.prepare.reading.decoding import orientation_of, turned
from glimpse.prepare.reading.masks import MaskReading, covers_the_rim, decode_mask
from glimpse.prepare.reading.sources import SourceFile, UnfitFileError
from glimpse.prepare.skin import background
from glimpse.prepare.skin.windows import PatchWindows, find_windows
from glimpse.workspace import Workspace

PATTERNS = (r"(\d+)", "^([^_]+)", "([^_]+)$")  # proposed for --mask-pattern: a number, the first or last word


@dataclass(frozen=True)
class PhotoPair:
    """The files of a photo: itself, its masks and its version without lesions."""

    stem: str
    group: str
    split: str
    photo: SourceFile
    lesion: SourceFile
    skin: SourceFile | None
    truth: SourceFile | None


@dataclass(frozen=True)
class Cuttable:
    """A decoded photo with its windows."""

    pair: PhotoPair
    found: Fingerprint
    windows: PatchWindows
    removed: Mapping[str, int]  # pixels that each background rule took away; empty with a skin mask
    remarks: frozenset[str]  # keys of findings.REMARKS
    photo: NDArray[np.uint8]  # (H, W, 3)
    lesion: NDArray[np.bool_]  # (H, W)
    truth: NDArray[np.uint8] | None  # (H, W, 3)
    traits: Traits  # of the photo's file, at the size of a window: patches are cut, not shrunk


@dataclass(frozen=True, kw_only=True)
class PatchOptions(Options):
    """Options of `prepare patches`. Places are folders or zip files; masks are matched to photos by file name."""

    photos: Sequence[Path]
    lesion_masks: Sequence[Path]
    skin_masks: Sequence[Path] = ()  # by default, skin is everything but a plain background at the border
    truth: Sequence[Path] = ()  # the same skin without its lesions; becomes truth.npy of the eczema patches
    mask_pattern: str | None = None  # regular expression, its first group common to the names of photo and lesion mask
    mask_threshold: float | None = field(default=None, metadata=RECORDED)  # level (0 to 255) that is inside
    invert_masks: bool = field(default=False, metadata=RECORDED)  # lesions are dark in their masks
    unturned_masks: bool = field(default=False, metadata=RECORDED)  # masks lie as the camera stored the photo
    names: tuple[str, str] = ("healthy", "eczema")
    size: int = field(default=128, metadata=RECORDED)  # side of a window
    stride: int = field(default=64, metadata=RECORDED)
    coverage: tuple[float, float] = field(default=(0.1, 0.8), metadata=RECORDED)  # lowest and highest share of lesion
    test: int | float | Path = field(default=0.4, metadata=RECORDED)  # count, share (< 1) or file that lists photos
    metadata: Path | None = None  # CSV table; photos of one group stay on one side of the split
    group_column: str = "lesion_id"  # of that table


def match_pairs(options: PatchOptions, workspace: Workspace, findings: Findings) -> list[PhotoPair]:
    """The photos that have all their masks, by stem; the others are noted. Raises ImageSetError if none has."""
    roles: list[tuple[matching.Role, Sequence[Path]]] = [
        ("lesion", options.lesion_masks), ("skin", options.skin_masks), ("truth", options.truth)
    ]  # fmt: skip
    places = {role: where for role, where in roles if where or role == "lesion"}
    masks = {role: sources.find_photos(where, workspace) for role, where in places.items()}
    found = matching.by_stem(sources.find_photos(options.photos, workspace))
    of_photo = matching.without_masks(found, [mask for some in masks.values() for mask in some], options.mask_pattern)
    matched = {
        role: matching.match_masks(of_photo, some, role, options.mask_pattern if role == "lesion" else None)
        for role, some in masks.items()
    }
    used = {file.spot for some in (of_photo, *matched.values()) for file in some.values()}
    for role, where in places.items():
        alone = sorted(mask.name for mask in masks[role] if mask.spot not in used)
        findings.note(f"{role}_without_photo", alone, f"In {where[0]}, but used for no photo")
        missing = sorted(of_photo[stem].name for stem in of_photo.keys() - matched[role].keys())
        findings.note(f"without_{role}", missing, f"Left out, because they have no partner in {where[0]}")
    complete = [stem for stem in sorted(of_photo) if all(stem in partners for partners in matched.values())]
    if not complete:
        first = [next((file.name for file in some), "none") for some in (of_photo.values(), masks["lesion"])]
        example = _pattern(found, masks["lesion"])
        shared = (
            f"--mask-pattern '{options.mask_pattern}' must find the same part in the names of both{example}."
            if options.mask_pattern
            else "a mask has its photo's name, with or without an ending like _segmentation or _mask, or "
            f"--mask-pattern says what both names share{example}."
        )
        raise ImageSetError(
            f"None of the {len(of_photo)} photos in {options.photos[0]} has all its masks (the first photo is "
            f"{first[0]}, the first lesion mask {first[1]}): {shared}"
        )
    return [
        PhotoPair(
            stem, stem, "train", of_photo[stem], matched["lesion"][stem],
            matched["skin"][stem] if "skin" in matched else None,
            matched["truth"][stem] if "truth" in matched else None,
        )
        for stem in complete
    ]  # fmt: skip


def _pattern(photos: Mapping[str, SourceFile], masks: Sequence[SourceFile]) -> str:
    """The --mask-pattern among PATTERNS that matches most of these photos, in words; "" if none matches any."""
    matched: dict[str, int] = {}
    for pattern in PATTERNS:
        with contextlib.suppress(ImageSetError):  # two photos or two masks would be the same
            matched[pattern] = len(matching.match_masks(photos, masks, "lesion", pattern))
    best = max(matched, key=lambda pattern: matched[pattern], default="")
    return f" (perhaps --mask-pattern '{best}', which finds masks of {matched[best]})" if matched.get(best) else ""


def read_pair(pair: PhotoPair, options: PatchOptions) -> Cuttable:
    """Decode a photo and its masks and find its windows. Raises UnfitFileError naming the file that does not fit."""
    photo = options.read(pair.photo)
    height, width = photo.pixels.shape[:2]
    if min(height, width) < options.size:
        raise UnfitFileError(
            pair.photo.name, "too_small", f"{pair.photo.name} is {size_in_words(height, width)}, smaller than a "
            f"window of {options.size}: choose a smaller --size, or leave it out (--skip-broken)."
        )  # fmt: skip
    remarks = set(photo.remarks)
    lesion = _mask(pair.lesion, MaskReading(options.mask_threshold, options.invert_masks), pair, photo, options)
    if covers_the_rim(lesion):
        remarks.add("inverted")
    removed: Mapping[str, int] = {}
    if pair.skin:
        skin = _mask(pair.skin, MaskReading(options.mask_threshold), pair, photo, options)
    else:
        skin, removed = background.skin_of(photo.pixels, lesion)
    if photo.orientation != 1 and pair.lesion.decoded(orientation_of) == 1 and not options.unturned_masks:
        remarks.add("turned")
    windows = find_windows(skin, lesion, options.size, options.stride, options.coverage)
    truth = None
    if pair.truth:
        truth = options.read(pair.truth).pixels
        _same_size(pair.truth, truth, pair, photo)
    traits = pair.photo.decoded(partial(traits_of, photo=photo.pixels, measure=True))
    traits = replace(traits, width=options.size, height=options.size)
    return Cuttable(
        pair, fingerprint(photo.pixels), windows, removed, frozenset(remarks), photo.pixels, lesion, truth, traits
    )


def _mask(
    file: SourceFile, how: MaskReading, pair: PhotoPair, photo: pixels.Photo, options: PatchOptions
) -> NDArray[np.bool_]:
    mask = file.decoded(partial(decode_mask, how=how))
    if options.unturned_masks and photo.orientation != 1 and file.decoded(orientation_of) == 1:
        mask = turned(mask, photo.orientation)
    _same_size(file, mask, pair, photo)
    return mask


def _same_size(file: SourceFile, array: NDArray[Any], pair: PhotoPair, photo: pixels.Photo) -> None:
    height, width = photo.pixels.shape[:2]
    if array.shape[:2] == (height, width):
        return
    kind, hint = "other_size", ""
    if photo.orientation in (5, 6, 7, 8) and array.shape[:2] == (width, height):
        kind, hint = (
            "unturned",
            " It fits the photo as the camera stored it, before EXIF turns it: give --unturned-masks.",
        )
    raise UnfitFileError(
        file.name, kind,
        f"{file.where} is {array.shape[0]}x{array.shape[1]}, but its photo {pair.photo.name} is {height}x{width} "
        f"(height x width): it must have the photo's full size, upright.{hint}",
    )  # fmt: skip
