"""Ratings from definitely real to definitely generated: the ROC area of each participant, and the pooled ROC curve.

The area under a participant's empirical ROC curve is the probability that they rate a generated image above a real one,
ties counting half (Mann & Whitney; Bamber 1975). It depends only on the order of the ratings, so neither a preference
for one answer nor the use of the scale matters.

The curve of all participants is binormal (Dorfman & Alf 1969): ratings divide normal evidence, whose mean and standard
deviation differ between real and generated images, into ordered categories. It is fitted by maximum likelihood to the
ratings of all participants, weighted equally; its zROC is a straight line

    z(H) = a + b z(F),  slope b = sd(real) / sd(generated),  d_a = a sqrt(2 / (1 + b^2)),  area = Phi(d_a / sqrt 2)

(Macmillan & Creelman 2005, ch. 3). Intervals by `estimate.parts_of` from each rating's influence on the fit.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import optimize, stats

from analysis.people.estimation.estimate import METHOD, Estimate, estimate
from analysis.people.trials import Trials
from glimpse.observers import Floats, Integers

MOST_CATEGORIES = 12  # of the binormal fit; if there are more ratings, neighbours are joined to groups of equal size
FALSE_ALARM_RATES = np.linspace(0.01, 0.99, 99)  # where the curve and its band are given
METHOD_CURVE = f"binormal, maximum likelihood, participants weighted equally; {METHOD}"


@dataclass(frozen=True)
class Areas:
    """The area under the ROC curve of each participant who rated images of both classes, J of them."""

    participant: Integers  # (J,) codes
    area: Floats  # (J,)
    moves: Floats  # (n,) what a trial adds to its participant's area, by the jackknife; 0 where they have no area
    se: Floats  # (J,) for new images, jackknife; NaN with a single image of a class


def areas(rating: Any, trials: Trials) -> Areas:
    """Each participant's area. `rating`: (n,), higher for 'generated'; the answers in `trials` are not used.

    >>> trials = Trials.from_labels([0] * 4, [0, 0, 1, 1], [7] * 4, [0, 1, 2, 3])
    >>> areas([1, 3, 2, 4], trials).area  # of four pairs the rating is right in three
    array([0.75])
    """
    people, person = np.unique(trials.participant, return_inverse=True)
    levels, level = np.unique(np.asarray(rating, float), return_inverse=True)
    cell, at = np.unique(person * len(levels) + level, return_inverse=True)  # the ratings of a participant, ascending
    owner = cell // len(levels)
    below = np.zeros(len(trials))  # of the other class, those rated lower, and half of those rated the same
    shown = np.zeros((2, len(people)))
    for truth in (False, True):
        here = np.bincount(at[trials.is_generated == truth], minlength=len(cell)).astype(float)
        shown[int(truth)] = np.bincount(owner, here, minlength=len(people))
        before = np.concatenate([[0.0], np.cumsum(here)])
        first = np.searchsorted(owner, np.arange(len(people)))
        rank = before[:-1] - before[first][owner] + here / 2
        other = trials.is_generated != truth
        below[other] = rank[at[other]]
    own, others = np.where(trials.is_generated, shown[::-1][:, person], shown[:, person])
    with np.errstate(invalid="ignore", divide="ignore"):
        placement = np.where(trials.is_generated, below, others - below) / others  # probability of a correct ranking
        area = (np.bincount(person, placement / own, minlength=len(people)) / 2).round(12)  # a perfect one is 1
        moves = (placement - area[person]) / (own - 1)  # the jackknife: how far the area moves without this trial
    moves = np.where(np.isfinite(moves), moves, 0.0)
    size = shown.sum(axis=0)
    spread = np.sqrt(np.bincount(person, moves**2, minlength=len(people)) * (size - 1) / size)
    known = np.isfinite(area)
    return Areas(people[known], area[known], moves, np.where(shown.min(axis=0) > 1, spread, np.nan)[known])


# ------------------------------------------------------------------------------------------------ the curve of all


@dataclass(frozen=True)
class Curve:
    """The ROC curve of all participants: its points, and the binormal curve through them."""

    thresholds: Floats  # (K - 1,) the rating above which an answer counts as 'generated', descending
    hit_rate: Floats  # (K - 1,) of the mean participant
    false_alarm_rate: Floats  # (K - 1,)
    slope: Estimate  # of the zROC
    d_a: Estimate
    area: Estimate  # under the binormal curve
    curve: Floats = field(default_factory=lambda: np.zeros(0))  # (99,) hit rates at FALSE_ALARM_RATES; empty if no fit
    low: Floats = field(default_factory=lambda: np.zeros(0))  # (99,) 95 % at each false-alarm rate
    high: Floats = field(default_factory=lambda: np.zeros(0))


def curve(rating: Any, trials: Trials) -> Curve:
    """The curve of all participants; estimates have no value, but a note, if the ratings do not determine them.

    >>> trials = Trials.from_labels([0] * 8, [0] * 4 + [1] * 4, [0] * 8, list(range(8)))
    >>> found = curve([1, 1, 1, 2, 1, 2, 2, 2], trials)  # above 1: 3 of 4 generated and 1 of 4 real images
    >>> found.hit_rate.tolist(), found.false_alarm_rate.tolist()
    ([0.75], [0.25])
    """
    rating = np.asarray(rating, float)
    weight = _weights(trials)
    category, bounds = _categories(rating)
    shares = np.stack(
        [np.bincount(category, weight * (trials.is_generated == truth), len(bounds) + 1) for truth in (False, True)]
    )  # (2, K), each row sums to 1
    above = shares[:, ::-1].cumsum(axis=1)[:, :-1]
    points = (bounds[::-1], above[1], above[0])
    note = _why_not(shares)
    if note:
        nothing = Estimate(None, method=METHOD_CURVE, note=note)
        return Curve(*points, nothing, nothing, nothing)
    fitted, information = _fit(shares)
    mean, log_sd = float(fitted[0]), float(fitted[1])
    slope = float(np.exp(-log_sd))
    score = _scores(fitted, len(bounds) + 1)[:, trials.is_generated.astype(int), category]  # (parameters, n)
    for truth in (False, True):
        rows = trials.is_generated == truth
        score[:, rows] -= (score[:, rows] @ weight[rows])[:, None]
    moves = np.linalg.solve(information, score * weight)[:2]  # of the mean and the log of the SD
    spread = _Spread.of(moves, trials)
    ratio = float(np.exp(2 * log_sd))
    scale = float(np.sqrt(2 / (1 + ratio)))  # a = mean / sd and b = 1 / sd, so d_a = mean sqrt(2 / (1 + sd^2))
    d_a, by_d_a = mean * scale, (scale, -mean * scale * ratio / (1 + ratio))
    found = spread.estimate(d_a, *by_d_a)
    z = stats.norm.ppf(FALSE_ALARM_RATES)
    line = [spread.estimate(slope * (mean + one), slope, -slope * (mean + one)) for one in z]
    low, high = np.array([one.ci95 or (np.nan, np.nan) for one in line]).T
    return Curve(
        *points, spread.estimate(slope, 0.0, -slope), found, _area(found),
        *(stats.norm.cdf(ends) for ends in (slope * (mean + z), low, high)),
    )  # fmt: skip


def _area(d_a: Estimate) -> Estimate:
    """The area under the binormal curve, a monotone function of d_a."""
    assert d_a.value is not None
    value, *ends = (float(stats.norm.cdf(x / np.sqrt(2))) for x in (d_a.value, *(d_a.ci95 or ())))
    return Estimate(value, ci95=(ends[0], ends[1]) if ends else None, method=METHOD_CURVE, note=d_a.note)


@dataclass(frozen=True)
class _Spread:
    """The two-way variance of every function of two parameters, by its derivatives."""

    first: Estimate
    second: Estimate
    both: Estimate  # of their sum
    trials: int

    @staticmethod
    def of(moves: Any, trials: Trials) -> _Spread:
        """`moves`: (2, n), the influence of each trial on the two parameters."""
        first, second, both = (estimate(0.0, one, trials) for one in (moves[0], moves[1], moves[0] + moves[1]))
        return _Spread(first, second, both, len(trials))

    def estimate(self, value: float, by_first: float, by_second: float) -> Estimate:
        """`value`, whose derivatives by the two parameters are given, with its interval."""
        a, b, c = self.first.parts, self.second.parts, self.both.parts
        if a is None or b is None or c is None:
            return Estimate(value, method=METHOD_CURVE, note=self.first.note or self.second.note or self.both.note)
        mixed = by_first * by_second
        parts = replace(
            c,
            **{
                source: by_first * (by_first - by_second) * getattr(a, source)
                + by_second * (by_second - by_first) * getattr(b, source) + mixed * getattr(c, source)
                for source in ("people", "images", "trials")
            },
        )  # fmt: skip
        found = Estimate(
            value, float(np.sqrt(parts.variance)), min(float(parts.df), float(self.trials)), None, parts.people,
            METHOD_CURVE, parts=parts,
        )  # fmt: skip
        return replace(found, ci95=found.interval())


def _weights(trials: Trials) -> Floats:
    """The weight of each trial, (n,): in each class participants weigh the same, and the weights sum to 1."""
    weight = np.zeros(len(trials))
    for truth in (False, True):
        rows = trials.is_generated == truth
        _, who, answers = np.unique(trials.participant[rows], return_inverse=True, return_counts=True)
        weight[rows] = 1 / (answers[who] * max(len(answers), 1))
    return weight


def _categories(rating: Floats) -> tuple[Any, Floats]:
    """The category of each rating, (n,), and the highest rating of each category but the last, (K - 1,)."""
    levels, counts = np.unique(rating, return_counts=True)
    if len(levels) > MOST_CATEGORIES:
        upto = counts.cumsum() / counts.sum()
        last = np.unique(np.searchsorted(upto, np.arange(1, MOST_CATEGORIES) / MOST_CATEGORIES - 1e-12))
        bounds = levels[last[last < len(levels) - 1]]
    else:
        bounds = levels[:-1]
    return np.searchsorted(bounds, rating), bounds


def _why_not(shares: Any) -> str:
    """The reason why no binormal curve can be fitted to the shares of the categories, (2, K); "" if it can."""
    if not np.isclose(shares.sum(axis=1), 1).all():
        return "images of one class only"
    above = shares[:, ::-1].cumsum(axis=1)[:, :-1]
    inside = ((above > 1e-9) & (above < 1 - 1e-9)).all(axis=0)
    points = {(round(h, 9), round(f, 9)) for f, h in above[:, inside].T}
    if len(points) < 2:
        return "the ratings give fewer than two points with rates between 0 and 1: the slope is not determined"
    return ""


def _fit(shares: Any) -> tuple[Floats, Floats]:
    """Mean and log of the SD of generated images (real: 0 and 1), then K - 1 cuts; and the information matrix."""
    shares = np.maximum(shares, 1e-12)
    upto = np.clip(shares.cumsum(axis=1)[:, :-1], 1e-3, 1 - 1e-3)
    z = stats.norm.ppf(upto)
    start = np.concatenate([[z[0].mean() - z[1].mean(), 0.0], z.mean(axis=0) + (z[0] - z[1]).mean() / 2])
    start[2:] = np.maximum.accumulate(start[2:] + 1e-3 * np.arange(len(start) - 2))
    first, gaps = start[2], np.log(np.maximum(np.diff(start[2:]), 1e-3))

    def cuts(x: Floats) -> Floats:
        return np.concatenate([x[:2], x[2] + np.concatenate([[0.0], np.cumsum(np.exp(x[3:]))])])

    def loss(x: Floats) -> tuple[float, Floats]:
        values = cuts(x)
        score = _scores(values, shares.shape[1])
        gradient = -(score * shares).sum(axis=(1, 2))
        by_gap = np.array([gradient[3 + i :].sum() for i in range(len(x) - 3)]) * np.exp(x[3:])
        log = np.log(np.maximum(_chances(values, shares.shape[1]), 1e-300))
        return float(-(shares * log).sum()), np.concatenate([gradient[:2], [gradient[2:].sum()], by_gap])

    found = optimize.minimize(
        loss, np.concatenate([start[:2], [first], gaps]), jac=True, method="L-BFGS-B",
        bounds=[(-20, 20), (-3, 3), (-20, 20), *[(-12, 4)] * len(gaps)],
        options={"maxiter": 2_000, "ftol": 1e-13, "gtol": 1e-9},
    )  # fmt: skip
    values = cuts(found.x)
    score = _scores(values, shares.shape[1])
    information = np.einsum("pck,qck,ck->pq", score, score, _chances(values, shares.shape[1]))
    return values, information


def _edges(values: Floats) -> tuple[Floats, Floats]:
    """z of the cuts for real and generated images, with the infinite ends, (2, K + 1), and the density there."""
    ends = np.concatenate([[-np.inf], values[2:], [np.inf]])
    z = np.stack([ends, (ends - values[0]) * np.exp(-values[1])])
    return z, stats.norm.pdf(z)


def _chances(values: Floats, categories: int) -> Floats:
    """The chance of each category for a real and for a generated image, (2, K)."""
    z, _ = _edges(values)
    upper = stats.norm.sf(z)
    chance = np.where(z[:, :-1] > 0, upper[:, :-1] - upper[:, 1:], np.diff(stats.norm.cdf(z), axis=1))
    assert chance.shape == (2, categories)
    return np.asarray(chance)


def _scores(values: Floats, categories: int) -> Floats:
    """The derivative of each log chance by each parameter, (K + 1, 2, K)."""
    z, density = _edges(values)
    chance = np.maximum(_chances(values, categories), 1e-300)
    inverse_sd = np.exp(-values[1])
    score = np.zeros((categories + 1, 2, categories))
    inner = np.where(np.isfinite(z), z, 0.0) * density
    score[0, 1] = -np.diff(density[1]) * inverse_sd
    score[1, 1] = -np.diff(inner[1])
    for k in range(categories - 1):
        for kind, scale in ((0, 1.0), (1, inverse_sd)):
            score[2 + k, kind, k] += density[kind, k + 1] * scale
            score[2 + k, kind, k + 1] -= density[kind, k + 1] * scale
    return score / chance
