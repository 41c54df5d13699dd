"""Krippendorff's alpha: the agreement of participants on the same images, beyond chance.

Nominal answers, any number of participants per image, answers may be missing (Krippendorff 2011, Computing
Krippendorff's Alpha-Reliability). 1 is perfect agreement, 0 what chance gives, below 0 systematic disagreement.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.people.estimation.estimate import Estimate
from analysis.people.trials import codes_of
from glimpse import bootstrap
from glimpse.observers import Floats

RESAMPLES = 2_000
FEWEST = 8  # images for an interval: resamples of fewer are too similar
METHOD = f"Krippendorff's alpha (nominal), percentile bootstrap over images ({RESAMPLES:,} resamples)"


def alpha(values: Any, unit: Any, seed: int = 0) -> Estimate:
    """The alpha of `values`, (n,), each given to a `unit`, (n,), with a 95 % interval for new units.

    >>> alpha([1, 1, 2, 2, 1, 2], ["a", "a", "b", "b", "c", "c"]).value  # 1 - 5 * 2 / 18
    0.4444444444444444
    """
    code, unit = codes_of(values), codes_of(unit)
    counts = np.zeros((int(unit.max(initial=-1)) + 1, int(code.max(initial=-1)) + 1))
    np.add.at(counts, (unit, code), 1)
    counts = counts[counts.sum(axis=1) > 1]
    if not len(counts):
        return Estimate(None, method=METHOD, note="no image was judged twice")
    size = counts.sum(axis=1)
    terms = np.column_stack([(size**2 - (counts**2).sum(axis=1)) / (size - 1), counts])
    value = _alpha(terms.sum(axis=0)[None])[0]
    if not np.isfinite(value):
        return Estimate(None, method=METHOD, note="all answers are the same: nothing to agree on")
    if len(counts) < FEWEST:
        note = f"fewer than {FEWEST} images were judged twice: no interval for new images"
        return Estimate(float(value), method=METHOD, note=note)
    low, high = bootstrap.ends(_alpha(_drawn(len(counts), seed) @ terms))
    if low == high:
        return Estimate(float(value), method=METHOD, note="all images agree equally: no interval for new images")
    return Estimate(float(value), ci95=(low, high), method=METHOD)


@functools.lru_cache(maxsize=2)
def _drawn(images: int, seed: int) -> NDArray[np.int64]:
    """The resamples of `images` images, which many sets share."""
    return bootstrap.drawn(images, RESAMPLES, np.random.default_rng(seed))


def _alpha(sums: Floats) -> Floats:
    """1 - observed / expected disagreement, (B,), of the observed one and the answers by value, (B, 1 + K)."""
    values = sums[:, 1:]
    total = values.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - (total - 1) * sums[:, 0] / (total**2 - (values**2).sum(axis=1)), np.float64)
