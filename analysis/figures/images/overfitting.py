"""Figure 6: the gap between outputs on training and on test images over the training."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from analysis.figures.style import GREY, MANY, MARKERS, PALETTE, REAL, columns_for, new_figure, styled


def overfitting(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Difference of the mean predictions on training and test images over training (Figure 6), with its interval.

    Each frame: progress (0-1), gap, low, high.
    """
    if len(curves) > MANY:
        return _panels(curves)
    with styled():
        figure, ax = new_figure(6.0, 3.4)
        ax.axhline(0, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
        for i, (name, frame) in enumerate(curves.items()):
            colour = PALETTE[i % len(PALETTE)]
            ax.fill_between(frame["progress"], frame["low"], frame["high"], color=colour, alpha=0.18, linewidth=0)
            ax.plot(
                frame["progress"], frame["gap"], color=colour, label=name, marker=MARKERS[i % len(MARKERS)],
                markevery=max(1, len(frame) // 8), markersize=4,
            )  # fmt: skip
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        ax.set_xlim(0, 1)
        ax.set_xlabel("training progress")
        ax.set_ylabel("mean D(training) − mean D(test)")
        if len(curves) > 1:
            figure.legend(loc="outside lower center", ncols=min(4, len(curves)))
    return figure


def _panels(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """One panel per run, with all others thin and grey behind it."""
    columns = columns_for(len(curves), 4)
    lines = -(-len(curves) // columns)
    with styled():
        figure, axes = new_figure(
            7.4, 1.2 * lines + 0.6, nrows=lines, ncols=columns, squeeze=False, sharex=True, sharey=True
        )
        for ax in axes.flat[len(curves) :]:
            ax.set_axis_off()
        for ax, name in zip(axes.flat, curves, strict=False):
            for other, frame in curves.items():
                if other != name:
                    ax.plot(frame["progress"], frame["gap"], color=GREY, linewidth=0.4, alpha=0.4, zorder=0)
            frame = curves[name]
            ax.fill_between(frame["progress"], frame["low"], frame["high"], color=REAL, alpha=0.25, linewidth=0)
            ax.plot(frame["progress"], frame["gap"], color=REAL, linewidth=1.4)
            ax.set_title(name, fontsize=7.5)
            ax.xaxis.set_major_formatter(PercentFormatter(1))
            ax.set_xlim(0, 1)
            ax.set_xticks([0, 1])
        figure.supxlabel("training progress", fontsize=9)
        figure.supylabel("mean D(training) − mean D(test)", fontsize=9)
    return figure
