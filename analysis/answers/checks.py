"""Checks of columns against each other: what they contradict is refused, or told in a sentence with the remedy."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

import pandas as pd

from analysis.answers.judgements import KINDS, PRESSED, RIGHT, WRONG, by_value, plain
from analysis.answers.numbers import MISSING
from analysis.answers.tables.table import Table
from analysis.section import AnalysisError

VERDICT = re.compile(r"(?:.*\.|(?:answer|response|resp|trial)_)?(?:(?:is|was)_?)?(?:correct|corr|accuracy|acc)")
REVERSED, FEWEST = 0.9, 4  # share of rows, of at least so many, that agree if the answers are turned round


def verdicts(table: Table, truth: Any, answer: Any) -> str:
    """A sentence on a column that says who was right and contradicts truth and answer in some rows; "" if none does.

    Rows without an answer do not count. Of several such columns the one that agrees best is taken. Raises AnalysisError
    if it contradicts nearly all answers.
    """
    judged = answer.isin(KINDS[:2]).to_numpy(bool)
    found: list[tuple[float, str, pd.Series, int]] = []
    for column in filter(VERDICT.fullmatch, map(str, table.frame.columns)):
        said = by_value(table.frame[column], plain)[judged]
        said = said[~said.isna() & ~said.isin(MISSING)]
        if said.empty or not said.isin([*RIGHT, *WRONG]).all() or _names_the_truth(said, truth):
            continue
        against = said.isin(RIGHT) != (answer == truth)[judged][said.index]
        found.append((float(against.mean()), column, against.index[against].to_series(), len(said)))
    share, column, rows, n = min(found, key=lambda one: one[0], default=(0.0, "", pd.Series(), 0))
    if not share:
        return ""
    first = table.place(rows.iloc[0])
    if share >= REVERSED and n >= FEWEST:
        raise AnalysisError(
            f"{first}: the column {column} contradicts truth and answer here and in {len(rows)} of {n} rows, so the "
            "answers are probably reversed: say what their words mean with --words (a rating: --rating "
            f"COLUMN:HIGH..LOW), or rename {column} if it does not say whether people were right."
        )
    return (
        f"In {len(rows)} of {n} rows the column {column} contradicts truth and answer, first on {first}: check "
        "--words, and which column is the answer."
    )


def refuse_right_answers(table: Table, truth: Any, words: dict[str, str]) -> None:
    """Raises AnalysisError if the column `correct` holds the right answer of each image, beside a column of answers.

    Its values are then words for real and generated, or the codes of the answers, and others for real than for
    generated images. `words`: the known words for the truth.
    """
    right = by_value(table.frame["correct"], plain)
    right = right[~right.isna() & ~right.isin(MISSING)]
    for column in (c for c in table.frame if any(fnmatchcase(str(c), pattern) for pattern in PRESSED)):
        said = set(by_value(table.frame[column], plain).dropna()) - MISSING
        worded = right.isin([*words]).all() or (set(right) <= said and not right.isin([*RIGHT, *WRONG]).all())
        coded = len(said) > 1 and said <= set(right) and _names_the_truth(right, truth)
        if len(right) and (worded or coded):
            raise AnalysisError(
                f"{table.place(right.index[0])}: correct says '{right.iloc[0]}', the right answer rather than whether "
                f"people gave it: write --map answer={column}, with --words for its codes"
                f"{'' if 'truth' in table.frame else ', and --map truth=correct'}."
            )


def _names_the_truth(values: pd.Series, truth: pd.Series) -> bool:
    """Whether all real images have one of the values, and all generated ones another."""
    pairs = pd.DataFrame({"value": values, "truth": truth.reindex(values.index)}).drop_duplicates()
    return len(pairs) == 2 and pairs["value"].nunique() == pairs["truth"].nunique() == 2
