"""The survey in words: the verdict on each set, what the tables say, how it was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.people import image_rates
from analysis.people.dependence import TRENDS
from analysis.section import Context

# Mean F1 in section 4.1.3 of Furger et al. 2020, in the order of Figure 10.
PAPER_F1 = {"healthy": 0.58, "eczema": 0.53, "df": 0.65, "mel": 0.71}
LEVEL = 0.05  # of every test that a sentence rests on, over all tests of its kind together
KINDS = {"detectable": "detectable", "cannot tell": "equivalent", "undecided": "undecided"}  # classes of the page

CAPTIONS = {
    "scores": "What people could tell, set by set",
    "tests": "The tests, set by set",
    "f1-and-d-prime": "F1 beside its chance level, d′ and criterion, set by set",
    "measures": "Each measure: its mean with the 95 % interval, and the quartiles over participants",
    "participants": "Every participant",
    "comparisons": "Every pair of sets: difference in balanced accuracy",
    "exclusions": "The verdict without the trials or people that one might exclude",
    "trends": "How accuracy changes within participants",
    "accuracy": "Balanced accuracy with its 95 % interval (thin) and 90 % interval (thick) for new participants and "
    "new images. A 90 % interval inside the band is what the equivalence test calls 'cannot tell'.",
    "answers": "Every participant's answers. Up and to the left they can tell; along a curve they can tell equally "
    "well and differ in how readily they say 'generated'.",
    "images": "Every image",
    "image-rates": "Every image: how often it was called generated, shrunk towards its class, with 95 % intervals. "
    "Where the two curves lie on one another people cannot tell.",
}


def paper_f1(name: str, positive: str) -> float | None:
    """The paper's mean F1 of a set of that name; its positive class is 'generated', so None beside any other."""
    return PAPER_F1.get(name) if positive == "generated" else None


def verdict_in_words(name: str, one: dict[str, Any]) -> dict[str, Any]:
    """What the page's first lines say of a set: the verdict, a sentence, and the facts beside it."""
    code, bound = one["equivalence"]["verdict"], one["equivalence"]["bound"]
    accuracy, interval = one["accuracy"]["mean"], one["accuracy"]["ci95"]
    right = f"{percent(accuracy)} of the answers were right"
    if interval:
        right += f" (95 % interval for new people and new images: {percent(interval[0])} to {percent(interval[1])})"
    band = f"{percent(0.5 - bound)} to {percent(0.5 + bound)}"
    if code == "detectable":
        wrong_way = one["balanced_accuracy"]["mean"] < 0.5
        head = "People tell them apart, the wrong way round" if wrong_way else "People can tell"
        tail = "generated images pass for real more often than real ones" if wrong_way else "guessing would give 50 %"
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
    """What the tables say, for the top of the section."""
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
        said.append("Nothing that the answers record gives a reason to exclude a trial or a person.")
    slopes = tables["trends"]
    if len(slopes):
        several = len(scores) > 1
        corrected = f"; Holm-corrected over {len(slopes)} trends, 5 %" if len(slopes) > 1 else ""
        clear = [_slope(row, several) for row in slopes.to_dict("records") if row["p_holm"] < LEVEL]
        said.append(
            f"Within a person {'; '.join(clear)}{corrected}." if clear
            else "Within a person accuracy does not measurably change with what was recorded of the trials."
        )  # fmt: skip
    looks = [_looked(name, one["sequential"]) for name, one in scores.items() if one["sequential"]["verdict"]]
    if looks:
        said.append(f"Had one looked after every participant: {'; '.join(looks)} (always valid, for these images).")
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


def methods(context: Context, scores: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """How, in words, with the options that were used, of what was done."""
    looked = any(one["sequential"]["verdict"] for one in scores.values())
    timed = any(one["response_time_s"]["mean"] is not None for one in scores.values())
    said = [
        f"Each participant's F1 has '{context.positive}' as its positive class. Its chance level is the mean over all "
        "ways to deal out that participant's own answers over the images they saw, which is exact (hypergeometric).",
        "d′ = z(H) − z(F) and c = −(z(H) + z(F))/2 with the log-linear correction (Hautus 1995), by participant. "
        "Means of these are biased towards zero with few trials, so the population's d′ and criterion are those of a "
        "probit model with participants and images crossed, d′ varying between participants (spreads by gpboost).",
        "Intervals are for new participants and new images: the variance is clustered by participants and by "
        "images and counts the noise of trials once, participants + images − trials (Cameron, Gelbach and Miller 2011, "
        "eq. 2.11), with Satterthwaite's degrees of freedom; shares have Wilson's interval for the effective "
        "sample size.",
        f"'Cannot tell' is an equivalence test: two one-sided tests of balanced accuracy against 0.5 ± "
        f"{context.bound:g} at 5 % each. 'Can tell' is a two-sided test against 0.5 at 5 %. If neither passes, the "
        "verdict is undecided.",
        "Against chance there are two permutation tests, one-sided: every participant's answers dealt out anew over "
        "the images they saw (exact, for these images), and the labels dealt out anew over the images (for new ones).",
        "Pairs of sets: the difference in balanced accuracy by the same two-way variance, people who answered in both "
        "counted once, Holm's correction over all pairs." if len(tables["comparisons"]) else "",
        "Response times: the mean of the participants' medians, with a t interval for new participants."
        if timed else "",
        "Always valid: a confidence sequence by betting over participants in the order of finishing (Waudby-Smith and "
        "Ramdas 2024), which may be looked at after everybody without raising the error rate; it is for new "
        "participants and the images drawn from." if looked else "",
        f"Rates of single images: {image_rates.METHOD}. What single participants did stands in "
        "tables/participants.csv; scores.json holds the numbers of the sets and of their images.",
        "Trends are least-squares slopes within participants with the same two-way clustered intervals; what is said "
        "of them in words is held to 5 % over all trends of the report (Holm's correction)."
        if len(tables["trends"]) else "",
    ]  # fmt: skip
    return [sentence for sentence in said if sentence]


def percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}\u202f%"


def decimal(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}".replace("-", "−")


def p_value(value: float | None) -> str:
    return "–" if value is None else "< 0.001" if value < 0.001 else f"= {value:.3f}"


def _with_interval(value: float | None, interval: Any) -> str:
    return decimal(value) + (f" ({decimal(interval[0])} to {decimal(interval[1])})" if interval else "")
