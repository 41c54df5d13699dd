"""The survey in words: the verdict on each set, and sentences on what the tables show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.numbers import LEVEL, corrected_over, decimal, ends, p_value, percent, telling_digits
from analysis.people.dependence import TRENDS

# Mean F1 in section 4.1.3 of Furger et al. 2020, in the order of Figure 10.
PAPER_F1 = {"healthy": 0.58, "eczema": 0.53, "df": 0.65, "mel": 0.71}
MEASURE = "balanced accuracy"
NOTABLE = 0.01  # a difference in balanced accuracy that is worth a sentence
MOST_PAIRS = 10  # named in a sentence; the table has all
OPPOSITE = {"detectable": "cannot tell", "cannot tell": "detectable"}
KINDS = {"detectable": "detectable", "cannot tell": "equivalent", "undecided": "undecided"}  # classes of the page


def paper_f1(name: str, positive: str) -> float | None:
    """The paper's mean F1 of a set of that name; None if the positive class is not 'generated', as in the paper."""
    return PAPER_F1.get(name) if positive == "generated" else None


def conclusion(name: str, one: Mapping[str, Any]) -> dict[str, Any]:
    """The card of a set at the top of the page: the verdict, sentences, and key facts.

    The verdict is on balanced accuracy. Its sentence gives the interval of the test that decided: the 90 % interval for
    'cannot tell' (both one-sided tests at 5 %), and the 95 % interval otherwise.
    """
    f1, counts = one["f1"], one["image_counts"]
    facts = [
        ("participants", f"{one['participants']:,}"),
        ("real + generated", f"{counts['real']:,} + {counts['generated']:,} images"),
        ("d′", _with_interval(one["d_prime"]["population"], one["d_prime"]["ci95"])),
        ("F1, mean (chance)", f"{decimal(f1['mean'])} ({decimal(f1['chance_mean'])})"),
        ("F1, quartiles", " / ".join(decimal(f1[q]) for q in ("q1", "median", "q3"))),
        ("hits / false alarms", f"{percent(one['hit_rate'])} / {percent(one['false_alarm_rate'])}"),
        ("right answers", _accuracy(one["accuracy"])),
    ]
    head, said = _decision(one)
    over_sets = _over_sets(one["equivalence"])
    head = f"Undecided over all {one['equivalence']['sets']} sets" if over_sets else head
    sentence = " ".join([said, *_weighting(one["balanced_accuracy"]), *over_sets])
    return {
        "verdict": head, "kind": KINDS[one["equivalence"]["verdict_over_sets"]], "sentence": sentence, "facts": facts,
        "set": name,
    }  # fmt: skip


def _decision(one: Mapping[str, Any]) -> tuple[str, str]:
    """The verdict in a few words, and the sentence on the numbers that decided it."""
    tests, value, ci95 = one["equivalence"], one["balanced_accuracy"]["mean"], one["balanced_accuracy"]["ci95"]
    low, high = 0.5 - tests["bound"], 0.5 + tests["bound"]
    if value is None:
        return "Undecided", f"No test is possible: {tests['note']}."
    if tests["verdict"] == "cannot tell":
        head = f"People cannot tell, within ±{100 * tests['bound']:g} percentage points"
        said = f"{_right(one, tests['ci90'], 90, (low, high))}, which lies within {percent(low)} to {percent(high)}"
        said += f" (equivalence test, p {p_value(tests['p'])})"
        trace = tests["p_chance"] is not None and tests["p_chance"] < LEVEL
        return head, said + (f", though not quite chance either (p {p_value(tests['p_chance'])})." if trace else ".")
    right = _right(one, ci95, 95, (0.5,))
    if tests["verdict"] == "detectable":
        p = f" ({tests['note'] if tests['p_chance'] is None else 'p ' + p_value(tests['p_chance'])})"
        if value < 0.5:
            tail = "generated images are taken for real more often than real ones are"
            return "People tell them apart, but reversed", f"{right}; guessing gives 50 %{p}: {tail}."
        return "People can tell", f"{right}; guessing gives 50 %, even if it prefers one answer{p}."
    if tests["p"] is None:
        return "Undecided", f"{right}; no test is possible ({tests['note']})."
    more = tests.get("more_participants")
    need = f"about {more} more participant{'s' * (more > 1)} would decide it" if more else tests["note"]
    return (
        "Undecided",
        f"{right}, neither clearly off 50 % nor clearly within {percent(low)} to {percent(high)}: {need}.",
    )


def _right(one: Mapping[str, Any], interval: Any, level: int, limits: tuple[float, ...]) -> str:
    """The balanced accuracy and its interval, with enough decimals to show on which side of the limits it ends."""
    who = "The one participant was" if one["participants"] == 1 else "People were"
    value = percent(one["balanced_accuracy"]["mean"])
    said = f"{who} right about {value} of the images, real and generated ones weighted equally"
    if not interval:
        return said
    digits = telling_digits(interval, limits, 3) - 2
    ends = " to ".join(percent(end, digits) for end in interval)
    return f"{said} ({level} % interval for new people and new images: {ends})"


def _accuracy(accuracy: Mapping[str, Any]) -> str:
    """The share of right answers, and that by chance, given the classes and the participants' preferences."""
    one_answer, habit = accuracy["chance"]["one_answer"], accuracy["chance"]["habit"]
    constant = f"{percent(one_answer)} by one answer throughout, " if one_answer > 0.51 else ""
    return f"{percent(accuracy['mean'])} ({constant}{percent(habit)} by the same answers in random order)"


def _weighting(balanced: Mapping[str, Any]) -> list[str]:
    """A sentence if it matters that participants are weighted equally."""
    said = []
    for by, unit in (("by_answer", "answer"), ("by_image", "image")):
        other = balanced["weighted"][by]
        if other is not None and abs(other - balanced["mean"]) >= max(NOTABLE, (balanced.get("se") or 0.0) / 2):
            said.append(f"{percent(other)} with {unit}s weighted equally")
    return [f"Participants are weighted equally here; it would be {' and '.join(said)}."] if said else []


def _over_sets(tests: Mapping[str, Any]) -> list[str]:
    """A sentence if a verdict does not hold with all sets of the report tested at 5 % together."""
    if tests["verdict_over_sets"] == tests["verdict"]:
        return []
    p = p_value(tests["p_over_sets"])
    return [f"Tested alone this is significant, but not over all {tests['sets']} sets together (Bonferroni, p {p})."]


def sentences(scores: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """Sentences on what the tables show, for the top of the section."""
    said = []
    if len(tables["comparisons"]):
        said.append(_pairs(tables["comparisons"]))
    said += _d_primes(scores)
    said += _exclusions(tables["exclusions"])
    said += _trends(scores, tables["trends"])
    looks = [_looked(name, one["sequential"]) for name, one in scores.items() if one["sequential"]["verdict"]]
    if looks:
        said.append(f"With continuous monitoring: {'; '.join(looks)} (always-valid, for these images).")
    return said


def _pairs(pairs: pd.DataFrame) -> str:
    """A sentence on the pairs of sets that differ, of those that could be tested."""
    tested = pairs[pairs["p_holm"].notna()]
    if not len(tested):
        reasons = pairs["note"].dropna() if "note" in pairs else pairs["first"].head(0)
        return f"No test can compare the sets{f' ({reasons.iloc[0]})' if len(reasons) else ''}."
    clearly = tested[pd.to_numeric(tested["p_holm"]) < LEVEL]
    apart = [f"{p['first']} and {p['second']}" for p in clearly.to_dict("records")]
    further = f" and {len(apart) - MOST_PAIRS} further pairs" if len(apart) > MOST_PAIRS else ""
    better = f"People can tell some sets better than others: {'; '.join(apart[:MOST_PAIRS])}{further} differ"
    untested = f"; {len(pairs) - len(tested)} could not be tested" if len(tested) < len(pairs) else ""
    how = f"{len(tested)} pairs, Holm-corrected, 5 %" if len(tested) > 1 else "1 pair, tested at 5 %"
    return f"{better if apart else 'No two sets measurably differ'} (balanced accuracy, {how}{untested})."


def _d_primes(scores: Mapping[str, Any]) -> list[str]:
    """Sentences on what d' counts, and on the sets that have none, or none with an interval."""
    found = {name: one["d_prime"] for name, one in scores.items() if one["balanced_accuracy"]["mean"] is not None}
    said = []
    if any(d_prime["population"] is not None for d_prime in found.values()):
        said.append(
            "Lapses (answers given without looking) lower d′, which counts them as inability: with 20 % of them a d′ "
            "of 1.5 is estimated as 1.1 to 1.2."
        )
    apart = [
        name for name, d_prime in found.items()
        if scores[name]["equivalence"]["verdict"] == "detectable" and d_prime["ci95"]
        and d_prime["ci95"][0] <= 0 <= d_prime["ci95"][1]
    ]  # fmt: skip
    if apart:
        said.append(
            f"The interval of d′ holds 0 where the verdict is 'detectable' ({', '.join(apart)}): the verdict is on "
            "balanced accuracy; the interval of d′ includes the uncertainty of how much people and images differ."
        )
    reasons: dict[str, list[str]] = {}
    for name, d_prime in found.items():
        if d_prime["ci95"] is None:
            without = "no d′" if d_prime["population"] is None else "a d′ without an interval"
            reasons.setdefault(f"{without}: {d_prime['note']}", []).append(name)
    for reason, names in reasons.items():
        further = f" and {len(names) - MOST_PAIRS} further sets" if len(names) > MOST_PAIRS else ""
        who = f"{', '.join(names[:MOST_PAIRS])}{further} {'have' if len(names) > 1 else 'has'}"
        said.append(f"{who if len(scores) > 1 else 'This survey has'} {reason}.")
    return said


def _exclusions(tried: pd.DataFrame) -> list[str]:
    """Sentences on the verdict after exclusions; one that keeps less than half of the trials cannot contradict it."""
    if not len(tried):
        return ["Nothing recorded with the answers gives a reason to exclude a trial or a participant."]
    changed: list[str] = []
    few: list[str] = []
    compared = False
    for name, rows in tried.groupby("set", sort=False):
        whole = rows.iloc[0]
        tested = whole["verdict"] != "undecided" or pd.notna(whole["p_equivalence"])
        for row in rows.iloc[1:].to_dict("records"):
            share, rule = row["trials"] / whole["trials"], f"{name}, {row['left out']}"
            if row["verdict"] == whole["verdict"]:
                compared |= tested and share >= 0.5
                continue
            if share < 0.5 and row["verdict"] != OPPOSITE.get(str(whole["verdict"])):
                few.append(f"{rule}: {percent(share)}")
            else:
                changed.append(f"{rule}: {row['verdict']} instead of {whole['verdict']}")
    said = [f"The verdict depends on what is excluded ({'; '.join(changed)}): see the table of exclusions."]
    if not changed:
        said = ["No exclusion that leaves half of the trials changes a verdict."] if compared else []
    if few:
        said.append(f"Exclusions that leave too few trials for a verdict to be compared: {'; '.join(few)}.")
    return said


def _trends(scores: Mapping[str, Any], slopes: pd.DataFrame) -> list[str]:
    """A sentence on the significant trends, or on what was tested if there are none (trends with an interval)."""
    tested = slopes[slopes["low"].notna()] if len(slopes) else slopes
    if not len(tested):
        return []
    halves = {name for name, one in scores.items() if one["balanced_accuracy"]["mean"] is None}  # one class was shown
    corrected = f"; {corrected_over(slopes['p_holm'], 'trend')}" if len(slopes) > 1 else ""
    clear = [
        (f"in {row['set']} " if len(scores) > 1 else "") + _slope(row, "accuracy" if row["set"] in halves else MEASURE)
        for row in tested.to_dict("records")
        if row["p_holm"] < LEVEL
    ]
    if clear:
        return [f"Within participants {'; '.join(clear)}{corrected}."]
    what = "accuracy" if halves & set(tested["set"]) else MEASURE
    along = " or ".join(f"the {trend.label.split(',')[0]}" for trend in TRENDS if trend.label in set(tested["with"]))
    return [f"Within participants {what} does not measurably change with {along}{corrected}."]


def _slope(row: Mapping[Any, Any], what: str) -> str:
    per = next(trend.per for trend in TRENDS if trend.label == row["with"])
    low, high = sorted(100 * abs(row[end]) for end in ("low", "high"))
    way = "rises" if row["change"] > 0 else "falls"
    points = f"{100 * abs(row['change']):.1f} percentage points"
    return f"{what} {way} by {points} with {per} (95 % interval {ends(low, high, digits=1)})"


def _looked(name: str, looks: Mapping[str, Any]) -> str:
    if looks["after"] is None:
        return f"{name} not decided after {looks['participants']}"
    return f"{name} '{looks['verdict']}' after {looks['after']} of {looks['participants']}"


def _with_interval(value: float | None, interval: Any) -> str:
    return decimal(value) + (f" ({decimal(interval[0])} to {decimal(interval[1])})" if interval else "")
