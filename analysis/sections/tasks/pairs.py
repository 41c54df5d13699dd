"""The section `pairs`: how often people tell the real image of a pair from the generated one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.numbers import decimal, interval, percent
from analysis.people.ratings import pairs as two
from analysis.section import Context, Section, places_by_set


def compute(context: Context) -> Section | None:
    """The section; None if no answer is about a pair."""
    if context.responses is None or "second" not in context.responses:
        return None
    frame = context.responses[context.responses["mode"] == "pair"]
    if frame.empty:
        return None
    scores = {name: scores_of(frame.iloc[places]) for name, places in places_by_set(frame).items()}
    section = Section("pairs", scores, [sentence(name, one) for name, one in scores.items()])
    section.table("pairs", _table(scores))
    section.explain(method=two.METHOD, d_prime=two.METHOD_D_PRIME)
    return section


def coded(rows: pd.DataFrame) -> two.Pairs:
    """The answers to pairs: `image` is the left or first one, `second` the other."""
    first = rows["is_generated"].to_numpy(bool)
    names = rows[["image", "second"]].to_numpy(object)
    codes = [pd.factorize(values)[0].astype(np.int64) for values in (
        rows["participant"], np.where(first, names[:, 0], names[:, 1]), np.where(first, names[:, 1], names[:, 0]),
    )]  # fmt: skip
    return two.Pairs((rows["said_generated"] == rows["is_generated"]).to_numpy(bool), *codes)


def scores_of(rows: pd.DataFrame) -> dict[str, Any]:
    """The numbers of one set in scores.json."""
    share = two.share_right(coded(rows))
    return {
        "pairs": len(rows),
        "participants": int(rows["participant"].nunique()),
        "right": share.scores("share"),
        "d_prime": two.d_prime(share).scores("value"),
        "first_taken_for_real": float((~rows["said_generated"]).mean()),
    }


def sentence(name: str, one: Mapping[str, Any]) -> str:
    """The sentence on one set."""
    right, d_prime = one["right"], one["d_prime"]
    words = f"{name}: of a real and a generated image people name the real one in {percent(right['share'])} of pairs"
    words += f" ({interval(right, 100, ' %')}; {one['participants']} participants; 50 % by guessing)"
    if d_prime["value"] is not None:
        words += f", a d' of {decimal(d_prime['value'])} ({interval(d_prime)})"
    return words + "."


def _table(scores: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for name, one in scores.items():
        row: dict[str, Any] = {"set": name, "participants": one["participants"], "pairs": one["pairs"]}
        for label, found, key in (("right", one["right"], "share"), ("d_prime", one["d_prime"], "value")):
            low, high = found["ci95"] or (None, None)
            row |= {label: found[key], f"{label}_low": low, f"{label}_high": high}
        rows.append(row | {"first_taken_for_real": one["first_taken_for_real"]})
    return pd.DataFrame(rows)
