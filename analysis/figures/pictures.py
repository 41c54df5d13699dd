"""Figures made of images: samples above real ones, nearest neighbours, translation sheets, galleries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.style import GENERATED, REAL, new_figure, styled
from glimpse.images import read, sheet, thumbnail

Image = NDArray[np.uint8]  # (H, W, 3)
WIDTH = 7.4  # inches: the whole column of the page
GAP = 3  # pixels between tiles


def from_file(path: Path, widest: int, tallest: int) -> Image:
    """The image in a file, shrunk in proportion to at most `widest` x `tallest` pixels to keep the page small."""
    return thumbnail(read(path), widest, tallest)


def picture(image: Image) -> Figure:
    """One picture at the full width of the page, without interpolation."""
    height, width = image.shape[:2]
    figure, axes = new_figure(WIDTH, max(0.4, WIDTH * height / width))
    _show(axes, image)
    return figure


def picture_rows(blocks: Sequence[tuple[str, Sequence[Sequence[Image]]]]) -> Figure:
    """Blocks of rows of equally large images, each block with its name beside it."""
    mosaics = [sheet(rows, gap=GAP, background=(0, 0, 0, 0)) for _, rows in blocks]
    width = max(m.shape[1] for m in mosaics)
    heights = [m.shape[0] for m in mosaics]
    with styled():
        figure, axes = new_figure(
            WIDTH, (WIDTH - 0.3) * sum(heights) / width + 0.1 * len(blocks), nrows=len(blocks), squeeze=False,
            height_ratios=heights,
        )  # fmt: skip
        for ax, (name, _), mosaic in zip(axes[:, 0], blocks, mosaics, strict=True):
            shown = np.full((mosaic.shape[0], width, 4), 0, np.uint8)
            shown[:, : mosaic.shape[1]] = mosaic
            _show(ax, shown)
            ax.set_ylabel(name, rotation=90)
    return figure


def gallery(rows: Sequence[tuple[str, Sequence[tuple[Image, str]]]]) -> Figure:
    """Rows of images, each image with a short text below it; every row has its title."""
    columns = max(len(images) for _, images in rows)
    first = rows[0][1][0][0]
    tile = WIDTH / columns
    with styled():
        figure, axes = new_figure(
            WIDTH, len(rows) * (tile * first.shape[0] / first.shape[1] + 0.52), nrows=len(rows), ncols=columns,
            squeeze=False,
        )  # fmt: skip
        for line, (title, images) in zip(axes, rows, strict=True):
            for ax in line[len(images) :]:
                ax.set_axis_off()
            for ax, (image, text) in zip(line, images, strict=False):
                _show(ax, image)
                ax.set_xlabel(text, fontsize=min(8.0, tile * 72 / (0.72 * max(len(text), 1))), labelpad=2)
            line[0].set_title(" ", fontsize=9, loc="left")  # keeps the height; a long title would widen the column
            words = line[0].annotate(title, (0, 1), (0, 6), "axes fraction", "offset points", fontsize=9, weight="bold")
            words.set_in_layout(False)
    return figure


def pointed(tiles: Sequence[tuple[Image, NDArray[Any], NDArray[Any], str]]) -> Figure:
    """Images, labelled with their truth, with the points (n, 2; pixels) that decided answers 'generated' and 'real'."""
    across, (height, width) = min(4, len(tiles)), tiles[0][0].shape[:2]
    lines, tile = -(-len(tiles) // across), WIDTH / 4
    with styled():
        figure, axes = new_figure(
            tile * across, lines * (tile * height / width + 0.25), nrows=lines, ncols=across, squeeze=False
        )
        for ax in axes.flat:
            ax.set_axis_off()
        for ax, (image, points, generated, truth) in zip(axes.flat, tiles, strict=False):
            _framed(ax, image, truth, GENERATED if truth == "generated" else REAL)
            colours = [GENERATED if said else REAL for said in generated]
            ax.scatter(*points.T, s=22, c=colours, edgecolors="white", linewidths=0.8)
    return figure


def neighbour_pairs(blocks: Sequence[tuple[str, Sequence[tuple[Image, Sequence[tuple[Image, float]]]]]]) -> Figure:
    """For each measure a row of groups: a generated image, then its nearest real ones with their scores (Figure 7)."""
    per_row = max(1, 8 // (1 + len(blocks[0][1][0][1])))
    lines = [(name, pairs[i : i + per_row]) for name, pairs in blocks for i in range(0, len(pairs), per_row)]
    columns = per_row * (1 + len(blocks[0][1][0][1]))
    height, width = blocks[0][1][0][0].shape[:2]
    tile = WIDTH / columns
    with styled():
        figure, axes = new_figure(
            WIDTH, len(lines) * (tile * height / width + 0.22), nrows=len(lines), ncols=columns, squeeze=False
        )
        for line, (name, pairs) in zip(axes, lines, strict=True):
            for ax in line:
                ax.set_axis_off()
            places = iter(line)
            for generated, real in pairs:
                _framed(next(places), generated, "generated", GENERATED)
                for image, score in real:
                    _framed(next(places), image, f"{name} {score:.2f}" if score < 10 else f"{name} {score:.0f}", REAL)
    return figure


def _show(axes: Any, image: NDArray[np.uint8]) -> None:
    axes.imshow(image, interpolation="none", aspect="equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _framed(axes: Any, image: Image, text: str, colour: str) -> None:
    """An image with its text below and a thin frame in the colour of its kind."""
    axes.set_axis_on()
    _show(axes, image)
    axes.set_xlabel(text, fontsize=7, labelpad=2)
    for spine in axes.spines.values():
        spine.set(visible=True, edgecolor=colour, linewidth=1.4)
