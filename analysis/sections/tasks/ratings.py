"""The section `ratings`: ROC curves, their areas, and the calibration of confidence, for answers with ratings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis.numbers import decimal, interval, percent, signed
from analysis.people.ratings import confidence as sure
from analysis.people.ratings import mrmc, roc
from analysis.people.trials import Trials
from analysis.section import Context, Section, noted, places_by_set
from glimpse.observers import Floats, Integers


@dataclass(frozen=True)
class RatedSet:
    """The rated trials of one set."""

    rows: pd.DataFrame  # including those rated in the middle of the scale
    rated: mrmc.Rated
    curve: roc.Curve
    confidence: Floats  # (m,) of the answers 'real' and 'generated'
    answers: Trials  # (m,) these answers
    calibration: pd.DataFrame


def compute(context: Context) -> Section | None:
    """The section; None if no answer has a rating."""
    if context.responses is None or not context.responses["rating"].notna().any():
        return None
    sets = _by_set(context.responses, context.unsure)
    pairs = mrmc.compare({name: one.rated for name, one in sets.items()})
    scores: dict[str, Any] = {name: scores_of(one) for name, one in sets.items()}
    for name, one in scores.items():
        one["compared_with"] = [_pair(pair) for pair in pairs if name in (pair.first, pair.second)]
    section = Section("ratings", scores, [words for name, one in scores.items() for words in sentences(name, one)])
    _add_figures(section, sets)
    section.table("areas", _areas_table(scores))
    section.table("confidence", _confidence_table(scores))
    section.table(
        "area-differences", pd.DataFrame([_pair(pair) for pair in pairs]).drop(columns="note", errors="ignore")
    )
    section.table(
        "rated-participants", pd.concat([_participants(n, one) for n, one in sets.items()], ignore_index=True)
    )
    section.explain(
        pairs=any(pair.p is not None for pair in pairs), unsure=context.unsure is not None and len(context.unsure) > 0
    )
    return section


def _by_set(responses: pd.DataFrame, unsure: pd.DataFrame | None) -> dict[str, RatedSet]:
    rows = responses[responses["rating"].notna()].assign(scored=True)
    if unsure is not None and len(unsure):
        rows = pd.concat([rows, unsure.assign(scored=False)], ignore_index=True)
    rows = rows[rows["set"].isin(rows.loc[rows["scored"], "set"].unique())].reset_index(drop=True)
    coded = Trials.from_table(rows)
    return {name: _rated(rows, coded, places) for name, places in places_by_set(rows).items()}


def _rated(rows: pd.DataFrame, coded: Trials, places: Integers) -> RatedSet:
    trials, rows = coded.where(places), rows.iloc[places]
    rating = rows["rating"].to_numpy(float)
    sure_of = (rows["scored"] & rows["confidence"].notna()).to_numpy(bool)
    confidence, answers = rows.loc[sure_of, "confidence"].to_numpy(float), trials.where(sure_of)
    return RatedSet(
        rows.reset_index(drop=True), mrmc.Rated(trials, roc.areas(rating, trials)), roc.curve(rating, trials),
        confidence, answers, sure.calibration(confidence, answers),
    )  # fmt: skip


def scores_of(one: RatedSet) -> dict[str, Any]:
    """The numbers of one set in scores.json."""
    found, trials = mrmc.mean_area(one.rated), one.rated.trials
    people = len(one.rated.areas.area)
    area = {**found.scores("mean"), "n": people, "df": found.df, "ci95_t": found.interval() if found.se else None}
    return {
        "trials": len(trials),
        "participants": people,
        "without_both_classes": len(np.unique(trials.participant)) - people,
        "auc": noted(area, found.note or "the areas do not vary: no t interval"),
        "zroc_slope": one.curve.slope.scores(),
        "d_a": one.curve.d_a.scores(),
        "auc_pooled": one.curve.area.scores(),
        "confidence": _confidence_of(one),
    }


def _confidence_of(one: RatedSet) -> dict[str, Any]:
    levels = [noted({k: None if pd.isna(v) else v for k, v in row.items()}, "no interval for these answers")
              for row in one.calibration.to_dict("records")]  # fmt: skip
    return {
        "answers": len(one.answers),
        "overconfidence": sure.overconfidence(one.confidence, one.answers).scores(),
        "type_2_auc": sure.type_2_area(one.confidence, one.answers).scores("mean"),
        "levels": levels,
    }


def _pair(pair: mrmc.Difference) -> dict[str, Any]:
    low, high = pair.difference.ci95 or (None, None)
    found = {
        "first": pair.first, "second": pair.second, "participants": pair.participants,
        "difference": pair.difference.value, "low": low, "high": high, "p": pair.p, "p_holm": pair.p_holm,
    }  # fmt: skip
    return noted(found, pair.difference.note)


def sentences(name: str, one: Mapping[str, Any]) -> list[str]:
    """The sentences on one set."""
    area, slope, confidence = one["auc"], one["zroc_slope"], one["confidence"]
    if area["mean"] is None:
        return [f"{name}: no area under the ROC curve, since {area['note']}."]
    words = f"{name}: a generated image is rated above a real one in {percent(area['mean'])} of pairs"
    words += f" (area under the ROC curve, {interval(area, 100, ' %')}; {area['n']} participants; 50 % by guessing)."
    found = [words]
    if slope["ci95"] is not None and not slope["ci95"][0] <= 1 <= slope["ci95"][1]:
        varied = "more" if slope["ci95"][1] < 1 else "less"
        words = f"{name}: evidence from generated images varies {varied} than from real ones (slope of the zROC "
        found.append(f"{words}{decimal(slope['value'])}, {interval(slope, limit=1)}).")
    over, type_2 = confidence["overconfidence"], confidence["type_2_auc"]
    if over["ci95"] is not None and type_2["mean"] is not None and len(confidence["levels"]) > 1:
        low, high = over["ci95"]
        side = (
            "too sure"
            if low > 0
            else "not sure enough"
            if high < 0
            else "neither clearly too sure nor clearly not sure enough"
        )
        gap = signed(100 * over["value"], ".1f")
        words = f"{name}: if the confidence means chances of being right from 50 to 100 %, people are {side} "
        words += f"(claimed minus right: {gap} percentage points, {interval(over, 100)})"
        sorted_out = type_2["ci95"] is not None and type_2["ci95"][0] > 0.5
        found.append(words + f"; surer answers are {'' if sorted_out else 'not demonstrably '}right more often.")
    return found


# ------------------------------------------------------------------------------------------------ figures, tables


def _add_figures(section: Section, sets: Mapping[str, RatedSet]) -> None:
    from sklearn.metrics import roc_curve

    from analysis.figures import roc as draw
    from analysis.figures.style import labels

    shown = labels(sets)
    panels = {}
    for name, one in sets.items():
        trials, rating = one.rated.trials, one.rows["rating"].to_numpy(float)
        mine = (trials.participant == code for code in one.rated.areas.participant[: draw.MOST_LINES])
        panels[shown[name]] = (one.curve, [roc_curve(trials.is_generated[m], rating[m])[:2] for m in mine])
    crowded = any(len(one.rated.areas.area) > draw.MOST_LINES for one in sets.values())
    section.figure(
        "roc", partial(draw.roc, panels, roc.FALSE_ALARM_RATES), people=draw.MOST_LINES if crowded else None,
        missing=any(not len(one.curve.curve) for one in sets.values()),
    )  # fmt: skip
    tables = {shown[name]: one.calibration for name, one in sets.items() if len(one.calibration) > 1}
    if tables:
        section.figure("calibration", partial(draw.calibration, tables))


def _areas_table(scores: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for name, one in scores.items():
        row: dict[str, Any] = {"set": name, "participants": one["participants"], "trials": one["trials"]}
        for label, found, key in (
            ("mean_area", one["auc"], "mean"), ("pooled_area", one["auc_pooled"], "value"),
            ("slope", one["zroc_slope"], "value"), ("da", one["d_a"], "value"),
        ):  # fmt: skip
            low, high = found["ci95"] or (None, None)
            row |= {label: found[key], f"{label}_low": low, f"{label}_high": high}
        rows.append(row)
    return pd.DataFrame(rows).dropna(axis=1, how="all")


def _confidence_table(scores: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for name, one in scores.items():
        row: dict[str, Any] = {"set": name, "answers": one["confidence"]["answers"]}
        for label, name_of, key in (
            ("overconfidence", "overconfidence", "value"),
            ("type_2_area", "type_2_auc", "mean"),
        ):
            found = one["confidence"][name_of]
            low, high = found["ci95"] or (None, None)
            row |= {label: found[key], f"{label}_low": low, f"{label}_high": high}
        rows.append(row)
    return pd.DataFrame(rows).dropna(axis=1, how="all")


def _participants(name: str, one: RatedSet) -> pd.DataFrame:
    names = one.rows.groupby(one.rated.trials.participant)["participant"].first()
    found = one.rated.areas
    trials = pd.Series(one.rated.trials.participant).value_counts()
    return pd.DataFrame(
        {
            "set": name, "participant": names[found.participant].to_numpy(),
            "trials": trials[found.participant].to_numpy(), "area": found.area, "se": found.se,
        }
    )  # fmt: skip
