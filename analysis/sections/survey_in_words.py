"""The survey in words: the verdict on each set, and sentences on what the tables show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.numbers import decimal, p_value, percent
from analysis.people.dependence import TRENDS

# Mean F1 in section 4.1.3 of Furger et al. 2020, in the order of Figure 10.
PAPER_F1 = {"healthy": 0.58, "eczema": 0.53, "df": 0.65, "mel": 0.71}
LEVEL = 0.05  # of every test behind a sentence, over all tests of its kind together
KINDS = {"detectable": "detectable", "cannot tell": "equivalent", "undecided": "undecided"}  # classes of the page


def paper_f1(name: str, positive: str) -> float | None:
    """The paper's mean F1 of a set of that name; its positive class is 'generated', so None beside any other."""
    return PAPER_F1.get(name) if positive == "generated" else None


def verdict(name: str, one: dict[str, Any]) -> dict[str, Any]:
    """The first lines of the page on a set: the verdict, a sentence, and key facts."""
    code, bound = one["equivalence"]["verdict"], one["equivalence"]["bound"]
    accuracy, interval = one["accuracy"]["mean"], one["accuracy"]["ci95"]
    right = f"{percent(accuracy)} of the answers were right"
    if interval:
        right += f" (95 % interval for new people and new images: {percent(interval[0])} to {percent(interval[1])})"
    band = f"{percent(0.5 - bound)} to {percent(0.5 + bound)}"
    if code == "detectable":
        wrong_way = one["balanced_accuracy"]["mean"] < 0.5
        head = "People tell them apart, but reversed" if wrong_way else "People can tell"
        tail = (
            "generated images are taken for real more often than real ones are"
            if wrong_way
            else "guessing would give 50 %"
        )
        sentence = f"{right}; {tail}."
    elif code == "cannot tell":
        head = f"People cannot tell, within ±{100 * bound:g} percentage points"
        sentence = f"{right}, which lies within {band} (equivalence test, p {p_value(one['equivalence']['p'])})"
        chance = one["equivalence"]["p_chance"]
        trace = chance is not None and chance < LEVEL
        sentence += f", though not quite chance either (p {p_value(chance)})." if trace else "."
    elif one["equivalence"]["p"] is None:
        head, sentence = "Undecided", f"{right}; no test is possible: {one['equivalence']['note']}."
    else:
        head = "Undecided"
        more = one["equivalence"].get("more_participants")
        need = (
            f"about {more} more participant{'s' if more > 1 else ''} would decide it" if more
            else one["equivalence"].get("note") or "more images are needed, more participants alone will not decide it"
        )  # fmt: skip
        sentence = f"{right}, neither clearly off 50 % nor clearly within {band}: {need}."
    f1 = one["f1"]
    facts = [
        ("participants", str(one["participants"])),
        ("real + generated", f"{one['images']['real']} + {one['images']['generated']} images"),
        ("d′", _with_interval(one["d_prime"]["population"], one["d_prime"]["ci95"])),
        ("F1, mean (chance)", f"{decimal(f1['mean'])} ({decimal(f1['chance_mean'])})"),
        ("F1, quartiles", " / ".join(decimal(f1[q]) for q in ("q1", "median", "q3"))),
        ("hits / false alarms", f"{percent(one['hit_rate'])} / {percent(one['false_alarm_rate'])}"),
    ]
    return {"verdict": head, "kind": KINDS[code], "sentence": sentence, "facts": facts, "set": name}


def sentences(scores: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Sentences on what the tables show, for the top of the section."""
    said = []
    pairs = tables["comparisons"]
    if len(pairs):
        apart = [f"{p['first']} and {p['second']}" for p in pairs.to_dict("records") if (p["p_holm"] or 1.0) < LEVEL]
        said.append(
            (
                f"People can tell some sets better than others: {'; '.join(apart)} differ"
                if apart
                else "No pair of sets differs"
            )
            + f" (balanced accuracy, {len(pairs)} pair{'s' * (len(pairs) > 1)}, Holm-corrected, 5 %)."
        )
    tried = tables["exclusions"]
    changed = [
        str(name)
        for name, rows in (tried.groupby("set", sort=False) if len(tried) else ())
        if rows["verdict"].dropna().nunique() > 1
    ]
    if changed:
        said.append(f"The verdict depends on what is excluded for {', '.join(changed)}: see the table of exclusions.")
    elif len(tried):
        said.append("No exclusion that was tried changes a verdict.")
    else:
        said.append("Nothing recorded with the answers gives a reason to exclude a trial or a participant.")
    slopes = tables["trends"]
    if len(slopes):
        several = len(scores) > 1
        corrected = f"; Holm-corrected over {len(slopes)} trends, 5 %" if len(slopes) > 1 else ""
        clear = [_slope(row, several) for row in slopes.to_dict("records") if row["p_holm"] < LEVEL]
        said.append(
            f"Within participants {'; '.join(clear)}{corrected}." if clear
            else "Within participants accuracy does not measurably change with anything recorded about the trials."
        )  # fmt: skip
    looks = [_looked(name, one["sequential"]) for name, one in scores.items() if one["sequential"]["verdict"]]
    if looks:
        said.append(f"With continuous monitoring: {'; '.join(looks)} (always-valid, for these images).")
    return said


def _slope(row: Mapping[Any, Any], several: bool) -> str:
    per = next(trend.per for trend in TRENDS if trend.label == row["with"])
    low, high = sorted(100 * abs(row[end]) for end in ("low", "high"))
    way = "rises" if row["change"] > 0 else "falls"
    points = f"{100 * abs(row['change']):.1f} percentage points"
    where = f"in {row['set']} " if several else ""
    return f"{where}accuracy {way} by {points} with {per} (95 % interval {low:.1f} to {high:.1f})"


def _looked(name: str, looks: Mapping[str, Any]) -> str:
    if looks["after"] is None:
        return f"{name} not decided after {looks['participants']}"
    return f"{name} '{looks['verdict']}' after {looks['after']} of {looks['participants']}"


def _with_interval(value: float | None, interval: Any) -> str:
    return decimal(value) + (f" ({decimal(interval[0])} to {decimal(interval[1])})" if interval else "")
