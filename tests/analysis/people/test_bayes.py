"""The Bayes factor for 'cannot tell', held to its closed form."""

from __future__ import annotations

import pytest
from scipy import stats

from analysis.people.bayes import PRIOR_SD, bayes_factor
from analysis.people.estimation.estimate import Estimate


@pytest.mark.parametrize(
    ("value", "se", "bound"), [(0.5, 0.02, 0.05), (0.53, 0.03, 0.05), (0.61, 0.04, 0.1), (0.4, 0.2, 0.03)]
)
def test_with_many_degrees_of_freedom_it_is_that_of_two_normal_laws(value: float, se: float, bound: float) -> None:
    """A normal prior and a normal likelihood give a normal posterior."""
    variance = 1 / (1 / PRIOR_SD**2 + 1 / se**2)
    posterior = stats.norm(variance * (0.5 / PRIOR_SD**2 + value / se**2), variance**0.5)
    prior = stats.norm(0.5, PRIOR_SD)
    after, before = (law.cdf(0.5 + bound) - law.cdf(0.5 - bound) for law in (posterior, prior))
    expected = after / (1 - after) * (1 - before) / before
    assert bayes_factor(Estimate(value, se, df=1e9), bound) == pytest.approx(expected, rel=1e-3)


def test_uninformative_answers_leave_the_odds_unchanged() -> None:
    assert bayes_factor(Estimate(0.5, se=50.0, df=30.0)) == pytest.approx(1, abs=1e-3)


def test_it_is_symmetric_falls_with_the_distance_and_needs_a_standard_error() -> None:
    near, far, other_side = (bayes_factor(Estimate(value, se=0.02, df=20.0)) for value in (0.51, 0.58, 0.42))
    assert near is not None
    assert far is not None
    assert near > 1 > far
    assert other_side == pytest.approx(far)
    assert bayes_factor(Estimate(0.5)) is None
    assert bayes_factor(Estimate(1.0, se=0.0, df=4.0)) is None


def test_a_standard_error_of_rounding_noise_is_computed() -> None:
    """Equal answers of all people leave 1e-17, for which the grid once needed more memory than there is."""
    within, outside = (bayes_factor(Estimate(value, se=1e-17, df=19.0)) for value in (0.5, 0.9))
    assert within is not None
    assert outside is not None
    assert (within, outside) == (1e6, 1e-6)  # the limits that the methods state
