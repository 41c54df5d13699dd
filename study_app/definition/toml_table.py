"""A table of a TOML file, read key by key: every error names the file and the key."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from glimpse.command_line import did_you_mean
from study_app.database import SurveyError
from study_app.definition.study import Text
from study_app.texts import is_language


class TomlTable:
    """A TOML table that is read key by key; every error names the file and the key."""

    def __init__(self, value: Any, where: str, path: str = "") -> None:
        self.where, self.path = where, path
        if not isinstance(value, dict):
            raise SurveyError(f"{where}: `{path.rstrip('.')}` must be a table.")
        self.value = dict(value)

    def wrong(self, key: str, must: str) -> SurveyError:
        return SurveyError(f"{self.where}: `{self.path}{key}` must be {must}, not {self.value.get(key)!r}.")

    def get(self, key: str, default: Any, must: str, good: Callable[[Any], Any]) -> Any:
        if key not in self.value:
            return default
        if not good(self.value[key]):
            raise self.wrong(key, must)
        return self.value[key]

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        return int(
            self.get(key, default, f"a whole number from {low} to {high}", lambda v: is_whole(v) and low <= v <= high)
        )

    def maybe(self, key: str, low: int, high: int) -> int | None:
        """A whole number; None if the key is missing."""
        return self.whole(key, low, low, high) if key in self.value else self.get(key, None, "", bool)

    def flag(self, key: str, default: bool) -> bool:
        return bool(self.get(key, default, "true or false", lambda v: isinstance(v, bool)))

    def line(self, key: str, default: str) -> str:
        return str(self.get(key, default, "a text", lambda v: isinstance(v, str)))

    def text(self, key: str, default: Text) -> Text:
        must = 'a text, or texts by language such as {en = "...", de = "..."}'
        value: Text = self.get(key, default, must, is_text)
        return value

    def tables(self, key: str) -> list[TomlTable]:
        values = self.get(key, [], "a list of tables", lambda v: isinstance(v, list))
        return [TomlTable(value, self.where, f"{self.path}{key}[{i}].") for i, value in enumerate(values, 1)]

    def table(self, key: str) -> TomlTable:
        return TomlTable(self.get(key, {}, "a table", lambda v: isinstance(v, dict)), self.where, f"{self.path}{key}.")


def refuse_unknown(value: Any, where: str) -> None:
    """Raise SurveyError for a key that no study file has. This comes first, since other errors may follow from it."""
    _refuse_unknown(value, _schema(), where, "")


def _refuse_unknown(value: Any, schema: dict[str, Any], where: str, path: str) -> None:
    known = schema.get("properties", {})
    for key, inner in value.items() if isinstance(value, dict) and known else ():
        if key not in known:
            raise SurveyError(f"{where}: unknown key `{path}{key}`; {did_you_mean(key, list(known))}")
        for i, entry in enumerate(inner if isinstance(inner, list) else [], 1):
            _refuse_unknown(entry, known[key].get("items", {}), where, f"{path}{key}[{i}].")
        if key != "texts":  # its keys are sentences
            _refuse_unknown(inner, known[key], where, f"{path}{key}.")


@cache
def _schema() -> dict[str, Any]:
    schema: dict[str, Any] = json.loads((Path(__file__).parents[1] / "study.schema.json").read_text("utf-8"))
    return schema


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def is_text(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(is_language(k) and isinstance(v, str) and is_text(v) for k, v in value.items())
    return isinstance(value, str) and "\0" not in value and any(c.isprintable() and not c.isspace() for c in value)
