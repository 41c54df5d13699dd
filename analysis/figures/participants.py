"""Groups of participants and answers to questions: accuracies and differences with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from analysis.figures.style import GREY, INK, PALETTE, labels, new_figure, styled
from analysis.numbers import LEVEL

MOST_PAIRS = 15  # drawn; the table has all
MOST_EFFECTS = 30
Rows = Sequence[Mapping[str, Any]]


def groups(each: Rows, pairs: Rows, measure: str, sets: Mapping[str, str]) -> Figure:
    """Balanced accuracies on the left, differences in `measure` on the right; filled marks: p_holm < 5 %."""
    shown = labels(dict.fromkeys(str(row["group"]) for row in each))
    several = len({row["set"] for row in each}) > 1
    drawn = [row for row in pairs if row[measure] is not None][:MOST_PAIRS]
    each = each[: 2 * MOST_PAIRS]

    def where(row: Mapping[str, Any]) -> str:
        return f"{sets[row['set']]}: " if several else ""

    with styled():
        figure, (left, right) = new_figure(7.4, 1.1 + 0.32 * max(len(each), len(drawn)), ncols=2)
        for y, row in enumerate(each):
            if row["balanced_accuracy_low"] is not None:
                ends = (100 * row["balanced_accuracy_low"], 100 * row["balanced_accuracy_high"])
                left.plot(ends, (y, y), color=PALETTE[1], linewidth=1.6)
            if row["balanced_accuracy"] is not None:
                left.plot(100 * row["balanced_accuracy"], y, "o", color=PALETTE[1], markersize=6)
        left.axvline(50, color=INK, linewidth=0.8, linestyle=(0, (1, 2)))
        left.set_yticks(range(len(each)), [where(row) + shown[str(row["group"])] for row in each])
        left.set(xlabel="balanced accuracy, %", title="groups", ylim=(len(each) - 0.4, -0.6))
        right.axvline(0, color=INK, linewidth=0.8)
        for y, row in enumerate(drawn):
            clear = row[f"{measure}_p_holm"] is not None and row[f"{measure}_p_holm"] < LEVEL
            colour = PALETTE[0] if clear else GREY
            if row[f"{measure}_low"] is not None:
                ends = (100 * row[f"{measure}_low"], 100 * row[f"{measure}_high"])
                right.plot(ends, (y, y), color=colour, linewidth=1.6)
            fill = colour if clear else "white"
            right.plot(100 * row[measure], y, "D", color=colour, markersize=5.5, markerfacecolor=fill)
        names = [f"{where(row)}{shown[str(row['first'])]} − {shown[str(row['second'])]}" for row in drawn]
        right.set_yticks(range(len(drawn)), names)
        right.set(xlabel="percentage points", title="difference", ylim=(max(len(drawn), 1) - 0.4, -0.6))
    return figure


def effects(rows: Rows) -> Figure:
    """One line per answer: its difference in accuracy alone (grey), and partially pooled with the others (blue)."""
    rows = sorted(rows, key=lambda row: -abs(row["pooled"]))[:MOST_EFFECTS]
    order = {q: at for at, q in enumerate(dict.fromkeys(row["question"] for row in rows))}
    rows = sorted(rows, key=lambda row: order[row["question"]])
    text = [f"{row['question']}: {row['answer']}" for row in rows]
    shown = labels(text)
    with styled():
        figure, ax = new_figure(6.4, 1.0 + 0.3 * len(rows))
        ax.axvline(0, color=INK, linewidth=0.8)
        for y, row in enumerate(rows):
            for name, colour, at in (("difference", GREY, y - 0.13), ("pooled", PALETTE[0], y + 0.13)):
                low, high = (row[f"{name}_{end}"] for end in ("low", "high"))
                ax.plot((100 * low, 100 * high), (at, at), color=colour, linewidth=1.6)
                ax.plot(
                    100 * row[name], at, "o" if name == "pooled" else "s", color=colour, markersize=4.5,
                    label={"difference": "alone", "pooled": "partially pooled"}[name] if y == 0 else None,
                )  # fmt: skip
        ax.set_yticks(range(len(rows)), [shown[name] for name in text])
        ax.set(xlabel="difference in balanced accuracy, percentage points", ylim=(len(rows) - 0.4, -0.6))
        ax.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return figure
