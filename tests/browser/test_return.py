"""Returning: an ID leads back to the study only in the browser that began, a personal link in any."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, Page

from study_app import cli
from tests.browser.conftest import Server, enter

pytestmark = pytest.mark.browser


def test_an_id_continues_in_the_browser_that_began_and_in_no_other(
    browser: Browser, page: Page, serve: Callable[..., Server]
) -> None:
    server = serve("[trials]\ncount = 2\n")
    address = f"{server.url}/study/pilot/?PROLIFIC_PID=aa"
    enter(page, address)
    mine = page.url
    tab = page.context.new_page()
    tab.goto(address)
    tab.wait_for_url(mine)
    tab.goto(f"{server.url}/study/pilot/?PROLIFIC_PID=bb")  # the next person at this computer
    tab.wait_for_timeout(300)
    assert tab.is_visible("#consent")
    other = browser.new_context().new_page()
    other.goto(address)
    other.check("#consent")
    other.click("#continue")
    other.wait_for_selector("text=Someone has already started this study with this ID")
    other.wait_for_timeout(300)
    assert "/p/" not in other.url
    other.context.close()


def test_a_personal_link_continues_in_any_browser(
    browser: Browser, page: Page, serve: Callable[..., Server], capsys: pytest.CaptureFixture[str]
) -> None:
    server = serve("[trials]\ncount = 2\n")
    file = server.workspace.root / "study.toml"
    file.write_text(f"invited_only = true\n{file.read_text()}")
    assert cli.main(["load", str(file)]) == 0
    capsys.readouterr()
    assert cli.main(["link", "--url", server.url]) == 0
    address = capsys.readouterr().out.strip()
    enter(page, address)
    other = browser.new_context().new_page()
    other.goto(address)
    assert other.url == page.url
    other.goto(f"{server.url}/study/pilot/?id=forged")
    assert other.is_visible("text=by invitation only")
    other.context.close()
