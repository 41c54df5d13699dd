"""Claims about SSIM: the coarse pass uses the same formula as the exact one."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.images.ssim import TAPS, SsimImages, Windows, coarse, one_to_all
from tests.analysis.pictures import textures


def test_the_coarse_pass_is_exact_for_images_of_a_single_window() -> None:
    queries, targets = textures(2, seed=0, size=TAPS), textures(3, seed=1, size=TAPS, grain=1.6)
    targets[2] = 255 - queries[0]  # a negative covariance
    exact = [one_to_all(SsimImages.of(query[None]), SsimImages.of(targets)).numpy() for query in queries]
    found = coarse(Windows.of(queries), Windows.of(targets, second=True)).numpy()
    assert found == pytest.approx(np.stack(exact), abs=1e-5)
    flat = np.full((1, TAPS, TAPS, 3), 90, np.uint8)  # only the constants are left beside the means
    # In single precision its variance is not quite 0: on a Xeon with AVX-512 the coarse pass gives 1 - 1.7e-5.
    assert coarse(Windows.of(flat), Windows.of(flat, second=True)).item() == pytest.approx(1, abs=1e-4)
