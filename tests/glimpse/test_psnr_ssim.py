"""Scores against the true skin: SSIM is scikit-image's, and errors count on their side of the mask."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from glimpse.images import shrink
from glimpse.psnr_ssim import TruthScore, ssim_map


def pixels(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_similarity_is_scikit_images() -> None:
    one, other = pixels(40, 50, 1), pixels(40, 50, 2)
    other = (0.7 * one + 0.3 * other).astype(np.uint8)
    _, expected = structural_similarity(
        one,
        other,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    assert np.allclose(ssim_map(one, other)[5:-5, 5:-5], expected.mean(2)[5:-5, 5:-5], atol=1e-6)


def test_errors_are_counted_on_their_side_of_the_mask() -> None:
    truth = pixels(32, 32)
    mask = np.zeros((32, 32), np.uint8)
    mask[:, :16] = 1
    image = truth.copy()
    image[:, :16] = 255 - image[:, :16]
    score = TruthScore()
    score.add(image, truth, mask)
    found = score.result()
    assert found["psnr_outside"] is None, "no error there at all"
    assert found["psnr_inside"] == pytest.approx(peak_signal_noise_ratio(truth[:, :16], image[:, :16], data_range=255))
    inside, outside = found["ssim_inside"], found["ssim_outside"]
    assert inside is not None
    assert outside is not None
    assert inside < 0.2 < 0.8 < outside


def test_truth_and_mask_are_shrunk_to_the_image() -> None:
    truth, mask = pixels(32, 48), np.zeros((32, 48), np.uint8)
    mask[:16] = 1
    one, other = TruthScore(), TruthScore()
    one.add(pixels(16, 24, 1), truth, mask)
    other.add(pixels(16, 24, 1), shrink(truth, 16, 24), mask[::2, ::2])
    assert one.result() == other.result()
