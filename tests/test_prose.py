"""Texts that people read use plain English: phrases that read like a literal translation fail here."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
HELD = (
    "study_app/templates/**/*.html",
    "study_app/static/*.js",
    "benchmarks/*.py",
    "docs/survey.md",
    "docs/experimenter.md",
    "docs/privacy.md",
)
PHRASES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"\banew\b",
        r"\bwhoever\b",
        r"\bcannot be had\b",
        r"\bmade good\b",
        r"\bis no [a-z]+:",
        r"\bnot one [a-z]+ (is|of)\b",
        r"\bof that name there\b",
        r"\bnobody.s\b",
        r"\bin the place of\b",
        r"\bdo not ponder\b",
        r"\bshow nobody\b",
    )
]


def test_no_text_reads_like_a_translation() -> None:
    paths = [path for pattern in HELD for path in ROOT.glob(pattern)]
    assert len(paths) > 30
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in paths
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if any(phrase.search(line) for phrase in PHRASES)
    ]
    assert found == []
