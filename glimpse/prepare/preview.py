"""The contact sheet of an image set, with mask contours as in the paper's Figure 1."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from glimpse.images import in_rows, one_of_each, sheet, size_in_words

TILE_HEIGHT = 144  # pixels of an image on the sheet; 128-pixel patches are shown a little enlarged
SHEET_WIDTH = 1240
ROWS = {"train": 3, "test": 2}
GAP, MARGIN = 6, 36
LINE_WIDTH = 1.6
PAPER, INK, FAINT, LINE = (250, 250, 247), (33, 33, 36), (120, 120, 124), (64, 240, 224)
HEADINGS = {"train": "training", "test": "held out for testing"}


def write_preview(folder: Path, name: str, counts: Mapping[str, Any]) -> None:
    """Write preview.png beside the finished arrays of an image set; `counts` are those of its manifest."""
    arrays = {path.stem: np.load(path, mmap_mode="r") for path in sorted(folder.glob("*.npy"))}
    index = pd.read_csv(folder / "index.csv", usecols=["group", "split"], dtype=str, keep_default_na=False)
    height, width = arrays["images"].shape[1:3]
    tile_width = max(1, round(width * TILE_HEIGHT / height))
    columns = max(1, (SHEET_WIDTH - 2 * MARGIN + GAP) // (tile_width + GAP))

    sections = []
    for side, rows in ROWS.items():
        positions = np.flatnonzero(index["split"] == side)
        if len(positions):
            chosen = positions[_shown(index["group"].to_numpy()[positions], rows * columns)]
            tiles = [np.asarray(_tile(arrays, i, tile_width)) for i in chosen.tolist()]
            grid = sheet(in_rows(tiles, columns), gap=GAP, background=PAPER)
            sections.append((HEADINGS[side], Image.fromarray(grid)))

    notes = [f"{len(index):,} images of {size_in_words(height, width)}", f"{counts['groups']:,} groups"]
    notes.append(f"{counts['train']:,} to train, {counts['test']:,} to test")
    if "truth" in arrays:
        notes.append("below each image the same skin without its lesion")
    _page(name, "   ·   ".join(notes), sections).save(folder / "preview.png", compress_level=4)


def _shown(groups: NDArray[np.object_], count: int) -> NDArray[np.intp]:
    """Positions of at most `count` images, evenly through the set: one per group, more only if groups run out."""
    order = one_of_each(groups, np.random.default_rng(0))  # random, or each photo would show its upper left corner
    pool = order[: max(count, len(np.unique(groups)))]
    pool.sort()
    return pool[np.linspace(0, len(pool) - 1, min(count, len(pool))).astype(int)]


def _tile(arrays: Mapping[str, NDArray[np.uint8]], i: int, width: int) -> Image.Image:
    """One image at the sheet's size with its lesion outlined, and the same skin without its lesion below it."""
    size = (width, TILE_HEIGHT)
    image = Image.fromarray(arrays["images"][i]).resize(size, Image.Resampling.LANCZOS)
    if "masks" in arrays:
        image.paste(LINE, mask=_contour(arrays["masks"][i], size))
    if "truth" not in arrays:
        return image
    both = Image.new("RGB", (width, 2 * TILE_HEIGHT + 2), PAPER)
    both.paste(image, (0, 0))
    both.paste(Image.fromarray(arrays["truth"][i]).resize(size, Image.Resampling.LANCZOS), (0, TILE_HEIGHT + 2))
    return both


def _contour(mask: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    """The outline of a mask (H, W) in {0, 1} as the opacity of a smooth line, LINE_WIDTH wide."""
    enlarged = Image.fromarray(mask.astype(np.float32)).resize(size, Image.Resampling.BICUBIC)
    inside = gaussian_filter(np.asarray(enlarged), 1.2, mode="nearest")
    slope = np.hypot(*np.gradient(inside))
    pixels_away = np.abs(inside - 0.5) / np.maximum(slope, 1e-3)
    return Image.fromarray((np.clip(LINE_WIDTH / 2 + 0.5 - pixels_away, 0, 1) * 255).astype(np.uint8))


def _page(title: str, subtitle: str, sections: list[tuple[str, Image.Image]]) -> Image.Image:
    """The page: title, subtitle, and a grid with a heading for each side of the split."""
    large, small = ImageFont.load_default(32), ImageFont.load_default(16)
    width = max([grid.width for _, grid in sections] + [int(small.getlength(subtitle)), int(large.getlength(title))])
    height = 112 + sum(grid.height + 60 for _, grid in sections)
    page = Image.new("RGB", (width + 2 * MARGIN, height), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, 28), title, INK, large)
    draw.text((MARGIN, 72), subtitle, FAINT, small)
    top = 112
    for heading, grid in sections:
        draw.text((MARGIN, top), heading, INK, small)
        page.paste(grid, (MARGIN, top + 26))
        top += grid.height + 60
    return page
