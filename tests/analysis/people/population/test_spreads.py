"""The fit of the spreads, against a dense fit written out from the textbook."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from analysis.people.population import spreads
from analysis.people.population.simulation import Design, Truth, simulate
from analysis.people.population.spreads import LOG_SDS, PRIOR, PRIOR_MEDIAN
from analysis.people.trials import Trials

TRUTH = Truth(1.0, 0.2, sd_d_prime=0.6, sd_criterion=0.4, sd_image=0.6)


def laplace_by_hand(
    answers: Trials, x: np.ndarray, conditions: np.ndarray | None = None, groups: np.ndarray | None = None
) -> float:
    """Minus the log posterior by the textbook: one dense design matrix, a general optimiser, one determinant."""
    people, images = int(answers.participant.max()) + 1, int(answers.image.max()) + 1
    rows, side = np.arange(len(answers)), 2.0 * answers.is_generated - 1
    mean = answers.is_generated * (1 + (0 if conditions is None else conditions[answers.image]))
    mean = mean if groups is None else mean + 2 * groups[answers.participant]
    means = int(mean.max()) + 1
    design = np.zeros((len(answers), means + 2 * people + images))
    design[rows, mean] = 1
    design[rows, means + answers.participant] = 1
    design[rows, means + people + answers.participant] = side
    design[rows, means + 2 * people + answers.image] = 1
    generated = np.zeros(images, bool)
    generated[answers.image] = answers.is_generated
    criterion, half, real, fake = np.exp(2 * (LOG_SDS @ x + np.log(PRIOR_MEDIAN)))
    variance = np.concatenate([np.repeat([criterion, half], people), np.where(generated, fake, real)])
    precision, sign = np.concatenate([np.full(means, 1 / 25), 1 / variance]), 2.0 * answers.said_generated - 1

    def energy(effects: np.ndarray) -> float:
        return float(-special.log_ndtr(sign * (design @ effects)).sum() + 0.5 * precision @ effects**2)

    def slope(effects: np.ndarray) -> np.ndarray:
        t = sign * (design @ effects)
        mills = np.exp(-0.5 * t**2 - special.log_ndtr(t)) / np.sqrt(2 * np.pi)
        return precision * effects - design.T @ (sign * mills)

    mode = optimize.minimize(energy, np.zeros(design.shape[1]), jac=slope, method="BFGS", options={"gtol": 1e-6}).x
    t = sign * (design @ mode)
    mills = np.exp(-0.5 * t**2 - special.log_ndtr(t)) / np.sqrt(2 * np.pi)
    curvature = design.T @ ((mills * (mills + t))[:, None] * design) + np.diag(precision)
    # |H| of an observer's effects by class, c - h and c + h, is a quarter of that of c and h.
    log_marginal = (
        people * np.log(2) - energy(mode) - 0.5 * np.log(variance).sum() - 0.5 * np.linalg.slogdet(curvature)[1]
    )
    return float(-log_marginal + 0.5 * np.sum((x / PRIOR) ** 2))


@pytest.mark.parametrize("design", [Design(12, images=5, trials=5), Design(4, images=12, trials=8)], ids=str)
def test_the_posterior_is_the_textbooks_whichever_effects_are_eliminated(design: Design) -> None:
    answers = simulate(TRUTH, design, np.random.default_rng(0))
    posterior = spreads._Posterior(answers)
    points = [np.zeros(4), np.array([0.3, -0.4, 0.2, 0.3]), np.array([-0.5, -1.0, 0.5, -0.5])]
    for x in points:
        assert posterior(x) == pytest.approx(laplace_by_hand(answers, x), abs=1e-3)


@pytest.mark.parametrize("design", [Design(12, images=6, trials=6), Design(4, images=12, trials=8)], ids=str)
def test_conditions_have_a_mean_each_and_the_real_images_one(design: Design) -> None:
    answers = simulate(TRUTH, design, np.random.default_rng(0))
    conditions = np.arange(answers.image.max() + 1) % 3
    posterior = spreads._Posterior(answers, conditions)
    for x in (np.zeros(4), np.array([0.3, -0.4, 0.2, 0.3])):
        assert posterior(x) == pytest.approx(laplace_by_hand(answers, x, conditions), abs=1e-3)


@pytest.mark.parametrize("design", [Design(12, images=6, trials=6), Design(4, images=12, trials=8)], ids=str)
def test_groups_of_people_have_a_mean_each_in_both_classes(design: Design) -> None:
    answers = simulate(TRUTH, design, np.random.default_rng(0))
    groups = np.arange(design.participants) % 2
    posterior = spreads._Posterior(answers, groups=groups)
    for x in (np.zeros(4), np.array([0.3, -0.4, 0.2, 0.3])):
        assert posterior(x) == pytest.approx(laplace_by_hand(answers, x, groups=groups), abs=1e-3)


def test_an_image_shown_as_real_and_as_generated_counts_as_two() -> None:
    answers = simulate(TRUTH, Design(10, images=8, trials=8), np.random.default_rng(1))
    shared = Trials(answers.said_generated, answers.is_generated, answers.participant, answers.image % 8)
    assert spreads._Posterior(shared)(np.zeros(4)) == pytest.approx(spreads._Posterior(answers)(np.zeros(4)))


def test_repeated_answers_of_one_person_to_one_image_are_counted_each() -> None:
    answers = simulate(TRUTH, Design(6, images=5, trials=5), np.random.default_rng(2))
    twice = answers.where(np.tile(np.arange(len(answers)), 2))
    x = np.array([0.1, -0.2, 0.3, 0.1])
    assert spreads._Posterior(twice)(x) == pytest.approx(laplace_by_hand(twice, x), abs=1e-3)


def test_the_mode_and_the_curvature_of_a_quadratic_are_exact() -> None:
    matrix, centre = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([0.3, -2.0])
    mode, inverse = spreads._mode(lambda x: float(0.5 * (x - centre) @ matrix @ (x - centre)), np.zeros(2))
    assert mode == pytest.approx(centre)
    assert inverse == pytest.approx(np.linalg.inv(matrix))


def test_uninformative_answers_leave_the_prior() -> None:
    """Two participants with an answer to each class: the spreads are about the prior's, and as uncertain."""
    answers = Trials.from_labels([1, 0, 0, 1], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 2, 3])
    found = spreads.fit_spreads(answers)
    assert found.criterion == pytest.approx(PRIOR_MEDIAN, rel=0.3)
    assert np.sqrt(found.covariance[0, 0]) == pytest.approx(spreads.PRIOR_WIDTH, rel=0.2)


def test_a_sample_of_many_participants_keeps_whole_participants() -> None:
    answers = simulate(TRUTH, Design(3_000), np.random.default_rng(3))
    sample = spreads._sample(answers, np.random.default_rng(0))
    assert len(sample) < len(answers) / 3
    assert set(np.bincount(sample.participant)) == {0, 20}


def test_a_sample_with_one_kind_of_answer_in_a_class_is_fitted() -> None:
    answers = simulate(TRUTH, Design(10, images=8, trials=8), np.random.default_rng(4))
    for kept in (answers.said_generated | ~answers.is_generated, answers.is_generated):
        found = spreads.fit_spreads(answers.where(kept))
        assert 0.05 < found.generated < 2
