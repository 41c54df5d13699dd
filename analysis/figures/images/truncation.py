"""Table 3 as curves: distances and diversity against the truncation threshold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.pictures import WIDTH
from analysis.figures.style import GREY, MANY, MARKERS, PALETTE, columns_for, new_figure, styled


def truncation(
    curves: Mapping[str, pd.DataFrame], real: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]
) -> Figure:
    """Distances and diversity against the truncation threshold (Table 3).

    Each run has a line of panels: with common axes, the run furthest from its images would flatten all others. The
    point on the right is without truncation.

    Each frame: threshold (NaN for none), frechet, kid, coverage, with one row per threshold; columns that need more
    images than there are may be missing. `real`, by the same names: `real_kid`, `real_kid_low`, `real_kid_high` and so
    on, of real images against real ones; missing if there are too few. `names`: those of the two distances, `kid` and
    `frechet`, on these features.
    """
    labels_of = {**names, "coverage": "coverage"}
    panels = [(c, label) for c, label in labels_of.items() if any(c in frame for frame in curves.values())]
    if len(curves) > MANY:
        return _panels(curves, real)
    with styled():
        figure, axes = new_figure(
            WIDTH, 0.7 + 1.7 * len(curves), nrows=len(curves), ncols=len(panels), squeeze=False, sharex=True
        )
        for i, (line, (name, frame)) in enumerate(zip(axes, curves.items(), strict=True)):
            for ax, (column, label) in zip(line, panels, strict=True):
                if i == 0:
                    ax.set_title(label)
                if column not in frame:
                    ax.set_axis_off()
                    continue
                if f"real_{column}" in real[name]:
                    mean, low, high = (real[name][f"real_{column}{end}"] for end in ("", "_low", "_high"))
                    ax.axhspan(low, high, color=GREY, alpha=0.25, linewidth=0)
                    ax.axhline(mean, color=GREY, linewidth=0.9, label="real against real")
                colour, marker = PALETTE[i % len(PALETTE)], MARKERS[i % len(MARKERS)]
                ax.plot(np.arange(len(frame)), frame[column], color=colour, marker=marker, markersize=4)
                ax.set_xticks(np.arange(len(frame)), [_threshold(t) for t in frame["threshold"]])
                if i == len(curves) - 1:
                    ax.set_xlabel("threshold")
                if column == "coverage":
                    ax.set_ylim(0, 1.02)
                elif frame[column].min() > 0 and ax.get_ylim()[0] > 0:
                    ax.set_ylim(bottom=0)
            line[0].set_ylabel(name)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _panels(curves: Mapping[str, pd.DataFrame], real: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Only the Fréchet distance, one panel per run."""
    columns = columns_for(len(curves), 4)
    lines = -(-len(curves) // columns)
    with styled():
        figure, axes = new_figure(WIDTH, 1.25 * lines + 0.5, nrows=lines, ncols=columns, squeeze=False)
        for ax in axes.flat[len(curves) :]:
            ax.set_axis_off()
        for ax, (name, frame) in zip(axes.flat, curves.items(), strict=False):
            if "real_frechet" in real[name]:
                ax.axhspan(real[name]["real_frechet_low"], real[name]["real_frechet_high"], color=GREY, alpha=0.25)
            ax.plot(np.arange(len(frame)), frame["frechet"], color=PALETTE[0], marker=".", linewidth=1.2)
            ax.set_title(name, fontsize=7.5)
            ax.set_xticks([0, len(frame) - 1], [_threshold(frame["threshold"].iloc[i]) for i in (0, -1)])
            ax.tick_params(labelsize=6.5)
        figure.supxlabel("threshold", fontsize=9)
        figure.supylabel("Fréchet distance", fontsize=9)
    return figure


def _threshold(value: Any) -> str:
    return f"{value:g}".removeprefix("0") if np.isfinite(value) else "none"
