"""ROC areas of participants and the binormal curve of all, held to definitions, laws and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats
from sklearn.metrics import roc_auc_score

from analysis.people.ratings import roc
from analysis.people.trials import Trials
from glimpse.observers import Floats


def crossed(people: int, images: int) -> Trials:
    """Every participant rates every image; odd images are generated."""
    person, image = np.repeat(np.arange(people), images), np.tile(np.arange(images), people)
    return Trials(image % 2 == 1, image % 2 == 1, person, image)


RATINGS = arrays.arrays(np.int64, 24, elements=st.integers(1, 7)).map(lambda r: r.astype(float))
TRIALS = crossed(3, 8)


@settings(max_examples=40, deadline=None)
@given(RATINGS)
def test_an_area_is_the_share_of_pairs_ranked_rightly(rating: Floats) -> None:
    found = roc.areas(rating, TRIALS)
    for code, area in zip(found.participant, found.area, strict=True):
        mine = TRIALS.participant == code
        real, generated = rating[mine & ~TRIALS.is_generated], rating[mine & TRIALS.is_generated]
        wins = stats.mannwhitneyu(generated, real).statistic / (len(real) * len(generated))
        assert area == pytest.approx(wins)
        assert area == pytest.approx(roc_auc_score(TRIALS.is_generated[mine], rating[mine]))


@settings(max_examples=40, deadline=None)
@given(RATINGS, st.sampled_from([np.exp, np.cbrt, lambda r: 3 * r - 100, lambda r: r**3]))
def test_only_the_order_of_ratings_matters_and_turning_the_scale_gives_the_complement(
    rating: Floats, law: object
) -> None:
    found = roc.areas(rating, TRIALS)
    assert callable(law)
    np.testing.assert_allclose(roc.areas(law(rating), TRIALS).area, found.area, atol=1e-12)
    np.testing.assert_allclose(roc.areas(-rating, TRIALS).area, 1 - found.area, atol=1e-12)


def test_the_moves_of_an_area_are_its_jackknife() -> None:
    """Against leaving out one image after the other."""
    rating = np.random.default_rng(0).integers(1, 6, 24) + TRIALS.is_generated
    found = roc.areas(rating, TRIALS)
    left = np.array(
        [
            [roc_auc_score(TRIALS.is_generated[m], rating[m]) for k in range(8)
             if (m := (TRIALS.participant == j) & (TRIALS.image != k)) is not None]
            for j in range(3)
        ]
    )  # fmt: skip
    np.testing.assert_allclose(found.area[:, None] - left, found.moves.reshape(3, 8), atol=1e-12)
    np.testing.assert_allclose(found.se, left.std(axis=1) * np.sqrt(7), atol=1e-12)


def test_a_participant_who_rated_one_class_has_no_area_and_one_image_of_a_class_gives_no_error() -> None:
    trials = Trials.from_labels([0] * 7, [0, 0, 0, 1, 1, 0, 1], [0, 0, 1, 1, 1, 2, 2], [0, 1, 0, 3, 4, 0, 3])
    found = roc.areas([1, 2, 1, 2, 2, 5, 4], trials)
    assert found.participant.tolist() == [1, 2]
    assert found.area.tolist() == [1, 0]
    assert np.isnan(found.se).all()


def test_the_binormal_curve_is_recovered_from_exact_shares() -> None:
    """Shares of ten categories of N(0, 1) and N(1.2, 1.5^2): slope 1 / 1.5, d_a = 1.2 / sqrt((1 + 1.5^2) / 2)."""
    cuts = np.linspace(-1.5, 2.5, 9)
    edges = np.concatenate([[-np.inf], cuts, [np.inf]])
    shares = np.stack([np.diff(stats.norm.cdf(edges)), np.diff(stats.norm.cdf(edges, 1.2, 1.5))])
    fitted, _ = roc._fit(shares)
    np.testing.assert_allclose(fitted, [1.2, np.log(1.5), *cuts], atol=1e-3)


def test_the_score_of_the_binormal_model_is_the_derivative_of_its_log_chance() -> None:
    values = np.array([0.8, 0.2, -0.5, 0.1, 0.9])
    for i in range(5):
        step = np.zeros(5)
        step[i] = 1e-6
        slope = (np.log(roc._chances(values + step, 4)) - np.log(roc._chances(values - step, 4))) / 2e-6
        np.testing.assert_allclose(roc._scores(values, 4)[i], slope, atol=1e-6)


def test_two_rates_determine_the_binormal_curve_exactly() -> None:
    """Three categories: as many free rates as parameters, so the zROC goes through both points."""
    trials = crossed(30, 20)
    rng = np.random.default_rng(3)
    rating = np.digitize(rng.normal(trials.is_generated * 1.0, 1 + 0.4 * trials.is_generated), [0.0, 1.0])
    found = roc.curve(rating, trials)
    z = stats.norm.ppf([found.hit_rate, found.false_alarm_rate])
    slope, intercept = np.polyfit(z[1], z[0], 1)
    assert found.slope.value == pytest.approx(slope, rel=1e-3)
    assert found.d_a.value == pytest.approx(intercept * np.sqrt(2 / (1 + slope**2)), rel=1e-3)
    assert found.area.value == pytest.approx(stats.norm.cdf(found.d_a.value / np.sqrt(2)))
    at = np.searchsorted(roc.FALSE_ALARM_RATES, 0.3)
    z_there = intercept + slope * stats.norm.ppf(roc.FALSE_ALARM_RATES[at])
    assert found.curve[at] == pytest.approx(stats.norm.cdf(z_there), abs=1e-3)
    assert found.low[at] < found.curve[at] < found.high[at]


def test_participants_count_equally_however_many_images_they_rated() -> None:
    few, many = crossed(1, 4), crossed(1, 40)
    trials = Trials(
        *(np.concatenate([getattr(few, c), getattr(many, c)]) for c in ("said_generated", "is_generated")),
        np.repeat([0, 1], [4, 40]), np.concatenate([few.image, many.image]),
    )  # fmt: skip
    rating = np.where(trials.participant == 0, 1.0, 3.0) + (np.arange(44) % 3 == 0)
    found = roc.curve(rating, trials)
    own = [
        [(rating[(trials.participant == p) & (trials.is_generated == g)] > 2).mean() for p in (0, 1)] for g in (1, 0)
    ]
    assert found.hit_rate[-2] == pytest.approx(np.mean(own[0]))
    assert found.false_alarm_rate[-2] == pytest.approx(np.mean(own[1]))


@pytest.mark.parametrize(
    ("rating", "reason"),
    [(np.tile([0.0, 1.0, 1.0, 0.0], 6), "fewer than two points"), (1.0 * TRIALS.is_generated, "fewer than two points"),
     (np.ones(24), "fewer than two points")],
    ids=["two levels", "faultless", "one level"],
)  # fmt: skip
def test_ratings_that_do_not_determine_a_curve_get_a_note(rating: Floats, reason: str) -> None:
    found = roc.curve(rating, TRIALS)
    assert (found.slope.value, found.d_a.value, found.area.value, len(found.curve)) == (None, None, None, 0)
    assert reason in found.d_a.note


def test_many_different_ratings_are_joined_to_twelve_categories() -> None:
    category, bounds = roc._categories(np.random.default_rng(0).normal(size=2_000))
    counts = np.bincount(category)
    assert len(bounds) == roc.MOST_CATEGORIES - 1
    assert counts.max() - counts.min() <= 2
    category, bounds = roc._categories(np.repeat(np.arange(20.0), [1_000, *[1] * 19]))  # nearly all alike
    assert len(bounds) >= 1
    assert np.bincount(category)[0] == 1_000
