"""Tables beside the photos: groups, persons and diagnoses as CSV, and lists of photos."""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import Path, PurePosixPath

from glimpse.imageset import ImageSetError
from glimpse.prepare.reading.matching import stem_in
from glimpse.prepare.reading.sources import SourceFile, composed

TABLE_SUFFIXES = frozenset({".csv", ".tab", ".tsv"})
SPREADSHEETS = frozenset({".xlsx", ".xlsm", ".xls", ".ods", ".numbers"})
ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"  # first bytes of spreadsheets


def columns_of(file: SourceFile) -> list[str]:
    """The header of a table, or its beginning; the other lines, gigabytes perhaps, are left unread."""
    lines = _lines(_decoded(_content(file, 1 << 16), "replace") or "")
    header = next(iter(lines), "")
    return [column.strip() for column in next(csv.reader([header], delimiter=_delimiter(header)), [])]


def _content(file: SourceFile, most: int = -1) -> bytes:
    """The bytes of a table. Raises ImageSetError for a spreadsheet, whatever its ending."""
    data = file.read(most)
    if data.startswith((ZIP, OLE)):
        raise ImageSetError(f"{file.name} is a spreadsheet: save it as CSV in UTF-8, and name that file.")
    return data


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def read_table(file: SourceFile, columns: Sequence[str] | None = None) -> list[dict[str, str]]:
    """The rows of a CSV (or tab-separated) file with a header, or with these columns where it has none.

    Raises ImageSetError for two columns of one name with different values.
    """
    lines = _lines(as_text(_content(file), file.name))
    try:
        rows = [row for row in csv.reader(lines, delimiter=_delimiter(lines[0] if lines else "")) if row]
    except csv.Error as error:
        raise ImageSetError(f"{file.name} cannot be read as a table ({error}): save it as CSV in UTF-8.") from None
    header = [name.strip() for name in (columns or (rows.pop(0) if rows else []))]
    found = []
    for row in rows:
        named: dict[str, str] = {}
        for name, cell in zip(header, map(str.strip, row), strict=False):
            if named.setdefault(name, cell) != cell and name:
                raise ImageSetError(
                    f"{file.name} has two columns '{name}', which differ ('{named[name]}' and '{cell}' in one row): "
                    "remove or rename one."
                )
        found.append(named)
    return found


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


def column_by_photo(path: Path, column: str, photos: Iterable[str]) -> dict[str, str]:
    """The value of `column` for each photo, by its name or path without ending.

    The column that names the photos is the one most of them are found in. A row belongs to the photos of its name, of
    several to those whose folders agree with the row's; where several rows name a photo, to the one that agrees most.
    """
    if not path.is_file():
        raise ImageSetError(f"{path} does not exist: give a CSV file with the photos' names and a column '{column}'.")
    table = SourceFile(path.name, path)
    rows = read_table(table)
    columns = list(rows[0]) if rows else []
    if column not in columns:
        raise ImageSetError(f"{table.name} has no column '{column}' (it has: {', '.join(columns) or 'no rows'}).")
    by_name: dict[str, list[str]] = {}
    for photo in photos:
        by_name.setdefault(PurePosixPath(photo).name, []).append(photo)
    meant = [[_meant(row.get(name, ""), by_name) for row in rows] for name in columns if name != column]
    best = max(meant, key=lambda found: len({photo for some, _ in found for photo in some}), default=[])
    if not any(some for some, _ in best):
        raise ImageSetError(f"No column of {table.name} names the photos: one must hold their file names.")
    values: dict[str, tuple[int, str]] = {}
    for (some, folders), row in zip(best, rows, strict=True):
        value = row.get(column, "")
        for photo in some if value else ():
            there, other = values.get(photo, (-1, ""))
            if there == folders and other != value:
                name = PurePosixPath(photo).name
                raise ImageSetError(f"{table.name} gives {name} two of '{column}', {other} and {value}: keep one.")
            if there < folders:
                values[photo] = folders, value
    return {photo: value for photo, (_, value) in values.items()}


def _meant(cell: str, by_name: Mapping[str, Sequence[str]]) -> tuple[list[str], int]:
    """The photos that a cell names, and in how many folders, from the last on, they agree with it."""
    folders = PurePosixPath(cell.replace("\\", "/")).parts[-2::-1]
    agreeing = {
        photo: sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(folders, _folders(photo), strict=False)))
        for photo in by_name.get(stem_in(by_name, cell), ())
    }
    most = max(agreeing.values(), default=0)
    return [photo for photo, count in agreeing.items() if count == most], most


def _folders(photo: str) -> Sequence[str]:
    """The folders of a path, the last one first."""
    return PurePosixPath(photo).parts[-2::-1]
