"""What the answers say, set by set: the first section of the report, and `survey` in scores.json."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis import observers
from analysis.figures import survey as figures
from analysis.parts import Context, Part

# Mean F1 in Section 4.1.3 of Furger et al. 2020; DF is printed before MEL in the text.
PAPER_F1 = {"healthy": 0.58, "eczema": 0.53, "df": 0.65, "mel": 0.71}


def participants_of(trials: pd.DataFrame, positive: observers.Positive) -> tuple[pd.DataFrame, observers.Counts]:
    """One row a participant of one set, and their confusion counts."""
    codes, names = pd.factorize(trials["participant"])
    counts = observers.count(trials["said_generated"], trials["is_generated"], codes)
    seconds = trials["response_time_s"].groupby(codes)
    table = pd.DataFrame(
        {
            "participant": names,
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
            "median_response_time_s": seconds.median().to_numpy(),
        }
    )
    return table, counts


def quartiles(values: Any) -> dict[str, Any]:
    """Mean and quartiles of the defined values (linear interpolation), None with the reason where there are none."""
    defined = np.asarray(values, float)
    defined = defined[~np.isnan(defined)]
    if not len(defined):
        return {"n": 0, "mean": None, "q1": None, "median": None, "q3": None, "note": "undefined for everybody"}
    q1, median, q3 = (float(q) for q in np.quantile(defined, [0.25, 0.5, 0.75]))
    return {"n": len(defined), "mean": float(defined.mean()), "q1": q1, "median": median, "q3": q3}


def compute(context: Context, positive: observers.Positive = "generated") -> Part | None:
    """The part `survey`; None without answers."""
    if context.responses is None:
        return None
    scores: dict[str, Any] = {}
    tables: dict[str, pd.DataFrame] = {}
    columns, people = [], []
    for name, trials in context.responses.groupby("set", sort=True):
        table, counts = participants_of(trials, positive)
        f1 = table["f1"].to_numpy()
        values, weights = observers.f1_null(counts, positive)
        columns.append(figures.Column(str(name), f1[~np.isnan(f1)], values, weights, PAPER_F1.get(str(name))))
        people.append(table.assign(set=name))
        scores[str(name)] = {
            "participants": len(table), "trials": len(trials),
            "f1": {**quartiles(f1), "chance_mean": float(np.nanmean(table["f1_chance"]))},
        }  # fmt: skip
    tables["participants"] = pd.concat(people, ignore_index=True)
    return Part(
        name="survey", title="What people could tell", scores=scores, tables=tables,
        figures={"figure-10": partial(figures.figure_ten, columns, positive, context.seed)},
        captions={"figure-10": "F1 by set", "participants": "Every participant"},
    )  # fmt: skip
