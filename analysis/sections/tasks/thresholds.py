"""The section `thresholds`: staircases, and studies without a time limit."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd

from analysis.numbers import percent
from analysis.people.thresholds import CURVE_MS, METHOD, TARGET, Thresholds, error_rate, median_threshold, thresholds
from analysis.people.trials import Trials
from analysis.section import Context, Section, places_by_set


def compute(context: Context) -> Section | None:
    """The section; None without staircases and without studies without a time limit."""
    if context.responses is None or "mode" not in context.responses:
        return None
    scores: dict[str, Any] = {}
    tables: list[pd.DataFrame] = []
    curves: dict[str, tuple[Thresholds, pd.DataFrame]] = {}
    answers = context.responses[context.responses["mode"].isin(["staircase", "unlimited"])]
    for name, places in places_by_set(answers).items():
        frame = answers.iloc[places]
        one: dict[str, Any] = {}
        exposure = frame["exposure_ms_actual"].fillna(frame["exposure_ms_planned"])
        stairs = frame[(frame["mode"] == "staircase") & (exposure > 0)]
        if len(stairs):
            codes, people = pd.factorize(stairs["participant"], sort=True)
            right = (stairs["said_generated"] == stairs["is_generated"]).to_numpy(bool)
            shown = exposure[stairs.index].to_numpy(float)
            found = thresholds(shown, right, codes)
            one["threshold_ms"] = median_threshold(found).scores("median") | {
                "participants": len(people), "trials": len(stairs), "longer": int(found.above.sum()),
                "shorter": int(found.below.sum()), "target": TARGET,
            }  # fmt: skip
            tables.append(
                pd.DataFrame(
                    {
                        "set": name, "participant": people, "threshold_ms": found.threshold_ms, "low": found.low,
                        "high": found.high, "longer_than_shown": found.above, "shorter_than_shown": found.below,
                    }
                )
            )  # fmt: skip
            curves[str(name)] = (found, pd.DataFrame({"exposure_ms": shown, "correct": right}))
        free = frame[frame["mode"] == "unlimited"]
        if len(free):
            one["error_rate"] = error_rate(Trials.from_table(free)).scores("value")
        if one:
            scores[str(name)] = one
    if not scores:
        return None
    section = Section("thresholds", scores, [sentence for name, one in scores.items() for sentence in _said(name, one)])
    if curves:
        from analysis.figures.thresholds import psychometric_curves

        section.figure("thresholds", partial(psychometric_curves, curves, CURVE_MS, TARGET), target=percent(TARGET, 0))
        section.table("thresholds", pd.concat(tables, ignore_index=True))
        section.explain(method=METHOD)
    return section


def _said(name: str, one: Mapping[str, Any]) -> list[str]:
    said = []
    if "threshold_ms" in one:
        stairs = one["threshold_ms"]
        value, interval = stairs["median"], stairs["ci95"]
        words = stairs.get("note")
        if value is not None:
            ends = f"95 % interval {interval[0]:.0f} to {interval[1]:.0f} ms" if interval else words
            words = f"half of the participants need {value:.0f} ms or less ({ends})"
        said.append(f"{name}: for {percent(TARGET, 0)} right answers {words}.")
    if "error_rate" in one:
        said.append(f"{name}: with no time limit {percent(one['error_rate']['value'])} of the answers were wrong.")
    return said
