"""Shrinking is exact; orders reach every group before they return to one."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from glimpse import images
from glimpse.files import GlimpseError
from glimpse.images import _hill, by_tiles, evenly, in_rows, one_of_each, resized_mask, sheet, shrink, shrink_mask

SIZES = st.tuples(
    st.integers(1, 12), st.integers(1, 12), st.integers(0, 30), st.integers(0, 30), st.integers(0, 2**32 - 1)
)


def brute_force(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """The mean over each pixel's area in fractions, halves rounded up."""

    def overlaps(length: int, cells: int) -> list[list[Fraction]]:
        edge = [Fraction(j * length, cells) for j in range(cells + 1)]
        return [
            [max(Fraction(0), min(edge[j + 1], Fraction(i + 1)) - max(edge[j], Fraction(i))) for i in range(length)]
            for j in range(cells)
        ]

    rows, columns = overlaps(image.shape[0], height), overlaps(image.shape[1], width)
    small = np.empty((height, width, image.shape[2]), np.uint8)
    for y, down in enumerate(rows):
        for x, across in enumerate(columns):
            for c in range(image.shape[2]):
                total = sum(
                    (a * b * int(image[i, j, c]) for i, a in enumerate(down) if a for j, b in enumerate(across) if b),
                    Fraction(0),
                )
                mean = total * height * width / (image.shape[0] * image.shape[1])
                small[y, x, c] = int(mean + Fraction(1, 2))
    return small


@settings(deadline=None, max_examples=60)
@given(SIZES)
def test_shrinking_is_the_exact_area_mean(size: tuple[int, int, int, int, int]) -> None:
    height, width, more_rows, more_columns, seed = size
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (height + more_rows, width + more_columns, 1), dtype=np.uint8)
    assert np.array_equal(shrink(image, height, width), brute_force(image, height, width))


def test_stripes_shrunk_by_a_quarter_keep_their_mean() -> None:
    """200x150 to 133x100 divides nowhere: a filter that copies whole columns gives three levels, area means many."""
    image = np.where(np.arange(200) % 4 == 0, 60, 200).astype(np.uint8)[None, :, None].repeat(150, 0).repeat(3, 2)
    small = shrink(image, 100, 133)
    assert len(np.unique(small)) > 20
    assert small.mean() == pytest.approx(image.mean(), abs=0.5)


def test_shrinking_by_strips_is_shrinking_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).integers(0, 256, (97, 61, 3), dtype=np.uint8)
    whole = shrink(image, 41, 23)
    monkeypatch.setattr(images, "STRIP", 1)
    assert np.array_equal(shrink(image, 41, 23), whole)


def test_a_mask_is_inside_where_half_of_the_area_is() -> None:
    mask = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]], np.uint8)
    assert shrink_mask(np.kron(mask, np.ones((2, 2), np.uint8)), 3, 3).tolist() == mask.tolist()
    assert shrink_mask(np.array([[1, 0], [0, 1]], np.uint8), 1, 1).tolist() == [[1]]  # exactly half
    assert shrink_mask(np.array([[1, 0, 0], [0, 1, 0]], np.uint8), 1, 1).tolist() == [[0]]


def test_a_mask_that_is_taller_but_narrower_than_an_image_takes_the_nearest_pixels() -> None:
    mask = np.array([[1], [1], [0], [0]], np.uint8)  # the middles of two rows lie at 1 and 3
    assert resized_mask(mask, 2, 2).tolist() == [[1, 1], [0, 0]]


def test_an_image_is_never_enlarged() -> None:
    with pytest.raises(GlimpseError, match=r"3x4 pixels cannot be shrunk to 3x5 \(height x width\)"):
        shrink(np.zeros((3, 4, 3), np.uint8), 3, 5)


def test_a_sheet_has_its_images_in_their_cells() -> None:
    large, small = np.full((4, 6, 3), 10, np.uint8), np.full((2, 2, 3), 20, np.uint8)
    page = sheet([[large, small], [small]], gap=3, margin=1, background=(9, 8, 7, 0))
    expected = np.zeros((1 + 4 + 3 + 4 + 1, 1 + 6 + 3 + 6 + 1, 4), np.uint8)
    expected[...] = (9, 8, 7, 0)
    expected[1:5, 1:7] = (10, 10, 10, 255)
    expected[2:4, 12:14] = (20, 20, 20, 255)
    expected[9:11, 3:5] = (20, 20, 20, 255)
    np.testing.assert_array_equal(page, expected)


def test_a_sheet_shrinks_only_what_is_too_large() -> None:
    photo, tile = np.zeros((40, 80, 3), np.uint8), np.zeros((10, 10, 3), np.uint8)
    assert sheet(in_rows([photo, tile, tile], 2), gap=0, at_most=20).shape == (20, 40, 3)


def test_evenly_takes_the_first_the_last_and_what_lies_between() -> None:
    assert evenly(np.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert evenly(np.arange(3), 9).tolist() == [0, 1, 2]


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=40), st.integers(0, 2**32 - 1))
def test_every_group_comes_once_before_any_comes_twice(groups: list[int], seed: int) -> None:
    names = np.array(groups)
    order = one_of_each(names, np.random.default_rng(seed))
    assert sorted(order.tolist()) == list(range(len(groups)))
    taken = [int(names[i]) for i in order]
    turns = [taken[: i + 1].count(group) for i, group in enumerate(taken)]
    assert turns == sorted(turns)


def test_tiles_that_change_nothing_give_the_image_back() -> None:
    """Also where the image is smaller than a tile, and where its sides are not multiples of half a tile."""
    for size in ((32, 32), (70, 101), (33, 32), (20, 50), (7, 5)):
        image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        blended = by_tiles(image, 32, 32, lambda tiles: tiles.astype(np.float32))
        assert blended.shape == image.shape
        assert np.allclose(blended, image, atol=1e-3)


def test_the_weights_of_two_tiles_that_overlap_by_half_sum_to_one() -> None:
    assert _hill(32)[:16] + _hill(32)[16:] == pytest.approx(1)
