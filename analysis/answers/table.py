"""Tables as they come: files found, decoded and put below each other, with the place of every row kept."""

from __future__ import annotations

import codecs
import csv
import glob
import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.section import AnalysisError
from glimpse.command_line import did_you_mean
from glimpse.files import sha256_file, sha256_json

ENDINGS = (".csv", ".tsv", ".txt")
SEPARATORS = ",;\t|"
OTHER_FORMATS = {  # by their first bytes
    b"PK\x03\x04": "a workbook or an archive",
    b"\xd0\xcf\x11\xe0": "a workbook of old Excel",
    b"\x1f\x8b": "a compressed file",
    b"{": "JSON",
    b"[": "JSON",
}


@dataclass(frozen=True)
class Table:
    """Rows of text. The index label of a row is its line, plus the lines of the files before: `place` tells both."""

    frame: pd.DataFrame
    name: str  # in words, for errors and methods
    sha256: str
    files: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()  # lines in the files before
    rows: int = 0  # as read
    blank: int = 0  # rows without any value, dropped
    notes: list[str] = field(default_factory=list)  # sentences on what was done with the rows

    def place(self, label: Any) -> str:
        """The file and line of a row, counted as an editor does."""
        if not self.files:
            return f"{self.name}, row {int(label) + 1}"
        k = bisect_right(self.starts, int(label)) - 1
        return f"{self.files[k]}, line {int(label) - self.starts[k]}"

    def with_frame(self, frame: pd.DataFrame) -> Table:
        return replace(self, frame=frame)


def found_files(given: Sequence[Path]) -> list[Path]:
    """Files, the tables of folders, and what patterns match. Raises AnalysisError if there are none."""
    files: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in ENDINGS and not p.name.startswith("."))
            if not inside:
                raise AnalysisError(f"{path} is a folder without CSV files: name the file, or export answers as CSV.")
            own = [p for p in inside if "table-responses" in p.name]  # our own export, with its other tables
            files += own or inside
        elif path.exists():
            files.append(path)
        elif glob.has_magic(str(path)):
            matched = sorted(Path(p) for p in glob.glob(str(path), recursive=True) if Path(p).is_file())
            if not matched:
                raise AnalysisError(f"No file matches {path}: check the pattern.")
            files += matched
        else:
            near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
            hint = did_you_mean(path.name, near) if near else ""
            raise AnalysisError(
                f"There is no file {path}" + (f": {hint}" if hint.startswith("did") else ": check the path.")
            )
    return list(dict.fromkeys(files))


def read_tables(files: Sequence[Path]) -> Table:
    """All files as one table; a file with the same bytes as another is read once, and said to be.

    One of several that cannot be read is left out, and said to be. Raises AnalysisError where none can be read.
    """
    hashes: dict[str, Path] = {}
    notes = []
    for path in files:
        digest = sha256_file(path)
        if digest in hashes:
            notes.append(f"{path.name} has the same content as {hashes[digest].name} and is read once.")
        else:
            hashes[digest] = path
    frames, starts, blank, rows, end = [], [], 0, 0, 0
    for digest, path in list(hashes.items()):
        try:
            frame, dropped, lines = _read(path)
        except AnalysisError as error:
            if len(hashes) == 1:  # the only one, or the last of several
                raise
            notes.append(f"{path.name} is left out: {error}")
            del hashes[digest]
            continue
        if len(hashes) > 1 and "participant" not in map(_plain, frame.columns):
            frame["file"] = path.stem
        starts.append(end)
        frame.index = frame.index + end
        end += lines
        rows, blank = rows + len(frame), blank + dropped
        frames.append(frame)
    kept = list(hashes.values())
    if len(kept) == 1:
        table, name, digest = frames[0], kept[0].name, next(iter(hashes))
    else:
        table, name = pd.concat(frames), f"{len(kept)} files ({kept[0].name} ... {kept[-1].name})"
        digest = sha256_json(sorted(hashes))
    return Table(table, name, digest, tuple(p.name for p in kept), tuple(starts), rows, blank, notes)


def _plain(column: Any) -> str:
    return str(column).strip().lower()


def _read(path: Path) -> tuple[pd.DataFrame, int, int]:
    """One file: its rows, labelled by line, the number of blank rows dropped, and its lines."""
    with open(path, "rb") as file:
        start = file.read(4)
    for first, kind in OTHER_FORMATS.items():
        if start.startswith(first):
            raise AnalysisError(
                f"{path} is {kind}, not CSV: export the answers as CSV, or open it in a spreadsheet and save it "
                "as CSV in UTF-8."
            )
    encoding, head = _encoding(path)
    skipped = 0
    while skipped < len(head) and not head[skipped].strip(" ,;\t|\r"):
        skipped += 1
    separator = ""
    if skipped < len(head) and (says := re.fullmatch(r'"?sep=(.)"?[,;\t|]*', head[skipped].strip(" \r"))):
        separator, skipped = says[1], skipped + 1  # a line for Excel
    header = head[skipped] if skipped < len(head) else ""
    if not header.strip():
        raise AnalysisError(f"{path} is empty: it needs the columns participant, image, truth and answer.")
    if "\0" in header:
        raise AnalysisError(f"{path} is not a text file; save it as UTF-8 CSV.")
    separator = separator or max(SEPARATORS, key=_outside_quotes(header).count)
    try:
        frame = pd.read_csv(
            path, sep=separator, encoding=encoding, dtype=str, skipinitialspace=True, skiprows=skipped,
            keep_default_na=False, na_values=[""], index_col=False, skip_blank_lines=False,
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError, ValueError, csv.Error) as error:
        reason = " ".join(str(error).split())
        raise AnalysisError(f"{path} cannot be read as a table ({reason}): save it again as CSV in UTF-8.") from None
    lines = len(frame) + skipped + 2
    frame.index = pd.RangeIndex(skipped + 2, lines)
    imports = frame.iloc[1:2].astype(str).apply(lambda c: c.str.contains("ImportId", regex=False)).any(axis=None)
    if imports:  # Qualtrics: names, questions, then the IDs of import
        frame = frame.iloc[2:]
    blank = frame.isna().all(axis=1)
    return frame[~blank], int(blank.sum()), lines


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
        elif b"\0" in start[:2]:  # UTF-16 that does not say so
            encoding = "utf-16-be" if start[0] == 0 else "utf-16-le"
        else:
            encoding, block, decoder = "utf-8-sig", start, codecs.getincrementaldecoder("utf-8")()
            try:
                while block:
                    decoder.decode(block)
                    block = file.read(1 << 20)
            except UnicodeDecodeError:
                # Windows-1252 leaves five bytes undefined; Latin-1 reads whatever there is.
                rest = start + block
                encoding = "latin-1" if set(rest) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "cp1252"
    return encoding, start.decode(encoding, errors="replace").split("\n")[:20]
