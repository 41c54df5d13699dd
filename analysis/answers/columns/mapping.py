"""Map the columns of any survey to ours: --map, the layouts of other programs, and the truth from a second table."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.answers.columns.layouts import (
    EVENT_LOGS,
    KEY,
    ONE_FILE_EACH,
    TOTALS,
    last_of_lists,
    not_of_participants,
    pictures,
    questions,
    rounds,
    routine,
)
from analysis.answers.columns.names import ONE_PERSON_A_ROW, renamed, with_our_columns
from analysis.answers.columns.truths import FOLDERS, with_truth
from analysis.answers.form import Form
from analysis.answers.judgements import KINDS, RIGHT, WRONG, by_value, meanings, plain
from analysis.answers.numbers import MISSING, TIMES
from analysis.answers.scales import side_of
from analysis.answers.tables.table import FILE, Table, read_tables, several
from analysis.answers.tables.text_file import column_name
from analysis.section import AnalysisError
from glimpse.command_line import counted, did_you_mean

NAMES = (
    "participant", "image", "truth", "answer", "set", "source", *TIMES, "position", "exposure_ms_planned",
    "exposure_ms_actual", "dropped_frames", "focus_lost", "answered_at", "catch", "flags", "state", "correct",
)  # fmt: skip
NUMBER = re.compile(r"[+-]?\d[\d.,]*\s*%?")


def arranged(table: Table, form: Form) -> Table:
    """The table with our column names; rows without an image, a truth and an answer are dropped and counted."""
    log = next((name for name, own in EVENT_LOGS.items() if own <= set(table.frame)), None)
    if form.layout is None and log is not None:
        form = replace(form, layout=log)
        table = table.noting(f"Read with --layout {log}, as its columns are those of that program.")
    chosen, truths, read = _chosen(form.map), _truths(form), table.file_of(table.frame.index)
    table = _without_preliminaries(table, form)
    if form.layout == "otree":
        table = table.with_frame(rounds(table.frame, chosen.get("image")))
    _check_chosen(chosen, table, truths)
    table, sentences = _with_our_columns(table, form, chosen)
    table = table.with_frame(_with_participants(table, form)).noting(_codes_against_names(table, form, chosen))
    dropped = listed = 0
    if form.layout is not None:
        frame, dropped = routine(table.frame, form.layout)
        frame, listed = last_of_lists(frame, form.layout)
        if "image" in frame:
            frame["image"] = pictures(by_value(frame["image"], _image_name))
        table = table.with_frame(frame)
    if "truth" not in table.frame and "image" in table.frame:
        table = table.with_frame(_truth_from_folders(table.frame, form))
    if truths is not None:
        truths.refuse_doubled(set(chosen.values()))
        frame, left_out = with_truth(table, truths.with_frame(renamed(truths.frame, chosen)), layout=form.layout)
        table = table.with_frame(frame).noting(left_out)
    table = _without_totals(table, form)
    if explained := _explanations(table, form):
        table = _without_explanation(table, explained[0])
    judged, (table, empty) = table, _without_empty(table, form)
    _check_answers_beside_images(judged, table)
    if listed:
        table = table.noting(
            f"{counted(listed, 'row')} with several keys or clicks: the last one counts, with its time."
        )
    if dropped := dropped + empty:
        table = table.noting(
            f"Left out: {counted(dropped, 'row')} without a judgement of an image (instructions, fixation, ...)."
        )
    unused = np.setdiff1d(read, table.file_of(table.frame.index))
    if table.files and len(unused):
        table = table.noting(f"Without judgements of images: {several([table.files[k] for k in unused])}.")
    return replace(table, notes=[*table.notes, *sentences])


def _truths(form: Form) -> Table | None:
    """The table of `--truth`. Raises AnalysisError if it is missing."""
    if form.truth is None:
        if form.layout == "wide":
            raise AnalysisError("--layout wide needs --truth FILE.csv, a table of the images that its columns name.")
        return None
    if not form.truth.is_file():
        raise AnalysisError(f"--truth: there is no file {form.truth}: check the path.")
    return read_tables([form.truth])


def _without_preliminaries(table: Table, form: Form) -> Table:
    """The table without a first row of questions, previews, tests, spam and bots."""
    if form.layout == "wide" or (form.layout == "qualtrics" and not table.titles):
        titles = questions(table.frame)
        if titles:
            table = _without_explanation(replace(table, titles=titles), table.frame.index[0])
    if form.layout in ("qualtrics", "otree") or table.titles:
        gone = not_of_participants(table.frame)
        table = table.with_frame(table.frame[~gone])
        if gone.any():
            table = table.noting(f"Left out {counted(int(gone.sum()), 'row')} of previews, tests, spam or bots.")
    return table


def _without_explanation(table: Table, label: Any) -> Table:
    return table.with_frame(table.frame.drop(index=label)).noting(
        f"{table.place(label)} explains the columns and is left out."
    )


def _check_chosen(chosen: dict[str, str], table: Table, truths: Table | None) -> None:
    """Raises AnalysisError if --map names a column that neither table has."""
    there = [*table.frame.columns, *(() if truths is None else truths.frame.columns)]
    for name, column in chosen.items():
        if column not in there:
            raise AnalysisError(
                f"--map {name}={column}: {table.says('has')} no column {column}; {did_you_mean(column, there)}"
            )


def _with_our_columns(table: Table, form: Form, chosen: dict[str, str]) -> tuple[Table, list[str]]:
    """The table with the columns of --map and of the layout under our names, and sentences on those of the layout.

    Raises AnalysisError if two different columns have the name of one that is needed.
    """
    named, used, sentences = with_our_columns(table, form, chosen)
    ratings = {column_name(option.partition(":")[0]) for option in (form.rating, form.confidence) if option}
    ours = set(NAMES) - ({"correct"} if "answer" in named.frame else set())
    table.refuse_doubled(used | ratings | (ours - set(chosen)))
    return named, sentences


def _codes_against_names(table: Table, form: Form, chosen: dict[str, str]) -> str:
    """A sentence on a column such as `is_fake` whose 1, true or yes means real by --words, or the reverse; else ""."""
    for name in ("truth", "answer"):
        column, words = chosen.get(name, ""), meanings(form.words)[name]
        side = side_of(re.sub("_|(?<=^is)(?!_)", " ", column), {})
        said = {*by_value(table.frame[name], plain).dropna()} - MISSING if side and name in table.frame else set()
        yes = sorted(said & {*RIGHT})
        if said and said <= {*RIGHT, *WRONG} and any(words.get(word) in {*KINDS[:2]} - {side} for word in yes):
            return (
                f"--words says that {yes[0]} in {column} means {words[yes[0]]}, where its name says {side}: if it "
                f"does, write --words {name}.{side}={yes[0]}, and the like for other codes."
            )
    return ""


def _with_participants(table: Table, form: Form) -> pd.DataFrame:
    """The answers with the participants that the files or the rows stand for, if no column names them."""
    frame = table.frame
    if form.layout is not None:
        frame = _one_file_each(frame, table, unnamed=form.layout not in ("wide", "qualtrics"))
    if form.layout == "wide" and "participant" not in frame:  # not the time stamp: two people may answer at once
        first = by_value(frame.bfill(axis=1).iloc[:, 0], str)  # the cell that may name the key of the answers
        key = by_value(first, lambda name: KEY.fullmatch(plain(name)) is not None).fillna(False).astype(bool)
        numbers = pd.Series(np.arange(1, len(frame) + 1).astype(str), index=frame.index)
        frame = frame.assign(participant=numbers.mask(key, first) if key.sum() == 1 else numbers)
    if "participant" not in frame and len(table.files) == 1 and form.layout in ONE_FILE_EACH:
        frame = frame.assign(participant=table.files[0].rpartition(".")[0])
    if "participant" not in frame and FILE in frame and len(table.files) > 1:
        frame = frame.rename(columns={FILE: "participant"})
    return frame


def _without_empty(table: Table, form: Form) -> tuple[Table, int]:
    """The table without rows that lack an image, a truth and an answer, and how many of them a layout leaves out.

    With a layout those that lack an image or a truth go; without one the empty rows count as blank.
    """
    given = [c for c in ("image", "truth", "answer") if c in table.frame]
    if not given or table.frame.empty:
        return table, 0
    empty = pd.concat([table.frame[c].isna() for c in given], axis=1)
    needed = [c for c in ("image", "truth") if c in given]
    gone = empty[needed].any(axis=1) if form.layout and needed else empty.all(axis=1)
    table, count = table.with_frame(table.frame[~gone]), int(gone.sum())
    return (table, count) if form.layout else (replace(table, blank=table.blank + count), 0)


def _without_totals(table: Table, form: Form) -> Table:
    """The table without rows of sums and means: such a participant, or such a word beside a missing name.

    A participant of that name is a person if truth and answer are words, unless a file ends with the only such row.
    """
    frame = table.frame
    if not {"participant", "image"} <= {*frame}:
        return table

    def named(values: pd.Series) -> NDArray[np.bool_]:
        found = by_value(values, lambda value: TOTALS.fullmatch(plain(value)) is not None).fillna(False)
        return found.to_numpy(bool)

    gone = named(frame["participant"])
    if gone.any():
        last = frame.index.to_series().groupby(table.file_of(frame.index)).transform("max") == frame.index
        gone[gone] = ~_judged(table.with_frame(frame[gone]), form, last.to_numpy(bool)[gone])
    lacking = frame[["participant", "image"]].isna().any(axis=1).to_numpy(bool)
    if lacking.any():
        gone[lacking] |= np.logical_or.reduce([named(values) for _, values in frame[lacking].items()])
    if not gone.any() or gone.all():
        return table
    first = table.place(frame.index[gone][0])
    return table.with_frame(frame[~gone]).noting(
        f"Left out: {counted(frame.index[gone].nunique(), 'row')} of sums or means, the first on {first}."
    )


def _judged(table: Table, form: Form, last: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether each row is of a person: truth and answer are words, and it is not the last of its file and only one.

    A word may be misspelt; numbers that are no known words are sums, and in a row for each person all numbers are.
    """
    frame, words = table.frame, meanings(form.words)
    known = {"truth": {*words["truth"]}, "answer": {*words["answer"]}, "correct": {*RIGHT, *WRONG}}
    judged, in_a_row = np.ones(len(frame), bool), form.layout in ONE_PERSON_A_ROW
    for column in ({"truth"} if form.rating else {*known}) & {*frame}:
        said = by_value(frame[column], plain)
        code = said.isin(known[column]) & (column == "truth" or not in_a_row)
        word = by_value(said, NUMBER.fullmatch).isna() & (said.notna() | (column != "truth"))
        judged &= (code | word).to_numpy(bool)
    names = [table.file_of(frame.index), frame["participant"].to_numpy()]
    of_each = pd.Series(frame.index).groupby(names)
    if in_a_row:
        judged = pd.Series(judged).groupby(names).transform("all").to_numpy(bool)
    count = of_each.transform("nunique" if in_a_row else "size")
    return judged & ~((count == 1).to_numpy(bool) & (last | (form.rating is not None)))


def _check_answers_beside_images(before: Table, table: Table) -> None:
    """Raises AnalysisError if all answers stand in rows without an image, as in jsPsych where a question follows it."""
    if not {"image", "answer"} <= set(before.frame) or table.frame.empty:
        return
    given = by_value(before.frame["answer"], lambda value: None if plain(value) in MISSING else value).notna()
    answered = before.frame[given & before.frame["image"].isna()]
    if len(answered) and not given[before.frame["image"].notna()].any():
        raise AnalysisError(
            f"{table.says('has')} answers only in rows that name no image, first on {table.place(answered.index[0])}: "
            "write the image into these rows (in jsPsych, with data: {image: ...}), or name its column with --map "
            "image=COLUMN."
        )


def _explanations(table: Table, form: Form) -> list[Any]:
    """The first row if none of its words occurs again in its column: the labels that some programs export there."""
    frame, needed = table.frame, ("participant", "image", "truth", "answer")
    if not {*needed} <= {*frame} or len(frame) < 3:
        return []
    first, words = frame.iloc[0], meanings(form.words)
    known = any(plain(first[column]) in {*words[column], *MISSING} for column in ("truth", "answer"))
    alone = all((frame[column].iloc[1:] != first[column]).all() for column in needed)
    return [frame.index[0]] if alone and not known and pd.notna(first[[*needed]]).all() else []


def _chosen(given: Sequence[str]) -> dict[str, str]:
    chosen = {}
    for option in given:
        name, equals, column = map(column_name, option.partition("="))
        if not equals or not column:
            raise AnalysisError(f"--map {option}: write NAME=COLUMN, as in --map participant=subject_id.")
        name = "image" if name == "stimulus" else name
        if name not in NAMES:
            raise AnalysisError(f"--map {option}: {name} is not a column of answers; {did_you_mean(name, NAMES)}")
        chosen[name] = column
    return chosen


def _one_file_each(frame: pd.DataFrame, table: Table, *, unnamed: bool) -> pd.DataFrame:
    """The answers of programs that write one file per participant: one named in a single row has all rows of the file.

    If several files all say 0, as OpenSesame writes in a browser, each file is a participant; so is a file without a
    name, if `unnamed`.
    """
    if "participant" not in frame:
        return frame
    file = pd.Series(table.file_of(frame.index), index=frame.index)
    named = frame["participant"].groupby(file)
    only = named.transform("first").where(named.transform("nunique") == 1)
    found = frame["participant"].fillna(only)
    if len(table.files) > 1:
        names = file.map(lambda k: table.files[k].rpartition(".")[0])
        if file.nunique() > 1 and set(found) == {"0"}:
            found = names
        elif unnamed:
            found = found.mask(found.isna().groupby(file).transform("all"), names)
    return frame.assign(participant=found)


def _image_name(value: Any) -> str | None:
    """The image of a stimulus: the source of an <img>; None for other HTML."""
    text = str(value).strip()
    source = re.search(r"""<img[^>]*\bsrc\s*=\s*["']?([^"'\s>]+)""", text, re.IGNORECASE)
    if source:
        return source[1]
    return None if text.startswith("<") or text.lower() in MISSING else text


def _truth_from_folders(frame: pd.DataFrame, form: Form) -> pd.DataFrame:
    """The answers with the truth from the folder of each image, as in img/real/1.png."""
    words = meanings(form.words)["truth"]

    def truth(value: Any) -> str | None:
        found = {words[plain(part)] for part in FOLDERS.split(str(value))[:-1] if plain(part) in words}
        return found.pop() if len(found) == 1 else None

    truths = by_value(frame["image"], truth)
    return frame.assign(truth=truths) if truths.notna().any() else frame
