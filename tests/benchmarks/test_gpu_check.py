"""The check of a GPU: its code, tried on a CPU with tiny networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu_check, training
from glimpse.workspace import Workspace


def test_without_cuda_the_check_ends_with_one_sentence(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert gpu_check.main([]) == gpu_check.main(["--device", "cpu"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "no CUDA device" in first
    assert "--tiny" in second


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's tracing looks
def test_the_check_runs_on_a_cpu_with_tiny_networks(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "IMAGES", 16)
    monkeypatch.setattr(
        gpu_check.Check, "killed", lambda check, name: {"experiment": name, "killed_at": 40, "resumed": True}
    )
    words = ["--device", "cpu", "--tiny", "--steps", "2", "--experiments", "df", "--out", str(tmp_path)]
    assert gpu_check.main(words) == 0
    found = json.loads((tmp_path / "gpu_check.json").read_text())
    (row,) = found["rows"]
    assert row["finite"] is row["compiled"] is row["bf16"] is True
    assert 0 < row["deviations"]["bf16"] <= gpu_check.TOLERANCE["bf16"], "it ran in bf16"
    assert found["not_reached"] == ["training df (no image set)", "training mel (no image set)"]
    page = (tmp_path / "gpu_check.md").read_text()
    assert "| df | 32x32 | 4 | yes | yes | yes | - |" in page
    assert "A run of df killed by SIGKILL at image 40: resumed to its end." in page


@pytest.mark.slow  # two processes of gan_core train
def test_the_check_kills_a_run_and_resumes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "IMAGES", 16)
    killed = gpu_check.Check("cpu", True, 2, 0.1, 9, 1).killed("df")
    assert 0 < killed["killed_at"] <= 240
    assert killed["resumed"] is True


def test_checks_that_the_time_does_not_reach_are_listed(workspace: Workspace, tmp_path: Path) -> None:
    assert gpu_check.main(["--device", "cpu", "--tiny", "--minutes", "0", "--out", str(tmp_path)]) == 0
    assert (
        "Not reached: training df (no image set), training mel (no image set), hands, "
        in (tmp_path / "gpu_check.md").read_text()
    )


def test_a_number_that_is_not_finite_or_a_run_that_is_not_resumed_fails_the_check() -> None:
    good: dict[str, Any] = {
        "rows": [{"finite": True, "compiled": True, "bf16": True}], "killed": [{"resumed": True}]
    }  # fmt: skip
    assert gpu_check.passed(good)
    assert not gpu_check.passed(good | {"killed": [{"resumed": False}]})
    assert not gpu_check.passed(good | {"rows": [{"finite": True, "compiled": True, "bf16": False}]})
    assert gpu_check.deviation({"loss": float("nan")}, {"loss": 1.0}) == float("inf")
