"""The section `preregistration`: which parts of the preregistration (`--preregistration`) the report keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from analysis.numbers import listed
from analysis.people import inference
from analysis.people.equivalence import verdict
from analysis.people.scores import times_of
from analysis.people.trials import Trials
from analysis.preregistration.kept import sentence, unchanged_parts
from analysis.preregistration.text import read
from analysis.section import AnalysisError, Context, OptionError, Section
from analysis.sections.survey import one_mode
from glimpse.files import sha256_file

EXPLORATORY = {  # what the sections of answers print that no plan registers, by table or figure
    "questions": "answers to questions", "images": "single images", "dependence": "trends",
    "exclusions": "the verdict after further exclusions", "comparisons": "differences between sets",
}  # fmt: skip
BEYOND = ("joined", "conditions", "reliability", "ratings", "pairs", "reasons", "thresholds")  # sections without a test


def compute(context: Context) -> Section | None:
    """The section; None without --preregistration."""
    if context.preregistration is None:
        return None
    if context.responses is None:
        raise OptionError("--preregistration: there are no answers yet, so nothing of it can be checked.")
    try:
        facts, intact = read(context.preregistration)
    except AnalysisError as error:
        raise OptionError(str(error)) from None
    rows = unchanged_parts(facts, intact, found_here(context))
    section = Section("preregistration", {
        "file": context.preregistration.name, "sha256": sha256_file(context.preregistration), "study": facts["study"],
        "parts": rows,
    }, [sentence(rows)])  # fmt: skip
    section.table("preregistered", pd.DataFrame(rows))
    section.explain()
    return section


def name_exploratory(sections: Sequence[Section], group: str) -> None:
    """Add to the section a sentence on what the others print of the answers that was not preregistered."""
    made = {section.name: section for section in sections}
    if "preregistration" not in made:
        return
    parts = {row["part"]: row["preregistered"] for row in made["preregistration"].scores["parts"]}
    compares = parts["hypothesis"] == "different"
    shown = {name for of in ("survey", "participants") if of in made for name in (*made[of].tables, *made[of].figures)}
    names = {"groups": f"the groups of '{group}'", **EXPLORATORY}
    said = [words for name, words in names.items() if name in shown and not (compares and name == "comparisons")]
    scores = made["survey"].scores.values() if "survey" in made else ()
    if any(one["response_time_s"]["mean"] is not None for one in scores):
        said.append("response times")
    beyond = [f"'{made[name].title}'" for name in BEYOND if name in made and (name != "conditions" or not compares)]
    if beyond:
        said.append(f"the section{'s' if len(beyond) > 1 else ''} {listed(beyond)}")
    if said:
        made["preregistration"].sentences.append(f"Not preregistered, so exploratory: {listed(said)}.")


def found_here(context: Context) -> dict[str, Any]:
    """The facts in the answers and options that correspond to the preregistered ones."""
    assert context.responses is not None
    frame = one_mode(context.responses)
    answered = frame.loc[frame["answered_at"] != "", "answered_at"]
    people = context.people
    hashes = [] if people is None or "study_sha256" not in people else sorted(people["study_sha256"].dropna().unique())
    classes = ("real", "generated")
    images = frame.groupby(["set", "truth"])["image"].nunique()
    each = frame.groupby(["set", "participant", "truth"]).size().groupby(["set", "truth"]).median()
    sets = sorted(frame["set"].unique())
    scored = {name: Trials.from_table(frame[frame["set"] == name]) for name in sets}
    finished = frame[frame["finished"]].groupby("set")["participant"].nunique()
    shown = frame[frame["finished"]].groupby(["set", "participant", "truth"]).size().unstack("truth", fill_value=0)
    shown = shown.reindex(columns=classes, fill_value=0)
    planned, measured = (frame[f"exposure_ms_{kind}"].dropna() for kind in ("planned", "actual"))
    return {
        "bound": context.bound, "positive": context.positive, "filters": context.filters, "rating": context.rating,
        "simulated": int(frame.loc[frame["simulated"], "participant"].nunique()), "counts": context.counts,
        "excluded_for": context.excluded_for,
        "first_answer": first_answer(answered), "study_sha256": hashes,
        "participants": {name: int(frame.loc[frame["set"] == name, "participant"].nunique()) for name in sets},
        "finished": {name: int(finished.get(name, 0)) + context.excluded.get(name, 0) for name in sets},
        "images": {name: tuple(int(images.get((name, truth), 0)) for truth in classes) for name in sets},
        "trials": {name: tuple(float(each.get((name, truth), 0)) for truth in classes) for name in sets},
        "each": {name: [(int(r), int(g)) for r, g in shown[shown.index.get_level_values("set") == name].to_numpy()]
                 for name in sets},
        "sets": sorted(set(zip(frame["stimulus_set"], frame["set"], strict=True))),
        "modes": sorted(frame["mode"].unique()),
        "planned": (float(planned.min()), float(planned.max())) if len(planned) else None,
        "measured": (float(measured.quantile(0.05)), float(measured.quantile(0.95))) if len(measured) else None,
        "tested": [name for name in sets if is_tested(scored[name], context.bound)],
    }  # fmt: skip


def is_tested(answers: Trials, bound: float) -> bool:
    """Whether the report can test the verdict of a set: one participant, class or image of a class leaves no test.

    >>> people, images = [0, 0, 0, 0, 1, 1, 1, 1], [0, 1, 2, 3] * 2
    >>> answers = Trials.from_labels([0, 1, 1, 1, 0, 0, 1, 0], [0, 0, 1, 1] * 2, people, images)
    >>> is_tested(answers, 0.05), is_tested(answers.where(answers.participant == 0), 0.05)
    (True, False)
    """
    found = verdict(inference.balanced_accuracy(answers), answers.people[1], bound)
    return found.p_chance is not None or found.code != "undecided"


def first_answer(answered: pd.Series) -> str:
    """When the first answer was given, in UTC as the facts hold times; "" without a date (a time of day has none).

    >>> first_answer(pd.Series(["2026-05-02T00:30:00+02:00", "2026-05-01T23:00:00Z"]))
    '2026-05-01T22:30:00Z'
    >>> [first_answer(pd.Series(times, dtype=str)) for times in (["10:30", "09:15"], ["3/4"], [])]
    ['', '', '']
    """
    when = times_of(answered)
    if when is None or when.empty or when.min().year <= 1900:  # a time of day is read as one of 1900
        return ""
    return f"{when.min():%Y-%m-%dT%H:%M:%SZ}"
