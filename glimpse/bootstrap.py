"""The percentile bootstrap, computed from how often each unit is drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def interval(
    units: int, statistic: Callable[[NDArray[np.int64]], NDArray[Any]], times: int, rng: np.random.Generator
) -> tuple[float, float]:
    """The 95 % percentile interval of a statistic, from `times` resamples of `units` units with replacement.

    `statistic` takes how often each unit is drawn, (times, units), and returns (times,); values that are not finite are
    left out.

    >>> interval(3, lambda drawn: drawn @ np.ones(3) / 3, 100, np.random.default_rng(0))  # the mean of ones is one
    (1.0, 1.0)
    """
    return ends(statistic(drawn(units, times, rng)))


def drawn(units: int, times: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The number of times that each of `units` units is drawn in each of `times` resamples, (times, units).

    >>> drawn(3, 2, np.random.default_rng(0)).sum(axis=1)
    array([3, 3])
    """
    return rng.multinomial(units, np.full(units, 1 / units), times)


def ends(values: NDArray[Any]) -> tuple[float, float]:
    """The 2.5 and 97.5 % quantiles of those values, (times,), that are finite.

    >>> ends(np.array([0.0, 40.0, np.nan]))
    (1.0, 39.0)
    """
    low, high = np.quantile(values[np.isfinite(values)], [0.025, 0.975])
    return float(low), float(high)
