"""Fooling rates of single images: shrunk, and with intervals that hold the truth though few people saw each image."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.people import image_rates


@pytest.mark.parametrize(
    ("count", "views", "mean", "spread"),
    [(100, 5, 0.5, 0.37), (100, 10, 0.85, 0.37), (30, 7, 0.5, 0.37), (30, 7, 0.5, 0.8)],
)
def test_intervals_of_rates_hold_the_truth(count: int, views: int, mean: float, spread: float) -> None:
    """60 sets of images that differ on the probit scale; an interval taken at the likeliest spread holds 75 to 90 %."""
    rng, held = np.random.default_rng(0), []
    for _ in range(60):
        true = stats.norm.cdf(rng.normal(stats.norm.ppf(mean), spread, count))
        seen = np.maximum(rng.poisson(views, count), 1).astype(float)
        said = rng.binomial(seen.astype(int), true).astype(float)
        _, low, high = image_rates.shrunken(said, seen)
        held.append(np.mean((low <= true) & (true <= high)))
    assert 0.92 < np.mean(held) < 0.98


def test_shrinking_errs_less_than_the_raw_share() -> None:
    rng = np.random.default_rng(1)
    true = rng.beta(6, 4, 200)
    seen = np.full(200, 5.0)
    said = rng.binomial(5, true).astype(float)
    rate, low, high = image_rates.shrunken(said, seen)
    assert np.mean((rate - true) ** 2) < 0.6 * np.mean((said / seen - true) ** 2)
    assert np.all((low < rate) & (rate < high))
    assert np.all(np.diff(rate[np.argsort(said)]) >= -1e-12)


@pytest.mark.parametrize("said", [0.0, 5.0])
def test_images_that_all_got_the_same_answer_still_have_intervals(said: float) -> None:
    rate, low, high = image_rates.shrunken(np.full(20, said), np.full(20, 5.0))
    assert np.all((low >= 0) & (high <= 1) & (low < rate) & (rate < high))


def test_the_most_convincing_images_come_first() -> None:
    frame = pd.DataFrame(
        {
            "image": np.repeat(["r-doubted", "g-passes", "r-plain", "g-plain"], 20),
            "is_generated": np.repeat([False, True, False, True], 20),
            "said_generated": np.repeat([True, False, False, True], 20),
        }
    )
    rates = image_rates.rates(frame)
    assert set(rates["image"].iloc[:2]) == {"r-doubted", "g-passes"}
    assert np.all(rates["fooled"].iloc[:2] > 0.5)


def test_rate_and_interval_are_those_of_the_whole_mixture() -> None:
    """Two images, 0 and 3 of 3 answers: 400,000 classes from the prior, weighted by how well they explain both."""
    rng, n = np.random.default_rng(2), 400_000
    mean = rng.choice(np.linspace(0.002, 0.998, 25), n)
    share = rng.choice(image_rates.RELATIVE_SDS, n)
    size = 1 / share**2 - 1
    first, second = rng.beta(mean * size, (1 - mean) * size, (2, n))
    weight = share * (1 - first) ** 3 * second**3
    expected = np.average(first, weights=weight)
    variance = np.average((first - expected) ** 2, weights=weight)
    strength = expected * (1 - expected) / variance - 1
    rate, low, high = image_rates.shrunken(np.array([0.0, 3.0]), np.array([3.0, 3.0]))
    assert rate[0] == pytest.approx(expected, abs=0.005)
    matched = stats.beta(expected * strength, (1 - expected) * strength)
    assert (low[0], high[0]) == pytest.approx(matched.interval(0.95), abs=0.01)
