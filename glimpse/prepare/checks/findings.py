"""Photos left out and warnings of one preparation: short on the screen, complete in the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from glimpse.prepare.checks.duplicates import Lookalikes
from glimpse.prepare.reading.sources import UnfitFileError, unread_files
from glimpse.workspace import Workspace

# Why --skip-broken leaves a file out, by the kind of UnfitFileError.
UNFIT = {
    "broken": "they cannot be read",
    "soft": "the mask has more than two values (--mask-threshold reads it)",
    "other_size": "photo and mask differ in size",
    "unturned": "the mask fits the photo before EXIF turns it (--unturned-masks reads it)",
    "too_small": "they are smaller than the images of the set",
}
# What the user should know about photos that are used.
REMARKS = {
    "stack": "Only the first page of several is used (--page N takes another)",
    "small_range": "Nearly black, since their values fill less than an eighth of the range (--window LOW HIGH or "
    "--window auto spreads them)",
    "deep_colour": "16 bits per channel in colour, read at 8 bits: the lower half of each value is left out",
    "turned": "Turned by their EXIF orientation, unlike their masks (if those were drawn on the unturned photo, give "
    "--unturned-masks)",
    "inverted": "The lesion masks of nearly all photos cover the rim, so they are probably inverted "
    "(--invert-masks)",
}  # fmt: skip


@dataclass
class Findings:
    """Photos left out and warnings: shortened in the notes, complete in the manifest."""

    lookalikes: Lookalikes = field(default_factory=Lookalikes)
    lists: dict[str, list[str]] = field(default_factory=dict)  # manifest key → names
    sentences: list[str] = field(default_factory=list)
    remarks: dict[str, set[str]] = field(default_factory=dict)  # key of REMARKS → names

    def note(self, key: str, names: Iterable[str], what: str) -> None:
        """Record names under `key` of the manifest, and a note that introduces them with `what`."""
        names = list(names)
        if names:
            self.lists[key] = names
            self.sentences.append(counted_list(what, names))

    def unfit(self, error: UnfitFileError) -> None:
        self.lists.setdefault(error.kind, []).append(error.name)

    def reasons(self) -> str:
        """Why files are left out, each reason with the number of files and the first: 'they cannot be read (2, ...)'"""
        lists = [(reason, self.lists.get(kind, [])) for kind, reason in UNFIT.items()]
        return "; ".join(f"{reason} ({len(names)}, first {names[0]})" for reason, names in lists if names)

    def remark(self, keys: Iterable[str], name: str) -> None:
        """Record what was noticed about a photo, by keys of REMARKS."""
        for key in keys:
            self.remarks.setdefault(key, set()).add(name)

    def unread(self, places: Iterable[Path], workspace: Workspace) -> None:
        """Note the files in these places that look like images or archives but are not read."""
        names = sorted({file.name for file in unread_files(places, workspace)})
        if names:
            self.lists["unread"] = names
            self.sentences.append(
                f"Not read, though they look like images or archives ({len(names)}): {by_ending(names)}. Rename, "
                "convert or unpack them if they belong to the set."
            )

    def entries(self) -> dict[str, Any]:
        near = [list(pair) for pair in self.lookalikes.across_the_split()]
        duplicates = [list(pair) for pair in self.lookalikes.duplicates]
        not_read = [*self.lists.get("unread", ()), *self.lists.get("broken", ())]
        return {
            "left_out": {**self.lists, "duplicates": duplicates}, "not_read": dict(endings(not_read)),
            "remarks": {key: sorted(names) for key, names in sorted(self.remarks.items())},
            "near_duplicates_across_the_split": near,
        }  # fmt: skip

    def notes(self) -> tuple[str, ...]:
        notes = list(self.sentences)
        for kind, reason in UNFIT.items():
            if names := self.lists.get(kind):
                several = f" [{by_ending(names)}]" if len(endings(names)) > 1 else ""
                notes.append(counted_list(f"Skipped, because {reason}{several}", names))
        notes += [counted_list(REMARKS[key], sorted(names)) for key, names in sorted(self.remarks.items())]
        if repeats := self.lookalikes.duplicates:
            notes.append(
                counted_list("Exact duplicates, dropped", [f"{copy} (same as {kept})" for copy, kept in repeats])
            )
        if near := self.lookalikes.across_the_split():
            notes.append(
                counted_list("A training and a test photo look alike", [f"{train} and {test}" for train, test in near])
                + " If they show the same skin, give them a common group."
            )
        return tuple(notes)


def endings(names: Iterable[str]) -> Counter[str]:
    """The number of these file names with each ending, in lower case; "" for none."""
    return Counter(PurePosixPath(name).suffix.lower() for name in sorted(names))


def by_ending(names: Iterable[str]) -> str:
    """The endings of these file names with their counts, the most frequent first.

    >>> by_ending(["a.HEIC", "b.heic", "c.dng", "d"])
    '2 .heic, 1 .dng, 1 without ending'
    """
    return ", ".join(f"{count:,} {ending or 'without ending'}" for ending, count in endings(names).most_common())


def counted_list(what: str, names: Sequence[str], rest: str = ", all in manifest.json") -> str:
    """'what (7): a, b, c, d, e and 2 more, all in manifest.json.'"""
    more = f" and {len(names) - 5:,} more{rest}" if len(names) > 5 else ""
    return f"{what} ({len(names):,}): {', '.join(names[:5])}{more}."
