"""Properties of image files that are not content, measured on bytes and pixels with known answers."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from glimpse.prepare.checks.traits import (
    block_energy,
    fine_detail,
    grey_middle,
    power_by_ring,
    steps_by_phase,
    summary,
    traits_of,
)
from tests.glimpse.prepare.photos import skin_photo


def encoded(photo: NDArray[np.generic], kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(photo).save(buffer, kind, **options)
    return buffer.getvalue()


def through(photo: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(encoded(photo, "jpeg", quality=quality))).convert("RGB"))


def energy(photos: list[NDArray[np.uint8]]) -> float:
    return block_energy([s for photo in photos if (s := steps_by_phase(grey_middle(photo))) is not None])


def test_steps_only_across_the_grid_are_blocks_and_steps_everywhere_are_none() -> None:
    ramp = np.repeat(np.arange(64) // 8 * 10.0, 64).reshape(64, 64)  # a step every 8 rows, none between columns
    steps = steps_by_phase(ramp + ramp.T)
    assert steps is not None
    assert np.flatnonzero(steps[0]).tolist() == np.flatnonzero(steps[1]).tolist() == [7]
    everywhere = np.add.outer(np.arange(64.0), np.arange(64.0))
    assert block_energy([s for s in [steps_by_phase(everywhere)] if s is not None]) == pytest.approx(1)
    assert steps_by_phase(np.ones((64, 64))) is None, "an image of one colour has no steps"


def test_jpeg_history_is_seen_on_the_pixels_and_rises_with_compression() -> None:
    photos = [skin_photo(i, 64, 64) for i in range(12)]
    found = [energy(photos), *(energy([through(p, q) for p in photos]) for q in (90, 75, 50))]
    assert found[0] < 1.05
    assert found == sorted(found)
    assert found[2] > 1.2
    cropped = [through(p, 50)[3:, 5:] for p in photos]
    assert energy(cropped) > 1.2, "wherever the grid lies"


def test_an_enlarged_image_has_no_blocks_but_next_to_no_fine_detail() -> None:
    photos = [skin_photo(i, 128, 128) for i in range(6)]
    enlarged = [np.asarray(Image.fromarray(p).resize((256, 256), Image.Resampling.BICUBIC))[:128, :128] for p in photos]
    assert energy(enlarged) < 1.05
    sides = [np.median([power_by_ring(grey_middle(p)) for p in some], axis=0) for some in (photos, enlarged)]
    details = fine_detail(*sides)
    assert details is not None
    assert details[0] > 10 * details[1]


def test_the_highest_frequencies_are_those_that_rounding_does_not_explain() -> None:
    rings = np.full(100, 1 / 12)  # the power of rounding
    sharp, soft = rings.copy(), rings.copy()
    sharp[:40], soft[:20] = 100.0, 100.0
    sharp[90] = 5.0  # beyond the gap
    # 0.7 to 1 of 40 rings are those from 28 on; 0.2 to 0.4 those from 8 to 15, which both have
    assert fine_detail(sharp, soft) == pytest.approx([1000.0, 1000 / 12 / 100])
    assert fine_detail(rings, rings) is None
    eight = np.append(np.ones(8), rings)
    assert fine_detail(eight, eight) == [1000.0, 1000.0], "eight rings are the fewest"
    assert fine_detail(eight[1:], eight[1:]) is None


def test_the_power_of_a_wave_is_in_its_ring() -> None:
    wave = 8 * np.cos(np.pi * 0.5 * np.arange(64)) + np.zeros((64, 1))  # half of the highest frequency: ring 16 of 32
    power = power_by_ring(wave)
    assert power is not None
    assert len(power) == 32
    assert power.argmax() == 16
    assert power[15:18].sum() > 0.999 * power.sum()  # the window's neighbours


def test_format_quality_bits_and_profile_are_read_from_the_header() -> None:
    photo = skin_photo(0, 16, 24)
    wide = encoded(np.zeros((16, 24), np.uint16), "png")
    p3 = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    files = [encoded(photo, "jpeg", quality=q) for q in (50, 75, 95)]
    files += [encoded(photo, "png"), wide, encoded(photo, "png", icc_profile=p3)]
    found = [traits_of(data, "a file", photo, measure=False) for data in files]
    assert [t.format for t in found] == ["JPEG"] * 3 + ["PNG"] * 3
    assert [t.jpeg_quality for t in found] == [50, 75, 95, None, None, None]
    assert [t.bits for t in found] == [8, 8, 8, 8, 16, 8]
    assert [t.profile for t in found][:5] == ["sRGB"] * 5
    assert found[5].profile != "sRGB"
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: 0xFFFF, 0xA005: {1: "R03"}})  # Adobe RGB, as cameras mark it
    assert traits_of(encoded(photo, "jpeg", exif=exif), "a file", photo, measure=False).profile == "Adobe RGB"
    table = summary(found)
    assert table["format"] == {"JPEG": 3, "PNG": 3}
    assert (table["width"], table["height"], table["jpeg_quality"], table["block_energy"]) == (24, 16, 75, None)
