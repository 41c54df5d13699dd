"""The record of a run while it trains: the progress bar fits a terminal."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from tqdm import tqdm

from gan_core.experiments import EXPERIMENTS
from glimpse.runs.record import Record


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", [*EXPERIMENTS, "a-run-with-a-very-long-name-of-more-than-forty-letters"])
def test_the_bar_stays_visible_at_80_columns(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    record = Record(tmp_path, name, 0, 600_000, 0, Mock())
    record.advance(300_000)
    line = {
        "images": 300_000,
        "images_per_second": 301.2,
        "score": "imagenet_feature_kid",
        "imagenet_feature_kid": 78.0165,
        "imagenet_feature_frechet_distance": 1e3,
        "loss_g": 0.6936,
    }
    record.tick(line, np.zeros((4, 4, 3), np.uint8))
    shown = tqdm.format_meter(**{**record.bar.format_dict, "elapsed": 1000, "ncols": 80})
    record.close()
    assert "score 78" in shown
    assert len(shown) <= 80
    assert len(shown.split("|")[1]) >= 16


def test_the_last_batch_may_go_beyond_the_images_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = Record(tmp_path, "df", 0, 100, 0, Mock())
    record.bar.disable = True  # as where stderr is no terminal
    record.tick({"images": 128, "images_per_second": 10.0}, np.zeros((2, 2, 3), np.uint8))
    assert "df: 128 of 100 images, 10/s, 0 s left" in capsys.readouterr().err
    record.close()
