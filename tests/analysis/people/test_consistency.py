"""Reliability, agreement and single images: published worked examples, closed forms, and simulated truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.people.consistency.agreement import alpha
from analysis.people.consistency.items import ability, items
from analysis.people.consistency.reliability import intraclass, split_half
from analysis.people.population.simulation import Design, Truth, simulate
from analysis.people.trials import Trials
from analysis.sections.reliability import scores_of, sentences

# Shrout & Fleiss 1979, table 2: six targets rated by four judges.
SHROUT = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]])
TARGET, JUDGE = np.repeat(np.arange(6), 4), np.tile(np.arange(4), 6)
# Krippendorff 2011, section C: twelve units coded by four observers; 0 is missing.
KRIPPENDORFF = np.array([
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
])  # fmt: skip


def test_intraclass_correlations_are_those_of_shrout_and_fleiss() -> None:
    one_way = intraclass(SHROUT.ravel(), TARGET, np.arange(24))
    two_way = intraclass(SHROUT.ravel(), TARGET, JUDGE)
    assert (one_way.model, two_way.model) == ("one-way", "two-way")
    assert [round(e.value, 2) for e in (one_way.single, one_way.mean, two_way.single, two_way.mean)] == [
        0.17, 0.44, 0.71, 0.91,
    ]  # fmt: skip
    assert one_way.single.ci95 == pytest.approx((-0.1329, 0.7226), abs=1e-4)  # R's psych::ICC
    assert two_way.single.ci95 == pytest.approx((0.3425, 0.9459), abs=1e-4)


def test_icc_of_a_complete_design_is_cronbachs_alpha() -> None:
    alpha_of = 4 / 3 * (1 - SHROUT.var(axis=0, ddof=1).sum() / SHROUT.sum(axis=1).var(ddof=1))
    assert intraclass(SHROUT.ravel(), TARGET, JUDGE).mean.value == pytest.approx(alpha_of)


def test_the_icc_of_balanced_accuracy_is_the_stratified_alpha() -> None:
    """Rajaratnam, Cronbach & Gleser 1965: 1 - sum over classes of s^2 (1 - alpha) / s^2 of the score."""
    rng = np.random.default_rng(0)
    classes = [rng.random((12, images)) < 0.6 + 0.2 * rng.standard_normal((12, 1)) for images in (9, 3)]
    means = np.stack([one.mean(axis=1) for one in classes])
    alphas = [
        one.shape[1] / (one.shape[1] - 1) * (1 - one.var(axis=0, ddof=1).sum() / one.sum(axis=1).var(ddof=1))
        for one in classes
    ]
    noise = sum(mean.var(ddof=1) * (1 - a) for mean, a in zip(means, alphas, strict=True))
    stratum = np.tile([0] * 9 + [1] * 3, 12)
    found = intraclass(np.hstack(classes).ravel(), np.repeat(np.arange(12), 12), np.tile(np.arange(12), 12), stratum)
    assert found.mean.value == pytest.approx(1 - noise / means.sum(axis=0).var(ddof=1))
    assert found.mean.method == "ICC(3,k) within classes, two-way ANOVA, F interval"
    assert found.single.value == pytest.approx(1 / (1 + 9 * (1 / found.mean.value - 1)))  # 4 / (1/9 + 1/3) answers
    assert found.answers == 12
    (a, df_a), (b, df_b) = (
        (away.var() * away.size / (11 * (k - 1)) / k, 11 * (k - 1))  # the class's noise in the score, Satterthwaite
        for one in classes
        for k, away in [(one.shape[1], one - one.mean(axis=0) - one.mean(axis=1, keepdims=True))]
    )
    df, f = (a + b) ** 2 / (a**2 / df_a + b**2 / df_b), 1 / (1 - found.mean.value)
    ends = 1 - stats.f.ppf(0.975, 11, df) / f, 1 - 1 / (f * stats.f.ppf(0.975, df, 11))
    assert found.mean.ci95 == pytest.approx(ends)


@pytest.mark.parametrize(("real", "generated"), [(45, 15), (30, 30), (5, 45)])
def test_a_habit_is_not_reliable_ability(real: int, generated: int) -> None:
    """People who cannot tell, and prefer one answer to very different degrees: balanced accuracy is noise."""
    rng = np.random.default_rng(0)
    said = rng.random((400, real + generated)) < rng.beta(1, 1, 400)[:, None]
    truth = np.arange(real + generated) >= real
    unit, image = np.repeat(np.arange(400), len(truth)), np.tile(np.arange(len(truth)), 400)
    found = intraclass((said == truth).ravel(), unit, image, truth[image])
    assert found.mean.value == pytest.approx(0, abs=0.25)  # of right answers: 0.85, -0.86, 0.93


def test_krippendorffs_examples() -> None:
    given = KRIPPENDORFF > 0
    unit = np.broadcast_to(np.arange(12), KRIPPENDORFF.shape)
    assert round(float(alpha(KRIPPENDORFF[given], unit[given]).value or 0), 3) == 0.743
    binary = [0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]  # section A: two observers
    found = alpha([*binary[0], *binary[1]], [*range(10)] * 2)
    assert round(float(found.value or 0), 3) == 0.095
    assert found.ci95 is not None
    assert found.ci95[0] < 0.095 < found.ci95[1]


@pytest.mark.parametrize(("values", "unit", "note"), [
    ([1, 0, 1], [0, 1, 2], "judged twice"), ([1, 1, 1, 1], [0, 0, 1, 1], "the same"),
    ([1, 0], [0, 0], "fewer than 8 images"), ([*[0, 1] * 5, *[0, 1] * 5], [*range(10)] * 2, "all images agree equally"),
])  # fmt: skip
def test_agreement_is_missing_with_a_reason(values: list[int], unit: list[int], note: str) -> None:
    assert note in alpha(values, unit).note


def test_the_split_half_of_parallel_halves_is_the_spearman_brown_of_their_correlation() -> None:
    """Two answers per unit: each random half is one of them, and the mean correlation is that of both orders."""
    rng = np.random.default_rng(0)
    both = rng.random((400, 2)) < rng.beta(0.5, 0.5, 400)[:, None]  # their correlation is 1 / (0.5 + 0.5 + 1)
    found = split_half(both.ravel(), np.repeat(np.arange(400), 2))
    r = intraclass(both.ravel(), np.repeat(np.arange(400), 2), np.arange(800)).single.value
    assert r is not None
    assert found.value == pytest.approx(2 * r / (1 + r), abs=0.01)
    assert found.ci95 is not None
    assert found.ci95[0] < 2 / 3 < found.ci95[1]  # reliability of the mean of two: 2 / (2 + 1)


def test_a_negative_split_half_stays_above_minus_one() -> None:
    """Spearman and Brown's formula gives 2 (-0.9) / (1 - 0.9) = -18 for halves that contradict each other."""
    rng = np.random.default_rng(3)
    one = rng.random(200) < 0.5
    against = np.stack([one, one ^ (rng.random(200) < 0.97)], axis=1)
    found = split_half(against.ravel(), np.repeat(np.arange(200), 2))
    r = intraclass(against.ravel(), np.repeat(np.arange(200), 2), np.arange(400)).single.value
    assert r is not None
    assert r < -0.9
    assert found.value == pytest.approx(2 * r / (1 - r), abs=0.01)
    assert found.ci95 is not None
    assert -1 <= found.ci95[0] < found.value < found.ci95[1]


def test_reliability_is_the_share_of_true_variance_among_people_who_differ() -> None:
    rng = np.random.default_rng(1)
    sway = rng.beta(3, 2, 150)
    right = rng.random((150, 20)) < sway[:, None]
    unit = np.repeat(np.arange(150), 20)
    within = (3 * 2 / (5 * 6)) / 20  # E[p (1 - p)] / 20
    true = stats.beta(3, 2).var() / (stats.beta(3, 2).var() + within)
    found = intraclass(right.ravel(), unit, np.arange(3000))
    for each in (found.mean, split_half(right.ravel(), unit)):
        assert each.ci95 is not None
        assert each.ci95[0] < true < each.ci95[1]
    assert found.answers == 20


def test_answers_without_variance_have_a_reason_instead_of_a_number() -> None:
    everything_right = np.ones(40)
    unit = np.repeat(np.arange(10), 4)
    assert split_half(everything_right, unit).note
    assert intraclass(everything_right, unit, np.arange(40)).mean.note
    one_image_of_each_class = intraclass([1, 0, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 0, 1]).mean
    assert one_image_of_each_class.note == "too few answers for a variance between and within"
    alike = np.tile([1, 1, 1, 0], 10)  # equal scores: a half has what the other lacks, whatever the answers
    assert split_half(alike, unit).note == "all scores are the same"
    never_vary = split_half(np.repeat(np.arange(10) % 2, 4), unit)
    assert (never_vary.value, never_vary.ci95) == (1.0, None)
    assert split_half(np.arange(6.0), np.arange(6)).note == "fewer than 4 with two answers each"


def test_discrimination_is_the_correlation_with_ability_on_the_other_images() -> None:
    trials = simulate(Truth(1.0, sd_d_prime=1.0), Design(40, 12, 12), np.random.default_rng(2))
    rest, table = ability(trials), items(trials)
    for row in table.to_dict("records"):
        here = trials.image == row["image"]
        assert row["discrimination"] == pytest.approx(np.corrcoef(trials.correct[here], rest[here])[0, 1])
        assert row["low"] < row["pooled"] < row["high"]
        assert row["seen"] == 40
    assert (table["pooled"].diff().dropna() <= 0).all()


def test_a_telling_image_among_dull_ones_comes_first_and_luck_is_pooled_away() -> None:
    rng = np.random.default_rng(3)
    trials = simulate(Truth(1.0, sd_d_prime=0.0, sd_criterion=0.0), Design(60, 20, 20), rng)
    spread = items(trials)
    assert spread["pooled"].std() < 0.3 * spread["discrimination"].std()  # no participant is abler than another
    able = np.arange(60) < 30
    said = np.where(
        trials.image == 25, able[trials.participant],
        np.where(rng.random(len(trials)) < 0.2, able[trials.participant] == trials.is_generated, trials.said_generated),
    )  # fmt: skip
    table = items(Trials(said, trials.is_generated, trials.participant, trials.image))
    assert table["image"].iloc[0] == 25
    assert table["low"].iloc[0] > 0
    assert table.loc[0, "right_low"] < 0.5 < table.loc[0, "right_high"]


def test_a_habit_is_not_an_ability_where_there_are_more_real_images() -> None:
    for seed in range(5):
        trials = simulate(Truth(0.0, sd_d_prime=0.0, sd_criterion=1.0), Design(60, 15, 5), np.random.default_rng(seed))
        table = items(trials)
        assert not ((table["low"] > 0) | (table["high"] < 0)).any()


def test_ability_is_what_a_participant_has_over_everybody_in_each_class() -> None:
    said = [0, 0, 1, 1, 0, 0, 0, 0]  # all are right about the real images, one of two about the generated ones
    answers = Trials.from_labels(said, [0, 0, 1, 1] * 2, np.repeat([0, 1], 4), [0, 1, 2, 3] * 2)
    assert ability(answers).tolist() == [0.25] * 4 + [-0.25] * 4


def test_where_one_class_was_shown_a_habit_cannot_be_told_from_ability() -> None:
    trials = simulate(Truth(1.0, sd_d_prime=1.0), Design(40, 12, 12), np.random.default_rng(2))
    assert items(trials.where(trials.is_generated)).empty


def test_images_judged_once_or_twice_have_no_discrimination() -> None:
    assert items(simulate(Truth(), Design(4, 50, 5), np.random.default_rng(4))).empty


def test_repeated_judgements_do_not_make_scores_reliable() -> None:
    trials = simulate(Truth(1.0), Design(10, 8, 8), np.random.default_rng(5))
    twice = trials.where(np.tile(np.arange(len(trials)), 2))
    assert scores_of(twice, 0) == scores_of(trials, 0)


def test_agreement_that_chance_may_give_is_not_called_agreement() -> None:
    def said(low: float, high: float) -> str:
        agreed = {"agreement": {"all": {"alpha": 0.06, "ci95": [low, high]}}, "reliability": {}}
        return sentences("df", agreed, pd.DataFrame(), several=False)[0]

    assert said(-0.07, 0.19).endswith("0.06 (−0.07 to 0.19), which chance may give.")
    assert said(0.01, 0.19).endswith("0.06 (0.01 to 0.19).")
    assert said(-0.05, -0.01).endswith("0.06 (−0.05 to −0.01), less than chance gives.")


def test_a_reliability_that_is_printed_as_0_70_is_not_called_below_0_7() -> None:
    def said(value: float) -> str:
        means = {"real": {"icc_mean": {"value": value, "ci95": [0.33, 0.9]}}}
        found = {"reliability": means, "agreement": {}}
        return sentences("df", found, pd.DataFrame(), several=False)[0]

    assert said(0.698).endswith("real images 0.70 (0.33 to 0.90).")
    assert said(0.694).endswith("real images 0.69 (0.33 to 0.90). Below 0.7, single real images should not be ranked.")
