"""Pairs: the share of right answers and its d', with intervals that hold for new people and new images."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.people.estimation.estimate import Estimate
from analysis.people.ratings.pairs import Pairs, d_prime, share_right


@pytest.mark.parametrize(("share", "expected"), [(0.5, 0.0), (0.7602499, 1.0), (0.9213504, 2.0)])
def test_d_prime_is_that_of_signal_detection_theory(share: float, expected: float) -> None:
    assert d_prime(Estimate(share)).value == pytest.approx(expected, abs=1e-6)


def test_there_is_no_d_prime_where_every_answer_is_right() -> None:
    codes = np.arange(12)
    found = share_right(Pairs(np.ones(12, bool), codes // 3, codes, codes))
    assert found.value == 1
    assert found.ci95 is not None
    assert d_prime(found).value is None


def simulated(rng: np.random.Generator, people: int, pairs: int, images: int, d: float, spread: float) -> Pairs:
    """Answers by the difference of the evidence from both images, whose means vary by `spread`, as people do."""
    person = np.repeat(np.arange(people), pairs)
    generated, real = (np.concatenate([rng.permutation(images)[:pairs] for _ in range(people)]) for _ in range(2))
    means = rng.normal(d / 2, spread, (2, images))
    sensitivity = rng.normal(0, spread, people)[person]
    evidence = means[0][generated] + means[1][real] + sensitivity + rng.normal(0, np.sqrt(2), len(person))
    return Pairs(evidence > 0, person, generated, real)


def test_its_interval_holds_the_truth_for_new_people_and_images() -> None:
    rng, spread, d = np.random.default_rng(0), 0.3, 1.0
    truth = float(stats.norm.cdf(d / np.sqrt(2 + 3 * spread**2)))
    held = narrow = 0
    for _ in range(300):
        found = share_right(simulated(rng, 30, 20, 30, d, spread))
        assert found.ci95 is not None
        held += found.ci95[0] <= truth <= found.ci95[1]
        half = 1.96 * np.sqrt(truth * (1 - truth) / 600)
        narrow += truth - half <= float(found.value or 0) <= truth + half
    assert held >= 0.92 * 300
    assert narrow < 0.9 * 300  # independent trials would promise too much
