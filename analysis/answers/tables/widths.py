"""Rows with more values than a table has columns, as decimal commas and comments without quotes make them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

WHOLE = re.compile(r"\s*-?\d+\s*")


def shifted_row(text: str, separator: str) -> int | None:
    """The index of the first line whose values may have moved to other columns; None if there is none.

    The first line holds the column names. A row may be shifted if it has a number beyond the last name, or a value
    there and two whole numbers side by side, such as 1,234. If its value too many is empty, as under rows that end with
    a separator, it may be shifted if other rows are as wide as the first line.

    >>> shifted_row("image,rt,age,\\na,1,5,31\\n", ","), shifted_row("image,rt,\\na,1,late\\n", ",")
    (1, None)
    >>> shifted_row("image,rt,age\\na,1,5,\\nb,2,\\n", ","), shifted_row("image,rt,age\\na,2,31,\\nb,3,31,\\n", ",")
    (1, None)
    """
    names = _values(re.match(r"[^\r\n]*", text)[0], separator)  # type: ignore[index]
    wide = len(names)
    named = max((i for i, name in enumerate(names, 1) if name.strip()), default=0)
    if _most_separators(text, separator) < named:
        return None
    as_wide, first, first_empty = named < wide, None, None
    lines = io.StringIO(text, newline="")
    lines.readline()
    for i, line in enumerate(lines, 1):
        separators = line.count(separator)
        as_wide |= separators == wide - 1
        if separators < named:
            continue
        values = _values(line, separator)
        beyond = values[named : named + 1]
        if not beyond:
            continue
        pair = any(WHOLE.fullmatch(a) and WHOLE.fullmatch(b) for a, b in pairwise(values))
        if beyond[0].strip() and (pair or WHOLE.fullmatch(values[-1]) or WHOLE.fullmatch(beyond[0])):
            first = i
            break
        if len(values) > wide and pair and first_empty is None:
            first_empty = i
    return first if first is not None or not as_wide else first_empty


def _most_separators(text: str, separator: str) -> int:
    """The number of separators in the line that has most, counted in all lines at once.

    >>> _most_separators("a,b\\nc\\nd,e,f", ",")
    2
    """
    letters = np.frombuffer(text.encode(), np.uint8)
    starts = np.flatnonzero((letters == ord("\n")) | (letters == ord("\r"))) + 1
    marks = (letters == ord(separator)).view(np.uint8)
    return int(np.add.reduceat(marks, np.append(0, starts[starts < len(letters)]), dtype=np.int32).max(initial=0))


def longer_row(text: str, separator: str) -> tuple[int, int, int] | None:
    """The index of the first line with more values than names in the first line; and the numbers of values and names.

    A row that is longer only by an empty last value is taken if there is no other.
    """
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    names, at = len(next(rows, [])), rows.line_num
    by_an_end = None
    for values in rows:
        if len(values) - (values[-1:] == [""]) > names:
            return at, len(values), names
        if len(values) > names and by_an_end is None:
            by_an_end = at, len(values), names
        at = rows.line_num
    return by_an_end


def open_quote(text: str, separator: str) -> int:
    """The index of the line in which the last row begins: the one that a quotation mark never closed makes the last."""
    rows, at = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True), 0
    last = at
    for _ in rows:
        last, at = at, rows.line_num
    return last


def _values(line: str, separator: str) -> Sequence[str]:
    return next(csv.reader([line.rstrip("\r\n")], delimiter=separator, skipinitialspace=True), [])
