"""Conditions judged by the same people: their fooling rates, and the paired differences that compare them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from analysis.figures.style import GREY, INK, PALETTE, new_figure, styled
from analysis.numbers import LEVEL
from analysis.people.conditions import Conditions

MOST_PAIRS = 15  # with more, those of neighbours in the ranking are drawn


def conditions(found: Conditions, shown: Mapping[str, str]) -> Figure:
    """Rates with intervals on the left, differences with intervals on the right; filled dots: p_holm < 5 %."""
    rates = np.array([np.nan if e.value is None else e.value for e in found.fooling])
    order = [int(k) for k in np.argsort(-rates, kind="stable")]
    place = {found.names[k]: i for i, k in enumerate(order)}
    pairs = list(found.pairs["fooling_rate"])
    if len(pairs) > MOST_PAIRS:
        pairs = [p for p in pairs if abs(place[p.first] - place[p.second]) == 1]
    pairs = sorted(pairs, key=lambda p: sorted((place[p.first], place[p.second])))
    with styled():
        figure, (left, right) = new_figure(7.4, 1.1 + 0.32 * max(len(order), len(pairs)), ncols=2)
        for y, k in enumerate(order):
            if found.fooling[k].ci95 is not None:
                left.plot(found.fooling[k].ci95, (y, y), color=PALETTE[1], linewidth=1.6)
            left.plot(rates[k], y, "o", color=PALETTE[1], markersize=6)
        left.axvline(0.5, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
        left.set_yticks(range(len(order)), [shown[found.names[k]] for k in order])
        left.set(xlabel="share of its images taken for real", title="fooling rate", ylim=(len(order) - 0.4, -0.6))
        right.axvline(0, color=INK, linewidth=0.8)
        names = []
        for y, pair in enumerate(pairs):
            first, second, sign = pair.first, pair.second, 1.0
            if place[first] > place[second]:
                first, second, sign = second, first, -1.0
            names.append(f"{shown[first]} − {shown[second]}")
            if pair.difference.value is None:
                continue
            clear = pair.p_holm is not None and pair.p_holm < LEVEL
            colour = PALETTE[0] if clear else GREY
            if pair.difference.ci95 is not None:
                right.plot(sign * 100 * np.array(pair.difference.ci95), (y, y), color=colour, linewidth=1.6)
            right.plot(
                sign * 100 * pair.difference.value, y, "D", color=colour, markersize=5.5,
                markerfacecolor=colour if clear else "white",
            )  # fmt: skip
        right.set_yticks(range(len(pairs)), names)
        right.set(xlabel="percentage points", title="paired difference", ylim=(len(pairs) - 0.4, -0.6))
    return figure
