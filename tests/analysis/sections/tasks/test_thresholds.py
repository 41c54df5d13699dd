"""Thresholds from staircases: the intervals hold the truth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.people import inference
from analysis.people.population.simulation import Design, Truth, simulate
from analysis.people.thresholds import Thresholds, error_rate, median_threshold, thresholds
from analysis.section import Context
from analysis.sections.tasks.thresholds import compute
from benchmarks.people.staircases import staircases
from glimpse.workspace import Workspace


def test_thresholds_are_recovered_and_their_intervals_hold_the_truth() -> None:
    """2,000 people with thresholds, widths and lapse rates of their own."""
    rng, people = np.random.default_rng(1), 2_000
    true = 10 ** rng.uniform(np.log10(120), np.log10(600), people)
    widths, lapses = 10 ** rng.uniform(np.log10(0.12), np.log10(0.6), people), rng.uniform(0.005, 0.05, people)
    found = thresholds(*staircases(true, rng, width=widths, lapse=lapses))
    assert np.median(found.threshold_ms / true) == pytest.approx(1, abs=0.03)
    assert np.median(abs(np.log(found.threshold_ms / true))) < 0.25
    held = ((found.low <= true) & (true <= found.high)).mean()
    low, high = stats.binom.interval(0.99, people, held)
    assert low / people <= 0.97
    assert high / people >= 0.93
    curve = found.curves.mean(axis=0)
    assert np.all(np.diff(curve) >= 0)
    assert curve[0] < 0.6
    assert curve[-1] > 0.9


def test_a_participant_who_cannot_tell_at_any_exposure_has_no_threshold_in_ms() -> None:
    rng = np.random.default_rng(2)
    found = thresholds(*staircases(np.full(20, 1e6), rng))
    assert found.above.mean() > 0.8
    assert not found.below.any()
    group = median_threshold(found)
    assert group.value is None
    assert "longer than any exposure" in group.note


def group_of(values: list[float], above: int = 0, below: int = 0) -> Thresholds:
    """Thresholds of people, the first `below` of them under and the last `above` over what they were shown."""
    ms, place = np.array(values), np.arange(len(values))
    return Thresholds(ms, ms, ms, place >= len(ms) - above, place < below, np.zeros((len(ms), 1)))


def test_a_threshold_lies_beyond_the_exposures_that_each_person_saw_not_beyond_a_fixed_time() -> None:
    """The longest exposure of all six is 400 ms; three cannot tell even then."""
    exposure, right = np.tile([100.0, 200, 300, 400], 30), np.repeat([[True], [False]] * 15, 4)
    found = thresholds(exposure, right, np.zeros(120))
    assert found.above.all()
    assert not found.below.any()
    half = median_threshold(group_of([200, 220, 240, 443.9, 450, 460], above=3))
    assert half.value is None
    assert "of 6 thresholds 3 are longer than any exposure" in half.note


def test_a_median_between_a_number_and_a_threshold_beyond_the_exposures_is_missing() -> None:
    straddling = median_threshold(group_of([20.0] * 5 + [300.0] * 5, below=5))
    assert straddling.value is None
    assert "of 10 thresholds 5 are shorter than any exposure" in straddling.note
    both = median_threshold(group_of([20.0, 900.0], above=1, below=1))
    assert both.value is None
    assert "1 are longer and 1 are shorter" in both.note
    assert median_threshold(group_of([20.0] + [300.0] * 8 + [900.0], above=1, below=1)).value == 300


def test_the_group_is_described_by_its_median_with_an_interval_for_new_participants() -> None:
    rng, surveys, people = np.random.default_rng(3), 100, 25
    everybody = thresholds(*staircases(10 ** rng.normal(np.log10(250), 0.15, surveys * people), rng))
    held = 0
    for survey in np.split(np.arange(surveys * people), surveys):
        group = median_threshold(Thresholds(*(column[survey] for column in vars(everybody).values())))
        assert group.ci95 is not None
        held += group.ci95[0] <= 250 <= group.ci95[1]
    assert stats.binom.interval(0.99, surveys, held / surveys)[1] / surveys >= 0.93
    few = median_threshold(thresholds(*staircases(np.full(3, 250.0), rng)))
    assert few.value is not None
    assert few.ci95 is None
    assert "too few" in few.note


def test_the_error_rate_without_a_time_limit_is_one_minus_accuracy() -> None:
    answers = simulate(Truth(1.0), Design(30), np.random.default_rng(4))
    accuracy, error = inference.accuracy(answers), error_rate(answers)
    assert accuracy.value is not None
    assert accuracy.ci95 is not None
    assert error.value == pytest.approx(1 - accuracy.value)
    assert error.ci95 == pytest.approx((1 - accuracy.ci95[1], 1 - accuracy.ci95[0]))


def test_the_report_gets_a_part_only_where_there_are_staircases_or_no_limits(workspace: Workspace) -> None:
    rng = np.random.default_rng(5)
    exposure, right, who = staircases(10 ** rng.normal(np.log10(250), 0.15, 12), rng)
    stairs = pd.DataFrame(
        {
            "set": "df", "participant": who, "image": np.arange(len(who)) % 200, "mode": "staircase",
            "exposure_ms_planned": exposure, "exposure_ms_actual": exposure + 0.1,
            "is_generated": np.arange(len(who)) % 2 == 0,
        }
    )  # fmt: skip
    stairs["said_generated"] = stairs["is_generated"] == right
    part = compute(Context(workspace, responses=stairs))
    assert part is not None
    assert part.scores["df"]["threshold_ms"]["participants"] == 12
    assert part.scores["df"]["threshold_ms"]["median"] == pytest.approx(250, rel=0.4)
    assert part.figures["thresholds"]() is not None
    free = compute(Context(workspace, responses=stairs.assign(mode="unlimited")))
    assert free is not None
    assert free.scores["df"]["error_rate"]["value"] == pytest.approx(1 - right.mean())
    assert compute(Context(workspace, responses=stairs.assign(mode="fixed"))) is None
    assert compute(replace(Context(workspace), responses=None)) is None
