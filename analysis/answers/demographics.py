"""Join participants' age, sex and so on by their IDs, from a table such as Prolific's demographic export."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.answers.columns.layouts import PERSON
from analysis.answers.judgements import by_value
from analysis.answers.tables.table import Table, read_tables
from analysis.answers.tables.text_file import column_name, header
from analysis.section import AnalysisError
from glimpse.command_line import counted

IDS = ("participant id", "participantid", "prolific id", "prolific_id", *PERSON, "id")
WITHDRAWN = ("DATA_EXPIRED", "CONSENT_REVOKED")  # Prolific's words for a value that it may no longer disclose


def by_kind(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The files of answers, then Prolific's demographic exports; their columns tell which is which."""
    people = [path for path in files if {"submission id", "participant id"} <= header(path)]
    return [path for path in files if path not in people] or list(files), people if len(people) < len(files) else []


def with_demographics(table: Table, files: Sequence[Path]) -> Table:
    """The answers joined with the tables of participants; if both have a column, that of the answers is kept.

    IDs are matched with `participant` if half of its values are among them. Otherwise they are matched with the column
    in which most of them are found, among those with one value for each participant (a running number of rows has
    several). Raises AnalysisError if no column holds any of the IDs.
    """
    if not files or "participant" not in table.frame:
        return table
    known = read_tables(files)
    people = known.frame.rename(columns=column_name)
    key = next((column for column in IDS if column in people), None)
    if key is None:
        raise AnalysisError(
            f"{known.says('has')} no column of participants' IDs (it has: {known.lists()}): name that "
            "column participant_id."
        )
    known.refuse_doubled(list(map(str, people)))
    people = people[people[key].notna()].replace(dict.fromkeys(WITHDRAWN, None))
    people.index = pd.Index(people.pop(key).str.strip(), name=None)
    people, repeated = people[~people.index.duplicated()], people[people.index.duplicated(keep=False)]
    answers = table.frame
    column = max(_identifying(answers), key=lambda c: _held(answers, c, people.index))
    if 2 * _held(answers, "participant", people.index) >= answers["participant"].nunique():
        column = "participant"
    ids = by_value(answers[column], lambda value: str(value).strip())
    found = ids.isin(people.index)
    if people.empty or not found.any():
        raise AnalysisError(
            f"None of the participants of {table.name} is in {known.name}: its {key} ({', '.join(people.index[:2])}, "
            f"...) must occur in the answers, as the participant (such as '{answers['participant'].iloc[0]}') or in "
            "another column. Our own export includes platforms' IDs with --with-external-ids."
        )
    added = people[[c for c in people if c not in answers and people[c].notna().any()]].reindex(ids)
    persons = answers["participant"][found.to_numpy()].nunique()
    sentence = (
        f"{known.says('describes')} {persons} of {answers['participant'].nunique()} participants (matched by "
        f"{column}): {', '.join(added.columns)}."
    )
    differing = repeated[list(added)][repeated.index.isin(ids)].groupby(level=0).nunique() > 1
    if differing.to_numpy().any():
        who = differing.index[differing.any(axis=1)]
        sentence += (
            f" It has rows of {counted(len(who), 'participant')} that differ, of which the first counts: check "
            f"{who[0]} ({', '.join(differing.columns[differing.loc[who[0]]])})."
        )
    frame = pd.concat([answers, added.set_axis(answers.index)], axis=1)
    return replace(table, frame=frame, notes=[*table.notes, *known.notes, sentence])


def _identifying(answers: pd.DataFrame) -> list[str]:
    """`participant`, and the columns with exactly one value for each participant and a different one for each."""
    others = [str(column) for column in answers if column != "participant"]
    pairs = ((c, answers[["participant", c]].dropna().drop_duplicates()) for c in others)
    return ["participant", *(c for c, pair in pairs if len(pair) == pair[c].nunique() == pair["participant"].nunique())]


def _held(answers: pd.DataFrame, column: str, ids: pd.Index) -> int:
    distinct = pd.Series(answers[column].dropna().unique()).astype(str).str.strip()
    return int(distinct.isin(ids).sum())
