"""A database that is locked, full or read-only, and a clock set back: a page and the log say so, and the survey
recovers by itself."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import event, exc, text

from glimpse.workspace import Workspace
from study_app import cli, models, retention
from study_app.database import BusyError, Database
from study_app.participant import withdrawal
from tests.study_app.cluster import Cluster
from tests.study_app.participant.test_survey import ANSWER, enter


@contextmanager
def locked(workspace: Workspace, kind: str) -> Iterator[None]:
    """Another program writes into the database and does not end."""
    with Database(workspace.database_url).write() as session:
        session.connection()
        if kind == "postgresql":
            session.execute(text("LOCK TABLE participant IN EXCLUSIVE MODE"))
        yield


@contextmanager
def failing(app: Flask, reason: str) -> Iterator[None]:
    """Every write to the database fails for this reason, in SQLite's words."""

    def fail(connection: object, cursor: object, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "UPDATE")):
            raise exc.OperationalError(statement, {}, sqlite3.OperationalError(reason))

    engine = app.extensions["glimpse"].engine
    event.listen(engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", fail)


def refused(app: Flask, base: str, caplog: pytest.LogCaptureFixture, said: str) -> None:
    """Saving fails with a page and one line in the log; reading still works."""
    client = app.test_client()
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="glimpse"):
        began = time.monotonic()
        for _ in range(2):
            reply = client.post(f"{base}/answer", json=ANSWER)
            assert (reply.status_code, reply.headers["Retry-After"], reply.data) == (503, "5", b"")
        assert time.monotonic() - began < 10
        page = client.post(f"{base}/questions", headers={"Accept": "text/html"})
        assert page.status_code == 503
        assert "One moment, please" in page.text
        assert client.get(f"{base}/next").json["trial"] == 1
    (line,) = [record.getMessage() for record in caplog.records if record.name == "glimpse"]
    assert said in line
    assert "no answer that was saved is lost" in line


def goes_on(app: Flask, base: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="glimpse"):
        assert app.test_client().post(f"{base}/answer", json=ANSWER).status_code == 200
    assert caplog.messages[-1] == "The database works again."
    with app.extensions["glimpse"].read() as session:
        assert session.execute(text("SELECT COUNT(*) FROM responses")).scalar() == 1


def test_a_locked_database_is_reported_and_waited_for(
    workspace: Workspace, kind: str, study: str, make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app(WAIT_MS=200)
    base = enter(app.test_client(), study)
    with locked(workspace, kind):
        refused(app, base, caplog, "locked by another program")
    goes_on(app, base, caplog)


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("database or disk is full", "The disk with the database"),
        ("attempt to write a readonly database", "is read-only"),
    ],
)
def test_a_full_disk_and_a_read_only_database_are_reported_and_waited_for(
    workspace: Workspace, study: str, make_app: Callable[..., Flask], caplog: pytest.LogCaptureFixture,
    reason: str, said: str,
) -> None:  # fmt: skip
    app = make_app()
    base = enter(app.test_client(), study)
    with failing(app, reason):
        refused(app, base, caplog, said)
    goes_on(app, base, caplog)


def test_a_server_out_of_reach_is_one_sentence_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("psycopg")
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    assert cli.main(["status"]) == 2
    said = capsys.readouterr().err
    assert (said.count("\n"), "cannot be reached (" in said, "start its server" in said) == (1, True, True)


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
def test_a_database_in_another_encoding_than_utf_8_is_refused(
    postgres: Cluster, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    """PostgreSQL makes them where no language is set; they return bytes, or refuse what people write."""
    monkeypatch.setenv("DATABASE_URL", postgres.new_database(encoding=encoding))
    assert cli.main(["status"]) == 2
    said = capsys.readouterr().err
    assert (said.count("\n"), f"stores text as {encoding}" in said, "--encoding=UTF8" in said) == (1, True, True)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_dashboard_says_what_is_wrong(workspace: Workspace, study: str, make_app: Callable[..., Flask]) -> None:
    from tests.study_app.experimenter.test_admin import log_in, token

    app = make_app(ADMIN_PASSWORD="open sesame", WAIT_MS=100)
    admin = app.test_client()
    log_in(admin)
    form = {"state": "paused", "token": token(admin, "/admin/")}
    with locked(workspace, "sqlite"):
        reply = admin.post("/admin/study/pilot/state", data=form)
        assert reply.status_code == 503
        assert "is locked by another program" in reply.text
        assert admin.get("/admin/study/pilot/live").status_code == 200


def test_writers_wait_for_a_place_no_longer_than_a_second(workspace: Workspace, kind: str, study: str) -> None:
    """So that the other threads of a server are free to read."""
    database = Database(workspace.database_url, writers=1)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with database.write():
            held.set()
            done.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(20)
    took = []
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(BusyError, match="is locked by another program"), database.write():
            pass
        took.append(time.monotonic() - began)
    with database.read() as session:
        session.execute(text("SELECT COUNT(*) FROM participants"))
    done.set()
    holder.join()
    assert took[0] == pytest.approx(1, abs=0.9)
    assert took[1] < 0.5
    with database.write():
        pass


def test_a_clock_set_back_changes_no_answer_and_loses_no_one(
    workspace: Workspace, study: str, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.study_app.experimenter.test_admin import log_in

    app = make_app(ADMIN_PASSWORD="open sesame")
    client = app.test_client()
    log_in(client)
    base, right = enter(client, study), models.now
    for number in range(1, 13):
        if number == 5:  # two days back, in the middle of the study
            monkeypatch.setattr(models, "now", lambda: right() - timedelta(days=2))
        trial = client.get(f"{base}/next").json
        assert trial["trial"] == number
        given = {**ANSWER, "exposure_ms": trial["exposure_ms"]}
        client.get(trial["image"])
        client.post(f"{base}/begin", json={"trial": number, "view": "a"})
        monkeypatch.setattr(models, "now", lambda now=models.now: now() + timedelta(seconds=5))
        assert client.post(f"{base}/answer", json={**given, "trial": number}).status_code == 200
    assert client.post(f"/study/{study}/enter", data={"consent": "yes"}).status_code == 303
    with app.extensions["glimpse"].read() as session:
        assert session.execute(text("SELECT DISTINCT flags FROM responses")).scalars().all() == [""]
        rows = session.execute(text("SELECT state, excluded FROM participants ORDER BY state")).all()
    assert [tuple(row) for row in rows] == [("finished", 0), ("working", 0)]
    page = client.get(f"/admin/study/{study}/participants")
    assert page.status_code == 200
    assert "<td>-" not in page.text  # no negative minutes


def test_a_failed_erasure_logs_what_the_database_says_and_not_what_is_written_around_it(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object) -> int:
        error = exc.OperationalError("UPDATE retention", {}, Exception("lock timeout\nCONTEXT: a tuple"))
        error.add_detail("(raised as a result of Query-invoked autoflush)")
        raise error

    monkeypatch.setattr(withdrawal, "forget_expired", failing)
    assert retention.forget_now(Database(workspace.database_url)) == retention.RETRY_S
    assert caplog.messages == ["Retention: nothing was erased (lock timeout); trying again in ten minutes."]


def test_processes_that_check_retention_for_the_first_time_at_once_all_do(
    workspace: Workspace, study: str, caplog: pytest.LogCaptureFixture
) -> None:
    together, waits = threading.Barrier(6), list[float]()

    def check() -> None:
        database = Database(workspace.database_url)
        together.wait()
        waits.append(retention.forget_now(database))
        database.engine.dispose()

    threads = [threading.Thread(target=check) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert waits == [retention.DAY_S] * 6
    assert caplog.messages == []
