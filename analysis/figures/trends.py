"""Figures of answers by image, position in the sequence, exposure and response time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import GENERATED, GREY, INK, MANY, MARKERS, PALETTE, REAL, columns_for, new_figure, styled

MOST_POINTS = 2_000  # of one curve of images


def image_rates(sets: Sequence[tuple[str, pd.DataFrame]]) -> Figure:
    """The rate at which each image was called generated, in ascending order, by set.

    Each frame has the columns truth, rate, low, high: the shrunken rate of being called generated, and its interval.
    """
    columns, most = columns_for(len(sets), 3), MOST_POINTS if len(sets) <= MANY else MOST_POINTS // 40
    lines = -(-len(sets) // columns)
    height = (2.2 if len(sets) <= MANY else 1.5) * lines
    with styled():
        figure, axes = new_figure(
            max(4.2, min(7.5, 2.5 * columns)),
            height + 0.6,
            nrows=lines,
            ncols=columns,
            squeeze=False,
        )
        for i, ax in enumerate(axes.flat):
            if i >= len(sets):
                ax.set_axis_off()
                continue
            name, frame = sets[i]
            for truth, colour, marker in (("generated", GENERATED, "s"), ("real", REAL, "o")):
                rows = frame[frame["truth"] == truth].sort_values("rate").reset_index(drop=True)
                if rows.empty:
                    continue
                rows = rows.iloc[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(int))]
                x = (rows.index.to_numpy() + 0.5) / (rows.index[-1] + 1)
                ax.fill_between(x, rows["low"], rows["high"], color=colour, alpha=0.25, linewidth=0)
                ax.plot(x, rows["rate"], color=colour, marker=marker, markersize=2.4, linewidth=0.8, label=truth)
            ax.axhline(0.5, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
            ax.set_title(name)
            ax.set_xticks([])
            ax.set_ylim(0, 1)
            ax.label_outer()  # shared axes would be slow: each change of one is passed to all
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, handlelength=1.4)
        for row in axes:
            row[0].set_ylabel("called generated")
        for ax in axes.flat[: len(sets)]:
            ax.set_xlabel("images, from least to most" if len(sets) <= MANY else "least to most")
    return figure


def trends(panels: Sequence[tuple[str, str, pd.DataFrame]], measure: str = "balanced accuracy") -> Figure:
    """Accuracy (the `measure`) against quantities that it may depend on: a row each, with one panel per set.

    Each of `panels`: the label of the axis, the name of the x column, a frame with set, that column, accuracy, low,
    high. The other sets are drawn in grey behind each.
    """
    names = list(dict.fromkeys(name for *_, frame in panels for name in frame["set"]))
    columns = columns_for(len(names), 4)
    lines = -(-len(names) // columns)
    height = (1.9 if len(names) <= MANY else 1.25) * lines
    low = min(float(frame["low"].min()) for *_, frame in panels)
    high = max(0.5, *(float(frame["high"].max()) for *_, frame in panels))
    limits = max(0.0, min(0.45, low - 0.02)), 1.0 if low > 0.5 else high + 0.05 * (high - low)
    with styled():
        if len(names) == 1:  # the panels stand side by side
            figure, grid = new_figure(max(3.6, 2.75 * len(panels)), 3.1, ncols=len(panels), squeeze=False)
            blocks = [grid[:, i : i + 1] for i in range(len(panels))]
        else:
            figure, grid = new_figure(
                max(3.6, min(8.0, 2.0 * columns)), height * len(panels), nrows=lines * len(panels), ncols=columns,
                squeeze=False,
            )  # fmt: skip
            blocks = [grid[i * lines : (i + 1) * lines] for i in range(len(panels))]
        for block, (label, column, frame) in zip(blocks, panels, strict=True):
            for i, ax in enumerate(block.flat):
                if i >= len(names):
                    ax.set_axis_off()
                    continue
                rows, others = frame[frame["set"] == names[i]], frame[frame["set"] != names[i]].reset_index(drop=True)
                ends = others["set"] != others["set"].shift(-1)  # one line with gaps: a line a set takes minutes for 60
                gaps = others[ends].assign(**{column: np.nan, "accuracy": np.nan})
                lines_of = pd.concat([others, gaps]).sort_index(kind="stable")
                ax.plot(lines_of[column], lines_of["accuracy"], color=GREY, linewidth=0.5, alpha=0.5, zorder=0)
                ax.fill_between(rows[column], rows["low"], rows["high"], color=REAL, alpha=0.22, linewidth=0)
                ax.plot(rows[column], rows["accuracy"], color=REAL, marker="o", markersize=3.5, linewidth=1.2)
                ax.axhline(0.5, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), zorder=0)
                ax.set_title(names[i] if len(names) > 1 else "")
                ax.set_xlabel(label)
        for row in grid:
            row[0].set_ylabel(measure)
            for ax in row:  # not shared axes: each change of one would go through all
                ax.set_ylim(limits)
                ax.tick_params(labelleft=ax is row[0])
    return figure


def scatter(by_image: pd.DataFrame, measures: Mapping[str, str]) -> Figure:
    """The rate at which each generated image was called generated, against each measure, in the colours of the sets."""
    rows = by_image[by_image["truth"] == "generated"]
    shown = {m: label for m, label in measures.items() if m in rows and rows[m].notna().any()}
    with styled():
        figure, axes = new_figure(max(3.6, 2.05 * len(shown)), 2.7, ncols=len(shown), squeeze=False, sharey=True)
        for ax, (measure, label) in zip(axes[0], shown.items(), strict=True):
            for i, (name, images) in enumerate(rows.groupby("set", sort=False)):
                other = i >= MANY  # more sets than colours: the rest share grey
                ax.scatter(
                    images[measure], images["rate"], s=13, alpha=0.65, linewidths=0,
                    color=GREY if other else PALETTE[i], marker="." if other else MARKERS[i], zorder=0 if other else 2,
                    label=None if i > MANY else "other sets" if other else name,
                )  # fmt: skip
            ax.set_xlabel(label)
        axes[0, 0].set_ylabel("called generated")
        handles, names = axes[0, 0].get_legend_handles_labels()
        if len(names) > 1:
            figure.legend(handles, names, loc="outside lower center", ncols=min(6, len(names)))
    return figure
