"""The staircase converges to 75 % correct answers, for every kind of observer."""

from __future__ import annotations

import numpy as np
import pytest

from study_app.definition.staircase import DOWN_MS, LONGEST_MS, SHORTEST_MS, START_MS, TARGET, UP_MS, next_exposure


def weibull(exposure_ms: float, threshold_ms: float, slope: float = 2.0) -> float:
    """The share correct of an observer whose share is exactly 0.75 at `threshold_ms` (0.5 by guessing)."""
    return float(0.5 + 0.5 * (1 - np.exp(-np.log(2) * (exposure_ms / threshold_ms) ** slope)))


def run(threshold_ms: float, trials: int, seed: int, slope: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    exposures, answers = [], []
    for _ in range(trials):
        exposures.append(next_exposure(answers))
        answers.append(bool(rng.random() < weibull(exposures[-1], threshold_ms, slope)))
    return np.array(exposures), np.array(answers)


def test_it_steps_as_it_says() -> None:
    assert next_exposure([]) == START_MS
    assert next_exposure([True]) == START_MS - DOWN_MS
    assert next_exposure([False, True]) == START_MS + UP_MS - DOWN_MS
    assert next_exposure([True] * 200) == SHORTEST_MS
    assert next_exposure([True] * 200 + [False]) == SHORTEST_MS + UP_MS
    assert next_exposure([False] * 200) == LONGEST_MS
    assert next_exposure([], 50, 300) == 300


@pytest.mark.parametrize("threshold_ms", [200.0, 400.0, 700.0])
def test_it_converges_to_75_percent_correct_answers(threshold_ms: float) -> None:
    exposures, answers = run(threshold_ms, 1500, seed=1)
    assert pytest.approx(0.75) == TARGET
    assert np.mean(answers[200:]) == pytest.approx(TARGET, abs=0.03)
    assert np.median(exposures[200:]) == pytest.approx(threshold_ms, rel=0.1)


def test_a_session_of_150_trials_ends_near_the_threshold() -> None:
    last = [run(300.0, 150, seed)[0][100:].mean() for seed in range(200)]
    assert np.mean(last) == pytest.approx(300, rel=0.08)


def test_the_rule_as_often_misquoted_would_not_settle_there() -> None:
    """-30 ms after a correct and +10 ms after a wrong answer rests at 25 %, below guessing: it runs to the floor."""
    rng, exposure = np.random.default_rng(2), START_MS
    for _ in range(400):
        exposure += -UP_MS if rng.random() < weibull(exposure, 400.0) else DOWN_MS
        exposure = min(max(exposure, SHORTEST_MS), LONGEST_MS)
    assert exposure < 100
