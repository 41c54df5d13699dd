"""The summary: people, machine observer and distance side by side, a row for each set or run, from other sections."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from analysis import inventory
from analysis.figures import summary as draw
from analysis.figures.style import labels
from analysis.images import better
from analysis.images.translation import published_from
from analysis.section import Context, Section, noted

MOST_ROWS = 40  # drawn; the table has all


def compute(context: Context, sections: Mapping[str, Section]) -> Section | None:
    """The section; None without a result from people, a machine observer or a distance."""
    scores = {name: section.scores for name, section in sections.items()}
    rows = [row for row in _rows(context, scores) if row["people"] or row["machine"] or row["kid"] is not None]
    if not rows:
        return None
    section = Section("summary", {row["name"]: noted(_numbers(row), "not computed for this row") for row in rows})
    shown = rows[:MOST_ROWS]
    names = labels(row["name"] for row in shown)
    drawn = [{**row, "name": names[row["name"]]} for row in shown]
    distances = {one.get("extractor") for one in scores.get("quality", {}).values()}
    scored = any(row["kid"] is not None for row in shown)
    kernel = next((one["kernel_distance"] for one in scores.get("quality", {}).values()), "")
    section.figure(
        "summary", partial(draw.summary, drawn, context.bound, kernel), people=any(row["people"] for row in shown),
        machine=any(row["machine"] for row in shown), kid=kernel if scored else "",
        random="random" in distances, left=len(rows) - len(shown), rows=len(rows),
    )  # fmt: skip
    table = pd.DataFrame([{"name": row["name"], "run": row["run"], **_numbers(row)} for row in rows])
    section.table("summary", table.dropna(axis=1, how="all"))
    return section


def _rows(context: Context, scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each answered or published set, then for each run without such a set."""
    survey, machines, quality = (scores.get(name, {}) for name in ("survey", "machine_observer", "quality"))
    published = inventory.shown_sets(context)
    rows, seen = [], set()
    for name in [*survey, *(name for name in machines if name not in survey)]:
        origin = published_from(context, name, published[name].made_from) if name in published else {}
        run = next((one for one in map(origin.get, ("pair", "direction", "run")) if one in quality), None)
        seen.add(run)
        rows.append(_row(name, run, survey.get(name), machines.get(name), quality.get(run)))
    named = {row["name"] for row in rows}
    for run, found in quality.items():
        if run not in seen:  # a set of that name was made from another generator
            rows.append(_row(f"{run} (run)" if run in named else run, run, None, None, found))
    return rows


def _row(name: str, run: str | None, people: Any, machine: Any, quality: Any) -> dict[str, Any]:
    balanced = people["balanced_accuracy"] if people else {"mean": None}
    return {
        "name": name, "run": run,
        "people": None if balanced["mean"] is None or balanced["ci95"] is None else {
            "mean": balanced["mean"], "ci95": balanced["ci95"], "ci90": people["equivalence"].get("ci90"),
            "verdict": people["equivalence"]["verdict_over_sets"],
        },
        "machine": machine["observers"][better(machine["observers"])] if machine else None,
        "kid": quality["kid"] if quality else None,
        "low": quality.get("kid_low") if quality else None, "high": quality.get("kid_high") if quality else None,
        "real_low": quality.get("real_kid_low") if quality else None,
        "real_high": quality.get("real_kid_high") if quality else None,
    }  # fmt: skip


def _numbers(row: Mapping[str, Any]) -> dict[str, Any]:
    people, machine = row["people"], row["machine"]
    low, high = people["ci95"] if people else (None, None)
    return {
        "balanced_accuracy": people["mean"] if people else None, "low": low, "high": high,
        "machine_accuracy": machine["accuracy"] if machine else None, "kid": row["kid"], "kid_low": row["low"],
        "kid_high": row["high"], "real_kid_low": row["real_low"], "real_kid_high": row["real_high"],
    }  # fmt: skip
