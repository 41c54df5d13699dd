"""Reliability: how well the scores of participants, or of images, would repeat with other answers.

A unit is a participant (scored by the images judged) or an image (scored by the participants who judged it).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from analysis.people.estimation.estimate import Estimate
from analysis.people.trials import codes_of
from glimpse import bootstrap
from glimpse.observers import Floats, Integers

SPLITS, RESAMPLES, FEWEST = 100, 400, 4  # random halves; bootstrap resamples of units; units for a correlation
MOST_WORK = 3_000_000  # units, by stratum, times splits
METHOD = "mean correlation of random halves, Spearman-Brown, percentile bootstrap over units"


def split_half(right: Any, unit: Any, stratum: Any = None, seed: int = 0) -> Estimate:
    """The split-half reliability of the units' shares of `right` answers, (n,), with a 95 % interval for new units.

    Each unit's answers are split at random into halves within each `stratum` (its score is the mean over strata), many
    times: of the right ones among k of n, a hypergeometric number falls into the first half. The mean correlation r of
    the halves is the reliability of scores from half of the answers, 2 r / (1 + |r|) that of scores from all of them
    (Spearman 1910, Brown 1910; for r below 0, where their formula is unbounded, its mirror image: Krus & Helmstadter
    1993). Units without two answers in each stratum are left out.

    >>> unit = np.repeat(np.arange(4), 4)
    >>> split_half([0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1], unit).value
    1.0
    """
    right, unit = np.asarray(right, bool), codes_of(unit)
    stratum = np.zeros(len(unit), int) if stratum is None else codes_of(stratum)
    kinds, units = int(stratum.max(initial=0)) + 1, int(unit.max(initial=-1)) + 1
    cell = unit * kinds + stratum
    seen, hits = (np.bincount(c, minlength=kinds * units).reshape(units, kinds) for c in (cell, cell[right]))
    kept = (seen >= 2).all(axis=1)
    seen, hits, units = seen[kept], hits[kept], int(kept.sum())
    if units < FEWEST:
        return Estimate(None, method=METHOD, note=f"fewer than {FEWEST} with two answers each")
    if np.ptp((hits / seen).mean(axis=1)) < 1e-9:  # the halves of one score are opposites: r is -1 whatever the answers
        return Estimate(None, method=METHOD, note="all scores are the same")
    rng, splits = np.random.default_rng(seed), int(np.clip(MOST_WORK // seen.size, 10, SPLITS))
    first = seen // 2 + rng.integers(2, size=(splits, *seen.shape)) * (seen % 2)
    of_first = rng.hypergeometric(hits, seen - hits, first)
    a, b = ((k / n).mean(axis=2) for k, n in ((of_first, first), (hits - of_first, seen - first)))  # (splits, units)
    products = np.stack([a, b, a * a, b * b, a * b]).transpose(2, 0, 1).reshape(units, -1)
    value = _corrected(products.mean(axis=0)[None], splits)[0]
    if not np.isfinite(value):
        return Estimate(None, method=METHOD, note="all scores are the same")
    ends = bootstrap.interval(units, lambda drawn: _corrected(drawn / units @ products, splits), RESAMPLES, rng)
    if ends is not None and ends[1] - ends[0] < 1e-9:
        return Estimate(round(float(value), 12), method=METHOD, note="the answers of a unit do not vary: no interval")
    return Estimate(round(float(value), 12), ci95=ends, method=METHOD)


def _corrected(means: Floats, splits: int) -> Floats:
    """The Spearman-Brown reliability, (B,), from the means of a, b, a^2, b^2 and a b over units, (B, 5 splits)."""
    a, b, aa, bb, ab = means.reshape(-1, 5, splits).transpose(1, 0, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sqrt(np.maximum(aa - a * a, 0) * np.maximum(bb - b * b, 0))
        r = np.where(spread > 1e-12, (ab - a * b) / np.where(spread > 1e-12, spread, 1), np.nan)
        mean = np.nansum(np.clip(r, -1, 1), axis=1) / np.isfinite(r).sum(axis=1)
        return np.asarray(2 * mean / (1 + abs(mean)), np.float64)


# ------------------------------------------------------------------------------------------------ ICC


@dataclass(frozen=True)
class Intraclass:
    """Intraclass correlations of a single answer, and of the mean of a unit's answers."""

    single: Estimate
    mean: Estimate
    answers: float  # per unit, on average
    model: str  # 'two-way' in a complete design (everybody judged every image), else 'one-way'


def intraclass(values: Any, unit: Any, across: Any, stratum: Any = None) -> Intraclass:
    """ICC(1) and ICC(1, k) by analysis of variance, or ICC(3, 1) and ICC(3, k) in a complete design.

    `across`, (n,): the factor within a unit (images for a participant, participants for an image). In a complete
    design, with one answer for each unit and level, it is a second factor, and ICC(3, k) is Cronbach's alpha; otherwise
    it counts as noise. With several `stratum`, (n,), a unit's score is the mean of its means in each, as in
    `split_half`, and noise is what varies within unit and stratum: in a complete design this is the stratified alpha
    (Rajaratnam, Cronbach & Gleser 1965), and a preference for one answer is neither ability nor noise. Intervals by the
    F distribution (Shrout & Fleiss 1979; with unequal numbers of answers by their mean n0, Donner & Wells 1986), over
    strata with Satterthwaite's degrees of freedom. Units without an answer in each stratum are left out.

    >>> found = intraclass([9, 2, 5, 8, 6, 1, 3, 2], np.repeat([0, 1], 4), np.tile([0, 1, 2, 3], 2))
    >>> found.model, found.answers
    ('two-way', 4.0)
    """
    unit = codes_of(unit)
    stratum = np.zeros(len(unit), int) if stratum is None else codes_of(stratum)
    kinds = int(stratum.max(initial=0)) + 1
    seen = np.bincount(unit * kinds + stratum, minlength=kinds * (int(unit.max(initial=-1)) + 1)).reshape(-1, kinds)
    kept = np.asarray((seen > 0).all(axis=1))
    rows, seen = kept[unit], seen[kept]
    values, unit, stratum = np.asarray(values, float)[rows], codes_of(unit[rows]), stratum[rows]
    level = codes_of(codes_of(across)[rows] * kinds + stratum)
    units, levels, n = len(seen), int(level.max(initial=-1)) + 1, len(values)
    complete = n == units * levels and len(np.unique(unit * levels + level)) == n
    model = "two-way" if complete else "one-way"
    columns = level if complete else stratum
    answers = _mean_size(seen.sum(axis=1))
    df = np.array([(stratum == s).sum() - units - len(np.unique(columns[stratum == s])) + 1 for s in range(kinds)])
    if units < 2 or df.min() <= 0:
        return _no_intraclass("too few answers for a variance between and within", answers, model)
    away = values - _means(values, columns)[columns]
    cell = unit * kinds + stratum
    means = _means(away, cell)
    within = np.bincount(stratum, (away - means[cell]) ** 2) / df
    if within.sum() <= 0:
        return _no_intraclass("the answers of a unit do not vary", answers, model)
    score, noise = means.reshape(-1, kinds).mean(axis=1), (within / seen).sum(axis=1) / kinds**2
    f = float((score**2 / noise).sum()) / (units - 1)
    if f <= 0:
        return _no_intraclass("all scores are the same", answers, model)
    parts = within * (1 / seen).sum(axis=0)
    within_df = float(parts.sum() ** 2 / (parts**2 / df).sum())
    size = _mean_size(kinds**2 / (1 / seen).sum(axis=1))  # of one stratum: answers
    ends = f / stats.f.ppf(0.975, units - 1, within_df), f * stats.f.ppf(0.975, within_df, units - 1)

    def estimate(k: float, name: str) -> Estimate:
        low, value, high = ((e - 1) / (e + k) if k else 1 - 1 / e for e in (ends[0], f, ends[1]))
        name += " within classes" if kinds > 1 else ""
        return Estimate(float(value), ci95=(float(low), float(high)), method=f"{name}, {model} ANOVA, F interval")

    kind = 3 if complete else 1
    return Intraclass(estimate(size - 1, f"ICC({kind},1)"), estimate(0.0, f"ICC({kind},k)"), answers, model)


def _no_intraclass(note: str, answers: float, model: str) -> Intraclass:
    nothing = Estimate(None, method=f"ICC, {model}", note=note)
    return Intraclass(nothing, nothing, answers, model)


def _mean_size(sizes: Any) -> float:
    """n0 of units with these numbers of answers, (units,): the plain mean if all have as many.

    >>> _mean_size(np.array([4, 4])), _mean_size(np.array([2, 4]))
    (4.0, 2.6666666666666665)
    """
    total = float(sizes.sum())
    return (total - float((sizes**2).sum()) / total) / (len(sizes) - 1) if len(sizes) > 1 else total


def _means(values: Floats, code: Integers | NDArray[np.int_]) -> Floats:
    return np.asarray(np.bincount(code, values) / np.maximum(np.bincount(code), 1), np.float64)
