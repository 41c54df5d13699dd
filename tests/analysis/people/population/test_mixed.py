"""The mixed probit model against simulated truth: the population's d' and criterion, and the spreads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis.people import inference
from analysis.people.population import mixed, spreads
from analysis.people.population.simulation import Design, Truth, simulate
from analysis.people.trials import Trials
from glimpse import observers


def test_it_recovers_the_population_where_the_mean_of_individual_d_primes_does_not() -> None:
    truth, rng = Truth(2.5, 0.2, sd_d_prime=0.5, sd_criterion=0.3, sd_image=0.5), np.random.default_rng(0)
    found, naive = [], []
    for _ in range(6):
        answers = simulate(truth, Design(80), rng)
        model = mixed.fit(answers)
        assert model.spreads is not None
        found.append((model.d_prime.value, model.criterion.value, model.spreads.criterion, model.spreads.images))
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
    answers = simulate(Truth(0.5), Design(1_500), np.random.default_rng(2))
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
        ("agreed", "people agree on every generated image"),
        ("throughout", "no participant gave both answers"),
    ],
)
def test_what_cannot_be_fitted_says_why(change: str, reason: str) -> None:
    answers = simulate(Truth(1.0), Design(10, 20, 10), np.random.default_rng(3))
    if change == "alone":
        answers = answers.where(answers.participant == 0)
    elif change == "generated":
        answers = answers.where(answers.is_generated)
    elif change == "agreed":  # the spread of the images, and d' with it, would be as large as the prior lets it
        answers = replace(answers, said_generated=answers.image % 4 == 0)
    elif change == "throughout":
        answers = replace(answers, said_generated=answers.participant % 2 == 0)
    else:
        answers = answers.where(~answers.is_generated | answers.said_generated)
    model = mixed.fit(answers)
    assert model.d_prime.value is None
    assert reason in model.d_prime.note
    assert model.truth() is None


def test_near_the_ceiling_and_with_few_people_every_estimate_stays_finite() -> None:
    """Unpenalised, Laplace fits gave 13 for eight readers at a d' of 2, and a mean of 94 at 98 % right."""
    for truth, design, mean in (
        (Truth(2.0), Design(8), 2.0),
        (Truth(4.52, 0.1), Design(50), 4.52),
        (Truth(1.5), Design(40, images=100, trials=1), 1.5),
    ):
        rng = np.random.default_rng(6)
        models = [mixed.fit(simulate(truth, design, rng)).d_prime for _ in range(4)]
        values = np.array([model.value for model in models], float)
        held = [model.ci95 is not None and model.ci95[0] <= truth.d_prime <= model.ci95[1] for model in models]
        assert values.mean() == pytest.approx(mean, abs=0.7)
        assert values.max() < mean + 2
        assert np.mean(held) >= 0.75


def test_people_count_equally_however_many_answers_they_give() -> None:
    """Answers doubled for half of the participants would move a d' of pooled answers."""
    answers = simulate(Truth(1.0, sd_d_prime=1.0), Design(20), np.random.default_rng(8))
    able = np.isin(answers.participant, np.argsort(observers.accuracy(answers.counts()))[10:])
    more = answers.where(np.concatenate([np.arange(len(answers)), np.flatnonzero(able)]))
    assert mixed.z_of(more, True)[0] == pytest.approx(mixed.z_of(answers, True)[0])
    assert mixed.z_of(more, False)[0] == pytest.approx(mixed.z_of(answers, False)[0])


def test_images_of_one_class_may_differ_more_than_those_of_the_other() -> None:
    """With equal spreads assumed, the criterion takes up the difference."""
    truth = Truth(1.5, 0.0, sd_image=1.2, sd_real=0.2)
    model = mixed.fit(simulate(truth, Design(50, images=50, trials=50), np.random.default_rng(7)))
    assert model.spreads is not None
    assert model.spreads.generated == pytest.approx(1.2, abs=0.25)
    assert model.spreads.real == pytest.approx(0.2, abs=0.12)
    assert model.criterion.value == pytest.approx(0.0, abs=0.15)
    assert model.truth() is not None


def test_the_standard_error_is_the_two_way_one_and_what_is_unknown_of_the_scale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """20 people see 20 images, 4 in 5 answers of each class are right; the variances of the model are given.

    Then z(H) = -z(F) = z, d' = 2 s z; an answer moves d' 2 / phi(z) times as far as balanced accuracy; and
    s^2 = 1 + sum of v, so that ds / dlog(sd) = v / s, with errors of 0.1, 0.2 and 0.3 of the logarithms.
    """
    errors = np.diag([0.1, 0.2, 0.3, 0.3]) ** 2
    errors[2, 3] = errors[3, 2] = 0.3**2  # both classes' spreads are one and the same
    known = spreads.Spreads(0.2, 0.1, np.sqrt(0.15), np.sqrt(0.15), errors)
    monkeypatch.setattr(spreads, "fit_spreads", lambda *_: known)
    rng = np.random.default_rng(5)
    right = np.concatenate([rng.permutation(np.arange(200) < 160), rng.permutation(np.arange(200) < 160)])
    generated, person = np.repeat([True, False], 200), np.tile(np.arange(20), 20)
    answers = Trials(right == generated, generated, person, np.repeat(np.arange(20), 20))
    model = mixed.fit(answers)
    balanced, d_prime = inference.balanced_accuracy(answers), model.d_prime
    assert balanced.se is not None
    z, squared_scale = stats.norm.ppf(0.8), 1.2
    density = stats.norm.pdf(z)
    uncertainty = ((0.1 * 0.04) ** 2 + (0.2 * 0.01) ** 2 + (0.3 * 0.15) ** 2) / squared_scale
    expected = squared_scale * (2 / density * balanced.se) ** 2 + (2 * z) ** 2 * uncertainty
    assert d_prime.value == pytest.approx(2 * z * np.sqrt(squared_scale))
    assert d_prime.se == pytest.approx(np.sqrt(expected))
    assert d_prime.df == pytest.approx(balanced.df)


def test_a_criterion_that_is_zero_by_symmetry_is_printed_as_zero() -> None:
    """The search for the spreads of both classes ends some 1e-6 apart."""
    who, image = np.repeat(np.arange(10), 20), np.tile(np.arange(20), 10)
    generated = image >= 10
    wrong = (image + who + who // 3) % 5 == 0
    found = mixed.fit(Trials(generated ^ wrong, generated, who, image))
    assert found.criterion.value == 0
    assert found.d_prime.value is not None
    assert found.d_prime.value == round(found.d_prime.value, 5)
