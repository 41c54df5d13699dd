"""Claims like figure 3 of Heusel et al. 2017: distances rise with blur, noise, swirl and images of another class."""

from __future__ import annotations

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from benchmarks.images.disturbances import (
    DISTURBANCES,
    contaminated,
    cropped,
    curves,
    draw,
    erased,
    shuffled,
    swirled,
    table,
)
from tests.analysis.pictures import textures


def assert_rising(frame: pd.DataFrame, kinds: tuple[str, ...]) -> None:
    for distance in ("Fréchet distance", "KID"):
        for kind in kinds:
            rows = frame[(frame["distance"] == distance) & (frame["disturbance"] == kind)]
            values = rows["value"].to_numpy()
            assert len(values) == 4
            assert (np.diff(values) > 0).all(), f"{distance} under {kind}: {values}"
    coverage = frame[frame["distance"] == "1 − coverage"].pivot_table(
        index="disturbance", columns="level", values="value"
    )
    assert (coverage[3] >= coverage[0]).all()


def test_distances_rise_with_every_disturbance_that_drawn_textures_have() -> None:
    """A swirl leaves a texture as it was; real skin below has lesions that it turns into something else."""
    kinds = {kind: DISTURBANCES[kind] for kind in ("blur", "noise")}
    kinds["another class"] = contaminated(textures(120, seed=2, grain=1.6))
    frame = curves(textures(120, seed=0), textures(120, seed=1), kinds)
    assert_rising(frame, tuple(kinds))
    assert isinstance(draw(frame), Figure)
    found = table(frame).loc["random"]
    assert found.loc[["blur", "noise"], "rises"].all()
    assert found.loc["noise", "seen from"] == 1


def test_generators_of_falling_quality_are_ordered_alone() -> None:
    of_a_generator = contaminated(textures(40, seed=2, grain=1.6))
    frame = curves(textures(40, seed=0), textures(40, seed=1), {"generated": of_a_generator})
    assert_rising(frame, ("generated",))


@pytest.mark.slow  # docs/metrics.md has its table
def test_distances_rise_with_every_disturbance_of_real_skin(real_data: Path) -> None:
    """Melanomas of HAM10000 against others of it, contaminated by benign keratoses; sides of different lesions."""
    with open(real_data / "ham10000" / "HAM10000_metadata.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    with zipfile.ZipFile(real_data / "ham10000" / "HAM10000_images_200x150.zip") as photos:
        names = {Path(name).stem: name for name in photos.namelist()}

        def read(lesions: list[str]) -> NDArray[np.uint8]:
            first = {row["lesion_id"]: row["image_id"] for row in rows}
            opened = [Image.open(io.BytesIO(photos.read(names[first[lesion]]))) for lesion in lesions]
            return np.stack([np.asarray(image.convert("RGB").crop((36, 11, 164, 139))) for image in opened])

        of = {dx: sorted({row["lesion_id"] for row in rows if row["dx"] == dx}) for dx in ("mel", "bkl")}
        mel = np.random.default_rng(0).permutation(of["mel"]).tolist()
        kinds = {kind: DISTURBANCES[kind] for kind in ("blur", "noise", "swirl")}
        kinds["another class"] = contaminated(read(of["bkl"][:120]))
        frame = curves(read(mel[:150]), read(mel[150:300]), kinds)
    assert_rising(frame, tuple(kinds))


def test_a_swirl_turns_the_middle_and_keeps_the_corner() -> None:
    image = np.zeros((1, 65, 65, 3), np.uint8)
    image[:, :, 32:] = 200  # an edge from top to bottom through the centre
    turned = swirled(image, 1)
    np.testing.assert_array_equal(swirled(image, 0), image)
    assert turned[0, 0, 0].sum() == 0
    assert turned[0, 0, 64].min() == 200
    assert (turned[0, 26:39, 26:39] != image[0, 26:39, 26:39]).mean() > 0.3


def test_shuffled_tiles_are_the_same_pixels_and_erased_ones_are_grey() -> None:
    images = np.random.default_rng(0).integers(129, 256, (2, 32, 32, 3)).astype(np.uint8)
    moved = shuffled(images, 2)
    assert (moved != images).any()
    np.testing.assert_array_equal(np.sort(moved.reshape(2, -1)), np.sort(images.reshape(2, -1)))
    assert (erased(images, 3) == 128).all(-1).mean() == (round(32 * 0.15**0.5) / 32) ** 2
    np.testing.assert_array_equal(cropped(np.full_like(images, 7), 1), np.full_like(images, 7))
