"""Records in JSON as a table of text, as jsPsych and JATOS save them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

BETWEEN = re.compile(r"[\s,\[\]]*")


def read_records(path: Path) -> pd.DataFrame:
    """One row per object of a list, of several lists, or of JSON lines; the index labels are the lines they start in.

    Raises ValueError if the file holds anything else.
    """
    text, decoder = path.read_text(encoding="utf-8-sig"), json.JSONDecoder()
    rows, lines, at, line = [], [], 0, 1
    while (start := BETWEEN.match(text, at).end()) < len(text):  # type: ignore[union-attr]  # it matches anywhere
        line += text.count("\n", at, start)
        record, at = decoder.raw_decode(text, start)
        if not isinstance(record, dict):
            raise ValueError("a value that is not an object")
        rows.append({str(name): _text(value) for name, value in record.items()})
        lines.append(line)
        line += text.count("\n", start, at)
    return pd.DataFrame(rows, index=pd.Index(lines, dtype=np.int64), dtype=object)


def _text(value: Any) -> Any:
    """A value as a table would hold it; missing for null and for an empty text."""
    if value is None or value == "":
        return np.nan
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
