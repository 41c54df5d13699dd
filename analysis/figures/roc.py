"""ROC curves of participants and pooled, and the calibration of confidence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from analysis.figures.pictures import WIDTH
from analysis.figures.style import GREY, INK, MARKERS, PALETTE, new_figure, styled
from glimpse.observers import Floats

if TYPE_CHECKING:
    from analysis.people.ratings.roc import Curve

MOST_LINES = 40  # participants drawn one by one
ACROSS = 3  # panels in a line


def roc(sets: Mapping[str, tuple[Curve, list[tuple[Floats, Floats]]]], at: Floats) -> Figure:
    """One panel per set: its curve with band and points, and each participant's (false-alarm rates, hit rates)."""
    rows = -(-len(sets) // ACROSS)
    with styled():
        across = min(len(sets), ACROSS)
        figure, axes = new_figure(
            min(WIDTH, 3.2 * across + 0.2), 3.2 * rows if across < 3 else 2.7 * rows, nrows=rows, ncols=across,
            squeeze=False, sharex=True, sharey=True,
        )  # fmt: skip
        for ax, (name, (curve, people)) in zip(axes.flat, sets.items(), strict=False):
            for false_alarms, hits in people[:MOST_LINES]:
                ax.plot(false_alarms, hits, color=GREY, alpha=0.45, linewidth=0.6)
            ax.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
            if len(curve.curve):
                if np.isfinite(curve.low).all():
                    ax.fill_between(at, curve.low, curve.high, color=PALETTE[0], alpha=0.25, linewidth=0)
                ax.plot(at, curve.curve, color=PALETTE[0], linewidth=2)
            ax.plot(
                curve.false_alarm_rate, curve.hit_rate, linestyle="none", marker=MARKERS[0], markersize=4.5,
                color=PALETTE[1], markeredgecolor=INK, markeredgewidth=0.5,
            )  # fmt: skip
            ax.set(title=name, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", xticks=[0, 0.5, 1],
                   yticks=[0, 0.5, 1])  # fmt: skip
        _tidy(axes, len(sets))
        figure.supxlabel("real images rated as high: false alarms", fontsize=9)
        figure.supylabel("generated images: hits", fontsize=9)
    return figure


def calibration(sets: Mapping[str, pd.DataFrame]) -> Figure:
    """One panel per set: the share of right answers, with its interval, against the chance that confidence claims."""
    rows = -(-len(sets) // ACROSS)
    across = min(len(sets), ACROSS)
    with styled():
        figure, axes = new_figure(
            min(WIDTH, 3.2 * across + 0.2),
            2.6 * rows,
            nrows=rows,
            ncols=across,
            squeeze=False,
            sharex=True,
            sharey=True,
        )
        for ax, (name, found) in zip(axes.flat, sets.items(), strict=False):
            x, y = 100 * found["claimed"], 100 * found["right"]
            ax.plot([50, 100], [50, 100], color=INK, linewidth=0.8, linestyle="--")
            ax.vlines(x, 100 * found["low"], 100 * found["high"], color=PALETTE[0], linewidth=1.2)
            ax.plot(x, y, color=PALETTE[0], marker=MARKERS[0], markersize=4.5, linewidth=1)
            ax.set(title=name, xlim=(48, 102), ylim=(-2, 102), xticks=[50, 75, 100], yticks=[0, 50, 100])
            ax.xaxis.set_major_formatter(PercentFormatter(decimals=0))
            ax.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        _tidy(axes, len(sets))
        figure.supxlabel("chance of being right that the confidence claims", fontsize=9)
        figure.supylabel("answers that were right", fontsize=9)
    return figure


def _tidy(axes: Any, panels: int) -> None:
    """Hide unused axes; the lowest panel of each column has the axis labels."""
    for ax in axes.flat[panels:]:
        ax.set_axis_off()
    for ax in axes.flat[max(panels - axes.shape[1], 0) : panels]:
        ax.tick_params(labelbottom=True)
