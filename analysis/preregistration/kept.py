"""The parts of a preregistration that a report keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.people.dependence import EXPOSURE_OFF_MS
from analysis.preregistration.text import span
from glimpse.command_line import counted

UNCHANGED, CHANGED, UNKNOWN = "unchanged", "changed", "not known"
NEARLY_ALL = 0.95  # of those who finished, who judge the registered number of images if it is unchanged


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
        limit = "no time limit" if study["mode"] == "unlimited" else f"{span(*study['exposure_ms'])} ms"
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
    words = ", ".join(f"{span(*ends)} ms {how}" for how, ends in found.items()) or "not recorded"
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
    found = _both([span(min(of), max(of)) for of in zip(*each, strict=True)])
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
