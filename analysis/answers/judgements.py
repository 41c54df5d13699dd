"""Judgements: turn words, ratings and 'unsure' into the answers 'real' and 'generated'."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from analysis.answers.numbers import MISSING, read_numbers
from analysis.answers.tables.table import Table
from analysis.section import AnalysisError

KINDS = ("real", "generated", "unsure")
NO_ANSWER = "missing"
RIGHT, WRONG = ("1", "true", "yes", "t", "y", "correct", "right"), ("0", "false", "no", "f", "n", "incorrect", "wrong")
PRESSED = ("response", "button_pressed", "key_press", "*.keys", "*.clicked_name", "*.response")  # what people did
AGREEMENT = 0.75  # share of ratings that agree with the answer beside them; with fewer they measure something else


def meanings(given: Sequence[str]) -> dict[str, dict[str, str]]:
    """The meaning of each word, for `truth` and for `answer`. `given`: the values of --words, NAME=WORD,WORD.

    `missing` names codes of answers that were not given, such as -9.
    """
    found = {column: {kind: kind for kind in KINDS} for column in ("truth", "answer")}
    del found["truth"]["unsure"]
    for option in given:
        name, equals, words = option.partition("=")
        column, dot, kind = name.strip().lower().rpartition(".")
        both = kind in KINDS[:2]  # of truth and answer
        if (
            not equals
            or not (both or kind in ("unsure", NO_ANSWER))
            or (dot and column not in found)
            or (column == "truth" and not both)
        ):
            raise AnalysisError(
                f"--words {option}: write real=WORD,..., generated=WORD,..., unsure=WORD,... or {NO_ANSWER}=WORD,... "
                "(with truth. or answer. in front for one column), as in --words generated=fake,1."
            )
        for word in words.split(","):
            for one in [column] if dot else ["truth", "answer"] if both else ["answer"]:
                before = found[one].setdefault(plain(word), kind)
                if before != kind:
                    raise AnalysisError(f"--words {option}: '{word.strip()}' already means {before}.")
    return found


def plain(value: Any) -> str:
    """A word without case, spaces or brackets: ' F', "['f']", '{"Q0":"F"}' and 'f' are the same word; 1.0 is 1."""
    text = unicodedata.normalize("NFC", str(value)).strip()
    if text[:1] in ("[", "{"):
        try:
            parsed = json.loads(text.replace("'", '"'))
            parsed = list(parsed.values()) if isinstance(parsed, dict) else parsed
            text = str(parsed[0]).strip() if len(parsed) == 1 else text
        except (ValueError, TypeError):
            pass
    text = text.casefold()
    return text[:-2] if re.fullmatch(r"-?\d+\.0", text) else text


def by_value(values: Any, change: Callable[[Any], Any]) -> Any:
    """`change(value)` for each value, called once for each distinct one (10^6 rows hold few); missing stays missing."""
    codes, distinct = pd.factorize(values)
    changed = np.array([*(change(v) for v in distinct), None], dtype=object)
    return pd.Series(changed[codes], index=values.index, dtype=object)


def read_words(table: Table, column: str, words: dict[str, str]) -> Any:
    """The column as 'real', 'generated' or 'unsure', missing if empty. Raises AnalysisError for an unknown word."""

    def meaning(value: Any) -> str | None:
        word = plain(value)
        said = words.get(word, NO_ANSWER if word in MISSING else "?")
        return None if said == NO_ANSWER else said

    found = by_value(table.frame[column], meaning)
    wrong = (found == "?").to_numpy(bool)
    if wrong.any():
        there = table.frame.loc[wrong, column].astype(str).str.strip()
        others = ", ".join([*list(dict.fromkeys(there))[:4], *(["..."] if there.nunique() > 4 else [])])
        near = get_close_matches(plain(there.iloc[0]), words, n=1, cutoff=0.7)
        known = f"did you mean {near[0]}?" if near else f"only {' and '.join(KINDS[:2])} are known."
        raise AnalysisError(
            f"{table.place(there.index[0])}: {column} says '{there.iloc[0]}'; {known} Say what other words mean "
            f"with --words real=WORD --words generated=WORD (here: {others})."
        )
    return found


def read_correctness(table: Table, truth: Any) -> Any:
    """The answers that follow from the truth and a column `correct` (1 and 0, or words).

    A 0 is no answer where the columns of keys and clicks are empty: many programs write it when time is up. Raises
    AnalysisError for any other value.
    """
    right = by_value(table.frame["correct"], plain)
    known = right.isna() | right.isin([*RIGHT, *WRONG, *MISSING])
    if not known.all():
        label = table.frame.index[(~known).to_numpy(bool)][0]
        raise AnalysisError(
            f"{table.place(label)}: correct says '{table.frame.loc[label, 'correct']}'; write 1 for a right answer and "
            "0 for a wrong one."
        )
    pressed = [c for c in table.frame if any(fnmatchcase(str(c), pattern) for pattern in PRESSED)]
    said = np.logical_or.reduce([~by_value(table.frame[c], plain).isin([None, *MISSING, "[]"]) for c in pressed])
    if np.any(said):
        right = right.where(said | ~right.isin(WRONG), None)
    other = truth.map({"real": "generated", "generated": "real"})
    return truth.where(right.isin(RIGHT), other.where(right.isin(WRONG), None))


def read_rating(table: Table, option: str, answer: Any) -> tuple[Any, Any, Any, str]:
    """The ratings, higher for 'generated'; the answers and confidences that follow from the middle; a sentence.

    `option`: COLUMN[:LOW..HIGH]; `answer`: the column of answers beside the ratings, or None. A rating above the middle
    of the scale is the answer 'generated', and its confidence is its distance from the middle, 0 to 1.
    """
    scale = read_scale(table, option, "--rating")
    low, high, rating = scale.low, scale.high, scale.values
    middle = (low + high) / 2
    said = np.select([rating > middle, rating < middle, rating == middle], ["generated", "real", "unsure"], "")
    answers = pd.Series(said, index=rating.index, dtype=object).replace("", None)
    if answer is not None:
        both = answers.isin(KINDS[:2]) & answer.isin(KINDS[:2])
        agree = int((answers == answer)[both].sum())
        if agree < AGREEMENT * both.sum():
            raise AnalysisError(
                f"{table.name}: the ratings in {scale.column} agree with the column answer in {agree} of "
                f"{int(both.sum())} rows. If they say how sure people were rather than 'real' to 'generated', write "
                f"--confidence {option}."
            )
    sentence = (
        f"Ratings in {scale.column} from {low:g} (real) to {high:g} (generated; {scale.stated}) count as answers, "
        f"divided at the middle, {middle:g}{scale.left_out}."
    )
    confidence = (rating - middle).abs() / abs(high - middle)
    return rating, answers, confidence, " ".join(filter(None, [sentence, scale.unread]))


def read_confidence(table: Table, option: str, answer: Any) -> tuple[Any, Any, str]:
    """Ratings, and confidences from 0 to 1, from answers and a column of how sure people were; and a sentence.

    In order of the ratings: a sure 'real', an unsure 'real', an unsure 'generated', a sure 'generated'.
    """
    scale = read_scale(table, option, "--confidence")
    confidence = (scale.values - min(scale.low, scale.high)) / abs(scale.high - scale.low)
    side = answer.map({"generated": 1.0, "real": -1.0, "unsure": 0.0}).astype(float)
    sentence = (
        f"The confidence in {scale.column}, from {scale.low:g} (guessed) to {scale.high:g} (sure; {scale.stated}), and "
        f"the answer beside it form a rating{scale.left_out}."
    )
    return side * (confidence + 0.5), confidence, " ".join(filter(None, [sentence, scale.unread]))


TASKS = ("yes-no", "pair", "rating")  # of our own survey, in its column `task`
STEPS, SURENESS = 6, 4  # its scales: from definitely real to definitely generated, and from guessed to sure


def read_own_ratings(frame: pd.DataFrame, answer: Any) -> tuple[Any, Any, str]:
    """Ratings, confidences and a sentence from the columns `rating` and `confidence` of our own survey."""
    step, sureness = (pd.to_numeric(frame[c].astype(object), errors="coerce") for c in ("rating", "confidence"))
    middle = (1 + STEPS) / 2
    confidence = ((step - middle).abs() / (STEPS - middle)).fillna((sureness - 1) / (SURENESS - 1))
    side = answer.map({"generated": 1.0, "real": -1.0}).astype(float)
    kinds = {f"are ratings in {STEPS} steps": step, f"have a confidence of 1 to {SURENESS}": sureness}
    said = [f"{given.notna().sum()} answers {what}." for what, given in kinds.items() if given.notna().any()]
    return side * (confidence + 0.5), confidence, " ".join(said)


@dataclass(frozen=True)
class RatingScale:
    """A column of ratings; a scale from high to low is reversed."""

    column: str
    values: Any  # NaN where missing or off the scale
    low: float
    high: float
    stated: str
    left_out: str
    unread: str


LABELLED = re.compile(r"([+-]?\d+(?:[.,]\d+)?)(?:\s+|\s*[-–—=:.()]+\s*)[^\W\d].*|[^\W\d].*\(([+-]?\d+(?:[.,]\d+)?)\)")


def _without_label(value: Any) -> Any:
    """The number of a scale point that is written with its label.

    >>> [_without_label(value) for value in ("1 (surely real)", "5 - fake", "fake (5)", "3,5", "75 %", "skipped")]
    ['1', '5', '5', '3,5', '75', 'skipped']
    """
    text = str(value).strip()
    found = LABELLED.fullmatch(text)
    return text.removesuffix("%").strip() if found is None else found[1] or found[2]


def read_scale(table: Table, option: str, name: str) -> RatingScale:
    """The ratings in the column of `option`, COLUMN[:LOW..HIGH]. Raises AnalysisError if their scale is ambiguous."""
    number = r"-?\d+(?:\.\d+)?"
    parts = re.fullmatch(rf"(.+?)(?::({number})\.\.({number}))?", option.strip())
    assert parts is not None
    column = parts[1].lower()
    if column not in table.frame:
        raise AnalysisError(f"{name} {option}: {table.says('has')} no column {column}; write COLUMN or COLUMN:1..5.")
    values, unread = read_numbers(
        by_value(table.frame[column], lambda v: _without_label(plain(v))), column, table.place
    )
    levels = np.sort(values.dropna().unique())
    if len(levels) == 0:
        words = table.frame[column].dropna()
        first = f" ({table.place(words.index[0])}: '{words.iloc[0]}')" if len(words) else ""
        raise AnalysisError(
            f"{name} {option}: no value of the column {column} in {table.name} is a number{first}; write the points of "
            "the scale as numbers, or with their number, as in '1 (surely real)'."
        )
    outside = 0
    if parts[2] is None:
        low, high = float(levels[0]), float(levels[-1])
        gaps, stated = np.diff(levels), "the range in the data"
        lopsided = low < 0 and not np.isclose(low, -high)
        beyond_all = len(levels) > 3 and gaps[-1] > 1 and bool((gaps[:-1] == 1).all())  # as in 1, 2, 3, 4, 5, 9
        if lopsided or beyond_all or low == high or (len(levels) > 2 and gaps.max() > (high - low) / 2):
            raise AnalysisError(
                f"{table.name}: the ratings in {column} run from {low:g} to {high:g}, which may include a code for 'no "
                f"answer': state the scale, as in {name} {column}:1..{levels[-2] if beyond_all else high:g}."
            )
    else:
        low, high, stated = float(parts[2]), float(parts[3]), "as stated"
        if low == high:
            raise AnalysisError(f"{name} {option}: a scale needs two different ends; write COLUMN:1..5.")
        beyond = (values < min(low, high)) | (values > max(low, high))
        outside, values = int(beyond.sum()), values.mask(beyond)
    values = values if low < high else low + high - values
    left_out = f"; {outside} ratings off the scale are treated as missing" if outside else ""
    return RatingScale(column, values, low, high, stated, left_out, unread)


def split_doubts(answer: pd.Series, truth: pd.Series, participant: pd.Series) -> pd.Series:
    """'unsure' as half right and half wrong: alternately 'real' and 'generated' within each class and participant."""
    rows = answer == "unsure"
    order = pd.DataFrame({"truth": truth[rows], "participant": participant[rows]}).reset_index(names="label")
    order["at"] = np.flatnonzero(rows.to_numpy(bool))
    order = order.sort_values(["truth", "participant", "at"], kind="stable")
    turn = order.groupby("truth").cumcount().to_numpy() % 2
    changed = answer.to_numpy(object).copy()
    changed[order["at"]] = np.array(["real", "generated"], dtype=object)[turn]
    return pd.Series(changed, index=answer.index)
