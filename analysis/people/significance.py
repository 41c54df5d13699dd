"""Comparisons between sets with Holm's correction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import special, stats

from analysis.people.estimation.estimate import fewest_images, with_interval
from analysis.people.estimation.variance import Sums, parts_of_sums, sums_of
from analysis.people.inference import Estimate, estimate, mean_of_people
from analysis.people.trials import Trials, join
from glimpse.observers import Integers


@dataclass(frozen=True)
class Comparison:
    """A pair of sets with the difference in accuracy, first - second, and its p-values."""

    first: str
    second: str
    difference: Estimate
    p: float | None
    p_holm: float | None = None


def compare_sets(sets: Mapping[str, Trials], apart: Callable[[str, str], bool] | None = None) -> list[Comparison]:
    """The difference in balanced accuracy of each pair of sets, with Holm's correction over all pairs.

    The sets share one coding of participants and images, so a participant of two sets is one cluster. Sets without both
    classes are left out. `apart(first, second)` says whether to compare a pair (default: compare all).

    >>> one = Trials.from_labels([1, 0, 1, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 2, 3])
    >>> other = Trials.from_labels([1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 2, 3])
    >>> [(c.first, c.second, c.difference.value) for c in compare_sets({"df": one, "mel": other})]
    [('df', 'mel', 0.25)]
    """
    names = [n for n, t in sets.items() if t.is_generated.any() and not t.is_generated.all()]
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :] if apart is None or apart(a, b)]
    alone = {name: _alone(sets[name]) for name in dict.fromkeys(name for pair in pairs for name in pair)}
    found = []
    for a, b in pairs:
        if alone[a].shares_none(alone[b]):
            found.append(compared(a, b, _difference_of_separate(alone[a], alone[b])))
        else:
            found.append(compared(a, b, difference(sets[a], sets[b], generated=0.5, real=-0.5)))
    return corrected(found)


@dataclass(frozen=True)
class _Alone:
    """The part of one set in the difference in balanced accuracy from a set of other people and images."""

    terms: tuple[float, float]  # of real and of generated images
    trials: int
    fewest: int  # images of the class that has fewer
    people: Integers  # codes, ascending
    images: Integers
    sums: Sums  # of the influence

    def shares_none(self, other: _Alone) -> bool:
        """Whether the sets share neither a participant nor an image."""
        return not (np.isin(self.people, other.people).any() or np.isin(self.images, other.images).any())


def _alone(trials: Trials) -> _Alone:
    influence, terms = np.zeros(len(trials)), []
    for weight, rows in ((-0.5, ~trials.is_generated), (0.5, trials.is_generated)):
        mean, moves = mean_of_people(trials.said_generated[rows], trials.participant[rows])
        terms.append(weight * mean)
        influence[rows] = weight * moves
    people, images = np.unique(trials.participant), np.unique(trials.image)
    fewest = fewest_images(trials, trials.is_generated)
    sums = sums_of(influence, trials, trials.is_generated)
    return _Alone((terms[0], terms[1]), len(trials), fewest, people, images, sums)


def _difference_of_separate(one: _Alone, other: _Alone) -> Estimate:
    """The result of `difference` for sets without a common participant or image, in far less time for many pairs.

    The influences of `other` have the opposite sign in the difference, which its variance does not show.
    """
    value = one.terms[0] + one.terms[1] - other.terms[0] - other.terms[1]
    if min(one.fewest, other.fewest) < 2:
        return Estimate(float(value), note="one image of a class: no interval for new images")
    a, b = one.sums, other.sums
    both = Sums(
        people=np.concatenate([a.people, b.people]),
        images=np.concatenate([a.images, b.images]),
        pairs=np.concatenate([a.pairs, b.pairs]),
        image_strata=np.concatenate([a.image_strata, b.image_strata + 2]),
        pair_strata=np.concatenate([a.pair_strata, b.pair_strata + 2]),
    )
    return with_interval(value, parts_of_sums(both), one.trials + other.trials).within(-1.0, 1.0)


def difference(one: Trials, other: Trials, *, generated: float, real: float, z: bool = False) -> Estimate:
    """generated * (H1 - H2) + real * (F1 - F2), with H and F the shares of generated and real images called generated.

    With `z`, z(H) and z(F) are used instead of H and F. Weights (1/2, -1/2) give the difference in balanced accuracy,
    (-1, 0) that in the share of generated images taken for real. Answers to real images that both sets share cancel.

    >>> one = Trials.from_labels([1, 0, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1])
    >>> other = Trials.from_labels([0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 1, 1], [2, 3, 2, 3])
    >>> difference(one, other, generated=-1, real=0).value
    -0.25
    """
    both = join([one, other])
    stratum = both.is_generated + 2 * (np.arange(len(both)) >= len(one))
    influence, value, used = np.zeros(len(both)), 0.0, np.zeros(len(both), bool)
    if real and _same(one.where(~one.is_generated), other.where(~other.is_generated)):
        real = 0.0
    for code, weight in ((0, real), (1, generated), (2, -real), (3, -generated)):
        rows = stratum == code
        if weight:
            used |= rows
            mean, moves = mean_of_people(both.said_generated[rows], both.participant[rows])
            density = float(stats.norm.pdf(stats.norm.ppf(mean))) if z else 1.0
            value += weight * (float(stats.norm.ppf(mean)) if z else mean)
            influence[rows] = weight * moves / density if density else np.nan
    found = estimate(value, influence[used], both.where(used), strata=stratum[used])
    return found if z else found.within(-1.0, 1.0)


def _same(one: Trials, other: Trials) -> bool:
    """Whether both are the same answers of the same people to the same images, in any order."""
    first, second = (np.stack([t.participant, t.image, t.said_generated]) for t in (one, other))
    if not np.array_equal(first.sum(axis=1), second.sum(axis=1)):  # most pairs differ here, which saves sorting
        return False
    return np.array_equal(first[:, np.lexsort(first)], second[:, np.lexsort(second)])


def compared(first: str, second: str, found: Estimate) -> Comparison:
    """The comparison with its two-sided p-value of 'no difference'; None without a standard error.

    >>> round(compared("df", "mel", Estimate(0.196, se=0.1, df=1e9)).p, 4)  # 2 (1 - Phi(1.96))
    0.05
    """
    if found.value is None or found.se is None or found.df is None:
        return Comparison(first, second, found, None)
    return Comparison(first, second, found, float(2 * special.stdtr(found.df, -abs(found.value) / found.se)))


def corrected(found: list[Comparison]) -> list[Comparison]:
    """The comparisons with Holm's p-values over all of them that have one.

    >>> none = Estimate(None)
    >>> pairs = [Comparison("a", "b", none, 0.01), Comparison("a", "c", none, None), Comparison("b", "c", none, 0.04)]
    >>> [pair.p_holm for pair in corrected(pairs)]
    [0.02, None, 0.04]
    """
    each = iter(holm([c.p for c in found if c.p is not None]))
    return [replace(c, p_holm=next(each)) if c.p is not None else c for c in found]


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down p-values, in the order given.

    >>> holm([0.04, 0.01])
    [0.04, 0.02]
    """
    order, each = np.argsort(p_values), np.array(p_values, float)
    each[order] = np.minimum(np.maximum.accumulate(each[order] * np.arange(len(each), 0, -1)), 1)
    return [float(p) for p in each]
