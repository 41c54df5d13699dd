"""The table of the paper's findings: each verdict follows its numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmarks import findings
from tests.analysis.pictures import textures


def test_images_that_repeat_themselves_and_are_all_alike_show_tiling_and_lack_variability() -> None:
    real = {"df": textures(12, seed=0), "mel": textures(12, seed=1)}
    tile = textures(1, seed=2)[0, :8, :8]
    height, width = real["df"].shape[1] // 8, real["df"].shape[2] // 8
    alike = np.repeat(np.tile(tile, (height, width, 1))[None], 12, 0)
    tiling, variability = findings.tiling_and_variability(real, {"df": alike, "mel": np.roll(real["mel"], 5, 1)})
    assert (tiling.holds, variability.holds) == (False, True), "mel has no tiling"
    tiling, variability = findings.tiling_and_variability(real, {"df": alike, "mel": alike})
    assert (tiling.holds, variability.holds) == (True, False), "mel is no more variable"


def test_a_nearer_neighbour_in_more_than_half_of_the_images_must_be_more_than_chance() -> None:
    assert [findings.sign_test(wins, 100) for wins in (41, 58, 59, 100)] == [False, False, True, True]
    assert not findings.sign_test(0, 0)


def gap(run: str, images: int, width: int, middle: float) -> dict[str, Any]:
    limits = {"low": middle - 0.05, "high": middle + 0.05}
    return {"run": run, "training_images": images, "d_features": width, "gap": middle, **limits}


@pytest.mark.parametrize(
    ("gaps", "held"),
    [
        ([("df", 92, 16, 0.5), ("df-wide", 92, 32, 0.6), ("eczema", 5000, 16, 0.1)], [True, True]),
        ([("df", 92, 16, 0.15), ("df-wide", 92, 32, 0.6), ("eczema", 5000, 16, 0.1)], [False, False]),
        ([("df", 92, 16, 0.5), ("eczema", 5000, 16, 0.1)], [True, None]),
    ],
)
def test_overfitting_follows_the_images_where_the_width_makes_less_of_a_difference(
    gaps: list[tuple[str, int, int, float]], held: list[bool | None]
) -> None:
    found = findings.overfitting({one[0]: gap(*one) for one in gaps})
    assert [one.holds for one in found] == held
    assert "df (92 images, width 16)" in found[0].numbers


@pytest.mark.parametrize(
    ("distances", "held"), [((90, 70, 74), True), ((60, 70, 74), False), ((90, 80, 74), False), ((70, 71, 74), False)]
)
def test_truncation_helps_down_to_a_threshold(distances: tuple[float, ...], held: bool) -> None:
    rows = [
        {"threshold": t, "imagenet_feature_frechet_distance": d}
        for t, d in zip((0.01, 0.1, None), distances, strict=True)
    ]
    [found] = findings.truncation({"df": {"thresholds": rows}})
    assert found.holds is held
    assert "none 74.0" in found.numbers


def test_removal_against_the_cycle_and_how_far_fid_swings() -> None:
    rows = [
        {"experiment": experiment, "makes": makes, "recipe": "paper", "seed": 0, "budget": budget, "frechet": frechet,
         "detail_outside": kept}
        for experiment, makes, kept in (
            ("remove-eczema", "healthy", 0.7), ("add-eczema", "eczema", 0.8), ("cycle-eczema", "eczema", 0.95),
        )
        for budget, frechet in ((0, 10), (10, 500), (40, 140), (80, 100), (120, 150 if makes == "healthy" else 110))
    ]  # fmt: skip
    assert [one.holds for one in findings.translation(pd.DataFrame(rows))] == [True, True, True]
    steady = pd.DataFrame(rows).assign(frechet=100, detail_outside=0.9)
    assert [one.holds for one in findings.translation(steady)] == [False, False, False]
    alone = steady[steady["experiment"] == "remove-eczema"]
    assert [one.holds for one in findings.translation(alone)] == [None, None, None]
