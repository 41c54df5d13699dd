"""A participant takes the survey in a real browser, by keyboard, by touch, interrupted and offline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page
from sqlalchemy import text

from study_app.database import Database
from tests.browser.conftest import QUICK, Server, answer_all, answering, enter, follow

pytestmark = pytest.mark.browser
Serve = Callable[..., Server]


def rows(server: Server, query: str = "SELECT * FROM responses ORDER BY position") -> list[dict[str, Any]]:
    database = Database(server.workspace.database_url)
    try:
        with database.read() as session:
            return [dict(row) for row in session.execute(text(query)).mappings()]
    finally:
        database.engine.dispose()


def shown_as_planned(row: dict[str, Any]) -> bool:
    """Whether a trial's exposure is within 60 ms of its plan or, on a busy machine, flagged."""
    return abs(row["exposure_ms_actual"] - row["exposure_ms_planned"]) < 60 or "exposure" in row["flags"]


def test_every_answer_of_a_survey_is_in_the_database_with_its_times(page: Page, serve: Serve) -> None:
    server = serve(QUICK + 'mask = true\nmask_ms = 50\n[completion]\ncode = "C0DE"\n')
    enter(page, server.url)
    page.click("#begin")
    assert answer_all(page) == 22  # two for practice
    result = page.evaluate("window.__result")
    assert page.evaluate("window.__done") is True
    stored = rows(server)
    assert [row["position"] for row in stored] == list(range(1, 21))
    assert [row["answer"] for row in stored] == ["real", "generated"] * 10
    assert [(row["exposure_ms_actual"], row["response_time_ms"]) for row in stored] == [
        (trial["exposure"], trial["rt"]) for trial in result
    ]
    for row in stored:
        assert shown_as_planned(row)
        assert row["response_time_ms"] >= row["exposure_ms_actual"]
    page.fill("#comment", "The bright ones.")
    follow(page, "#finish")
    right = sum(row["answer"] == row["truth"] for row in stored)
    assert f"{right} of 20" in page.inner_text("main")
    assert page.inner_text("#code") == "C0DE"
    assert page.evaluate("[window.__done, window.__result.length]") == [True, 20]
    person = rows(server, "SELECT * FROM participants")[0]
    assert (person["state"], person["comment"]) == ("finished", "The bright ones.")


def test_an_answer_before_the_end_of_the_exposure_is_recorded_but_not_taken(page: Page, serve: Serve) -> None:
    server = serve("exposure_ms = [900, 900]\nfixation_ms = 100\npractice = 0\n[trials]\ncount = 2\n")
    enter(page, server.url)
    page.click("#begin")
    for i in range(2):
        page.wait_for_selector("body[data-phase=stimulus]")
        page.keyboard.press("j")
        page.wait_for_selector("body[data-phase=answer]")
        assert len(rows(server)) == i
        with answering(page):
            page.keyboard.press("f")
    page.wait_for_selector("body[data-phase=done]")
    assert [row["answer"] for row in rows(server)] == ["real", "real"]
    details = [row["details"] for row in rows(server, "SELECT details FROM trial WHERE answer IS NOT NULL")]
    assert all('"early_presses": 1' in str(detail) for detail in details)


def test_an_end_of_the_exposure_that_the_page_did_not_see_is_stored_as_unverified(page: Page, serve: Serve) -> None:
    """The page's thread is kept busy past it. An answer given meanwhile is taken: the image was due to be gone by then.

    What is stored is when the page saw the image gone, not when it was planned to go.
    """
    server = serve("exposure_ms = [900, 900]\nfixation_ms = 100\npractice = 0\n[trials]\ncount = 2\n")
    enter(page, server.url)
    page.evaluate("""() => new MutationObserver(() => {
      if (document.body.dataset.phase !== "stimulus") return;
      setTimeout(() => {
        const until = performance.now() + 200;
        while (performance.now() < until);  // past the end of the exposure
        dispatchEvent(new KeyboardEvent("keydown", { key: "j" }));
      }, 780);
    }).observe(document.body, { attributes: true, attributeFilter: ["data-phase"] })""")
    page.click("#begin")
    page.wait_for_selector("body[data-phase=done]")
    assert [row["answer"] for row in rows(server)] == ["generated", "generated"]
    for row in rows(server):
        assert row["response_time_ms"] >= row["exposure_ms_planned"]
        assert row["exposure_ms_actual"] > 970
        assert row["exposure_uncertain_ms"] >= row["exposure_ms_actual"] - 900 - 9
        assert {"exposure-unverified", "exposure-wrong"} <= set(row["flags"].split())
        assert row["early_presses"] == 0


def test_an_exposure_whose_onset_the_page_saw_at_its_end_is_stored_and_flagged(page: Page, serve: Serve) -> None:
    """The page's thread is kept busy from before the onset until about the end, and frames come a little unevenly.

    So the end may seem to precede the onset: a negative exposure would be refused.
    """
    page.add_init_script("""const request = window.requestAnimationFrame.bind(window);
      window.requestAnimationFrame = (seen) => request((t) => seen(t - 0.5 * Math.random()));""")
    server = serve("exposure_ms = [50, 50]\nfixation_ms = 200\npractice = 0\n[trials]\ncount = 12\n")
    enter(page, server.url)
    page.evaluate("""() => { let trial = 0; new MutationObserver(() => {
      if (document.body.dataset.phase !== "fixation") return;
      const until = performance.now() + 220 + 3 * trial++;
      setTimeout(() => { while (performance.now() < until); }, 150);
    }).observe(document.body, { attributes: true, attributeFilter: ["data-phase"] }); }""")
    page.click("#begin")
    assert answer_all(page) == 12
    for row in rows(server):
        wrong = abs(row["exposure_ms_actual"] - 50) > 25
        assert row["exposure_uncertain_ms"] > 12 or not wrong
        assert "exposure-unverified" in row["flags"].split() or not wrong


def test_the_browser_reports_when_the_frames_of_a_trial_reached_the_display(page: Page, serve: Serve) -> None:
    server = serve(QUICK + "practice = 0\n[trials]\ncount = 2\n")
    enter(page, server.url)
    reported = page.evaluate_handle("""() => { const names = []; new PerformanceObserver((list) => {
      names.push(...list.getEntries().map((entry) => entry.identifier));
    }).observe({ type: "element" }); return names; }""")
    page.click("#begin")
    assert answer_all(page) == 2
    names = reported.json_value()
    assert len(names) >= 2 * 7  # the image comes, it goes, and five more frames
    assert sorted(names) == sorted(f"frame {i}" for i in range(len(names)))


def test_a_browser_that_reports_no_frame_is_asked_in_the_first_trial_alone(page: Page, serve: Serve) -> None:
    server = serve(QUICK + "practice = 0\n[trials]\ncount = 2\n")
    page.add_init_script("PerformanceObserver.prototype.observe = () => {}")
    enter(page, server.url)
    page.evaluate("""() => { window.asked = 0; new MutationObserver((list) => {
      for (const { addedNodes } of list) window.asked += addedNodes.length;
    }).observe(document.getElementById("display"), { childList: true }); }""")
    page.click("#begin")
    with answering(page):
        page.keyboard.press("f")
    first = page.evaluate("window.asked")
    assert first >= 7
    answer_all(page)
    assert page.evaluate("window.asked") == first


def test_a_window_resized_in_an_exposure_is_flagged_and_the_images_size_stored(page: Page, serve: Serve) -> None:
    server = serve("exposure_ms = [900, 900]\nfixation_ms = 200\npractice = 0\n[trials]\ncount = 2\n")
    enter(page, server.url)
    page.click("#begin")
    page.wait_for_selector("body[data-phase=stimulus]")
    sizes = [page.evaluate("document.getElementById('stimulus').getBoundingClientRect().width")]
    page.set_viewport_size({"width": 400, "height": 400})
    with answering(page):
        page.keyboard.press("f")
    page.wait_for_selector("body[data-phase=stimulus]")
    sizes.append(page.evaluate("document.getElementById('stimulus').getBoundingClientRect().width"))
    answer_all(page)
    stored = rows(server)
    assert ["resized" in row["flags"].split() for row in stored] == [True, False]
    assert [row["image_width"] for row in stored] == [row["image_height"] for row in stored]
    assert [row["image_width"] for row in stored] == pytest.approx(sizes, abs=0.01)
    assert sizes[1] < sizes[0]
    assert [(row["pixel_ratio"], row["answered_by"]) for row in stored] == [(1, "key")] * 2


def test_the_survey_can_be_taken_by_touch_on_a_phone(browser: Browser, serve: Serve) -> None:
    server = serve(QUICK + "practice = 1\n[trials]\ncount = 4\n")
    for viewport in ({"width": 390, "height": 760}, {"width": 760, "height": 360}):
        context = browser.new_context(viewport=viewport, has_touch=True, is_mobile=True)
        phone = context.new_page()
        enter(phone, server.url)
        phone.tap("#begin")
        for i in range(5):
            phone.wait_for_selector("body[data-phase=answer]")
            with answering(phone):
                phone.tap("#answer-generated" if i % 2 else "#answer-real")
        phone.wait_for_selector("body[data-phase=done]")
        context.close()
    details = rows(server, "SELECT details FROM trial WHERE answer IS NOT NULL")
    assert len(details) == 8
    assert all('"by": "touch"' in str(row["details"]) for row in details)


def test_nothing_moves_when_the_image_comes(page: Page, serve: Serve) -> None:
    """No layout shift, at 200 % zoom neither (which is a window of half the size)."""
    server = serve("exposure_ms = [700, 700]\nfixation_ms = 700\npractice = 0\n[trials]\ncount = 4\n")
    boxes = """() => ["frame", "stimulus", "prompt", "answer-real", "answer-generated", "progress"].map((id) => {
      const box = document.getElementById(id).getBoundingClientRect();
      return [box.x, box.y, box.width, box.height]; })"""
    for size in ({"width": 1000, "height": 760}, {"width": 500, "height": 380}):
        page.set_viewport_size(size)
        enter(page, server.url)
        page.click("#begin")
        seen = []
        for phase in ("fixation", "stimulus", "answer"):
            page.wait_for_selector(f"body[data-phase={phase}]")
            seen.append(page.evaluate(boxes))
        assert seen[0] == seen[1] == seen[2]
        left, top, width, height = seen[0][1]
        assert min(left, top) >= 0
        assert left + width <= size["width"]
        assert top + height <= size["height"]
        assert width >= 150


def test_reload_back_and_a_second_window_continue_at_the_same_trial(page: Page, serve: Serve) -> None:
    server = serve(QUICK + "practice = 0\n[trials]\ncount = 6\n")
    enter(page, server.url)
    link = page.url
    page.click("#begin")
    for _ in range(2):
        page.wait_for_selector("body[data-phase=answer]")
        with answering(page):
            page.keyboard.press("f")
    page.wait_for_selector("body[data-phase=answer]")
    page.reload()  # the third image has been seen, and will be again
    assert "2 of 6" in page.inner_text("main")
    page.go_back()
    page.goto(link)
    second = page.context.new_page()
    second.goto(link)
    for window in (page, second):
        window.click("#begin")
    second.wait_for_selector("body[data-phase=answer]")
    with answering(second):
        second.keyboard.press("j")
    page.bring_to_front()
    page.wait_for_selector("body[data-phase=answer]")
    page.keyboard.press("f")  # another answer to the same trial: refused, and the window goes on where the study is
    second.bring_to_front()
    answer_all(second)
    page.bring_to_front()
    answer_all(page)
    stored = rows(server)
    assert [row["position"] for row in stored] == [1, 2, 3, 4, 5, 6]
    assert stored[2]["answer"] == "generated"
    assert "shown-again" in stored[2]["flags"]
    assert "shown-again" not in stored[0]["flags"]


def test_the_first_page_takes_a_returning_person_on_and_a_double_click_enters_once(page: Page, serve: Serve) -> None:
    server = serve(QUICK + "[trials]\ncount = 4\n")
    page.goto(server.url)
    page.check("#consent")
    page.dblclick("#continue")
    page.wait_for_url("**/p/*/")
    home = page.url
    while "/study/" not in page.url:
        page.go_back()
    follow(page, "#begun a")
    assert page.url == home
    assert len(rows(server, "SELECT * FROM participants")) == 1
    other = page.context.new_page()  # another tab, maybe another person
    other.goto(server.url)
    other.wait_for_load_state("networkidle")
    assert not other.is_visible("#begun")


def test_nothing_is_lost_or_late_where_every_request_takes_long(page: Page, serve: Serve) -> None:
    server = serve(QUICK + "practice = 1\n[trials]\ncount = 3\n")
    devtools = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 300, "downloadThroughput": -1, "uploadThroughput": -1}
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", slow)
    enter(page, server.url)
    page.click("#begin")
    assert answer_all(page) == 4
    stored = rows(server)
    assert len(stored) == 3
    assert all(shown_as_planned(row) for row in stored)


def test_an_answer_that_was_not_saved_yet_survives_a_reload(page: Page, serve: Serve) -> None:
    server = serve(QUICK + "practice = 0\n[trials]\ncount = 4\n")
    enter(page, server.url)
    page.click("#begin")
    page.wait_for_selector("body[data-phase=answer]")
    page.route("**/answer", lambda route: route.abort())
    page.keyboard.press("f")
    page.wait_for_selector("#prompt.trouble")
    page.unroute_all()
    page.reload()
    page.click("#begin")
    assert answer_all(page, lambda _: "j") == 3
    stored = rows(server)
    assert [row["answer"] for row in stored] == ["real", "generated", "generated", "generated"]
    result = page.evaluate("window.__result")
    assert [trial["rt"] for trial in result] == [row["response_time_ms"] for row in stored]


def test_a_trial_whose_start_the_server_did_not_learn_of_is_flagged_after_a_reload(page: Page, serve: Serve) -> None:
    server = serve(QUICK + "practice = 0\n[trials]\ncount = 3\n")
    enter(page, server.url)
    page.route("**/begin", lambda route: route.abort())
    page.click("#begin")
    page.wait_for_selector("body[data-phase=answer]")
    page.unroute_all()
    page.reload()
    page.click("#begin")
    assert answer_all(page) == 3
    assert ["shown-again" in str(row["flags"]) for row in rows(server)] == [True, False, False]
    assert not any(row["implausible"] for row in rows(server))


IMPATIENT = """const timeout = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = (ms) => timeout(ms / 20);"""


@pytest.mark.parametrize("hangs", ["next", "image/*", "answer"])
def test_a_request_without_an_answer_is_reported_and_repeated(page: Page, serve: Serve, hangs: str) -> None:
    server = serve(QUICK + "practice = 1\n[trials]\ncount = 2\n")
    page.add_init_script(IMPATIENT)
    enter(page, server.url)
    said = page.evaluate_handle("""() => { const said = []; new MutationObserver(() => {
      said.push(document.getElementById("prompt").textContent);
    }).observe(document.getElementById("prompt"), { childList: true }); return said; }""")
    left: list[str] = []
    page.route(f"**/p/*/{hangs}", lambda route: route.fallback() if left else left.append(route.request.url))
    page.click("#begin")
    assert answer_all(page) == 3
    assert len(left) == 1
    assert ("Saving…" if hangs == "answer" else "Loading…") in said.json_value()
    assert any("Connection lost" in text for text in said.json_value())
    assert [row["implausible"] for row in rows(server)] == [0, 0]


FORBID_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("forbidden", "SecurityError"); } });"""


@pytest.mark.parametrize("script", ["", FORBID_STORAGE], ids=["storage", "no storage"])
def test_answers_survive_a_time_offline(page: Page, serve: Serve, script: str) -> None:
    server = serve(QUICK + "practice = 0\n[trials]\ncount = 4\n")
    page.add_init_script(script)
    enter(page, server.url)
    page.click("#begin")
    page.wait_for_selector("body[data-phase=answer]")
    page.context.set_offline(True)
    page.keyboard.press("f")
    page.wait_for_selector("#prompt.trouble")
    assert rows(server) == []
    page.context.set_offline(False)
    assert answer_all(page, lambda _: "j") >= 3
    assert [row["answer"] for row in rows(server)] == ["real", "generated", "generated", "generated"]
    assert not any(row["implausible"] for row in rows(server))


def test_a_trial_whose_exposure_went_wrong_is_kept_and_a_spare_one_offered(page: Page, serve: Serve) -> None:
    server = serve("exposure_ms = [900, 900]\nfixation_ms = 100\npractice = 0\n[trials]\ncount = 3\nspare = 1\n")
    enter(page, server.url)
    page.click("#begin")
    page.wait_for_selector("body[data-phase=stimulus]")
    page.evaluate("dispatchEvent(new Event('blur'))")
    assert answer_all(page) == 4
    stored = rows(server)
    assert [(row["kind"], row["replaced"]) for row in stored] == [
        ("scored", 1), ("scored", 0), ("scored", 0), ("spare", 0),
    ]  # fmt: skip
    assert "exposure-wrong" in stored[0]["flags"]
    assert "focus-lost" in stored[0]["flags"]
    assert stored[0]["truth"] == stored[3]["truth"]
    assert stored[0]["stimulus"] != stored[3]["stimulus"]


def test_without_a_limit_the_image_stays_until_the_answer(page: Page, serve: Serve) -> None:
    server = serve('mode = "unlimited"\nfixation_ms = 1000\npractice = 0\n[trials]\ncount = 2\n')
    enter(page, server.url)
    page.click("#begin")
    for _ in range(2):
        page.wait_for_selector("body[data-phase=stimulus]")
        page.wait_for_selector("#answer-real[aria-disabled=false]")
        page.wait_for_timeout(200)
        assert page.is_visible("#stimulus")
        page.keyboard.press("f")
        page.wait_for_selector("body:not([data-phase=stimulus])")
    page.wait_for_selector("body[data-phase=done]")
    assert all(150 < row["exposure_ms_actual"] < 5000 for row in rows(server))


def test_keys_answer_by_their_place_where_they_type_other_letters(page: Page, serve: Serve) -> None:
    """F and J of a Russian keyboard."""
    server = serve(QUICK + "practice = 0\n[trials]\ncount = 2\n")
    enter(page, server.url)
    page.click("#begin")
    for letter, code in (("а", "KeyF"), ("о", "KeyJ")):
        with answering(page):
            page.evaluate("init => dispatchEvent(new KeyboardEvent('keydown', init))", {"key": letter, "code": code})
    page.wait_for_selector("body[data-phase=done]")
    assert [(row["answer"], row["implausible"]) for row in rows(server)] == [("real", 0), ("generated", 0)]
