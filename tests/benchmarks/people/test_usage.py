"""The usage line of a benchmark is the command that runs it."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize("name", ["conditions", "coverage", "groups", "mixed", "power", "ratings", "small_surveys"])
def test_the_usage_line_can_be_typed(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = import_module(f"benchmarks.people.{name}")
    with pytest.raises(SystemExit, match="0"):
        module.main(["--help"])
    assert capsys.readouterr().out.startswith(f"usage: python -m {module.__name__} ")
