"""The truth of each image from a second table, joined to the answers by the images' names."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd

from analysis.answers.columns.lacking import likely_column
from analysis.answers.columns.layouts import PICTURE_FILE
from analysis.answers.columns.names import USUAL, fits
from analysis.answers.judgements import by_value, plain
from analysis.answers.tables.table import Table
from analysis.answers.tables.text_file import column_name
from analysis.numbers import listed
from analysis.section import AnalysisError
from glimpse.command_line import counted

TIMING = re.compile(r"(?:first click|last click|page submit|click count)$")  # Qualtrics' times of a page
BESIDE = re.compile(  # of the name of an image, in that of the column of its answers
    r"^(?:answer|response|resp|choice|judge?ment|rating)_|_(?:answer|response|resp|choice|judge?ment|rating)$"
)
SPLIT = 0.1  # share of answers beside the column of their question
FOLDERS = re.compile(r"[/\\]")


def with_truth(table: Table, truths: Table, *, layout: str | None) -> tuple[pd.DataFrame, str]:
    """The answers joined with the table of images, by the longest end that their names share; and a sentence.

    The sentence tells of answers and images without a counterpart. Without a layout, answers without one are refused.
    """
    frame, images, sentence = table.frame, truths.frame, ""
    truths.refuse_doubled(("image", "truth", "set", "source"))
    for column in {"image", "truth"} - set(images):
        usual = next((c for name in USUAL[column] for c in map(str, images) if fits(c, name)), column)
        truths.refuse_doubled([usual])
        images = images.rename(columns={usual: column})
    if len(images) == 1 and "image" not in images and all(re.search(PICTURE_FILE, c) for c in map(str, images)):
        images = images.iloc[0].rename("truth").rename_axis("image").reset_index()  # as in {"1.png": "real", ...}
    lacking = [c for c in ("image", "truth") if c not in images]
    if lacking:
        likely = likely_column(lacking[0], truths.header) or "COLUMN"
        raise AnalysisError(
            f"--truth: {truths.name} lacks the column {lacking[0]} (it has: {truths.lists()}); "
            f"name it with --map {lacking[0]}={likely}."
        )
    images = images[images["image"].notna()].astype({"image": str})
    images["image"] = images["image"].str.strip()
    for column in ("truth", "source", *(["set"] if "set" not in frame else [])):
        if column in images and (twice := images["image"].duplicated() & ~images.duplicated(["image", column])).any():
            label = images.index[twice][0]
            raise AnalysisError(
                f"{truths.place(label)}: '{images.loc[label, 'image']}' has two {column}s; keep one"
                f"{', or none if all sets share it' if column == 'set' else ''}, or write the folders of images whose "
                "files have one name."
            )
    images = images.drop_duplicates("image").set_index("image")
    if "image" not in frame:
        frame, sentence = _long(table, list(images.index), truths.name)
    elif frame["image"].isna().all():
        raise AnalysisError(f"{table.name}: the column image is empty; fill it in.")
    found, reasons = _matches(list(frame["image"].dropna().unique()), list(images.index), truths.name)
    blank = set(images.index[images["truth"].isna()])
    reasons |= {name: f"has no truth in {truths.name}" for name, image in found.items() if image in blank}
    matched = by_value(frame["image"], {name: image for name, image in found.items() if image not in blank}.get)
    unknown = (matched.isna() & frame["image"].notna()).to_numpy(bool)
    if unknown.any():
        place, image = table.place(frame.index[unknown][0]), frame["image"][unknown].iloc[0]
        rows = counted(int(unknown.sum()), "row")
        if layout is None or unknown.sum() == frame["image"].notna().sum():
            remedy = "add it" if image in found else "add it with its whole name"
            raise AnalysisError(f"{place}: the image '{image}' {reasons[image]} ({rows} like it); {remedy}.")
        sentence = f"Left out {rows} of other images ({place}: '{image}' {reasons[image]})."
        frame, matched = frame[~unknown], matched[~unknown]
    extra = {c: by_value(matched, images[c].get) for c in images.columns if c == "truth" or c not in frame}
    if "truth" in frame:
        sentence = " ".join(filter(None, (sentence, _contradicted(table, frame["truth"], extra["truth"], truths.name))))
    return frame.drop(columns=[c for c in extra if c in frame]).assign(image=matched, **extra), sentence


def _contradicted(table: Table, own: pd.Series, truth: pd.Series, name: str) -> str:
    """A sentence on rows whose own truth, in the words of the table of images, is another than there; "" if none is."""
    own, truth = by_value(own, plain), by_value(truth, plain)
    other = (own.notna() & (own != truth)).to_numpy(bool) & own.isin(truth.unique()).to_numpy(bool)
    if not other.any():
        return ""
    return (
        f"In {int(other.sum())} of {len(own)} rows, first on {table.place(own.index[other][0])}, the answers have "
        f"another truth than {name}, which counts."
    )


def _ends(image: Any) -> list[str]:
    """The name of an image with ever fewer of its folders, each with the file's ending and without.

    >>> _ends("img/real/1.png")
    ['img/real/1.png', 'img/real/1', 'real/1.png', 'real/1', '1.png', '1']
    >>> _ends("scan%201.png")  # as in a page
    ['scan%201.png', 'scan 1.png', 'scan%201', 'scan 1']
    >>> _ends("7.0")  # as columns of numbers are saved that have a gap
    ['7.0', '7']
    >>> _ends("https://example.org/a%201.png?v=2")
    ['/a%201.png', '/a 1.png', '/a%201', '/a 1', 'a%201.png', 'a 1.png', 'a%201', 'a 1']
    """
    parts = _parts(image)
    if re.fullmatch(r"\d+\.0", parts[0]) and len(parts) == 1:
        return [parts[0], parts[0][:-2]]
    names = ["/".join(parts[i:]) for i in range(len(parts))]
    ends = (end for name in names for end in (name, re.sub(PICTURE_FILE, "", name, flags=re.I)))
    return list(dict.fromkeys(form for end in ends for form in (end, unquote(end))))


def _parts(image: Any) -> list[str]:
    """The folders and the file of an image's path, of an address without its host and its query."""
    text = str(image).strip()
    path = urlsplit(text).path if re.match(r"https?://", text, re.I) else ""
    return FOLDERS.split(path if re.search(PICTURE_FILE, path, re.I) else text)


def _by_ends(images: Sequence[str], case: Callable[[str], str] = str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for image in images:
        for end in dict.fromkeys(map(case, _ends(image))):
            found.setdefault(end, []).append(image)
    return found


def _matches(names: list[Any], images: list[str], table: str) -> tuple[dict[Any, str], dict[Any, str]]:
    """The image of each name in the answers: the one that shares the longest end; and for names without one, why.

    Case counts only where names differ in nothing else. A name that shares no folder, only that of the file, is
    this image unless folders speak against it. If answers and images have a folder in common, their folders tell images
    apart: `ganB/2.png` is not `real/2.png` beside answers to `real/1.png`. If not, they are paths on two machines, and
    say nothing, unless names from two folders would be one image: of `real/2.png` and `ganB/2.png` neither is `2.png`.
    """
    known, small, own_names = _by_ends(images), _by_ends(images, str.casefold), set(images)
    shared = {  # by each name and an image
        name: (str(name), [str(name)])
        if str(name) in own_names
        else next(((end, fit) for end in _ends(name) if (fit := known.get(end) or small.get(end.casefold()))), ("", []))
        for name in names
    }
    in_common = {_folder(name) for name in names} & {_folder(image) for image in images} - {""}
    elsewhere: dict[str, dict[str, str]] = {}  # the folders of names that share that of the file alone, with the names
    for name, (end, fit) in shared.items():
        if len(fit) == 1 and "/" not in end and (folder := _folder(name)):
            elsewhere.setdefault(fit[0], {}).setdefault(folder, name)
    found, reasons = {}, {}
    for name, (_, fit) in shared.items():
        if len(fit) != 1:
            several = f"may be '{fit[0]}' or '{fit[1]}' of {table}" if fit else ""
            reasons[name] = several or f"is not in {table}"
            continue
        folder, own, folders = _folder(name), _folder(fit[0]), elsewhere.get(fit[0], {})
        if folder in folders.keys() - {own} and len(folders) > 1:
            other = next(one for of, one in folders.items() if of != folder)
            reasons[name] = f"and '{other}' would both be '{fit[0]}' of {table}"
        elif folder in folders.keys() - {own} and own and in_common:
            reasons[name] = f"is not in {table}, which has '{fit[0]}'"
        else:
            found[name] = fit[0]
    return found, reasons


def _folder(name: Any) -> str:
    """The folder of a file, in lower case; "" if the name gives none."""
    return next((unquote(part).casefold() for part in _parts(name)[-2::-1] if part.strip(".")), "")


def _refuse_split_answers(table: Table, columns: Collection[str]) -> None:
    """Raises AnalysisError if a column without a name holds the answers that the one of an image before it lacks.

    So it is where a survey writes a column for each choice and the question above the first one alone.
    """
    order = list(map(str, table.frame.columns))
    for column, after in pairwise(order):
        if column in columns and after.startswith("unnamed: "):
            lacking = table.frame[column].isna()
            if SPLIT * len(lacking) < (lacking & table.frame[after].notna()).sum():
                said = table.frame.loc[lacking, after].dropna().iloc[0]
                raise AnalysisError(
                    f"{table.name}: the column after {column} has no name and holds other answers ('{said}'): export "
                    "one column for each question, not for each choice."
                )


def _long(table: Table, images: list[str], truths: str) -> tuple[pd.DataFrame, str]:
    """One row per answer, from one row per participant with one column per image; and a sentence on lacking columns.

    The column's name (or its question, in Qualtrics) is or contains the name of the image. A file without the column of
    an image did not show it.
    """
    frame = table.frame
    asked = {column_name(c): text.strip().lower() for c, text in table.titles.items()}
    columns: dict[str, str] = {}
    ends = _by_ends(images)
    for image in images:
        named = [c for c in frame.columns if c == image.lower()]
        for end in (end for end in _ends(image) if len(ends[end]) == 1):  # a question may leave out folder and ending
            whole = re.compile(rf"(?<![\w.-]){re.escape(end.lower())}(?![\w-])")
            named = named or [c for c in frame.columns if end.lower() in (c, BESIDE.sub("", c))]
            named = named or [c for c in frame.columns if whole.search(asked.get(c, c)) and not TIMING.search(c)]
        if len(named) > 1:
            raise AnalysisError(
                f"{table.name}: the questions of the columns {' and '.join(named[:2])} both name the image {image}; "
                f"name its column in {truths} instead."
            )
        if other := columns.get(named[0] if named else ""):
            raise AnalysisError(
                f"{table.name}: the column {named[0]} names the images {other} and {image}; name the column of each in "
                f"{truths} instead."
            )
        columns |= dict.fromkeys(named, image)
    table.refuse_doubled(columns)
    _refuse_split_answers(table, columns)
    if not columns:
        raise AnalysisError(
            f"{table.says('has')} neither a column image nor columns (or questions) named after the images of {truths}."
        )
    rest = frame.drop(columns=list(columns))
    lacking = [image for image in images if image not in columns.values()]
    file = table.file_of(frame.index)
    shown = {c: np.isin(file, [k for k, own in enumerate(table.columns) if c in own]) for c in columns}
    long = pd.concat([rest[shown[c]].assign(image=i, answer=frame.loc[shown[c], c]) for c, i in columns.items()])
    return (
        long,
        f"No column for {counted(len(lacking), 'image')} of {truths}: {listed(lacking[:4])}." if lacking else "",
    )
