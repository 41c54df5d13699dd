"""Tables beside the photos: groups, persons and diagnoses as CSV, and lists of photos."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from glimpse.imageset import ImageSetError
from glimpse.prepare.matching import stem_in
from glimpse.prepare.sources import SourceFile, composed

TABLE_SUFFIXES = frozenset({".csv", ".tab", ".tsv"})


def columns_of(file: SourceFile) -> list[str]:
    """The header of a table, or its beginning; the other lines, gigabytes perhaps, are left unread."""
    header = next(iter(file.read(1 << 16).decode("utf-8-sig", "ignore").splitlines()), "")
    return [column.strip() for column in next(csv.reader([header], delimiter=_delimiter(header)), [])]


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def read_table(file: SourceFile) -> list[dict[str, str]]:
    """The rows of a CSV (or tab-separated) file with a header."""
    text = as_text(file.read(), file.name)
    try:
        rows = list(csv.DictReader(io.StringIO(text), delimiter=_delimiter(text.partition("\n")[0])))
    except csv.Error as error:
        raise ImageSetError(f"{file.name} cannot be read as a table ({error}): save it as CSV in UTF-8.") from None
    return [{(k or "").strip(): (v or "").strip() for k, v in row.items() if isinstance(v, str)} for row in rows]


def as_text(data: bytes, name: str) -> str:
    """UTF-8 with any system's line ends and accents. Raises ImageSetError."""
    try:
        return composed(io.StringIO(data.decode("utf-8-sig"), newline=None).read())
    except UnicodeDecodeError:
        raise ImageSetError(f"{name} is not UTF-8 text: save it in UTF-8.") from None


def column_by_photo(path: Path, column: str, stems: Iterable[str]) -> dict[str, str]:
    """The value of `column` for each photo; the column that names the photos is the one most of them are found in."""
    if not path.is_file():
        raise ImageSetError(f"{path} does not exist: give a CSV file with the photos' names and a column '{column}'.")
    table = SourceFile(path.name, path)
    rows = read_table(table)
    columns = list(rows[0]) if rows else []
    if column not in columns:
        raise ImageSetError(f"{table.name} has no column '{column}' (it has: {', '.join(columns) or 'no rows'}).")
    wanted = set(stems)
    keyed = [[stem_in(wanted, row.get(name, "")) for row in rows] for name in columns if name != column]
    best = max(keyed, key=lambda found: len(wanted & set(found)), default=[])
    if not wanted & set(best):
        raise ImageSetError(f"No column of {table.name} names the photos: one must hold their file names.")
    values: dict[str, str] = {}
    for stem, row in zip(best, rows, strict=True):
        value = row.get(column)
        if stem in wanted and value and values.setdefault(stem, value) != value:
            raise ImageSetError(f"{table.name} gives {stem} two of '{column}', {values[stem]} and {value}: keep one.")
    return values
