"""The scores of one stimulus set and its participants, as scores.json holds them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.numbers import LEVEL
from analysis.people import bayes, equivalence, inference, sequential
from analysis.people.estimation.estimate import Estimate, without_noise
from analysis.people.population import mixed
from analysis.people.trials import Trials
from analysis.section import noted
from glimpse import observers

MEASURES = {  # of each participant; the report gives their quartiles and means
    "f1": "F1",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "hit_rate": "hit rate",
    "false_alarm_rate": "false-alarm rate",
    "d_prime": "own d′",
    "criterion": "own criterion",
    "median_response_time_s": "median response time, s",
}


def participants_of(rows: pd.DataFrame, counts: observers.Counts, positive: observers.Positive) -> pd.DataFrame:
    """One row of scores per participant of one set; `counts`: their answers, in the order of their names.

    >>> rows = pd.DataFrame({"set": "df", "participant": ["ann", "ann"], "response_time_ms": [900.0, 1100.0]})
    >>> ann = observers.Counts(*np.array([[1], [0], [1], [0]]))  # said 'generated' to both
    >>> participants_of(rows, ann, "generated")[["participant", "accuracy", "median_response_time_s"]].values.tolist()
    [['ann', 0.5, 1.0]]
    """
    times_ms = rows.groupby("participant", sort=True)["response_time_ms"].median()
    return pd.DataFrame(
        {
            "set": rows["set"].iloc[0],
            "participant": times_ms.index,
            "trials": counts.trials,
            "hits": counts.hits,
            "misses": counts.misses,
            "false_alarms": counts.false_alarms,
            "correct_rejections": counts.correct_rejections,
            "f1": observers.f1(counts, positive),
            "f1_chance": observers.f1_chance(counts, positive),
            "p_permutation": observers.permutation_p(counts),
            "accuracy": observers.accuracy(counts),
            "balanced_accuracy": observers.balanced_accuracy(counts),
            "hit_rate": observers.hit_rate(counts),
            "false_alarm_rate": observers.false_alarm_rate(counts),
            "d_prime": observers.d_prime(counts).round(12) + 0.0,
            "criterion": observers.criterion(counts).round(12) + 0.0,
            "median_response_time_s": times_ms.to_numpy() / 1000,
        }
    )


def quartiles(values: Any, what: str = "undefined for every participant") -> dict[str, Any]:
    """Quartiles of the defined values (linear interpolation); None, with the reason, where there are none.

    >>> quartiles([1.0, None, 2.0, 4.0])
    {'n': 3, 'q1': 1.5, 'median': 2.0, 'q3': 3.0}
    """
    defined = np.asarray(values, float)
    defined = defined[np.isfinite(defined)]
    if not len(defined):
        return {"n": 0, "q1": None, "median": None, "q3": None, "note": what}
    q1, median, q3 = (float(q) for q in np.quantile(defined, [0.25, 0.5, 0.75]))
    return {"n": len(defined), "q1": q1, "median": median, "q3": q3}


def scores_of(
    answers: Trials, people: pd.DataFrame, positive: observers.Positive, bound: float, seed: int
) -> dict[str, Any]:
    """The scores of one set as JSON values. A missing number is None, with its reason in `note`.

    `people`: the rows of `participants_of`; `bound`: of the equivalence test; `seed`: of the draws.

    >>> said, truth = np.array([True, False, True, False] * 3), np.array([True, False] * 6)
    >>> answers = Trials(said, truth, np.repeat([0, 1, 2], 4), np.tile(np.arange(4), 3))
    >>> rows = pd.DataFrame({"set": "df", "participant": answers.participant, "response_time_ms": 1000.0})
    >>> people = participants_of(rows, answers.counts(), "generated")
    >>> found = scores_of(answers, people, "generated", bound=0.05, seed=0)  # three people, always right
    >>> found["accuracy"]["mean"], found["f1"]["median"], found["image_counts"], found["response_time_s"]["median"]
    (1.0, 1.0, {'real': 2, 'generated': 2}, 1.0)
    """
    chance = people["f1_chance"].to_numpy(float)
    balanced, found = inference.balanced_accuracy(answers), inference.accuracy(answers)
    hit, false_alarm = inference.rate(answers, 1, 0), inference.false_alarm_rate(answers)
    return {
        "participants": len(people),
        "trials": len(answers),
        "image_counts": {
            truth: len(np.unique(answers.image[answers.is_generated == (truth == "generated")]))
            for truth in ("real", "generated")
        },
        "f1": {
            **quartiles(people["f1"]),
            **inference.mean_f1(answers, positive).scores("mean"),
            "chance_mean": float(np.nanmean(chance)) if np.isfinite(chance).any() else None,
            "positive": positive,
            "undefined": int(people["f1"].isna().sum()),
        },
        "accuracy": {**found.scores("mean"), "n": len(answers), "chance": _chance(answers)},
        "balanced_accuracy": {**balanced.scores("mean"), "n": len(answers), "weighted": _otherwise_weighted(answers)},
        "hit_rate": hit.value,
        "false_alarm_rate": false_alarm.value,
        "rates": {
            "hit": {**hit.scores(), "n": int(answers.is_generated.sum())},
            "false_alarm": {**false_alarm.scores(), "n": int((~answers.is_generated).sum())},
        },
        **_sensitivity_and_criterion(answers, seed),
        "equivalence": _equivalence(balanced, len(people), bound),
        "response_time_s": times(people["median_response_time_s"]),
        "quartiles": {measure: quartiles(people[measure]) for measure in MEASURES},
        **({} if hit.value is not None and false_alarm.value is not None else {"note": hit.note or false_alarm.note}),
    }


def _chance(answers: Trials) -> dict[str, float]:
    """Accuracy by chance: of the better constant answer, and of each participant's own answers in random order."""
    generated = float(answers.is_generated.mean())
    habit = inference.mean_of_people(answers.said_generated, answers.participant)[0]
    by_habit = generated * habit + (1 - generated) * (1 - habit)
    return {"one_answer": max(generated, 1 - generated), "habit": without_noise(by_habit)}


def _otherwise_weighted(answers: Trials) -> dict[str, Any]:
    """Balanced accuracy with answers, and with images, weighted equally instead of participants."""
    classes = [answers.where(answers.is_generated == truth) for truth in (False, True)]
    if not all(len(one) for one in classes):
        return {"by_answer": None, "by_image": None, "note": "images of one class only"}
    return {
        "by_answer": float(np.mean([one.correct.mean() for one in classes])),
        "by_image": float(np.mean([inference.mean_of_people(one.correct, one.image)[0] for one in classes])),
    }


def _sensitivity_and_criterion(answers: Trials, seed: int) -> dict[str, Any]:
    """The population's d' and criterion, and beside them the means of the participants' own."""
    found = {}
    model = mixed.fit(answers, seed)
    for name, population, own in (
        ("d_prime", model.d_prime, inference.mean_d_prime(answers)),
        ("criterion", model.criterion, inference.mean_criterion(answers)),
    ):
        population, own = (_with_enough_people(found, answers.people[1]) for found in (population, own))
        found[name] = {
            "n": answers.counts().trials.size, "mean": own.scores()["value"], "mean_ci95": own.ci95,
            "mean_method": own.method,
            **population.scores("population"),
            **({"note": population.note or own.note} if population.note or own.note else {}),
        }  # fmt: skip
    found["spread"] = noted(
        {**model.spreads_by_name(), "n": len(answers), "ci95": None, "method": mixed.METHOD},
        model.d_prime.note or "no intervals: those of d' and criterion include this uncertainty",
    )
    return found


def _with_enough_people(found: Estimate, people: int) -> Estimate:
    """The estimate, without its interval for two participants: d' has no bounds, and t with 1 df reaches 12.7 SE."""
    if people != 2 or found.ci95 is None:
        return found
    return replace(found, ci95=None, note="two participants say too little about new ones")


def times(medians: pd.Series) -> dict[str, Any]:
    """Quartiles and mean of the participants' median response times; the interval is for new participants.

    >>> [round(end, 1) for end in times(pd.Series([900.0, 1000.0, 1100.0]))["ci95"]]  # ± 4.3027 · 100 / √3
    [751.6, 1248.4]
    >>> [round(end, 2) for end in times(pd.Series([6.0, 8.0]))["ci95"]]  # 7 exp(± 1.815), not −5.7 to 19.7
    [1.14, 42.99]
    """
    known = medians.dropna()
    found = {**quartiles(known, "no response times were given"), "mean": None, "ci95": None}
    if len(known):
        found["mean"] = float(known.mean())
    if len(known) < 2:
        return {"note": "one participant: no interval for new participants", **found}
    mean, half = found["mean"], float(stats.t.ppf(0.975, len(known) - 1) * known.std() / np.sqrt(len(known)))
    method = "participants' medians, t interval over participants"
    if 0 < mean < half:
        ends = [mean * float(np.exp(sign * half / mean)) for sign in (-1, 1)]
        return {**found, "ci95": ends, "method": f"{method} on the log scale"}
    return {**found, "ci95": [mean - half, mean + half], "method": method}


def sequential_of(rows: pd.DataFrame, people: pd.DataFrame, bound: float) -> dict[str, Any]:
    """The always-valid verdict over the participants in the order of finishing.

    >>> rows = pd.DataFrame({"participant": ["ann", "bob"], "answered_at": ["10:30", "10:31"]})
    >>> people = pd.DataFrame({"participant": ["ann", "bob"], "balanced_accuracy": [0.5, 1.0]})
    >>> found = sequential_of(rows, people, bound=0.05)
    >>> found["verdict"], found["participants"]
    ('undecided', 2)
    """
    nothing = {"verdict": None, "p": None, "after": None, "ci95": None}
    said = rows[rows["answered_at"] != ""]
    if said.empty:
        return {**nothing, "note": "the answers do not say when they were given"}
    when = times_of(said["answered_at"])
    if when is None:
        return {**nothing, "note": "answered_at holds neither ISO 8601 times nor times of day: the order is unknown"}
    finished = when.groupby(said["participant"]).max()
    each = people.set_index("participant")["balanced_accuracy"].reindex(finished.sort_values(kind="stable").index)
    each = each.dropna()
    if each.empty:
        return {**nothing, "note": "no participant saw images of both classes"}
    seen = sequential.monitor(each.to_numpy(float), bound)
    found = {
        "verdict": seen.code, "p": seen.p, "after": seen.decided_at, "participants": len(each),
        "ci95": [float(seen.low[-1]), float(seen.high[-1])],
        "method": "confidence sequence by betting on participants' balanced accuracy, for these images; valid at all "
        "looks together",
    }  # fmt: skip
    return noted(found, "not decided yet")


def times_of(said: pd.Series) -> pd.Series | None:
    """Texts as times that can be ordered; None if one is neither ISO 8601 nor a time of day (3/4 may be March).

    >>> times_of(pd.Series(["10:30", "09:15"])).dt.minute.tolist(), times_of(pd.Series(["3/4"]))
    ([30, 15], None)
    """
    for form in ("ISO8601", "%H:%M", "%H:%M:%S"):
        with suppress(ValueError):
            return pd.to_datetime(said, format=form, utc=True)
    return None


def _equivalence(balanced: inference.Estimate, people: int, bound: float) -> dict[str, Any]:
    verdict = equivalence.verdict(balanced, people, bound)
    found = {
        "n": people, "bound": verdict.bound, "p": verdict.p_equivalence, "ci90": ci90(balanced),
        "verdict": verdict.code, "words": verdict.words, "p_chance": verdict.p_chance,
        "bayes_factor": bayes.bayes_factor(balanced, bound), "prior": bayes.PRIOR,
        "method": f"two one-sided tests of balanced accuracy against 0.5 ± bound at 5 %, {balanced.method}; "
        f"Bayes factor limited to {bayes.LEAST:g} to {bayes.MOST:g}",
    }  # fmt: skip
    if verdict.code == "undecided":
        found["more_participants"] = verdict.more_participants
    return noted(found, verdict.note or balanced.note or "more participants alone are unlikely to decide it")


def ci90(estimate: inference.Estimate) -> tuple[float, float] | None:
    """The 90 % interval: it lies within 0.5 ± bound exactly if both one-sided tests reject at 5 %.

    >>> [round(end, 4) for end in ci90(inference.Estimate(0.5, se=0.1, df=1e9))]  # ± 1.6449 · 0.1
    [0.3355, 0.6645]
    """
    return estimate.interval(0.9) if estimate.testable else None


def over_sets(scores: Mapping[str, Any]) -> None:
    """Add to each set's tests the p-value of its verdict over all sets together (Bonferroni), and the verdict with it.

    The p-value is None if the verdict is undecided. Each set makes one claim, and one of the two null hypotheses behind
    the claims is false, so the number of sets is the number of claims to correct for.

    >>> tests = {"p": 0.6, "p_chance": 0.03, "verdict": "detectable"}
    >>> scores = {"df": {"equivalence": tests}, "mel": {"equivalence": {**tests, "verdict": "undecided"}}}
    >>> over_sets(scores)
    >>> [(one["equivalence"]["p_over_sets"], one["equivalence"]["verdict_over_sets"]) for one in scores.values()]
    [(0.06, 'undecided'), (None, 'undecided')]
    """
    for one in scores.values():
        tests = one["equivalence"]
        p = {"cannot tell": tests["p"], "detectable": tests["p_chance"]}.get(tests["verdict"])
        tests["sets"] = len(scores)
        tests["p_over_sets"] = over = None if p is None else min(1.0, p * len(scores))
        tests["verdict_over_sets"] = tests["verdict"] if over is None or over < LEVEL else "undecided"
        if p is None:
            tests.setdefault("note", "undecided: no claim to correct for")
