"""A hook of mkdocs: the README is the first page of the site, so that nothing is said twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File


def on_files(files: Any, config: Any) -> None:
    """Add the README as index.md, with its links as seen from docs/."""
    readme = (Path(config["docs_dir"]).parent / "README.md").read_text("utf-8")
    files.append(File.generated(config, "index.md", content=readme.replace("](docs/", "](")))
