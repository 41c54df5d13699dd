"""The intervals that scores.json gives beside the inference: exact values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.people import scores
from analysis.people.inference import Estimate
from analysis.people.population.simulation import Design, Truth, simulate


def test_the_mean_response_time_has_students_interval_over_participants() -> None:
    """Medians 1, 2, 3 and 4 s: SD 1.290994, t with three degrees of freedom 3.182446; one without times is left out."""
    found = scores.times(pd.Series([1.0, 2.0, None, 3.0, 4.0]))
    half = 3.182446 * 1.290994 / 2
    assert (found["n"], found["mean"]) == (4, 2.5)
    assert found["ci95"] == pytest.approx([2.5 - half, 2.5 + half], abs=1e-5)


def test_the_interval_of_a_mean_response_time_stays_above_0() -> None:
    """Medians of 6 and 8 s: the mean's SE is 1, t with one degree of freedom 12.7062; 7 -+ 12.7 would begin below 0."""
    found = scores.times(pd.Series([6.0, 8.0]))
    assert found["ci95"] == pytest.approx([7 / np.exp(12.7062 / 7), 7 * np.exp(12.7062 / 7)], rel=1e-5)
    assert found["method"].endswith("on the log scale")


@pytest.mark.parametrize("people", [2, 3])
def test_two_participants_have_a_d_prime_without_an_interval(people: int) -> None:
    """t with one degree of freedom gave a d' of 3.77 from -10.66 to 18.20."""
    answers = simulate(Truth(1.0), Design(people, images=30, trials=30), np.random.default_rng(0))
    found = scores._sensitivity_and_criterion(answers, 0)
    for name in ("d_prime", "criterion"):
        assert found[name]["population"] is not None
        assert (found[name]["ci95"] is None) == (found[name]["mean_ci95"] is None) == (people == 2)
        assert ("two participants say too little about new ones" in found[name].get("note", "")) == (people == 2)


def test_the_interval_of_the_equivalence_test_holds_90_percent() -> None:
    """t with ten degrees of freedom: 5 % are above 1.812461."""
    found = scores.ci90(Estimate(0.5, 0.02, 10.0, None))
    assert found == pytest.approx((0.5 - 1.812461 * 0.02, 0.5 + 1.812461 * 0.02), abs=1e-7)
    assert scores.ci90(Estimate(None)) is None


def test_quartiles_leave_out_what_is_undefined_and_say_so_where_all_is() -> None:
    assert scores.quartiles([1.0, None, 2.0, 4.0]) == {"n": 3, "q1": 1.5, "median": 2.0, "q3": 3.0}
    assert scores.quartiles([None])["note"] == "undefined for every participant"
