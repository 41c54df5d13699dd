"""KID of each run with its interval, over the range between real images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.style import GENERATED, GREY, REAL, new_figure, styled


def distances(frame: pd.DataFrame, kernel_distance: str) -> Figure:
    """The kernel distance of each run with its interval, over the range between equal numbers of real images.

    Columns: run, kid, low, high, real_low, real_high, untouched (KID of the untranslated images, NaN for other runs).
    """
    with styled():
        figure, ax = new_figure(6.0, 0.9 + 0.36 * len(frame))
        draw_distances(ax, frame)
        ax.set_yticks(range(len(frame)), list(frame["run"]))
        ax.set_ylim(len(frame) - 0.4, -0.6)
        ax.set_xlabel(f"{kernel_distance} (unbiased; zero for equal distributions)")
        figure.legend(loc="outside lower center", ncols=3)
    return figure


def draw_distances(ax: Any, frame: pd.DataFrame) -> None:
    """Draw one row per row of the frame, from the top; rows without numbers are empty."""
    for y, row in enumerate(frame.to_dict("records")):
        ax.fill_betweenx(
            [y - 0.32, y + 0.32], row["real_low"], row["real_high"], color=REAL, alpha=0.3, linewidth=0,
            label="real against real" if y == 0 else None,
        )  # fmt: skip
        ax.plot([row["low"], row["high"]], [y, y], color=GENERATED, linewidth=2)  # nothing where they are NaN
        label = "generated against real" if y == 0 else None
        ax.plot(row["kid"], y, "s", color=GENERATED, markersize=5, label=label)
    if frame["untouched"].notna().any():
        ax.plot(frame["untouched"], range(len(frame)), "o", mfc="white", mec=GREY, label="the same untranslated")
    ax.axvline(0, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
    edge = float(np.nanmax(np.abs(frame[["real_low", "real_high"]].to_numpy(float)), initial=0.01))
    shown = frame[["low", "kid", "high", "untouched"]].to_numpy(float)
    if float(np.nanmax(shown, initial=0)) > 20 * edge:
        linear = 10 ** np.ceil(np.log10(edge))  # a power of ten, or labels meet around zero
        ax.set_xscale("symlog", linthresh=linear)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.set_xlim(min(-1.2 * linear, 1.5 * float(np.nanmin(shown))), 1.5 * float(np.nanmax(shown)))
