"""The timed survey in Firefox: every trial is answered and stored with what that browser observed of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.exposure.firefox import FIREFOX, Firefox
from tests.browser.conftest import Server
from tests.browser.test_survey import rows

pytestmark = pytest.mark.browser
STUDY = "exposure_ms = [250, 400]\nfixation_ms = 200\npractice = 1\nmask = true\nmask_ms = 50\n[trials]\ncount = 4\n"


@pytest.mark.skipif(
    FIREFOX is None and os.environ.get("GLIMPSE_REQUIRE_BROWSER") != "1",
    reason="no Firefox here: install Debian's package firefox-esr",
)
def test_the_timed_survey_runs_in_firefox(serve: Callable[..., Server], tmp_path: Path) -> None:
    server = serve(STUDY)
    with Firefox(tmp_path / "profile") as firefox:
        firefox.goto(server.url)
        firefox.click("#consent")
        for _ in ("consent", "questions", "device"):
            firefox.follow("#continue")
        firefox.wait_for("#begin:enabled")
        firefox.click("#begin")
        for i in range(5):
            firefox.wait_for("body[data-phase=answer] #answer-real[aria-disabled=false]")
            if i % 2:
                firefox.click("#answer-generated")
            else:
                firefox.press("f")
            firefox.wait_for("body:not([data-phase=answer])")
        firefox.wait_for("body[data-phase=done]")
        result = firefox.evaluate("window.__result")
    stored = rows(server)
    assert [row["answer"] for row in stored] == ["generated", "real"] * 2
    assert [row["answered_by"] for row in stored] == ["mouse", "key"] * 2
    assert [row["exposure_ms_actual"] for row in stored] == [trial["exposure"] for trial in result]
    for row in stored:
        off_ms = abs(row["exposure_ms_actual"] - row["exposure_ms_planned"])
        assert off_ms < 1.3 * row["frame_ms"] or row["flags"]
        assert row["image_width"] == row["image_height"] > 100
        assert not row["implausible"]
