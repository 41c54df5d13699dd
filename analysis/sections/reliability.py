"""The section `reliability`: how well scores would repeat, people's agreement, and discriminating images."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from analysis import inventory
from analysis.cache import helped
from analysis.figures import reliability as draw
from analysis.figures.pictures import from_file
from analysis.figures.style import MANY, labels
from analysis.numbers import decimal, listed
from analysis.people.consistency import items
from analysis.people.consistency.agreement import alpha
from analysis.people.consistency.reliability import intraclass, split_half
from analysis.people.trials import Trials
from analysis.section import Context, Section, noted, places_by_set
from analysis.sections.survey import GALLERY_PIXELS, MANY_ANSWERS, judgements

SHOWN = 6  # images with a curve
LOW = 0.7  # a reliability below it is usually called poor (Nunnally 1978)
KINDS = {"participants": "participants", "real": "real images", "generated": "generated images"}


def compute(context: Context) -> Section | None:
    """The section; None without answers."""
    if (frame := judgements(context)) is None:
        return None
    coded = Trials.from_table(frame)
    images = np.sort(frame["image"].unique())
    section = Section("reliability", {})
    tables = {}
    by_set = places_by_set(frame)
    sets = {name: coded.where(places) for name, places in by_set.items()}
    tasks = {name: partial(_cached_scores, trials, context) for name, trials in sets.items()}
    with helped(list(tasks.values())[1:], worthwhile=len(frame) >= MANY_ANSWERS):
        for name, trials in sets.items():
            found, table = tasks[name](), items.items(trials)
            if len(table):
                table["image"] = images[table["image"].to_numpy()]
                table["truth"] = np.where(table["truth"], "generated", "real")
            tables[name] = table
            section.scores[name] = {
                **found, "items": [
                    noted({**row, "method": items.METHOD}, "no participant of that third of ability judged this image")
                    for row in table.to_dict("records")
                ]
            }  # fmt: skip
            section.sentences += sentences(name, found, table, several=len(by_set) > 1)
    section.table("reliability", _reliability_table(section.scores))
    section.table("agreement", _agreement_table(section.scores))
    _add_items(section, context, tables)
    both = frame.groupby("set")["truth"].nunique().max() > 1
    section.explain(fewest=items.FEWEST, items=any(len(table) for table in tables.values()), both=both)
    return section


def _cached_scores(trials: Trials, context: Context) -> dict[str, Any]:
    inputs = {"answers": trials.sha256, "seed": context.seed}
    return context.cached("reliability", inputs, partial(scores_of, trials, context.seed))


def scores_of(trials: Trials, seed: int) -> dict[str, Any]:
    """The numbers of one set in scores.json, without those of single images."""
    first = _first_judgements(trials)
    found: dict[str, Any] = {"n": len(np.unique(trials.participant)), "reliability": {}, "agreement": {}}
    for kind in KINDS:
        if kind == "participants":
            values, unit, across, stratum = first.correct, first.participant, first.image, first.is_generated
        else:
            mine = first.where(first.is_generated == (kind == "generated"))
            values, unit, across, stratum = mine.correct, mine.image, mine.participant, None
        if not len(unit):
            continue
        icc = intraclass(values, unit, across, stratum)
        found["reliability"][kind] = {
            "units": len(np.unique(unit)), "answers_each": icc.answers,
            "split_half": split_half(values, unit, stratum, seed).scores(),
            "icc_single": icc.single.scores(), "icc_mean": icc.mean.scores(),
        }  # fmt: skip
    for kind, rows in (
        ("all", np.ones(len(first), bool)), ("real", ~first.is_generated), ("generated", first.is_generated)
    ):  # fmt: skip
        if rows.any():
            mine = first.where(rows)
            found["agreement"][kind] = alpha(mine.said_generated, mine.image, seed).scores("alpha")
    return found


def _first_judgements(trials: Trials) -> Trials:
    """The first answer of each participant to each image: repeated answers would make scores look reliable."""
    return trials.where(np.sort(np.unique(trials.pairs[0], return_index=True)[1]))


def sentences(name: str, found: Mapping[str, Any], table: pd.DataFrame, *, several: bool) -> list[str]:
    """Sentences on the reliability of participants and images, their agreement, and discriminating images."""
    where = f"{name}: " if several else ""
    said = []
    each = {kind: one["icc_mean"] for kind, one in found["reliability"].items() if one["icc_mean"]["value"] is not None}
    if each:
        words = "; ".join(f"{KINDS[kind]} {_value(_floored(one), 'value')}" for kind, one in each.items())
        poor = [KINDS[kind] for kind, one in each.items() if round(one["value"], 2) < LOW]  # as it is printed
        warning = f" Below {LOW}, single {listed(poor)} should not be ranked." if poor else ""
        said.append(f"{where}reliability of scores, 1 being perfect (ICC of means): {words}.{warning}")
    agreed = found["agreement"].get("all", {"alpha": None})
    if agreed["alpha"] is not None:
        interval = agreed["ci95"]
        chance = "" if interval is None or interval[0] > 0 else "which chance may give"
        chance = "less than chance gives" if interval is not None and interval[1] < 0 else chance
        why = f"; {agreed['note']}" if interval is None else f", {chance}" * bool(chance)
        said.append(
            f"{where}agreement of the participants, right or wrong (Krippendorff's α; 1 perfect, 0 by chance): "
            f"{_value(agreed, 'alpha')}{why}."
        )
    if len(table):
        sharp, blunt = int((table["low"] > 0).sum()), int((table["high"] < 0).sum())
        separate = f"measurably separate{'s' * (sharp < 2)} able from less able participants"
        words = f"{where}{sharp or 'none'} of {len(table)} images {separate}"
        said.append(words + (f"; {blunt} fool{'s' * (blunt == 1)} the able more often." if blunt else "."))
    return [sentence[0].upper() + sentence[1:] if not several else sentence for sentence in said]


def _floored(found: Mapping[str, Any]) -> dict[str, Any]:
    """A reliability for a sentence: as a share of variance it is at least 0 (Bartko 1976).

    >>> _floored({"value": -4.42, "ci95": [-15.04, 0.35]})
    {'value': 0.0, 'ci95': [0.0, 0.35]}
    >>> _floored({"value": -4.42, "ci95": [-15.04, -0.05]})["ci95"]  # no value is left: 0 to 0 would be certainty
    """
    interval = (found["ci95"] and found["ci95"][1] > 0 and [max(0.0, end) for end in found["ci95"]]) or None
    return {**found, "value": max(0.0, found["value"]), "ci95": interval}


def _value(found: Mapping[str, Any], key: str) -> str:
    value = decimal(found[key])
    return f"{value} ({' to '.join(map(decimal, found['ci95']))})" if found["ci95"] else value


# ------------------------------------------------------------------------------------------------ tables, figures


def _reliability_table(scores: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for name, one in scores.items():
        for kind, found in one["reliability"].items():
            row = {"set": name, "of": KINDS[kind], "units": found["units"], "answers_each": found["answers_each"]}
            for label in ("split_half", "icc_mean", "icc_single"):
                low, high = found[label]["ci95"] or (None, None)
                row |= {label: found[label]["value"], f"{label}_low": low, f"{label}_high": high}
            rows.append(row)
    return pd.DataFrame(rows).dropna(axis=1, how="all")


def _agreement_table(scores: Mapping[str, Any]) -> pd.DataFrame:
    rows = []
    for name, one in scores.items():
        for kind, found in one["agreement"].items():
            low, high = found["ci95"] or (None, None)
            images = "all images" if kind == "all" else KINDS[kind]
            rows.append({"set": name, "images": images, "alpha": found["alpha"], "low": low, "high": high})
    table = pd.DataFrame(rows).dropna(axis=1, how="all")
    return table if "alpha" in table else pd.DataFrame()


def _add_items(section: Section, context: Context, tables: Mapping[str, pd.DataFrame]) -> None:
    """The curves of the images that separate participants best, with their pictures where there are files."""
    filled = {name: table for name, table in tables.items() if len(table)}
    if not filled:
        return
    shown = labels(filled)
    for number, (name, table) in enumerate(list(filled.items())[:MANY], 1):
        best = table.head(SHOWN)
        pictures = [_picture(context, name, image) for image in best["image"]]
        section.figure(
            f"item-curves-{number}", partial(draw.item_curves, best, pictures), "item-curves",
            set=shown[name], several=len(filled) > 1,
        )  # fmt: skip
    section.table(
        "items", pd.concat([t.assign(set=n)[["set", *t.columns]] for n, t in filled.items()], ignore_index=True)
    )


def _picture(context: Context, name: str, image: str) -> Any:
    stimuli = inventory.shown_sets(context).get(name)
    files = {} if stimuli is None else {one.id: stimuli.folder / one.file for one in stimuli.stimuli}
    if image not in files:
        return None
    return from_file(files[image], GALLERY_PIXELS, GALLERY_PIXELS)
