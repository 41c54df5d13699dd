"""Reading a study file: `study.toml` to a checked `StudyFile`; every error names the file and the key."""

from __future__ import annotations

import re
import tomllib
from dataclasses import fields, replace
from difflib import get_close_matches
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from glimpse import how_to_install
from study_app.database import SurveyError
from study_app.definition import staircase
from study_app.definition.crowd import PLATFORMS
from study_app.definition.questions_toml import is_slug, read_questions
from study_app.definition.study import (
    DESIGNS,
    DEVICES,
    LANGUAGES,
    LARGEST_QUOTA,
    PAIRS,
    QUESTIONS,
    REASONS,
    SIDES,
    TASKS,
    Completion,
    Prolific,
    SetEntry,
    StudyFile,
    Text,
    TrialPlan,
)
from study_app.definition.toml_table import TomlTable, is_text, is_whole, refuse_unknown
from study_app.models import MODES
from study_app.texts import FILLED, built_in_texts, is_language, is_removable, read_language


def read_study(path: Path) -> StudyFile:
    """The study in a TOML file. Raises SurveyError naming the file and the key that is wrong."""
    try:
        return parse_study(tomllib.loads(path.read_text("utf-8-sig")), str(path))
    except FileNotFoundError:
        raise SurveyError(f"There is no study file {path}: check the path.") from None
    except (ValueError, RecursionError) as error:  # not UTF-8 or TOML; numbers or nesting out of range
        raise SurveyError(f"{path} is not readable as TOML ({error}).") from None


def parse_study(value: dict[str, Any], where: str = "study.toml") -> StudyFile:
    refuse_unknown(value, where)
    table = TomlTable(value, where)
    default = StudyFile(slug="", sets=())
    if value.get("mode") == "staircase":
        default = replace(default, exposure_ms=(int(staircase.SHORTEST_MS), int(staircase.LONGEST_MS)))
    sets = _sets(table)
    slug = table.get("slug", None, "lower-case letters, digits, '-' and '_' (at most 64)", is_slug)
    if slug is None:
        raise SurveyError(f"{where}: `slug` is missing: the study's name in its address, such as 'lesions-2026'.")
    languages = table.get(
        "languages", list(LANGUAGES), 'a list of codes such as ["en", "de", "it"], the preferred language first',
        lambda v: isinstance(v, list) and v and all(map(_is_language, v)) and len(set(v)) == len(v),
    )  # fmt: skip
    exposure = table.get(
        "exposure_ms", list(default.exposure_ms), "two whole numbers [shortest, longest] from 10 to 60000",
        lambda v: isinstance(v, list) and len(v) == 2 and all(map(is_whole, v)) and 10 <= v[0] <= v[1] <= 60_000,
    )  # fmt: skip
    devices = table.get(
        "devices", list(DEVICES), f"a list of some of {', '.join(DEVICES)}",
        lambda v: isinstance(v, list) and v and all(entry in DEVICES for entry in v) and len(set(v)) == len(v),
    )  # fmt: skip
    window = table.get(
        "min_window", None, "two whole numbers [width, height] from 100 to 10000, in pixels",
        lambda v: isinstance(v, list) and len(v) == 2 and all(is_whole(n) and 100 <= n <= 10_000 for n in v),
    )  # fmt: skip
    mode = table.get("mode", default.mode, f"one of {', '.join(MODES)}", lambda v: v in MODES)
    study = StudyFile(
        slug=slug,
        sets=sets,
        title=table.text("title", default.title),
        about=table.text("about", ""),
        facts=_facts(table),
        consent=table.text("consent", ""),
        contact=table.line("contact", ""),
        debrief=table.text("debrief", ""),
        texts=_texts(table.table("texts")),
        languages=tuple(languages),
        catalogs=_catalogs(table.where, languages),
        design=table.get("design", default.design, f"one of {', '.join(DESIGNS)}", lambda v: v in DESIGNS),
        task=table.get("task", default.task, f"one of {', '.join(TASKS)}", lambda v: v in TASKS),
        pair=table.get("pair", default.pair, f"one of {', '.join(PAIRS)}", lambda v: v in PAIRS),
        confidence=table.flag("confidence", False),
        why=table.get("why", default.why, f"one of {', '.join(REASONS)}", lambda v: v in REASONS),
        sides=table.get("sides", default.sides, f"one of {', '.join(SIDES)}", lambda v: v in SIDES),
        answer_ms=table.maybe("answer_ms", 200, 60_000),
        mode=mode,
        exposure_ms=(exposure[0], exposure[1]),
        fixation_ms=table.whole("fixation_ms", default.fixation_ms, 100, 5000),
        mask=table.flag("mask", mode == "staircase"),
        mask_ms=table.whole("mask_ms", default.mask_ms, 20, 5000),
        practice=table.whole("practice", default.practice, 0, 10),
        feedback=table.flag("feedback", False),
        comment=table.flag("comment", True),
        devices=tuple(devices),
        min_window=(window[0], window[1]) if window else None,
        min_frame_rate=table.whole("min_frame_rate", 0, 0, 500),
        calibration=table.flag("calibration", False),
        viewing_distance_cm=table.get(
            "viewing_distance_cm", None, "a whole number of cm from 10 to 500", lambda v: is_whole(v) and 10 <= v <= 500
        ),
        fullscreen=table.flag("fullscreen", False),
        invited_only=table.flag("invited_only", False),
        retention_days=table.whole("retention_days", default.retention_days, 1, 3650),
        trials=_trials(table.table("trials"), mode),
        questions=read_questions(table) if "questions" in value else QUESTIONS,
        completion=_completion(table.table("completion")),
        prolific=_prolific(table.table("prolific")),
    )
    _refuse_idle(table, study)
    return study


def _refuse_idle(table: TomlTable, study: StudyFile) -> None:
    """Raise SurveyError for a key that has no effect in this study: its author expects one."""
    trials, free = study.trials, study.mode == "unlimited"
    for key, idle, why in (
        ("exposure_ms", free and "exposure_ms" in table.value, 'with `mode = "unlimited"`'),
        ("mask", free and study.mask, 'with `mode = "unlimited"`'),
        ("confidence", study.confidence and study.task == "rating", 'with `task = "rating"`'),
        ("pair", study.pair != PAIRS[0] and not study.pairs, 'without `task = "pair"`'),
        ("pair", study.in_sequence and free, 'with `mode = "unlimited"`'),
        ("feedback", study.feedback and not study.practice, "without `practice`"),
        ("sides", study.sides != SIDES[0] and study.pairs, 'with `task = "pair"`, where each pair has its own'),
        ("design", study.within and len(study.sets) == 1, "with a single set"),
        ("trials.spare", trials.spare and study.mode != "fixed", f'with `mode = "{study.mode}"`'),
        ("trials.catch_wrong", trials.catch_wrong > trials.catch, "above `trials.catch`, the number shown"),
        (
            "completion.failed_attention_code", study.completion.failed_attention_code and not trials.catch,
            "without attention trials (`trials.catch`)",
        ),
        (
            "completion.screened_out_code", study.completion.screened_out_code and not study.screens,
            "where no question has a `screen_out`",
        ),
        (
            "completion.unsuitable_device_code", study.completion.unsuitable_device_code and not study.needs_device,
            "without `devices`, `min_window` or `min_frame_rate`",
        ),
        (
            "completion.redirect_s", study.completion.redirect_s is not None and not study.completion.url,
            "without `completion.url`",
        ),
    ):  # fmt: skip
        if idle:
            raise SurveyError(f"{table.where}: `{key}` has no effect {why}: remove one of the two.")


def _is_language(value: Any) -> bool:
    return isinstance(value, str) and is_language(value)


def _catalogs(where: str, languages: list[str]) -> dict[str, str]:
    """The PO files, by language, of the languages that are not built in: `languages/CODE.po` beside the study file."""
    try:
        return {
            code: read_language(Path(where).parent / "languages" / f"{code}.po", code)
            for code in languages
            if code not in LANGUAGES
        }
    except ValueError as error:
        raise SurveyError(f"{where}: `languages`: {error}") from None


def _sets(table: TomlTable) -> tuple[SetEntry, ...]:
    entries: list[SetEntry] = []
    for entry in table.tables("sets"):
        name = entry.get("name", None, "the name of a stimulus set", is_slug)
        if name is None:
            raise SurveyError(f"{table.where}: `{entry.path}name` is missing: the name of a stimulus set.")
        if name in [other.name for other in entries]:
            raise SurveyError(f"{table.where}: `{entry.path}name` is '{name}', which is already used.")
        quota = entry.maybe("quota", 1, LARGEST_QUOTA)
        entries.append(SetEntry(name, entry.text("label", ""), quota))
    if not entries:
        raise SurveyError(f"{table.where}: `sets` is missing: give one [[sets]] with a `name` for each stimulus set.")
    return tuple(entries)


def _trials(table: TomlTable, mode: str) -> TrialPlan:
    default = TrialPlan(staircase.TRIALS, block=staircase.BLOCK) if mode == "staircase" else TrialPlan()
    count = table.whole("count", default.count, 2, 1000)
    share = table.get(
        "real_share", default.real_share, "a number above 0 and below 1 that leaves both classes at least one trial",
        lambda v: isinstance(v, float) and 0 < v < 1 and 1 <= round(v * count) <= count - 1,
    )  # fmt: skip
    implausible = table.maybe("implausible", 0, 1000)
    return TrialPlan(
        count, float(share), table.whole("catch", 0, 0, 20), table.whole("catch_wrong", 0, 0, 20), implausible,
        table.whole("spare", 0, 0, 20), table.whole("block", default.block, 0, 1000),
    )  # fmt: skip


def _facts(table: TomlTable) -> tuple[Text, ...] | None:
    must = 'a list of texts, such as ["20 images, about 3 minutes"]; [] for none'
    facts = table.get("facts", None, must, lambda v: isinstance(v, list) and all(map(is_text, v)))
    return None if facts is None else tuple(facts)


def _texts(table: TomlTable) -> dict[str, Text]:
    """Replacements of built-in sentences, by the English sentence; "" removes a sentence, but not a label."""
    texts: dict[str, Text] = {}
    known = built_in_texts()
    for sentence in table.value:
        if sentence not in known:
            raise SurveyError(
                f"{table.where}: `texts` names {sentence!r}, which is not a built-in text; the closest is "
                f"{get_close_matches(sentence, known, n=1, cutoff=0)[0]!r}."
            )
        must = "a text, or texts by language" + (', or "" to leave it out' if is_removable(sentence) else "")
        own: Text = table.get(sentence, "", must, partial(_replaces, sentence))
        texts[sentence] = own
        for text in own.values() if isinstance(own, dict) else (own,):
            for name in set(FILLED.findall(text)) - set(FILLED.findall(sentence)):
                raise SurveyError(f"{table.where}: `texts` cannot fill %({name})s into the text for {sentence!r}.")
    return texts


def _replaces(sentence: str, value: Any) -> bool:
    return is_text(value) or (value == "" and is_removable(sentence))


def _completion(table: TomlTable) -> Completion:
    codes = {entry.name: table.line(entry.name, "") for entry in fields(Completion) if "code" in entry.name}
    url = table.get("url", "", "an address that begins with https:// or http:// and a host", _is_address)
    if "{code}" in url and not codes["code"]:
        raise SurveyError(f"{table.where}: `completion.code` is missing: `completion.url` has a place for it.")
    placeholders = {"code", *(name for person, others in PLATFORMS.values() for name in (person, *others))}
    for name in re.findall(r"\{[^{}]*\}|[{}]", url):
        if name[1:-1] not in placeholders:
            known = ", ".join(f"{{{one}}}" for one in sorted(placeholders))
            raise SurveyError(
                f"{table.where}: `completion.url` holds the unknown placeholder {name}; known are {known}."
            )
    redirect_s = table.maybe("redirect_s", 0, 600)
    for key in codes.keys() - {"code"}:
        if codes[key] and url and "{code}" not in url:  # the platform would take these people for finished
            raise SurveyError(f"{table.where}: `completion.{key}` needs a place for it, {{code}}, in `completion.url`.")
    return Completion(url=url, redirect_s=redirect_s, **codes)


def _prolific(table: TomlTable) -> Prolific:
    if not table.value:
        return Prolific()
    default = Prolific()
    domain = table.get(
        "domain", "", "the domain of this survey, such as survey.example.org",
        lambda v: isinstance(v, str) and re.fullmatch(r"[A-Za-z0-9.-]+", v),
    )  # fmt: skip
    others = [table.line(key, getattr(default, key)) for key in ("workspace", "keys", "parameter")]
    prolific = Prolific(domain, *others)
    for key in ("domain", "workspace", "keys", "parameter"):
        if not getattr(prolific, key):
            raise SurveyError(f"{table.where}: `prolific.{key}` is missing: links from Prolific are verified with it.")
    if prolific.keys.startswith("http://"):
        raise SurveyError(f"{table.where}: `prolific.keys` must begin with https://, or name a file.")
    if find_spec("jwt") is None:
        raise SurveyError(f"{table.where}: `prolific` needs PyJWT: {how_to_install('prolific')}.")
    if prolific.keys.startswith("https://"):
        return prolific
    keys = (Path(table.where).parent / prolific.keys).resolve()
    if not keys.is_file():
        raise SurveyError(f"{table.where}: `prolific.keys`: there is no file {keys}; give one, or an https address.")
    return replace(prolific, keys=str(keys))


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"https?://[^/?#\s\"'<>{}]+([/?#][^\s\"'<>]*)?", value) is not None
