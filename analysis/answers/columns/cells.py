"""Read the cells of a column: text, counts, yes or no, and flags."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.answers.judgements import RIGHT, WRONG, by_value, plain
from analysis.answers.numbers import MISSING


def text(raw: pd.DataFrame, column: str, default: str | None) -> Any:
    """The column, stripped; `default` where it is missing or empty. 'NA' and 'None' are kept as names."""
    if column not in raw:
        return pd.Series(default, index=raw.index, dtype=object)
    return by_value(raw[column], lambda v: str(v).strip() or None).fillna(np.nan if default is None else default)


def count(raw: pd.DataFrame, column: str) -> Any:
    return pd.to_numeric(raw[column].astype(object), errors="coerce")


def yes(raw: pd.DataFrame, column: str) -> Any:
    if column not in raw:
        return pd.Series(False, index=raw.index)
    return by_value(raw[column], lambda v: plain(v) in RIGHT).fillna(False).astype(bool)


def flag_words(value: Any) -> str:
    """Flags as sorted words separated by spaces, from "a b", "a,b" or a JSON list; "" for none, 0, no and the like."""
    if plain(value) in {*MISSING, *WRONG}:
        return ""
    return " ".join(sorted(str(value).replace(",", " ").translate(str.maketrans("", "", "[]{}\"'")).split()))
