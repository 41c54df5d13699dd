"""The text of a preregistration: Markdown from its facts, and back.

The last block holds the facts as JSON with the SHA-256 of everything else. A report reads these facts, and can tell
whether the text was edited since.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.numbers import percent
from analysis.preregistration.facts import CLAIMS, FACTS, SCHEMA, STUDY_FACTS, refuse_bad
from analysis.section import AnalysisError
from glimpse.files import sha256_bytes

BLOCK = re.compile(r"^```json\n(.*?)\n```\s*\Z", re.DOTALL | re.MULTILINE)
TESTS = {
    "cannot tell": "two one-sided tests at 5 % (the 90 % interval lies within the bounds)",
    "detectable": "a two-sided test against 50 % at 5 % (the 95 % interval leaves 50 % out)",
    "different": "a two-sided test of the difference at 5 %, Holm-corrected over all pairs of sets",
}
LIKELY, HARDLY = 0.5, 0.2  # below this power a plan is more likely to fail than not; below that it can hardly succeed


def markdown(facts: Mapping[str, Any]) -> str:
    """The preregistration as Markdown, with its facts and the SHA-256 of both in the last block."""
    body = _body(facts)
    return f"{body}```json\n{_json({**facts, 'text_sha256': _sha256(body, facts)})}\n```\n"


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(dict(facts), indent=1, sort_keys=True)


def _sha256(body: str, facts: Mapping[str, Any]) -> str:
    return sha256_bytes(f"{body}{_json(facts)}".encode())


def _body(facts: Mapping[str, Any]) -> str:
    bound, study = facts["bound"], facts["study"]
    claim = CLAIMS[facts["claim"]].format(low=percent(0.5 - bound), high=percent(0.5 + bound))
    trials, images = facts["trials"], facts["images"]
    says = "says of each whether it is real or generated"
    if study and study["task"] == "rating":
        says = "rates each from definitely real to definitely generated, with 'real' below the middle"
    within = bool(study and study["within"])
    shared = " per set, the real ones shared by all sets," if within else ""
    design = [
        f"Each participant judges {trials['real']} real and {trials['generated']} generated images{shared} one at a "
        f"time and {says}. They are drawn from {images['real']} real and {images['generated']} generated images per "
        "set, none of them chosen by hand."
    ]
    if study:
        shown = "for as long as the participant wants" if study["mode"] == "unlimited" else (
            f"for {span(*study['exposure_ms'])} ms"
        )  # fmt: skip
        sets = f" The stimulus sets are {', '.join(study['sets'])}." if study["sets"] else ""
        design.append(f"Each image is shown {shown} (mode '{study['mode']}').{sets}")
        design.append(f"The study file has the SHA-256 `{study['sha256']}`; it fixes everything else.")
    who = "who answer all sets" if within else "who answer both sets" if facts["difference"] else "per set"
    number = f"{facts['participants']} participants {who}"
    return f"""# Preregistration

Written on {facts["written"][:10]}. Register this file unchanged, for instance at osf.io, before the first participant
answers. `python -m analysis.report --preregistration FILE.md` says which parts of it the report keeps.

## Hypothesis

{claim}

## Design

{chr(10).join(design)}

## Sample size

{number}. By simulation this number finds '{facts["claim"]}' with a probability of
{percent(facts["power"], 0)} if the true accuracy is {percent(facts["accuracy"])}{_gap(facts)} and the standard
deviations are
{facts["spreads"]["d_prime"]:.2f} of d', {facts["spreads"]["criterion"]:.2f} of the criterion and
{facts["spreads"]["images"]:.2f} of the images ({facts["spreads"]["source"]}).
{" ".join(filter(None, [simulated(facts["difference"], study), doubt(facts["power"])]))}

## Exclusions

{_exclusions(study, facts["unsure"])}

## Stopping rule

Data collection ends when {number} have finished, whatever their answers. There is no look at the answers before.

## Analysis

Balanced accuracy, the mean over participants, with an interval for new participants and new images (two-way clustered
variance, Cameron, Gelbach & Miller 2011). The hypothesis is tested by {TESTS[facts["claim"]]}.
The bound is {bound:g}. Over several sets p-values are multiplied by their number (Bonferroni).
F1 is that of the class '{facts["positive"]}'.

## Everything else is exploratory

Groups and covariates, answers to questions, single images, trends, times, and any further exclusion.

## Facts

"""


def simulated(difference: float | None, study: Mapping[str, Any] | None) -> str:
    """Sentences on what the simulation of the power leaves out, the same in the output and in the preregistration.

    >>> simulated(None, None)
    'The simulation is of one set.'
    """
    sets = len(study["sets"]) if study else 0
    if difference is None:
        said = "The simulation is of one set."
    else:
        said = (
            "The simulation is of two sets without shared images, and each person is as far above or below the average "
            "in both."
        )
        share = "Where sets share" if study is None else "As the sets of the study share"
        said += f" {share} their real images, the power is larger than that."
    if sets > (1 if difference is None else 2):
        said += f" The simulated test is not corrected for the {sets} sets of the study; corrected, it has less power."
    return said


def doubt(power: float) -> str:
    """A sentence on a plan whose power is too small; "" for one that is likely to succeed.

    >>> doubt(0.1), doubt(0.8)
    ('This plan can hardly succeed: take more participants, images or trials.', '')
    """
    if power >= LIKELY:
        return ""
    fate = "can hardly succeed" if power < HARDLY else "is more likely to fail than to succeed"
    return f"This plan {fate}: take more participants, images or trials."


def span(low: float, high: float) -> str:
    return f"{low:.0f}" if round(low) == round(high) else f"{low:.0f} to {high:.0f}"


def _gap(facts: Mapping[str, Any]) -> str:
    return (
        f", that of the other set is {percent(facts['accuracy'] + facts['difference'])}" if facts["difference"] else ""
    )


def _exclusions(study: Mapping[str, Any] | None, unsure: str) -> str:
    said = []
    if study and study.get("catch"):
        said.append(
            f"Participants with more than {study.get('catch_wrong', 0)} of {study['catch']} attention trials wrong are "
            "not scored."
        )
    if study and "implausible" in study:
        said.append(f"Participants with more than {study['implausible']} implausible trials are not scored.")
    if study:
        said.append(
            "Participants are not scored either if more than half of the images that they answered were never fetched, "
            "if a question of the study screens them out, if they return the study after finishing, or if they took "
            "part in its pilot."
        )
    if study and study.get("spare"):
        said.append(f"Up to {study['spare']} trials with a wrong exposure are replaced by spare ones.")
    doubts = "left out and counted" if unsure == "out" else "counted as half right and half wrong"
    said.append(f"Trials without an answer are left out and counted. Answers 'unsure' are {doubts}.")
    said.append("Simulated participants are not scored. There are no other exclusions.")
    return "\n".join(said)


def read(path: Path) -> tuple[dict[str, Any], bool]:
    """The facts of a preregistration, and whether text and facts are unchanged.

    Raises AnalysisError if the file is not a preregistration, or a fact is missing or not valid.
    """
    try:
        found = path.read_text("utf-8")
    except (OSError, ValueError) as error:
        raise AnalysisError(f"--preregistration {path}: it cannot be read ({error}).") from None
    content = found.replace("\r\n", "\n")
    block = BLOCK.search(content)
    try:
        facts = json.loads(block[1] if block else "")
        if facts["schema"] != SCHEMA:
            raise AnalysisError(f"--preregistration {path}: schema {facts['schema']} is not known to this version.")
        intact = facts.pop("text_sha256") == _sha256(content[: block.start()] if block else "", facts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise AnalysisError(
            f"--preregistration {path}: it does not end with the facts that `python -m analysis.power --preregister` "
            "writes; give that file, unchanged."
        ) from None
    where, remedy = f"--preregistration {path}: `", "give the file that `python -m analysis.power` wrote, unchanged"
    refuse_bad(facts, FACTS, where, remedy)
    if facts["study"] is not None:
        refuse_bad(facts["study"], STUDY_FACTS, f"{where}study.", remedy)
    return facts, intact
