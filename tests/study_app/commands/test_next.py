"""Each command's `Next:` line is run as it stands, in a workspace whose path has a space."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from glimpse.workspace import Workspace
from study_app.cli import main
from tests.study_app.conftest import publish


def test_every_next_line_can_be_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GLIMPSE_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)
    workspace = Workspace.at("my photos")

    def following(*words: str) -> list[str]:
        assert main(list(words)) == 0
        return shlex.split(capsys.readouterr().out.partition("Next: ")[2].splitlines()[0])

    workspace.root.mkdir()
    (workspace.root / "study.db").touch()  # a survey without a study
    assert following("db", "upgrade", "--workspace", "my photos")[1:3] == ["prepare", "phantom"], "nothing to load yet"
    publish(workspace, "df")
    line = following("status", "--workspace", "my photos")
    assert line == ["study_app", "load", "--all", "--workspace", "my photos"]
    line = following(*line[1:])
    assert line == ["study_app", "serve", "--workspace", "my photos"]
    simulated = following("simulate", "--participants", "1", "--workspace", "my photos")
    assert simulated == ["study_app", "status", "--include-simulated", "--workspace", "my photos"]
    assert main(simulated[1:]) == 0
    program, *words = following("export", "--include-simulated", "--workspace", "my photos")
    assert (program, words[:3]) == ("python", ["-m", "analysis.report", "--responses"])
    assert Path(words[3]).is_file()
    assert words[4:] == ["--include-simulated", "--workspace", "my photos"], "there are no other answers"
