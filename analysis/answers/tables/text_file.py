"""Read one text file: find its encoding, separator, column names and rows, with the line of each row."""

from __future__ import annotations

import codecs
import csv
import io
import re
import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.answers.tables.json_file import read_records
from analysis.answers.tables.widths import longer_row, open_quote, shifted_row
from analysis.section import AnalysisError
from glimpse.command_line import counted

SEPARATORS = ",;\t|"
INVISIBLE = "\u200b\u200e\u200f\u2060\ufeff"  # of no width; direction; byte order
R_NAMES = "if R wrote the numbers of the rows, write the file with row.names = FALSE, else "
REMEDY = "export the answers as CSV, or open it in a spreadsheet and save it as CSV in UTF-8"
OTHER_FORMATS = {  # by their first bytes
    b"PK\x03\x04": "a workbook or an archive",
    b"\xd0\xcf\x11\xe0": "a workbook of old Excel",
    b"\x1f\x8b": "a compressed file",
    b"%PDF": "a PDF",
    b"{\\rt": "rich text",
    **dict.fromkeys((b"<htm", b"<HTM", b"<!DO", b"<!do", b"<tab"), "a web page"),
}


@dataclass(frozen=True)
class TextFile:
    frame: pd.DataFrame  # without blank rows; the index labels are lines
    blank: int
    lines: int
    notes: list[str]
    titles: dict[str, str]  # Qualtrics: the question of each column
    twice: dict[str, str]  # names of two columns that differ, each with file and line
    unicode: bool  # False: in a code page of one byte per character, read as Windows-1252


def column_name(column: Any) -> str:
    """The name of a column in lower case, its words apart by one space.

    >>> column_name(" Image\\nfile")
    'image file'
    """
    return " ".join(str(column).split()).lower()


def read_file(path: Path) -> TextFile:
    with open(path, "rb") as file:
        start = file.read(4)
    for first, kind in OTHER_FORMATS.items():
        if start.startswith(first):
            raise AnalysisError(f"{path} is {kind}, not CSV: {REMEDY}.")
    if re.match(rb"(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?\0?[\[{]", start):
        return _json_file(path)
    encoding, head = _encoding(path)
    skipped = next((i for i, line in enumerate(head) if line.strip(" ,;\t|\r")), len(head))
    separator, notes = "", []
    if skipped < len(head) and (says := re.fullmatch(r'"?sep=(.)"?[,;\t|]*', head[skipped].strip(" \r"))):
        separator, skipped = says[1], skipped + 1  # a line by which Excel finds the separator
    if comments := _comments(head[skipped:]):
        notes = [f"left out {counted(comments, 'line')} of comments above the column names."]
        skipped += comments
    if above := _lines_above(head[skipped : skipped + 20]):
        title, at = head[skipped].strip(" ,;\t|\r")[:40], skipped + above + 1
        notes.append(f"the column names are in line {at}; '{title}' above is left out.")
        skipped += above
    header = head[skipped] if skipped < len(head) else ""
    if not header.strip():
        raise AnalysisError(f"{path} is empty: it needs the columns participant, image, truth and answer.")
    if "\0" in header:
        raise AnalysisError(f"{path} is not a text file; save it as UTF-8 CSV.")
    if separator not in header:  # also where the line for Excel is wrong
        separator = ""
    separator = separator or max(SEPARATORS, key=_outside_quotes(header).count)
    breaks = _lines_of(path, zero_bytes=encoding.startswith(("utf-16", "utf-32")))
    try:
        with warnings.catch_warnings(), open(path, encoding=encoding, newline="") as file:
            warnings.simplefilter("error", pd.errors.ParserWarning)
            list(islice(file, skipped))  # not `skiprows`: where lines end in \r, pandas skips one too many
            # macOS writes a letter and its accent as two characters; people type one.
            text = unicodedata.normalize("NFC", file.read())
            for mark in INVISIBLE:  # also where files were joined; `translate` is far slower
                text = text.replace(mark, "")
            frame = pd.read_csv(io.BytesIO(text.encode()), sep=separator, dtype=str, skipinitialspace=True,
                                keep_default_na=False, na_values=[""], index_col=False,
                                skip_blank_lines=False, low_memory=False)  # fmt: skip  # equal texts are one object
            frame = _as_shown(frame) if "=" in text or "'" in text else frame
            commented = header.startswith("#") and re.search(r"[^\W\d_]", header.split(separator)[0])
            if commented:  # as numpy.savetxt writes the column names
                frame = frame.rename(columns={frame.columns[0]: frame.columns[0].lstrip("# ")})
    except UnicodeError:
        raise AnalysisError(f"{path} is damaged, or not in {encoding}: save it again as CSV in UTF-8.") from None
    except (pd.errors.ParserWarning, pd.errors.ParserError, ValueError) as error:
        raise AnalysisError(_unreadable(path, text, separator, skipped, "inside string" in str(error))) from None
    top = skipped + 2 + sum(str(column).count("\n") for column in frame.columns)
    within = None if frame.empty or breaks == top + len(frame) - 2 else np.cumsum(np.r_[0, _breaks_of(frame)[:-1]])
    frame.index = pd.RangeIndex(top, top + len(frame)) if within is None else top + np.arange(len(frame)) + within
    one_line_each = within is None and top == skipped + 2
    if one_line_each and separator == "," and (row := shifted_row(text, separator)) is not None:
        raise AnalysisError(
            f"{path}, line {skipped + row + 1} has more values than line {skipped + 1} has names of columns, as with "
            "decimal commas without quotes: put values with a comma in quotes, or name every column."
        )
    lines = top + len(frame) + (0 if within is None else int(within[-1]) + _breaks_of(frame.iloc[-1:])[0])
    titles: dict[str, str] = {}
    imports = frame.iloc[1:2].astype(str).apply(lambda c: c.str.contains("ImportId", regex=False)).any(axis=None)
    if imports:  # Qualtrics: names, questions, then the IDs of import
        titles = {str(c): str(text) for c, text in frame.iloc[0].items() if pd.notna(text)}
        rows = frame.fillna("").agg(tuple, axis=1)
        frame = frame[~rows.isin(list(rows[:2]))]  # also of joined exports
    twice = dict.fromkeys(_different_of_one_name(frame, header, separator), f"{path.name}, line {skipped + 1}")
    blank, again = frame.iloc[:, 0].isna(), _names_again(frame)
    blank[blank] = frame[blank].isna().all(axis=1)
    if "#" in text:
        blank |= _comments_below(frame)
    if (other := _other_names(frame[~again])) is not None:
        raise AnalysisError(
            f"{path}, line {other} names columns again, in another order or number than line {skipped + 1}: save the "
            "rows from there on as a file of their own."
        )
    if again.any():
        notes.append(f"left out {counted(int(again.sum()), 'line')} repeating the column names.")
    frame = frame[~blank & ~again]
    return TextFile(frame, int(blank.sum()), lines, notes, titles, twice, encoding.startswith("utf"))


def _unreadable(path: Path, text: str, separator: str, skipped: int, quoted: bool) -> str:
    """The reason why a file cannot be read as a table, with the remedy."""
    try:
        if quoted:
            at = skipped + open_quote(text, separator) + 1
            return f"{path}, line {at} holds a quotation mark that is never closed: close or delete it."
        if found := longer_row(text, separator):
            at, values, names = found
            names_of_rows = values == names + 1 and text.splitlines()[at].startswith(('"1"', "1" + separator))
            return (
                f"{path}, line {skipped + at + 1} has {values} values, but line {skipped + 1} names "
                f"{counted(names, 'column')}: {R_NAMES if names_of_rows else ''}name every column, and put values that "
                f"hold a '{separator}' in quotes."
            )
    except csv.Error:
        pass
    return f"{path} cannot be read as a table: save it again as CSV in UTF-8."


def _json_file(path: Path) -> TextFile:
    try:
        frame = read_records(path, encoding if (encoding := _encoding(path)[0]).startswith("utf-16") else "utf-8-sig")
    except ValueError as error:  # also of its encoding
        raise AnalysisError(
            f"{path} is JSON, but no list of objects, one for each trial ({error}): export the answers as CSV."
        ) from None
    blank = frame.isna().all(axis=1)
    lines = int(frame.index.max()) + 1 if len(frame) else 1
    return TextFile(frame[~blank], int(blank.sum()), lines, [], {}, {}, unicode=True)


def header(path: Path) -> set[str]:
    """The column names in the first line of a file, in lower case."""
    head = _encoding(path)[1]
    line = head[0].lower() if head else ""
    return {name.strip(' "\r') for name in line.split(max(SEPARATORS, key=_outside_quotes(line).count))}


def _lines_above(head: Sequence[str]) -> int:
    """The number of lines above the column names, such as a title.

    A line is above them if a later one has at least twice as many cells, filled with different words.

    >>> _lines_above(["Study 3;;;", "Exported;2025-11-02;;", "participant;image;truth;answer", "p1;i1;real;real"])
    2
    >>> _lines_above(["participant;rating", "p1;3,5"])
    0
    """
    if (
        len(head) > 2 and "GMT_timestamp" in head[0] and "rowNo" in head[2]
    ):  # Testable: the participant, then the trials
        return 2
    for i, line in enumerate(head[:-1]):
        if line.count('"') % 2:  # a name with a line break
            return 0
        longer = max(3, 2 * max(len(_cells(line, mark)) for mark in SEPARATORS))
        if line.strip(" ,;\t|\r") and not any(_are_names(one, longer) for one in head[i + 1 :]):
            return i
    return 0


def _comments(head: Sequence[str]) -> int:
    """The number of lines above the column names that begin with #, which the names themselves may.

    They do if the line below has as many cells, and one occurs again in its column, or they are no names.

    >>> _comments(["# exported", "# by me", "participant,image", "a,i1", "a,i2"]), _comments(["# participant,image"])
    (2, 0)
    >>> _comments(["# exported", "# participant,image", "a,i1", "a,i2"]), _comments(["participant,image", "# a,i1"])
    (1, 0)
    """
    n = next((i for i, line in enumerate(head) if not line.startswith("#") and line.strip(" ,;\t|\r")), 0)
    if not n or (head[n - 1].count('"') % 2 and re.match(r"#[,;\t|]", head[n - 1])):  # a name with a line break
        return max(n - 1, 0)
    mark = max(SEPARATORS, key=_outside_quotes(head[n]).count)
    above, first, *rows = (next(csv.reader([line], delimiter=mark), []) for line in head[n - 1 :])
    again = any(a == b != "" for row in rows for a, b in zip(first, row, strict=False))
    again = len(above) == len(first) > 1 and (again or above[0] == "#" or not _are_names(head[n], 2))
    return n - again


def _comments_below(frame: pd.DataFrame) -> Any:
    """The rows that hold nothing but a text that begins with #."""
    if frame.shape[1] < 2:
        return False
    return frame.iloc[:, 0].str.startswith("#").fillna(False).astype(bool) & frame.iloc[:, 1:].isna().all(axis=1)


def _as_shown(frame: pd.DataFrame) -> pd.DataFrame:
    """The table with the text of cells that are formulas of a text, ="007", or in single quotes."""
    formula = r"""^(?:=(?=["'])|(?='))(["'])([^"']*)\1$"""
    for column in (c for c in frame if frame[c].str.startswith(("=", "'")).any()):
        frame[column] = frame[column].str.replace(formula, r"\2", regex=True)
    return frame.rename(columns=lambda name: re.sub(formula, r"\2", name))


def _are_names(line: str, fewest: int) -> bool:
    cells = _cells(line, max(SEPARATORS, key=_outside_quotes(line).count))
    return len(cells) >= fewest and len(set(cells)) == len(cells) and not any(cell[0].isdigit() for cell in cells)


def _cells(line: str, separator: str) -> list[str]:
    """The cells of a line that are not empty."""
    return [one for cell in next(csv.reader([line], delimiter=separator), []) if (one := cell.strip())]


def _names_again(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """The rows that repeat the column names, as in joined files of several participants."""
    names = [column for column in frame.columns if not column.startswith("Unnamed: ")]
    if not names:
        return np.zeros(len(frame), bool)
    first = frame[names[0]]
    spelt = [text for text in first.dropna().unique() if text.strip() == names[0].strip()]
    alike = frame.loc[first.isin(spelt), names]
    return frame.index.isin(alike.index[(alike == names).all(axis=1)])


def _other_names(frame: pd.DataFrame) -> Any:
    """The label of the first row that mostly holds names of columns, as where files of different columns are joined."""
    names, first = {column_name(column) for column in frame.columns}, frame.iloc[:, 0]
    likely = frame[first.isin([cell for cell in first.dropna().unique() if column_name(cell) in names])]
    named = likely.apply(lambda cells: cells.str.strip().str.lower().isin(names)).sum(axis=1)
    filled = likely.notna().sum(axis=1)
    found = likely.index[(named > 2) & (2 * named > filled) & (likely.nunique(axis=1) == filled)]
    return found[0] if len(found) else None


def _different_of_one_name(frame: pd.DataFrame, header: str, separator: str) -> set[str]:
    """The names, in any case, that two columns with different values share."""
    places: dict[str, list[int]] = {}
    for i, cell in enumerate(next(csv.reader([header], delimiter=separator), [])[: frame.shape[1]]):
        if name := column_name(cell):
            places.setdefault(name, []).append(i)
    return {
        name for name, at in places.items() if any(not frame.iloc[:, i].equals(frame.iloc[:, at[0]]) for i in at[1:])
    }


def _lines_of(path: Path, *, zero_bytes: bool) -> int:
    """The number of line breaks in a file, without a last one. Raises AnalysisError for zero bytes unless allowed."""
    breaks, last = 0, b""
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            if not zero_bytes and b"\0" in block:
                line = breaks + block[: block.index(b"\0")].count(b"\n") + 1
                raise AnalysisError(
                    f"{path}, line {line} holds zero bytes, so the rest of the file may be lost: delete them in an "
                    "editor, or export the file again."
                )
            breaks, last = breaks + block.count(b"\n"), block[-1:]
    return breaks - (last == b"\n")


def _breaks_of(rows: pd.DataFrame) -> NDArray[np.int64]:
    return np.sum([rows[c].str.count("\n").fillna(0).to_numpy(np.int64) for c in rows], axis=0)


def _outside_quotes(line: str) -> str:
    return re.sub(r'"[^"]*"', "", line)


def _encoding(path: Path) -> tuple[str, list[str]]:
    """The file's encoding, by its byte-order mark or by trial, and its first lines."""
    with open(path, "rb") as file:
        start = file.read(1 << 16)
        if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
            encoding = "utf-32"
        elif start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            encoding = "utf-16"
        elif b"\0" in start[:2]:  # UTF-16 without a byte-order mark
            encoding = "utf-16-be" if start[0] == 0 else "utf-16-le"
        else:
            encoding, block, decoder = "utf-8-sig", start, codecs.getincrementaldecoder("utf-8")()
            try:
                while block:
                    decoder.decode(block)
                    block = file.read(1 << 20)
            except UnicodeDecodeError:
                # Windows-1252 leaves five bytes undefined; Latin-1 decodes every byte.
                rest = start + block
                encoding = "latin-1" if set(rest) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "cp1252"
    return encoding, re.split(r"\r\n?|\n", start.decode(encoding, errors="replace"), maxsplit=200)[:200]
