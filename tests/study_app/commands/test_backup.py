"""A backup of a live database is consistent, and participants continue from it."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask

from glimpse.workspace import Workspace
from study_app import cli
from study_app.commands.backup import copy
from tests.study_app.conftest import load, publish

ANSWER = {"answer": "real", "exposure_ms": 2400, "response_time_ms": 900, "dropped_frames": 0, "focus_lost": False}


@pytest.fixture
def pilot(workspace: Workspace) -> str:
    publish(workspace, "alpha")
    return load(workspace, "pilot", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 12\n')


def test_a_copy_taken_while_people_answer_is_sound_and_its_participants_continue(
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
    assert "There is no survey in the workspace" in capsys.readouterr().err
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@nowhere/none")
    assert cli.main(["backup"]) == 2
    assert "pg_dump" in capsys.readouterr().err


def test_the_database_is_not_copied_over_itself(workspace: Workspace, pilot: str) -> None:
    assert cli.main(["backup", str(workspace.root / "study.db")]) == 2


def test_a_copy_replaces_an_earlier_copy_and_nothing_else(
    workspace: Workspace, pilot: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, copied = tmp_path / "study.toml", tmp_path / "copy.db"
    study.write_text('slug = "years-of-work"\n')
    assert cli.main(["backup", str(study)]) == 2
    assert "name another file" in capsys.readouterr().err
    assert study.read_text() == 'slug = "years-of-work"\n'
    assert [cli.main(["backup", str(copied)]) for _ in range(2)] == [0, 0]


def torn(database: bytes) -> bytes:
    """A database whose first table is overwritten in the middle."""
    return database[:4096] + b"\xff" * 8192 + database[12288:]


def emptied_index(database: bytes) -> bytes:
    """A database whose tables can all be read, but one of its indices has lost its rows."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.deserialize(database)
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_stimulus_set_id'").fetchone()
    start = (page - 1) * 4096
    return database[:start] + b"\x0a\0\0\0\0\x10\0\0".ljust(4096, b"\0") + database[start + 4096 :]


@pytest.mark.parametrize(
    "damage", [lambda database: b"not a database " * 999, lambda database: database[:9000], torn, emptied_index]
)
def test_a_damaged_database_is_one_sentence_and_leaves_nothing_behind(
    workspace: Workspace, pilot: str, damage: Callable[[bytes], bytes], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    copy(workspace.root / "study.db", tmp_path / "whole.db")
    for path in workspace.root.glob("study.db*"):
        path.unlink()
    (workspace.root / "study.db").write_bytes(damage((tmp_path / "whole.db").read_bytes()))
    capsys.readouterr()
    assert cli.main(["backup", str(tmp_path / "copies" / "copy.db")]) == 2
    said = capsys.readouterr().err
    assert (said.count("\n"), "cannot be copied" in said) == (1, True)
    assert list((tmp_path / "copies").iterdir()) == []


@pytest.mark.parametrize("name", ["a?b", "50% off#2", "a%3Fb", "with space"])
def test_the_database_is_in_the_workspace_whatever_its_path_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from analysis.answers.read import read_database

    monkeypatch.delenv("DATABASE_URL", raising=False)
    workspace = Workspace.at(tmp_path / name)
    publish(workspace, "alpha")
    load(workspace, "pilot", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 4\n')
    at = ["--workspace", str(workspace.root)]
    assert cli.main(["simulate", "--participants", "1", *at]) == 0
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert cli.main(["backup", str(workspace.root / "copy.db"), *at]) == 0
    assert "4 answers" in capsys.readouterr().out
    answers = read_database(workspace, include_simulated=True)
    assert answers is not None
    assert len(answers.trials) == 4


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    "command", ["status", "export", "simulate", "backup", "db current", "forget --expired", "link"]
)
def test_a_damaged_database_is_one_sentence(
    workspace: Workspace, study: str, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    path = workspace.root / "study.db"
    size = path.stat().st_size
    with path.open("r+b") as file:
        for page in range(4096, size, 4096):  # all but the first, which names the file as a database
            file.seek(page)
            file.write(b"\xa5" * 4096)
    capsys.readouterr()
    assert cli.main(command.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert "restore" in said
