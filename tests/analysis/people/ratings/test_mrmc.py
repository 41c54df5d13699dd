"""Multi-reader multi-case intervals, held to the published example and to the formulas by brute force."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from analysis.people.ratings import confidence as sure
from analysis.people.ratings import mrmc, roc
from analysis.people.trials import Trials
from benchmarks.people import ratings
from benchmarks.people.coverage import interval99
from glimpse.observers import Floats
from tests.analysis.people.ratings.test_roc import crossed

# OR-DBM MRMC 2.51 (Schartz, Hillis, Pesce & Berbaum) on the data of Van Dyke et al. 1993, 5 readers of 114 cases with
# two treatments: area, MS(R), Cov2; standard error, degrees of freedom, 95 % interval. RJafroc prints the same.
PUBLISHED = (
    ((0.89703704, 0.00308263, 0.00048396), (0.03317360, 12.74, 0.82522360, 0.96885048)),
    ((0.94083736, 0.00130460, 0.00020419), (0.02156637, 12.71, 0.89413783, 0.98753689)),
    # the difference: variance of the readers' differences, 2 MS(T x R); Cov2 of them, 2 (Cov2 - Cov3)
    ((-0.04380032, 2 * 0.00055103, 2 * (0.00034407 - 0.00023903)), (0.02075, 15.26, -0.08796, 0.00036)),
)


@pytest.mark.parametrize(("given", "published"), PUBLISHED, ids=["treatment 1", "treatment 2", "difference"])
def test_the_published_example(given: tuple[float, float, float], published: tuple[float, ...]) -> None:
    found = mrmc.obuchowski_rockette(*given, people=5)
    assert found.se is not None
    assert found.df is not None
    assert found.ci95 is not None
    assert (found.se, found.df, *found.ci95) == pytest.approx(published, abs=6e-6, rel=4e-4)


def rated(rating: Floats, trials: Trials) -> mrmc.Rated:
    return mrmc.Rated(trials, roc.areas(rating, trials))


def by_brute_force(rating: Floats, trials: Trials, people: int, images: int) -> tuple[Floats, Floats]:
    """Each participant's area, and the jackknife covariance of the areas, leaving out one image after the other."""

    def area(person: int, without: int = -1) -> float:
        mine = (trials.participant == person) & (trials.image != without)
        return float(roc_auc_score(trials.is_generated[mine], rating[mine]))

    left = np.array([[area(j, k) for k in range(images)] for j in range(people)])
    return np.array([area(j) for j in range(people)]), np.cov(left) * (images - 1) ** 2 / images


def test_the_whole_chain_is_obuchowski_and_rockettes() -> None:
    trials, rng = crossed(5, 16), np.random.default_rng(1)
    evidence = 0.8 * trials.is_generated + rng.normal(0, 0.7, 16)[trials.image] + rng.normal(size=80)
    rating = np.digitize(evidence, [-0.5, 0.5, 1.5]).astype(float)
    area, covariance = by_brute_force(rating, trials, 5, 16)
    cov2 = covariance[~np.eye(5, dtype=bool)].mean()
    assert cov2 > 0
    found, mean_square = mrmc.mean_area(rated(rating, trials)), area.var(ddof=1)
    assert found.value == pytest.approx(area.mean())
    assert found.se == pytest.approx(np.sqrt(mean_square / 5 + cov2))
    assert found.df == pytest.approx((mean_square + 5 * cov2) ** 2 / (mean_square**2 / 4))


def test_a_difference_is_the_same_analysis_of_the_participants_differences() -> None:
    trials, rng = crossed(4, 12), np.random.default_rng(2)
    first, second = (np.digitize(rng.normal(size=48) + trials.is_generated, [0.0, 1.0]).astype(float) for _ in "ab")
    one, other = (by_brute_force(rating, trials, 4, 12) for rating in (first, second))
    (found,) = mrmc.compare({"a": rated(first, trials), "b": rated(second, trials)})
    assert found.difference.value == pytest.approx((one[0] - other[0]).mean())
    joint = np.zeros((4, 12))
    for rating, sign in ((first, 1), (second, -1)):
        joint += sign * roc.areas(rating, trials).moves.reshape(4, 12)
    cov2 = (np.cov(joint) * 11 * 11 / 12)[~np.eye(4, dtype=bool)].mean()
    expected = mrmc.obuchowski_rockette(0.0, (one[0] - other[0]).var(ddof=1), cov2, 4)
    assert found.difference.se == pytest.approx(expected.se)
    assert found.difference.df == pytest.approx(expected.df)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.difference.value) / expected.se, expected.df))
    assert found.p_holm == found.p


def test_sets_without_two_common_raters_are_not_compared() -> None:
    trials = crossed(3, 8)
    rating = np.arange(24) % 5 + 0.0
    elsewhere = replace(trials, participant=trials.participant + 2, image=trials.image + 8)
    assert mrmc.compare({"a": rated(rating, trials), "b": rated(rating, elsewhere)}) == []


def test_participants_who_share_no_image_do_not_covary() -> None:
    trials = crossed(4, 8)
    apart = replace(trials, image=trials.image + 8 * trials.participant)
    rating = np.random.default_rng(0).integers(1, 5, 32) + 0.0
    assert mrmc.covariance(roc.areas(rating, apart).moves, apart, 4) == pytest.approx(0)
    area = roc.areas(rating, apart).area
    assert mrmc.mean_area(rated(rating, apart)).df == pytest.approx(3)
    assert mrmc.mean_area(rated(rating, apart)).se == pytest.approx(area.std(ddof=1) / 2)


def test_intervals_stay_within_0_and_1_and_have_a_width_if_all_areas_are_1() -> None:
    trials = crossed(5, 20)
    wrong = np.where(trials.participant == 0, (np.arange(100) % 20 == 1) * 1.5, 0.0)
    for rating in (trials.is_generated - wrong, 1.0 * trials.is_generated, 1.0 - trials.is_generated):
        found = mrmc.mean_area(rated(rating, trials))
        assert found.value is not None
        assert found.ci95 is not None
        assert 0 <= found.ci95[0] <= found.value <= found.ci95[1] <= 1
        assert found.ci95[0] < found.ci95[1]


def test_one_participant_and_one_image_have_a_mean_and_a_note() -> None:
    one = mrmc.mean_area(rated(np.arange(8.0), crossed(1, 8)))
    assert (one.value, one.ci95) == (0.625, None)
    assert "one participant" in one.note
    assert "one image" in mrmc.mean_area(rated(np.arange(6.0), crossed(2, 3))).note
    assert mrmc.mean_area(rated(np.arange(2.0), crossed(2, 1))).value is None


# ------------------------------------------------------------------------------------------------ confidence


def test_confidence_of_the_right_answers_only_tells_right_from_wrong() -> None:
    trials = Trials.from_labels([1, 1, 0, 0] * 2, [1, 0, 1, 0] * 2, [0] * 4 + [1] * 4, [0, 1, 2, 3] * 2)
    confidence = np.array([1.0, 0.0, 0.0, 1.0] * 2)
    assert sure.type_2_area(confidence, trials).value == 1
    assert sure.overconfidence(confidence, trials).value == pytest.approx(0.25)  # claimed 3/4 on average, half right
    table = sure.calibration(confidence, trials)
    by_class = Trials.from_labels([1] * 8, [1, 1, 0, 0] * 2, [0] * 4 + [1] * 4, range(8))
    assert sure.overconfidence(np.zeros(8), by_class).se is None, "classes differ by design: within them nothing varies"
    assert table["claimed"].tolist() == [0.5, 1.0]
    assert table["right"].tolist() == [0.0, 1.0]
    assert table["answers"].tolist() == [4, 4]


def test_people_who_are_right_as_often_as_they_claim_are_calibrated() -> None:
    trials, rng = crossed(60, 40), np.random.default_rng(1)
    confidence = rng.integers(0, 5, len(trials)) / 4
    right = rng.random(len(trials)) < sure.claimed(confidence)
    found = replace(trials, said_generated=trials.is_generated == right)
    over = sure.overconfidence(confidence, found).ci95
    assert over is not None
    assert over[0] < 0 < over[1]
    table = sure.calibration(confidence, found)
    assert ((table["low"] < table["claimed"]) & (table["claimed"] < table["high"])).sum() >= 4
    assert len(sure.calibration(rng.random(len(trials)), found)) == sure.MOST_LEVELS


def test_joined_levels_of_confidence_all_have_answers() -> None:
    """An interpolated quantile of equal values may lie above them by rounding: a level that nobody had given."""
    given = [32, 21, 59, 23, 41, 23, 28, 62, 11, 39, 26, 42, 47, 20, 42, 42, 28, 7, 38, 3]
    trials = Trials.from_labels([1] * 20, [1, 0] * 10, range(20), range(20))
    table = sure.calibration(np.array(given) / 63, trials)
    assert table["answers"].tolist() == [2, 2, 1, 3, 2, 2, 2, 4, 2]
    assert table["claimed"].notna().all()


# ------------------------------------------------------------------------------------------------ coverage


def test_simulated_ratings_have_the_area_and_the_curve_that_the_benchmark_takes_for_true() -> None:
    case = ratings.CASES[5]
    big = replace(case, design=ratings.Design(400, images=2_000, trials=60))
    rating, trials = big.draw(np.random.default_rng(0))
    assert roc.areas(rating, trials).area.mean() == pytest.approx(case.area, abs=0.01)
    found = roc.curve(rating, trials)
    assert found.slope.value == pytest.approx(case.slope, abs=0.03)
    assert found.d_a.value == pytest.approx(case.d_a, abs=0.05)
    np.testing.assert_allclose(found.curve[[9, 29, 49]], case.hit_rate(roc.FALSE_ALARM_RATES)[[9, 29, 49]], atol=0.015)


@pytest.mark.parametrize("simulations", [3, pytest.param(1_000, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])])
@pytest.mark.parametrize("case", ratings.CASES, ids=lambda case: case.name)
def test_intervals_from_ratings_hold_the_truth(case: ratings.Case, simulations: int) -> None:
    for claim, held in ratings.study(case, simulations).items():
        known = held[np.isfinite(held)]
        assert len(known) >= 0.95 * len(held), claim
        low, high = interval99(known)
        assert high >= 0.93, (claim, low, high)
        assert low <= 0.97, (claim, low, high)


def test_the_committed_table_has_every_case_and_keeps_its_promises() -> None:
    lines = (Path(__file__).parents[4] / "docs" / "coverage.md").read_text("utf-8").splitlines()
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("| ratings, ")]
    claims = ratings.study(ratings.CASES[0], 1)
    assert [(row[0].strip(), row[1].strip()) for row in rows] == [(c.name, k) for c in ratings.CASES for k in claims]
    for _, claim, _, interval in rows:
        low, high = (float(end.strip(" %")) / 100 for end in interval.split(" to "))
        assert low <= 0.97, claim
        assert high >= 0.93, claim
