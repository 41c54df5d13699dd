"""The power curve: how often a survey of each size reaches each verdict."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import INK, MARKERS, PALETTE, new_figure

LABELS = {"cannot_tell": "cannot tell", "detectable": "detectable", "different": "different", "undecided": "undecided"}


def power_curve(table: pd.DataFrame, claim: str, target: float) -> Figure:
    """The power of the claim (solid) and the other verdicts (dashed); `table` is that of `planning.power_table`."""
    figure, axes = new_figure(5.4, 3.4)
    labels = {column: label for column, label in LABELS.items() if column in table}
    for i, (column, label) in enumerate(labels.items()):
        mine = label == claim
        axes.plot(
            table["participants"], table[column], color=PALETTE[i], marker=MARKERS[i], markersize=5,
            linestyle="-" if mine else "--", linewidth=2 if mine else 1, label=label, clip_on=False,
        )  # fmt: skip
        if mine:
            axes.fill_between(table["participants"], table["low"], table["high"], color=PALETTE[i], alpha=0.2, lw=0)
    axes.axhline(target, color=INK, linewidth=0.8, linestyle=":")
    axes.annotate(f"{target:.0%}", (1, target), xycoords=("axes fraction", "data"), va="bottom", ha="right", color=INK)
    axes.set(xlabel="participants", ylabel="share of surveys", ylim=(0, 1), xlim=(0, None))
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1), title="verdict")
    return figure
