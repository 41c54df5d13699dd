"""Settings as fields of a dataclass, each with its meaning and allowed values: `--set NAME=VALUE`, and its help."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import field, fields
from typing import Any

from glimpse.command_line import did_you_mean
from glimpse.files import GlimpseError


def setting(
    default: Any, meaning: str, low: float | None = None, among: tuple[str, ...] = (), high: float | None = None
) -> Any:
    """A field with its meaning and its allowed values; `low` and `high` are included."""
    return field(default=default, metadata={"meaning": meaning, "low": low, "high": high, "among": among})


def parse_settings(words: Sequence[str], kind: type) -> dict[str, Any]:
    """Settings of the dataclass `kind`, from `name=value` words. Raises GlimpseError, suggesting the nearest name."""
    known = {f.name: f for f in fields(kind)}
    chosen: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not equals:
            raise GlimpseError(f"--set takes name=value, not '{word}': for example --set batch=32.")
        if name not in known:
            raise GlimpseError(f"Unknown setting '{name}': {did_you_mean(name, list(known))}")
        chosen[name] = _value(name, text, type(known[name].default), known[name].metadata)
    return chosen


def _value(name: str, text: str, kind: type, allowed: Mapping[str, Any]) -> Any:
    value: Any = None
    if kind is bool:
        value = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(text.lower())
    elif kind is str:
        value = text if text in allowed["among"] else None
    else:
        with suppress(ValueError):
            number = float(text)
            value = kind(number) if math.isfinite(number) and number == kind(number) else None
    low, high, reason = allowed["low"], allowed["high"], f"not {text}: {allowed['meaning']}."
    if value is None:
        nouns = {bool: "true or false", int: "a whole number", float: "a number", str: " or ".join(allowed["among"])}
        raise GlimpseError(f"--set {name} takes {nouns[kind]}, not '{text}': {allowed['meaning']}.")
    if low is not None and value < low:
        raise GlimpseError(f"--set {name} must be at least {low}, {reason}")
    if high is not None and value > high:
        raise GlimpseError(f"--set {name} must be at most {high}, {reason}")
    return value


def describe_settings(kind: type) -> str:
    """One line per setting of the dataclass `kind`, for `--help`."""
    return "\n".join(f"  {f.name:<16}{f.metadata['meaning']} (paper: {f.default})" for f in fields(kind))
