"""Every sentence that docs/troubleshooting.md explains is one that the code writes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")


def written() -> str:
    """All string literals of the packages, the values in f-strings left out."""
    texts = []
    for package in ("glimpse", "gan_core", "study_app", "analysis"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    texts.append("".join(str(v.value) if isinstance(v, ast.Constant) else "\0" for v in node.values))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(node.value)
    return "\n".join(texts)


def test_the_code_writes_every_sentence_that_the_page_explains() -> None:
    sentences, code = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE), written()
    assert len(sentences) >= 10
    for sentence in sentences:
        pattern = re.sub(r"\\\.\\\.\\\.", "\0", re.escape(sentence))
        assert re.search(pattern, code), sentence
