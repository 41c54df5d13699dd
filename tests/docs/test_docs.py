"""The documents are true: the help in docs/commands.md, and every path, module and link that any of them names."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from docs import api, commands, dictionary, layers

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PACKAGES = ("glimpse", "gan_core", "study_app", "analysis", "benchmarks", "tests", "docs")
WORD = re.compile(r"(?<![\w:/.-])[\w][\w/.-]*")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
FILE = re.compile(rf"(?:{'|'.join(PACKAGES)})/[\w/.-]*")
LOADED = re.compile(r"<(?:script|img|iframe|source|link)\b[^>]* (?:src|href)=[\"']?(?:https?:)?//[^>]*>")
MODULE = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")


@pytest.mark.parametrize("written", [commands, api, dictionary, layers], ids=lambda module: module.__name__)
def test_a_page_written_from_the_code_is_as_the_code_says(written: ModuleType) -> None:
    assert written.PAGE.read_text("utf-8") == written.page(), f"run `python -m {written.__name__}`"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text("utf-8")):
        assert re.match(r"[a-z]+:", target) or (page.parent / target).exists(), target


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings by GitHub's rule, which keeps each hyphen; the site's build checks its own."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_anchor_is_one_on_github_too(page: Path) -> None:
    for target, anchor in re.findall(r"\]\(([^):#\s]*)#([^)]+)\)", page.read_text("utf-8")):
        assert anchor in anchors(page.parent / target if target else page), f"{target}#{anchor}"


def exists(name: str) -> bool:
    """Whether a dotted name is a module, or something that a module holds."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        path = ROOT.joinpath(*parts[:end])
        if path.is_dir() or path.with_suffix(".py").is_file():
            source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            return end == len(parts) or bool(
                source.is_file() and re.search(rf"\b{re.escape(parts[end])}\b", source.read_text("utf-8"))
            )
    return False


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_file_and_module_that_a_page_names_exists(page: Path) -> None:
    words = {word.rstrip(".-") for word in WORD.findall(page.read_text("utf-8"))}
    for word in words:
        if FILE.fullmatch(word):
            assert (ROOT / word).exists() or (page.parent / word).exists(), f"{page.name} names {word}"
        elif MODULE.fullmatch(word) and not word.endswith((".md", ".py", ".db")):
            assert exists(word), f"{page.name} names {word}"


def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="make setup")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    published = {**os.environ, "GLIMPSE_REPOSITORY": "https://github.com/who/glimpse"}
    subprocess.run(command, cwd=ROOT, env=published, check=True)
    assert {page.stem for page in PAGES[1:]} <= {page.name for page in tmp_path.iterdir()}
    for page in tmp_path.rglob("*.html"):
        text = page.read_text("utf-8")
        assert not LOADED.findall(text), page
        assert "https://github.com/who/glimpse" in text, "a link"
        assert 'data-md-component="source"' not in text, "the theme's script would ask GitHub about it"
