"""Adds links to the package when it is built for others; the rest of its description is in pyproject.toml.

    GLIMPSE_REPOSITORY=https://github.com/OWNER/NAME python -m build

The package's page then links to that repository and shows the README with its pictures. Without the address it names
none, since the project does not know where it is published.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
URLS = {"Paper": "https://doi.org/10.5281/zenodo.3873159"}


def absolute(markdown: str, repository: str, tag: str) -> str:
    """The text with its relative links to files and pictures made links to the repository at this tag."""

    def link(found: re.Match[str]) -> str:
        picture, text, target = found.groups()
        return f"{picture}[{text}]({repository}/{'raw' if picture else 'blob'}/{tag}/{target})"

    return re.sub(r"(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)]+)\)", link, markdown)


repository = os.environ.get("GLIMPSE_REPOSITORY", "").rstrip("/")
readme = (ROOT / "README.md").read_text("utf-8")
if repository:
    import tomllib  # not at the top: pip reads this file before it refuses an older Python, which lacks the module

    tag = "v" + tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    readme = absolute(readme, repository, tag)
    URLS |= {
        "Source": repository,
        "Documentation": f"{repository}/tree/{tag}/docs",
        "Issues": f"{repository}/issues",
        "Changes": f"{repository}/blob/{tag}/CHANGELOG.md",
    }
setup(long_description=readme, long_description_content_type="text/markdown", project_urls=URLS)
