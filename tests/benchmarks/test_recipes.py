"""The benchmark of training recipes: its measurements, and that a stopped one resumes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import recipes
from benchmarks.__main__ import processor
from gan_core.device import computes_bf16
from gan_core.training.engine import Engine
from gan_core.training.loop import Training
from glimpse.workspace import Workspace
from tests.gan_core.tiny import make_set


def test_the_grid_of_a_deconvolution_is_measured_and_smooth_images_have_none() -> None:
    rows, columns = np.mgrid[:64, :64]
    smooth = np.sin(rows / 10) * np.cos(columns / 13)
    for grid in (np.cos(np.pi * rows), np.cos(np.pi / 2 * columns)):
        without, half, pure = (
            recipes.grid_power(np.repeat((128 + 50 * image)[None, :, :, None], 3, 3).astype(np.uint8))
            for image in (smooth, smooth + grid * smooth.std() / grid.std(), grid)
        )
        assert without < 0.01
        assert half == pytest.approx(0.5, abs=0.02)
        assert pure > 0.99


@pytest.fixture
def cheap(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A tiny image set, few generated images, and a judge that only counts."""
    make_set(workspace, "df")
    monkeypatch.setattr(recipes, "GENERATED", 100)
    tiny = ["g_features=8", "d_features=4", "batch=4", "z_dim=6"]
    monkeypatch.setattr(recipes, "RECIPES", {"paper": ("paper", tiny), "modern": ("modern", tiny)})

    class Judge:
        def __init__(self, *given: Any) -> None:
            pass

        def __call__(self, training: Training, seed: int) -> tuple[list[dict[str, Any]], recipes.Pixels]:
            generated = recipes.samples(training, seed)
            scores = ("kid", "kid_random", "kid_train", "precision", "recall", "copied", "grid")
            return [{**dict.fromkeys(scores, generated.std() / 100), "alarm": False}], generated

    monkeypatch.setattr(recipes, "HeldOut", Judge)
    return workspace


def test_a_stopped_benchmark_resumes_and_ends_in_a_table_and_a_figure(
    cheap: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, step = [], Engine.step
    monkeypatch.setattr(Engine, "step", lambda engine: (steps.append(engine), step(engine)))
    rows, figure = tmp_path / "rows.jsonl", tmp_path / "kid.svg"
    words = ["--experiments", "df", "--seeds", "1", "--rows", str(rows), "--figure", str(figure), "--budgets", "0.1"]
    recipes.main(words)
    first = rows.read_text()
    recipes.main([*words, "0.2"])
    lines = [json.loads(line) for line in rows.read_text().splitlines()]
    assert rows.read_text().startswith(first), "finished snapshots stay"
    assert [(line["recipe"], line["budget"]) for line in lines] == [
        ("paper", 0.1), ("modern", 0.1), ("paper", 0.2), ("modern", 0.2),
    ]  # fmt: skip
    assert {line["processor"] for line in lines} == {processor()}
    assert {line["bf16"] for line in lines} == {computes_bf16(torch.device("cpu"))}
    assert 4 * len(steps) == lines[2]["images"] + lines[3]["images"], "no step was made twice"
    said = capsys.readouterr().out
    assert "| df | 0.2 | `modern` | 1 |" in said
    assert figure.stat().st_size > 1000


def test_a_benchmark_killed_between_two_budgets_resumes_from_the_last_state(
    cheap: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, steps, step = tmp_path / "rows.jsonl", [], Engine.step
    words = ["--experiments", "df", "--recipes", "paper", "--seeds", "1", "--rows", str(rows), "--budgets", "0.3"]

    def killed(engine: Engine) -> None:
        if len(steps) == 5:
            raise KeyboardInterrupt
        steps.append(engine.steps)
        step(engine)

    monkeypatch.setattr(recipes, "SAVE_EVERY", 0)
    monkeypatch.setattr(Engine, "step", killed)
    with pytest.raises(KeyboardInterrupt):
        recipes.main(words)
    assert not rows.exists()
    monkeypatch.setattr(Engine, "step", lambda engine: (steps.append(engine.steps), step(engine)))
    recipes.main(words)
    assert steps == list(range(len(steps))), "each step was made once"
    assert json.loads(rows.read_text())["images"] == 4 * len(steps)


def test_the_table_of_the_results_is_that_of_the_rows() -> None:
    docs = Path(recipes.__file__).parents[1] / "docs"
    rows = pd.DataFrame(recipes.read(docs / "recipes.jsonl"))
    assert recipes.table(rows) in (docs / "results.md").read_text(encoding="utf-8")
    assert all(len(set(of["processor"])) == 1 for _, of in rows.groupby("seed")), "a seed's recipes share a machine"
