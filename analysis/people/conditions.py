"""Conditions that share their real images and participants, such as several generators shown in one survey.

Each pair is compared within participants, in three measures with the two-way variance of `estimate`: balanced accuracy,
the population's d', and the fooling rate (the share of a condition's generated images that is taken for real). The
answers to the shared real images cancel. d' is that of the mixed probit model of `mixed`, fitted once to all conditions
with the condition as a fixed effect: its spreads, and so the scales s, are common, and

    d'_1 - d'_2 = s_generated (z(H_1) - z(H_2)) - s_real (z(F_1) - z(F_2)).

The ranking is by fooling rate. Its uncertainty comes from draws of the rates from a multivariate t distribution, with
the covariances that follow from the variances of the rates and of their differences,
Cov(A, B) = (V(A) + V(B) - V(A - B)) / 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.numbers import LEVEL
from analysis.people import inference, significance
from analysis.people.estimation.estimate import Estimate
from analysis.people.population import spreads
from analysis.people.population.mixed import with_added_variance
from analysis.people.significance import Comparison
from analysis.people.trials import Trials, join
from glimpse.observers import Floats, Integers

MEASURES = {"balanced_accuracy": "balanced accuracy", "d_prime": "d′", "fooling_rate": "fooling rate"}
DRAWS = 10_000


@dataclass(frozen=True)
class Ranking:
    """The ranks of the conditions by fooling rate: the condition of rank 1 fools people most often."""

    place: Integers  # (K,) the rank
    lowest: Integers  # (K,) the ranks that the pairwise tests do not exclude, for all conditions together, run from ...
    highest: Integers  # ... `lowest` to `highest`
    first: Floats  # (K,) share of resamples in which the condition fools people most often
    more: Floats  # (K, K) share of resamples in which the row's condition fools more people than the column's


@dataclass(frozen=True)
class Conditions:
    """One family of conditions, compared pair by pair."""

    names: tuple[str, ...]
    fooling: tuple[Estimate, ...]  # by condition
    pairs: Mapping[str, Sequence[Comparison]]  # by measure; p_holm is corrected over the pairs
    ranking: Ranking | None  # None where a rate has no interval


def families(sets: Sequence[str], trial: Sequence[object], is_generated: Sequence[bool]) -> list[tuple[str, ...]]:
    """The groups of sets that share answers to real images, directly or through other sets.

    Each argument has one entry per answer.

    >>> families(["a", "b", "c", "a", "b"], [0, 0, 1, 2, 3], [False, False, False, True, True])
    [('a', 'b')]
    """
    frame = pd.DataFrame({"set": sets, "trial": trial})[~np.asarray(is_generated, bool)]
    found: list[set[str]] = []
    shared = frame[frame["trial"].duplicated(keep=False)]
    for together in shared.groupby("trial")["set"].agg(frozenset).drop_duplicates():
        met = [family for family in found if family & together]
        found = [family for family in found if family not in met] + [set(together).union(*met)]
    order = list(dict.fromkeys(sets))
    return sorted((tuple(sorted(f, key=order.index)) for f in found if len(f) > 1), key=lambda f: order.index(f[0]))


def compare(sets: Mapping[str, Trials], seed: int = 0) -> Conditions:
    """Compare the conditions `sets`: their trials share one coding, and each includes the shared real images.

    >>> one = Trials.from_labels([0, 1, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1], [0, 1, 0, 1])
    >>> other = Trials(np.array([False, False, False, True]), one.is_generated, one.participant, one.image * 2)
    >>> found = compare({"a": one, "b": other})
    >>> [pairs[0].difference.value for pairs in found.pairs.values()][::2]  # 1 - 3/4 right, 0 - 1/2 fooled
    [0.25, -0.5]
    """
    names = tuple(sets)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    answers, condition = pooled(list(sets.values()))
    fitted = spreads.fit_spreads(answers, seed, condition)
    measures: dict[str, list[Comparison]] = {measure: [] for measure in MEASURES}
    for a, b in pairs:
        one, other = sets[a], sets[b]
        for measure, found in (
            ("balanced_accuracy", significance.difference(one, other, generated=0.5, real=-0.5)),
            ("d_prime", d_prime_difference(one, other, fitted)),
            ("fooling_rate", significance.difference(one, other, generated=-1, real=0)),
        ):
            measures[measure].append(significance.compared(a, b, found))
    corrected = {measure: significance.corrected(found) for measure, found in measures.items()}
    fooling = tuple(inference.rate(one, 1, 0).complement() for one in sets.values())
    return Conditions(names, fooling, corrected, rank(fooling, corrected["fooling_rate"], names, seed))


def pooled(sets: Sequence[Trials]) -> tuple[Trials, Integers]:
    """All answers, each once, with separate image codes for each condition's generated images; each code's condition.

    >>> one = Trials.from_labels([0, 1], [0, 1], [0, 0], [0, 1])
    >>> answers, condition = pooled([one, one])
    >>> answers.image, condition
    (array([0, 2, 3]), array([0, 1, 0, 1]))
    """
    both, kinds = join(list(sets)), len(sets)
    of_set = np.repeat(np.arange(kinds), [len(one) for one in sets])
    image = kinds * both.image + np.where(both.is_generated, of_set, 0)
    cells = pd.DataFrame({"p": both.participant, "i": image, "g": both.is_generated, "s": both.said_generated})
    nth = cells.assign(set=of_set).groupby(["p", "i", "g", "s", "set"]).cumcount()
    once = ~(cells.assign(nth=nth).duplicated().to_numpy() & ~both.is_generated)
    recoded = Trials(both.said_generated, both.is_generated, both.participant, image)
    return recoded.where(once), np.arange(int(image.max()) + 1) % kinds


def d_prime_difference(one: Trials, other: Trials, fitted: spreads.Spreads) -> Estimate:
    """The difference in the population's d', given the spreads of the model of both conditions.

    >>> one = Trials.from_labels([1, 0, 1, 1, 0, 0, 1, 0], [1] * 4 + [0] * 4, [0, 1] * 4, list(range(8)))
    >>> plain = spreads.Spreads(0.0, 0.0, 0.0, 0.0, np.zeros((4, 4)))  # people and images alike: both scales are 1
    >>> d_prime_difference(one, one, plain).value
    0.0
    """
    scale = fitted.scale(True), fitted.scale(False)
    for trials in (one, other):
        for truth, name in ((True, "generated"), (False, "real")):
            said = trials.said_generated[trials.is_generated == truth]
            if not len(said) or said.all() or not said.any():
                return Estimate(None, note=f"every {name} image of a condition got the same answer")
    found = significance.difference(one, other, generated=scale[0], real=-scale[1], z=True)
    hit = significance.difference(one, other, generated=1, real=0, z=True).value or 0.0
    false_alarm = ((scale[0] * hit - found.value) / scale[1]) if found.value is not None else 0.0
    return with_added_variance(found, fitted.variance_of(hit, -false_alarm))


def rank(
    fooling: Sequence[Estimate], pairs: Sequence[Comparison], names: Sequence[str], seed: int = 0
) -> Ranking | None:
    """The ranking by fooling rate, from the rates and their paired differences (first - second).

    >>> a, b = Estimate(0.6, 0.05, 1e9), Estimate(0.5, 0.05, 1e9)
    >>> gap = Comparison("a", "b", Estimate(0.1, 0.05, 1e9), 0.0455, 0.0455)
    >>> found = rank([a, b], [gap], ["a", "b"])
    >>> found.place, found.lowest, found.highest, round(float(found.more[0, 1]), 2)  # Phi(0.1 / 0.05)
    (array([1, 2]), array([1, 2]), array([1, 2]), 0.98)
    """
    count = len(names)
    if any(e.value is None or e.se is None for e in [*fooling, *(p.difference for p in pairs)]):
        return None
    value, variance = (np.array([f(e) for e in fooling], float) for f in (lambda e: e.value, lambda e: e.se**2))
    covariance, least_df = np.diag(variance), np.inf
    above = np.zeros((count, count), bool)
    for pair in pairs:
        i, j, gap = names.index(pair.first), names.index(pair.second), pair.difference
        assert gap.value is not None
        assert gap.se is not None
        covariance[i, j] = covariance[j, i] = (variance[i] + variance[j] - gap.se**2) / 2
        least_df = min(least_df, gap.df or np.inf)
        if pair.p_holm is not None and pair.p_holm < LEVEL:
            above[(i, j) if gap.value > 0 else (j, i)] = True
    sizes, axes = np.linalg.eigh(covariance)
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(DRAWS, count)) * np.sqrt(np.maximum(sizes, 0)) @ axes.T
    noise *= np.sqrt(least_df / rng.chisquare(least_df, (DRAWS, 1))) if least_df < 1e6 else 1.0
    drawn = value + noise
    more = (drawn[:, :, None] > drawn[:, None, :]).mean(axis=0)
    first = np.bincount(drawn.argmax(axis=1), minlength=count) / DRAWS
    place = 1 + (value[None, :] > value[:, None]).sum(axis=1)
    return Ranking(place, 1 + above.sum(axis=0), count - above.sum(axis=1), first, more)
