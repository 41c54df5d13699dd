"""Properties of participants: columns with one value per participant, such as the answers to questions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from analysis.answers.columns.mapping import NAMES
from analysis.answers.numbers import MISSING
from analysis.answers.tables.text_file import column_name
from analysis.section import OptionError
from glimpse.command_line import did_you_mean

MOST_LEVELS = 8  # of a question or a group; a numeric column with more values is a quantity
SCORED = {  # columns that answers are made of
    *NAMES, "stimulus", "rating", "confidence", "mode", "simulated", "replaced", "excluded", "why", "why_x", "why_y",
}  # fmt: skip
MARKS = {"set_sha256", "questionnaire"}  # columns that our own views and export alone have
OURS = {  # columns of theirs that are not properties of a person either
    "set_sha256", "study", "kind", "implausible", "excluded_for", "consent_version", "entered_at", "last_seen_at",
    "finished_at", "trials", "answered", "catch_trials", "catch_correct", "questionnaire", "device", "comment", "trial",
}  # fmt: skip

STATES = {  # of participants of our own survey; a column `state` with others says something else
    "working", "finished", "returned", "timed-out", "rejected", "screened-out", "over-quota", "no-consent", "withdrawn",
}  # fmt: skip


def states(raw: pd.DataFrame) -> Any:
    """The state of each row's participant; 'finished' unless a column `state` with any of our values says otherwise.

    >>> [list(states(pd.DataFrame({"state": column}))) for column in (["finished", "left", None], ["CA", "NY"])]
    [['finished', 'left', 'finished'], ['finished', 'finished']]
    """
    if "state" not in raw or not raw["state"].astype(str).str.strip().isin(STATES).any():
        return pd.Series("finished", index=raw.index)
    return raw["state"].astype(str).str.strip().where(raw["state"].notna(), "finished")


def in_state(raw: pd.DataFrame, state: str) -> Any:
    """Whether each row's participant is in this state, by `states`.

    >>> [list(in_state(pd.DataFrame({"image": ["a", "b"]}), state)) for state in ("finished", "screened-out")]
    [[True, True], [False, False]]
    """
    return states(raw) == state if "state" in raw else pd.Series(state == "finished", index=raw.index)


def attributes(raw: pd.DataFrame, participant: Any) -> pd.DataFrame:
    """One row per participant, in the order of their names, with the columns that do not vary within participants.

    Values are texts, missing where a participant has none.

    >>> rows = pd.DataFrame({"participant": ["a", "a", "b"], "age": [31, 31, 40], "image": ["x", "y", "x"]})
    >>> attributes(rows, rows["participant"]).to_dict()
    {'age': {'a': '31', 'b': '40'}}
    """
    codes, names = pd.factorize(participant, sort=True)
    found: dict[str, Any] = {}
    for column in raw.columns:
        if column in SCORED or (column in OURS and MARKS & set(raw)):
            continue
        value, distinct = pd.factorize(raw[column].astype(object))
        texts = _texts(distinct)
        given = np.array([text is not None for text in texts] + [False])[value]
        of = np.full(len(names), -1)
        of[codes[given]] = value[given]
        if given.any() and (of[codes[given]] == value[given]).all():
            found[str(column)] = np.array([*texts, None], dtype=object)[of]
    return pd.DataFrame(found, index=pd.Index(names, name="participant"), dtype=object)


def asked(raw: pd.DataFrame, people: pd.DataFrame) -> tuple[str, ...]:
    """The columns of `attributes` that are questions: our questionnaire's; in other data all but IDs.

    >>> rows = pd.DataFrame({"participant": ["a", "b", "c"], "code": ["x", "y", "z"], "trained": ["no", "yes", "no"]})
    >>> asked(rows, attributes(rows, rows["participant"]))
    ('trained',)
    """
    questions = _questions(raw)
    people = people.drop(columns="study_sha256", errors="ignore")
    return tuple(str(c) for c in people if (c in questions if questions else _shared(people[c])))


def _texts(values: Any) -> list[str | None]:
    """The values as texts, None where missing: 'none' is missing among numbers, but an answer among words."""
    texts = [str(int(v) if isinstance(v, float) and v.is_integer() else v).strip() for v in values]
    given = pd.to_numeric(pd.Series([t for t in texts if t.lower() not in MISSING], dtype=object), errors="coerce")
    missing = MISSING if len(given) and given.notna().all() else MISSING - {"none"}
    return [None if text.lower() in missing else text for text in texts]


def _questions(raw: pd.DataFrame) -> set[str]:
    """The questions that our own participants answered."""
    if "questionnaire" not in raw:
        return set()
    found: set[str] = set()
    for text in raw["questionnaire"].dropna().unique():
        try:
            value = json.loads(text)
        except (TypeError, ValueError):
            continue
        found |= set(value) if isinstance(value, dict) else set()
    return found


def _shared(values: Any) -> bool:
    """Whether the values are a quantity or words that several people share, and not IDs."""
    given = values.dropna()
    if given.nunique() < 2:
        return False
    number = numbers(values)
    if number is None:
        return bool(given.nunique() <= min(MOST_LEVELS, len(given) - 1))
    return bool(given.nunique() < len(given) or (number[np.isfinite(number)] % 1 != 0).any())


def numbers(values: Any) -> Any:
    """The values as floats, NaN where missing, if they are a quantity: at least three different numbers; else None.

    >>> numbers(pd.Series(["1", "0", None])) is None, numbers(pd.Series(["30", "41", None, "50"])).tolist()
    (True, [30.0, 41.0, nan, 50.0])
    """
    found = pd.to_numeric(values, errors="coerce")
    if found.isna().sum() > values.isna().sum() or found.nunique() < 3 or not np.isfinite(found.dropna()).all():
        return None
    return found.to_numpy(float)


def chosen_column(people: pd.DataFrame | None, option: str, name: str) -> Any:
    """The column `name` that an option asks for. Raises OptionError if there is none."""
    columns: Sequence[str] = [] if people is None else list(people.columns)
    column = column_name(name)
    if column not in columns:
        there = did_you_mean(column, columns) if columns else "no column has."
        raise OptionError(f"{option} {name}: no column of this name has one value per participant; {there}")
    assert people is not None
    return people[column]


def group_names(values: Any, option: str) -> list[str]:
    """The names of the groups, in order. Raises OptionError if there are too few or too many."""
    names = sorted(values.dropna().unique())
    number = numbers(values)
    if number is not None:
        names = sorted(names, key=float)
    if len(names) < 2:
        raise OptionError(f"{option}: participants who can be scored have fewer than two values; leave it out.")
    if len(names) > MOST_LEVELS:
        more = "A quantity is a --covariate." if option.startswith("--group") else "Numbers may have any values."
        raise OptionError(f"{option}: it has {len(names)} different values; groups are 2 to {MOST_LEVELS}. {more}")
    return names
