"""Learning curves of a classifier trained on real images, generated images and both."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from analysis.figures.pictures import WIDTH
from analysis.figures.style import GREY, MARKERS, PALETTE, new_figure, styled


def utility(frame: pd.DataFrame, task: str) -> Figure:
    """Balanced accuracy and AUC on held-out real images against the share of real training images used.

    Columns: training (real, generated, both), share, measure, mean, low, high.
    """
    panels = ("balanced accuracy", "AUC")
    with styled():
        figure, axes = new_figure(WIDTH, 3.0, ncols=2, sharey=True)
        for ax, measure in zip(axes, panels, strict=True):
            ax.axhline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
            for i, (training, rows) in enumerate(frame[frame["measure"] == measure].groupby("training", sort=False)):
                colour = PALETTE[i]
                ax.fill_between(rows["share"], rows["low"], rows["high"], color=colour, alpha=0.18, linewidth=0)
                ax.plot(rows["share"], rows["mean"], color=colour, marker=MARKERS[i], markersize=4, label=training)
            ax.xaxis.set_major_formatter(PercentFormatter(1))
            ax.set_xlabel("share of the real training images")
            ax.set_title(measure)
        axes[0].set_ylabel(task)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, title="trained on")
    return figure
