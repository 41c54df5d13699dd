"""`python -m docs.layers`: draw docs/images/layers.svg from pyproject.toml's layers. A test keeps it true."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

from glimpse.files import atomic_file

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "images" / "layers.svg"
WIDTH, ROW, GAP = 720, 44, 6

HOLDS = {
    "benchmarks": "one file per claim of speed or accuracy",
    "analysis": "the report and its statistics",
    "study_app": "the survey",
    "gan_core": "the GANs",
    "glimpse.publishing": "stimulus sets: the rules, and pairs of image sets",
    "glimpse.phantom": "drawn photos",
    "glimpse.prepare": "photos to image sets",
    "glimpse.imageset": "arrays and index",
    "glimpse.stimuli": "images of the survey",
    "glimpse.observers": "F1, accuracy, d'",
    "glimpse.psnr_ssim": "PSNR, SSIM",
    "glimpse.runs": "log and seal",
    "glimpse.settings": "NAME=VALUE",
    "glimpse.command_line": "parsers and errors",
    "glimpse.progress": "progress bars",
    "glimpse.workspace": "folders and names",
    "glimpse.files": "hashes, files written all or nothing",
}
STYLE = """
rect { fill: #e8eef7; stroke: #7d93b2 } text { font: 13px sans-serif; text-anchor: middle; fill: #1b2430 }
.name { font-weight: bold }
@media (prefers-color-scheme: dark) { rect { fill: #27313f; stroke: #6f87a8 } text { fill: #e6ebf2 } }
"""


def page() -> str:
    """The picture: a row for each layer, the highest first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["name"] == "Layers")
    height = len(layers) * (ROW + GAP) - GAP + 2
    boxes = [box for row, layer in enumerate(layers) for box in _boxes(layer.split(" | "), 1 + row * (ROW + GAP))]
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        f"<style>{STYLE}</style>", *boxes, "</svg>\n",
    ])  # fmt: skip


def _boxes(names: list[str], y: int) -> Iterator[str]:
    """The packages of one layer, side by side."""
    width = (WIDTH - 2 - GAP * (len(names) - 1)) / len(names)
    for column, name in enumerate(names):
        x = 1 + column * (width + GAP)
        yield f'<rect x="{x:g}" y="{y}" width="{width:g}" height="{ROW}" rx="4"/>'
        yield f'<text class="name" x="{x + width / 2:g}" y="{y + 18}">{name}</text>'
        yield f'<text x="{x + width / 2:g}" y="{y + 35}">{HOLDS[name]}</text>'


if __name__ == "__main__":
    with atomic_file(PAGE) as building:
        building.write_text(page(), encoding="utf-8")
    print(f"Written: {PAGE}")
