"""The progress bar: visible at 80 columns, and silent where there is no terminal."""

from __future__ import annotations

import io
import re

import pytest
from tqdm import tqdm

from glimpse.progress import FORMAT, progress


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_sixteen_columns_of_bar_are_left_at_80_columns_whatever_follows_it() -> None:
    line = tqdm.format_meter(
        300_000, 600_000, 72_000, ncols=80, prefix="a-name-of-20-letters", unit="images", unit_scale=True,
        bar_format=FORMAT, postfix="loss_g=1.23, loss_d=0.98, d_real_train=0.71",
    )  # fmt: skip
    assert len(line) == 80
    assert re.search(r"50% \|█{8} {8}\| 300k/600k images \[20:00:00<20:00:00", line)


def test_the_bar_gives_count_unit_and_time_left_on_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    assert list(progress(iter("abcd"), title="reading", unit="photos", total=4)) == list("abcd")
    assert re.search(r"reading:? +0% \| {16}\| 0/4 photos \[00:00<\?", terminal.getvalue())


def test_a_bar_begins_where_an_earlier_one_stopped_and_a_long_title_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with progress(title="a-name-that-is-longer-than-that", unit="images", total=20_000, done=5_000):
        pass
    assert re.search(r"^\r?a-name-that-is…:? +25% \|[█#]{4} {12}\| 5.00k/20.0k images", terminal.getvalue())


def test_without_a_terminal_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(range(3), title="reading", unit="photos")) == [0, 1, 2]
    assert capsys.readouterr() == ("", "")
