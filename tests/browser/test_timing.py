"""The page's own report of its timing, against Chromium's trace of its frames and the input events' own stamps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, Playwright

from benchmarks.exposure.run import ANSWER, FRAME_MS, exposures_in, trace
from tests.browser.conftest import CHROMIUM, Server, answer_all, enter, launched
from tests.browser.test_survey import rows

pytestmark = pytest.mark.browser
STUDY = "exposure_ms = [250, 500]\nfixation_ms = 200\npractice = 0\n[trials]\ncount = 12\n"


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    """Chromium itself, as participants have it."""
    yield from launched(playwright, CHROMIUM)


@pytest.fixture
def vivid(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that the trace's pictures show clearly: orange ones."""
    from glimpse import stimuli

    original = stimuli.encode_png

    def orange(pixels: np.ndarray) -> bytes:
        return original(pixels // 4 + np.array([160, 60, 10], np.uint8))

    monkeypatch.setattr(stimuli, "encode_png", orange)


def test_the_reported_exposures_are_those_of_the_frame_trace(
    vivid: None, page: Page, serve: Callable[..., Server]
) -> None:
    server = serve(STUDY)
    page.add_init_script(ANSWER)
    page.set_viewport_size({"width": 360, "height": 480})
    enter(page, server.url)
    page.wait_for_timeout(1500)
    shown = np.array(exposures_in(trace(page.context.new_cdp_session(page), page, lambda: page.click("#begin"))))
    stored = rows(server)
    reported = np.array([row["exposure_ms_actual"] for row in stored], float)
    planned = np.array([row["exposure_ms_planned"] for row in stored], float)
    assert shown.shape == reported.shape
    off = reported - shown
    assert abs(np.median(off)) < 1
    # A machine that stalls for some frames may keep the page from knowing, once in twelve, but not from saying so.
    wrong = np.abs(shown - np.round(planned / FRAME_MS) * FRAME_MS) > 1.1 * FRAME_MS
    misreported = np.abs(off) > 1.1 * FRAME_MS
    assert misreported.sum() <= 1
    assert all(row["flags"] for row, is_off in zip(stored, wrong | misreported, strict=True) if is_off)


def test_response_times_are_those_of_the_key_presses_own_stamps(page: Page, serve: Callable[..., Server]) -> None:
    """Against a probe that notes the frame in which the page marks the stimulus: one after the onset (timing.js)."""
    server = serve(STUDY)
    page.add_init_script(
        """
        window.probe = { onsets: [], presses: [], frames: [] };
        addEventListener("keydown", (event) => probe.presses.push(event.timeStamp), true);
        addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
          if (document.body.dataset.phase === "stimulus") probe.onsets.push(document.timeline.currentTime);
        }).observe(document.body, { attributes: true, attributeFilter: ["data-phase"] }));
        """
    )
    enter(page, server.url)
    page.wait_for_timeout(1500)
    page.click("#begin")
    assert answer_all(page) == 12
    probe = page.evaluate("probe")
    expected = np.array(probe["presses"]) - (np.array(probe["onsets"]) - FRAME_MS)
    reported = np.array([trial["rt"] for trial in page.evaluate("window.__result")])
    frames = np.round((reported - expected) / FRAME_MS)
    assert np.median(np.abs(reported - expected - frames * FRAME_MS)) < 1  # from stamps: off by whole frames, if at all
    assert abs(np.median(frames)) <= 1  # on a busy machine the probe learns of the frame before or after


# Holds the page's thread up just as a trial has begun, until after its image is due.
HOLD_UP = """
addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
  const until = performance.now() + 450;
  while (document.body.dataset.phase === "fixation" && performance.now() < until);
}).observe(document.body, { attributes: true, attributeFilter: ["data-phase"] }));
"""


def test_no_image_is_seen_ahead_of_its_exposure(vivid: None, page: Page, serve: Callable[..., Server]) -> None:
    server = serve("exposure_ms = [600, 700]\nfixation_ms = 200\npractice = 0\nquestions = []\n[trials]\ncount = 4\n")
    page.add_init_script(ANSWER + HOLD_UP)
    page.set_viewport_size({"width": 360, "height": 480})
    enter(page, server.url)
    page.wait_for_timeout(1500)
    shown = exposures_in(trace(page.context.new_cdp_session(page), page, lambda: page.click("#begin")))
    assert len(shown) == 4  # each image once
    assert all("exposure-unverified" in str(row["flags"]) for row in rows(server))
