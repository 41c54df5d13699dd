"""A study of each task in a real browser, answered by keyboard; axe-core finds nothing on its pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from study_app import cli
from tests.browser.conftest import QUICK, Server, answering, enter
from tests.browser.test_pages import inspect
from tests.browser.test_survey import rows

pytestmark = pytest.mark.browser


def study(server: Server, slug: str, toml: str) -> str:
    """Load another study of the served sets; returns its address."""
    path = server.workspace.root / f"{slug}.toml"
    path.write_text(f'slug = "{slug}"\nquestions = []\npractice = 0\n{QUICK}{toml}[trials]\ncount = 2\n')
    assert cli.main(["load", str(path)]) == 0
    return f"{server.url}/study/{slug}/"


def walk(page: Page, url: str, presses: dict[str, Callable[[int], list[str]]]) -> None:
    """Take both trials of a study: in each of its phases that `presses` names, press these keys."""
    enter(page, url)
    inspect(page, "instructions")
    page.click("#begin")
    for trial in range(2):
        for phase, keys in presses.items():
            with answering(page, phase):
                if trial == 0:
                    inspect(page, phase)
                for key in keys(trial):
                    page.keyboard.press(key)
    page.wait_for_selector("body[data-phase=done]")


def of(server: Server, slug: str) -> list[dict[str, Any]]:
    return rows(server, f"SELECT * FROM responses WHERE study = '{slug}' ORDER BY position")


def test_a_study_of_each_task_can_be_taken_by_keyboard(page: Page, serve: Callable[..., Server]) -> None:
    server = serve()
    sets = 'sets = [{ name = "alpha" }]\n'
    url = study(server, "rating", f'task = "rating"\n{sets}')
    walk(page, url, {"answer": lambda i: [["5"], ["ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter"]][i]})
    assert [(row["rating"], row["answer"], row["answered_by"]) for row in of(server, "rating")] == [
        (5, "generated", "key"), (4, "generated", "other"),
    ]  # fmt: skip
    url = study(server, "sure", f"confidence = true\n{sets}")
    walk(page, url, {"answer": lambda i: ["fj"[i]], "confidence": lambda i: ["41"[i]]})
    assert [(row["answer"], row["confidence"]) for row in of(server, "sure")] == [("real", 4), ("generated", 1)]
