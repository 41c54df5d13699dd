"""Claims about the search for neighbours: scikit-image's numbers, nothing lost by the shortlist, plain refusals."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.images.copying.kinds import KINDS
from analysis.section import AnalysisError
from analysis.sections.images.neighbours import nearest, shortlist_recall
from tests.analysis.pictures import textures


def by_scikit_image(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    from skimage.metrics import structural_similarity

    return float(
        structural_similarity(
            a, b, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
        )
    )


@pytest.mark.parametrize("shape", [(40, 40), (64, 48), (11, 30)])
def test_exact_ssim_is_that_of_scikit_image(shape: tuple[int, int]) -> None:
    targets = textures(6, seed=0, size=64)[:, : shape[0], : shape[1]]
    targets[3] = 255  # flat images are where float32 would fail
    targets[4] = np.random.default_rng(0).integers(0, 2, targets[4].shape) * 255
    queries = np.stack([targets[0], np.clip(targets[1] + 9.0, 0, 255).astype(np.uint8), np.full_like(targets[0], 254)])
    found = nearest(queries, targets, k=6, shortlist=None)
    for i, query in enumerate(queries):
        for row, score in zip(found.indices[i], found.scores[i], strict=True):
            assert score == pytest.approx(by_scikit_image(query, targets[row]), abs=1e-5)


def test_the_shortlist_keeps_the_nearest_and_scores_it_exactly() -> None:
    targets = textures(150, seed=0, size=48)
    queries = np.concatenate([textures(5, seed=1, size=48), targets[[7, 8]]])
    exact = nearest(queries, targets, k=1, shortlist=None)
    found = nearest(queries, targets, k=1, shortlist=16)
    assert shortlist_recall(found, exact) == 1.0
    np.testing.assert_allclose(found.scores, exact.scores, atol=1e-6)
    assert found.indices[5:, 0].tolist() == [7, 8]


def test_a_shortlist_that_loses_the_nearest_has_a_recall_below_one() -> None:
    targets = textures(30, seed=0)
    exact = nearest(targets[:3], targets, k=2, shortlist=None)
    other = nearest(targets[3:6], targets, k=2, shortlist=None)
    assert shortlist_recall(other, exact) < 1


def test_nearest_by_squared_error_is_exact_to_the_last_digit() -> None:
    targets, queries = textures(90, seed=0), textures(4, seed=1)
    found = nearest(queries, targets, k=3, by="mse")
    errors = ((targets[None].astype(float) - queries[:, None]) ** 2).mean((2, 3, 4))
    assert (found.indices == np.argsort(errors, axis=1)[:, :3]).all()
    np.testing.assert_allclose(found.scores, np.sort(errors, axis=1)[:, :3], rtol=1e-12)


def test_what_cannot_be_compared_is_refused_in_a_sentence() -> None:
    with pytest.raises(AnalysisError, match="resize one side"):
        nearest(textures(2, seed=0, size=32), textures(2, seed=0, size=48))
    with pytest.raises(AnalysisError, match="at least 11x11"):
        nearest(textures(2, seed=0, size=8), textures(80, seed=0, size=8))
    with pytest.raises(AnalysisError, match="no measure 'foo'"):
        nearest(textures(2, seed=0), textures(2, seed=1), by="foo")
    with pytest.raises(AnalysisError, match="to choose 3 nearest from"):
        nearest(textures(2, seed=0), textures(2, seed=1), k=3)


@pytest.mark.parametrize("kind", ["mirrored", "turned by a quarter", "turned by 20 degrees", "shifted by a sixteenth"])
def test_the_source_of_a_copy_in_another_position_comes_first_once_registered(kind: str) -> None:
    targets = textures(60, seed=0, size=48)
    found = nearest(KINDS[kind](targets[:10]), targets, k=3, by="registered")
    assert (found.indices[:, 0] == np.arange(10)).mean() >= 0.9
    assert (np.diff(found.scores, axis=1) <= 0).all()
    assert all(len(set(row)) == 3 for row in found.indices.tolist())
