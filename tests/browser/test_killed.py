"""The server is killed with SIGKILL twenty times in the middle of a study: no answer is lost or doubled."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, Request

from tests.browser.conftest import QUICK, Server, enter
from tests.browser.test_survey import rows

pytestmark = pytest.mark.browser

# Starts the server again whenever it has died, in a process forked from one that has everything imported: so twenty
# starts take seconds. Prints the process ID of each.
RESTARTER = """
import os, sys
import alembic.command, alembic.script, waitress
from study_app import admin, cli, pages, people, trials
while True:
    child = os.fork()
    if child == 0:
        os.dup2(2, 1)
        os._exit(cli.main(["serve", "--port", sys.argv[1]]))
    print(child, flush=True)
    os.waitpid(child, 0)
"""
# Answers a moment after being asked, now this, now that.
ANSWER = """
addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  if (document.body.dataset.phase !== "answer") return;
  const which = Math.random() < 0.5 ? "answer-real" : "answer-generated";
  setTimeout(() => document.getElementById(which).click(), 30);
}).observe(document.body, { attributes: true, attributeFilter: ["data-phase"] }));
"""


@contextmanager
def restarter(server: Server) -> Iterator[Callable[[], int]]:
    """Serves in the place of `server`, and again after each death; yields a function that tells the process of now."""
    server.kill()
    environment = {**os.environ, "GLIMPSE_WORKSPACE": str(server.workspace.root)}
    command = [sys.executable, "-c", RESTARTER, str(server.port)]
    with open(server.log, "ab") as log:
        parent = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
    assert parent.stdout is not None
    pids = [int(parent.stdout.readline())]
    os.set_blocking(parent.stdout.fileno(), False)

    def latest() -> int:
        while line := parent.stdout.readline():  # type: ignore[union-attr]
            pids.append(int(line))
        return pids[-1]

    try:
        yield latest
    finally:
        parent.kill()
        parent.wait()
        os.kill(latest(), signal.SIGKILL)
        parent.stdout.close()


def test_no_acknowledged_answer_is_lost_when_the_server_is_killed_twenty_times(
    page: Page, serve: Callable[..., Server]
) -> None:
    server = serve(QUICK + "practice = 0\n[trials]\ncount = 60\n", count=30)
    chance = random.Random(1)
    killed: list[int] = []
    acknowledged: dict[int, dict[str, object]] = {}
    with restarter(server) as latest:
        server.wait()

        def kill(*_: object) -> None:
            if len(killed) < 20 and latest() not in killed:
                killed.append(latest())
                os.kill(killed[-1], signal.SIGKILL)

        def asked(request: Request) -> None:
            if request.url.endswith("/answer") and chance.random() < 0.35:
                time.sleep(chance.random() * 0.02)  # anywhere between its arrival and its acknowledgement
                kill()

        def answered(request: Request) -> None:
            if request.url.endswith("/answer") and (response := request.response()) and response.status == 200:
                body = request.post_data_json
                assert acknowledged.setdefault(body["trial"], body) == body

        page.add_init_script(ANSWER)
        enter(page, server.url)
        page.on("request", asked)
        page.on("requestfinished", answered)
        page.click("#begin")
        deadline = time.monotonic() + 120
        while page.evaluate("document.body.dataset.phase") != "done" and time.monotonic() < deadline:
            page.wait_for_timeout(chance.randrange(100, 400))
            kill()  # at any other time
        page.wait_for_selector("body[data-phase=done]")
    assert len(killed) == 20
    stored = rows(server)
    assert [row["position"] for row in stored] == list(range(1, 61))
    assert len(acknowledged) >= 50  # the rest was stored, but its 200 never arrived, or arrived unseen
    for row in stored:
        if body := acknowledged.get(int(str(row["position"]))):
            assert (row["answer"], row["exposure_ms_actual"], row["response_time_ms"]) == (
                body["answer"], body["exposure_ms"], body["response_time_ms"],
            )  # fmt: skip
    assert not any("shown-again" in str(row["flags"]) for row in stored)
