"""The report as a reader opens it: alone, on any screen, sortable, on paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from analysis.people.population.simulation import Truth
from analysis.report import __main__ as report
from analysis.report.page import FORMATS
from tests.analysis.report.test_report import answers

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    path = answers(folder / "answers.csv", {"df": Truth(d_prime=1.0), "mel": Truth(d_prime=2.0)}, simulated=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.report.page.FORMATS", {"svg": FORMATS["svg"]})  # the page shows no other
        assert report.main(["--responses", str(path), "--include-simulated", "--out", str(folder / "out")]) == 0
    return folder / "out" / "index.html"


def test_the_page_asks_for_nothing_but_itself_and_fits_every_screen(written: Path, page: Page) -> None:
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for width in (320, 390, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(written.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            edges = page.evaluate("[...document.querySelectorAll('.canvas')].map(c => c.getBoundingClientRect().right)")
            assert max(edges) <= width, "a figure too wide for a phone scrolls within its own box"
    assert set(asked) == {written.as_uri()}
    assert said == [], "nothing is refused by the page's own policy"


def test_a_column_is_sorted_by_its_numbers_and_back(written: Path, page: Page) -> None:
    page.goto(written.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    table = page.locator("table.sortable", has=page.locator("th", has_text="median response time s")).first
    heads = table.locator("th").all_inner_texts()
    column = heads.index("d′")

    def values() -> list[float]:
        cells = table.locator(f"tbody tr td:nth-child({column + 1})")
        return [float(text.replace("−", "-")) for text in cells.all_inner_texts()]

    table.locator("th button").nth(column).click()
    assert values() == sorted(values())
    table.locator("th button").nth(column).click()
    assert values() == sorted(values(), reverse=True)
    assert table.locator("th").nth(column).get_attribute("aria-sort") == "descending"


def test_simulated_people_are_named_above_everything_else(written: Path, page: Page) -> None:
    page.goto(written.as_uri())
    banner = page.locator(".banner")
    assert "24 of the 24 participants are simulated" in banner.inner_text()
    top, title = banner.bounding_box(), page.locator("h1").bounding_box()
    assert top is not None
    assert title is not None
    assert top["y"] < title["y"]
