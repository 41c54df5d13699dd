"""Find our columns among those of a survey, by usual names or those of a layout, in each file by what it has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from fnmatch import fnmatchcase

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.answers.columns.layouts import LAYOUTS, NOT_GIVEN, PERSON, PICTURE
from analysis.answers.form import Form
from analysis.answers.judgements import by_value, meanings, plain
from analysis.answers.numbers import MISSING, PLAUSIBLE, TIMES, read_numbers
from analysis.answers.tables.table import FILE, Table, several
from analysis.answers.tables.text_file import column_name
from analysis.numbers import listed
from analysis.section import AnalysisError

USUAL = {  # names that are recognised without --layout, because they have a single meaning
    "participant": PERSON, "image": PICTURE,
    "truth": ("truth", "ground_truth", "true_class", "true_label", "actual_class", "actual_label", "image_truth"),
    "answer": (
        "answer", "response", "judgement", "judgment", "user_answer", "user_response", "participant_answer",
        "participant_response", "subject_response", "given_answer", "decision", "choice", "answer.choice",
        "answer.answer", "answer.response", "antwort", "urteil", "réponse", "reponse", "risposta", "respuesta",
    ),
}  # fmt: skip
TIME = re.compile(  # with or without its unit
    r"(?:rt|(?:resp(?:onse)?|react(?:ion)?|answer|decision)[_ .-]?time|(?:response[_ .-]?)?latency"
    r"|reaktionszeit|antwortzeit|temps[_ .-]de[_ .-]r(?:é|e)(?:action|ponse)|tempo[_ .-]di[_ .-](?:reazione|risposta)"
    r"|tiempo[_ .-]de[_ .-](?:reacci(?:ó|o)n|respuesta))"
    r"[_ .-]?(?:[(\[]?(ms|msec|s|sec|[uµμ]s|[uµμ]sec|ns|nsec)[)\]]?)?"
)
LONGEST = 1e6  # ms that a median may reach, rather than be in µs
ONE_PERSON_A_ROW = ("wide", "qualtrics")


def with_our_columns(table: Table, form: Form, chosen: dict[str, str]) -> tuple[Table, set[str], list[str]]:
    """The table with columns under our names; the names of these in the files; and sentences on them.

    Files with other columns are read on their own: one may say `subject`, the next `participant`. `chosen`, of --map,
    holds for the files that have the column.
    """
    parts, places, used = [], [], set(chosen.values())
    taken: dict[tuple[str, str], list[str]] = {}
    alternatives: dict[str, dict[str, None]] = {}
    before: dict[str, str] = {}
    nameless: list[str] = []
    columns: dict[str, frozenset[str]] = {}
    kinds = list(_kinds(table))
    for files, rows, part in kinds:
        here = {name: column for name, column in chosen.items() if column in part.frame or column not in table.frame}
        part = part.with_frame(renamed(part.frame, here))
        found, others = _known_columns(part, form, here, before)
        if len(kinds) > 1 and form.layout != "wide" and "image" not in {*part.frame, *found}:
            found = {name: column for name, column in found.items() if name == "participant"}  # a questionnaire
        before = found | before
        frame = renamed(part.frame, found)
        unnamed = FILE in frame and "image" in frame and "participant" not in frame
        if len(kinds) > 1 and unnamed and form.layout not in ONE_PERSON_A_ROW:
            frame, nameless = frame.rename(columns={FILE: "participant"}), [*nameless, *files]
        parts.append(frame)
        columns |= dict.fromkeys(files, frozenset(map(str, frame)))
        places.append(rows)
        used |= set(found.values())
        for name, column in found.items():
            taken.setdefault((name, column), []).extend(files)
            alternatives.setdefault(name, {}).update(dict.fromkeys(others.get(name, [])))
    if len(parts) > 1:
        frame = pd.concat(parts)
        table = table.with_frame(frame.iloc[np.argsort(np.concatenate(places))])
        if 0 < len(nameless) < len(table.files):
            table = table.noting(f"Without a column of participants, each file is one: {several(nameless)}.")
    else:
        table = table.with_frame(parts[0])
    table = replace(table, columns=tuple(columns[file] for file in table.files))
    return table, used, _sentences(taken, alternatives, len(table.files))


def with_correct_alone(table: Table) -> NDArray[np.bool_]:
    """The rows of files that have a column `correct`, filled in, and none of answers."""
    files = [k for k, own in enumerate(table.columns) if "correct" in own and "answer" not in own]
    rows: NDArray[np.bool_] = np.isin(table.file_of(table.frame.index), files)
    return rows & table.frame["correct"].notna().to_numpy() if files else rows


def _sentences(taken: dict[tuple[str, str], list[str]], alternatives: dict[str, dict[str, None]], n: int) -> list[str]:
    """On the columns that were read under other names, and on those that might have been."""
    notes = []
    if others := [
        f"{name} from {column}" + (f" in {several(files)}" if len(files) < n else "")
        for (name, column), files in taken.items()
        if column not in (name, "stimulus")
    ]:
        notes = [f"Read under other names: {listed(others)}."]
    for name, more in alternatives.items():
        own = [column for of, column in taken if of == name]
        if also := [column for column in more if column not in own]:
            notes.append(
                f"{name} is read from {listed(own)}, but {listed(also)} may be meant: --map {name}=COLUMN chooses."
            )
    return notes


def _kinds(table: Table) -> Iterator[tuple[list[str], np.ndarray, Table]]:
    """The files with the same columns, their rows, and these as a table; those with most rows first."""
    file = table.file_of(table.frame.index)
    groups: dict[frozenset[str], list[int]] = {}
    for k, columns in enumerate(table.columns):
        groups.setdefault(columns, []).append(k)
    if len(groups) < 2:
        yield list(table.files), np.arange(len(table.frame)), table
        return
    rows = {columns: np.flatnonzero(np.isin(file, of)) for columns, of in groups.items()}
    for columns, of in sorted(groups.items(), key=lambda group: -len(rows[group[0]])):
        frame = table.frame.iloc[rows[columns]]
        frame = frame[[c for c in frame if c in columns or frame[c].notna().any()]]
        files = [table.files[k] for k in of]
        yield files, rows[columns], replace(table.with_frame(frame), name=several(files))


def _known_columns(
    table: Table, form: Form, chosen: dict[str, str], before: dict[str, str]
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """The table's column for each of ours; and others that the same pattern of the layout matches as well.

    With a layout, it is the first of the layout's names that the table has with values beside an image. If several
    columns match, it is the one of other files (`before`), else the one of the component that gives the answer or the
    rating (`resp.keys`, `resp.rt`), for the answer the one whose words are known, else the one with most values beside
    an image. Without a layout, columns with a usual name are taken; no answer if a rating or `correct` gives it.
    """
    frame, words = table.frame, meanings(form.words)["answer"]
    ratings = [column_name(option.partition(":")[0]) for option in (form.rating, form.confidence) if option]
    found: dict[str, str] = {}
    alternatives: dict[str, list[str]] = {}
    if form.layout is not None:
        known = LAYOUTS[form.layout]
    else:
        if not {*TIMES} & {*frame, *chosen}:
            found = _time_column(table, before)
        said = form.rating is not None or "correct" in chosen or ("correct" in frame and frame["correct"].notna().any())
        lacking = {name for name in USUAL if name not in frame or frame[name].isna().all()}
        known = {k: v for k, v in USUAL.items() if k in lacking and not (said and k == "answer")}
    for name, patterns in known.items():
        ours = name in frame and name not in (*patterns, *NOT_GIVEN.get(form.layout or "", ()))
        if name in chosen or ours:
            continue
        for pattern in patterns:
            matches = [c for c in frame.columns if fits(c, pattern)]
            if name == "answer":
                matches = [c for c in matches if c not in ratings and not c.startswith("response_time")]
            if not matches:
                continue
            shown, answer = found.get("image", "image"), found.get("answer", chosen.get("answer", ""))
            answer = ratings[0] if form.rating else answer
            everywhere = name in ("participant", "image") or shown not in frame  # a row may name the participant of all
            judged = frame[matches] if everywhere else frame.loc[frame[shown].notna(), matches]
            rank = {c: _beside(c, answer) or (name == "answer" and _in_words(judged[c], words)) for c in matches}
            best = max(matches, key=lambda c: (c == before.get(name), rank[c], judged[c].notna().sum()))
            empty = not judged[best].notna().any()
            if empty and (name in found or (name == "answer" and form.rating)):
                continue
            found[name] = best
            alternatives[name] = [
                c
                for c in matches
                if rank[c] == rank[best] and judged[c].notna().any() and not judged[c].equals(judged[best])
            ]
            if not empty:
                break
    return found, alternatives


def fits(column: str, pattern: str) -> bool:
    """Whether a column has a name; spaces and the like between words do not matter.

    >>> [fits(column, "participant_id") for column in ("participant_id", "participant.id", "participantid", "id")]
    [True, True, True, False]
    """
    return fnmatchcase(column, pattern) or re.sub(r"[ _.-]", "", column) == pattern.replace("_", "")


def _beside(column: str, answer: str) -> bool:
    """Whether a column is of the component that gives the answer.

    >>> _beside("resp.rt", "resp.keys"), _beside("response_time_sure", "response_sure"), _beside("a.rt", "")
    (True, True, False)
    """
    component = answer.rpartition(".")[0]
    return column.rpartition(".")[0] == component != "" or column == answer.replace("response", "response_time", 1)


def _in_words(values: pd.Series, words: dict[str, str]) -> bool:
    """Whether most of the answers in a column are words that are known."""
    said = by_value(values, plain).dropna()
    said = said[~said.isin(MISSING)]
    return bool(len(said) and said.isin(words).mean() > 0.5)


def _time_column(table: Table, before: dict[str, str]) -> dict[str, str]:
    """The column of response times under our name for it, with the unit from its name or, failing that, its median.

    Where its few values fit both, the unit is that of the same column in other files.
    """
    columns = [(str(column), match) for column in table.frame if (match := TIME.fullmatch(str(column)))]
    columns = [one for one in columns if "latency" not in one[0]] or columns  # which may be that of a network
    if not columns:
        return {}
    if len(columns) > 1:
        raise AnalysisError(
            f"{table.name}: the columns {' and '.join(column for column, _ in columns)} may all be response times; "
            "choose one with --map response_time_ms=COLUMN or --map response_time_s=COLUMN."
        )
    column, unit = columns[0][0], columns[0][1][1]
    if unit:
        return {f"response_time_{'u' if unit[0] in 'µμ' else unit[0]}{'s' * (unit[0] != 's')}": column}
    read: dict[str, pd.Series] = {}
    files = table.file_names(table.frame.index) if len(table.files) > 1 else None
    for name in TIMES[:2]:
        with suppress(AnalysisError):
            read[name] = read_numbers(table.frame[column], name, table.place, files=files)[0]
    ms, s = (read.get(name) for name in TIMES[:2])
    if ms is not None and s is not None and np.allclose(ms, 1000 * s, equal_nan=True):  # its values say their units
        return {TIMES[0]: column}
    names = [name for name, numbers in read.items() if numbers.notna().any()]
    if ms is not None and names == [TIMES[0]] and (middle := float(ms[ms > 0].median())) > PLAUSIBLE[TIMES[2]][0]:
        shorter = [name for name in TIMES[2:] if middle <= PLAUSIBLE[name][1]][:1]
        names = shorter if middle > LONGEST and shorter else [*names, *shorter]
    if len(names) == 1:
        return {names[0]: column}
    if elsewhere := [name for name, other in before.items() if other == column]:
        return {elsewhere[0]: column}
    first, second = (name.rpartition("_")[2] for name in (names if len(names) > 1 else TIMES[:2]))
    raise AnalysisError(
        f"{table.name}: the times in the column {column} may be in {first} or in {second}; give --map "
        f"response_time_{first}={column} or --map response_time_{second}={column}."
    )


def renamed(frame: pd.DataFrame, chosen: dict[str, str]) -> pd.DataFrame:
    """The frame with columns under new names, replacing columns of these names; one column may serve for two names."""
    taken = {name: frame[column] for name, column in chosen.items() if column in frame and name != column}
    return frame.drop(columns=[name for name in taken if name in frame]).assign(**taken) if taken else frame
