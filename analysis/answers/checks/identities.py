"""Check who judged what: files that repeat others, judgements made again, names spelt in two ways."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.answers.columns.layouts import PERSON, PICTURE_FILE
from analysis.answers.columns.names import fits
from analysis.answers.judgements import plain
from analysis.answers.tables.table import Table, several
from analysis.numbers import listed
from glimpse.command_line import counted

AGAIN, AGAIN_ELSEWHERE = 0.5, 0.1  # share of judgements from which repeated ones are named, within and across files
SEPARATING = 6  # most values of a column that tells repeated judgements apart
JUDGEMENT = ("set", "source", "participant", "image", "second", "truth")  # who judged what
UNIQUE = re.compile(r"[^@\s]+@[^@\s]+|(?=.{8}).*[a-z]\d+[a-z].*", re.I)  # an address, or an ID as platforms give
MOMENTS = ("position", "response_time_ms", "response_time_s", "answered_at")  # rows that agree in these too are copies


def held_by_others(table: Table, trials: pd.DataFrame) -> tuple[NDArray[np.bool_], str]:
    """The rows of files, or people, whose answers are all in other files too, and sentences on them; "" if none are.

    So it is with the file of one participant beside one that joins them all. Several files together may hold them by
    chance, if all name their participant `1`.
    """
    gone = np.zeros(len(trials), bool)
    if len(table.files) < 2:
        return gone, ""
    same = [c for c in (*JUDGEMENT, "answer", "rating", "confidence", *MOMENTS) if c in trials]
    judged = (trials["answer"].notna() | trials["rating"].notna()).to_numpy(bool)
    alike = judged.copy()
    alike[judged] = trials[judged].duplicated(same, keep=False)
    file = table.file_of(trials.index)
    places = pd.DataFrame({"file": file[alike], "answer": trials[alike].groupby(same, dropna=False).ngroup()})
    answers, copied = (np.bincount(file[rows], minlength=len(table.files)) for rows in (judged, alike))
    files = [k for k in np.argsort(answers, kind="stable") if copied[k] == answers[k] > 0]
    of_file = {k: set(some) for k, some in places.groupby("file")["answer"]}
    holders = {answer: set(some) for answer, some in places.groupby("answer")["file"]}
    left_out = []
    for k in files:
        own = of_file[k]
        with_the_rarest = min((holders[answer] for answer in own), key=len)
        if any(other != k and own <= of_file[other] for other in with_the_rarest):
            left_out.append(k)
            for answer in own:
                holders[answer].remove(k)
    gone = np.isin(file, left_out)
    said = []
    if left_out:
        names = [table.files[k] for k in np.unique(file[gone])]
        n = counted(int((gone & judged).sum()), "answer")
        said = [f"Left out: {n} of {several(names)}, which other files hold too."]
    rows = np.flatnonzero(judged & ~gone)
    again = rows[_entered_again(table.frame.iloc[rows], file[rows])]
    if len(again):
        people = counted(trials["participant"].iloc[again].nunique(), "participant")
        said.append(f"Left out: {counted(len(again), 'answer')} of {people}, which other files hold too.")
        gone[again] = True
    return gone, " ".join(said)


def _entered_again(raw: pd.DataFrame, file: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The rows of people with unique names that are all in another file, too, as in overlapping exports."""
    gone = np.zeros(len(raw), bool)
    names = raw["participant"].astype(str).to_numpy()
    files = pd.Series(file).groupby(names).nunique()
    shared = np.flatnonzero(np.isin(names, [name for name in files.index[files > 1] if UNIQUE.fullmatch(name)]))
    if not len(shared):
        return gone
    row = pd.util.hash_pandas_object(raw.iloc[shared].astype(str), index=False).to_numpy()
    for _, at in pd.Series(np.arange(len(shared))).groupby(names[shared]):
        parts = sorted((part.to_numpy() for _, part in at.groupby(file[shared[at]])), key=len)
        for k, part in enumerate(parts):
            gone[shared[part]] = any({*row[part]} <= {*row[other]} for other in parts[k + 1 :])
    return gone


def repeats(table: Table, trials: pd.DataFrame) -> str:
    """A sentence on people who judged the same images again, with what may be meant; "" if few did.

    Two files may use the same numbers for different people, and a column may hold two questions about each image.
    """
    raw = table.frame
    names = [c for c in JUDGEMENT if c in trials]
    judged = trials["answer"].notna().to_numpy(bool)
    key = trials.loc[judged, names]
    again = key.duplicated(keep=False)
    if not table.files or again.mean() < AGAIN_ELSEWHERE:
        return "" if again.any() else _numbered_again(table, key["participant"])
    rows, raw = key[again], raw[judged][again.to_numpy()]
    people = counted(int(rows["participant"].nunique()), "participant")
    several = rows.assign(file=table.file_of(rows.index)).groupby(names, dropna=False)["file"].nunique() > 1
    if several.all():
        said = rows.assign(answer=trials.loc[judged, "answer"][again])
        copies = (said.groupby(names, dropna=False)["answer"].nunique() == 1).all()
        what, remedy = ("the same answers", "remove copies of rows, and ") if copies else ("answers", "")
        return (
            f"The same names of {people} are in several files, with {what} to the same images: each name counts as "
            f"one person; {remedy}if different people have the same name, write the name of the file or site before "
            "theirs."
        )
    if again.mean() < AGAIN:  # images drawn with replacement
        return ""
    answers = f"{counted(len(rows), 'answer')} of {people} are repeated judgements of an image"
    for column in (c for c in map(str, raw.columns) if any(fits(c, name) for name in PERSON)):
        if raw[column].notna().all() and not rows.assign(value=raw[column].to_numpy()).duplicated().any():
            return f'{answers}, once for each value of {column}: if it names people, --map "participant={column}".'
    for column in map(str, raw.columns):
        values = raw[column]
        if column in (*key, *MOMENTS, "answer") or not 2 <= values.nunique() <= SEPARATING:
            continue
        if not rows.assign(value=values.to_numpy()).duplicated().any():
            return (
                f"{answers}, once for each value of the column {column}; if it holds different questions, keep one: "
                f'--where "{column}={values.dropna().iloc[0]}".'
            )
    return f"{answers}, and all are scored; if they answer different questions, keep the rows of one."


def _numbered_again(table: Table, people: pd.Series) -> str:
    """A sentence on participants who are numbers, most of them in several files; "" if they are not."""
    if len(table.files) < 2 or not people.str.fullmatch(r"\d+").all():
        return ""
    pairs = pd.DataFrame({"participant": people.to_numpy(), "file": table.file_of(people.index)}).drop_duplicates()
    shared = pairs["participant"].value_counts() > 1
    if shared.mean() <= AGAIN or pairs["file"].nunique() < 2:
        return ""
    return (
        f"The same numbers of {counted(int(shared.sum()), 'participant')} are in several files: each number counts as "
        "one person; if the files are of different people, write the name of the file or site before theirs."
    )


def spellings(trials: pd.DataFrame) -> list[str]:
    """Sentences on participants, images and sets that are probably one under several spellings; [] if none are.

    Sets are if they differ in case alone, participants if they do, or as 7, 7.0 and 007. Images of one set and truth
    are if they differ in case or ending, or as paths of two machines, and everybody judged them under one spelling.
    """
    people = pd.Series(trials["participant"].unique())
    notes = [_alike(people, people.map(_number_or_word), "participant")]
    images = trials[["set", "image", "truth"]].drop_duplicates()
    images["key"] = images["set"] + "\n" + images["truth"] + "\n" + images["image"].map(_file)
    images = images[images["key"].duplicated(keep=False)]
    if len(images):
        judged = trials.merge(images, on=["set", "image", "truth"])[["participant", "key", "image"]].drop_duplicates()
        both = judged.loc[judged.duplicated(["participant", "key"]), "key"]
        images = images[~images["key"].isin(both)]
        notes.append(_alike(images["image"], images["key"], "image"))
    sets = pd.Series(trials["set"].unique())
    notes.append(_alike(sets, sets.map(plain), "set"))
    return [note for note in notes if note]


def _number_or_word(name: str) -> str:
    """A name in lower case; of a whole number its digits without zeros in front."""
    word = plain(name)
    return word.lstrip("0") or "0" if word.isdecimal() else word


def rounded(trials: pd.DataFrame) -> str:
    """A sentence on participants whose names are long numbers that a spreadsheet has rounded; "" if there are none."""
    names = pd.Series(trials["participant"].unique())
    found = names[names.str.fullmatch(r"\d([.,]\d+)?[eE]\+\d+")]
    if found.empty:
        return ""
    return (
        f"'{found.iloc[0]}' is how spreadsheets round long numbers, so several participants may share this name: take "
        "the names from the original file, as text."
    )


def sources_of_people(trials: pd.DataFrame) -> str:
    """A sentence on a column `source` that says one thing of each participant, and several of the same images; ""."""
    if "source" not in trials or (trials["source"] == "").any() or trials["source"].nunique() < 2:
        return ""
    generated = trials[trials["truth"] == "generated"].groupby(["set", "image"])["source"].nunique()
    if generated.empty or generated.min() < 2 or trials.groupby("participant")["source"].nunique().max() > 1:
        return ""
    return (
        f"The column source has one value for each participant ({listed(sorted(trials['source'].unique())[:4])}) and "
        "several for each generated image: it counts as the generator; if it is not, rename it."
    )


def _alike(names: pd.Series, keys: pd.Series, kind: str) -> str:
    alike = keys.duplicated(keep=False)
    if not alike.any():
        return ""
    names, keys = names[alike], keys[alike]
    first, second = names[keys == keys.iloc[0]].iloc[:2]
    n = keys.nunique()
    others = f", and likewise {counted(n - 1, 'other name')}" if n > 1 else ""
    return f"'{first}' and '{second}' count as two {kind}s{others}: if they are one {kind}, spell it in one way."


def _file(image: str) -> str:
    """The name of an image without ending, in lower case; of a whole path or address, that of the file.

    >>> _file("C:/study/Real/1.PNG"), _file("http://lab.org/1.png"), _file("ganA/1.png")
    ('1', '1', 'gana/1')
    """
    whole = re.match(r"[/\\]|[a-z]:[/\\]|[a-z]+://", image, re.I)
    return re.sub(PICTURE_FILE, "", re.split(r"[/\\]", image)[-1] if whole else image, flags=re.I).casefold()
