"""The preregistration: `analysis.power` writes it before a survey, and the report compares the survey with it.

The Markdown is generated from facts, which its last block holds as JSON with the SHA-256 of everything else. A report
reads these facts, and can tell whether the text was edited since.
"""

from __future__ import annotations

import datetime
import json
import re
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.numbers import LEAST_BOUND, percent
from analysis.people.dependence import EXPOSURE_OFF_MS
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
LIKELY, HARDLY = 0.5, 0.2  # below this power a plan is more likely to fail than not; below that it can hardly succeed
Must = tuple[str, Callable[[Any], bool]]  # what a fact must be, in words and as a check
NEARLY_ALL = 0.95  # of those who finished, who judge the registered number of images if it is unchanged


# ------------------------------------------------------------------------------------------------ the facts


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


def _refuse_bad(facts: Any, must: Mapping[str, Must], where: str, remedy: str) -> None:
    """Raise AnalysisError for the first fact that is missing or not what it must be; `where` begins its name."""
    for path, (words, good) in must.items():
        value = facts
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if not good(value):
            found = "is missing, but" if value is None else f"is {json.dumps(value, default=str)[:40]}, but"
            raise AnalysisError(f"{where}{path}` {found} must be {words}; {remedy}.")


# ------------------------------------------------------------------------------------------------ writing


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
    _refuse_bad(facts, STUDY_FACTS, f"--study {path}: `", "correct the study file")
    return facts


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
            f"for {_span(*study['exposure_ms'])} ms"
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


def _span(low: float, high: float) -> str:
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


# ------------------------------------------------------------------------------------------------ reading


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
    _refuse_bad(facts, FACTS, where, remedy)
    if facts["study"] is not None:
        _refuse_bad(facts["study"], STUDY_FACTS, f"{where}study.", remedy)
    return facts, intact


def unchanged_parts(facts: Mapping[str, Any], intact: bool, here: Mapping[str, Any]) -> list[dict[str, str]]:
    """One row for each preregistered part: what was registered, what the report has, and whether it is unchanged.

    Of a file that is not `intact` nothing is known: the facts, too, may have been edited.

    `here`: bound, positive, rating (of --rating), first_answer (ISO, "" if unknown), study_sha256 (all that were
    answered), what `exclusions` and `exposure` need, `sets` (stimulus set and set of the answers), `tested` (the sets
    whose verdict could be tested), and by set `participants` (scored), `finished` (with those whom the study's rule
    excludes, as the stopping rule counts), `images` and `trials` (real, generated: median), and `each` (the trials of
    everyone who finished).
    """
    study, rows = facts["study"], []

    def where(name: str) -> str:
        return f", {name}" if len(here["participants"]) > 1 else ""

    def add(part: str, registered: Any, found: Any, same: bool | None) -> None:
        status = UNKNOWN if same is None or not (intact or part == "text") else UNCHANGED if same else CHANGED
        rows.append({"part": part, "preregistered": str(registered), "in_this_report": str(found), "status": status})

    add("text", "as written", "as written" if intact else "text or facts edited since", intact)
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
    if study:
        limit = "no time limit" if study["mode"] == "unlimited" else f"{_span(*study['exposure_ms'])} ms"
        add("exposure", limit, *exposure(study, here))
    if study and study["sets"]:
        sets = sorted(study["sets"])
        names = sorted({_set_of(shown, condition, sets) for shown, condition in here["sets"]})
        recorded = names == sets or names not in ([], ["all"])
        add("sets", ", ".join(sets), ", ".join(names) if recorded else "not recorded",
            names == sets if recorded else None)  # fmt: skip
    rules = "those of the study file" if study else "none"
    halved = ", 'unsure' counts half" if facts.get("unsure") == "half" else ""
    add("exclusions", rules + halved, *exclusions(facts, here))
    for name, n in here["finished"].items():
        add(f"participants (stopping rule){where(name)}", facts["participants"], n, n == facts["participants"])
    images, trials = ((facts[what]["real"], facts[what]["generated"]) for what in ("images", "trials"))
    for name, seen in here["images"].items():
        classes = zip(images, seen, here["trials"][name], strict=True)
        same = all(may_be_drawn(of, n, here["participants"][name], judged) for of, n, judged in classes)
        add(f"images{where(name)}", _both(images), _both(seen), same)
    left_out = sum(here["counts"].get(reason, 0) for reason in ("missing_answers", "unsure_answers"))
    for name, each in here["each"].items():
        add(f"trials{where(name)}", _both(trials), *trials_of_each(each, trials, left_out))
    return rows


def _both(numbers: Sequence[Any]) -> str:
    real, generated = numbers
    return f"{real} real + {generated} generated"


def _set_of(stimulus_set: str, condition: str, sets: Sequence[str]) -> str:
    """The set of the study that answers belong to; of a within design, conditions are named 'SET GENERATOR'.

    >>> _set_of("all", "df", ["df"]), _set_of("all", "df gan", ["df"]), _set_of("df", "gan", ["df"])
    ('df', 'df', 'df')
    """
    given = (stimulus_set, condition, condition.partition(" ")[0])
    return next((name for name in given if name in sets), condition)


def exposure(study: Mapping[str, Any], here: Mapping[str, Any]) -> tuple[str, bool | None]:
    """The exposures in words, and whether they are the registered ones; None if it is not known.

    Those planned lie in the registered range, those measured (5 % to 95 %) at most 50 ms outside, and each cover at
    least half of it. `here`: `modes` and, of the exposures in ms, `planned` (least, greatest) and `measured` (5 %,
    95 %), None where they are not recorded.

    >>> study = {"mode": "fixed", "exposure_ms": [500, 700]}
    >>> exposure(study, {"modes": ["fixed"], "planned": (500, 700), "measured": (492.0, 717.0)})
    ('500 to 700 ms planned, 492 to 717 ms measured', True)
    >>> exposure(study, {"modes": ["fixed"], "planned": None, "measured": (610.0, 620.0)})
    ('610 to 620 ms measured', False)
    """
    if "unlimited" in here["modes"]:
        return "no time limit", here["modes"] == [study["mode"]]
    found = {how: here[how] for how in ("planned", "measured") if here[how] is not None}
    words = ", ".join(f"{_span(*ends)} ms {how}" for how, ends in found.items()) or "not recorded"
    if study["mode"] == "unlimited":  # whose answers have measured times but no planned ones
        return words, False if "planned" in found else None
    (low, high), off = study["exposure_ms"], {"planned": 0.5, "measured": EXPOSURE_OFF_MS}
    kept = [
        low - off[how] <= least and greatest <= high + off[how] and greatest - least >= (high - low) / 2
        for how, (least, greatest) in found.items()
    ]
    return words, all(kept) if kept else None


def trials_of_each(each: Sequence[tuple[int, int]], wanted: tuple[int, int], left_out: int) -> tuple[str, bool | None]:
    """The trials (real, generated) of everyone who finished, in words, and whether the number is the registered one.

    It is if at least 95 % judged exactly that many. Someone with fewer does not count against it if answers that are
    missing or 'unsure', `left_out` as registered, make up for all that lack. None without anyone who finished.

    >>> trials_of_each([(10, 10)] * 19 + [(10, 3)], (10, 10), 0)
    ('10 real + 3 to 10 generated', True)
    >>> trials_of_each([(10, 10)] * 8 + [(10, 9)] * 12, (10, 10), 0), trials_of_each([(10, 9)], (10, 10), left_out=1)
    (('10 real + 9 to 10 generated', False), ('10 real + 9 generated', True))
    """
    if not each:
        return "not known: nobody finished", None
    away = [[found - planned for found, planned in zip(one, wanted, strict=True)] for one in each]
    short = sum(-min(gap, 0) for one in away for gap in one)
    off = sum(max(one) > 0 or (min(one) < 0 and short > left_out) for one in away)
    found = _both([_span(min(of), max(of)) for of in zip(*each, strict=True)])
    return found, off <= (1 - NEARLY_ALL) * len(each) + 1e-9


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
        edited = "text" in [row["part"] for row in rows if row["status"] == CHANGED]
        why = ", because the file was edited after it was written" if edited else " from these answers"
        said.append(f"Not known{why}: {', '.join(by[UNKNOWN])}.")
    return " ".join(said)
