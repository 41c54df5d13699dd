"""Age, sex and more from another table with the participants' IDs, such as Prolific's demographic export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.answers.judgements import by_value
from analysis.answers.layouts import PERSON
from analysis.answers.tables.table import Table, read_tables
from analysis.answers.tables.text_file import header
from analysis.section import AnalysisError

IDS = ("participant id", "participantid", "prolific id", "prolific_id", "worker_id", *PERSON, "id")
WITHDRAWN = ("DATA_EXPIRED", "CONSENT_REVOKED")  # Prolific's words for a value that it may not give any more


def by_kind(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files of answers, and Prolific's demographic exports among them, by their columns."""
    people = [path for path in files if {"submission id", "participant id"} <= header(path)]
    return [path for path in files if path not in people] or list(files), people if len(people) < len(files) else []


def with_demographics(table: Table, files: Sequence[Path]) -> Table:
    """The answers with the columns of people's tables beside; a column that both have is the answers'.

    IDs are matched with `participant` if it holds those of half of the participants, else with the column that holds
    most of them among those with one value for each participant: a running number of rows is no such column. Raises
    AnalysisError if none holds any.
    """
    if not files or "participant" not in table.frame:
        return table
    known = read_tables(files)
    people = known.frame.rename(columns=lambda column: str(column).strip().lower())
    key = next((column for column in IDS if column in people), None)
    if key is None:
        raise AnalysisError(
            f"{known.name} has no column of participants' IDs (it has: {', '.join(people.columns)}): call it "
            "participant_id."
        )
    people = people[people[key].notna()].replace(dict.fromkeys(WITHDRAWN, None))
    people.index = pd.Index(people.pop(key).str.strip(), name=None)
    people = people[~people.index.duplicated()]
    answers = table.frame
    column = max(_identifying(answers), key=lambda c: _held(answers, c, people.index))
    if 2 * _held(answers, "participant", people.index) >= answers["participant"].nunique():
        column = "participant"
    ids = by_value(answers[column], lambda value: str(value).strip())
    found = ids.isin(people.index)
    if people.empty or not found.any():
        raise AnalysisError(
            f"None of the participants of {table.name} is in {known.name}: its {key} ({', '.join(people.index[:2])}, "
            f"...) would have to be the participant ('{answers['participant'].iloc[0]}') or in another column of the "
            "answers. Our own export names platforms' IDs with --with-external-ids."
        )
    added = people[[c for c in people if c not in answers and people[c].notna().any()]].reindex(ids)
    persons = answers["participant"][found.to_numpy()].nunique()
    sentence = (
        f"{known.name} describes {persons} of {answers['participant'].nunique()} participants (matched by {column}): "
        f"{', '.join(added.columns)}."
    )
    frame = pd.concat([answers, added.set_axis(answers.index)], axis=1)
    return replace(table, frame=frame, notes=[*table.notes, *known.notes, sentence])


def _identifying(answers: pd.DataFrame) -> list[str]:
    """`participant`, and the columns in which each participant has one value, which no other participant has."""
    others = [str(column) for column in answers if column != "participant"]
    pairs = ((c, answers[["participant", c]].dropna().drop_duplicates()) for c in others)
    return ["participant", *(c for c, pair in pairs if len(pair) == pair[c].nunique() == pair["participant"].nunique())]


def _held(answers: pd.DataFrame, column: str, ids: pd.Index) -> int:
    distinct = pd.Series(answers[column].dropna().unique()).astype(str).str.strip()
    return int(distinct.isin(ids).sum())
