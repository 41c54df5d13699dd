"""The example docs/study.toml and the JSON Schema for editors: every key of the study file, and no other."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import study_app
from study_app.database import SurveyError
from study_app.definition.study import Completion, Prolific, Question, SetEntry, StudyFile, TrialPlan
from study_app.definition.study_toml import parse_study
from study_app.texts import built_in_texts

EXAMPLE = tomllib.loads((Path(study_app.__file__).parents[1] / "docs" / "study.toml").read_text())
SCHEMA = json.loads((Path(study_app.__file__).parent / "study.schema.json").read_text())
KEYS = SCHEMA["properties"]


@pytest.mark.parametrize(
    ("table", "example", "schema"),
    [
        (StudyFile, EXAMPLE, KEYS),
        (TrialPlan, EXAMPLE["trials"], KEYS["trials"]["properties"]),
        (SetEntry, EXAMPLE["sets"][0], KEYS["sets"]["items"]["properties"]),
        (Question, EXAMPLE["questions"][0] | EXAMPLE["questions"][1], KEYS["questions"]["items"]["properties"]),
        (Completion, EXAMPLE["completion"], KEYS["completion"]["properties"]),
        (Prolific, EXAMPLE["prolific"], KEYS["prolific"]["properties"]),
    ],
)
def test_example_and_schema_hold_every_key(table: Any, example: dict[str, Any], schema: dict[str, Any]) -> None:
    names = {field.name for field in fields(table)} - {"sha256", "catalogs"}
    assert set(example) == names
    assert set(schema) == names


MISSPELT = [
    (line, key, typo)
    for line, text in enumerate((Path(study_app.__file__).parents[1] / "docs" / "study.toml").read_text().splitlines())
    for key in re.findall(r"^(?:\[+)?([a-z_]+)(?: =|\])", text)
    for typo in (key[:-1], key[:-2] + key[-1] + key[-2], f"{key}s", key.capitalize())
]


@pytest.mark.parametrize(("line", "key", "typo"), MISSPELT)
def test_a_misspelt_key_is_named_with_the_right_one(line: int, key: str, typo: str) -> None:
    lines = (Path(study_app.__file__).parents[1] / "docs" / "study.toml").read_text().splitlines()
    lines[line] = lines[line].replace(key, typo, 1)
    with pytest.raises(SurveyError, match=f"unknown key `[^`]*{typo}`; did you mean '{key}'") as error:
        parse_study(tomllib.loads("\n".join(lines)), "docs/study.toml")
    assert str(error.value).startswith("docs/study.toml: ")


def test_the_schema_knows_the_defaults_and_every_built_in_text() -> None:
    assert set(KEYS["texts"]["properties"]) == set(built_in_texts())
    default = json.loads(json.dumps(StudyFile(slug="a", sets=()).as_dict()))
    for table, values in ((KEYS, default), (KEYS["trials"]["properties"], default["trials"])):
        for key, described in table.items():
            assert described.get("default", values[key]) == values[key], key


def test_the_example_is_a_study_and_fits_the_schema() -> None:
    study = parse_study(EXAMPLE, "docs/study.toml")
    assert study.devices == ("desktop",)
    assert fits(EXAMPLE, SCHEMA)


@pytest.mark.parametrize(
    "changed",
    [{"mask": 1}, {"languages": ["Italian"]}, {"trails": 3}, {"practice": 11}, {"facts": "3"}, {"slug": "UP"}],
)
def test_the_schema_refuses_what_is_refused(changed: dict[str, Any]) -> None:
    assert not fits({**EXAMPLE, **changed}, SCHEMA)


TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": float}


def fits(value: Any, schema: dict[str, Any]) -> bool:
    """Whether the value is valid, by the keywords of JSON Schema that this one uses."""
    if "$ref" in schema:
        schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        return any(fits(value, one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return value in schema.get("enum", [schema.get("const")])
    if not isinstance(value, TYPES[schema["type"]]) or (schema["type"] == "integer" and isinstance(value, bool)):
        return False
    if isinstance(value, dict):
        known = {f"^{re.escape(key)}$": one for key, one in schema.get("properties", {}).items()}
        known |= schema.get("patternProperties", {})
        needed = set(schema.get("required", ())) <= set(value)
        return needed and all(
            any(re.search(k, key) and fits(one, known[k]) for k in known) for key, one in value.items()
        )
    if isinstance(value, list):
        return len(value) >= schema.get("minItems", 0) and all(fits(one, schema["items"]) for one in value)
    if isinstance(value, str):
        return len(value) >= schema.get("minLength", 0) and re.search(schema.get("pattern", ""), value) is not None
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
