"""Find practice and attention trials among the judgements, by what surveys usually call them, for a note.

Only the author of a survey knows whether they count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.answers.judgements import RIGHT, WRONG, by_value, plain
from glimpse.command_line import counted

KINDS = {  # words for them in columns such as block, task or phase, and in the name of a column of yes and no
    "practice": r"practi[cs]e|training|warm[ _-]?up|übung|entra[iî]nement|prova|pr[aá][ct]t?ica|entrenamiento",
    "attention trials": r"attention|catch",
}
PART = r"(?:[ _-]?(?:block|checks?|phase|questions?|round|tests?|trials?|s))*"
LOOP = re.compile(r"(?:practi[cs]e|training|warm-?up)\w*\.this(?:rep|trial)?n")  # PsychoPy's counters, else empty
MOST_NAMED, MOST_MARKED = 4, 5  # values of the column for other rows, and for practice


def practice(frame: pd.DataFrame, participant: Any) -> str:
    """A sentence for each kind of rows that a column marks, with the option that leaves them out; "" without any.

    A column that says the same of all rows of each participant is about people, and is passed over.
    """
    few = {str(column): values for column in frame if (values := _few(frame[column])) is not None}
    return " ".join(filter(None, (_marked(frame, few, participant, kind, words) for kind, words in KINDS.items())))


def _few(values: pd.Series) -> list[Any] | None:
    """The different values of a column; None if there are more than a column that marks rows has."""
    most = MOST_NAMED + MOST_MARKED
    if values.iloc[: 100 * most].nunique() > most or len(found := values.dropna().unique()) > most:
        return None
    return list(found)


def _marked(frame: pd.DataFrame, few: Mapping[str, list[Any]], participant: Any, kind: str, words: str) -> str:
    name = re.compile(rf"(?:is[ _]?)?(?:{words}){PART}")
    value = re.compile(rf"(?:{words}){PART}(?![^\W\d_]).*")
    for column in map(str, frame.columns):
        loop, named = kind == "practice" and LOOP.fullmatch(column), name.fullmatch(column)
        if column == "catch" or (not loop and column not in few):
            continue
        meaning = {one: plain(_folded(one)) for one in few.get(column, ())}
        if loop:
            marked = frame[column].notna()
        elif named and {*meaning.values()} <= {*RIGHT, *WRONG, ""}:
            marked = frame[column].isin([one for one, word in meaning.items() if word in RIGHT])
        else:
            marked = frame[column].isin([one for one in meaning if value.fullmatch(_folded(one))])
        if not marked.any():
            continue
        said = by_value(frame[column], _folded)
        others = list(said[~marked].fillna("").unique())
        if len(others) > MOST_NAMED or (marked.groupby(participant).nunique() == 1).all():
            continue
        kept = " ".join(f'--where "{column}={other}"' for other in others)
        return f"In the column {column}, {counted(int(marked.sum()), 'row')} may be {kind}; {kept} leaves out {kind}."
    return ""


def _folded(value: Any) -> str:
    return str(value).strip().casefold()
