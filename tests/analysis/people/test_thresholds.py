"""Exact values of the thresholds' arithmetic; their coverage is tested with the section and in the benchmarks."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.people import thresholds
from analysis.people.thresholds import LOG_THRESHOLDS

STEP = LOG_THRESHOLDS[1] - LOG_THRESHOLDS[0]


def test_quantiles_of_a_single_cell_lie_around_its_centre() -> None:
    """The mass of a cell is spread evenly over its width: 2.5 % of it lie below centre - 0.475 widths."""
    single = np.eye(len(LOG_THRESHOLDS))
    assert thresholds._quantile(single, 0.5) == pytest.approx(LOG_THRESHOLDS)
    assert thresholds._quantile(single, 0.025) == pytest.approx(LOG_THRESHOLDS - 0.475 * STEP)
    assert thresholds._quantile(single, 0.975) == pytest.approx(LOG_THRESHOLDS + 0.475 * STEP)


def test_the_median_of_two_equal_cells_is_their_common_edge() -> None:
    pairs = (np.eye(len(LOG_THRESHOLDS)) + np.eye(len(LOG_THRESHOLDS), k=1))[:-1] / 2
    assert thresholds._quantile(pairs, 0.5) == pytest.approx(LOG_THRESHOLDS[:-1] + STEP / 2)


@pytest.mark.parametrize(("people", "ends"), [(6, (1, 6)), (10, (2, 9)), (20, (6, 15))])
def test_the_median_has_the_order_statistics_of_the_sign_test(people: int, ends: tuple[int, int]) -> None:
    """The tabulated ranks of the 95 % interval of a median (Conover 1999, Table A3)."""
    ranks, nobody = np.arange(1.0, people + 1), np.zeros(people, bool)
    group = thresholds.Thresholds(ranks, ranks, ranks, nobody, nobody, np.zeros((people, 1)))
    assert thresholds.median_threshold(group).ci95 == ends
    assert thresholds.median_threshold(group).value == (people + 1) / 2
