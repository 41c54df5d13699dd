"""Comparisons between sets with Holm's correction."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from analysis.people.inference import Estimate, estimate, mean_of_people
from analysis.people.trials import Trials, join


@dataclass(frozen=True)
class Comparison:
    """One pair of sets: how much more accurate people are on the first."""

    first: str
    second: str
    difference: Estimate
    p: float | None
    p_holm: float | None = None


def compare_sets(sets: dict[str, Trials]) -> list[Comparison]:
    """The difference in balanced accuracy of each pair of sets, with Holm's correction over all pairs.

    The sets share one coding of participants and images, so a participant of two sets is one cluster. Sets without both
    classes are left out.

    >>> one = Trials.from_labels([1, 0, 1, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 2, 3])
    >>> other = Trials.from_labels([1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 2, 3])
    >>> [(c.first, c.second, c.difference.value) for c in compare_sets({"df": one, "mel": other})]
    [('df', 'mel', 0.25)]
    """
    names = [n for n, t in sets.items() if t.is_generated.any() and not t.is_generated.all()]
    found = [_difference(a, b, sets[a], sets[b]) for i, a in enumerate(names) for b in names[i + 1 :]]
    corrected = iter(holm([c.p for c in found if c.p is not None]))
    return [replace(c, p_holm=next(corrected)) if c.p is not None else c for c in found]


def _difference(first: str, second: str, one: Trials, other: Trials) -> Comparison:
    both = join([one, other])
    stratum = both.is_generated + 2 * (np.arange(len(both)) >= len(one))
    influence, value = np.zeros(len(both)), 0.0
    for code, weight in ((0, 0.5), (1, 0.5), (2, -0.5), (3, -0.5)):
        rows = stratum == code
        mean, moves = mean_of_people(both.correct[rows], both.participant[rows])
        value += weight * mean
        influence[rows] = weight * moves
    found = estimate(value, influence, both, strata=stratum)
    if found.se is None or found.df is None:
        return Comparison(first, second, found, None)
    return Comparison(first, second, found, float(2 * stats.t.sf(abs(value) / found.se, found.df)))


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down p-values, in the order given.

    >>> holm([0.04, 0.01])
    [0.04, 0.02]
    """
    from statsmodels.stats.multitest import multipletests

    return [float(p) for p in multipletests(p_values, method="holm")[1]] if len(p_values) > 1 else p_values
