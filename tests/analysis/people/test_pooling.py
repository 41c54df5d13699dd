"""Partial pooling of effects: its intervals, beside the means in test_between."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.people.between import pooling


def test_the_intervals_of_pooled_effects_have_the_posterior_sd_by_brute_force() -> None:
    """The centre m is unknown, and its doubt counts (1 - factor)² times in the variance of each effect."""
    x, s = np.array([0.8, -0.2, 0.3]), np.array([0.4, 0.2, 0.3])
    most = np.abs(x - x.mean()).max() + 2 * s.max()
    m, t = np.meshgrid(np.linspace(-6, 6, 2401), np.linspace(0, most, 200), indexing="ij")
    weight = np.prod([stats.norm.pdf(a, m, np.sqrt(t**2 + b**2)) for a, b in zip(x, s, strict=True)], axis=0)
    expected = []
    for a, b in zip(x, s, strict=True):
        factor = t**2 / (t**2 + b**2)
        mean = m + factor * (a - m)
        centre = np.average(mean, weights=weight)
        expected.append(np.sqrt(np.average(factor * b**2 + (mean - centre) ** 2, weights=weight)))
    _, low, high = pooling.shrunken(x, s)
    assert (high - low) / (2 * stats.norm.ppf(0.975)) == pytest.approx(expected, rel=1e-4)
