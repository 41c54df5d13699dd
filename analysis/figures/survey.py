"""Figures of the answers: Figure 10 of the paper with every participant as a dot, and hits against false alarms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analysis.figures.style import GREY, INK, MANY, PALETTE, columns_for, new_figure, styled
from glimpse.observers import Floats

MEAN = PALETTE[5]
MOST_DOTS = 400  # per set; of more participants a seeded sample is drawn, and the caption says so


@dataclass(frozen=True)
class SetScores:
    """One set in Figure 10."""

    name: str
    f1: Floats  # (P,) of every participant, without NaN
    null_values: Floats  # F1 of the same answers in random order: values, ascending ...
    null_weights: Floats  # ... and their probabilities
    always: float = 2 / 3  # F1 of always giving the positive answer: 2 n / (n + all) for n positive images of all
    paper_mean: float | None = None  # if the set has the name of one in the paper


def figure_ten(columns: Sequence[SetScores], positive: str = "generated", seed: int = 0) -> Figure:
    """F1 by set: quartiles as a box, every participant as a dot, F1 by guessing in grey, the paper's mean."""
    lines = [columns[i : i + MANY] for i in range(0, len(columns), MANY)]
    with styled():
        figure, grid = new_figure(
            max(6.2, 1.6 + 1.25 * len(lines[0])), 1.1 + 3.1 * len(lines), nrows=len(lines), squeeze=False
        )
        random = np.random.default_rng(seed)
        for axes, line in zip(grid[:, 0], lines, strict=True):
            _line_of_ten(axes, line, positive, random)
        _legend(grid[0, 0], any(c.paper_mean is not None for c in columns), positive)
    return figure


def _line_of_ten(axes: Any, columns: Sequence[SetScores], positive: str, random: np.random.Generator) -> None:
    """At most `MANY` sets side by side."""
    for x, column in enumerate(columns):
        colour = PALETTE[x]
        _null(axes, x, column)
        dots = column.f1
        if len(dots) > MOST_DOTS:
            dots = random.choice(dots, MOST_DOTS, replace=False)
        axes.scatter(x + _swarm(dots), dots, s=11, color=colour, alpha=0.75, linewidths=0, zorder=3)
        axes.boxplot(
            column.f1, positions=[x], widths=0.34, showfliers=False, manage_ticks=False, zorder=4,
            medianprops={"color": INK, "linewidth": 2.2}, boxprops={"color": INK, "linewidth": 1.2},
            whiskerprops={"color": INK}, capprops={"color": INK},
        )  # fmt: skip
        axes.scatter(
            x, column.f1.mean(), marker="x", s=46, color=MEAN, linewidths=2.2, zorder=6,
        )  # fmt: skip
        if column.paper_mean is not None:
            axes.scatter(
                x + 0.36, column.paper_mean, marker="D", s=26, facecolor="none", edgecolor=MEAN, zorder=6,
                linewidths=1.4,
            )  # fmt: skip
        axes.hlines(column.always, x - 0.5, x + 0.5, color=INK, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    axes.set_xticks(range(len(columns)), [f"{c.name}\nn = {len(c.f1)}" for c in columns])
    margin = 0.6 if len(columns) > 1 else 1.3
    axes.set_xlim(-margin, len(columns) - 1 + margin)
    axes.set_ylim(-0.02, 1.02)
    axes.set_ylabel(f"F1 (positive: {positive})")


def _null(axes: object, x: int, column: SetScores) -> None:
    """Draw the distribution of F1 by guessing as a grey shape on both sides of the column, smoothed."""
    if not len(column.null_values):
        return
    grid, bins = np.linspace(0, 1, 201), np.linspace(-0.0005, 1.0005, 1002)
    weights, _ = np.histogram(column.null_values, bins, weights=column.null_weights)
    kernel = np.exp(-0.5 * ((grid[:, None] - (bins[:-1] + bins[1:]) / 2) / 0.03) ** 2)
    density = kernel @ weights
    width = 0.46 * density / density.max()
    shown = density > 0.01 * density.max()
    axes.fill_betweenx(grid, x - width, x + width, where=shown, color=GREY, alpha=0.3, linewidth=0, zorder=0)  # type: ignore[attr-defined]


def _swarm(values: Floats) -> Floats:
    """Horizontal offsets (P,), at most 0.4, that put equal values side by side."""
    offsets = np.zeros(len(values))
    bins = np.round(values / 0.0125).astype(int)
    for b in np.unique(bins):
        members = np.flatnonzero(bins == b)
        places = np.arange(len(members)) - (len(members) - 1) / 2
        offsets[members] = places * min(0.034, 0.8 / max(len(members) - 1, 1))
    return offsets


def _legend(axes: object, paper: bool, positive: str) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[object] = [
        Patch(color=GREY, alpha=0.3, linewidth=0, label="guessing, with the same number of answers"),
        Line2D([], [], color=MEAN, marker="x", markeredgewidth=2.2, linestyle="none", label="mean"),
        Line2D([], [], color=INK, linewidth=0.8, linestyle=(0, (1, 2)), label=f"always says '{positive}'"),
    ]
    if paper:
        handles.append(
            Line2D([], [], marker="D", color=MEAN, markerfacecolor="none", linestyle="none", label="mean in the paper")
        )
    axes.figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False, fontsize=8)  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------ what it rests on


def answer_space(sets: Sequence[tuple[str, Floats, Floats]], seed: int = 0) -> Figure:
    """Hit rate against false-alarm rate of every participant, by set, with curves of equal d'."""
    grid = np.linspace(1e-4, 1 - 1e-4, 400)
    normal = NormalDist()
    curves = {d_prime: [normal.cdf(normal.inv_cdf(p) + d_prime) for p in grid] for d_prime in (0, 1, 2)}
    random = np.random.default_rng(seed)
    columns = columns_for(len(sets), 4)
    lines = -(-len(sets) // columns)
    height = 3.7 if len(sets) == 1 else (1.75 if len(sets) <= MANY else 1.3) * lines + 0.9
    with styled():
        figure, axes = new_figure(max(3.4, min(7.4, 1.85 * columns)), height, nrows=lines, ncols=columns, squeeze=False)
        for i, ax in enumerate(axes.flat):
            if i >= len(sets):
                ax.set_axis_off()
                continue
            name, hit, false_alarm = sets[i]
            for (d_prime, hits), style in zip(curves.items(), ((0, (1, 2)), (0, (5, 2)), "-"), strict=True):
                ax.plot(grid, hits, color=GREY, linewidth=0.9, linestyle=style, label=f"d′ = {d_prime}")
            keep = np.flatnonzero(~np.isnan(hit) & ~np.isnan(false_alarm))
            if len(keep) > MOST_DOTS:
                keep = random.choice(keep, MOST_DOTS, replace=False)
            shake = random.uniform(-0.012, 0.012, (2, len(keep)))  # jitter, because equal rates would overlap
            ax.scatter(
                false_alarm[keep] + shake[0], hit[keep] + shake[1], s=10, alpha=0.6, linewidths=0,
                color=PALETTE[i % len(PALETTE)],
            )  # fmt: skip
            ax.set_title(name)
            ax.set_aspect("equal")
            ax.set_xlim(-0.03, 1.03)
            ax.set_ylim(-0.03, 1.03)
            ax.set_xticks([0, 0.5, 1])
            ax.set_yticks([0, 0.5, 1])
            ax.label_outer()  # shared axes would be slow: each change of one is passed to all
        figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
        figure.supxlabel("false alarms: real called generated", fontsize=9)
        figure.supylabel("hits: generated called so", fontsize=9)
    return figure
