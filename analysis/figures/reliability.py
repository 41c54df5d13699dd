"""Curves of single images: the share of right answers by the participants' ability, below the picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.pictures import WIDTH, Image
from analysis.figures.style import GENERATED, GREY, REAL, new_figure, styled
from analysis.numbers import signed
from analysis.people.consistency.items import THIRDS


def item_curves(table: pd.DataFrame, pictures: Sequence[Image | None]) -> Figure:
    """One panel per image: right answers by thirds of ability, and its discrimination; its picture above, if known."""
    rows = table.to_dict("records")
    columns, seen = max(len(rows), 3), any(picture is not None for picture in pictures)
    tile = WIDTH / columns
    heights = ([0.85] if seen else []) + [1.0]
    with styled():
        figure, axes = new_figure(
            WIDTH, 1.9 + (0.85 * tile if seen else 0), nrows=len(heights), ncols=columns, squeeze=False,
            height_ratios=[0.85 * tile, 1.6] if seen else [1.0],
        )  # fmt: skip
        for line in axes:
            for ax in line[len(rows) :]:
                ax.set_axis_off()
        for at, (row, picture) in enumerate(zip(rows, pictures, strict=True)):
            if seen:
                axes[0, at].set_axis_off()
                if picture is not None:
                    axes[0, at].imshow(picture, interpolation="none", aspect="equal")
            ax, colour = axes[-1, at], GENERATED if row["truth"] == "generated" else REAL
            ax.axhline(50, color=GREY, linewidth=0.7, linestyle=(0, (1, 2)))
            right = 100 * np.array([row[f"right_{third}"] for third in THIRDS], float)
            ax.plot(range(3), right, "o-", color=colour, markersize=4.5, clip_on=False)
            ax.set(xlim=(-0.3, 2.3), ylim=(0, 100), xticks=range(3), yticks=[0, 50, 100])
            ax.set_xticklabels(THIRDS, fontsize=7.5)
            if at:
                ax.set_yticklabels([])
            pooled = signed(row["pooled"], ".2f")
            ax.set_title(
                f"{row['truth']}\n{pooled} ({row['seen']} answers)", fontsize=7.5, loc="center", weight="normal"
            )
        axes[-1, 0].set_ylabel("right answers, %")
        figure.supxlabel("participants by ability on the other images, in thirds", fontsize=9)
    return figure
