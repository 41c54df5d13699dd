"""The order of a training's snapshots by KID."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.images.rising import main, snapshots, steps, summary
from glimpse.files import GlimpseError
from glimpse.workspace import Workspace
from tests.analysis.pictures import textures


def test_the_kid_of_a_generator_that_improves_falls_and_of_one_that_does_not_change_stays() -> None:
    """Noise that becomes less; then the same images again."""
    real, groups, made = textures(24, seed=0), np.arange(24).astype(str), textures(24, seed=1)
    noise = np.random.default_rng(0).normal(0, 1, made.shape)
    shown = {s: np.clip(made + sd * noise, 0, 255).astype(np.uint8) for s, sd in ((1.0, 40), (2.0, 8), (3.0, 8))}
    found = steps(real, groups, shown, "random", real)
    assert found["fall"].tolist() == pytest.approx([np.nan, found["fall"][1], 0], nan_ok=True)
    assert found["fall"][1] > 0.9
    counts = summary(found).loc["random"]
    assert counts.to_dict() == {"steps": 2, "fell": 1, "fell, p < 0.05": 1, "rose, p < 0.05": 0}


def test_the_snapshots_of_a_training_are_ordered_by_its_seconds(tmp_path: Path, workspace: Workspace) -> None:
    for name in ("df-paper-adam-0-300", "df-paper-adam-0-45", "add-eczema-x"):
        np.save(tmp_path / f"{name}.npy", np.zeros(1))
    [(training, files)] = snapshots([tmp_path]).items()
    assert training == ("df", "paper-adam", 0)
    assert list(files) == [45, 300]
    with pytest.raises(GlimpseError, match="no two snapshots"):
        main([str(tmp_path / "empty"), "--workspace", str(workspace.root)])
