"""Tables beside the photos: groups, persons and diagnoses as CSV, and lists of photos."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

from glimpse.imageset import ImageSetError
from glimpse.prepare.reading.matching import stem_in
from glimpse.prepare.reading.sources import SourceFile, composed

TABLE_SUFFIXES = frozenset({".csv", ".tab", ".tsv"})


def columns_of(file: SourceFile) -> list[str]:
    """The header of a table, or its beginning; the other lines, gigabytes perhaps, are left unread."""
    lines = _lines(_decoded(file.read(1 << 16), "replace") or "")
    header = next(iter(lines), "")
    return [column.strip() for column in next(csv.reader([header], delimiter=_delimiter(header)), [])]


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def read_table(file: SourceFile, columns: Sequence[str] | None = None) -> list[dict[str, str]]:
    """The rows of a CSV (or tab-separated) file with a header, or with these columns where it has none."""
    lines = _lines(as_text(file.read(), file.name))
    try:
        rows = list(csv.DictReader(lines, columns, delimiter=_delimiter(lines[0] if lines else "")))
    except csv.Error as error:
        raise ImageSetError(f"{file.name} cannot be read as a table ({error}): save it as CSV in UTF-8.") from None
    return [{(k or "").strip(): (v or "").strip() for k, v in row.items() if isinstance(v, str)} for row in rows]


def row_of_json(file: SourceFile) -> dict[str, str]:
    """The ISIC Archive's description of one image, flat: its name and clinical entries; empty for other JSON.

    Older downloads hold `{"name": ..., "meta": {"clinical": {...}}}`, the API `{"isic_id": ..., "metadata": ...}`.
    """
    try:
        found = json.loads(as_text(file.read(), file.name))
        name = found.get("isic_id") or found.get("name")
        clinical = (found.get("metadata") or found.get("meta") or {}).get("clinical") or {}
    except (ValueError, AttributeError, ImageSetError):
        return {}
    if not isinstance(name, str) or not isinstance(clinical, dict):
        return {}
    return {"isic_id": name, **{key: str(value) for key, value in clinical.items() if value not in (None, "")}}


def _lines(text: str) -> list[str]:
    """The lines with their ends from the header on: without the line `sep=;` that Excel puts first, and empty ones."""
    lines = io.StringIO(text, newline=None).readlines()
    above = takewhile(lambda line: not line.strip(" ,;\t\n") or line.lower().startswith("sep="), lines)
    return lines[len(list(above)) :]


def as_text(data: bytes, name: str) -> str:
    """Text with any system's line ends and accents, in UTF-8, UTF-16 or Windows-1252. Raises ImageSetError."""
    text = _decoded(data)
    if text is None:
        raise ImageSetError(f"{name} is not text in UTF-8, UTF-16 or Windows-1252: save it in UTF-8.")
    return composed(io.StringIO(text, newline=None).read())


def _decoded(data: bytes, errors: str = "strict") -> str | None:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", errors)
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            # The beginning of a file may end within a character.
            return codecs.getincrementaldecoder(encoding)().decode(data, errors == "strict")
        except UnicodeDecodeError:
            continue
    return None if errors == "strict" else data.decode("utf-8", errors)


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
