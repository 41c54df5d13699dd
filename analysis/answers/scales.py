"""Scales: turn ratings, and how sure people were, into answers, ratings and confidences."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.answers.judgements import KINDS, NO_ANSWER, by_value, plain
from analysis.answers.numbers import MINUS, read_numbers
from analysis.answers.tables.table import Table
from analysis.answers.tables.text_file import column_name
from analysis.section import AnalysisError

LABELS = {  # words in the labels of a scale's points, in five languages, beside those of --words
    **dict.fromkeys((
        "real", "genuine", "authentic", "photo", "photograph", "echt", "vrai", "vraie", "réel", "réelle",
        "vero", "vera", "reale", "autentico", "autentica", "verdadero", "verdadera", "auténtico", "auténtica",
    ), "real"),
    **dict.fromkeys((
        "generated", "fake", "artificial", "synthetic", "ai", "computer", "deepfake", "künstlich", "generiert",
        "gefälscht", "ki", "faux", "fausse", "artificiel", "artificielle", "généré", "générée", "ia", "generato",
        "generata", "generado", "generada", "falso", "falsa", "artificiale", "artificial", "sintetico", "sintetica",
        "sintético", "sintética",
    ), "generated"),
}  # fmt: skip
SURE = {  # and in those of a scale of how sure people were
    **dict.fromkeys(
        ("sure", "certain", "confident", "sicher", "sûr", "sûre", "sicuro", "sicura", "seguro", "segura"), True
    ),
    **dict.fromkeys(
        ("guess", "guessed", "guessing", "unsure", "uncertain", "unsicher", "geraten", "deviné", "incerto", "incierto"),
        False,
    ),
}
REALNESS = dict.fromkeys((  # words in the name of a column whose high ratings mean real, beside those
    "realness", "realism", "realistic", "photorealism", "authenticity", "genuineness", "naturalness", "echtheit",
    "realismus", "réalisme", "authenticité", "realismo", "autenticità", "autenticidad",
), "real")  # fmt: skip
DENIED = re.compile(r"\b(?:not|no|non|never|isn't|nicht|kein|pas)\b|\bun(?=real)")
AGREEMENT = 0.75  # share of ratings that agree with the answer beside them; with fewer they measure something else


def read_rating(table: Table, option: str, answer: Any, words: Mapping[str, str]) -> tuple[Any, Any, Any, str]:
    """The ratings, higher for 'generated'; the answers and confidences that follow from the middle; a sentence.

    `option`: COLUMN[:LOW..HIGH]; `answer`: the column of answers beside the ratings, or None. A rating above the middle
    of the scale is the answer 'generated', and its confidence is its distance from the middle, 0 to 1. Raises
    AnalysisError if labels of the scale (with `words`, those of --words) say the reverse.
    """
    scale = read_scale(table, option, "--rating", words)
    low, high, rating = scale.low, scale.high, scale.values
    middle, turned = (low + high) / 2, f"--rating {scale.column}:{max(low, high):g}..{min(low, high):g}"
    says_real = low < high and side_of(scale.column.replace("_", " "), {**words, **REALNESS}) == "real"
    if says_real and not scale.is_stated:
        raise AnalysisError(
            f"{table.name}: {scale.column} may be higher for real images, as it says, but ratings run from definitely "
            f"real to definitely generated: state its scale, with {turned} if its high end means real, else with "
            f"--rating {scale.column}:{low:g}..{high:g}."
        )
    labels = by_value(table.frame[scale.column], lambda label: side_of(str(label), words))
    against = labels.isin(KINDS[:2]) & (rating != middle) & (labels.eq("generated") != (rating > middle))
    if (against & rating.notna()).any():
        first = rating.index[against & rating.notna()][0]
        raise AnalysisError(
            f"{table.place(first)}: '{table.frame.loc[first, scale.column]}' is at the end of the scale that counts as "
            f"{'generated' if rating[first] > middle else 'real'}: reverse it, with --rating "
            f"{scale.column}:{high:g}..{low:g}."
        )
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
    doubt = f"If {scale.column} is higher for real images, as it says, {turned}." if says_real else ""
    confidence = (rating - middle).abs() / abs(high - middle)
    return rating, answers, confidence, " ".join(filter(None, [sentence, doubt, scale.unread]))


def read_confidence(table: Table, option: str, answer: Any, words: Mapping[str, str]) -> tuple[Any, Any, str]:
    """Ratings, and confidences from 0 to 1, from answers and a column of how sure people were; and a sentence.

    In order of the ratings: a sure 'real', an unsure 'real', an unsure 'generated', a sure 'generated'. Raises
    AnalysisError if the label of the sure end says that people guessed.
    """
    scale = read_scale(table, option, "--confidence", words)
    guessed = by_value(table.frame[scale.column], lambda label: _is_sure(str(label)) is False or None).notna()
    if (against := (guessed & (scale.values == max(scale.low, scale.high))).to_numpy(bool)).any():
        first = table.frame.index[against][0]
        raise AnalysisError(
            f"{table.place(first)}: '{table.frame.loc[first, scale.column]}' is at the end of the scale that counts as "
            f"sure: reverse it, with --confidence {scale.column}:{scale.high:g}..{scale.low:g}."
        )
    confidence = (scale.values - min(scale.low, scale.high)) / abs(scale.high - scale.low)
    side = answer.map({"generated": 1.0, "real": -1.0, "unsure": 0.0}).astype(float)
    sentence = (
        f"The confidence in {scale.column}, from {scale.low:g} (guessed) to {scale.high:g} (sure; {scale.stated}), and "
        f"the answer beside it form a rating{scale.left_out}."
    )
    return side * (confidence + 0.5), confidence, " ".join(filter(None, [sentence, scale.unread]))


TASKS = ("yes-no", "pair", "rating")  # of our own survey, in its column `task`
STEPS, SURENESS = 6, 4  # its scales: from definitely real to definitely generated, and from guessed to sure


def has_own_ratings(frame: pd.DataFrame) -> bool:
    """Whether the columns `task`, `rating` and `confidence` are those of our own survey, with its tasks and scales."""
    if not {"task", "rating", "confidence"} <= set(frame) or not frame["task"].isin(TASKS).all():
        return False
    scales = (("rating", STEPS), ("confidence", SURENESS))
    return all(pd.to_numeric(frame[c].dropna(), errors="coerce").isin(range(1, n + 1)).all() for c, n in scales)


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
    is_stated: bool
    left_out: str
    unread: str

    @property
    def stated(self) -> str:
        return "as stated" if self.is_stated else "the range in the data"


MOST_POINTS = 11  # of a scale; a slider, whose very ends hardly anybody takes, has more
MANY = 4  # people, and ratings of each, who would hardly all avoid the end of a scale
TIMES_WIDER = 10  # a scale of which several people would not use a small part only
CODES = (8, 9, 77, 88, 98, 99, 777, 888, 998, 999)  # that questionnaires use for no answer
LABELLED = re.compile(r"([+-]?\d+(?:[.,]\d+)?)(?:\s+|\s*[-–—=:.()]+\s*)[^\W\d].*|[^\W\d].*\(([+-]?\d+(?:[.,]\d+)?)\)")


def side_of(label: str, words: Mapping[str, str]) -> str | None:
    """The side that the label of a scale's point names, 'real' or 'generated'; None if neither, both, or a denial.

    >>> [side_of(label, {}) for label in ("1 (definitely fake)", "7 = real", "not real", "real or fake", "4")]
    ['generated', 'real', None, None, None]
    """
    text = label.casefold()
    known = LABELS | {word: kind for word, kind in words.items() if kind in KINDS[:2]}
    said = {known[word] for word in re.findall(r"[^\W\d_]+", text) if word in known}
    return said.pop() if len(said) == 1 and not DENIED.search(text) else None


def _is_sure(label: str) -> bool | None:
    """Whether the label of a scale's point says that people were sure; None if it says neither.

    >>> [_is_sure(label) for label in ("4 (very sure)", "1 = not at all sure", "just guessing (1)", "3")]
    [True, False, False, None]
    """
    text = label.casefold()
    said = {SURE[word] for word in re.findall(r"[^\W\d_]+", text) if word in SURE}
    return said.pop() != bool(DENIED.search(text)) if len(said) == 1 else None


def _without_label(value: Any) -> Any:
    """The number of a scale point that is written with its label.

    >>> [_without_label(value) for value in ("1 (surely real)", "5 - fake", "fake (5)", "3,5", "75 %", "skipped")]
    ['1', '5', '5', '3,5', '75', 'skipped']
    """
    text = str(value).strip().replace(MINUS, "-")
    found = LABELLED.fullmatch(text)
    return text.removesuffix("%").strip() if found is None else found[1] or found[2]


def _refuse_two_scales(table: Table, values: pd.Series, column: str, name: str) -> None:
    """Raises AnalysisError if files use two scales.

    One starts at 0 or less, one at 1 (0..4, 1..5); one is many times wider (1..5, 0..100); or none of several people
    takes the end of the other (1..5, 1..7).
    """
    if len(table.files) < 2:
        return
    rated = pd.DataFrame({"rating": values.to_numpy(), "participant": table.frame["participant"].to_numpy()})
    by_file = rated.dropna().groupby(table.file_names(values.index[values.notna()]))
    ranges = by_file["rating"].agg(["min", "max"])[by_file["rating"].nunique() > 2]
    if len(ranges) < 2:
        return
    low, high, few = ranges["min"].min(), ranges["max"].max(), values.nunique() <= MOST_POINTS
    one = ranges["max"].where(ranges["min"] == low).idxmax()
    other = ranges["min"].where(ranges["max"] == high).idxmin()
    (start, end), (from_, to) = ranges.loc[[one, other]].to_numpy()
    shifted = end < high and low < from_ <= 1 and ((low == 0 and few) or low == -end)
    narrow = ranges["max"][(ranges["max"] <= high / TIMES_WIDER) & (by_file["participant"].nunique() > 1)]
    if not shifted and len(narrow) and low >= 0 and not (few and high in CODES):
        one, (start, end) = narrow.index[0], ranges.loc[narrow.index[0]]
    elif not shifted:
        ends = ranges["max"][(by_file["participant"].nunique() >= MANY) & (by_file.size() >= MANY * MANY) & few]
        if ends.nunique() < 2:
            return
        one, other = ends.idxmin(), ends.idxmax()
        (start, end), (from_, to) = ranges.loc[[one, other]].to_numpy()
    raise AnalysisError(
        f"The ratings in {column} run from {start:g} to {end:g} in {one} but from {from_:g} to {to:g} in {other}: if "
        f"that is one scale, state it with {name} {column}:{low:g}..{high:g}, else report on each file separately."
    )


def read_scale(table: Table, option: str, name: str, words: Mapping[str, str]) -> RatingScale:
    """The ratings in the column of `option`, COLUMN[:LOW..HIGH], without the codes that `words` calls missing.

    Raises AnalysisError if their scale is ambiguous.
    """
    number = r"-?\d+(?:\.\d+)?"
    parts = re.fullmatch(rf"(.+?)(?::({number})\.\.({number}))?", option.strip())
    assert parts is not None
    column = column_name(parts[1])
    if column not in table.frame:
        raise AnalysisError(f"{name} {option}: {table.says('has')} no column {column}; write COLUMN or COLUMN:1..5.")
    given = by_value(
        table.frame[column], lambda v: None if words.get(plain(v)) == NO_ANSWER else _without_label(plain(v))
    )
    files = table.file_names(given.index) if len(table.files) > 1 else None
    values, unread = read_numbers(given, column, table.place, files=files)
    levels = np.sort(values.dropna().unique())
    if len(levels) == 0:
        said = table.frame[column].dropna()
        first = f" ({table.place(said.index[0])}: '{said.iloc[0]}')" if len(said) else ""
        raise AnalysisError(
            f"{name} {option}: no value of the column {column} in {table.name} is a number{first}; write the points of "
            "the scale as numbers, or with their number, as in '1 (surely real)'."
        )
    outside = 0
    if parts[2] is None:
        _refuse_two_scales(table, values, column, name)
        low, high = float(levels[0]), float(levels[-1])
        gaps = np.diff(levels)
        lopsided = low < 0 and not np.isclose(low, -high)
        beyond_all = len(levels) > 3 and gaps[-1] > 1 and bool((gaps[:-1] == 1).all())  # as in 1, 2, 3, 4, 5, 9
        coded = len(levels) > 2 and high in CODES and 4 * levels[-2] <= 3 * high and gaps[-1] > gaps[:-1].max()
        apart = len(levels) > 2 and gaps.max() > (high - low) / 2
        if lopsided or beyond_all or low == high or apart or coded:
            last = levels[-2] if beyond_all or coded else levels[gaps.argmax()] if apart else high
            last = last if last > 1 else high
            both = "" if (low, high) in ((1, last), (high, high)) else f", or {low:g}..{high:g} if all are ratings"
            raise AnalysisError(
                f"{table.name}: the ratings in {column} run from {low:g} to {high:g}, which may include a code for 'no "
                f"answer': state the scale, as in {name} {column}:1..{last:g}{both}."
            )
    else:
        low, high = float(parts[2]), float(parts[3])
        if low == high:
            raise AnalysisError(f"{name} {option}: a scale needs two different ends; write COLUMN:1..5.")
        beyond = (values < min(low, high)) | (values > max(low, high))
        outside, values = int(beyond.sum()), values.mask(beyond)
    values = values if low < high else low + high - values
    left_out = f"; {outside} ratings off the scale are treated as missing" if outside else ""
    return RatingScale(column, values, low, high, parts[2] is not None, left_out, unread)
