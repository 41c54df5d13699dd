"""The section `conditions`: generators that the same people judged beside the same real images, compared and ranked."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from analysis.figures import conditions as draw
from analysis.figures.style import labels
from analysis.numbers import LEVEL, corrected_over, decimal, ends, listed, p_value, percent
from analysis.people import conditions as paired
from analysis.people.conditions import MEASURES, Conditions
from analysis.people.estimation import estimate
from analysis.people.population import mixed
from analysis.people.trials import Trials
from analysis.section import Context, Section, places_by_set, records

MOST_NAMED = 6  # conditions or pairs in a sentence; the tables have all
METHOD = (
    f"paired within participants, {estimate.METHOD}; d' by a {mixed.METHOD}, condition as a fixed effect; "
    "p_holm over the pairs of the measure"
)
METHOD_RATES = f"fooling rate, {estimate.METHOD} or Wilson's"
METHOD_RANKING = f"{paired.DRAWS:,} draws of the rates, multivariate t; ranks by Holm-corrected pairs"


def families(frame: pd.DataFrame) -> list[tuple[str, ...]]:
    """The sets with images of both classes that share answers to real images."""
    if "trial" not in frame or not frame["trial"].duplicated().any():
        return []
    generated = frame.groupby("set")["is_generated"].any()
    frame = frame[frame["set"].map(generated)]
    return paired.families(frame["set"].tolist(), frame["trial"].tolist(), frame["is_generated"].tolist())


def unrelated(frame: pd.DataFrame) -> Any:
    """Whether two sets are compared as a pair of sets, because they are not conditions of one family."""
    found = families(frame)
    return lambda a, b: not any(a in family and b in family for family in found)


def compute(context: Context) -> Section | None:
    """The section; None unless several sets share answers to their real images."""
    frame = context.responses
    frame = frame[~frame["mode"].isin(["staircase", "pair"])] if frame is not None else pd.DataFrame()
    together = families(frame) if len(frame) else []
    if not together:
        return None
    coded, by_set = Trials.from_table(frame), places_by_set(frame)
    section, pairs, ranking, compared = Section("conditions", {}), [], [], []
    for number, family in enumerate(together, 1):
        sets = {name: coded.where(by_set[name]) for name in family}
        found = paired.compare(sets, context.seed)
        compared.append(found)
        ranking.append(ranking_table(found))
        pairs.append(pairs_table(found))
        section.sentences += sentences(found)
        shown = labels(family)
        name = "conditions" if len(together) == 1 else f"conditions-{number}"
        section.figure(name, partial(draw.conditions, found, shown), "figure", conditions=len(family))
        section.scores[", ".join(family)] = {
            "n": int(coded.where(frame["set"].isin(family).to_numpy()).counts().trials.size),
            "ranking": records(ranking[-1], METHOD_RANKING if found.ranking else METHOD_RATES),
            "pairs": records(pairs[-1], METHOD),
        }  # fmt: skip
    ranked = any(found.ranking for found in compared)
    tested = {m for found in compared for m, made in found.pairs.items() for pair in made if pair.p is not None}
    section.table("ranking", pd.concat(ranking, ignore_index=True), ranked=ranked)
    section.table("paired", pd.concat(pairs, ignore_index=True))
    section.explain(draws=paired.DRAWS, ranked=ranked, tested=len(tested) > 0, d_prime="d_prime" in tested)
    return section


def ranking_table(found: Conditions) -> pd.DataFrame:
    """One row per condition, in descending order of the fooling rate."""
    rows = []
    for k, (name, rate) in enumerate(zip(found.names, found.fooling, strict=True)):
        low, high = rate.ci95 or (None, None)
        row = {"set": name, "fooling_rate": rate.value, "low": low, "high": high}
        ranking = found.ranking
        places = ("place", "lowest", "highest", "first")
        row |= {key: None if ranking is None else getattr(ranking, key)[k] for key in places}
        rows.append(row)
    table = pd.DataFrame(rows).rename(
        columns={"lowest": "place_from", "highest": "place_to", "first": "fools_most_share"}
    )
    return table.sort_values("fooling_rate", ascending=False, kind="stable").reset_index(drop=True)


def pairs_table(found: Conditions) -> pd.DataFrame:
    """One row per pair: the differences, first - second, in each measure."""
    rows = []
    for each in zip(*found.pairs.values(), strict=True):
        row: dict[str, Any] = {"first": each[0].first, "second": each[0].second}
        for measure, pair in zip(found.pairs, each, strict=True):
            low, high = pair.difference.ci95 or (None, None)
            row |= {
                measure: pair.difference.value, f"{measure}_low": low, f"{measure}_high": high,
                f"{measure}_p_holm": pair.p_holm,
            }  # fmt: skip
        if found.ranking is not None:
            i, j = found.names.index(row["first"]), found.names.index(row["second"])
            row["first_fools_more_share"] = found.ranking.more[i, j]
        rows.append(row)
    return pd.DataFrame(rows)


# ------------------------------------------------------------------------------------------------ words


def sentences(found: Conditions) -> list[str]:
    """Sentences on the ranking with its uncertainty, and on the pairs that differ."""
    return [*_ranking(found), _differences(found)]


def _ranking(found: Conditions) -> list[str]:
    ranking = found.ranking
    if ranking is None:
        return []
    order = [int(k) for k in np.argsort(ranking.place, kind="stable")]
    rates = ", ".join(f"{found.names[k]} ({percent(found.fooling[k].value)})" for k in order[:MOST_NAMED])
    beyond = f" and {len(order) - MOST_NAMED} more" if len(order) > MOST_NAMED else ""
    neighbours = list(pairwise(order))[: MOST_NAMED - 1]
    more = ", ".join(
        f"in {_share(float(ranking.more[i, j]))} of resamples {found.names[i]} fools more people than {found.names[j]}"
        for i, j in neighbours
    )
    return [f"By the share of their images that people took for real: {rates}{beyond}; {more}."]


def _differences(found: Conditions) -> str:
    made = {m: corrected_over([pair.p for pair in pairs], "pair") for m, pairs in found.pairs.items()}
    tested = {m: how for m, how in made.items() if any(pair.p is not None for pair in found.pairs[m])}
    corrected = "; ".join(dict.fromkeys(tested.values()))
    if len(set(tested.values())) > 1:
        corrected = "; ".join(f"{MEASURES[m]}: {how}" for m, how in tested.items())
    beside = "".join(
        f" In {MEASURES[m]} they cannot be compared: {found.pairs[m][0].difference.note}."
        for m in made if m not in tested
    )  # fmt: skip
    said = []
    for measure, pairs in found.pairs.items():
        clear = sorted((p for p in pairs if (p.p_holm if p.p_holm is not None else 1) < LEVEL), key=lambda p: p.p or 0)
        if clear:
            beyond = f" and {len(clear) - MOST_NAMED} more pairs" if len(clear) > MOST_NAMED else ""
            each = "; ".join(_pair(measure, p) for p in clear[:MOST_NAMED])
            said.append(f"{MEASURES[measure]} {each}{beyond}")
    within = "Compared within participants, beside the same real images"
    if said:
        return f"{within}, these differ (95 % intervals; {corrected}): in {'; in '.join(said)}.{beside}"
    if not tested:
        return f"{within}: too few answers for an interval ({found.pairs['fooling_rate'][0].difference.note})."
    measures = listed([MEASURES[m] for m in tested]).replace(" and ", " or ")
    none = f"no two of the {len(found.names)} conditions" if len(found.names) > 2 else "the two conditions do not"
    return f"{within}, {none} measurably differ in {measures} ({corrected}).{beside}"


def _share(value: float) -> str:
    """A share of resamples in percent; never 100 %, which no number of resamples can show."""
    return percent(value, 0) if value < 0.995 else f"more than {percent(0.99, 0)}"


def _pair(measure: str, pair: Any) -> str:
    gap, (low, high) = pair.difference.value, pair.difference.ci95
    first, second = pair.first, pair.second
    if gap < 0:
        first, second, gap, low, high = second, first, -gap, -high, -low
    if measure == "d_prime":
        size, between = decimal(gap), ends(low, high, digits=2)
    else:
        size, between = f"{100 * gap:.1f} percentage points", ends(100 * low, 100 * high, digits=1)
    return f"{first} above {second} by {size} ({between}; p {p_value(pair.p_holm)})"
