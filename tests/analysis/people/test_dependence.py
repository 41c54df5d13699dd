"""Trends within participants, in exact values; their coverage is tested by simulation elsewhere."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.people import dependence
from analysis.people.trials import Trials

GENERATED = np.tile([1, 1, 0, 0], 2)
PARTICIPANT = np.repeat([0, 1], 4)
X = np.tile([0.0, 1.0], 4)


def answers(right: np.ndarray) -> Trials:
    said = np.where(GENERATED == 1, right, 1 - right)
    return Trials.from_labels(said, GENERATED, PARTICIPANT, np.tile(range(4), 2))


def test_a_slope_that_explains_every_answer_has_no_error() -> None:
    """Right exactly where x is 1, in both classes: the slope is 1, and no residual is left."""
    found = dependence.slope(X, answers(X))
    assert (found.value, found.se) == (1.0, None)
    assert found.note == "all answers are the same: no interval"


def test_the_error_of_a_slope_is_that_of_the_residuals_of_its_class() -> None:
    """One participant is right where x is 1, the other always: within each class the slope is 1/2.

    An answer moves the slope by half of its x from the middle, times its residual. That sums to 1/4 for the one
    participant and -1/4 for the other, so V = 2 / (2 - 1) * (1/16 + 1/16) = 1/4 on one degree of freedom.
    """
    found = dependence.slope(X, answers(np.where(PARTICIPANT == 0, X, 1.0)))
    assert (found.value, found.se, found.df) == (pytest.approx(0.5), pytest.approx(0.5), 1.0)


def test_holms_correction_counts_the_trends_that_were_tested() -> None:
    """Of three trends in two sets one has no p-value: the smaller p of the others is doubled, not tripled."""
    trends = {"a": pd.DataFrame({"p": [0.01, np.nan]}), "b": pd.DataFrame({"p": [0.04]}), "c": pd.DataFrame()}
    found = dependence.corrected(trends)
    assert found["a"]["p_holm"].fillna(-1).tolist() == [0.02, -1]
    assert (found["b"]["p_holm"].tolist(), len(found["c"])) == ([0.04], 0)


def test_with_one_class_the_time_of_an_answer_is_no_trend_in_accuracy() -> None:
    """The answer, which the slope adjusts for, then says what is right: the slope was 0 ± 9e107, 'does not change'."""
    said, who = np.tile([1, 0, 1, 1, 0, 1], 4), np.repeat(np.arange(4), 6)
    taken = np.random.default_rng(0).normal(size=24)
    answers = Trials.from_labels(said, np.ones(24), who, np.arange(24))
    found = dependence.slope(taken, answers, outcome=True)
    assert (found.value, found.note) == (None, "with images of one class the answer alone says what is right")
    assert dependence.slope(taken, answers).value is not None  # a position does not depend on the answer


def test_one_answer_throughout_is_a_habit_over_all_sets_and_from_four_images_of_each_class() -> None:
    """Eight real images are shared by A, whose images are always caught, and B, whose images always fool."""

    def judged(name: str, truth: list[int], said: list[int], first: int = 0) -> pd.DataFrame:
        trial = range(first, first + len(said))
        return pd.DataFrame({"participant": name, "trial": trial, "is_generated": truth, "said_generated": said})

    able = judged("able", [0] * 8 + [1] * 8 + [0] * 8 + [1] * 8, [0] * 8 + [1] * 8 + [0] * 16)
    able["trial"] = [*range(8), *range(8, 16), *range(8), *range(16, 24)]  # the real images belong to A and to B
    frames = [
        able,
        judged("habit", [0, 1] * 4, [1] * 8, 30),
        judged("copies", [0, 1] * 3, [1] * 6, 40).loc[[0, 1, 2, 3, 4, 5, 0, 2]],  # three of each class, two repeated
        judged("few", [0] * 20 + [1] * 3, [0] * 23, 50),
        judged("one class", [1] * 20, [1] * 20, 80),
    ]
    found = pd.concat(frames, ignore_index=True)
    found = found.assign(habit=dependence.gave_one_answer(found))
    assert set(found.loc[found["habit"], "participant"]) == {"habit"}
    assert found.loc[found["participant"] == "habit", "habit"].all()
