"""Records and columns in JSON as a table of text, as jsPsych, JATOS and pandas save them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

JUDGED = {"image", "stimulus", "truth", "answer", "response"}
BETWEEN = re.compile(r"[\s,\[\]]*")


def read_records(path: Path, encoding: str) -> pd.DataFrame:
    """One row per object of a list, of several lists, or of JSON lines; the index labels are the lines they start in.

    A single object with one list of objects, such as {"participant": ..., "trials": [...]}, gives that list, and each
    row the object's other values; so do several whose lists hold the judgements. An object of columns, in any form that
    pandas writes, gives its rows, which have the line that it starts in. Raises ValueError if the file holds anything
    else, or is cut off within a list.
    """
    return _records(path.read_text(encoding=encoding))


def _records(text: str) -> pd.DataFrame:
    decoder = json.JSONDecoder()
    records, rows, lines, at, line, lists = [], [], [], 0, 1, 0
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
        record.pop("schema", None) if {*record} == {"schema", "data"} else None  # of pandas' `table`
        records.append(record)
        rows.append({str(name): _text(value) for name, value in record.items()})
        lines.append(line)
        line += text.count("\n", start, at)
    if lists:
        raise ValueError(f"its list has no {'end' if lists > 0 else 'beginning'}, so records may be lost")
    if len(rows) == 1 and (inside := _by_columns(record)):
        return _table([{str(name): _text(value) for name, value in row.items()} for row in inside], lines * len(inside))
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
    nested = {str(name) for record in records for name, value in record.items() if _judgements(value)}
    if len(nested) == 1 and not JUDGED & {name for row in rows for name in row}:
        return _unnested(records, lines, nested.pop())
    return _table(rows, lines)


def _judgements(value: Any) -> bool:
    """Whether a value is a list of objects, some of which say what was judged, and how."""
    listed = isinstance(value, list) and all(isinstance(one, dict) for one in value)
    return listed and any(len(JUDGED & {*one}) > 1 for one in value)


def _unnested(records: list[dict[str, Any]], lines: list[int], name: str) -> pd.DataFrame:
    """A row for each object in the lists `name`, with the other values of the object around it, and its line."""
    rows, places = [], []
    for record, line in zip(records, lines, strict=True):
        for one in record.pop(name, None) or []:
            rows.append({str(key): _text(value) for key, value in {**record, **one}.items()})
            places.append(line)
    return _table(rows, places)


def _table(rows: list[dict[str, Any]], lines: list[int]) -> pd.DataFrame:
    return pd.DataFrame(rows, index=pd.Index(lines, dtype=np.int64), dtype=object)


def _by_columns(record: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of an object of columns or of rows by their names; [] if it is none.

    >>> split = {"columns": ["a", "b"], "index": [0, 1], "data": [[1, 2], [3, 4]]}
    >>> of_lists, of_objects = {"a": [1, 3], "b": [2, 4]}, {"a": {"0": 1, "1": 3}, "b": {"0": 2, "1": 4}}
    >>> by_row = {"0": {"a": 1, "b": 2}, "1": {"a": 3, "b": 4}}
    >>> [_by_columns(one) == [*by_row.values()] for one in (split, of_lists, of_objects, by_row)]
    [True, True, True, True]
    """
    names, data = record.get("columns"), record.get("data")
    if isinstance(names, list) and isinstance(data, list):
        return [dict(zip(map(str, names), row, strict=True)) for row in data]
    columns = [*record.values()]
    if len(columns) > 1 and all(isinstance(one, list) and one and not isinstance(one[0], dict) for one in columns):
        if len({*map(len, columns)}) > 1:
            raise ValueError("an object of columns of different lengths")
        return [dict(zip(record, row, strict=True)) for row in zip(*columns, strict=True)]
    if not columns or not all(isinstance(one, dict) and one for one in columns):
        return []
    if all(name.isdecimal() for name in record):
        return columns
    numbers = dict.fromkeys(number for column in columns for number in column)
    if len(columns) < 2 or not all(number.isdecimal() for number in numbers):
        return []
    return [{name: column.get(number) for name, column in record.items()} for number in numbers]


def _text(value: Any) -> Any:
    """A value as a table would hold it; missing for null and for an empty text."""
    if value is None or value == "":
        return np.nan
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
