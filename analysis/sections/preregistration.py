"""The section `preregistration`: which parts of the preregistration (`--preregistration`) the report keeps."""

from __future__ import annotations

from typing import Any

import pandas as pd

from analysis import preregistration
from analysis.section import Context, OptionError, Section
from analysis.sections.survey import one_mode
from glimpse.files import sha256_file


def compute(context: Context) -> Section | None:
    """The section; None without --preregistration."""
    if context.preregistration is None:
        return None
    if context.responses is None:
        raise OptionError("--preregistration: there are no answers yet, so nothing of it can be checked.")
    try:
        facts, intact = preregistration.read(context.preregistration)
    except preregistration.AnalysisError as error:
        raise OptionError(str(error)) from None
    rows = preregistration.unchanged_parts(facts, intact, found_here(context))
    exploratory = [f"the groups of '{context.group}'"] if context.group else []
    exploratory += ["answers to questions"] if context.asked else []
    beside = f" Not preregistered, so exploratory: {' and '.join(exploratory)}." if exploratory else ""
    section = Section("preregistration", {
        "file": context.preregistration.name, "sha256": sha256_file(context.preregistration), "study": facts["study"],
        "parts": rows,
    }, [preregistration.sentence(rows) + beside])  # fmt: skip
    section.table("preregistered", pd.DataFrame(rows))
    section.explain()
    return section


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
    return {
        "bound": context.bound, "positive": context.positive, "filters": context.filters,
        "first_answer": "" if answered.empty else str(answered.min()), "study_sha256": hashes,
        "participants": {name: int(frame.loc[frame["set"] == name, "participant"].nunique()) for name in sets},
        "images": {name: tuple(int(images.get((name, truth), 0)) for truth in classes) for name in sets},
        "trials": {name: tuple(float(each.get((name, truth), 0)) for truth in classes) for name in sets},
    }  # fmt: skip
