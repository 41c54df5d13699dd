"""The benchmark of translation recipes: what it measures, and its table and pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from benchmarks import translation
from glimpse.workspace import Workspace
from tests.gan_core.tiny import make_domains


def test_detail_is_lost_by_a_blur_and_not_made_by_noise() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(60, 190, (4, 32, 32, 3), np.uint8)
    everywhere = np.ones(images.shape[:3], bool)
    assert translation.detail(images, images, everywhere) == pytest.approx(1)
    assert translation.detail(images // 2, images, everywhere) == pytest.approx(0.5, abs=0.01)
    blurred = gaussian_filter(images, (0, 3, 3, 0))
    assert abs(translation.detail(blurred, images, everywhere)) < 0.1
    noisy = np.clip(blurred + rng.normal(0, 30, images.shape), 0, 255).astype(np.uint8)
    assert abs(translation.detail(noisy, images, everywhere)) < 0.1
    left = everywhere & (np.arange(32) < 16)
    half = np.where(left[..., None], images, blurred)
    assert translation.detail(half, images, left) > 0.9 > 0.1 > translation.detail(half, images, ~left)


@pytest.fixture
def tiny(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    make_domains(workspace)
    recipe = ("paper", ["g_features=8", "d_features=4", "batch=4"])
    monkeypatch.setattr(translation, "RECIPES", {"paper": recipe, "modern": recipe})
    return workspace


def test_budget_0_scores_the_untouched_images_and_the_truth_is_known_for_removal_alone(
    tiny: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, pictures = tmp_path / "rows.jsonl", tmp_path / "pictures"
    words = ["--rows", str(rows), "--pictures", str(pictures), "--seeds", "1", "--workspace", str(tiny.root)]
    translation.main([*words, "--budgets", "0", "0.01"])
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    untouched = [line for line in lines if line["budget"] == 0]
    made = [(line["experiment"], line["makes"]) for line in untouched if line["recipe"] == "paper"]
    assert made == [
        ("remove-eczema", "healthy"), ("add-eczema", "eczema"), ("cycle-eczema", "eczema"), ("cycle-eczema", "healthy"),
    ]  # fmt: skip
    for line in untouched:
        assert (line["images"], line["detail_outside"]) == (0, pytest.approx(1))
        assert ("psnr_inside" in line) == (line["makes"] == "healthy")
        if line["makes"] == "healthy":
            assert line["psnr_outside"] is None, "the phantom's skin outside the lesion is the very same"
            assert line["psnr_inside"] < 20
    assert max(line["images"] for line in lines) > 0
    said = capsys.readouterr().out
    assert "| remove-eczema | healthy | 0 | `paper` | 1 | 0 |" in said
    for name, rows_of in (("remove-eczema", 6), ("cycle-eczema", 12)):
        with Image.open(pictures / f"{name}.png") as picture:
            assert picture.size == (6 * 34 + 2, rows_of * 34 + 2), "three columns by each recipe"
