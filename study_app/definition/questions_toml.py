"""Reading the questions of a study file; every error names the file and the key."""

from __future__ import annotations

from functools import partial
from typing import Any

from glimpse.workspace import NAME
from study_app.database import SurveyError
from study_app.definition.study import WHEN, Question, Text
from study_app.definition.toml_table import TomlTable, is_text, is_whole


def is_slug(value: Any) -> bool:
    """Whether this is a name in lower-case letters, digits, '-' and '_'."""
    return isinstance(value, str) and NAME.fullmatch(value) is not None


def read_questions(table: TomlTable) -> tuple[Question, ...]:
    """The [[questions]] of a study file. Raises SurveyError naming the key that is wrong."""
    questions: list[Question] = []
    for entry in table.tables("questions"):
        question = _question(entry)
        if question.key in [other.key for other in questions]:
            raise SurveyError(f"{table.where}: `{entry.path}key` is '{question.key}', which is already used.")
        questions.append(question)
    return tuple(questions)


def _question(entry: TomlTable) -> Question:
    key = entry.get("key", None, "a short name in lower-case letters, digits, '-' and '_'", is_slug)
    text = entry.text("text", "")
    if key is None or not text:
        raise SurveyError(f"{entry.where}: `{entry.path}{'text' if key else 'key'}` is missing.")
    options = entry.get(
        "options", [], "a list of at least two texts, all different",
        lambda v: isinstance(v, list) and len(v) > 1 and all(map(is_text, v)) and len(set(map(str, v))) == len(v),
    )  # fmt: skip
    ends = entry.get(
        "ends", [], "two texts", lambda v: isinstance(v, list) and len(v) == 2 and all(map(is_text, v))
    )  # fmt: skip
    question = Question(
        key, text, tuple(options),
        screen_out=tuple(
            options.index(option)
            for option in entry.get("screen_out", [], "a list of some of the `options`", partial(_are_among, options))
        ),
        quotas=tuple(
            entry.get("quotas", [], "a list of whole numbers, one for each of the `options`", partial(_fit, options))
        ),
        required=entry.flag("required", False),
        scale=entry.maybe("scale", 2, 11),
        ends=tuple(ends),
        when=entry.get("when", WHEN[0], f"one of {', '.join(WHEN)}", lambda v: v in WHEN),
    )  # fmt: skip
    for name, idle, why in (
        ("scale", question.scale and options, "beside `options`"),
        ("ends", ends and not question.scale, "without `scale`"),
        ("screen_out", question.screen_out and question.after, 'with `when = "after"`'),
        ("quotas", question.quotas and question.after, 'with `when = "after"`'),
    ):
        if idle:
            raise SurveyError(f"{entry.where}: `{entry.path}{name}` has no effect {why}: remove one of the two.")
    return question


def _fit(options: list[Text], value: Any) -> bool:
    return isinstance(value, list) and len(value) == len(options) and all(is_whole(n) and n >= 0 for n in value)


def _are_among(options: list[Text], value: Any) -> bool:
    return isinstance(value, list) and all(option in options for option in value)
