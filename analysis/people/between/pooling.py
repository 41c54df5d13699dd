"""Partial pooling: shrink each of many effects towards their centre, the more, the less they differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from glimpse.observers import Floats

METHOD = "normal partial pooling, the effects' spread averaged over: posterior mean and 95 % interval"
GRID = 200  # spreads that are averaged over


def shrunken(values: Any, errors: Any, centre: float | None = None) -> tuple[Floats, Floats, Floats]:
    """Posterior mean and the ends of the 95 % interval of each effect; `values` with standard `errors`, (n,) each.

    The effects are N(m, t^2), with m the known `centre` or unknown, and t unknown (flat priors, t up to the range of
    the values and two errors); each effect's posterior is approximated by the normal with its mean and variance
    (Gelman et al. 2013, Bayesian Data Analysis, 5.4). With a single t^2 the shrinking factor is t^2 / (t^2 + s^2).

    >>> mean, low, high = shrunken([2.0, -2.0, 0.1], [1.0, 1.0, 1.0], centre=0.0)
    >>> bool(0 < mean[0] < 2 and low[0] < mean[0] < high[0]), round(float(mean[0] + mean[1]), 9)
    (True, 0.0)
    """
    x, variance = np.asarray(values, float), np.asarray(errors, float) ** 2
    middle = float(x.mean()) if centre is None else centre
    most = float(np.abs(x - middle).max() + 2 * np.sqrt(variance).max())
    spread2 = np.linspace(0, most, GRID)[:, None] ** 2
    total = spread2 + variance  # (GRID, n)
    mean, of_mean = np.full(GRID, middle), np.zeros(GRID)
    if centre is None:
        of_mean = 1 / (1 / total).sum(axis=1)
        mean = (x / total).sum(axis=1) * of_mean
    log_weight = -0.5 * (np.log(total) + (x - mean[:, None]) ** 2 / total).sum(axis=1)
    log_weight += 0.5 * np.log(of_mean) if centre is None else 0.0
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    factor = spread2 / total
    each = mean[:, None] + factor * (x - mean[:, None])
    within = factor * variance + (1 - factor) ** 2 * of_mean[:, None]
    found = weight @ each
    sd = np.sqrt(weight @ (within + (each - found) ** 2))
    z = float(stats.norm.ppf(0.975))
    return found, found - z * sd, found + z * sd
