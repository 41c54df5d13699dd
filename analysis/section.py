"""What a part of the report is, and what every part is given. A part computes; `figures` draws; `report` writes.

A part module (overfitting, memorisation, ...) offers `compute(context) -> Part | None`; None means that the workspace
holds nothing for it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from glimpse.files import GlimpseError, atomic_file, sha256_json
from glimpse.workspace import Workspace


class AnalysisError(GlimpseError):
    """The data cannot be analysed as they are: a sentence that names what and the remedy."""


@dataclass(frozen=True)
class Part:
    """One section of the report."""

    name: str  # its key in scores.json and its anchor in the page
    title: str
    scores: dict[str, Any]  # JSON values; a number that cannot be had is None with its reason in a sibling `note`
    sentences: list[str] = field(default_factory=list)  # what was found, for the top of the section
    methods: list[str] = field(default_factory=list)  # how, in words generated from what was really done
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: Mapping[str, Callable[[], Figure]] = field(
        default_factory=dict
    )  # drawn by `analysis.figures`, by file name
    captions: dict[str, str] = field(default_factory=dict)  # of tables and figures, by the same names


@dataclass(frozen=True)
class Context:
    """What every part is given: the workspace and how to look at it."""

    workspace: Workspace
    seed: int = 0
    responses: pd.DataFrame | None = None  # one row a scored trial, see analysis.answers.read; None without any
    extractor: str = "auto"  # inception where its weights are at hand, else random
    weights: Path | None = None
    device: str = "auto"
    progress: bool = True
    positive: Literal["generated", "real"] = "generated"  # the class that F1 is of
    bound: float = 0.05  # 'cannot tell' means an accuracy within 0.5 plus or minus this
    unanswered: Mapping[str, int] = field(default_factory=dict)  # trials without an answer, by set
    cache: Path | None = None  # where computed parts are kept (default: report/cache of the workspace)

    def cached(
        self, name: str, inputs: Mapping[str, Any], compute: Callable[[], dict[str, Any]], version: int = 1
    ) -> dict[str, Any]:
        """`compute()`, or what it returned for the same inputs before.

        `inputs`: JSON values that determine the result (hashes of images, options, the seed); `version` is raised when
        the computation changes. The result: a dict of JSON values, arrays and DataFrames, kept in
        NAME-HASH.npz of the cache folder without pickles. A file that cannot be read is computed again.
        """
        key = sha256_json({"name": name, "version": version, "inputs": dict(inputs)})[:24]
        path = (self.cache or self.workspace.report / "cache") / f"{name}-{key}.npz"
        if path.is_file():
            try:
                return _unpack(path)
            except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile):
                path.unlink()
        with atomic_file(path) as temporary, open(temporary, "wb") as file:
            _pack(file, compute())
        return _unpack(path)  # the very numbers that the next run will read


def _pack(file: io.BufferedWriter, result: Mapping[str, Any]) -> None:
    arrays: dict[str, Any] = {}
    values: dict[str, Any] = {}
    for key, value in result.items():
        if isinstance(value, np.ndarray):
            arrays[f"array:{key}"] = value
        elif isinstance(value, pd.DataFrame):
            arrays[f"frame:{key}"] = np.frombuffer(
                value.to_json(orient="table", double_precision=15).encode(), np.uint8
            )
        else:
            values[key] = value
    arrays["values"] = np.frombuffer(json.dumps(values, allow_nan=True).encode(), np.uint8)
    np.savez(file, allow_pickle=False, **arrays)


def _unpack(path: Path) -> dict[str, Any]:
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
        result: dict[str, Any] = json.loads(stored["values"].tobytes())
        for key in stored.files:
            kind, _, name = key.partition(":")
            if kind == "array":
                result[name] = stored[key]
            elif kind == "frame":
                result[name] = pd.read_json(
                    io.StringIO(stored[key].tobytes().decode()), orient="table", precise_float=True
                )
    return result
