"""Thresholds and psychometric curves from staircases, and error rates without a time limit.

A participant's chance of being right at an exposure of t ms is modelled as

    psi(t) = 1/2 + (1/2 - lapse) * Phi((log10 t - m) / width)

and the result is the threshold, where psi = 0.75. Staircase data say little about width and lapse, so these are not
fixed at their best values but averaged over: the posterior is summed on a grid, as psignifit does (Schütt, Harmeling,
Macke & Wichmann 2016, Vision Research 122:105-123), for all participants in one matrix product. Tests check the
coverage of its 95 % intervals with simulated observers. A threshold beyond the exposures shown is reported as such,
never extrapolated. HYPE-time and HYPE-infinity: Zhou et al. 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from analysis.people import inference
from analysis.people.inference import Estimate
from analysis.people.trials import Trials
from glimpse.observers import Floats

TARGET = 0.75  # where the weighted staircase -10 / +30 ms settles
LOG_THRESHOLDS = np.linspace(np.log10(10), np.log10(10_000), 121)
WIDTHS = np.geomspace(0.05, 1.0, 9)  # SD of the curve in log10 units: from a step to a whole decade
LAPSES = np.array([0.005, 0.01, 0.02, 0.04, 0.07, 0.10])
LAPSE_PRIOR = stats.beta(1.2, 20).pdf(LAPSES)  # mostly a few per cent
CURVE_MS = np.geomspace(30, 3_000, 61)  # exposures at which curves are given
METHOD = "Bayesian psychometric function on a grid, lapse rate and width averaged over; median and 95 % interval"


@dataclass(frozen=True)
class Thresholds:
    """The thresholds of P participants, in the order of their codes."""

    threshold_ms: Floats  # (P,) posterior median
    low: Floats  # (P,) 95 % interval
    high: Floats  # (P,)
    above: Any  # (P,) bool: the median lies above the longest exposure shown to them
    below: Any  # (P,) bool: ... below the shortest
    curves: Floats  # (P, len(CURVE_MS)) posterior mean of psi


def thresholds(exposure_ms: Any, correct: Any, participant: Any) -> Thresholds:
    """Each participant's threshold. `exposure_ms` (n,) above 0, `correct` (n,) bool, `participant` (n,) codes.

    >>> exposure_ms = np.tile([100, 200, 400, 800], 50)  # right whenever shown for 400 ms or more, else guessing
    >>> found = thresholds(exposure_ms, (exposure_ms >= 400) | (np.arange(200) % 8 < 4), np.zeros(200))
    >>> bool(200 < found.threshold_ms[0] < 400), bool(found.above[0]), bool(found.below[0])
    (True, False, False)
    """
    exposure = np.maximum(np.round(np.asarray(exposure_ms, float)), 1.0)
    people, who = np.unique(participant, return_inverse=True)
    levels, at = np.unique(exposure, return_inverse=True)
    right = np.zeros((len(people), len(levels)))
    shown = np.zeros_like(right)
    np.add.at(shown, (who, at), 1.0)
    np.add.at(right, (who, at), np.asarray(correct, float))
    chance = _psi(np.log10(levels))  # (levels, grid)
    shape = (len(LOG_THRESHOLDS), len(WIDTHS), len(LAPSES))
    log_prior = np.log(np.broadcast_to(LAPSE_PRIOR, shape)).ravel()
    curve = _psi(np.log10(CURVE_MS))
    marginal, curves = np.empty((len(people), shape[0])), np.empty((len(people), len(CURVE_MS)))
    for part in np.array_split(np.arange(len(people)), -(-len(people) // 256) or 1):  # bounded memory
        log_posterior = right[part] @ np.log(chance) + (shown - right)[part] @ np.log1p(-chance) + log_prior
        posterior = np.exp(log_posterior - log_posterior.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
        marginal[part] = posterior.reshape(len(part), *shape).sum(axis=(2, 3))
        curves[part] = posterior @ curve.T
    low, median, high = (10 ** _quantile(marginal, q) for q in (0.025, 0.5, 0.975))
    longest, shortest = np.full(len(people), -np.inf), np.full(len(people), np.inf)
    np.maximum.at(longest, who, exposure)
    np.minimum.at(shortest, who, exposure)
    return Thresholds(median, low, high, median > longest, median < shortest, curves)


def _psi(log_ms: Floats) -> Floats:
    """psi at each exposure for every point of the grid (threshold, width, lapse), (exposures, grid)."""
    threshold, width, lapse = np.meshgrid(LOG_THRESHOLDS, WIDTHS, LAPSES, indexing="ij")
    at_target = stats.norm.ppf((TARGET - 0.5) / (0.5 - LAPSES))[None, None, :]  # argument of Phi where psi = 0.75
    z = (log_ms[:, None] - threshold.ravel()) / width.ravel() + np.broadcast_to(at_target, threshold.shape).ravel()
    return np.asarray(0.5 + (0.5 - lapse.ravel()) * stats.norm.cdf(z))


def _quantile(mass: Floats, q: float) -> Floats:
    """The quantile of each row of probabilities over LOG_THRESHOLDS, linear within a cell."""
    step = LOG_THRESHOLDS[1] - LOG_THRESHOLDS[0]
    upto = np.cumsum(mass, axis=1)
    cell = np.argmax(upto >= q - 1e-12, axis=1)
    rows = np.arange(len(mass))
    before = upto[rows, cell] - mass[rows, cell]
    return np.asarray(LOG_THRESHOLDS[cell] + step * ((q - before) / mass[rows, cell] - 0.5))


def median_threshold(found: Thresholds) -> Estimate:
    """The participants' median threshold in ms, for new participants.

    A median, because a threshold beyond the exposures shown has a rank but no value. The interval is by order
    statistics, without assumptions on the distribution. A median or an end beyond the exposures is None.

    >>> ms, no = np.array([400.0, 100.0, 200.0]), np.zeros(3, bool)
    >>> median_threshold(Thresholds(ms, ms, ms, above=no, below=no, curves=np.zeros((3, 61)))).value
    200.0
    """
    method = "median over participants, distribution-free interval by order statistics"
    values = np.sort(np.select([found.above, found.below], [np.inf, -np.inf], found.threshold_ms))
    n = len(values)
    if n == 0:
        return Estimate(None, method=method, note="no staircase")
    middle = values[[(n - 1) // 2, n // 2]]
    if not np.isfinite(middle).all():
        sides = ((int(found.above.sum()), "longer"), (int(found.below.sum()), "shorter"))
        gone = " and ".join(f"{count} are {side}" for count, side in sides if count)
        note = f"there is no median, since of {n} thresholds {gone} than any exposure shown"
        return Estimate(None, method=method, note=note)
    below = int(stats.binom.ppf(0.025, n, 0.5))  # the interval from the below-th to the (n + 1 - below)-th value
    if below < 1:
        return Estimate(float(middle.mean()), method=method, note=f"{n} participants are too few for an interval")
    low, high = float(values[below - 1]), float(values[n - below])
    if not np.isfinite([low, high]).all():
        return Estimate(float(middle.mean()), method=method, note="the interval ends beyond the exposures shown")
    return Estimate(float(middle.mean()), ci95=(low, high), method=method)


def error_rate(answers: Trials) -> Estimate:
    """HYPE-infinity: the share of wrong answers with no time limit; 0.5 is perfect realism, above it 'hyper-real'.

    >>> error_rate(Trials.from_labels([1, 1, 0, 1], [1, 1, 0, 0], [0, 1, 0, 1], [0, 1, 2, 3])).value
    0.25
    """
    return inference.accuracy(answers).complement()
