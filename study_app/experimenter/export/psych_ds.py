"""The files of a Psych-DS data set beside its tables: descriptions of every column, a README and a dictionary.

Psych-DS (psych-ds.github.io): `dataset_description.json` holds a schema.org description whose `variableMeasured`
describes every column; a file with the name of a table and the ending `.json` describes the columns of that table. Only
properties of schema.org are used, so that programs can read them: a column's type is `additionalType`, its origin
`measurementTechnique`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from glimpse.command_line import version
from study_app.experimenter.export.dictionary import Column

if TYPE_CHECKING:
    from study_app.models import Study

DESCRIPTION = "dataset_description.json"
TYPES = {"string": "Text", "integer": "Integer", "number": "Number", "boolean": "Boolean", "datetime": "DateTime",
         "json": "Text"}  # fmt: skip
ABOUT = "Participants saw real and generated images for a moment each and said which were real."


def descriptions(
    study: Study, title: str, tables: Mapping[str, Sequence[Column]], sources: Sequence[Any], contact: str = ""
) -> dict[str, bytes]:
    """The descriptions of the tables, whose columns are given by their paths; `sources`: what the study is based on.

    The study's `contact` is named as the creator.
    """
    columns = {column.name: column for given in tables.values() for column in given}
    software = {"@type": "SoftwareApplication", "name": "Glimpse", "softwareVersion": version()}
    files: dict[str, Any] = {
        DESCRIPTION: {
            "@context": "https://schema.org/", "@type": "Dataset", "name": title, "identifier": study.slug,
            "description": f"{ABOUT} One row per scored trial in description-responses, one row per participant in "
            "description-participants.",
            **({"creator": [{"@type": "Person", "name": contact}]} if contact else {}),
            "schemaVersion": "Psych-DS 1.0.0", "isBasedOn": [*sources, software],
            "variableMeasured": [_variable(column) for column in columns.values()],
        },
        "data/file_metadata.json": {"description": "The tables; a file of the same name describes a table's columns."},
    }  # fmt: skip
    for path, given in tables.items():
        name = f"{path.removesuffix('.csv')}.json"
        files[name] = {"variableMeasured": [_variable(column) for column in given]}
    versions = "".join(f"- {one.sha256}\n" for one in study.versions)
    texts = {
        "README.md": f"# {title}\n\n{ABOUT}\n\n- `data/`: the answers; `documentation/columns.md` describes them\n"
        "- `materials/`: the study files, the consent texts and, on request, the images\n- `analysis/`, `results/`: "
        f"how to compute the results\n\nExported by Glimpse {version()}. Before you publish it, "
        f"{'check' if contact else 'add'} `creator` and add `license` in `{DESCRIPTION}`.\n",
        "CHANGES.md": "# Changes\n\nVersions of the study file, the first one first; `study_sha256` in the table of "
        f"participants refers to them.\n\n{versions}",
        "documentation/columns.md": _dictionary(tables),
        "analysis/README.md": f"# Analysis\n\n    glimpse-report --responses {next(iter(tables))} --out ../report\n",
        "results/README.md": "# Results\n\nThe command in `analysis/README.md` computes them from `data/`. Another "
        "export replaces this whole folder, so keep them elsewhere.\n",
    }  # fmt: skip
    as_json = {name: json.dumps(content, indent=1, ensure_ascii=False) + "\n" for name, content in files.items()}
    return {name: content.encode() for name, content in {**as_json, **texts}.items()}


def _variable(column: Column) -> dict[str, str]:
    return {
        "@type": "PropertyValue", "name": column.name, "description": column.description,
        "additionalType": f"https://schema.org/{TYPES[column.kind]}",
        "measurementTechnique": f"origin: {column.origin}", "unitText": column.unit,
    }  # fmt: skip


def _dictionary(tables: Mapping[str, Sequence[Column]]) -> str:
    """The columns of every table as text."""
    said = ["# Columns", "Empty cells are missing values; booleans are 1 or 0."]
    for path, columns in tables.items():
        rows = [(f"| {column.name} ", f"| {column.kind} ", f"| {column.unit or '-'} ", f"| {column.origin} ",
                 f"| {column.description} |") for column in columns]  # fmt: skip
        head = [("| column ", "| type ", "| unit ", "| origin ", "| meaning |"), ("| --- ",) * 4 + ("| --- |",)]
        said += [f"## {path}", "\n".join("".join(row) for row in [*head, *rows])]
    return "\n\n".join(said) + "\n"
