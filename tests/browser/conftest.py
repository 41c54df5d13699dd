"""A real Chromium, a real server, and a participant who goes through the pages as the contract describes them."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, sync_playwright

from glimpse.workspace import Workspace
from study_app import cli
from tests.study_app.conftest import publish

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HEADLESS = shutil.which("chromium-headless-shell") or CHROMIUM  # the same pages for half of the processor time
# Servers are forked from one process that has imported what they need, which takes two seconds of processor time.
PROCESSES = multiprocessing.get_context(
    "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else None
)
if hasattr(PROCESSES, "set_forkserver_preload"):
    PROCESSES.set_forkserver_preload(["study_app.participant.pages", "study_app.experimenter.admin", "waitress"])
QUICK = "exposure_ms = [50, 80]\nfixation_ms = 100\n"  # for what is not about timing


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    if HEADLESS is None and os.environ.get("GLIMPSE_REQUIRE_BROWSER") != "1":
        pytest.skip("no browser here: install Debian's package chromium to run the browser tests")
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    yield from launched(playwright, HEADLESS)


def launched(playwright: Playwright, program: str | None) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
    new_context = browser.new_context

    def patient(**options: Any) -> BrowserContext:
        context = new_context(**options)
        context.set_default_timeout(120_000)  # ms: the machine may be busy with other things
        return context

    browser.new_context = patient  # type: ignore[method-assign]
    yield browser
    browser.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page in English whose scripts may not fail."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1000, "height": 760})
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    yield page
    context.close()
    assert wrong == []


def run(root: Path, port: int, log: Path) -> None:
    """`study_app serve` in a process of its own."""
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.environ["GLIMPSE_WORKSPACE"] = str(root)
    cli.main(["serve", "--port", str(port)])


class Server:
    """`study_app serve` as a separate process, which can be killed and started again on the same port."""

    def __init__(self, workspace: Workspace) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.workspace = workspace
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = workspace.root / "serve.log"
        self.start()

    def start(self) -> None:
        self.process = PROCESSES.Process(target=run, args=(self.workspace.root, self.port, self.log), daemon=True)
        self.process.start()

    def wait(self) -> None:
        for _ in range(1200):  # a minute: the machine may be busy with other things
            with contextlib.suppress(OSError):
                urllib.request.urlopen(self.url, timeout=5).close()
                return
            time.sleep(0.05)
        raise AssertionError(f"the server does not answer: {self.log.read_text()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


@pytest.fixture
def serve(workspace: Workspace) -> Iterator[Callable[[str], Server]]:
    """`serve(toml)` publishes two small sets, loads a study of them and serves it."""
    servers = []

    def serve(toml: str = "", *, count: int = 20) -> Server:
        for name in ("alpha", "beta"):
            publish(workspace, name, count=count, size=48)
        path = workspace.root / "study.toml"
        path.write_text(f'slug = "pilot"\nsets = [{{ name = "alpha" }}, {{ name = "beta" }}]\n{toml}')
        assert cli.main(["load", str(path)]) == 0
        servers.append(Server(workspace))
        servers[-1].wait()
        return servers[-1]

    yield serve
    for server in servers:
        server.kill()


def follow(page: Page, selector: str) -> None:
    """Click an element that leads to another page, and wait for that page: a click alone does not wait."""
    with page.expect_navigation():
        page.click(selector)


def enter(page: Page, url: str) -> None:
    """From the first page to the one with #begin, filling in nothing but the consent."""
    page.goto(url)
    page.check("#consent")
    follow(page, "#continue")
    page.wait_for_url("**/p/*/")
    while page.query_selector("#begin") is None:
        follow(page, "#continue")


# Between two questions there may be a tenth of a second: a page that is asked now and then would miss it.
LEAVES = """(phase) => { window.left = new Promise((resolve) => new MutationObserver((_, observer) => {
  if (document.body.dataset.phase === phase) return;
  observer.disconnect();
  resolve();
}).observe(document.body, { attributes: true })); }"""


@contextlib.contextmanager
def answering(page: Page, phase: str = "answer") -> Iterator[None]:
    """For the block that answers: waits for the question before it, and until the answer is taken after it."""
    page.wait_for_selector(f"body[data-phase={phase}]")
    page.evaluate(LEAVES, phase)
    yield
    page.evaluate("window.left")


def answer_all(page: Page, choose: Callable[[int], str] = lambda i: "fj"[i % 2]) -> int:
    """Answer every trial by key until all answers are saved; returns their number."""
    count = 0
    while True:
        page.wait_for_selector("body[data-phase=answer], body[data-phase=done]")
        if page.evaluate("document.body.dataset.phase") == "done":
            return count
        with answering(page):
            page.keyboard.press(choose(count))
        count += 1


def screenshots(name: str) -> Path | None:
    """The path for a picture of a page, if `$GLIMPSE_SCREENSHOTS` names a folder for them."""
    folder = os.environ.get("GLIMPSE_SCREENSHOTS")
    return Path(folder) / f"{name}.png" if folder else None
