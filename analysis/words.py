"""What the report says around its sections: verdicts, methods, limits, citation and provenance, from what was done."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from analysis.page import Page
from analysis.parts import Context, Part
from analysis.tidying import RULES, Responses

PACKAGES = ("glimpse", "numpy", "scipy", "pandas", "statsmodels", "matplotlib", "torch", "torch-fidelity")


def page(
    context: Context,
    answers: Responses | None,
    parts: Sequence[Part],
    left_out: Sequence[str],
    options: Mapping[str, Any],
) -> Page:
    """Everything around the sections, in words."""
    warnings = []
    if answers is not None and answers.simulated:
        warnings.append(f"Includes {answers.simulated} simulated participants: these are not people's answers.")
    return Page(
        title="Can people tell which images are real?",
        subtitle=_subtitle(answers),
        verdicts=[],
        warnings=warnings,
        methods=_methods(context, answers),
        limits=[],
        citation=[],
        provenance=_provenance(context, answers, options),
        left_out=left_out,
    )


def _subtitle(answers: Responses | None) -> str:
    if answers is None:
        return "No answers yet: how good the images are by every other measure."
    people, sets = answers.trials["participant"].nunique(), answers.trials["set"].nunique()
    return f"{people} participants, {len(answers.trials)} answers, {sets} set{'s' * (sets != 1)} of images."


def _methods(context: Context, answers: Responses | None) -> list[str]:
    if answers is None:
        return []
    return [f"The answers come from {answers.source}.", *RULES]


def _provenance(context: Context, answers: Responses | None, options: Mapping[str, Any]) -> dict[str, Any]:
    packages = {}
    for package in PACKAGES:
        try:
            packages[package] = version(package)
        except PackageNotFoundError:
            continue
    found: dict[str, Any] = {
        "written": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "packages": packages,
        "options": {k: str(v) for k, v in options.items() if v not in (None, [], False)},
        "seed": context.seed,
    }
    if answers is not None:
        found["answers"] = {"source": answers.source, "sha256": answers.sha256, **answers.counts}
    return found
