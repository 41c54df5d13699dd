"""Accuracy of the machine observers with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import GREY, MARKERS, PALETTE, new_figure, styled


def intervals(frame: pd.DataFrame, label: str) -> Figure:
    """Accuracy with interval of several observers per set. Columns: set, observer, accuracy, low, high."""
    names, observers = list(dict.fromkeys(frame["set"])), list(dict.fromkeys(frame["observer"]))
    with styled():
        figure, ax = new_figure(6.0, 0.9 + 0.2 * len(frame))
        ax.axvline(0.5, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
        for i, observer in enumerate(observers):
            rows = frame[frame["observer"] == observer]
            y = np.array([names.index(name) for name in rows["set"]]) + (i - (len(observers) - 1) / 2) * 0.22
            colour = PALETTE[i % len(PALETTE)]
            ax.hlines(y, rows["low"], rows["high"], color=colour, linewidth=1.6)
            ax.plot(rows["accuracy"], y, MARKERS[i], color=colour, markersize=5, label=observer)
        ax.set_yticks(range(len(names)), names)
        ax.set_ylim(len(names) - 0.4, -0.6)
        ax.set_xlabel(label)
        figure.legend(loc="outside lower center", ncols=len(observers))
    return figure
