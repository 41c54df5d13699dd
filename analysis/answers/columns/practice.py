"""Practice among the judgements: found by what surveys usually call it, and told, since only its author knows it."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd

from analysis.answers.judgements import by_value
from glimpse.command_line import counted

WORDS = re.compile(r"(?:practi[cs]e|training|warm-?up)(?![a-z]).*")  # values of columns such as block, task or phase
LOOP = re.compile(r"(?:practi[cs]e|training|warm-?up)\w*\.this(?:rep|trial)?n")  # PsychoPy's counters, else empty
YES = ("1", "1.0", "true", "yes")
MOST_NAMED, MOST_MARKED = 4, 5  # values of the column for other rows, and for practice


def practice(frame: pd.DataFrame, participant: Any) -> str:
    """A sentence on rows that a column marks as practice, with the option that leaves them out; "" if there are none.

    A column that says the same of all rows of each participant is about people, and is passed over.
    """
    for column in map(str, frame.columns):
        loop, named = LOOP.fullmatch(column), column in ("practice", "is_practice", "ispractice")
        if not loop and frame[column].nunique() > MOST_NAMED + MOST_MARKED:
            continue
        words = by_value(frame[column], lambda value: str(value).strip().casefold())
        marked = (
            words.notna()
            if loop
            else words.isin(YES)
            if named
            else words.str.fullmatch(WORDS).fillna(False).astype(bool)
        )
        others = list(words[~marked].dropna().unique()) or [""]
        if not marked.any() or len(others) > MOST_NAMED or (marked.groupby(participant).nunique() == 1).all():
            continue
        kept = " ".join(f'--where "{column}={other}"' for other in others)
        return (
            f"In the column {column}, {counted(int(marked.sum()), 'row')} may be practice; {kept} leaves out practice."
        )
    return ""
