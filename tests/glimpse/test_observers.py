"""Each participant's F1, chance level, accuracy, d' and criterion: against scikit-learn, SciPy and worked examples."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from glimpse import observers
from glimpse.observers import Counts

TRIAL = st.tuples(st.booleans(), st.booleans(), st.integers(0, 3))


def counts_of(hits: int, misses: int, false_alarms: int, correct_rejections: int) -> Counts:
    return Counts(*(np.array([c]) for c in (hits, misses, false_alarms, correct_rejections)))


@settings(deadline=None)
@given(st.lists(TRIAL, min_size=1, max_size=60))
def test_each_participants_scores_are_scikit_learns(trials: list[tuple[bool, bool, int]]) -> None:
    said, truth, who = (np.array(column) for column in zip(*trials, strict=True))
    counts = observers.count(said, truth, who, participants=4)
    for person in range(4):
        mine, true = said[who == person], truth[who == person]
        for positive in ("generated", "real"):
            label = positive == "generated"
            expected = f1_score(true, mine, pos_label=label, zero_division=np.nan) if len(mine) else np.nan
            assert observers.f1(counts, positive)[person] == pytest.approx(expected, nan_ok=True)  # type: ignore[arg-type]
        if len(mine):
            assert observers.accuracy(counts)[person] == pytest.approx(accuracy_score(true, mine))
        if len(set(true)) == 2:
            assert observers.balanced_accuracy(counts)[person] == pytest.approx(balanced_accuracy_score(true, mine))


@pytest.mark.parametrize("positive", ["generated", "real"])
def test_the_chance_level_of_f1_is_the_mean_over_all_permutations_of_the_answers(
    positive: observers.Positive,
) -> None:
    said, truth = np.array([1, 1, 1, 0, 1, 0, 0], bool), np.array([1, 0, 1, 1, 0, 0, 0], bool)
    mine = observers.count(said, truth, np.zeros(7, int))
    dealt = np.array(list(itertools.permutations(said)))
    everybody = observers.count(dealt.ravel(), np.tile(truth, len(dealt)), np.repeat(np.arange(len(dealt)), 7))
    scores = observers.f1(everybody, positive)
    assert observers.f1_chance(mine, positive) == pytest.approx(scores.mean())
    values, probabilities = observers.f1_null(mine, positive)
    shares = [np.isclose(scores, v).mean() for v in values]
    assert probabilities == pytest.approx(shares)
    at_least = np.mean(observers.accuracy(everybody) >= observers.accuracy(mine))
    assert observers.permutation_p(mine) == pytest.approx(at_least)


def test_always_saying_generated_gives_an_f1_of_two_thirds_which_is_then_the_chance_level() -> None:
    always = counts_of(10, 0, 10, 0)
    assert observers.f1(always) == pytest.approx(2 / 3)
    assert observers.f1_chance(always) == pytest.approx(2 / 3)
    assert observers.balanced_accuracy(always) == pytest.approx(0.5)
    assert observers.d_prime(always) == pytest.approx(0)
    assert observers.permutation_p(always) == pytest.approx(1)


def test_f1_is_0_without_an_answer_generated_and_undefined_only_without_generated_images() -> None:
    assert observers.f1(counts_of(0, 10, 0, 10)) == 0
    assert np.isnan(observers.f1(counts_of(0, 0, 0, 10)))


def test_one_class_alone_gives_no_d_prime_and_no_balanced_accuracy() -> None:
    only_generated = counts_of(7, 3, 0, 0)
    for score in (observers.d_prime, observers.criterion, observers.balanced_accuracy, observers.false_alarm_rate):
        assert np.isnan(score(only_generated))
    assert observers.accuracy(only_generated) == pytest.approx(0.7)


@pytest.mark.parametrize(
    ("counts", "d_prime", "criterion"),
    [
        # The example of `signal(82, 46, 100, 100)` in Bonett's R package statpsych, which uses the same correction.
        ((82, 18, 46, 54), 1.002793, -0.4019603),
        # Perfect and inverted observers on 10 + 10 images: 2 z(10.5 / 11) and its negative.
        ((10, 0, 0, 10), 3.3812, 0.0),
        ((0, 10, 10, 0), -3.3812, 0.0),
    ],
)
def test_d_prime_and_criterion_have_the_log_linear_correction(
    counts: tuple[int, int, int, int], d_prime: float, criterion: float
) -> None:
    assert observers.d_prime(counts_of(*counts)) == pytest.approx(d_prime, abs=5e-5)
    assert observers.criterion(counts_of(*counts)) == pytest.approx(criterion, abs=1e-6)


def test_d_prime_and_criterion_approach_the_published_worked_example() -> None:
    """Stanislaw & Todorov 1999: H = .80, F = .40 give d' = 1.095, c = -0.294; with many trials nothing is corrected."""
    many = counts_of(800_000, 200_000, 400_000, 600_000)
    assert observers.d_prime(many) == pytest.approx(1.095, abs=5e-4)
    assert observers.criterion(many) == pytest.approx(-0.294, abs=5e-4)


def test_a_participants_p_value_is_fishers_exact_test() -> None:
    rng = np.random.default_rng(4)
    table = rng.integers(0, 12, (50, 4))
    ours = observers.permutation_p(Counts(*table.T))
    theirs = [stats.fisher_exact([[h, m], [f, c]], alternative="greater").pvalue for h, m, f, c in table]
    assert ours == pytest.approx(theirs)


def test_a_million_answers_are_counted_in_a_moment() -> None:
    rng = np.random.default_rng(6)
    said, truth = rng.random((2, 1_000_000)) < 0.5
    counts = observers.count(said, truth, np.arange(1_000_000) // 20)
    assert counts.trials.sum() == 1_000_000
    assert np.all(np.isfinite(observers.f1(counts)) & (observers.permutation_p(counts) <= 1))


def test_participants_without_a_trial_have_no_scores_and_no_weight() -> None:
    counts = observers.count([True, False], [True, False], [1, 1], participants=3)
    assert np.isnan(observers.f1(counts)).tolist() == [True, False, True]
    assert np.isnan(observers.permutation_p(counts)).tolist() == [True, False, True]
    assert counts.total().trials == 2
