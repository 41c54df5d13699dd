"""Accuracy by the participants' answers to questions: the effect of each answer, alone and partially pooled.

Many answers are compared, so some effects are large by chance. Each effect on balanced accuracy (by `regression`, for
new participants and new images) is therefore also given shrunk towards zero by `pooling`, the more, the less the
effects of all answers exceed their errors.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.people import significance
from analysis.people.between import pooling
from analysis.people.between.regression import regress
from analysis.people.estimation.estimate import METHOD, Estimate
from analysis.people.trials import Trials
from glimpse.observers import Floats

FEWEST = 3  # participants of the set who gave an answer, and who gave another one, for the answer to be compared
METHODS = (
    f"least squares between participants, {METHOD}; p_holm over all answers of the report; pooled: {pooling.METHOD}"
)


@dataclass(frozen=True)
class Effect:
    """The effect of one answer, or of one standard deviation of a quantity, on balanced accuracy."""

    question: str
    answer: str  # "" for a quantity
    participants: int  # number who gave it
    difference: Estimate  # from those who gave another answer
    p: float | None
    pooled: tuple[float, float, float] | None = None  # the shrunken effect and its 95 % interval


def effects(trials: Trials, asked: Mapping[str, NDArray[np.object_] | Floats]) -> list[Effect]:
    """The effects of the answers to `asked`: for each participant code a text (None for no answer), or a quantity.

    >>> answers = Trials.from_labels([1, 0] * 6, [1, 0] * 6, np.repeat(np.arange(6), 2), np.arange(12))
    >>> found = effects(answers, {"trained": np.array(["yes", "no"] * 3, object)})
    >>> [(e.answer, e.participants, e.difference.value) for e in found]
    [('yes', 3, 0.0)]
    """
    found: list[tuple[str, str, int, Estimate]] = []
    for question, values in asked.items():
        here = np.isin(np.arange(len(values)), trials.participant)
        if values.dtype != object:
            given = np.isfinite(values.astype(float)) & here
            if given.sum() > FEWEST and np.std(values[given].astype(float)) > 0:
                number = values.astype(float)
                scaled = (number - np.nanmean(number)) / np.nanstd(number)
                x = np.column_stack([np.ones(len(number)), scaled])
                fit = regress(trials.correct, trials, x, np.zeros(len(number), np.int64))
                found.append((question, "", len(fit.participants), fit.contrast(np.array([0.0, 1.0]))))
            continue
        given = np.array([value is not None for value in values]) & here
        names, size = np.unique(values[given].astype(str), return_counts=True)
        large = names[(size >= FEWEST) & (given.sum() - size >= FEWEST)]
        if len(names) == 2:
            large = large[-1:]  # the other answer's effect is the same, with the other sign
        for name in large:
            said = values == name
            x = np.where(given[:, None], np.column_stack([~said, said]), np.nan)
            fit = regress(trials.correct, trials, x, said.astype(np.int64))
            people = int(said[fit.participants].sum())
            found.append((question, str(name), people, fit.contrast(np.array([-1.0, 1.0]))))
    return _pooled([Effect(q, a, people, one, significance.compared(q, a, one).p) for q, a, people, one in found])


def _pooled(found: list[Effect]) -> list[Effect]:
    known = [e for e in found if e.difference.se]
    if not known:
        return found
    values, errors = (np.array([getattr(e.difference, key) for e in known], float) for key in ("value", "se"))
    each = iter(zip(*(one.tolist() for one in pooling.shrunken(values, errors, centre=0.0)), strict=True))
    return [replace(e, pooled=next(each)) if e.difference.se else e for e in found]
