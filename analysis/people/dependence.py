"""Dependence of the verdict on exclusions, and of accuracy on position, exposure and response time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.people import inference
from analysis.people.equivalence import verdict as verdict_of
from analysis.people.estimation import estimate
from analysis.people.estimation.variance import parts_of_slope
from analysis.people.significance import holm as holm_corrected
from analysis.people.trials import Bools, Trials, renumbered

TOO_FAST_MS = 200.0  # after an answer became possible; human reactions take longer
EXPOSURE_OFF_MS = 50.0  # three frames at 60 Hz
LEAST_OF_A_CLASS = 4  # images, for one answer to all to be a habit: a coin gives one to twice as many in 0.8 %
SINGLE_POSITIONS, SINGLE_TRIALS = 24, 50  # positions, and trials of each, up to which each position is drawn
QUANTILES = 5
LEAST_DF = 1 - 1e-9  # degrees of freedom of a slope with an interval: that of two participants who share it equally
MOST_SHARE = 0.99  # of what determines a slope, in one participant or one image of a class, for an interval
SLOPE_METHOD = (
    "balanced accuracy: mean of both classes' least-squares slopes within participants, "
    f"{estimate.METHOD}; p_holm over all trends of the report"
)


# ------------------------------------------------------------------------------------------------ exclusions


def exclusions(rows: pd.DataFrame) -> dict[str, Bools]:
    """The trials that each rule of exclusion leaves out: by name, (n,) bool.

    >>> times = {"exposure_ms_actual": 2000.0, "exposure_ms_planned": 2000.0, "response_time_ms": [2100.0, 2500.0]}
    >>> kept = {"focus_lost": False, "flags": "", "failed_catch": False, "finished": True, "one_answer": False}
    >>> answers = {"participant": ["ann", "ann"], "said_generated": [1, 0], "is_generated": [1, 0]}
    >>> rows = pd.DataFrame({**times, **kept, **answers})
    >>> {rule: gone.tolist() for rule, gone in exclusions(rows).items() if gone.any()}  # 100 ms after the image
    {'answered within 200 ms': [True, False]}
    """
    off = (rows["exposure_ms_actual"] - rows["exposure_ms_planned"]).abs() > EXPOSURE_OFF_MS
    shown, taken = rows["exposure_ms_actual"].fillna(0.0), rows["response_time_ms"]
    from_onset = taken.median() > shown.median()  # as in our survey; others may measure from the end of the exposure
    too_fast = taken - (shown if from_onset else 0.0) < TOO_FAST_MS
    each = {
        "focus lost": rows["focus_lost"],
        "exposure off by more than 50 ms": off,
        "any flag": rows["flags"] != "",
        "answered within 200 ms": too_fast,
        "people who failed an attention trial": rows["failed_catch"],
        "people who stopped early": ~rows["finished"],
        "people who gave one answer throughout": rows["one_answer"],
    }
    found = {name: np.asarray(gone, bool) for name, gone in each.items()}
    if sum(gone.any() for gone in found.values()) > 1:
        found["all of these"] = np.logical_or.reduce(list(found.values()))
    return found


def gave_one_answer(frame: pd.DataFrame) -> Any:
    """Whether the participant of each row gave one answer to all images of the report, at least four of each class.

    One answer to a single set or class may be ability. A coin gives one answer to eight images in 0.8 % of cases.

    >>> shown = {"participant": ["ann"] * 8, "is_generated": [0, 1] * 4, "trial": range(8)}
    >>> [sum(gave_one_answer(pd.DataFrame(shown | {"said_generated": s}))) for s in ([1] * 8, [0, 1] * 4)]
    [8, 0]
    """
    trials = frame.drop_duplicates("trial") if "trial" in frame else frame  # as conditions share real images
    each = trials.groupby("participant").agg({"said_generated": "mean", "is_generated": ["sum", "size"]})
    said, generated, shown = (each[column] for column in each)
    habit = ((said == 0) | (said == 1)) & (np.minimum(generated, shown - generated) >= LEAST_OF_A_CLASS)
    return frame["participant"].map(habit).astype(bool)


def sensitivity(rows: pd.DataFrame, answers: Trials, bound: float) -> pd.DataFrame:
    """The verdict without exclusions, and with each exclusion that applies to any trial.

    >>> times = {"exposure_ms_actual": 2000.0, "exposure_ms_planned": 2000.0, "response_time_ms": [2100.0, 2500.0]}
    >>> kept = {"focus_lost": False, "flags": "", "failed_catch": False, "finished": True, "one_answer": False}
    >>> judged = {"participant": ["ann", "ann"], "said_generated": [1, 0], "is_generated": [1, 0]}
    >>> rows = pd.DataFrame({**times, **kept, **judged})
    >>> answers = Trials.from_labels([1, 0], [1, 0], ["ann", "ann"], ["a.png", "b.png"])
    >>> sensitivity(rows, answers, bound=0.05)[["left out", "trials"]].to_numpy().tolist()
    [['none', 2], ['answered within 200 ms', 1]]
    """
    lines = []
    for name, gone in {"none": np.zeros(len(rows), bool), **exclusions(rows)}.items():
        if name != "none" and not gone.any():
            continue
        left = answers.where(~gone)
        line: dict[str, Any] = {"left out": name, "trials_left_out": int(gone.sum()), "trials": len(left)}
        if not len(left):
            line |= {"participants": 0, "note": "no trials are left"}
        else:
            people = len(np.unique(left.participant))
            balanced = inference.balanced_accuracy(left)
            verdict = verdict_of(balanced, people, bound)
            low, high = balanced.ci95 or (None, None)
            line |= {
                "participants": people, "balanced_accuracy": balanced.value, "low": low, "high": high,
                "p_equivalence": verdict.p_equivalence, "p_chance": verdict.p_chance, "verdict": verdict.code,
            }  # fmt: skip
            if verdict.p_equivalence is None:
                line["note"] = verdict.note
        lines.append(line)
    return pd.DataFrame(lines)


# ------------------------------------------------------------------------------------------------ trends


@dataclass(frozen=True)
class Trend:
    """A quantity that accuracy may depend on."""

    name: str
    label: str  # of the axis
    unit: str  # of the slope
    per: str  # the same in a sentence
    of: Callable[[pd.DataFrame], Any]  # the value of each trial, NaN where unknown
    scale: Callable[[Any], Any]  # to the scale on which the slope is taken
    outcome: bool = False  # whether it may depend on the answer
    least: float = 0.0  # smallest distance between the 5 % and 95 % quantiles, on that scale, that is analysed


TRENDS = (
    Trend("position", "position in the sequence", "10 trials", "every 10 trials", lambda r: r["position"],
          lambda x: x / 10),
    Trend("exposure", "exposure, s", "second", "each second of exposure", lambda r: r["exposure_ms_actual"] / 1000,
          lambda x: x, least=0.1),
    Trend("time", "response time, s", "doubling", "each doubling of the response time",
          lambda r: r["response_time_ms"] / 1000, lambda x: np.log2(x.clip(lower=0.01)), outcome=True),
)  # fmt: skip


def varies(trend: Trend, rows: pd.DataFrame) -> bool:
    """Whether the trials differ enough in the quantity for an analysis.

    >>> [varies(TRENDS[0], pd.DataFrame({"position": places})) for places in ([1, 1, 1], [1, 2, 3])]
    [False, True]
    """
    x = np.asarray(trend.scale(trend.of(rows)), float)
    x = x[np.isfinite(x)]
    return len(x) > 2 and float(np.ptp(np.quantile(x, [0.05, 0.95]))) > trend.least


def accuracy_along(x: Any, answers: Trials) -> pd.DataFrame:
    """Balanced accuracy along `x`, (n,), with 95 % intervals for new people and images: by value or by fifths.

    If only one class was shown, it is the accuracy. Points without one of two classes are left out.

    >>> answers = Trials.from_labels([1, 0, 1, 1], [1, 1, 1, 1], [0, 1, 0, 1], [0, 1, 2, 3])
    >>> accuracy_along(np.array([1, 1, 2, 2]), answers)[["x", "accuracy", "n"]].to_numpy().tolist()
    [[1.0, 0.5, 2.0], [2.0, 1.0, 2.0]]
    """
    known = np.isfinite(x)
    values = np.unique(x[known])
    if len(values) > SINGLE_POSITIONS or known.sum() < SINGLE_TRIALS * len(values) > SINGLE_TRIALS * QUANTILES:
        edges = np.unique(np.quantile(x[known], np.linspace(0, 1, QUANTILES + 1)))
        bins = np.clip(np.searchsorted(edges, x, side="right") - 1, 0, max(len(edges) - 2, 0))
    else:
        bins = np.searchsorted(values, x)
    points = []
    score = inference.balanced_accuracy if len(np.unique(answers.is_generated)) > 1 else inference.accuracy
    order = np.flatnonzero(known)
    order = order[np.argsort(bins[order], kind="stable")]
    for here in np.split(order, np.flatnonzero(np.diff(bins[order])) + 1) if len(order) else []:
        found = score(answers.where(here))
        if found.value is None:
            continue
        low, high = found.ci95 or (found.value, found.value)
        points.append({"x": float(x[here].mean()), "accuracy": found.value, "low": low, "high": high, "n": len(here)})
    return pd.DataFrame(points)


def slope(x: Any, answers: Trials, *, outcome: bool = False) -> inference.Estimate:
    """Slope of balanced accuracy in `x`, (n,), within participants: least squares, two-way clustered interval.

    It is the mean of the slopes among real and among generated images (of one class, if only that was shown). Each
    participant is compared only with themselves: otherwise able people who are slow would make slowness look like
    ability. Each class is compared only with itself: otherwise a difference between the classes would look like
    ability. An `outcome` may also depend on the answer, as does the response time if one key is nearer; the slope is
    then that of a regression on `x` and the answer.

    >>> position, right = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 0, 1, 0, 1, 1])
    >>> answers = Trials.from_labels(right, [1] * 6, [0, 0, 0, 1, 1, 1], [0, 1, 2, 1, 2, 0])
    >>> slope(position, answers).value  # from 0 to 1 over two positions
    0.5
    """
    known = np.isfinite(x)
    mine, x = answers.where(known), x[known]
    if len(x) < 3:
        return inference.Estimate(None, note="not recorded")
    cell, _ = renumbered(mine.participant * 2 + mine.is_generated)
    count = np.bincount(cell)
    away = x - (np.bincount(cell, x) / count)[cell]
    # Whose answers they are cancels in a sum over the participant's trials, but not in one over an image's: the
    # participant's own mean would take with it part of what the image is like.
    shown = np.maximum(np.bincount(mine.is_generated, minlength=2), 1)
    right = mine.correct - (np.bincount(mine.is_generated, mine.correct, minlength=2) / shown)[mine.is_generated * 1]
    classes = np.unique(mine.is_generated)
    said = mine.said_generated - (np.bincount(cell, mine.said_generated) / count)[cell]
    value, influence, leverage = 0.0, np.zeros(len(x)), np.zeros(len(x))
    if outcome and said @ said > 1e-9 * len(x):
        if len(classes) < 2:  # the regression on the answer leaves nothing of being right
            return inference.Estimate(None, note="with images of one class the answer alone says what is right")
        away = away - said * (said @ away) / (said @ said)
        right = right - said * (said @ right) / (said @ said)
        classes = np.array([])
        squares = float(away @ away)
        if squares < 1e-9 * len(x) or len(np.unique(mine.participant)) < 2:
            return inference.Estimate(None, note="does not vary within participants and answers")
        value = float(away @ right) / squares
        influence, leverage = away * (right - value * away) / squares, away**2 / squares
    for truth in classes:
        rows = mine.is_generated == truth
        squares = float(away[rows] @ away[rows]) * len(classes)
        if squares < 1e-9 * len(x) or len(np.unique(mine.participant)) < 2:
            return inference.Estimate(None, note="does not vary within participants")
        steep = float(away[rows] @ right[rows]) / squares
        value += steep
        influence[rows] = away[rows] * (right[rows] - steep * len(classes) * away[rows]) / squares
        leverage[rows] = away[rows] ** 2 * len(classes) / squares
    person, image = (float(np.bincount(codes, leverage).max()) for codes in (mine.people[0], mine.images[0]))
    if max(person / leverage.sum(), image) > MOST_SHARE:
        return inference.Estimate(value, note="varies in one participant or one image of a class alone: no interval")
    parts = parts_of_slope(influence, leverage, mine)
    variance, df = float(parts.variance), min(float(parts.df), float(len(x)))
    if variance <= 0:
        return inference.Estimate(value, note="all answers are the same: no interval")
    if df < LEAST_DF:
        return inference.Estimate(value, note="rests on too few participants or images: no interval")
    half = float(stats.t.ppf(0.975, df) * np.sqrt(variance))
    return inference.Estimate(value, float(np.sqrt(variance)), df, (value - half, value + half))


def slope_p(found: inference.Estimate) -> float | None:
    """Two-sided p-value of 'does not change'; None without a standard error.

    >>> round(slope_p(inference.Estimate(0.196, se=0.1, df=1e9)), 4), slope_p(inference.Estimate(0.2))
    (0.05, None)
    """
    if found.value is None or not found.se or found.df is None:
        return None
    return float(2 * stats.t.sf(abs(found.value) / found.se, found.df))


def slopes(rows: pd.DataFrame, answers: Trials) -> pd.DataFrame:
    """The slopes of accuracy in the position, the exposure and the response time, as far as these vary.

    >>> times = {"exposure_ms_actual": 2000.0, "response_time_ms": 2500.0}
    >>> rows = pd.DataFrame({"position": [1, 2, 3, 4] * 2, **times})
    >>> answers = Trials.from_labels([1, 0, 0, 1] * 2, [1, 0, 1, 0] * 2, np.repeat([0, 1], 4), np.arange(8))
    >>> slopes(rows, answers)[["with", "trials"]].to_numpy().tolist()  # right, right, wrong, wrong
    [['position in the sequence', 8]]
    """
    lines = []
    for trend in TRENDS:
        if not varies(trend, rows):
            continue
        x = np.asarray(trend.scale(trend.of(rows)), float)
        found = slope(x, answers, outcome=trend.outcome)
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
                    "p": slope_p(found),
                }
            )
    return pd.DataFrame(lines).fillna({"low": np.nan, "high": np.nan, "p": np.nan}) if lines else pd.DataFrame()


def corrected(trends: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables with `p_holm`, Holm's correction over the trends of all sets, because the report tests them all.

    >>> found = corrected({"df": pd.DataFrame({"p": [0.01]}), "mel": pd.DataFrame({"p": [0.04]})})
    >>> [table["p_holm"].tolist() for table in found.values()]
    [[0.02], [0.04]]
    """
    tested = [p for table in trends.values() if len(table) for p in table["p"] if p == p]
    holm = iter(holm_corrected(tested))
    return {
        n: t.assign(p_holm=[next(holm) if p == p else np.nan for p in t["p"]]) if len(t) else t
        for n, t in trends.items()
    }


def stacked(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One table with the set as its first column.

    >>> tables = {"df": pd.DataFrame({"p": [0.1]}), "mel": pd.DataFrame(), "scc": pd.DataFrame({"p": [0.2]})}
    >>> stacked(tables).values.tolist()
    [['df', 0.1], ['scc', 0.2]]
    """
    labelled = [table.assign(set=name)[["set", *table.columns]] for name, table in tables.items() if len(table)]
    return pd.concat(labelled, ignore_index=True) if labelled else pd.DataFrame()
