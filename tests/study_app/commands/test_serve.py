"""The production server: it serves several people at once, ends gracefully, and continues after a restart."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

import pytest
from flask import Flask
from sqlalchemy import text

from glimpse.workspace import Workspace
from study_app import cli
from study_app.database import Database


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(workspace: Workspace, port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """`study_app serve` in a separate process, ready when the block begins and stopped when it ends."""
    command = [sys.executable, "-m", "study_app.cli", "serve", "--port", str(port), "--workspace", str(workspace.root)]
    with tempfile.TemporaryFile("w+") as said:  # a pipe that nobody reads would stop the server once it is full
        server = subprocess.Popen([*command, *options], stdout=said, stderr=said, text=True)
        try:
            for _ in range(300):
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as connection:
                    try:
                        connection.request("GET", "/")
                        connection.getresponse().read()
                        break
                    except OSError:
                        assert server.poll() is None, said.seek(0) or said.read()
                        time.sleep(0.1)
            yield server
        finally:
            if server.poll() is None:
                server.terminate()  # not killed: gunicorn's workers would outlive it for a moment
            server.wait(30)


def answers(workspace: Workspace) -> int:
    with Database(workspace.database_url).read() as session:
        return int(session.execute(text("SELECT COUNT(*) FROM responses")).scalar_one())


def test_bots_take_the_survey_from_a_server_and_sigterm_ends_it(workspace: Workspace, kind: str, study: str) -> None:
    port = free_port()
    workers = [] if kind == "sqlite" else ["--workers", "2"]
    with served(workspace, port, "--threads", "4", *workers) as server:
        url = ["--url", f"http://127.0.0.1:{port}", "--participants", "2", "--at-once", "2"]
        assert cli.main(["simulate", study, *url]) == 0
        assert answers(workspace) == 2 * 12
        with socket.create_connection(("127.0.0.1", port), timeout=20) as huge:  # refused before it is sent
            huge.sendall(b"POST /p/x/answer HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n")
            assert huge.recv(4096).startswith(b"HTTP/1.1 413")
        server.send_signal(signal.SIGTERM)
        assert server.wait(15) == 0
    with served(workspace, port) as server:  # at once, on the same port
        assert cli.main(["simulate", study, *url]) == 0
    assert answers(workspace) == 4 * 12


def test_sigterm_under_load_loses_no_answer_that_was_acknowledged(workspace: Workspace, study: str) -> None:
    from study_app.commands import bots
    from study_app.commands.simulate import _remote, offered_by, truths

    port, known, acknowledged = free_port(), truths(workspace), []
    offered = offered_by(workspace, study)

    def one(seed: int) -> None:
        import numpy as np

        with _remote(f"http://127.0.0.1:{port}")() as browser:

            def http_(path: str, form: object = None, data: object = None) -> bots.Reply:
                reply: bots.Reply = browser(path, form=form, data=data)
                if path.endswith("/answer") and reply.status == 200:
                    acknowledged.append(path)
                return reply

            with suppress(bots.SurveyError):  # until the server is gone
                while True:
                    bots.take_part(http_, offered, bots.Observer(), known, np.random.default_rng(seed))

    with served(workspace, port) as server:
        threads = [threading.Thread(target=one, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        while len(acknowledged) < 30:
            time.sleep(0.02)
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
        for thread in threads:
            thread.join()
    assert len(acknowledged) <= answers(workspace) <= len(acknowledged) + len(threads)


@pytest.mark.parametrize("kept", [pytest.param(False, marks=pytest.mark.slow), True])
def test_sigterm_answers_also_the_requests_that_wait_for_a_thread(
    workspace: Workspace, kind: str, study: str, kept: bool
) -> None:
    port, statuses = free_port(), list[int]()
    workers = [] if kind == "sqlite" else ["--workers", "2"]
    form = b"Host: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 11\r\n\r\nconsent=yes"

    def status(of: socket.socket) -> int:
        with suppress(ConnectionResetError):
            return int((of.recv(65536).split() or [b"", b"0"])[1])
        return 0

    with served(workspace, port, "--threads", "1", *workers) as server:
        waiting = []
        for _ in range(30):
            waiting.append(one := socket.create_connection(("127.0.0.1", port), timeout=20))
            if kept:  # as browsers keep them open: it has been answered once before
                one.sendall(b"GET /p/x/next HTTP/1.1\r\nHost: x\r\n\r\n")
                assert status(one) == 404
        for one in waiting:
            one.sendall(f"POST /study/{study}/enter HTTP/1.1\r\n".encode() + form)
        statuses.append(status(waiting[0]))  # it has begun; the others have arrived, and wait
        server.send_signal(signal.SIGTERM)
        statuses += [status(one) for one in waiting[1:]]
        for one in waiting:
            one.close()
        assert server.wait(20) == 0
    assert statuses == [303] * 30


@pytest.mark.parametrize("kind", ["postgresql"], indirect=True)
def test_the_workers_count_together_how_often_the_password_is_tried(
    workspace: Workspace, study: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIMPSE_ADMIN_PASSWORD", "open sesame")
    port, statuses = free_port(), list[int]()
    with served(workspace, port, "--workers", "4"):
        login = f"http://127.0.0.1:{port}/admin/login"
        with urllib.request.urlopen(login) as page:
            cookie = page.headers["Set-Cookie"].split(";")[0]
            token = page.read().decode().split('name="token" value="')[1].split('"')[0]
        form = urllib.parse.urlencode({"token": token, "password": "a guess"}).encode()
        for _ in range(24):  # each on a connection of its own, so that every worker gets some
            try:
                urllib.request.urlopen(urllib.request.Request(login, form, {"Cookie": cookie}))
            except urllib.error.HTTPError as refused:
                statuses.append(refused.code)
                refused.close()
    assert statuses == [403] * 5 + [429] * 19


def test_a_busy_database_puts_retention_off_and_does_not_end_it(
    workspace: Workspace, study: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from sqlalchemy.exc import OperationalError

    from study_app.participant import withdrawal
    from study_app.retention import DAY_S, RETRY_S, forget_now

    database = Database(workspace.database_url)

    def busy(*_: object) -> int:
        raise OperationalError("UPDATE participant", {}, Exception("database is locked"))

    with monkeypatch.context() as patch:
        patch.setattr(withdrawal, "forget", busy)
        assert forget_now(database) == RETRY_S < DAY_S
    (line,) = caplog.messages
    assert "database is locked" in line
    assert "\n" not in line
    assert forget_now(database) == DAY_S


def test_how_many_may_enter_in_a_minute_is_said_on_the_command_line(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def enter(app: Flask, *_: object, **__: object) -> None:
        limit = app.extensions["glimpse_entries"]
        assert [limit.allows("a") for _ in range(3)] == [True, True, False]
        app.extensions["glimpse"].engine.dispose()
        raise SystemExit("was served")

    monkeypatch.setattr("study_app.commands.serve.serve_threads", enter)
    workspace.root.mkdir()
    with pytest.raises(SystemExit, match="was served"):
        cli.main(["serve", "--enter-per-minute", "2", "--port", str(free_port())])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--workers", "3"], "SQLite"),
        (["--threads", "0"], "--threads"),
        (["--enter-per-minute", "0"], "from 1 to 10000"),
    ],
)
def test_what_cannot_be_served_is_one_sentence(
    workspace: Workspace, options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["serve", *options]) == 2
    assert said in capsys.readouterr().err


def test_a_port_in_use_is_one_sentence(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert cli.main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "Choose another port" in capsys.readouterr().err
    assert not os.path.exists(workspace.root / "study.db")
