"""A backup of a live database is consistent, and participants go on from it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from gan_core.workspace import Workspace
from study_app import cli
from study_app.backup import copy
from tests.study_app.conftest import load, publish

ANSWER = {"answer": "real", "exposure_ms": 2400, "response_time_ms": 900, "dropped_frames": 0, "focus_lost": False}


@pytest.fixture
def pilot(workspace: Workspace) -> str:
    publish(workspace, "alpha")
    return load(workspace, "pilot", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 12\n')


def test_a_copy_taken_while_people_answer_is_sound_and_its_participants_go_on(
    workspace: Workspace, pilot: str, make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    client = make_app(ENTER_PER_MINUTE=10**6).test_client()
    home = client.post("/study/pilot/enter", data={"consent": "yes"}).headers["Location"]
    for trial in (1, 2, 3):
        client.post(f"{home}answer", json={"trial": trial, **ANSWER})
    running = threading.Event()
    running.set()

    def others() -> None:
        browser = client.application.test_client()
        while running.is_set():
            other = browser.post("/study/pilot/enter", data={"consent": "yes"}).headers["Location"]
            for trial in range(1, 13):
                assert browser.post(f"{other}answer", json={"trial": trial, **ANSWER}).status_code == 200

    busy = threading.Thread(target=others)
    busy.start()
    copies = [tmp_path / f"{i}.db" for i in range(3)]
    counted = [copy(workspace.root / "study.db", path) for path in copies]
    running.clear()
    busy.join()
    assert counted == sorted(counted)
    assert counted[0] >= 3

    restored = Workspace.at(tmp_path / "restored")
    restored.root.mkdir()
    shutil.copy(copies[0], restored.root / "study.db")
    client = make_app(WORKSPACE=restored).test_client()
    assert client.get(f"{home}next").json["trial"] == 4
    for trial in range(4, 13):
        assert client.post(f"{home}answer", json={"trial": trial, **ANSWER}).status_code == 200
    assert client.get(f"{home}next").json == {"done": True}


def test_the_command_says_where_the_copy_is(
    workspace: Workspace, pilot: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (workspace.root / "study.db").chmod(0o600)
    assert cli.main(["backup"]) == 0
    (path,) = (workspace.root / "backups").iterdir()
    assert f"{path}: 0 answers." in capsys.readouterr().out
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_backed_up_is_one_sentence(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["backup"]) == 2
    assert "study_app load" in capsys.readouterr().err
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@nowhere/none")
    assert cli.main(["backup"]) == 2
    assert "pg_dump" in capsys.readouterr().err


def test_the_database_is_not_copied_over_itself(workspace: Workspace, pilot: str) -> None:
    assert cli.main(["backup", str(workspace.root / "study.db")]) == 2
