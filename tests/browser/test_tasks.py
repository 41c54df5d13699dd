"""A study of each task in a real browser, answered by keyboard; axe-core finds nothing on its pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page

from study_app import cli
from tests.browser.conftest import QUICK, Server, answer_all, answering, enter
from tests.browser.test_pages import inspect
from tests.browser.test_survey import rows

pytestmark = pytest.mark.browser


DARK = """() => {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  context.drawImage(document.getElementById("stimulus"), 0, 0);
  const colours = context.getImageData(0, 0, 40, 40).data.filter((_, i) => i % 4 < 3);
  return colours.reduce((a, b) => a + b) < 125 * colours.length;
}"""


def study(server: Server, slug: str, toml: str) -> str:
    """Load another study of the served sets; returns its address."""
    path = server.workspace.root / f"{slug}.toml"
    practice = "" if "practice" in toml else "practice = 0\n"
    path.write_text(f'slug = "{slug}"\nquestions = []\n{practice}{QUICK}{toml}[trials]\ncount = 2\n')
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


SETS = 'sets = [{ name = "alpha" }]\n'


def test_a_rating_is_a_number_or_the_button_that_the_arrows_reach(page: Page, serve: Callable[..., Server]) -> None:
    server = serve()
    url = study(server, "rating", f'task = "rating"\n{SETS}')
    walk(page, url, {"answer": lambda i: [["5"], ["ArrowLeft", "ArrowLeft", "ArrowLeft", "Enter"]][i]})
    assert [(row["rating"], row["answer"], row["answered_by"]) for row in of(server, "rating")] == [
        (5, "generated", "key"), (4, "generated", "other"),
    ]  # fmt: skip


def test_confidence_is_asked_for_after_each_answer(page: Page, serve: Callable[..., Server]) -> None:
    server = serve()
    url = study(server, "sure", f"confidence = true\n{SETS}")
    walk(page, url, {"answer": lambda i: ["fj"[i]], "confidence": lambda i: ["41"[i]]})
    assert [(row["answer"], row["confidence"]) for row in of(server, "sure")] == [("real", 4), ("generated", 1)]


@pytest.mark.parametrize("layout", ["side-by-side", "in-sequence"])
def test_of_a_pair_the_first_or_the_second_is_real(page: Page, serve: Callable[..., Server], layout: str) -> None:
    server = serve()
    walk(page, study(server, layout, f'task = "pair"\npair = "{layout}"\n{SETS}'), {"answer": lambda i: ["fj"[i]]})
    found = of(server, layout)
    assert [row["answer"] for row in found] == ["real", "generated"]  # the first is real; the second
    for row in found:
        assert not {"not-fetched", "not-begun", "too-fast"} & set(row["flags"].split())
        assert (row["second_exposure_ms"] is None) == (layout == "side-by-side")
        for exposure in (row["exposure_ms_actual"], row["second_exposure_ms"] or row["exposure_ms_planned"]):
            assert abs(exposure - row["exposure_ms_planned"]) < 100 or "exposure" in row["flags"]


def test_arrow_keys_mark_the_place_that_decided_the_answer(page: Page, serve: Callable[..., Server]) -> None:
    server = serve()
    url = study(server, "point", f'why = "click"\ntask = "pair"\npair = "in-sequence"\n{SETS}')
    arrows = ["ArrowRight"] * 6 + ["ArrowUp"] * 12 + ["Enter"]
    walk(page, url, {"answer": lambda i: ["fj"[i]], "why": lambda i: [arrows, ["Enter"]][i]})
    assert [(row["why_x"], row["why_y"]) for row in of(server, "point")] == [(36, 0), (None, None)]


def test_the_reason_is_given_in_words_or_not_at_all(page: Page, serve: Callable[..., Server]) -> None:
    server = serve()
    url = study(server, "words", f'why = "text"\n{SETS}')
    walk(page, url, {"answer": lambda i: ["fj"[i]], "why": lambda i: [["f", "j", "Tab", "Enter"], ["Tab", "Enter"]][i]})
    assert [row["why"] for row in of(server, "words")] == ["fj", None]


def test_after_a_practice_trial_the_page_says_what_the_image_was(page: Page, serve: Callable[..., Server]) -> None:
    url = study(serve(), "taught", f"practice = 1\nfeedback = true\n{SETS}")
    enter(page, url)
    page.click("#begin")
    with answering(page):
        page.keyboard.press("f")
    with answering(page, "feedback"):
        inspect(page, "feedback")
        dark = page.evaluate(DARK)
        right, real = ("Right" in page.inner_text("#prompt"), "is real" in page.inner_text("#prompt"))
        assert right == real == dark  # the answer was 'real'; real images are dark
        page.keyboard.press("Enter")
    answer_all(page)


def test_a_question_not_answered_in_time_has_no_answer(page: Page, serve: Callable[..., Server]) -> None:
    server = serve()
    walk(page, study(server, "late", f"answer_ms = 300\n{SETS}"), {})  # pressing nothing
    assert [(row["answer"], row["response_time_ms"], row["answered_by"]) for row in of(server, "late")] == [
        (None, None, None), (None, None, None),
    ]  # fmt: skip
