"""Calibration: whether surer answers are right more often, and as often as they claim.

A confidence of 0 (guessed) to 1 (sure) is read as a claimed probability of being right of 1/2 to 1. That reading is
valid only if the words or numbers of the scale support it. Whether surer answers are right more often (the type-2 ROC
of Galvin et al. 2003) does not depend on it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from analysis.people import inference
from analysis.people.estimation.estimate import Estimate, estimate
from analysis.people.ratings import mrmc, roc
from analysis.people.trials import Trials
from glimpse.observers import Floats

MOST_LEVELS = 10  # of the curve; if there are more, neighbours are joined into groups of about equal size


def claimed(confidence: Any) -> Floats:
    """The chance of being right that a confidence claims.

    >>> claimed([0, 0.5, 1])
    array([0.5 , 0.75, 1.  ])
    """
    return 0.5 + np.asarray(confidence, float) / 2


def overconfidence(confidence: Any, trials: Trials) -> Estimate:
    """The mean claimed chance of being right minus the share of right answers, participants weighted equally.

    >>> trials = Trials.from_labels([1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 2, 3])
    >>> overconfidence([1, 1, 0.5, 0.5], trials).value  # claimed 1 and 3/4, half of the answers right
    0.375
    """
    value, influence = inference.mean_of_people(claimed(confidence) - trials.correct, trials.participant)
    for truth in (False, True):  # the classes' shares are the design's
        rows = trials.is_generated == truth
        influence[rows] -= influence[rows].mean() if rows.any() else 0.0
    return estimate(value, influence, trials)


def type_2_area(confidence: Any, trials: Trials) -> Estimate:
    """The probability that a participant is surer of a right than of a wrong answer, averaged over participants.

    >>> trials = Trials.from_labels([1, 0, 1, 0] * 2, [1, 0, 0, 1] * 2, [0] * 4 + [1] * 4, range(8))
    >>> type_2_area([1, 1, 0, 0, 1, 0, 1, 0], trials).value  # the right two of four surer: 1; one of them: 1/2
    0.75
    """
    sorted_by = replace(trials, is_generated=trials.correct)
    found = mrmc.mean_area(mrmc.Rated(sorted_by, roc.areas(confidence, sorted_by)))
    return found if found.value is not None else replace(found, note="no participant gave both right and wrong answers")


def calibration(confidence: Any, trials: Trials) -> pd.DataFrame:
    """One row per level of confidence: claimed chance, share of right answers with its interval, and their number.

    >>> trials = Trials.from_labels([1, 0, 1, 0], [1, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3])
    >>> calibration([1, 1, 0, 0], trials)[["claimed", "right", "answers"]].values.tolist()
    [[0.5, 0.5, 2.0], [1.0, 1.0, 2.0]]
    """
    values = np.asarray(confidence, float)
    levels = np.unique(values)
    if len(levels) > MOST_LEVELS:
        levels = np.unique(np.quantile(values, np.arange(MOST_LEVELS) / MOST_LEVELS, method="higher"))
    level = np.searchsorted(levels, values, side="right") - 1
    rows = []
    for i in range(len(levels)):
        here = level == i
        found = inference.accuracy(trials.where(here))
        low, high = found.ci95 or (np.nan, np.nan)
        rows.append({"claimed": float(claimed(values[here]).mean()), "right": found.value, "low": low, "high": high,
                     "answers": int(here.sum()), "participants": len(np.unique(trials.participant[here]))})  # fmt: skip
    return pd.DataFrame(rows)
