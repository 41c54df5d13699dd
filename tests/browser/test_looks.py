"""The appearance of pages and what they keep: forced colours, empty choices, another language."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page

from tests.browser.conftest import QUICK, Server, answer_all, answering, enter, follow
from tests.browser.test_survey import rows, shown_as_planned

pytestmark = pytest.mark.browser


def pixels(page: Page, selector: str) -> np.ndarray:
    """The element as it is on the screen, (H, W, 3)."""
    return np.asarray(Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB"))


def test_another_language_keeps_what_was_ticked_and_written(page: Page, serve: Callable[..., Server]) -> None:
    server = serve(
        '[[questions]]\nkey = "one"\ntext = "One?"\noptions = ["a", "b"]\n[[questions]]\nkey = "two"\ntext = "Two?"\n'
    )
    page.goto(server.url)
    page.check("#consent")
    follow(page, "a[hreflang=de]")
    page.wait_for_selector("html[lang=de]")
    assert page.is_checked("#consent")
    follow(page, "#continue")
    empty = pixels(page, "input[type=radio]")[9:13, 9:13].reshape(-1, 3)
    assert (empty == pixels(page, "fieldset")[0, -1]).all()  # the card shows through
    page.check("input[name=one][value='1']")
    page.fill("#q-two", "écrit")
    follow(page, "a[hreflang=fr]")
    page.wait_for_selector("html[lang=fr]")
    assert page.is_checked("input[name=one][value='1']")
    follow(page, "#continue")
    page.wait_for_selector("#check-size")
    (person,) = rows(server, "SELECT questionnaire, language FROM participants")
    assert person["language"] == "fr"
    assert '"b"' in str(person["questionnaire"])
    assert "crit" in str(person["questionnaire"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_to_read_follow_the_systems_colours_and_trials_are_grey(
    browser: Browser, serve: Callable[..., Server], scheme: Literal["light", "dark"]
) -> None:
    server = serve("practice = 0\n[trials]\ncount = 2\n")
    page = browser.new_context(locale="en-GB", color_scheme=scheme, reduced_motion="no-preference").new_page()
    enter(page, server.url)
    page.evaluate(NOTE_FIXATION)
    read = pixels(page, "#instructions")[3, 20].mean()
    assert read > 240 if scheme == "light" else read < 45
    page.click("#begin")
    page.wait_for_selector("body:not([data-phase=ready])")  # fixation may be over before a busy machine looks
    assert page.evaluate("window.noted") == ["rgb(128, 128, 128)", 0]
    page.context.close()


# The page's colour in the moment in which the first trial begins, and how many transitions run then.
NOTE_FIXATION = """() => { new MutationObserver(() => { window.noted ??= [
  getComputedStyle(document.body).backgroundColor,
  document.getAnimations().filter((one) => one instanceof CSSTransition).length,
]; }).observe(document.body, { attributes: true, attributeFilter: ["data-phase"] }); }"""


def test_the_trials_are_on_the_full_screen_and_as_large_as_the_bank_card_says(
    page: Page, serve: Callable[..., Server]
) -> None:
    server = serve(QUICK + "questions = []\npractice = 0\ncalibration = true\nfullscreen = true\n[trials]\ncount = 3\n")
    page.goto(server.url)
    page.check("#consent")
    follow(page, "#continue")
    page.focus("#size")
    page.keyboard.press("ArrowRight")
    follow(page, "#continue")
    page.click("#begin")
    for left in (False, True, False):
        if left:
            page.wait_for_selector("#pause:not([hidden])")  # asks to return before the next image
            page.click("#resume")
        page.wait_for_selector("body[data-phase=answer]")
        assert page.evaluate("document.fullscreenElement !== null")
        with answering(page):
            if page.evaluate("window.__result.length") == 0:
                page.evaluate("document.exitFullscreen()")
            page.keyboard.press("f")
    page.wait_for_selector("body[data-phase=done]")
    stored = rows(server)
    assert [row["image_mm"] for row in stored] == pytest.approx([90] * 3, abs=0.1)
    assert [set(str(row["flags"]).split()) & {"not-fullscreen", "resized"} for row in stored] == [set()] * 3


def test_forced_colours_and_reduced_motion_change_nothing_in_a_trial(
    browser: Browser, serve: Callable[..., Server]
) -> None:
    server = serve("exposure_ms = [300, 300]\nfixation_ms = 1500\npractice = 0\n[trials]\ncount = 2\n")
    context = browser.new_context(locale="en-GB", forced_colors="active", reduced_motion="reduce", color_scheme="dark")
    page = context.new_page()
    enter(page, server.url)
    page.click("#begin")
    assert page.evaluate("document.getAnimations().length") == 0  # no fade, but the same time to adapt
    page.wait_for_selector("body[data-phase=fixation]")
    frame = pixels(page, "#frame")
    assert (frame[0, 0] == 128).all()
    assert (frame[frame.shape[0] // 2, frame.shape[1] // 2] < 20).all()  # the cross
    assert answer_all(page) == 2
    assert all(shown_as_planned(row) for row in rows(server))
    context.close()
