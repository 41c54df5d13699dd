"""Deployment: a health check, HSTS, erasure under any server, and warnings about what is missing."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from glimpse import command_line
from glimpse.workspace import Workspace
from study_app import cli, retention
from study_app.commands import serve
from tests.study_app.commands.test_serve import free_port


def test_the_health_check_reads_the_database_and_says_nothing_of_the_study(
    study: str, kind: str, workspace: Workspace, make_app: Callable[..., Flask]
) -> None:
    client = make_app().test_client()
    reply = client.get("/healthz")
    assert (reply.status_code, reply.text, reply.headers["Cache-Control"]) == (200, "ok\n", "no-store")
    if kind == "sqlite":
        (workspace.root / "study.db").write_bytes(b"no database" * 1000)
        reply = client.get("/healthz")
        assert (reply.status_code, reply.headers["Retry-After"]) == (503, "5")
        assert study not in reply.text


@pytest.mark.parametrize(("scheme", "lasts"), [("http", None), ("https", "max-age=31536000")])
def test_browsers_that_came_by_https_are_told_to_keep_using_it(
    study: str, make_app: Callable[..., Flask], scheme: str, lasts: str | None
) -> None:
    client = make_app(TRUSTED_PROXIES=1).test_client()
    for path in ("/study/pilot", "/static/survey.css", "/healthz", "/nothing"):
        with client.get(path, headers={"X-Forwarded-Proto": scheme}) as reply:
            assert reply.headers.get("Strict-Transport-Security") == lasts, path


@pytest.mark.parametrize("kind", ["sqlite"])
def test_any_server_erases_from_its_first_request_on_and_once_a_process(
    study: str, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, asked = threading.Event(), list[object]()

    def once(database: object) -> float:
        asked.append(database)
        ran.set()
        return retention.DAY_S

    monkeypatch.setattr(retention, "forget_now", once)
    app = make_app(TESTING=False)
    assert not asked
    for _ in range(3):
        app.test_client().get("/healthz")
    assert ran.wait(5)
    assert asked == [app.extensions["glimpse"]]
    monkeypatch.setattr("os.getpid", lambda: -1)  # a worker that was forked after the thread was started
    ran.clear()
    app.test_client().get("/healthz")
    assert ran.wait(5)
    assert len(asked) == 2


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """The output of `study_app serve` before it serves."""
    monkeypatch.setattr(serve, "serve_threads", lambda app, *_, **__: app.extensions["glimpse"].engine.dispose())
    monkeypatch.delenv("GLIMPSE_ADMIN_PASSWORD", raising=False)

    def start() -> str:
        capsys.readouterr()
        assert cli.main(["serve", "--port", str(free_port())]) == 0
        return capsys.readouterr().out

    return start


@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_server_says_what_it_lacks(
    study: str, workspace: Workspace, said: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = said()
    assert "The dashboard is off: set GLIMPSE_ADMIN_PASSWORD" in first
    assert "No study" not in first
    monkeypatch.setenv("GLIMPSE_ADMIN_PASSWORD", "x")
    assert len(said().splitlines()) == 1
    (workspace.root / "study.db").unlink()
    assert "No study is loaded yet" in said()
    shutil.rmtree(workspace.root / "stimuli")
    monkeypatch.setattr(command_line, "find_spec", lambda package: None)  # a survey host, which can make none
    copied = f"Next: copy sets that were published elsewhere to {workspace.root.resolve() / 'stimuli'}, then study_app"
    assert f"load one while this server runs. {copied} load --all" in said()


@pytest.mark.parametrize(
    "command",
    ["status", "export", "serve", "simulate", "preview pilot", "backup", "forget p1", "link --count 1", "reject x.csv",
     "user list", "db upgrade"],
)  # fmt: skip
def test_a_folder_without_a_workspace_is_left_as_it_is(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GLIMPSE_WORKSPACE", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "x.csv").write_text("Participant id,Status\n1,RETURNED\n")
    port = ["--port", str(free_port())] if command == "serve" else []
    assert cli.main([*command.split(), *port]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: There is no")
    assert "gan_core prepare phantom" in error
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
