"""The intervals that scores.json gives beside the inference: exact values."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.people import scores
from analysis.people.inference import Estimate


def test_the_mean_response_time_has_students_interval_over_participants() -> None:
    """Medians 1, 2, 3 and 4 s: SD 1.290994, t with three degrees of freedom 3.182446; one without times is left out."""
    found = scores.times(pd.Series([1.0, 2.0, None, 3.0, 4.0]))
    half = 3.182446 * 1.290994 / 2
    assert (found["n"], found["mean"]) == (4, 2.5)
    assert found["ci95"] == pytest.approx([2.5 - half, 2.5 + half], abs=1e-5)


def test_the_interval_of_the_equivalence_test_holds_90_percent() -> None:
    """t with ten degrees of freedom: 5 % are above 1.812461."""
    found = scores.ci90(Estimate(0.5, 0.02, 10.0, None))
    assert found == pytest.approx((0.5 - 1.812461 * 0.02, 0.5 + 1.812461 * 0.02), abs=1e-7)
    assert scores.ci90(Estimate(None)) is None


def test_quartiles_leave_out_what_is_undefined_and_say_so_where_all_is() -> None:
    assert scores.quartiles([1.0, None, 2.0, 4.0]) == {"n": 3, "q1": 1.5, "median": 2.0, "q3": 3.0}
    assert scores.quartiles([None])["note"] == "undefined for every participant"
