"""The mixed probit model against simulated truth: the population's d' and criterion, and the spreads."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from scipy import stats

from analysis.people import inference, mixed
from analysis.people.simulation import Design, Truth, simulate
from analysis.people.trials import Trials
from glimpse import observers


def test_it_recovers_the_population_where_the_mean_of_individual_d_primes_does_not() -> None:
    truth, rng = Truth(2.5, 0.2, sd_d_prime=0.5, sd_criterion=0.3, sd_image=0.5), np.random.default_rng(0)
    found, naive = [], []
    for _ in range(12):
        answers = simulate(truth, Design(80), rng)
        model = mixed.fit(answers)
        found.append((model.d_prime.value, model.criterion.value, model.sd_criterion, model.sd_image))
        naive.append(observers.d_prime(answers.counts()).mean())
    d_prime, criterion, sd_criterion, sd_image = np.mean(np.array(found, float), axis=0)
    assert d_prime == pytest.approx(2.5, abs=0.12)
    assert criterion == pytest.approx(0.2, abs=0.06)
    assert sd_criterion == pytest.approx(0.3, abs=0.08)
    assert sd_image == pytest.approx(0.5, abs=0.08)
    assert np.mean(naive) < 2.2


def test_its_truth_can_be_simulated_from_again() -> None:
    model = mixed.fit(simulate(Truth(0.6, 0.1), Design(200, 100, 50), np.random.default_rng(1)))
    truth = model.truth()
    assert truth is not None
    assert truth.d_prime == pytest.approx(0.6, abs=0.3)
    assert truth.sd_image == pytest.approx(0.38, abs=0.1)


def test_thousands_of_participants_keep_all_their_answers_and_take_seconds() -> None:
    answers = simulate(Truth(0.5), Design(2_500), np.random.default_rng(2))
    model = mixed.fit(answers)
    assert model.d_prime.ci95 is not None
    assert model.d_prime.value == pytest.approx(0.5, abs=0.2)
    assert model.d_prime.variance_participants < 0.001
    assert mixed.fit(answers).d_prime.value == model.d_prime.value  # the sample is seeded


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("alone", "one participant"),
        ("generated", "no real image"),
        ("always", "every generated image got the same answer"),
    ],
)
def test_what_cannot_be_fitted_says_why(change: str, reason: str) -> None:
    answers = simulate(Truth(1.0), Design(10, 20, 10), np.random.default_rng(3))
    if change == "alone":
        answers = answers.where(answers.participant == 0)
    elif change == "generated":
        answers = answers.where(answers.is_generated)
    else:
        answers = answers.where(~answers.is_generated | answers.said_generated)
    model = mixed.fit(answers)
    assert model.d_prime.value is None
    assert reason in model.d_prime.note
    assert model.truth() is None


def test_without_gpboost_the_report_says_so_instead_of_failing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpboost", None)
    model = mixed.fit(simulate(Truth(1.0), Design(10, 20, 10), np.random.default_rng(4)))
    assert model.d_prime.value is None
    assert "gpboost cannot be loaded" in model.d_prime.note


def test_the_standard_error_is_the_two_way_one_and_what_is_unknown_of_the_scale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """20 people see 20 images, 4 in 5 answers of each class are right; the variances of the model are given.

    Then z(H) = -z(F) = z, d' = 2 s z; an answer moves d' 2 / phi(z) times as far as balanced accuracy; what one answer
    tells of z is w = phi(z)^2 / (0.8 * 0.2). Each variance v of G = 20, 20, 20 - 1 clusters with n answers in all
    is known up to 2 (v + s^2 G / (n w))^2 / (G - 1).
    """
    monkeypatch.setattr(mixed, "_variances", lambda _: (0.04, 0.01, 0.15))
    rng = np.random.default_rng(5)
    right = np.concatenate([rng.permutation(np.arange(200) < 160), rng.permutation(np.arange(200) < 160)])
    generated, person = np.repeat([True, False], 200), np.tile(np.arange(20), 20)
    answers = Trials(right == generated, generated, person, np.repeat(np.arange(20), 20))
    model = mixed.fit(answers)
    balanced, d_prime = inference.balanced_accuracy(answers), model.d_prime
    assert (model.sd_criterion, model.sd_d_prime, model.sd_image) == pytest.approx((0.2, 0.2, np.sqrt(0.15)))
    assert balanced.se is not None
    z, squared_scale = stats.norm.ppf(0.8), 1.2
    density = stats.norm.pdf(z)
    noise = squared_scale / (density**2 / 0.16)
    uncertainty = (
        2 * (0.04 + noise * 20 / 400) ** 2 / 19 + 2 * (0.01 + noise * 20 / 400) ** 2 / 19
        + 2 * (0.15 + noise * 19 / 400) ** 2 / 18
    ) / (4 * squared_scale)  # fmt: skip
    expected = squared_scale * (2 / density * balanced.se) ** 2 + (2 * z) ** 2 * uncertainty
    assert d_prime.value == pytest.approx(2 * z * np.sqrt(squared_scale))
    assert d_prime.se == pytest.approx(np.sqrt(expected))
    assert d_prime.df == pytest.approx(balanced.df)
