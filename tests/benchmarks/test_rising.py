"""The order of a training's snapshots by KID."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.rising import main, snapshots, steps, summary
from glimpse.files import GlimpseError
from glimpse.workspace import Workspace
from tests.analysis.pictures import textures


def test_a_generator_that_improves_falls_at_each_step_and_one_that_does_not_is_not_said_to() -> None:
    """Grain that approaches the real one; then the same images again."""
    real, groups = textures(24, seed=0, size=32), np.arange(24).astype(str)
    shown = {s: textures(24, seed=1, size=32, grain=grain) for s, grain in ((1.0, 4.0), (2.0, 2.0), (3.0, 2.0))}
    found = steps(real, groups, shown, "random", real)
    assert found["fall"].tolist() == pytest.approx([np.nan, found["fall"][1], 0], nan_ok=True)
    assert found["fall"][1] > 0.5
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
