"""The facts of a preregistration: what each must be, and those that a study file fixes."""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from analysis.numbers import LEAST_BOUND
from analysis.section import AnalysisError
from glimpse.files import sha256_bytes

SCHEMA = 1
CLAIMS = {
    "cannot tell": "People cannot tell the generated images from the real ones: balanced accuracy lies within "
    "{low} to {high}.",
    "detectable": "People can tell the generated images from the real ones: balanced accuracy is not 50 %.",
    "different": "People tell the generated images of two sets apart from real ones with different accuracy.",
}
Must = tuple[str, Callable[[Any], bool]]  # what a fact must be, in words and as a check


def _one_of(words: Collection[str]) -> Must:
    return f"one of {', '.join(words)}", lambda v: isinstance(v, str) and v in words


def _whole(least: int) -> Must:
    return f"a whole number from {least} to 1,000,000,000", lambda v: type(v) is int and least <= v <= 10**9


def _number(low: float, high: float) -> Must:
    return f"a number from {low:g} to {high:g}", lambda v: type(v) in (int, float) and low <= v <= high


def _or_none(must: Must) -> Must:
    return must[0], lambda v: v is None or must[1](v)


def _is_written(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", value) is not None


# None is a fact that is missing.
FACTS: Mapping[str, Must] = {
    "written": ("a time in UTC such as 2026-11-29T10:00:00Z", _is_written),
    "claim": _one_of(CLAIMS),
    "bound": (
        f"a number of at least {LEAST_BOUND} and below 0.5",
        lambda v: type(v) is float and LEAST_BOUND <= v < 0.5,
    ),
    "difference": _or_none(_number(-0.5, 0.5)),
    "accuracy": _number(0, 1),
    "participants": _whole(1),
    "power": _number(0, 1),
    **{f"{what}.{truth}": _whole(1) for what in ("images", "trials") for truth in ("real", "generated")},
    **{f"spreads.{of}": _number(0, 1000) for of in ("d_prime", "criterion", "images")},
    "positive": _one_of(("generated", "real")),
    "unsure": _or_none(_one_of(("out", "half"))),
    "study": ("null or the facts of a study file", lambda v: v is None or isinstance(v, dict)),
}
STUDY_FACTS: Mapping[str, Must] = {
    "sha256": ("a SHA-256", lambda v: isinstance(v, str) and re.fullmatch("[0-9a-f]{64}", v) is not None),
    "mode": _one_of(("fixed", "unlimited")),
    "task": _one_of(("yes-no", "rating")),
    "within": _or_none(("true or false", lambda v: isinstance(v, bool))),
    "exposure_ms": (
        "two whole numbers [shortest, longest] from 10 to 60000",
        lambda v: isinstance(v, list) and len(v) == 2 and [type(n) for n in v] == [int, int]
        and 10 <= v[0] <= v[1] <= 60_000,
    ),
    "sets": ("a list of names", lambda v: isinstance(v, list) and all(isinstance(name, str) for name in v)),
    **{f"trials.{truth}": _whole(1) for truth in ("real", "generated")},
    **{rule: _or_none(_whole(0)) for rule in ("catch", "catch_wrong", "implausible", "spare")},
}  # fmt: skip


def refuse_bad(facts: Any, must: Mapping[str, Must], where: str, remedy: str) -> None:
    """Raise AnalysisError for the first fact that is missing or not what it must be; `where` begins its name."""
    for path, (words, good) in must.items():
        value = facts
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not good(value):
            found = "is missing, but" if value is None else f"is {json.dumps(value, default=str)[:40]}, but"
            raise AnalysisError(f"{where}{path}` {found} must be {words}; {remedy}.")


def study_facts(path: Path) -> dict[str, Any]:
    """The facts of a study file for a preregistration: its hash, design, and rules of exclusion.

    Raises AnalysisError if it cannot be read.
    """
    try:
        source = path.read_bytes()
        study = tomllib.loads(source.decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise AnalysisError(f"--study {path}: it cannot be read as a study file ({error}).") from None
    task, mode, within = study.get("task", "yes-no"), study.get("mode", "fixed"), study.get("design") == "within"
    if task == "pair" or mode == "staircase":
        key = 'task = "pair"' if task == "pair" else 'mode = "staircase"'
        raise AnalysisError(f"--study {path}: the plan is for single images, all shown alike; it is not for `{key}`.")
    try:
        trials = study.get("trials", {})
        count, share = int(trials.get("count", 20)), float(trials.get("real_share", 0.5))
        real, sets = round(count * share), [entry.get("name") for entry in study.get("sets", [])]
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        raise AnalysisError(f"--study {path}: `trials` or `sets` cannot be read; correct the study file.") from None
    rules = ("catch", "catch_wrong", "implausible", "spare")
    facts = {
        "sha256": sha256_bytes(source),
        "mode": mode,
        "task": task,
        "within": within,
        "exposure_ms": study.get("exposure_ms", [2000, 3000]),
        "sets": sets,
        "trials": {"real": real, "generated": round((count - real) / (len(sets) if within and sets else 1))},
        **{rule: trials[rule] for rule in rules if rule in trials},
    }
    refuse_bad(facts, STUDY_FACTS, f"--study {path}: `", "correct the study file")
    return facts


def now() -> str:
    """The current time in UTC, in the format of the facts."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
