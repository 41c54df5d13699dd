"""The server is killed with SIGKILL again and again during a study, and replies break off half way: no answer is lost
or stored twice, and the page continues."""

from __future__ import annotations

import os
import random
import re
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest
from playwright.sync_api import Page, Request

from tests.browser.conftest import QUICK, Server, answer_all, enter
from tests.browser.test_survey import rows
from tests.restarting import restarted

pytestmark = pytest.mark.browser

# Answers a moment after being asked, now this, now that.
ANSWER = """
addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  if (document.body.dataset.phase !== "answer") return;
  const which = Math.random() < 0.5 ? "answer-real" : "answer-generated";
  setTimeout(() => document.getElementById(which).click(), 30);
}).observe(document.body, { attributes: true, attributeFilter: ["data-phase"] }));
"""


class Breaking(BaseHTTPRequestHandler):
    """A proxy to `upstream` that cuts off the first reply at each address of the trials half way."""

    upstream = ""
    broken: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self._pass_on(None)

    def do_POST(self) -> None:
        self._pass_on(self.rfile.read(int(self.headers["Content-Length"])))

    def _pass_on(self, body: bytes | None) -> None:
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        request = urllib.request.Request(self.upstream + self.path, body, headers, method=self.command)
        try:
            reply = urllib.request.build_opener(StaysHere).open(request)
        except urllib.error.HTTPError as error:
            reply = error
        content = reply.read()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.end_headers()
        part = re.search(r"/(answer|next|begin|practice/|image/.*|practice/image/.*)$", self.path)
        if part and self.path not in self.broken:
            self.broken.append(self.path)
            content = content[: len(content) // 2]
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


class StaysHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


def test_a_reply_that_breaks_off_half_way_is_asked_for_again(page: Page, serve: Callable[..., Server]) -> None:
    server = serve(QUICK + "[trials]\ncount = 4\n")
    Breaking.upstream, Breaking.broken = server.url, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Breaking) as between:
        threading.Thread(target=between.serve_forever).start()
        try:
            enter(page, f"http://127.0.0.1:{between.server_port}")
            page.click("#begin")
            assert answer_all(page) == 2 + 4
            page.wait_for_function("window.__done")
            assert len(page.evaluate("window.__result")) == 4
        finally:
            between.shutdown()
    assert sum("/image/" in path for path in Breaking.broken) == 2 + 4
    assert {path.rsplit("/", 1)[1] for path in Breaking.broken} >= {"answer", "next", "begin"}
    assert [row["position"] for row in rows(server)] == [1, 2, 3, 4]


@pytest.mark.parametrize(("kills", "trials", "least"), [(5, 20, 15), pytest.param(20, 60, 50, marks=pytest.mark.slow)])
def test_no_acknowledged_answer_is_lost_however_often_the_server_is_killed(
    page: Page, serve: Callable[..., Server], kills: int, trials: int, least: int
) -> None:
    server = serve(QUICK + f"practice = 0\n[trials]\ncount = {trials}\n", count=30)
    chance = random.Random(1)
    killed: list[int] = []
    served: set[int] = set()  # the processes that have answered something: one that only starts is not worth a kill
    acknowledged: dict[int, dict[str, object]] = {}
    server.kill()
    with restarted(server.workspace.root, server.log, "--port", str(server.port)) as latest:
        server.wait()

        def kill(*_: object) -> None:
            if len(killed) < kills and latest() not in killed and latest() in served:
                killed.append(latest())
                os.kill(killed[-1], signal.SIGKILL)

        def asked(request: Request) -> None:
            if request.url.endswith("/answer") and chance.random() < 0.35:
                time.sleep(chance.random() * 0.02)  # anywhere between its arrival and its acknowledgement
                kill()

        def answered(request: Request) -> None:
            served.add(latest())
            if request.url.endswith("/answer") and (response := request.response()) and response.status == 200:
                body = request.post_data_json
                assert acknowledged.setdefault(body["trial"], body) == body

        page.add_init_script(ANSWER)
        enter(page, server.url)
        page.on("request", asked)
        page.on("requestfinished", answered)
        page.click("#begin")
        deadline = time.monotonic() + 200
        while page.evaluate("document.body.dataset.phase") != "done" and time.monotonic() < deadline:
            page.wait_for_timeout(chance.randrange(100, 400))
            kill()  # at any other time
        assert page.evaluate("document.body.dataset.phase") == "done", page.inner_text("#prompt")
    assert len(killed) == kills
    stored = rows(server)
    assert [row["position"] for row in stored] == list(range(1, trials + 1))
    assert len(acknowledged) >= least  # the rest was stored, but its 200 never arrived, or arrived unseen
    for row in stored:
        if body := acknowledged.get(int(str(row["position"]))):
            assert (row["answer"], row["exposure_ms_actual"], row["response_time_ms"]) == (
                body["answer"], body["exposure_ms"], body["response_time_ms"],
            )  # fmt: skip
    assert not any("shown-again" in str(row["flags"]) for row in stored)
