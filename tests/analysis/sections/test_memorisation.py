"""Claims about the memorisation test: finds planted copies of every kind, keeps quiet where nothing was copied."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from analysis.images.copying import data_copying, descriptors, judge, nearest_ratios, planted
from analysis.section import AnalysisError
from analysis.sections.memorisation import RECOGNISED, _sentence
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


def test_a_hub_that_is_the_nearest_of_everything_is_no_evidence_but_many_copied_images_are() -> None:
    held_out, generated = np.linspace(0.5, 1, 200), np.concatenate([np.full(40, 0.1), np.ones(360)])
    hub, many = np.zeros(400, np.intp), np.arange(400) % 20
    assert not judge(held_out, generated, 200, hub).alarm
    assert judge(held_out, generated, 200, hub).hub == 40
    assert judge(held_out, generated, 200, many).alarm


def test_the_sentence_names_the_copies_that_the_test_would_miss() -> None:
    """Training images rolled by 4 of 64 pixels passed for new ones."""
    train = textures(60, seed=0, size=64)
    flat, groups = descriptors(train), np.arange(len(train))
    held_out = nearest_ratios(flat, flat, groups, own=groups).ratio
    threshold = float(np.quantile(held_out, 0.01))
    recognised = {
        kind: float((nearest_ratios(descriptors(copies), flat, groups).ratio < threshold).mean())
        for kind, copies in planted(train).items()
    }
    assert recognised["exact"] == recognised["mirrored"] == 1
    assert recognised["blended with another image"] < RECOGNISED
    said = _sentence(
        "df", judge(held_out, held_out, 60), {"recognised": recognised, "hub_image": "x", "hub_share": 0.4}
    )
    assert "no sign of copying" not in said
    known, missed = said.split(", but misses those that are ")
    assert "exact (100%)" in known
    assert "blended with another image" in missed
    assert "The training image x is the nearest of 40% of all generated images" in said


def test_low_diversity_without_copies_raises_no_alarm() -> None:
    few = textures(8, seed=4, size=48).repeat(50, axis=0)
    noise = np.random.default_rng(0).normal(0, 4, few.shape)
    held_out, found = ratios(np.clip(few + noise, 0, 255).astype(np.uint8))
    verdict = judge(held_out, found, groups=450)
    assert not verdict.alarm
    assert verdict.share < 0.02


def test_the_test_for_copies_is_fishers_with_at_least_one_expected_copy() -> None:
    """With 50 groups half a copy is expected below the 1 % quantile; the test counts it as one."""
    held_out, generated = np.arange(101) / 100, np.concatenate([np.zeros(7), np.ones(93)])
    verdict = judge(held_out, generated, groups=50)
    assert (verdict.threshold, verdict.share) == (0.01, 0.07)
    assert verdict.p == pytest.approx(stats.fisher_exact([[7, 93], [1, 49]], "greater").pvalue, abs=1e-12)
    exact = stats.binomtest(7, 100).proportion_ci(0.95, "exact")
    assert (verdict.low, verdict.high) == pytest.approx((exact.low, exact.high), abs=1e-12)


def test_the_resolution_is_the_least_share_of_copies_found_four_times_in_five() -> None:
    """Copies add to the 1 % that honest images give: share c of copies puts 0.01 + 0.99 c below the threshold."""
    verdict = judge(np.arange(101) / 100, np.ones(100), groups=50)
    alarming = [k for k in range(101) if stats.fisher_exact([[k, 100 - k], [1, 49]], "greater").pvalue < 0.05]

    def power(share: float) -> float:
        return float(stats.binom.sf(alarming[0] - 1, 100, 0.01 + 0.99 * share))

    assert power(verdict.resolution) >= 0.8 > power(verdict.resolution - 0.001)


def test_the_z_of_a_cell_is_that_of_mann_and_whitney() -> None:
    """Both generated images are nearer than all three test images: U = 0, mean 3, variance 2 * 3 * 6 / 12 = 3."""
    one = np.zeros((1, 4), np.float32)
    c_t, cells = data_copying(
        one.repeat(9, 0), one.repeat(3, 0), np.array([3.0, 4.0, 5.0]), one.repeat(2, 0), np.array([1.0, 2.0]), 0
    )
    assert cells["z"].tolist() == pytest.approx([-np.sqrt(3)])
    assert c_t == pytest.approx(-np.sqrt(3))


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


def test_c_t_weighs_the_cells_by_their_test_images() -> None:
    """Two cells, 30 and 10 test images: generated images are nearer in the one, further in the other."""
    left, right = np.zeros((1, 4)), np.full((1, 4), 100.0)
    test = np.concatenate([left.repeat(30, 0), right.repeat(10, 0)])
    generated = np.concatenate([left.repeat(2, 0), right.repeat(6, 0)])
    c_t, cells = data_copying(
        test, test, np.ones(40) + np.arange(40) / 100, generated, np.array([0.1, 0.2, 9.1, 9.2, 9.3, 9.4, 9.5, 9.6]), 0
    )
    z = cells.set_index("test")["z"]
    assert z[30] < 0 < z[10]
    assert c_t == pytest.approx((30 * z[30] + 10 * z[10]) / 40)
