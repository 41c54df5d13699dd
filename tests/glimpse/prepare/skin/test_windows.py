"""Windows: the integral images agree with looking at every window by itself."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glimpse.prepare.skin.windows import count_in_windows, cut, find_windows


def masks(seed: int, height: int, width: int, density: float) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((height, width)) < density


def sliding(height: int, width: int, size: int, stride: int) -> list[tuple[int, int]]:
    return [(y, x) for y in range(0, height - size + 1, stride) for x in range(0, width - size + 1, stride)]


sizes = st.integers(1, 17)
sides = st.integers(1, 40)
seeds = st.integers(0, 2**32 - 1)


@settings(deadline=None)
@given(seeds, sides, sides, sizes, st.integers(1, 20), st.floats(0, 1))
def test_the_integral_image_counts_as_a_sliding_window_does(
    seed: int, height: int, width: int, size: int, stride: int, density: float
) -> None:
    mask = masks(seed, height, width, density)
    counted = count_in_windows(mask, size, stride)
    one_by_one = [int(mask[y : y + size, x : x + size].sum()) for y, x in sliding(height, width, size, stride)]
    assert counted.ravel().tolist() == one_by_one


@settings(deadline=None)
@given(
    seeds, sides, sides, sizes, st.integers(1, 20), st.sampled_from([0.8, 0.98, 1.0]),
    st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda pair: (min(pair), max(pair))),
)  # fmt: skip
def test_each_window_goes_where_looking_at_it_would_put_it(
    seed: int, height: int, width: int, size: int, stride: int, on_skin: float, coverage: tuple[float, float]
) -> None:
    skin, lesion = masks(seed, height, width, on_skin), masks(seed + 1, height, width, 0.3)
    lesion[: height // 2] = False  # else no window would be healthy
    found = find_windows(skin, lesion, size, stride, coverage)
    healthy, eczema, shares, other = [], [], [], 0
    for y, x in sliding(height, width, size, stride):
        window = np.s_[y : y + size, x : x + size]
        share = lesion[window].sum() / size**2
        if skin[window].all() and share == 0:
            healthy.append([y, x])
        elif skin[window].all() and coverage[0] <= share <= coverage[1]:
            eczema.append([y, x])
            shares.append(share)
        else:
            other += 1
    assert found.healthy.tolist() == healthy
    assert found.eczema.tolist() == eczema
    assert found.coverage.tolist() == shares
    assert found.off_skin + found.too_little + found.too_much == other


def test_a_window_as_large_as_the_photo_fits_once() -> None:
    assert count_in_windows(np.ones((8, 8), bool), 8, 3).tolist() == [[64]]


def test_both_ends_of_the_coverage_belong_to_it() -> None:
    lesion = np.zeros((10, 30), bool)
    lesion[0, :] = lesion[:8, 10:20] = True  # windows of 10 %, 80 % and 10 %
    found = find_windows(np.ones((10, 30), bool), lesion, 10, 10, (0.1, 0.8))
    assert found.coverage.tolist() == [0.1, 0.8, 0.1]


def test_the_patches_are_the_windows() -> None:
    photo = np.arange(6 * 7 * 3, dtype=np.uint8).reshape(6, 7, 3)
    patches = cut(photo, np.array([[0, 0], [2, 3]]), 4)
    np.testing.assert_array_equal(patches, [photo[:4, :4], photo[2:6, 3:7]])
    assert cut(photo, np.zeros((0, 2), np.intp), 4).shape == (0, 4, 4, 3)
