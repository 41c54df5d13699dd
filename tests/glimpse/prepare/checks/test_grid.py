"""JPEG's grid as a giveaway, on patches that differ only in the position of the grid."""

from __future__ import annotations

import io
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from glimpse.files import GlimpseError
from glimpse.images import through_jpeg
from glimpse.prepare.checks.grid import CONTROLS, GridAuc, features, grid_warning, measure, off_grid
from glimpse.prepare.option_types import OFF_GRID
from glimpse.stimuli import Source
from tests.glimpse.prepare.photos import skin_photo

Photos = list[NDArray[np.uint8]]


def patches(photos: Photos) -> tuple[Photos, Photos]:
    """64x64 patches on the grid of one half of the photos, and off it of the other half."""
    half = len(photos) // 2
    return [p[40:104, 64:128] for p in photos[:half]], [p[43:107, 69:133] for p in photos[half:]]


def separation(kept: Photos, shifted: Photos, quality: int | None = None) -> GridAuc:
    found = np.array([features(through_jpeg(p, quality)) for p in [*kept, *shifted]])
    return measure(found, np.arange(len(found)) >= len(kept), np.arange(len(found)).astype(str))


def remedied(images: Photos) -> Photos:
    rng = np.random.default_rng(5)
    return [off_grid(image, OFF_GRID, rng) for image in images]


def claim(photos: Photos) -> None:
    kept, shifted = patches(photos)
    for quality in (None, 95):
        assert separation(kept, shifted, quality).low > 0.9, "another compression does not hide the first"
        after = separation(remedied(kept), remedied(shifted), quality)
        assert after.low < 0.5 < after.high + 0.05
        assert after.auc < 0.65


def test_the_grid_separates_the_patches_and_off_it_nothing_is_left() -> None:
    claim([through_jpeg(skin_photo(i, 112, 136), 75) for i in range(80)])


def test_real_patches_on_and_off_their_photos_grid_are_separated_until_both_leave_it(real_data: Path) -> None:
    with ZipFile(real_data / "ham10000" / "HAM10000_images_200x150.zip") as photos:
        names = sorted(name for name in photos.namelist() if name.endswith(".jpg"))[::50]
        claim([np.asarray(Image.open(io.BytesIO(photos.read(name))).convert("RGB")) for name in names])


def test_halves_of_one_set_are_not_separated() -> None:
    photos = [through_jpeg(skin_photo(i, 64, 64), 75) for i in range(80)]
    assert separation(photos[:40], photos[40:]).low < 0.55


def test_a_group_is_never_on_both_sides_and_perfect_separation_is_not_certainty() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(20), 5)
    mark = rng.normal(size=(20, 24))[groups]  # every photo has its own grid, which says nothing about other photos
    assert measure(mark, groups >= 10, groups.astype(str)).low < 0.55
    mark = np.repeat(groups[:, None] >= 10, 24, axis=1) + 0.01 * mark
    found = measure(mark, groups >= 10, groups.astype(str))
    assert (found.auc, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 10)), "ten photos of ten told apart"


def test_what_was_done_already_is_not_advised_again() -> None:
    photos = [through_jpeg(skin_photo(i, 184, 208), 75) for i in range(60)]
    kept, shifted = [p[40:168, 64:192] for p in photos[:30]], [p[43:171, 69:197] for p in photos[30:]]
    rng = np.random.default_rng(0)  # with grain, the blocks are uneven by their own grid alone
    shown = [
        Source((p + rng.normal(0, 8, p.shape)).clip(0, 255).astype(np.uint8), truth, {})
        for truth, some in (("real", kept), ("generated", shifted))
        for p in some
    ]
    for off, quality, remedy in (
        (None, None, "With --off-grid, which cuts"),
        (1.5, None, "--off-grid 1.5: a larger factor hides more, and so does --jpeg-quality 75."),
        (1.5, 95, "This is left after --off-grid 1.5: a larger factor hides more."),
    ):
        (sentence,) = grid_warning("df", iter(shown), off, quality)
        assert remedy in sentence


def test_texture_that_no_grid_made_is_not_called_a_grid() -> None:
    """Few strong edges make steps as uneven by other grids as by one of 8."""
    rng = np.random.default_rng(0)
    calm = [rng.normal(120, 8, (64, 64, 3)).clip(0, 255).astype(np.uint8) for _ in range(40)]
    edged = [np.where(np.arange(64)[:, None, None] < rng.integers(8, 56), 40, 200) + p // 8 for p in calm]
    shown = [Source(p.astype(np.uint8), t, {}) for t, some in (("real", calm), ("generated", edged)) for p in some]
    (sentence,) = grid_warning("df", iter(shown), None, None)
    assert "or the classes differ in texture or contrast, which both grids show" in sentence
    (sentence,) = grid_warning("df", iter(shown), 1.5, None)
    assert sentence.startswith("df: real and generated images differ in texture or contrast; after --off-grid 1.5 no")


def real_patches(real_data: Path, side: int = 96) -> Photos:
    """The middle of photos of 200x150, on the grid of their JPEG."""
    with ZipFile(real_data / "ham10000" / "HAM10000_images_200x150.zip") as photos:
        names = sorted(name for name in photos.namelist() if name.endswith(".jpg"))[::60]
        read = (np.asarray(Image.open(io.BytesIO(photos.read(name))).convert("RGB")) for name in names)
        return [photo[24 : 24 + side, 48 : 48 + side] for photo in read]


def sources(real: Photos, generated: Photos) -> list[Source]:
    return [Source(p, truth, {}) for truth, some in (("real", real), ("generated", generated)) for p in some]


def test_the_last_compression_of_noisy_and_smooth_images_is_not_blamed_on_their_history() -> None:
    """Noise in one class makes the blocks of the last compression deeper there, which is not an older grid."""
    rng = np.random.default_rng(0)

    def field(noise: float) -> NDArray[np.uint8]:
        smooth = gaussian_filter(rng.normal(size=(110, 110)), 3, mode="wrap")
        grey = 128 + 18 * smooth / smooth.std() + (rng.normal(0, noise, smooth.shape) if noise else 0)
        return np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)

    noisy, smooth = (remedied([field(noise) for _ in range(80)]) for noise in (4, 0))
    grid, control = (measure(*of(noisy, smooth, 95, period)) for period in (8, CONTROLS[0]))
    assert grid.low > control.high, "after the last compression its own blocks tell beyond the control"
    (sentence,) = grid_warning("df", iter(sources(noisy, smooth)), 1.5, 95)
    assert sentence.startswith("df: real and generated images differ in texture or contrast; after --off-grid 1.5 no")


def test_grain_on_photos_that_were_never_compressed_is_not_called_a_grid() -> None:
    rng = np.random.default_rng(0)
    photos = [skin_photo(i, 110, 110) for i in range(120)]
    grain = [(p + rng.normal(0, 4, p.shape)).clip(0, 255).astype(np.uint8) for p in photos[:60]]
    shown = sources(*([off_grid(p, 1.5, rng) for p in some] for some in (grain, photos[60:])))
    for quality in (None, 95):
        (sentence,) = grid_warning("df", iter(shown), 1.5, quality)
        assert sentence.startswith("df: real and generated images differ in texture or contrast; after --off-grid")


def of(
    real: Photos, generated: Photos, quality: int, period: int = 8
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.str_]]:
    found = np.array([features(through_jpeg(p, quality), period) for p in [*real, *generated]])
    return found, np.arange(len(found)) >= len(real), np.arange(len(found)).astype(str)


@pytest.mark.parametrize("quality", [None, 95])
def test_real_patches_that_keep_their_grid_are_found_before_the_last_compression(
    real_data: Path, quality: int | None
) -> None:
    patches = real_patches(real_data, 126)
    half = len(patches) // 2
    shifted = [p[3:115, 5:117] for p in patches[half:]]
    kept = [p[:112, :112] for p in patches[:half]]
    (sentence,) = grid_warning("df", iter(sources(kept, shifted)), None, quality)
    assert sentence.startswith("df: the grid of 8 pixels tells real from generated images.")
    assert "With --off-grid" in sentence
    assert grid_warning("df", iter(sources(remedied(kept), remedied(shifted))), 1.5, quality) == []


def test_off_the_grid_means_a_random_place_and_exact_area_means() -> None:
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None, :, None] * np.uint8(3), 3, axis=2).repeat(64, axis=0)
    rng = np.random.default_rng(0)
    starts = {int(off_grid(ramp, 1, rng)[0, 0, 0]) // 3 for _ in range(100)}
    assert starts == set(range(8))
    assert off_grid(ramp, 3, rng).shape == (19, 19, 3)
    with pytest.raises(GlimpseError, match="too small for --off-grid"):
        off_grid(ramp[:15], 1.5, rng)
