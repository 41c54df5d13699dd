"""Hooks of mkdocs: the README is the first page of the site; without benchmarks, their page says so; no page asks the
repository's host for anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

NOT_RUN = "# Benchmarks\n\n`make bench` measures beside named peers and writes this page. It has not run here.\n"


def on_files(files: Any, config: Any) -> None:
    """Add the README as index.md, with its links as seen from docs/, and benchmarks.md if it is missing."""
    readme = (Path(config["docs_dir"]).parent / "README.md").read_text("utf-8")
    files.append(File.generated(config, "index.md", content=readme.replace("](docs/", "](")))
    if files.get_file_from_path("benchmarks.md") is None:
        files.append(File.generated(config, "benchmarks.md", content=NOT_RUN))


def on_post_page(output: str, **_: Any) -> str:
    """Leave out the mark by which the theme's script finds the link to the repository, to ask GitHub for its stars."""
    return output.replace(' data-md-component="source"', "")


def on_post_template(output_content: str, **_: Any) -> str:
    """The same on pages that are written from no Markdown: 404.html."""
    return on_post_page(output_content)
