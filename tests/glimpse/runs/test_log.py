"""The log of a run is read up to where a killed process stopped writing; a line that no training wrote is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from glimpse.files import WorkspaceError
from glimpse.runs.log import read_log


def test_a_log_cut_short_by_a_kill_is_read_up_to_there(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"images": 1}\n{"images": 2}\n{"ima')
    assert [line["images"] for line in read_log(tmp_path / "log.jsonl")] == [1, 2]
    assert read_log(tmp_path / "none.jsonl") == []


@pytest.mark.parametrize("line", [b"5", b'{"seconds": 1}', b'{"images": "many"}', b"\xff\xfe", b"[]"])
def test_a_line_that_no_training_wrote_is_named(line: bytes, tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(b'{"images": 1}\n' + line + b'\n{"images": 3}\n')
    with pytest.raises(WorkspaceError, match=r"log\.jsonl, line 2, is not a line of a training log"):
        read_log(tmp_path / "log.jsonl")
