"""Accessibility: axe-core finds nothing on any page, in any language, on a desktop or a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Server, answering, enter, follow, screenshots

pytestmark = pytest.mark.browser

STUDY = """
exposure_ms = [1200, 1200]
fixation_ms = 1200
practice = 1
contact = "study@example.org"
[trials]
count = 2
block = 1
[completion]
code = "C0DE2026"
url = "https://example.org/complete?cc={code}"
"""
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
ZOOMED = {"viewport": {"width": 320, "height": 256}}  # 400 % of 1280 x 1024, as WCAG 1.4.10 has it
ON_ITS_SIDE = {"viewport": {"width": 844, "height": 390}, "has_touch": True, "is_mobile": True}
SMALL = [(320, 256), (480, 470), (400, 400), (360, 330), (300, 260), (568, 320), (640, 479), (844, 390), (320, 480)]
OVERLAP = """() => {
  const [a, b] = ["resume", "prompt"].map((id) => document.getElementById(id).getBoundingClientRect());
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}"""


def inspect(page: Page, name: str) -> None:
    if (picture := screenshots(name)) is not None:
        page.screenshot(path=picture)
    found = Axe().run(
        page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    )
    assert found.violations_count == 0, f"{name}: {found.generate_report()}"
    width = page.viewport_size["width"] if page.viewport_size else 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is wider than its window"


@pytest.mark.parametrize(
    ("device", "language"),
    [
        ("desktop", "en"),
        ("zoomed", "de"),
        pytest.param("phone", "de", marks=pytest.mark.slow),
        pytest.param("side", "fr", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing_on_any_page(
    browser: Browser, serve: Callable[..., Server], device: str, language: str
) -> None:
    server = serve(STUDY)
    options = {"desktop": DESKTOP, "phone": PHONE, "side": ON_ITS_SIDE, "zoomed": ZOOMED}[device]
    context = browser.new_context(**options, locale=language, reduced_motion="reduce")
    page = context.new_page()
    page.goto(server.url)
    inspect(page, f"{device}-{language}-consent")
    page.check("#consent")
    for name in ("questions", "device", "instructions"):
        follow(page, "#continue")
        page.wait_for_selector(
            {"questions": "fieldset", "device": "#check-frames.good, #check-frames.bad", "instructions": "#begin"}[name]
        )
        inspect(page, f"{device}-{language}-{name}")
        assert page.is_visible("#leave")
    page.click("#begin")
    for i in range(3):
        if i == 2:
            page.wait_for_selector("#pause:not([hidden])")
            inspect(page, f"{device}-{language}-pause")
            assert not page.evaluate(OVERLAP)
            page.click("#resume")
        if i == 1:
            page.wait_for_selector("body[data-phase=fixation]")
            inspect(page, f"{device}-{language}-fixation")
            assert page.is_hidden("#leave")
        if i == 2 and (picture := screenshots(f"{device}-{language}-stimulus")):
            page.wait_for_selector("body[data-phase=stimulus]")
            page.screenshot(path=picture)
        page.wait_for_selector("body[data-phase=answer]")
        if i == 1:
            inspect(page, f"{device}-{language}-answer")
        with answering(page):
            page.click("#answer-real")
    page.wait_for_selector("body[data-phase=done]")
    inspect(page, f"{device}-{language}-thanks")
    assert page.is_visible("#leave")
    follow(page, "#finish")
    inspect(page, f"{device}-{language}-debrief")
    follow(page, "#withdraw")
    inspect(page, f"{device}-{language}-withdraw")
    page.goto(f"{server.url}/nothing")
    inspect(page, f"{device}-{language}-error")
    page.goto(server.url)
    follow(page, "button[value=no]")
    inspect(page, f"{device}-{language}-no-consent")
    context.close()


PARTS = """() => ["frame", "prompt", "answer-real", "answer-generated", "progress"].map((id) => {
  const part = document.getElementById(id), box = part.getBoundingClientRect();
  return [id, box.left, box.top, box.right, box.bottom, part.scrollWidth - part.clientWidth]; })"""


@pytest.mark.parametrize("language", ["en", "de", "fr"])
def test_a_trial_fits_into_every_window_with_nothing_over_anything(
    browser: Browser, serve: Callable[..., Server], language: str
) -> None:
    server = serve('mode = "unlimited"\nquestions = []\npractice = 1\n[trials]\ncount = 2\n')
    context = browser.new_context(locale=language)
    page = context.new_page()
    enter(page, server.url)
    page.click("#begin")
    page.wait_for_selector("body[data-phase=stimulus]")
    for width, height in SMALL:
        page.set_viewport_size({"width": width, "height": height})
        if (picture := screenshots(f"small-{width}-{height}-{language}")) is not None:
            page.screenshot(path=picture)
        parts = page.evaluate(PARTS)
        for name, left, top, right, bottom, hidden in parts:
            assert left >= 0 and top >= 0 and right <= width and bottom <= height, (name, width, height)  # noqa: PT018
            assert hidden <= 0, (name, width, height)
        for i, (one, left, top, right, bottom, _) in enumerate(parts):
            for other, left2, top2, right2, bottom2, _ in parts[i + 1 :]:
                apart = right <= left2 or right2 <= left or bottom <= top2 or bottom2 <= top
                assert apart, (one, other, width, height)
        assert parts[0][3] - parts[0][1] >= min(width, height) / 2.2, (width, height)  # the image is not tiny
    context.close()


def test_the_pages_can_be_used_by_keyboard_alone(page: Page, serve: Callable[..., Server]) -> None:
    server = serve("questions = []\nexposure_ms = [50, 50]\nfixation_ms = 100\npractice = 0\n[trials]\ncount = 2\n")

    def reach(selector: str) -> None:
        for _ in range(20):
            if page.evaluate("(selector) => document.activeElement?.matches(selector)", selector):
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{selector} cannot be reached")

    page.goto(server.url)
    reach("#consent")
    page.keyboard.press("Space")
    reach("#continue")
    page.keyboard.press("Enter")
    page.wait_for_url("**/p/*/")
    reach("#continue")  # the device check
    page.keyboard.press("Enter")
    page.wait_for_selector("#begin")
    reach("#begin")
    page.keyboard.press("Enter")
    for selector in ("#answer-real", "#answer-generated"):  # the buttons can be pressed, too
        page.wait_for_selector("body[data-phase=answer]")
        reach(selector)
        with answering(page):
            page.keyboard.press("Enter")
    page.wait_for_selector("body[data-phase=done]")
    reach("#comment")
    page.keyboard.type("fj")
    assert page.input_value("#comment") == "fj"
    reach("#finish")
    page.keyboard.press("Enter")
    page.wait_for_selector(".score")
