"""People, machine observer and distance side by side, a row for each set or run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.images.quality import draw_distances
from analysis.figures.pictures import WIDTH
from analysis.figures.style import GREY, INK, PALETTE, new_figure, styled

VERDICT = {"detectable": (PALETTE[5], "D"), "cannot tell": (PALETTE[2], "o"), "undecided": (PALETTE[0], "s")}


def summary(rows: Sequence[Mapping[str, Any]], bound: float, kernel_distance: str) -> Figure:
    """One panel each for people, machine and KID, if any row has numbers.

    Each row: name; people (mean, ci95, ci90, verdict) or None; machine (accuracy, low, high) or None; kid, low, high,
    real_low, real_high, each None where there is none.
    """
    kinds = [kind for kind in ("people", "machine", "kid") if any(row[kind] is not None for row in rows)]
    with styled():
        figure, axes = new_figure(
            WIDTH if len(kinds) > 1 else 6.2, 1.15 + 0.3 * len(rows), ncols=len(kinds), squeeze=False, sharey=True
        )
        for ax, kind in zip(axes[0], kinds, strict=True):
            if kind == "people":
                _people(ax, rows, bound)
            elif kind == "machine":
                _machine(ax, rows)
            else:
                draw_distances(ax, _distances(rows))
                ax.set_xlabel(f"{kernel_distance}\nto real images")
                ax.set_title("distance")
        first = axes[0, 0]
        first.set_yticks(range(len(rows)), [row["name"] for row in rows])
        first.set_ylim(len(rows) - 0.4, -0.6)
    return figure


def _people(ax: Any, rows: Sequence[Mapping[str, Any]], bound: float) -> None:
    """The mean, its 90 % interval (thick) and 95 % interval (thin) against 'cannot tell' (band)."""
    ax.axvspan(0.5 - bound, 0.5 + bound, color=GREY, alpha=0.25, linewidth=0)
    ax.axvline(0.5, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    low, high = 0.5 - bound, 0.5 + bound
    for y, row in enumerate(rows):
        people = row["people"]
        if people is None:
            continue
        colour, marker = VERDICT[people["verdict"]]
        ax.plot(people["ci95"], (y, y), color=colour, linewidth=1.2, solid_capstyle="butt")
        if people["ci90"] is not None:
            ax.plot(people["ci90"], (y, y), color=colour, linewidth=4, solid_capstyle="butt")
        ax.scatter(people["mean"], y, s=40, marker=marker, color=colour, edgecolor="white", linewidth=0.8, zorder=3)
        low, high = min(low, people["ci95"][0]), max(high, people["ci95"][1])
    ax.set_xlim(max(0.0, low - 0.02), min(1.0, high + 0.02))
    ax.set_xlabel(f"balanced accuracy\n(band: 0.5 ± {bound:g}, 'cannot tell')")
    ax.set_title("people")


def _machine(ax: Any, rows: Sequence[Mapping[str, Any]]) -> None:
    ax.axvline(0.5, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
    for y, row in enumerate(rows):
        if row["machine"] is not None:
            ax.plot([row["machine"]["low"], row["machine"]["high"]], [y, y], color=INK, linewidth=1.4)
            ax.plot(row["machine"]["accuracy"], y, "^", color=INK, markersize=5)
    ax.set_xlim(min(0.4, *(row["machine"]["low"] for row in rows if row["machine"])), 1.02)
    ax.set_xlabel("balanced accuracy")
    ax.set_title("machine observer")


def _distances(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    columns = ["kid", "low", "high", "real_low", "real_high"]
    frame = pd.DataFrame([{c: row[c] for c in columns} for row in rows], columns=columns).astype(float)
    return frame.assign(run=[row["name"] for row in rows], untouched=np.nan)
