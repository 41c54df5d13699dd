"""A survey of the planned size has the promised power, in another simulator. Minutes of simulation are marked slow."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.people.population.simulation import Design, Truth
from benchmarks.people import power
from benchmarks.people.power import REGIMES, Regime

SLOW = [pytest.mark.slow, pytest.mark.timeout(3_600)]
FEWER = Regime("detectable", Truth().with_accuracy(0.7), Design(images=30), (3, 6, 12))


@pytest.mark.parametrize(
    ("regime", "simulations"),
    [pytest.param(FEWER, 20, id="few simulations"), *(pytest.param(r, 400, marks=SLOW, id=r.name) for r in REGIMES)],
)
def test_the_planned_size_has_the_promised_power(regime: Regime, simulations: int) -> None:
    size, share, error = power.check(regime, simulations)
    assert size is not None
    assert share >= power.TARGET - 3 * error  # of ten regimes one falls short by 2 errors in a fifth of all runs
    fewer = power.found(regime, size - 1, 4 * simulations, np.random.default_rng(1))
    assert fewer <= power.TARGET + 3 * error, "no participants are wasted"


def test_the_other_simulator_answers_as_the_truth_says() -> None:
    truth = Truth(1.2, 0.3, 0.6, 0.4, 0.5, 0.9)
    (found,) = power.answers([truth], Design(300, 300, 10, real_images=200), np.random.default_rng(0))
    assert found.said_generated[found.is_generated].mean() == pytest.approx(truth.hit_rate, abs=0.04)
    assert found.said_generated[~found.is_generated].mean() == pytest.approx(truth.false_alarm_rate, abs=0.04)
    assert len(np.unique(found.image[~found.is_generated])) == 200
