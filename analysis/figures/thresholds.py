"""Psychometric curves: the share of right answers against the exposure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from analysis.figures.style import INK, MARKERS, PALETTE, columns_for, new_figure, styled
from glimpse.observers import Floats

if TYPE_CHECKING:
    from analysis.people.thresholds import Thresholds

BINS_MS = np.geomspace(50, 1_000, 9)
MOST_LINES = 60  # participants drawn one by one


def psychometric_curves(curves: dict[str, tuple[Thresholds, pd.DataFrame]], at_ms: Floats, target: float) -> Figure:
    """One panel per set. `curves`: its thresholds, and its trials as a frame (exposure_ms, correct)."""
    with styled():
        columns = columns_for(len(curves), 3, 4)
        lines = -(-len(curves) // columns)
        figure, axes = new_figure(
            max(3.6, min(8.1, 2.7 * columns)), 3.2 * lines, nrows=lines, ncols=columns, squeeze=False, sharey=True
        )
        for ax in axes.flat[len(curves) :]:
            ax.set_axis_off()
        for i, (ax, (name, (found, answers))) in enumerate(zip(axes.flat, curves.items(), strict=False)):
            ax.plot(at_ms, found.curves[:MOST_LINES].T, color=PALETTE[0], alpha=0.25, linewidth=0.6)
            ax.plot(at_ms, found.curves.mean(axis=0), color=PALETTE[0], linewidth=2.2)
            bins = np.digitize(answers["exposure_ms"], BINS_MS)
            binned = answers.groupby(bins).agg(x=("exposure_ms", "mean"), y=("correct", "mean"), n=("correct", "size"))
            ax.scatter(
                binned["x"], binned["y"], s=np.clip(binned["n"] / binned["n"].max() * 60, 8, 60), color=PALETTE[1],
                marker=MARKERS[1], edgecolor="white", linewidth=0.6, zorder=3,
            )  # fmt: skip
            ax.axhline(target, color=INK, linewidth=0.8, linestyle=":")
            ax.axhline(0.5, color=INK, linewidth=0.8, linestyle="--")
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(FixedLocator([50, 100, 200, 500, 1000, 2000]))
            ax.xaxis.set_major_formatter(ScalarFormatter())
            ax.xaxis.set_minor_locator(NullLocator())
            ax.set(title=name, xlabel="exposure, ms", ylim=(0.35, 1), xlim=(30, 3_000))
            if i % columns == 0:
                ax.set_ylabel("share of right answers")
    return figure
