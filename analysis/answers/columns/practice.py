"""Practice and attention trials among the judgements: found by what surveys usually call them, and told.

Only the author of a survey knows whether they count.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

import pandas as pd

from analysis.answers.judgements import RIGHT, WRONG, by_value, plain
from glimpse.command_line import counted

KINDS = {  # words for them in columns such as block, task or phase, and in the name of a column of yes and no
    "practice": r"practi[cs]e|training|warm[ _-]?up|übung|entra[iî]nement",
    "attention trials": r"attention|catch",
}
PART = r"(?:[ _-]?(?:block|checks?|phase|questions?|round|tests?|trials?|s))*"
LOOP = re.compile(r"(?:practi[cs]e|training|warm-?up)\w*\.this(?:rep|trial)?n")  # PsychoPy's counters, else empty
MOST_NAMED, MOST_MARKED = 4, 5  # values of the column for other rows, and for practice


def practice(frame: pd.DataFrame, participant: Any) -> str:
    """A sentence for each kind of rows that a column marks, with the option that leaves them out; "" without any.

    A column that says the same of all rows of each participant is about people, and is passed over.
    """
    few = {str(column) for column in frame if frame[column].nunique() <= MOST_NAMED + MOST_MARKED}
    return " ".join(filter(None, (_marked(frame, few, participant, kind, words) for kind, words in KINDS.items())))


def _marked(frame: pd.DataFrame, few: Collection[str], participant: Any, kind: str, words: str) -> str:
    name = re.compile(rf"(?:is[ _]?)?(?:{words}){PART}")
    value = re.compile(rf"(?:{words}){PART}(?![^\W\d_]).*")
    for column in map(str, frame.columns):
        loop, named = kind == "practice" and LOOP.fullmatch(column), name.fullmatch(column)
        if column == "catch" or (not loop and column not in few):
            continue
        said = by_value(frame[column], lambda value: str(value).strip().casefold())
        meaning = by_value(said, plain)
        marked = (
            said.notna()
            if loop
            else meaning.isin(RIGHT)
            if named and meaning.dropna().isin([*RIGHT, *WRONG, ""]).all()
            else by_value(said, lambda text: value.fullmatch(text) is not None).fillna(False).astype(bool)
        )
        others = list(said[~marked].fillna("").unique())
        if not marked.any() or len(others) > MOST_NAMED or (marked.groupby(participant).nunique() == 1).all():
            continue
        kept = " ".join(f'--where "{column}={other}"' for other in others)
        return f"In the column {column}, {counted(int(marked.sum()), 'row')} may be {kind}; {kept} leaves out {kind}."
    return ""
