"""Conditions that share real images and participants: paired differences and the ranking, against exact values."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from analysis.people import conditions, inference, significance
from analysis.people.estimation.estimate import Estimate
from analysis.people.population import spreads
from analysis.people.significance import Comparison
from analysis.people.trials import Trials, join

PEOPLE, TRIALS = 12, 8


def own_images(share: float, first_image: int, rng: np.random.Generator, *, generated: bool = True) -> Trials:
    """Each person judges images that no one else sees; `share` of the answers are 'generated'."""
    able = np.clip(rng.normal(share, 0.2, PEOPLE), 0.05, 0.95)
    n = PEOPLE * TRIALS
    said = rng.random(n) < np.repeat(able, TRIALS)
    image = first_image + np.arange(n)
    return Trials(said, np.full(n, generated), np.repeat(np.arange(PEOPLE), TRIALS), image)


@pytest.fixture(scope="module")
def three() -> dict[str, Trials]:
    rng = np.random.default_rng(0)
    real = own_images(0.3, 0, rng, generated=False)
    return {n: join([real, own_images(share, 1000 * k, rng)]) for k, (n, share) in
            enumerate({"a": 0.8, "b": 0.6, "c": 0.5}.items(), 1)}  # fmt: skip


@pytest.fixture(scope="module")
def compared(three: dict[str, Trials]) -> conditions.Conditions:
    return conditions.compare(three)


def shares(trials: Trials) -> np.ndarray:
    """Each participant's share of generated images called generated."""
    rows = trials.is_generated
    return np.bincount(trials.participant[rows], trials.said_generated[rows]) / TRIALS


def test_with_an_image_for_every_trial_a_difference_is_the_paired_t_test(three: dict[str, Trials]) -> None:
    found = significance.compared("a", "b", significance.difference(three["a"], three["b"], generated=1, real=0))
    expected = stats.ttest_rel(shares(three["a"]), shares(three["b"]))
    assert found.difference.value == pytest.approx(float((shares(three["a"]) - shares(three["b"])).mean()))
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9)
    interval = expected.confidence_interval(0.95)
    assert found.difference.ci95 == pytest.approx((interval.low, interval.high))


def test_shared_real_answers_cancel_so_that_accuracy_differs_by_half_of_the_fooling_rate(
    three: dict[str, Trials], compared: conditions.Conditions
) -> None:
    found = compared
    assert [(p.first, p.second) for p in found.pairs["d_prime"]] == [("a", "b"), ("a", "c"), ("b", "c")]
    for accuracy, fooling in zip(found.pairs["balanced_accuracy"], found.pairs["fooling_rate"], strict=True):
        assert accuracy.difference.value == pytest.approx(-(fooling.difference.value or np.nan) / 2)
        assert accuracy.p == pytest.approx(fooling.p)
        assert accuracy.p_holm == pytest.approx(fooling.p_holm)
        one, other = (inference.balanced_accuracy(three[n]).value for n in (accuracy.first, accuracy.second))
        assert accuracy.difference.value == pytest.approx((one or 0) - (other or 0))


def test_each_measure_is_corrected_over_its_pairs(compared: conditions.Conditions) -> None:
    for pairs in compared.pairs.values():
        p = [pair.p for pair in pairs if pair.p is not None]
        assert [pair.p_holm for pair in pairs] == pytest.approx(significance.holm(p))


def test_the_difference_in_d_prime_is_that_of_z_times_the_scale(three: dict[str, Trials]) -> None:
    """s_generated^2 = 1 + .04 + .01 + .15 = 1.2; the errors of the log spreads move it by v / s each."""
    known = spreads.Spreads(0.2, 0.1, 0.5, np.sqrt(0.15), np.diag([0.1, 0.2, 0.3, 0.3]) ** 2)
    found = conditions.d_prime_difference(three["a"], three["b"], known)
    rates = [shares(three[n]).mean() for n in ("a", "b")]
    z = stats.norm.ppf(rates)
    assert found.value == pytest.approx(np.sqrt(1.2) * (z[0] - z[1]))
    moved = [shares(three[n]) / stats.norm.pdf(x) for n, x in zip(("a", "b"), z, strict=True)]
    sampling = 1.2 * np.var(moved[0] - moved[1], ddof=1) / PEOPLE
    doubt = (z[0] - z[1]) ** 2 * ((0.1 * 0.04) ** 2 + (0.2 * 0.01) ** 2 + (0.3 * 0.15) ** 2) / 1.2
    assert found.se == pytest.approx(np.sqrt(sampling + doubt))


def test_people_who_judged_other_real_images_are_compared_too(three: dict[str, Trials]) -> None:
    rng = np.random.default_rng(1)
    elsewhere = join([own_images(0.5, 5000, rng, generated=False), own_images(0.6, 6000, rng)])
    found = significance.difference(three["a"], elsewhere, generated=0.5, real=-0.5)
    expected = (inference.balanced_accuracy(three["a"]).value or 0) - (
        inference.balanced_accuracy(elsewhere).value or 0
    )
    assert found.value == pytest.approx(expected)


def test_answers_to_shared_images_enter_the_model_once(three: dict[str, Trials]) -> None:
    answers, condition = conditions.pooled(list(three.values()))
    assert (~answers.is_generated).sum() == PEOPLE * TRIALS
    assert answers.is_generated.sum() == 3 * PEOPLE * TRIALS
    generated = answers.image[answers.is_generated]
    assert np.bincount(condition[generated]).tolist() == [PEOPLE * TRIALS] * 3


def test_the_same_file_name_in_two_conditions_is_two_images() -> None:
    one = Trials.from_labels([0, 1], [0, 1], [0, 0], [0, 1])
    answers, condition = conditions.pooled([one, one])
    assert condition[answers.image[answers.is_generated]].tolist() == [0, 1]


@pytest.mark.parametrize(("gap", "df"), [(0.0, 30.0), (0.05, 30.0), (-0.1, 30.0), (0.08, 2.0)])
def test_the_share_of_resamples_is_the_one_sided_p_value_of_the_paired_difference(gap: float, df: float) -> None:
    """With 2 degrees of freedom it is 0.908 where a normal law gives 0.977."""
    rates = [Estimate(0.5 + gap, 0.06, 30.0), Estimate(0.5, 0.05, 30.0)]
    pair = Comparison("a", "b", Estimate(gap, 0.04, df), 1.0, 1.0)
    found = conditions.rank(rates, [pair], ["a", "b"])
    assert found is not None
    assert found.more[0, 1] == pytest.approx(stats.t(df).cdf(gap / 0.04), abs=0.02)
    assert found.first.sum() == pytest.approx(1)
    assert (found.lowest.tolist(), found.highest.tolist()) == ([1, 1], [2, 2])  # p_holm of 1 leaves all places open


def test_places_are_those_that_the_tests_leave_open() -> None:
    rates = [Estimate(v, 0.05, 50.0) for v in (0.7, 0.4, 0.45)]
    pairs = [
        Comparison("a", "b", Estimate(0.3, 0.05, 50.0), 0.001, 0.003),
        Comparison("a", "c", Estimate(0.25, 0.05, 50.0), 0.001, 0.003),
        Comparison("b", "c", Estimate(-0.05, 0.05, 50.0), 0.3, 0.3),
    ]
    found = conditions.rank(rates, pairs, ["a", "b", "c"])
    assert found is not None
    assert found.place.tolist() == [1, 3, 2]
    assert (found.lowest.tolist(), found.highest.tolist()) == ([1, 2, 2], [1, 3, 3])


def test_one_participant_has_no_ranking(three: dict[str, Trials]) -> None:
    alone = {name: answers.where(answers.participant == 0) for name, answers in three.items()}
    found = conditions.compare(alone)
    assert found.ranking is None
    assert found.pairs["fooling_rate"][0].p is None
    assert "one participant" in found.pairs["fooling_rate"][0].difference.note


def test_families_are_joined_through_a_common_condition() -> None:
    sets, trial = ["a", "b", "b", "c", "d", "d"], [0, 0, 1, 1, 2, 2]
    assert conditions.families(sets, trial, [False] * 6) == [("a", "b", "c")]
    assert conditions.families(sets, range(6), [False] * 6) == []
    assert conditions.families(["a", "b"], [0, 0], [True, True]) == []
