"""The dashboard's charts: SVG with x in per cent, so that they fill any width while text keeps its size.

Colours and widths are classes of static/admin.css: the page allows no inline style.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

MOST_DOTS = 120  # above this, only outliers are drawn beside the box
ROW = 46  # px
LEFT, RIGHT = 2.0, 98.0  # per cent: positions of the scores 0 and 1


def _x(score: float) -> str:
    return f"{LEFT + (RIGHT - LEFT) * score:.2f}%"


def _width(low: float, high: float) -> str:
    return f"{(RIGHT - LEFT) * (high - low):.2f}%"


def _line(x1: float, x2: float, y1: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{_x(x1)}" x2="{_x(x2)}" y1="{y1:g}" y2="{y2:g}"/>'


def tukey_box(scores: Sequence[float]) -> tuple[float, float, float, float, float]:
    """Lower whisker, quartiles, upper whisker (Tukey: the last score within 1.5 interquartile ranges of the box)."""
    values = np.sort(np.asarray(scores, np.float64))
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    reach = 1.5 * (high - low)
    return float(values[values >= low - reach][0]), low, middle, high, float(values[values <= high + reach][-1])


def box_row(scores: Sequence[float], chance: Sequence[float], label: str) -> Markup:
    """One set's box plot of scores in [0, 1] as a strip; behind it the quartiles and the median of chance."""
    grid = "".join(_line(t, t, 0, ROW, "grid") for t in (0, 0.25, 0.5, 0.75, 1))
    if not scores:
        return Markup(
            f'<svg class="box" height="{ROW}" role="img" aria-label="{{}}: no scores yet">{grid}</svg>'
        ).format(label)
    least, low, middle, high, most = tukey_box(scores)
    parts = [grid]
    if chance:
        _, c_low, c_middle, c_high, _ = tukey_box(chance)
        span = max(c_high - c_low, 0.004)
        parts.append(f'<rect class="chance" x="{_x(c_low)}" width="{_width(0, span)}" y="3" height="{ROW - 6}"/>')
        parts.append(_line(c_middle, c_middle, 3, ROW - 3, "chance-median"))
    parts += [
        _line(least, low, ROW / 2, ROW / 2, "whisker"),
        _line(high, most, ROW / 2, ROW / 2, "whisker"),
        f'<rect class="quartiles" x="{_x(low)}" width="{_width(low, high)}" y="11" height="{ROW - 22}" rx="2"/>',
    ]
    shown = scores if len(scores) <= MOST_DOTS else [s for s in scores if s < least or s > most][:MOST_DOTS]
    for i, score in enumerate(shown):
        y = ROW / 2 + 8 * (((i * 0.618034) % 1) - 0.5)  # spread evenly by the golden ratio, the same at each refresh
        parts.append(f'<circle class="dot" cx="{_x(score)}" cy="{y:.1f}" r="2"/>')
    parts.append(_line(middle, middle, 9, ROW - 9, "median"))
    said = f"median F1 {middle:.2f}, quartiles {low:.2f} to {high:.2f}"
    said += f", chance {np.median(chance):.2f}" if chance else ""
    return Markup('<svg class="box" height="{}" role="img" aria-label="{}: {}"><title>{}: {}</title>{}</svg>').format(
        ROW, label, said, label, said, Markup("".join(parts))
    )


def axis() -> Markup:
    """The scale under the rows."""
    ticks = "".join(
        f'<text class="tick" x="{_x(t)}" y="12" text-anchor="middle">{t:g}</text>' for t in (0, 0.25, 0.5, 0.75, 1)
    )
    return Markup(f'<svg class="box axis" height="16" aria-hidden="true">{ticks}</svg>')


def bars(counts: Sequence[int], label: str) -> Markup:
    """A bar for each hour, the latest on the right."""
    most = max([*counts, 1])
    step = 100 / max(len(counts), 1)
    drawn = "".join(
        f'<rect class="bar" x="{i * step:.2f}%" width="{step * 0.8:.2f}%" y="{36 - 34 * n / most:.1f}" '
        f'height="{max(34 * n / most, 1):.1f}"/>'
        for i, n in enumerate(counts)
    )
    return Markup('<svg class="bars" height="36" role="img" aria-label="{}">{}</svg>').format(label, Markup(drawn))
