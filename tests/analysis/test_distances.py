"""Claims about the distances: right in cases that can be worked out, silent when nothing differs, by group."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.distances import (
    Moments,
    Units,
    frechet,
    inception_score,
    kid,
    permutation_p,
    precision_recall,
    subsampling_interval,
    training_scorer,
)
from analysis.parts import AnalysisError
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
def test_features_that_are_no_distribution_are_refused(broken: np.ndarray) -> None:
    for distance in (lambda: frechet(Moments.of(broken), Moments.of(broken)), lambda: kid(broken, broken)):
        with pytest.raises(AnalysisError, match=r"not finite|at least two"):
            distance()


def test_the_training_scorer_prefers_the_same_texture(tmp_path) -> None:  # type: ignore[no-untyped-def]
    train = textures(80, seed=0)
    scorer = training_scorer(train, seed=0, features_dir=tmp_path)
    same, blurred = scorer(textures(60, seed=1)), scorer(textures(60, seed=2, grain=1.6))
    assert scorer.extractor == "random"
    assert set(same) == {"kid", "fid"}
    assert same["kid"] < 0.1 * blurred["kid"]
    assert same["fid"] < blurred["fid"]


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
