"""The server under failures: killed repeatedly, its disk full or read-only, its database locked."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import text

from glimpse.workspace import Workspace
from study_app import cli
from study_app.commands import bots
from study_app.commands.simulate import _remote, offered_by, truths
from study_app.database import Database, SurveyError
from tests.restarting import restarted
from tests.study_app.commands.test_serve import free_port, served
from tests.study_app.participant.test_survey import ANSWER


@pytest.mark.parametrize(
    ("kind", "kills", "people"),
    [("sqlite", 3, 4), *(pytest.param(kind, 100, 20, marks=pytest.mark.slow) for kind in ("sqlite", "postgresql"))],
    indirect=["kind"],
)
@pytest.mark.timeout(1800)
def test_no_acknowledged_answer_is_lost_however_often_the_server_is_killed(
    workspace: Workspace, kind: str, study: str, kills: int, people: int
) -> None:
    port, known, offered = free_port(), truths(workspace), offered_by(workspace, study)
    acknowledged: dict[tuple[str, int], str] = {}
    killed, over = list[int](), threading.Event()
    answering = threading.Event()  # something was answered since the last kill

    def patient(browser: bots.Http) -> bots.Http:
        def http(path: str, form: Any = None, data: Any = None) -> bots.Reply:
            while True:  # as the page does
                with contextlib.suppress(SurveyError):
                    reply = browser(path, form=form, data=data)
                    if reply.status < 500:
                        if path.endswith("/answer") and reply.status == 200:
                            answer = acknowledged.setdefault((path.split("/")[2], data["trial"]), data["answer"])
                            assert answer == data["answer"]
                            answering.set()
                        return reply
                time.sleep(0.05)

        return http

    def one(seed: int) -> None:
        rng = np.random.default_rng(seed)
        while not over.is_set():  # one study after the other until the last kill
            with _remote(f"http://127.0.0.1:{port}")() as browser:
                bots.take_part(patient(browser), offered, bots.Observer(), known, rng)

    workers = [] if kind == "sqlite" else ["--workers", "2"]
    chance = random.Random(kills)
    with restarted(workspace.root, workspace.root / "log", "--port", str(port), *workers) as latest:
        threads = [threading.Thread(target=one, args=(seed,)) for seed in range(people)]
        for thread in threads:
            thread.start()
        while len(killed) < kills:
            assert answering.wait(120)
            time.sleep(chance.random() * 0.3)
            while latest() in killed:  # not started again yet
                time.sleep(0.05)
            killed.append(latest())
            os.killpg(killed[-1], signal.SIGKILL)
            answering.clear()
        over.set()
        for thread in threads:
            thread.join()
    assert len(set(killed)) == kills
    with Database(workspace.database_url).read() as session:
        rows = session.execute(
            text("SELECT p.token, t.position, t.answer FROM trial t JOIN participant p ON p.id = t.participant_id")
        ).all()
        stored = {(token, position): answer for token, position, answer in rows}
        assert len(stored) == len(rows)  # none is there twice
        assert acknowledged == {key: stored[key] for key in acknowledged}
        states = session.execute(text("SELECT state, COUNT(*) FROM participant GROUP BY state")).all()
        shown = session.execute(text("SELECT SUM(shown_simulated) FROM stimulus")).scalar()
        if kind == "sqlite":
            assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    print(f"{kind}: {len(killed)} kills, {len(acknowledged)} answers acknowledged, {dict(map(tuple, states))}")
    assert shown == len(rows)


def ask(url: str, form: bytes | None = None, body: bytes | None = None) -> tuple[int, float, str]:
    """Status, seconds and body of a request as a browser sends it; redirects are not followed."""

    class Stays(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    headers = {"Accept": "text/html"} | ({"Content-Type": "application/json"} if body else {})
    began = time.monotonic()
    try:
        with urllib.request.build_opener(Stays).open(urllib.request.Request(url, form or body, headers)) as reply:
            status, page = reply.status, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            status, page = error.code, error.headers.get("Location", "").encode() or error.read()
    return status, time.monotonic() - began, page.decode(errors="replace")


@pytest.mark.slow
def test_while_the_database_is_locked_for_ten_seconds_pages_come_and_then_all_is_saved(
    workspace: Workspace, kind: str, study: str
) -> None:
    """With 12 people who answer and 8 threads: reads within 3 s, writes within 8 s, though the machine is loaded."""
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    workers = [] if kind == "sqlite" else ["--workers", "1"]
    with served(workspace, port, *workers):
        homes = [base + ask(f"{base}/study/{study}/enter", b"consent=yes")[2] for _ in range(13)]
        writes: list[tuple[int, float]] = []
        saved = [threading.Event() for _ in homes[1:]]

        def answer(home: str, done: threading.Event) -> None:
            sent = json.dumps(ANSWER).encode()
            while not done.is_set():
                status, seconds, _ = ask(f"{home}answer", body=sent)
                writes.append((status, seconds))
                if status == 200:
                    done.set()
                time.sleep(0.3)

        threads = [threading.Thread(target=answer, args=pair) for pair in zip(homes[1:], saved, strict=True)]
        reads = []
        with Database(workspace.database_url).write() as session:
            session.connection()
            if kind == "postgresql":
                session.execute(text("LOCK TABLE participant IN EXCLUSIVE MODE"))
            began = time.monotonic()
            for thread in threads:
                thread.start()
            time.sleep(0.5)
            while time.monotonic() - began < 10:
                reads += [ask(f"{homes[0]}next"), ask(homes[0]), ask(f"{base}/study/{study}/")]
                time.sleep(0.1)
            status, seconds, page = ask(f"{homes[0]}questions", b"a=b")
        for thread in threads:
            thread.join()
    assert {one[0] for one in reads} == {200}
    print(f"{kind}: {len(reads)} reads, slowest {max(one[1] for one in reads):.1f} s; "
          f"{len(writes)} writes, slowest {max(one[1] for one in writes):.1f} s")  # fmt: skip
    assert max(one[1] for one in reads) < 3
    assert max(one[1] for one in writes) < 8
    assert {one[0] for one in writes} == {200, 503}
    assert (status, "One moment, please" in page) == (503, True)
    assert seconds < 8
    with Database(workspace.database_url).read() as session:
        assert session.execute(text("SELECT COUNT(*) FROM responses")).scalar() == 12


@pytest.fixture
def disk(tmp_path: Path, workspace: Workspace, study: str) -> Iterator[Workspace]:
    """The workspace on a disk of 8 MB, as root may mount it."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", str(place)], check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        shutil.copytree(workspace.root, place / "workspace")
        yield Workspace.at(place / "workspace")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_full_disk_is_reported_and_the_survey_continues_after_it(disk: Workspace, study: str) -> None:
    base = f"http://127.0.0.1:{(port := free_port())}"
    filler = disk.root / "filler"
    with served(disk, port):
        home = base + ask(f"{base}/study/{study}/enter", b"consent=yes")[2]
        with contextlib.suppress(OSError), filler.open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        replies = [ask(f"{base}/study/{study}/enter", b"consent=yes") for _ in range(40)]  # until the log is full, too
        assert ask(f"{home}next")[0] == 200
        filler.unlink()
        assert ask(f"{base}/study/{study}/enter", b"consent=yes")[0] == 303
    saved = [status for status, _, _ in replies].count(303)
    refused = [reply for reply in replies if reply[0] != 303]
    assert {(status, "One moment, please" in page) for status, _, page in refused} == {(503, True)}
    assert max(seconds for _, seconds, _ in refused) < 8
    with Database(disk.database_url).read() as session:
        assert session.execute(text("SELECT COUNT(*) FROM participants")).scalar() == saved + 2
        assert session.execute(text("PRAGMA integrity_check")).scalar() == "ok"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_read_only_folder_is_one_sentence_and_serves_again_once_it_is_writable(
    disk: Workspace, study: str, capfd: pytest.CaptureFixture[str]
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk.root.parent)], check=True)
    for command in (["serve", "--port", str(free_port())], ["load", "--all"], ["forget", "--expired"], ["export"]):
        capfd.readouterr()
        assert cli.main([*command, "--workspace", str(disk.root)]) == 2, command
        said = capfd.readouterr().err
        assert said.count("\n") == 1, said
        assert "read-only" in said.lower() or "cannot be opened" in said, said
    subprocess.run(["mount", "-o", "remount,rw", str(disk.root.parent)], check=True)
    with served(disk, port := free_port()):
        assert ask(f"http://127.0.0.1:{port}/study/{study}/enter", b"consent=yes")[0] == 303
