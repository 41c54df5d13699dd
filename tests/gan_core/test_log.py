"""The log of a run: what is written can be read again, and the progress bar fits a terminal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
from tqdm import tqdm

from gan_core.experiments import EXPERIMENTS, TrainingError
from gan_core.training.log import Record, read_log


def test_a_log_cut_short_by_a_kill_is_read_up_to_there(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"images": 1}\n{"images": 2}\n{"ima')
    assert [line["images"] for line in read_log(tmp_path / "log.jsonl")] == [1, 2]
    assert read_log(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("line", [b"5", b'{"seconds": 1}', b'{"images": "many"}', b"\xff\xfe", b"[]"])
def test_a_line_that_no_training_wrote_is_named(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b'{"images": 1}\n' + line + b'\n{"images": 3}\n')
    with pytest.raises(TrainingError, match=r"log\.jsonl, line 2, is not a line of a training log"):
        read_log(tmp_path / "log.jsonl")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("name", [*EXPERIMENTS, "a-run-with-a-very-long-name-of-more-than-forty-letters"])
def test_the_bar_stays_visible_at_80_columns(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Terminal())
    record = Record(tmp_path, name, 0, 600_000, 0)
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
