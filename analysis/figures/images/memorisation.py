"""Cumulative shares of the distance ratios that the memorisation test rests on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from analysis.figures.style import GENERATED, GREY, MANY, REAL, columns_for, new_figure, styled


def memorisation(ratios: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64], float]]) -> Figure:
    """The share of images below each ratio of distances, by run: held-out real images, generated images, threshold."""
    columns = columns_for(len(ratios), 3)
    lines = -(-len(ratios) // columns)
    with styled():
        figure, axes = new_figure(
            max(4.2, min(7.4, 2.5 * columns)),
            (2.3 if len(ratios) <= MANY else 1.4) * lines + 0.4,
            nrows=lines,
            ncols=columns,
            squeeze=False,
            sharex=True,
            sharey=True,
        )
        for ax in axes.flat[len(ratios) :]:
            ax.set_axis_off()
        for ax in axes.flat[max(0, len(ratios) - columns) : len(ratios)]:  # the lowest of each column
            ax.tick_params(labelbottom=True)
        for ax, (name, (real, generated, threshold)) in zip(axes.flat, ratios.items(), strict=False):
            for values, colour, style, label in (
                (real, REAL, "-", "held-out real"), (generated, GENERATED, (0, (5, 1.5)), "generated"),
            ):  # fmt: skip
                ax.step(
                    np.sort(values), np.arange(1, len(values) + 1) / len(values), color=colour, linestyle=style,
                    where="post", label=label,
                )  # fmt: skip
            ax.axvline(threshold, color=GREY, linewidth=0.8)
            ax.set_title(name)
            ax.set_yscale("log")  # the lowest hundredth is what matters
            ax.set_ylim(8e-4, 1.1)
            ax.set_yticks([0.001, 0.01, 0.1, 1], ["0.1%", "1%", "10%", "100%"])
        axes[0, 0].set_xlim(min(0.9, *(float(min(r.min(), g.min())) for r, g, _ in ratios.values())) - 0.03, 1.005)
        figure.supxlabel("distance to the nearest / to the second nearest training image", fontsize=9)
        figure.supylabel("images below", fontsize=9)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure
