"""Records in JSON as a table of text, as jsPsych and JATOS save them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

BETWEEN = re.compile(r"[\s,\[\]]*")


def read_records(path: Path, encoding: str) -> pd.DataFrame:
    """One row per object of a list, of several lists, or of JSON lines; the index labels are the lines they start in.

    A single object with one list of objects, such as {"participant": ..., "trials": [...]}, gives that list, and each
    row the object's other values. Raises ValueError if the file holds anything else, or is cut off within a list.
    """
    return _records(path.read_text(encoding=encoding))


def _records(text: str) -> pd.DataFrame:
    decoder = json.JSONDecoder()
    rows, lines, at, line, lists = [], [], 0, 1, 0
    while True:
        between = BETWEEN.match(text, at)[0]  # type: ignore[index]  # it matches anywhere
        start = at + len(between)
        lists += between.count("[") - between.count("]")  # open ones
        line += between.count("\n")
        if start == len(text):
            break
        record, at = decoder.raw_decode(text, start)
        if not isinstance(record, dict):
            raise ValueError("a value that is not an object")
        rows.append({str(name): _text(value) for name, value in record.items()})
        lines.append(line)
        line += text.count("\n", start, at)
    if lists:
        raise ValueError(f"its list has no {'end' if lists > 0 else 'beginning'}, so records may be lost")
    if len(rows) == 1 and any(isinstance(value, dict | list) and len(value) > 1 for value in record.values()):
        held = [
            name for name, value in record.items() if isinstance(value, list) and value and isinstance(value[0], dict)
        ]
        if len(held) != 1:
            raise ValueError("a single object that holds others")
        found = re.search(rf"{re.escape(json.dumps(held[0], ensure_ascii=False))}\s*:\s*\[", text)
        if found is None:  # the name is written with escapes
            raise ValueError("a single object that holds others")
        begin = found.end() - 1
        before, list_ = re.sub(r"[^\n]", " ", text[:begin]), text[begin : decoder.raw_decode(text, begin)[1]]
        inner = _records(before + list_)  # the lines stay those of the file
        return inner.assign(**{name: value for name, value in rows[0].items() if name not in (*inner, held[0])})
    return pd.DataFrame(rows, index=pd.Index(lines, dtype=np.int64), dtype=object)


def _text(value: Any) -> Any:
    """A value as a table would hold it; missing for null and for an empty text."""
    if value is None or value == "":
        return np.nan
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
