"""Claims about the distances: right in cases that can be worked out, silent when nothing differs, by group."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.images.distances import Moments, frechet, inception_score, precision_recall
from analysis.images.kid import Units, _halves, kid, permutation_p, subsampling_interval
from analysis.images.training_score import training_scorer
from analysis.section import AnalysisError
from tests.analysis.pictures import textures


def normal(n: int, d: int, seed: int, shift: float = 0.0, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(n, d)) * scale + shift).astype(np.float32)


@pytest.mark.parametrize(("n", "m"), [(500, 400), (20, 500), (30, 20)])
def test_the_frechet_distance_is_the_formula_with_the_matrix_root(n: int, m: int) -> None:
    from scipy.linalg import sqrtm

    x, y = normal(n, 12, 0).astype(float), normal(m, 12, 1, 0.3, 1.4).astype(float)
    root = np.trace(sqrtm(np.cov(x.T) @ np.cov(y.T))).real
    expected = np.sum((x.mean(0) - y.mean(0)) ** 2) + np.trace(np.cov(x.T)) + np.trace(np.cov(y.T)) - 2 * root
    assert frechet(Moments.of(x), Moments.of(y)) == pytest.approx(expected, rel=1e-9)


def test_the_frechet_distance_to_itself_is_zero_and_of_a_shift_its_square() -> None:
    x = normal(40, 100, 0)
    assert frechet(Moments.of(x), Moments.of(x)) == pytest.approx(0, abs=1e-9)
    assert frechet(Moments.of(x), Moments.of(x + 2)) == pytest.approx(400, rel=1e-6)


def test_kid_is_unbiased_at_any_number_of_images() -> None:
    values = [kid(normal(n, 16, seed), normal(m, 16, seed + 1000)) for seed in range(200) for n, m in ((8, 30),)]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


def test_kid_by_group_with_groups_of_one_is_kid() -> None:
    x, y = normal(30, 16, 0), normal(50, 16, 1, 0.2)
    units = Units.of(x, y, None, None)
    assert units.kid(units.observed()[None])[0] == pytest.approx(kid(x, y), rel=1e-9)


def test_the_interval_of_the_kid_holds_the_truth_and_not_zero_when_they_differ() -> None:
    x, y = normal(200, 16, 0), normal(200, 16, 1, 0.25)
    interval = subsampling_interval(Units.of(x, y, None, None), np.random.default_rng(0))
    assert interval is not None
    assert 0 < interval[0] < kid(normal(3000, 16, 5), normal(3000, 16, 6, 0.25)) < interval[1]


def test_a_tight_cluster_is_precise_and_recalls_little() -> None:
    found = precision_recall(normal(200, 4, 0), normal(200, 4, 1, scale=0.1))
    assert found["precision"] > 0.95
    assert found["recall"] < 0.1
    assert found["coverage"] < 0.3


def test_the_inception_score_counts_the_classes_that_are_told_apart() -> None:
    assert inception_score(np.eye(10, dtype=np.float32) * 50) == pytest.approx(10, rel=1e-6)
    assert inception_score(np.zeros((10, 10), np.float32)) == pytest.approx(1)


@pytest.mark.parametrize("broken", [np.full((5, 3), np.nan, np.float32), np.zeros((1, 3), np.float32)])
def test_features_that_are_not_a_distribution_are_refused(broken: np.ndarray) -> None:
    for distance in (lambda: frechet(Moments.of(broken), Moments.of(broken)), lambda: kid(broken, broken)):
        with pytest.raises(AnalysisError, match=r"not finite|at least two"):
            distance()


def test_the_training_scorer_prefers_the_same_texture(tmp_path) -> None:  # type: ignore[no-untyped-def]
    train = textures(40, seed=0)
    scorer = training_scorer(train, seed=0, features_dir=tmp_path)
    same, blurred = scorer(textures(30, seed=1)), scorer(textures(30, seed=2, grain=1.6))
    assert scorer.extractor.name == "imagenet"
    assert set(same) == {"imagenet_feature_kid", "imagenet_feature_frechet_distance"}
    assert same["imagenet_feature_kid"] < 0.1 * blurred["imagenet_feature_kid"]
    assert same["imagenet_feature_frechet_distance"] < blurred["imagenet_feature_frechet_distance"]


def test_grouped_images_of_one_distribution_raise_false_alarms_at_the_nominal_rate() -> None:
    alarms = {"by group": 0, "by image": 0}
    runs = 150
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        means = rng.normal(size=(20, 8)).repeat(10, axis=0)
        real = (means + 0.3 * rng.normal(size=(200, 8))).astype(np.float32)
        generated = (rng.normal(size=(200, 8)) * np.sqrt(1.09)).astype(np.float32)
        groups = np.arange(20).repeat(10)
        for name, given in (("by group", groups), ("by image", None)):
            p = permutation_p(Units.of(real, generated, given, None), rng, 99)
            alarms[name] += p <= 0.05
    assert alarms["by group"] <= 14  # 5 % of 150 is 7.5; 14 is its 98 % quantile
    assert alarms["by image"] > 75


def windows(means: np.ndarray, each: int, seed: int, spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """`each` images around every mean (photos, d), and the photo that each is of."""
    noise = np.random.default_rng(seed).normal(size=(len(means) * each, means.shape[1]))
    return (means.repeat(each, axis=0) + spread * noise).astype(np.float32), np.arange(len(means)).repeat(each)


@pytest.mark.parametrize("same_photos", [True, False])
def test_kid_is_unbiased_whether_both_sides_show_the_same_photos_or_others(same_photos: bool) -> None:
    values = []
    for seed in range(100):
        one, other = normal(5, 8, seed), normal(5, 8, seed + 1000)
        (x, photos), (y, theirs) = windows(one, 33, seed), windows(one if same_photos else other, 33, seed + 2000)
        units = Units.of(x, y, photos, theirs if same_photos else theirs + 5)
        values.append(units.kid(units.observed()[None])[0])
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))


@pytest.mark.parametrize("most", [10, 15])
def test_photos_of_both_sides_raise_false_alarms_at_the_nominal_rate_and_differences_are_seen(most: int) -> None:
    alarms = {0.0: 0, 0.3: 0}
    for seed in range(150):
        rng = np.random.default_rng(seed)
        for shift in alarms:
            means = rng.normal(size=(10, 8))
            (x, photos), (y, theirs) = windows(means, 15, seed), windows(means + shift, 15, seed + 1000)
            kept_x, kept_y = (np.flatnonzero(rng.random(150) < most / 15) for _ in range(2))
            units = Units.of(x[kept_x], y[kept_y], photos[kept_x], theirs[kept_y])
            alarms[shift] += permutation_p(units, rng, 99) <= 0.05
    assert alarms[0.0] <= 14
    assert alarms[0.3] > 140


def test_a_p_value_takes_enough_ways_to_arrange_the_groups() -> None:
    def testable(photos: np.ndarray, theirs: np.ndarray) -> bool:
        return Units.of(normal(len(photos), 4, 0), normal(len(theirs), 4, 1), photos, theirs).testable

    assert testable(np.arange(4), np.arange(4) + 10)  # 70 ways
    assert not testable(np.arange(5), np.arange(5))  # 32 ways to exchange the sides, each beside its mirror image
    assert testable(np.arange(6), np.arange(6))
    assert not testable(np.arange(3), np.arange(100) + 10)


@pytest.mark.parametrize("draws", [50, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("photos", "shift"), [(8, 0.6), (9, 0.6), (9, 0.0)])
def test_the_interval_of_the_kid_holds_the_truth_as_often_as_it_says(photos: int, shift: float, draws: int) -> None:
    truth = np.mean([kid(normal(2000, 8, s, scale=1.118), normal(2000, 8, s + 50, shift, 1.118)) for s in range(3)])
    held = 0
    for seed in range(draws):
        rng = np.random.default_rng(seed)
        x, groups = windows(rng.normal(size=(photos, 8)), 20, seed)
        y = normal(len(x), 8, seed + 1000, shift, 1.118)
        interval = subsampling_interval(Units.of(x, y, groups, None), rng)
        assert interval is not None
        held += interval[0] <= truth <= interval[1]
    assert held >= 0.95 * draws - 3 * np.sqrt(0.95 * 0.05 * draws)


def test_halves_of_an_odd_number_of_groups_vary_as_the_whole_does() -> None:
    """Of b of n groups the mean varies (n - b) / b times as much around the whole as the whole around the truth."""
    x, groups = windows(10 + normal(9, 1, 0), 30, 1, spread=0.01)
    units = Units.of(x, normal(500, 1, 2, scale=0.01), groups, None)
    interval = subsampling_interval(units, np.random.default_rng(0))
    assert interval is not None
    whole = Units.kid(units, units.observed()[None])[0]
    leave_one = np.array([
        units.kid((units.observed() & (np.arange(509) != i))[None], ~units.observed()[None])[0] for i in range(9)
    ])  # fmt: skip
    error = np.sqrt(8 / 9 * ((leave_one - leave_one.mean()) ** 2).sum())
    assert interval[0] < whole < interval[1]
    assert (interval[1] - interval[0]) / (2 * 1.96 * error) == pytest.approx(1, abs=0.12)


@pytest.mark.parametrize("size", [3, 9, 11])
def test_halves_are_rounded_up_as_often_as_makes_the_factor_of_the_variance_one(size: int) -> None:
    """With b of n groups it is (n - b) / b. Rounding up every second time would make it 1.025 for 9 groups."""
    held = _halves(size, 200_000, np.random.default_rng(0)).sum(axis=1)
    assert set(held.tolist()) == {size // 2, size // 2 + 1}
    assert ((size - held) / held).mean() == pytest.approx(1, abs=0.006)


def test_there_is_no_interval_from_few_groups() -> None:
    x, groups = windows(normal(7, 8, 0), 20, 0)
    assert subsampling_interval(Units.of(x, normal(140, 8, 1), groups, None), np.random.default_rng(0)) is None


def test_recall_does_not_take_overlapping_windows_for_neighbours_on_either_side() -> None:
    """Ten nearly equal windows per photo: among themselves their radii are almost zero, so nothing is recalled."""
    (real, photos), (other, theirs) = (windows(normal(40, 8, seed), 10, seed, spread=0.01) for seed in (0, 1))
    found = precision_recall(real, other, photos, theirs + 40)
    assert found["recall"] > 0.4
    assert found["recall"] == pytest.approx(found["precision"], abs=0.25)
    assert precision_recall(real, other, photos)["recall"] < 0.1


def test_a_photo_of_both_sides_is_not_a_neighbour_of_itself() -> None:
    """Otherwise any image that resembles its own photo, as every translation does, would count as precise."""
    (real, photos) = windows(normal(40, 8, 0) * 100, 10, 0, spread=0.01)
    assert precision_recall(real, real + 0.001, photos, photos)["density"] == pytest.approx(1, abs=0.15)
    assert precision_recall(real, real + 0.001, photos)["density"] > 3


def test_a_radius_that_no_image_gives_is_refused() -> None:
    with pytest.raises(AnalysisError, match="at least 3 other images outside the group of each: 6 images of 2 groups"):
        precision_recall(normal(6, 4, 0), normal(20, 4, 1), np.array([0, 0, 0, 0, 1, 1]))


def drawn_units(sums: np.ndarray) -> Units:
    """Groups of one image each, half of them on either side, with these kernel sums (no group with itself)."""
    sums = sums.astype(float)
    np.fill_diagonal(sums, 0)
    return Units(sums, np.ones(len(sums)), len(sums) // 2, np.arange(len(sums)))


def test_the_interval_of_the_kid_mirrors_the_deviations_of_the_halves() -> None:
    """One pair of 8 has a kernel of 84: the whole is 3; a half of 4 holds both in 3 cases of 14 and is 14, else 0.

    The deviations are -3 and 11, so the interval is from 3 - 11 to 3 + 3; without the mirror it is from 0 to 14.
    """
    sums = np.zeros((16, 16))
    sums[0, 1] = sums[1, 0] = 84
    interval = subsampling_interval(drawn_units(sums), np.random.default_rng(0))
    assert interval == pytest.approx((-8, 6))


def test_arrangements_that_differ_by_rounding_alone_are_ties() -> None:
    """With a kernel u + v the KID of every arrangement is zero, but for rounding: so the p-value is one."""
    u = np.random.default_rng(0).normal(size=12)
    units = drawn_units(u[:, None] + u[None, :])
    assert permutation_p(units, np.random.default_rng(1)) == 1
