"""Claims about the test for copies: finds planted copies of every kind, is silent where nothing was copied."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats

from analysis.images.copying.grey import blurred, greys
from analysis.images.copying.kinds import KINDS, as_soft, out_of_focus, paler, sharpness
from analysis.images.copying.registration import WORK, Ratios, _plausible, nearest_ratios, registered, search
from analysis.images.copying.verdict import data_copying, descriptors, judge
from analysis.section import AnalysisError
from tests.analysis.pictures import textures

TRAIN, TEST = textures(80, seed=0, size=48), textures(40, seed=1, size=48)
GROUPS = np.arange(len(TRAIN))
KNOWN = greys(TRAIN)
FOUND = [kind for kind in KINDS if "another image" not in kind]


def against_training(images: NDArray[np.uint8]) -> Ratios:
    return nearest_ratios(greys(images), KNOWN, GROUPS)


@pytest.fixture(scope="module")
def honest() -> Ratios:
    return against_training(TEST)


@pytest.mark.parametrize("kind", FOUND)
def test_copies_of_each_kind_are_nearer_than_any_new_image_and_name_their_source(kind: str, honest: Ratios) -> None:
    found = against_training(KINDS[kind](TRAIN[:10]))
    assert (found.ratio < honest.ratio.min()).mean() >= 0.9
    assert (found.nearest == np.arange(10)).mean() >= 0.9


@pytest.mark.parametrize(("shift", "start", "found"), [(0.5, 0.45, 0.5), (1.1, 0.95, 0.95)])
def test_a_map_that_shows_less_than_half_of_the_disc_is_not_taken(shift: float, start: float, found: float) -> None:
    """`shift` is in halves of the side: at 1.1 fewer than half of the pixels have a counterpart, so the start stays."""
    wide = blurred(torch.randn(1, 1, WORK, 2 * WORK, generator=torch.Generator().manual_seed(0)), 3.0) * 100
    target, query = (wide[..., left : left + WORK].contiguous() for left in (0, round(shift * WORK / 2)))
    _, maps = registered(query, target, torch.tensor([[[1.0, 0.0, start], [0.0, 1.0, 0.0]]]), scale=1.0)
    assert maps[0, 0, 2].item() == pytest.approx(found, abs=0.02)


@pytest.mark.parametrize(
    ("sides", "plausible"),
    [((1.0, 1.0), True), ((0.41, 0.41), True), ((0.39, 0.39), False), ((1.29, 1.29), True), ((1.31, 1.31), False),
     ((1.12, 0.9), True), ((1.13, 0.9), False)],
)  # fmt: skip
def test_a_map_enlarges_at_most_two_and_a_half_times_and_hardly_distorts(
    sides: tuple[float, float], plausible: bool
) -> None:
    turn = torch.tensor([[0.6, -0.8], [0.8, 0.6]])
    stretched = turn @ torch.diag(torch.tensor(sides)) @ turn.T
    assert _plausible(torch.cat([stretched, torch.zeros(2, 1)], dim=1)[None]).tolist() == [plausible]


def test_the_map_of_a_registered_copy_is_that_by_which_it_was_made() -> None:
    """A half of each side, cut out at any place and enlarged twice, and its mirror image."""
    copies = KINDS["enlarged twice"](TRAIN[:4])
    places = torch.from_numpy(np.random.default_rng(0).uniform(0, 0.5, (4, 2)) * 2 - 0.5).float()
    assert places.abs().max() > 0.3
    for images, mirror in ((copies, 1), (copies[:, :, ::-1], -1)):
        found = search(greys(images), KNOWN, GROUPS)
        best = found.correlation.argmax(1)
        maps = found.maps[torch.arange(4), best]
        half = torch.tensor([[0.5 * mirror, 0], [0, 0.5]]).expand(4, -1, -1)
        torch.testing.assert_close(maps, torch.cat([half, places[:, :, None]], 2), atol=0.03, rtol=0)


def test_images_of_one_mode_are_one_piece_of_evidence_and_copies_of_many_are_many() -> None:
    few = np.resize(textures(3, seed=4, size=48), (60, 48, 48, 3))
    held_out = np.linspace(0.8, 1, 100)
    for images, alarm in ((few, False), (TRAIN[:60], True)):
        found = against_training(images[:12])
        verdict = judge(held_out, np.resize(found.ratio, 60), 100, np.resize(found.nearest, 60))
        assert verdict.alarm is alarm


def test_held_out_images_become_as_soft_and_pale_as_generated_ones_and_never_sharper() -> None:
    real, soft = greys(TEST), greys(paler(out_of_focus(TEST), 0.4))
    matched = as_soft(real, soft)
    assert np.median(sharpness(matched)) == pytest.approx(np.median(sharpness(soft)), abs=0.3)
    assert matched.flatten(1).std(1).median() == pytest.approx(soft.flatten(1).std(1).median().item(), rel=0.1)
    torch.testing.assert_close(as_soft(soft, real), soft.round())


def test_a_hub_that_is_the_nearest_of_everything_is_not_evidence_but_many_copied_images_are() -> None:
    held_out, generated = np.linspace(0.5, 1, 200), np.concatenate([np.full(40, 0.1), np.ones(360)])
    hub, many = np.zeros(400, np.intp), np.arange(400) % 20
    assert not judge(held_out, generated, 200, hub).alarm
    assert judge(held_out, generated, 200, hub).hub == 40
    assert judge(held_out, generated, 200, many).alarm


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


def test_ratios_that_are_not_numbers_get_no_verdict() -> None:
    fine = np.linspace(0, 1, 50)
    for held_out, generated in ((fine, np.full(50, np.nan)), (np.full(50, np.nan), fine), (fine, fine[:0])):
        with pytest.raises(AnalysisError, match="missing or not finite"):
            judge(held_out, generated, groups=50)


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


def test_windows_of_one_photo_do_not_pass_for_copies() -> None:
    """Overlapping windows are each other's nearest; the second nearest must come from another photo."""
    photos = textures(12, seed=5, size=96)
    windows = greys(np.concatenate([photos[:, y : y + 64, :64] for y in (0, 16, 32)]))
    groups = np.tile(np.arange(12), 3)
    by_group = nearest_ratios(windows[:12], windows, groups, own=groups[:12]).ratio
    assert np.median(by_group) > 0.8
    alone = nearest_ratios(windows[:12], windows, groups).ratio
    assert np.median(alone) < 0.01  # themselves among the candidates: a ratio of nothing
    with pytest.raises(AnalysisError, match="at least three"):
        nearest_ratios(windows[:5], windows[:5], np.zeros(5), own=np.zeros(5))


def test_the_data_copying_statistic_is_negative_for_copies_and_near_zero_for_new_images(honest: Ratios) -> None:
    new = textures(40, seed=6, size=48)
    train, test = descriptors(TRAIN), descriptors(TEST)
    score, cells = data_copying(train, test, honest.distance, train[:20], against_training(TRAIN[:20]).distance, 0)
    assert score < -3
    assert list(cells) == ["cell", "generated", "test", "z"]
    score, _ = data_copying(train, test, honest.distance, descriptors(new), against_training(new).distance, 0)
    assert abs(score) < 2
