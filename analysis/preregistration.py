"""The preregistration: `analysis.power` writes it before a survey, and the report compares the survey with it.

The Markdown is generated from facts, which its last block holds as JSON with the SHA-256 of everything else. A report
reads these facts, and can tell whether the text was edited since.
"""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.numbers import percent
from analysis.section import AnalysisError
from glimpse.command_line import counted
from glimpse.files import sha256_bytes

SCHEMA = 1
BLOCK = re.compile(r"^```json\n(.*?)\n```\s*\Z", re.DOTALL | re.MULTILINE)
UNCHANGED, CHANGED, UNKNOWN = "unchanged", "changed", "not known"
CLAIMS = {
    "cannot tell": "People cannot tell the generated images from the real ones: balanced accuracy lies within "
    "{low} to {high}.",
    "detectable": "People can tell the generated images from the real ones: balanced accuracy is not 50 %.",
    "different": "People tell the generated images of two sets apart from real ones with different accuracy.",
}
TESTS = {
    "cannot tell": "two one-sided tests at 5 % (the 90 % interval lies within the bounds)",
    "detectable": "a two-sided test against 50 % at 5 % (the 95 % interval leaves 50 % out)",
    "different": "a two-sided test of the difference at 5 %, Holm-corrected over all pairs of sets",
}


# ------------------------------------------------------------------------------------------------ writing


def study_facts(path: Path) -> dict[str, Any]:
    """The facts of a study file for a preregistration: its hash, design, and rules of exclusion.

    Raises AnalysisError if it cannot be read.
    """
    try:
        source = path.read_bytes()
        study = tomllib.loads(source.decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise AnalysisError(f"--study {path}: it cannot be read as a study file ({error}).") from None
    trials = study.get("trials", {})
    task, mode, within = study.get("task", "yes-no"), study.get("mode", "fixed"), study.get("design") == "within"
    if task == "pair" or mode == "staircase":
        key = 'task = "pair"' if task == "pair" else 'mode = "staircase"'
        raise AnalysisError(f"--study {path}: the plan is for single images, all shown alike; it is not for `{key}`.")
    count, share = int(trials.get("count", 20)), float(trials.get("real_share", 0.5))
    real, sets = round(count * share), [str(entry.get("name")) for entry in study.get("sets", [])]
    rules = ("catch", "catch_wrong", "implausible", "spare")
    return {
        "sha256": sha256_bytes(source),
        "mode": mode,
        "task": task,
        "within": within,
        "exposure_ms": study.get("exposure_ms", [2000, 3000]),
        "sets": sets,
        "trials": {"real": real, "generated": round((count - real) / (len(sets) if within and sets else 1))},
        **{rule: trials[rule] for rule in rules if rule in trials},
    }


def text(facts: Mapping[str, Any]) -> str:
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
            f"for {study['exposure_ms'][0]} to {study['exposure_ms'][1]} ms"
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

{number}. By simulation of the whole survey this number finds '{facts["claim"]}' with a probability of
{percent(facts["power"], 0)} if the true accuracy is {percent(facts["accuracy"])}{_gap(facts)} and the standard
deviations are
{facts["spreads"]["d_prime"]:.2f} of d', {facts["spreads"]["criterion"]:.2f} of the criterion and
{facts["spreads"]["images"]:.2f} of the images ({facts["spreads"]["source"]}).

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


# ------------------------------------------------------------------------------------------------ reading


def read(path: Path) -> tuple[dict[str, Any], bool]:
    """The facts of a preregistration, and whether its text is unchanged.

    Raises AnalysisError if the file is not a preregistration.
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
        return facts, facts.pop("text_sha256") == _sha256(content[: block.start()] if block else "", facts)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise AnalysisError(
            f"--preregistration {path}: it does not end with the facts that `python -m analysis.power --preregister` "
            "writes; give that file, unchanged."
        ) from None


def unchanged_parts(facts: Mapping[str, Any], intact: bool, here: Mapping[str, Any]) -> list[dict[str, str]]:
    """One row for each preregistered part: what was registered, what the report has, and whether it is unchanged.

    `here`: bound, positive, rating (of --rating), first_answer (ISO, "" if unknown), study_sha256 (all that were
    answered), what `exclusions` needs, `tested` (the sets whose verdict could be tested), and by set `participants`
    (scored), `finished` (with those whom the study's rule excludes, as the stopping rule counts), `images` and `trials`
    (real, generated).
    """
    study, rows = facts["study"], []

    def where(name: str) -> str:
        return f", {name}" if len(here["participants"]) > 1 else ""

    def add(part: str, registered: Any, found: Any, same: bool | None) -> None:
        status = UNKNOWN if same is None else UNCHANGED if same else CHANGED
        rows.append({"part": part, "preregistered": str(registered), "in_this_report": str(found), "status": status})

    add("text", "as written", "as written" if intact else "edited since", intact)
    first = here["first_answer"]
    add("written before the first answer", facts["written"][:16], first[:16] or "not recorded",
        facts["written"] <= first if first else None)  # fmt: skip
    if study:
        found = here["study_sha256"]
        hashes = ", ".join(sha[:12] for sha in found) or "not recorded"
        add("study file (SHA-256)", study["sha256"][:12], hashes, found == [study["sha256"]] if found else None)
    tested = len(here["tested"]) > (facts["claim"] == "different")
    add("hypothesis", facts["claim"], "tested" if tested else "not tested", tested)
    add("bound", f"{facts['bound']:g}", f"{here['bound']:g}", facts["bound"] == here["bound"])
    add("class of F1", facts["positive"], here["positive"], facts["positive"] == here["positive"])
    if not study or study["task"] != "rating":
        rated = f"ratings in {here['rating'].rpartition(':')[0] or here['rating']}, divided at the middle"
        add("answers", "real or generated", rated if here["rating"] else "real or generated", not here["rating"])
    rules = "those of the study file" if study else "none"
    halved = ", 'unsure' counts half" if facts.get("unsure") == "half" else ""
    add("exclusions", rules + halved, *exclusions(facts, here))
    for name, n in here["finished"].items():
        add(f"participants (stopping rule){where(name)}", facts["participants"], n, n == facts["participants"])
    for what in ("images", "trials"):
        wanted = (facts[what]["real"], facts[what]["generated"])
        for name, (real, generated) in here[what].items():
            same = (real, generated) == wanted
            if what == "images":
                people, each = here["participants"][name], here["trials"][name]
                classes = zip(wanted, (real, generated), each, strict=True)
                same = all(may_be_drawn(of, seen, people, trials) for of, seen, trials in classes)
            registered, found = (f"{r:g} real + {g:g} generated" for r, g in (wanted, (real, generated)))
            add(f"{what}{where(name)}", registered, found, same)
    return rows


def exclusions(facts: Mapping[str, Any], here: Mapping[str, Any]) -> tuple[str, bool | None]:
    """The exclusions that are not registered, in words, and whether there are none; None if it is not known.

    `here`: filters, simulated (participants scored), counts (of rows left out), excluded_for (participants by reason),
    study_sha256.

    >>> nothing = {"filters": (), "simulated": 0, "counts": {}, "excluded_for": {}, "study_sha256": []}
    >>> exclusions({"study": None}, nothing)
    ('none further', True)
    >>> exclusions({"study": None}, {**nothing, "filters": ("age=30",), "excluded_for": {"": 2}})
    ('only age=30; 2 participants are excluded by another rule', False)
    >>> exclusions({"study": {"catch": 2, "sha256": "a"}}, nothing)  # these answers may be of another study file
    ('none further, but not by which study file', None)
    """
    study, counts, further = facts["study"] or {}, here["counts"], [f"only {rule}" for rule in here["filters"]]
    if here["simulated"]:
        further.append(f"{counted(here['simulated'], 'simulated participant')} scored")
    halved, left_out = (counts.get(reason, 0) for reason in ("halved_answers", "unsure_answers"))
    if halved and facts.get("unsure", "out") == "out":
        further.append(f"{counted(halved, 'answer')} 'unsure' counted as half right")
    if left_out and facts.get("unsure") == "half":
        further.append(f"{counted(left_out, 'answer')} 'unsure' left out")
    registered = {
        "attention": bool(study.get("catch")),
        **dict.fromkeys(("implausible", "returned", "pilot"), bool(study)),
    }
    for reason, people in here["excluded_for"].items():
        if not registered.get(reason, bool(study) and not reason):
            rule = f"as '{reason}'" if reason else "by another rule"
            further.append(f"{counted(people, 'participant')} {'are' if people > 1 else 'is'} excluded {rule}")
    if counts.get("screened_out_participants", 0) and not study:
        further.append(f"{counted(counts['screened_out_participants'], 'participant')} screened out")
    if counts.get("replaced_trials", 0) and not study.get("spare"):
        further.append(f"{counted(counts['replaced_trials'], 'trial')} replaced")
    if further:
        return "; ".join(further), False
    ruled = "catch" in study or "implausible" in study or here["excluded_for"]
    if study and ruled and here["study_sha256"] != [study["sha256"]]:
        return "none further, but not by which study file", None
    return "none further", True


def may_be_drawn(images: int, seen: int, people: int, trials: float) -> bool:
    """Whether so few different images are plausible if each of `people` judges `trials` random ones of `images`.

    The number of unseen images has a binomial distribution or less spread; a probability below 0.1 % is not plausible.

    >>> may_be_drawn(20, 19, people=8, trials=6), may_be_drawn(100, 40, people=40, trials=12)
    (True, False)
    """
    from scipy import stats

    unseen = max(1 - trials / images, 0.0) ** people
    return seen <= images and float(stats.binom.sf(images - seen - 1, images, unseen)) >= 0.001


def now() -> str:
    """The current time in UTC, in the format of the facts."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def sentence(rows: Sequence[Mapping[str, str]]) -> str:
    """The rows as sentences."""
    by = {s: [row["part"] for row in rows if row["status"] == s] for s in (UNCHANGED, CHANGED, UNKNOWN)}
    said = [f"Preregistered and unchanged: {', '.join(by[UNCHANGED]) or 'nothing'}."]
    if by[CHANGED]:
        differ = "; ".join(
            f"{row['part']} ({row['preregistered']}, here {row['in_this_report']})"
            for row in rows if row["status"] == CHANGED
        )  # fmt: skip
        said.append(f"Changed: {differ}.")
    if by[UNKNOWN]:
        said.append(f"Not known from these answers: {', '.join(by[UNKNOWN])}.")
    return " ".join(said)
