"""Claims about the memorisation test: finds planted copies of every kind, keeps quiet where nothing was copied."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from analysis.section import AnalysisError
from analysis.sections.memorisation import data_copying, descriptors, judge, nearest_ratios
from tests.analysis.pictures import textures

Images = NDArray[np.uint8]
TRAIN = textures(300, seed=0, size=48)
TEST = textures(150, seed=1, size=48)
KINDS = {
    "plain": lambda x: x,
    "brightened": lambda x: np.clip(x.astype(int) + 25, 0, 255).astype(np.uint8),
    "shifted": lambda x: np.roll(x, (1, 2), (1, 2)),
    "mirrored": lambda x: x[:, :, ::-1],
}


def ratios(generated: Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    train = descriptors(TRAIN)
    groups = np.arange(len(TRAIN))
    held_out = [nearest_ratios(descriptors(TEST), train, groups).ratio]
    held_out.append(nearest_ratios(train, train, groups, own=groups).ratio)
    return np.concatenate(held_out), nearest_ratios(descriptors(generated), train, groups).ratio


@pytest.mark.parametrize("kind", KINDS)
def test_five_percent_of_copies_are_found(kind: str) -> None:
    copies = KINDS[kind](TRAIN[:20])
    held_out, found = ratios(np.concatenate([copies, textures(380, seed=2, size=48)]))
    verdict = judge(held_out, found, groups=450)
    assert verdict.alarm
    assert verdict.low > 0.01
    assert set(np.argsort(found)[:15]) <= set(range(20))  # the worst pairs that the report shows are the copies


def test_copies_hidden_among_images_with_too_much_spread_are_found() -> None:
    wild = textures(380, seed=3, size=48, grain=1.2)
    held_out, found = ratios(np.concatenate([TRAIN[:20], wild]))
    assert judge(held_out, found, groups=450).alarm


def test_low_diversity_without_copies_raises_no_alarm() -> None:
    few = textures(8, seed=4, size=48).repeat(50, axis=0)
    noise = np.random.default_rng(0).normal(0, 4, few.shape)
    held_out, found = ratios(np.clip(few + noise, 0, 255).astype(np.uint8))
    verdict = judge(held_out, found, groups=450)
    assert not verdict.alarm
    assert verdict.share < 0.02


def test_honest_images_raise_an_alarm_no_more_often_than_promised() -> None:
    rng = np.random.default_rng(0)
    alarms = [judge(rng.uniform(size=300), rng.uniform(size=400), groups=300).alarm for _ in range(300)]
    assert np.mean(alarms) <= 0.08


def test_the_verdict_says_how_few_copies_so_few_groups_can_reveal() -> None:
    rng = np.random.default_rng(0)
    few, many = (judge(rng.uniform(size=n), rng.uniform(size=1000), groups=n) for n in (23, 2000))
    assert few.resolution > 0.1
    assert many.resolution < 0.02


def test_ratios_that_are_no_numbers_are_not_called_innocent() -> None:
    fine = np.linspace(0, 1, 50)
    for held_out, generated in ((fine, np.full(50, np.nan)), (np.full(50, np.nan), fine), (fine, fine[:0])):
        with pytest.raises(AnalysisError, match="missing or not finite"):
            judge(held_out, generated, groups=50)


def test_windows_of_one_photo_do_not_pass_for_copies() -> None:
    """Overlapping windows are each other's nearest; the second nearest must come from another photo."""
    photos = textures(30, seed=5, size=96)
    windows = np.concatenate([photos[:, y : y + 64, :64] for y in (0, 16, 32)])
    groups = np.tile(np.arange(30), 3)
    flat = descriptors(windows)
    by_group = nearest_ratios(flat[:30], flat, groups, own=groups[:30]).ratio
    assert np.median(by_group) > 0.8
    alone = nearest_ratios(flat[:30], flat, groups).ratio
    assert np.median(alone) < 0.01  # themselves among the candidates: a ratio of nothing
    with pytest.raises(AnalysisError, match="at least three"):
        nearest_ratios(flat[:5], flat[:5], np.zeros(5), own=np.zeros(5))


def test_the_data_copying_statistic_is_negative_for_copies_and_near_zero_for_new_images() -> None:
    train, test, new = descriptors(TRAIN), descriptors(TEST), descriptors(textures(150, seed=6, size=48))
    groups = np.arange(len(TRAIN))
    of_test = nearest_ratios(test, train, groups).distance
    copies = train[:150] + 0.01
    score, cells = data_copying(train, test, of_test, copies, nearest_ratios(copies, train, groups).distance, 0)
    assert score < -3
    assert list(cells) == ["cell", "generated", "test", "z"]
    score, _ = data_copying(train, test, of_test, new, nearest_ratios(new, train, groups).distance, 0)
    assert abs(score) < 2
