"""The section `survey`: the scores of the answers, set by set. `survey_in_words` puts them into sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis import inventory
from analysis.cache import helped
from analysis.figures import pictures
from analysis.figures import survey as draw
from analysis.figures import trends as draw_trends
from analysis.figures.style import labels
from analysis.people import dependence, image_rates, significance
from analysis.people.dependence import stacked
from analysis.people.estimation import estimate
from analysis.people.scores import MEASURES, over_sets, participants_of, scores_of, sequential_of
from analysis.people.trials import Trials, codes_of
from analysis.section import Context, Section, places_by_set, records
from analysis.sections import conditions
from analysis.sections import survey_in_words as in_words
from glimpse import observers
from glimpse.files import sha256_json

GALLERY, GALLERY_PIXELS = 6, 160  # images of each class and set in the gallery, and their size
MANY_ANSWERS = 50_000  # for which other processes help
BALANCED_METHOD = f"balanced accuracy, {estimate.METHOD} or Wilson's; tests as under equivalence"
PAIR_METHOD = f"difference in balanced accuracy, {estimate.METHOD}; p_holm over all pairs"


@dataclass(frozen=True)
class Set:
    """The answers to one stimulus set, as a table and coded, and its participants."""

    rows: pd.DataFrame
    answers: Trials
    people: pd.DataFrame
    image_rates: pd.DataFrame


def compute(context: Context) -> Section | None:
    """None without answers. Sets that are named after the paper's come first, in its order."""
    if (frame := judgements(context)) is None:
        return None
    sets = _by_set(frame.assign(one_answer=dependence.gave_one_answer(frame)), context.positive)
    tasks = {name: partial(_cached_scores, name, one, context) for name, one in sets.items()}
    with helped(list(tasks.values()), worthwhile=len(frame) >= MANY_ANSWERS):
        pairs = comparisons(
            significance.compare_sets({n: one.answers for n, one in sets.items()}, conditions.unrelated(frame))
        )
        exclusions = {n: dependence.sensitivity(one.rows, one.answers, context.bound) for n, one in sets.items()}
        trends = dependence.corrected({n: dependence.slopes(one.rows, one.answers) for n, one in sets.items()})
        compared = records(pairs, PAIR_METHOD)
        scores = {}
        for name, one in sets.items():
            scores[name] = {
                **tasks[name](),
                "missing_answers": context.unanswered.get(name, 0),
                "sequential": sequential_of(one.rows, one.people, context.bound),
                "exclusions": records(exclusions[name], BALANCED_METHOD),
                "trends": records(trends[name], dependence.SLOPE_METHOD),
                "compared_with": [pair for pair in compared if name in (pair["first"], pair["second"])],
                "images": records(worth_showing(one.image_rates), image_rates.METHOD),
            }
    over_sets(scores)
    for name, found in scores.items():
        found["verdict"] = in_words.conclusion(name, found)
    section = Section("survey", scores)
    add_figures(section, context, sets)
    tables = {
        **summary(scores),
        "comparisons": pairs,
        "exclusions": stacked({n: table for n, table in exclusions.items() if len(table) > 1}),
        "trends": stacked(trends),
        "participants": pd.concat([one.people for one in sets.values()], ignore_index=True),
        "images": stacked({name: one.image_rates for name, one in sets.items()}),
    }
    for name, table in tables.items():
        section.table(name, table)
    section.sentences += in_words.sentences(scores, tables)
    section.explain(
        positive=context.positive, bound=context.bound, rates=image_rates.METHOD,
        pairs=len(pairs) > 0 and bool(pairs["p"].notna().any()),
        sets=len(scores), both=any(one["balanced_accuracy"]["mean"] is not None for one in scores.values()),
        timed=any(one["response_time_s"]["mean"] is not None for one in scores.values()),
        sequential=any(one["sequential"]["verdict"] for one in scores.values()), trends=len(tables["trends"]) > 0,
    )  # fmt: skip
    return section


def _by_set(frame: pd.DataFrame, positive: observers.Positive) -> dict[str, Set]:
    coded = Trials.from_table(frame)
    order = np.lexsort((frame["position"], coded.participant, codes_of(frame["set"])))
    frame, coded = frame.iloc[order].reset_index(drop=True), coded.where(order)
    sets = {}
    for name, places in places_by_set(frame).items():
        rows, answers = frame.iloc[places], coded.where(places)
        people = participants_of(rows, answers.counts(), positive)
        sets[name] = Set(rows, answers, people, image_rates.rates(rows))
    return sets


def one_mode(responses: pd.DataFrame) -> pd.DataFrame:
    """The trials of the timed study; of a set shown only without a time limit, those. Staircases are `thresholds`.

    >>> shown = pd.DataFrame({"mode": ["fixed", "unlimited", "unlimited", "staircase"], "set": ["a", "a", "b", "b"]})
    >>> one_mode(shown).index.tolist(), one_mode(shown[:1]).index.tolist()
    ([0, 2], [0])
    """
    timed = responses["mode"] == "fixed"
    if timed.all():
        return responses
    free = (responses["mode"] == "unlimited") & ~responses["set"].isin(responses.loc[timed, "set"].unique())
    return responses[timed | free]


def judgements(context: Context) -> pd.DataFrame | None:
    """The trials of `one_mode`; None without any."""
    frame = None if context.responses is None else one_mode(context.responses)
    return None if frame is None or frame.empty else frame


def _cached_scores(name: str, one: Set, context: Context) -> dict[str, Any]:
    """`scores_of`, or what it found before for the same answers and options."""
    inputs = {
        "set": name, "answers": one.answers.sha256, "positive": context.positive, "bound": context.bound,
        "seed": context.seed, "times": sha256_json(one.people["median_response_time_s"].fillna(-1).tolist()),
    }  # fmt: skip
    compute = partial(scores_of, one.answers, one.people, context.positive, context.bound, context.seed)
    return context.cached("survey", inputs, compute)


def worth_showing(images: pd.DataFrame) -> pd.DataFrame:
    """The images with rates worth showing: with one answer each, all images of a class would have one of two rates."""
    return images[images["seen"] > 1] if (images["seen"] == 1).mean() > 0.5 else images


# ------------------------------------------------------------------------------------------------ tables


def comparisons(pairs: Sequence[significance.Comparison]) -> pd.DataFrame:
    """One row per pair of sets."""
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
    """One row per measure: its mean with the 95 % interval, and the quartiles over participants."""
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


def summary(scores: Mapping[str, Any]) -> dict[str, pd.DataFrame]:
    """The numbers that a paper would print: three tables with a row per set, and one with a row per measure."""
    scored, tests, detection = [], [], []
    for name, one in scores.items():
        low, high = one["balanced_accuracy"]["ci95"] or (None, None)
        scored.append(
            {
                "set": name, "verdict": one["equivalence"]["verdict_over_sets"], "participants": one["participants"],
                "trials": one["trials"], "balanced_accuracy": one["balanced_accuracy"]["mean"], "low": low,
                "high": high, "accuracy": one["accuracy"]["mean"],
                "accuracy_by_habit": one["accuracy"]["chance"]["habit"],
                "hit_rate": one["hit_rate"], "false_alarm_rate": one["false_alarm_rate"],
            }
        )  # fmt: skip
        equivalence, looks = one["equivalence"], one["sequential"]
        low, high = equivalence["ci90"] or (None, None)
        tests.append(
            {
                "set": name, "p_equivalence": equivalence["p"], "low_90": low, "high_90": high,
                "p_chance": equivalence["p_chance"], "bayes_factor": equivalence["bayes_factor"],
                "p_over_sets": equivalence["p_over_sets"] if len(scores) > 1 else None,
                "always_valid_p": looks["p"], "always_valid_verdict": looks["verdict"], "after": looks["after"],
            }
        )  # fmt: skip
        f1, (low, high) = one["f1"], one["d_prime"]["ci95"] or (None, None)
        detection.append(
            {
                "set": name, "f1_mean": f1["mean"], "q1": f1["q1"], "median": f1["median"], "q3": f1["q3"],
                "f1_by_chance": f1["chance_mean"], "f1_in_the_paper": in_words.paper_f1(name, f1["positive"]),
                "d_prime": one["d_prime"]["population"], "low": low, "high": high,
                "mean_d_prime": one["d_prime"]["mean"], "criterion": one["criterion"]["population"],
            }
        )  # fmt: skip
    tables = {
        "scores": pd.DataFrame(scored), "tests": pd.DataFrame(tests).astype({"after": "Int64"}),
        "f1-and-d-prime": pd.DataFrame(detection),
        "measures": pd.concat([_measures(name, one) for name, one in scores.items()], ignore_index=True),
    }  # fmt: skip
    known = {name: table.dropna(axis=1, how="all") for name, table in tables.items()}
    return {name: table for name, table in known.items() if list(table) != ["set"]}


# ------------------------------------------------------------------------------------------------ figures


def add_figures(section: Section, context: Context, sets: Mapping[str, Set]) -> None:
    """Every figure for which there are numbers."""
    shown = labels(sets)
    columns = [_column(shown[name], name, one, context.positive) for name, one in sets.items()]
    columns = [column for column in columns if len(column.f1)]
    if columns:
        section.figure(
            "figure-10", partial(draw.figure_ten, columns, context.positive, context.seed), positive=context.positive,
            paper=any(column.paper_mean for column in columns), most=draw.MOST_DOTS,
            crowded=[column.name for column in columns if len(column.f1) > draw.MOST_DOTS],
        )  # fmt: skip
    rates = {shown[name]: (one.people["hit_rate"], one.people["false_alarm_rate"]) for name, one in sets.items()}
    space = [(name, hit.to_numpy(float), false.to_numpy(float)) for name, (hit, false) in rates.items()]
    space = [one for one in space if np.isfinite(one[1] + one[2]).any()]
    if space:
        section.figure("answers", partial(draw.answer_space, space, context.seed))
    rates_of = {shown[name]: worth_showing(one.image_rates) for name, one in sets.items()}
    by_image = [(name, images) for name, images in rates_of.items() if len(images)]
    if by_image:
        both = any(one.image_rates["truth"].nunique() > 1 for one in sets.values())
        section.figure("image-rates", partial(draw_trends.image_rates, by_image), both=both)
    panels = []
    for trend in dependence.TRENDS:
        curves = {
            shown[name]: dependence.accuracy_along(np.asarray(trend.of(one.rows), float), one.answers)
            for name, one in sets.items() if dependence.varies(trend, one.rows)
        }  # fmt: skip
        points = stacked({name: curve for name, curve in curves.items() if len(curve) > 1})
        if len(points):
            panels.append((trend.label, "x", points))
    if panels:
        along = ", ".join(label.partition(",")[0] for label, _, _ in panels)
        both = all(len(np.unique(one.answers.is_generated)) > 1 for one in sets.values())
        measure = "balanced accuracy" if both else "accuracy"
        section.figure(
            "dependence", partial(draw_trends.trends, panels, measure), along=along, several=len(sets) > 1,
            measure=measure,
        )  # fmt: skip
    for name, one in sets.items():
        gallery = gallery_of(context, name, one.image_rates)
        if gallery:
            section.figure(
                f"gallery-{name}",
                partial(pictures.gallery, gallery),
                "gallery",
                set=name,
                judgements=observers.LEAST_JUDGEMENTS,
            )


def _column(label: str, name: str, one: Set, positive: observers.Positive) -> draw.SetScores:
    """A column of Figure 10; without dots if no participant's F1 is defined."""
    f1 = one.people["f1"].to_numpy(float)
    f1 = f1[np.isfinite(f1)]
    values, weights = observers.f1_null(one.answers.counts(), positive) if len(f1) else (f1, f1)
    share = float((one.answers.is_generated == (positive == "generated")).mean())
    return draw.SetScores(label, f1, values, weights, 2 * share / (1 + share), in_words.paper_f1(name, positive))


def gallery_of(
    context: Context, name: str, by_image: pd.DataFrame
) -> list[tuple[str, list[tuple[NDArray[np.uint8], str]]]]:
    """The images most often misjudged, generated and real, with counts; empty without the image files.

    Only images with at least `LEAST_JUDGEMENTS` answers.
    """
    stimuli = inventory.shown_sets(context).get(name)
    if stimuli is None:
        return []
    files = {stimulus.id: stimuli.folder / stimulus.file for stimulus in stimuli.stimuli}
    found = []
    for truth, title in (("generated", "generated, and taken for real"), ("real", "real, and taken for generated")):
        enough = by_image["image"].isin(list(files)) & (by_image["seen"] >= observers.LEAST_JUDGEMENTS)
        best = by_image[(by_image["truth"] == truth) & enough].head(GALLERY)
        shown = []
        for image in best.to_dict("records"):
            wrong = image["seen"] - image["called_generated"] if truth == "generated" else image["called_generated"]
            picture = pictures.from_file(files[image["image"]], GALLERY_PIXELS, GALLERY_PIXELS)
            shown.append((picture, f"{wrong} of {image['seen']}"))
        if shown:
            found.append((title, shown))
    return found
