"""Texts that people read use plain English: phrases that read like a literal translation fail here."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDERS = ("analysis", "benchmarks", "docs", "gan_core", "glimpse", "study_app", "tests")
ENDINGS = {".py", ".md", ".html", ".js"}
PHRASES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\banew\b",
        r"\bwhoever\b",
        r"cannot[ _]be[ _]had\b",
        r"\bmade good\b",
        r"\bis no [a-z]+:",
        r"\bnot one [a-z]+ (is|of)\b",
        r"\bof that name there\b",
        r"\bnobody.s\b",
        r"\bin the place of\b",
        r"\bdo not ponder\b",
        r"\bshow nobody\b",
        r"\breplaces? \S+ by\b",
        r"\bat the least\b",
        r"\bby[ _]and[ _]by\b",
        r"^What `",
    )
]


OPENINGS = re.compile(r"(What|Who|How|Which|Where)(m|se|ever)?\b")
PACKAGES = ("analysis", "study_app", "gan_core", "glimpse", "benchmarks", "docs", "tests")


def texts() -> list[Path]:
    """The files of the tree that hold prose, except this one and the pages of installed packages."""
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS]
    return [
        path for path in [*ROOT.glob("*.md"), *inside] if path != Path(__file__) and "node_modules" not in path.parts
    ]


def test_no_text_reads_like_a_translation() -> None:
    paths = texts()
    assert len(paths) > 300
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if any(phrase.search(line) for phrase in PHRASES)
    ]
    assert found == []


def test_a_docstring_says_what_a_thing_is_or_does() -> None:
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    found = [
        f"{path.relative_to(ROOT)}: {docstring.splitlines()[0]}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, documented) and (docstring := ast.get_docstring(node)) and OPENINGS.match(docstring)
    ]
    assert found == []
