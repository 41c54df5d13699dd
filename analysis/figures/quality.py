"""Figures of how good the images are: Figures 6 and 7 of the paper, truncation, distances, memorisation, observers.

They draw what they are given and compute nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from analysis.figures.style import GENERATED, GREY, MARKERS, PALETTE, REAL, new_figure, styled

Image = NDArray[np.uint8]  # (H, W, 3)
WIDTH = 7.4


def neighbour_pairs(blocks: Sequence[tuple[str, Sequence[tuple[Image, Sequence[tuple[Image, float]]]]]]) -> Figure:
    """For each measure a row of groups: a generated image, then its nearest real ones with their scores (Figure 7)."""
    per_row = max(1, 8 // (1 + len(blocks[0][1][0][1])))
    lines = [(name, pairs[i : i + per_row]) for name, pairs in blocks for i in range(0, len(pairs), per_row)]
    columns = per_row * (1 + len(blocks[0][1][0][1]))
    height, width = blocks[0][1][0][0].shape[:2]
    tile = WIDTH / columns
    with styled():
        figure, axes = new_figure(
            WIDTH, len(lines) * (tile * height / width + 0.22), nrows=len(lines), ncols=columns, squeeze=False
        )
        for line, (name, pairs) in zip(axes, lines, strict=True):
            for ax in line:
                ax.set_axis_off()
            places = iter(line)
            for generated, real in pairs:
                show(next(places), generated, "generated", GENERATED)
                for image, score in real:
                    show(next(places), image, f"{name} {score:.2f}" if score < 10 else f"{name} {score:.0f}", REAL)
    return figure


def show(ax: Any, image: Image, text: str, frame: str | None = None) -> None:
    """An image with its text below and a thin frame in the colour of its kind."""
    ax.set_axis_on()
    ax.imshow(image, interpolation="none", aspect="equal")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.set_xlabel(text, fontsize=7, labelpad=2)
    for spine in ax.spines.values():
        spine.set_visible(frame is not None)
        if frame is not None:
            spine.set_edgecolor(frame)
            spine.set_linewidth(1.4)


def overfitting(curves: Mapping[str, pd.DataFrame]) -> Figure:
    """Difference of the mean predictions on training and test images over training (Figure 6), with its interval.

    Each frame: progress (0-1), gap, low, high.
    """
    with styled():
        figure, ax = new_figure(6.0, 3.4)
        ax.axhline(0, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
        for i, (name, frame) in enumerate(curves.items()):
            colour = PALETTE[i % len(PALETTE)]
            ax.fill_between(frame["progress"], frame["low"], frame["high"], color=colour, alpha=0.18, linewidth=0)
            ax.plot(
                frame["progress"], frame["gap"], color=colour, label=name, marker=MARKERS[i % len(MARKERS)],
                markevery=max(1, len(frame) // 8), markersize=4, linestyle="--" if i >= len(PALETTE) else "-",
            )  # fmt: skip
        ax.xaxis.set_major_formatter(PercentFormatter(1))
        ax.set_xlim(0, 1)
        ax.set_xlabel("training progress")
        ax.set_ylabel("mean D(training) − mean D(test)")
        if len(curves) > 1:
            figure.legend(loc="outside lower center", ncols=min(4, len(curves)))
    return figure


def truncation(curves: Mapping[str, pd.DataFrame], real: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Score and diversity against the truncation threshold (Table 3), a line of panels for each run, or the run that is
    furthest from its images would flatten all others; no threshold at all is the point on the right.

    Each frame: statistics (full, or matched: dashed), threshold (NaN for none), frechet, kid, coverage, with one row a
    threshold; what takes more images than there are is missing. `real`, by the same names: `real_kid`, `real_kid_low`,
    `real_kid_high` and so on, of real images against real ones; missing where they are too few.
    """
    labels_of = {"kid": "KID", "frechet": "Fréchet distance", "coverage": "coverage"}
    panels = [(c, label) for c, label in labels_of.items() if any(c in frame for frame in curves.values())]
    with styled():
        figure, axes = new_figure(
            WIDTH, 0.7 + 1.7 * len(curves), nrows=len(curves), ncols=len(panels), squeeze=False, sharex=True
        )
        for i, (line, (name, frame)) in enumerate(zip(axes, curves.items(), strict=True)):
            for ax, (column, label) in zip(line, panels, strict=True):
                if i == 0:
                    ax.set_title(label)
                if column not in frame:
                    ax.set_axis_off()
                    continue
                if f"real_{column}" in real[name]:
                    mean, low, high = (real[name][f"real_{column}{end}"] for end in ("", "_low", "_high"))
                    ax.axhspan(low, high, color=GREY, alpha=0.25, linewidth=0)
                    ax.axhline(mean, color=GREY, linewidth=0.9, label="real against real")
                for kind, curve in frame.groupby("statistics"):
                    dashed = kind == "matched"
                    ax.plot(
                        np.arange(len(curve)), curve[column], color=PALETTE[i % len(PALETTE)],
                        marker=MARKERS[i % len(MARKERS)], markersize=3 if dashed else 4,
                        linestyle="--" if dashed else "-", linewidth=0.9 if dashed else None,
                        alpha=0.75 if dashed else None, label=f"{kind} statistics",
                    )  # fmt: skip
                thresholds = list(dict.fromkeys(_threshold(t) for t in frame["threshold"].tolist()))
                ax.set_xticks(np.arange(len(thresholds)), thresholds)
                if i == len(curves) - 1:
                    ax.set_xlabel("threshold")
                if column == "coverage":
                    ax.set_ylim(0, 1.02)
                elif frame[column].min() > 0 and ax.get_ylim()[0] > 0:
                    ax.set_ylim(bottom=0)
            line[0].set_ylabel(name)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _threshold(value: Any) -> str:
    return f"{value:g}".removeprefix("0") if np.isfinite(value) else "none"


def distances(frame: pd.DataFrame) -> Figure:
    """KID of each run with its interval, over what real images score against real ones of the same number.

    Columns: run, kid, low, high, real_low, real_high, untouched (of the images that were translated, else NaN).
    """
    with styled():
        figure, ax = new_figure(6.0, 0.9 + 0.36 * len(frame))
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
        ax.set_yticks(range(len(frame)), list(frame["run"]))
        ax.set_ylim(len(frame) - 0.4, -0.6)
        edge = float(np.nanmax(np.abs(frame[["real_low", "real_high"]].to_numpy(float)), initial=0.01))
        shown = frame[["low", "kid", "high", "untouched"]].to_numpy(float)
        if float(np.nanmax(shown, initial=0)) > 20 * edge:
            linear = 10 ** np.ceil(np.log10(edge))  # a power of ten, or labels meet around zero
            ax.set_xscale("symlog", linthresh=linear)
            ax.set_xlim(min(-1.2 * linear, 1.5 * float(np.nanmin(shown))), 1.5 * float(np.nanmax(shown)))
        ax.set_xlabel("KID (unbiased; zero for equal distributions)")
        figure.legend(loc="outside lower center", ncols=3)
    return figure


def memorisation(ratios: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64], float]]) -> Figure:
    """Share of images below each NN1/NN2 ratio, per run: held-out real images, generated images, the threshold."""
    columns = min(3, len(ratios))
    lines = -(-len(ratios) // columns)
    with styled():
        figure, axes = new_figure(
            max(4.2, 2.5 * columns),
            2.3 * lines + 0.4,
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


def intervals(frame: pd.DataFrame, label: str, chance: float = 0.5) -> Figure:
    """Accuracy with interval of several observers per set. Columns: set, observer, accuracy, low, high."""
    names, observers = list(dict.fromkeys(frame["set"])), list(dict.fromkeys(frame["observer"]))
    with styled():
        figure, ax = new_figure(6.0, 0.9 + 0.2 * len(frame))
        ax.axvline(chance, color=GREY, linewidth=0.8, linestyle=(0, (1, 2)))
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


def utility(frame: pd.DataFrame, task: str) -> Figure:
    """Balanced accuracy and AUC on held-out real images over the share of real training images used.

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


def disturbance(frame: pd.DataFrame) -> Figure:
    """Every distance under growing disturbance, each divided by its own largest value (Heusel et al. 2017, figure 3).

    Columns: disturbance, level, extractor, distance, value.
    """
    kinds = list(dict.fromkeys(frame["disturbance"]))
    extractors = list(dict.fromkeys(frame["extractor"]))
    with styled():
        figure, axes = new_figure(
            WIDTH, 1.9 * len(extractors) + 0.6, nrows=len(extractors), ncols=len(kinds), squeeze=False, sharey=True
        )
        for row, (line, extractor) in enumerate(zip(axes, extractors, strict=True)):
            for ax, kind in zip(line, kinds, strict=True):
                rows = frame[(frame["extractor"] == extractor) & (frame["disturbance"] == kind)]
                for i, (distance, curve) in enumerate(rows.groupby("distance", sort=False)):
                    largest = curve["value"].abs().max() or 1.0
                    ax.plot(
                        curve["level"], curve["value"] / largest, color=PALETTE[i],
                        marker=MARKERS[i], markersize=4, label=distance,
                    )  # fmt: skip
                ax.set_title(kind if row == 0 else "")
                ax.set_xticks(sorted(set(rows["level"])))
                ax.set_xlabel("level" if row == len(extractors) - 1 else "")
            line[0].set_ylabel(f"{extractor},\nshare of the largest")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure
