"""What the answers say, set by set: the first section of the report, and `survey` in scores.json.

`observers` and `inference` compute; this part asks them for each set, and puts the verdict into words.
"""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.people import dependence, equivalence, image_rates, inference, mixed, sequential, significance
from analysis.people.dependence import stacked
from analysis.people.trials import Trials
from analysis.section import Context, Part
from analysis.sections import survey_figures, verdicts
from analysis.sections.verdicts import PAPER_F1
from glimpse import observers
from glimpse.files import sha256_json


def compute(context: Context) -> Part | None:
    """The part `survey`; None without answers. Sets that bear the paper's names come first, in its order."""
    if context.responses is None:
        return None
    frame = _one_mode(context.responses)
    if frame.empty:
        return None
    names = sorted(frame["set"].unique(), key=lambda n: (list(PAPER_F1).index(n) if n in PAPER_F1 else 99, n))
    frame = frame.sort_values(["set", "participant", "position"], kind="stable").reset_index(drop=True)
    coded = Trials.from_table(frame)
    rows = {name: frame[frame["set"] == name] for name in names}
    answers = {name: coded.where((frame["set"] == name).to_numpy()) for name in names}

    people = {n: participants_of(rows[n], answers[n].counts(), context.positive) for n in names}
    scores = {n: _cached_scores(n, answers[n], people[n], context) for n in names}
    for name in names:
        scores[name]["missing_answers"] = context.unanswered.get(name, 0)
        scores[name]["sequential"] = sequential_of(rows[name], people[name], context.bound)
        scores[name]["verdict"] = verdicts.verdict_in_words(name, scores[name])
    by_image = {n: image_rates.rates(rows[n]) for n in names}
    pairs = comparisons(significance.compare_sets(answers))
    exclusions = {n: dependence.sensitivity(rows[n], answers[n], context.bound) for n in names}
    trends = corrected({n: slopes(rows[n], answers[n]) for n in names})
    for name in names:
        scores[name]["exclusions"] = _records(exclusions[name], BALANCED_METHOD)
        scores[name]["trends"] = _records(trends[name], dependence.SLOPE_METHOD)
        compared = [p for p in _records(pairs, PAIR_METHOD) if name in (p["first"], p["second"])]
        scores[name]["compared_with"] = compared
        scores[name]["images"] = _records(by_image[name], image_rates.METHOD)
    tables = {
        **summary(scores),
        "comparisons": pairs,
        "exclusions": stacked({n: table for n, table in exclusions.items() if len(table) > 1}),
        "trends": stacked(trends),
        "participants": pd.concat(people.values(), ignore_index=True),
        "images": stacked(by_image),
    }
    drawn, captions = survey_figures.all_of(context, people, answers, scores, by_image, rows)
    return Part(
        name="survey", title="What people could tell", scores=scores, figures=drawn,
        tables={name: table for name, table in tables.items() if len(table)},
        captions={**verdicts.CAPTIONS, **captions},
        sentences=verdicts.sentences(scores, tables), methods=verdicts.methods(context, scores, tables),
    )  # fmt: skip


def _one_mode(responses: pd.DataFrame) -> pd.DataFrame:
    """The trials of the timed study; of a set shown only without a time limit, those. Staircases are `thresholds`."""
    timed = responses["mode"] == "fixed"
    free = (responses["mode"] == "unlimited") & ~responses["set"].isin(responses.loc[timed, "set"].unique())
    return responses[timed | free]


# ------------------------------------------------------------------------------------------------ one set


def participants_of(rows: pd.DataFrame, counts: observers.Counts, positive: observers.Positive) -> pd.DataFrame:
    """One row a participant of one set; `counts` are theirs, in the order of their names."""
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
            "d_prime": observers.d_prime(counts),
            "criterion": observers.criterion(counts),
            "median_response_time_s": times_ms.to_numpy() / 1000,
        }
    )


def quartiles(values: Any, what: str = "undefined for every participant") -> dict[str, Any]:
    """Quartiles of the defined values (linear interpolation); None, with the reason, where there are none."""
    defined = np.asarray(values, float)
    defined = defined[np.isfinite(defined)]
    if not len(defined):
        return {"n": 0, "q1": None, "median": None, "q3": None, "note": what}
    q1, median, q3 = (float(q) for q in np.quantile(defined, [0.25, 0.5, 0.75]))
    return {"n": len(defined), "q1": q1, "median": median, "q3": q3}


CODE = (
    inference,
    equivalence,
    significance,
    mixed,
    observers,
    sys.modules[__name__],
)  # what the scores are computed by
BALANCED_METHOD = f"balanced accuracy, {inference.METHOD_SHARE}; tests as under equivalence"
PAIR_METHOD = f"difference in balanced accuracy, {inference.METHOD}; p_holm over all pairs"
MEASURES = {  # of each participant, whose quartiles and means are told
    "f1": "F1",
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "hit_rate": "hit rate",
    "false_alarm_rate": "false-alarm rate",
    "d_prime": "own d′",
    "criterion": "own criterion",
    "median_response_time_s": "median response time, s",
}


def _cached_scores(name: str, answers: Trials, people: pd.DataFrame, context: Context) -> dict[str, Any]:
    """`scores_of`, or what it found before for the same answers, options and code."""
    digest = hashlib.sha256()
    for column in (answers.said_generated, answers.is_generated, answers.participant, answers.image):
        digest.update(np.ascontiguousarray(column).tobytes())
    for module in CODE:
        digest.update(inspect.getsource(module).encode())
    inputs = {
        "set": name, "answers and code": digest.hexdigest(), "positive": context.positive, "bound": context.bound,
        "seed": context.seed, "times": sha256_json(people["median_response_time_s"].fillna(-1).tolist()),
    }  # fmt: skip
    return context.cached("survey", inputs, lambda: scores_of(answers, people, context))


def scores_of(answers: Trials, people: pd.DataFrame, context: Context) -> dict[str, Any]:
    """Everything that scores.json says of one set. A number that cannot be had is None, with its reason in `note`."""
    chance = people["f1_chance"].to_numpy(float)
    balanced, found = inference.balanced_accuracy(answers), inference.accuracy(answers)
    hit, false_alarm = inference.rate(answers, 1, 0), inference.false_alarm_rate(answers)
    generated = pd.Series(answers.is_generated).groupby(answers.image).first()
    return {
        "participants": len(people),
        "trials": len(answers),
        "images": {"real": int((~generated).sum()), "generated": int(generated.sum())},
        "f1": {
            **quartiles(people["f1"]),
            **inference.mean_f1(answers, context.positive).scores("mean"),
            "chance_mean": float(np.nanmean(chance)) if np.isfinite(chance).any() else None,
            "positive": context.positive,
            "undefined": int(people["f1"].isna().sum()),
        },
        "accuracy": {**found.scores("mean"), "n": len(answers)},
        "balanced_accuracy": {**balanced.scores("mean"), "n": len(answers)},
        "hit_rate": hit.value,
        "false_alarm_rate": false_alarm.value,
        "rates": {
            "hit": {**hit.scores(), "n": int(answers.is_generated.sum())},
            "false_alarm": {**false_alarm.scores(), "n": int((~answers.is_generated).sum())},
        },
        **_sensitivity_and_criterion(answers, context.seed),
        "equivalence": _equivalence(balanced, len(people), context.bound),
        "permutation": _noted(
            {
                "p_these_images": observers.group_permutation_p(answers.counts()),
                "p_new_images": significance.image_permutation_p(answers, np.random.default_rng(context.seed)),
                "method": "answers dealt out within participants, exact (at least 1e-12); labels dealt out over images",
            },
            "images of one class only",
        ),
        "response_time_s": times(people["median_response_time_s"]),
        "quartiles": {measure: quartiles(people[measure]) for measure in MEASURES},
        **({} if hit.value is not None and false_alarm.value is not None else {"note": hit.note or false_alarm.note}),
    }


def _sensitivity_and_criterion(answers: Trials, seed: int) -> dict[str, Any]:
    """The population's d' and criterion, and beside them the means of the participants' own."""
    found = {}
    model = mixed.fit(answers, seed)
    for name, population, own in (
        ("d_prime", model.d_prime, inference.mean_d_prime(answers)),
        ("criterion", model.criterion, inference.mean_criterion(answers)),
    ):
        found[name] = {
            "n": answers.counts().trials.size, "mean": own.value, "mean_ci95": own.ci95, "mean_method": own.method,
            **population.scores("population"),
            **({"note": population.note or own.note} if population.note or own.note else {}),
        }  # fmt: skip
    spreads = {"participants_d_prime": model.sd_d_prime, "participants_criterion": model.sd_criterion}
    found["spread"] = _noted(
        {**spreads, "images": model.sd_image, "n": len(answers), "ci95": None, "method": mixed.METHOD},
        model.d_prime.note or "no interval of their own: those of d' and criterion hold the doubt about them",
    )
    return found


def times(medians: pd.Series) -> dict[str, Any]:
    """Quartiles and mean of the participants' median times to answer; the interval is for new participants."""
    known = medians.dropna()
    found = {**quartiles(known, "no response times were given"), "mean": None, "ci95": None}
    if len(known):
        found["mean"] = float(known.mean())
    if len(known) < 2:
        return {"note": "one participant: no interval for new participants", **found}
    half = float(stats.t.ppf(0.975, len(known) - 1) * known.std() / np.sqrt(len(known)))
    interval = [found["mean"] - half, found["mean"] + half]
    return {**found, "ci95": interval, "method": "participants' medians, t interval over participants"}


def sequential_of(rows: pd.DataFrame, people: pd.DataFrame, bound: float) -> dict[str, Any]:
    """The verdict that might have been looked at after every participant, in the order in which they finished."""
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
        return {**nothing, "note": "nobody saw images of both classes"}
    seen = sequential.monitor(each.to_numpy(float), bound)
    found = {
        "verdict": seen.code, "p": seen.p, "after": seen.decided_at, "participants": len(each),
        "ci95": [float(seen.low[-1]), float(seen.high[-1])],
        "method": "confidence sequence by betting on participants' balanced accuracy, for these images; valid at all "
        "looks together",
    }  # fmt: skip
    return _noted(found, "not decided yet")


def times_of(said: pd.Series) -> pd.Series | None:
    """Texts as times that can be ordered; None where one is neither ISO 8601 nor a time of day (3/4 may be March)."""
    for form in ("ISO8601", "%H:%M", "%H:%M:%S"):
        with suppress(ValueError):
            return pd.to_datetime(said, format=form, utc=True)
    return None


def _equivalence(balanced: inference.Estimate, people: int, bound: float) -> dict[str, Any]:
    verdict = equivalence.verdict(balanced, people, bound)
    found = {
        "n": people, "bound": verdict.bound, "p": verdict.p_equivalence, "ci90": ci90(balanced),
        "verdict": verdict.code, "words": verdict.words, "p_chance": verdict.p_chance,
        "method": "two one-sided t tests of balanced accuracy against 0.5 ± bound, " + inference.METHOD,
    }  # fmt: skip
    if verdict.code == "undecided":
        found["more_participants"] = verdict.more_participants
    return _noted(found, verdict.note or balanced.note or "more participants alone will not decide it")


def _noted(found: dict[Any, Any], reason: str) -> dict[Any, Any]:
    """With the reason beside it, where something is None."""
    return {**found, "note": reason} if None in found.values() else found


def _records(table: pd.DataFrame, method: str) -> list[dict[Any, Any]]:
    """One dict a row, with its method; where something is None, with the reason that the column `note` gives."""
    rows = []
    for row in table.to_dict("records"):
        found = {key: None if pd.isna(value) else value for key, value in row.items()} | {"method": method}
        rows.append(_noted(found, found.pop("note", None) or "no interval for these answers"))
    return rows


def ci90(estimate: inference.Estimate) -> tuple[float, float] | None:
    """The interval that lies within 0.5 ± bound exactly when the two one-sided tests pass at 5 %."""
    if estimate.value is None or not estimate.se or estimate.df is None:
        return None
    half = float(stats.t.ppf(0.95, estimate.df)) * estimate.se
    return estimate.value - half, estimate.value + half


# ------------------------------------------------------------------------------------------------ tables


def comparisons(pairs: Sequence[significance.Comparison]) -> pd.DataFrame:
    """One row a pair of sets."""
    rows = []
    for pair in pairs:
        low, high = pair.difference.ci95 or (None, None)
        rows.append(
            {
                "first": pair.first, "second": pair.second, "difference": pair.difference.value, "low": low,
                "high": high, "p": pair.p, "p_holm": pair.p_holm, "note": pair.difference.note or None,
            }
        )  # fmt: skip
    table = pd.DataFrame(rows)
    return table if any(row["note"] for row in rows) else table.drop(columns="note", errors="ignore")


def _measures(name: str, one: Mapping[str, Any]) -> pd.DataFrame:
    """One row a measure: its mean with the 95 % interval, and the quartiles over participants."""
    hit, false_alarm = one["rates"]["hit"], one["rates"]["false_alarm"]
    means = {
        **{m: (one[m]["mean"], one[m]["ci95"]) for m in ("f1", "accuracy", "balanced_accuracy")},
        "hit_rate": (hit["value"], hit["ci95"]), "false_alarm_rate": (false_alarm["value"], false_alarm["ci95"]),
        **{m: (one[m]["mean"], one[m]["mean_ci95"]) for m in ("d_prime", "criterion")},
        "median_response_time_s": (one["response_time_s"]["mean"], one["response_time_s"]["ci95"]),
    }  # fmt: skip
    rows = []
    for measure, (mean, interval) in means.items():
        low, high = interval or (None, None)
        found = one["quartiles"][measure]
        rows.append(
            {
                "set": name, "measure": MEASURES[measure], "participants": found["n"], "mean": mean, "low": low,
                "high": high, **{q: found[q] for q in ("q1", "median", "q3")},
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def slopes(rows: pd.DataFrame, answers: Trials) -> pd.DataFrame:
    """How accuracy changes with the place in the sequence, the exposure and the time taken."""
    lines = []
    for trend in dependence.TRENDS:
        if not dependence.varies(trend, rows):
            continue
        x = np.asarray(trend.scale(trend.of(rows)), float)
        found = dependence.slope(x, answers)
        if found.value is not None:
            low, high = found.ci95 or (None, None)
            lines.append(
                {
                    "with": trend.label,
                    "trials": int(np.isfinite(x).sum()),
                    "change_in_accuracy_per": trend.unit,
                    "change": found.value,
                    "low": low,
                    "high": high,
                    "p": dependence.slope_p(found),
                }
            )
    return pd.DataFrame(lines).fillna({"low": np.nan, "high": np.nan}) if lines else pd.DataFrame()


def corrected(trends: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """With `p_holm`: Holm's correction over the trends of all sets, since the report looks at every one of them."""
    holm = iter(significance.holm([p for table in trends.values() if len(table) for p in table["p"]]))
    return {n: t.assign(p_holm=[next(holm) for _ in range(len(t))]) if len(t) else t for n, t in trends.items()}


def summary(scores: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """One row a set, in three tables, and one row a measure: the numbers that a paper would print."""
    told, tests, detection = [], [], []
    for name, one in scores.items():
        low, high = one["accuracy"]["ci95"] or (None, None)
        told.append(
            {
                "set": name, "verdict": one["equivalence"]["verdict"], "participants": one["participants"],
                "trials": one["trials"], "accuracy": one["accuracy"]["mean"], "low": low, "high": high,
                "balanced_accuracy": one["balanced_accuracy"]["mean"], "hit_rate": one["hit_rate"],
                "false_alarm_rate": one["false_alarm_rate"],
            }
        )  # fmt: skip
        equivalence, permutation, looks = one["equivalence"], one["permutation"], one["sequential"]
        tests.append(
            {
                "set": name, "p_equivalence": equivalence["p"], "p_chance": equivalence["p_chance"],
                "p_permuted_answers": permutation["p_these_images"], "p_permuted_images": permutation["p_new_images"],
                "always_valid_p": looks["p"], "always_valid_verdict": looks["verdict"], "after": looks["after"],
            }
        )  # fmt: skip
        f1, (low, high) = one["f1"], one["d_prime"]["ci95"] or (None, None)
        detection.append(
            {
                "set": name, "f1_mean": f1["mean"], "q1": f1["q1"], "median": f1["median"], "q3": f1["q3"],
                "f1_by_chance": f1["chance_mean"], "f1_in_the_paper": verdicts.paper_f1(name, f1["positive"]),
                "d_prime": one["d_prime"]["population"], "low": low, "high": high,
                "mean_d_prime": one["d_prime"]["mean"], "criterion": one["criterion"]["population"],
            }
        )  # fmt: skip
    tables = {
        "scores": pd.DataFrame(told), "tests": pd.DataFrame(tests), "f1-and-d-prime": pd.DataFrame(detection),
        "measures": pd.concat([_measures(name, one) for name, one in scores.items()], ignore_index=True),
    }  # fmt: skip
    return {name: table.dropna(axis=1, how="all") for name, table in tables.items()}
