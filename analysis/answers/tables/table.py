"""Find files and read them as one table that keeps the file and line of every row."""

from __future__ import annotations

import glob
import os
import re
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.answers.tables.text_file import REMEDY, column_name, read_file
from analysis.section import AnalysisError
from glimpse.command_line import counted, did_you_mean
from glimpse.files import sha256_file, sha256_json

ENDINGS = (".csv", ".tsv", ".txt")
JSON = (".json", ".jsonl")
MOST_LISTED = 60  # columns in an error
FILE = "(file)"  # the column that says where rows without a column `participant` are from
UNREAD = (*JSON, ".xlsx", ".xls", ".ods", ".zip", ".gz", ".sav", ".rds", ".parquet")


@dataclass(frozen=True)
class Table:
    """Rows of text. The index label of a row is its line plus the lines of all files before; `place` gives both."""

    frame: pd.DataFrame
    name: str  # in words, for errors and methods
    sha256: str
    files: tuple[str, ...] = ()
    starts: tuple[int, ...] = ()  # lines in the files before
    columns: tuple[frozenset[str], ...] = ()  # of each file; under our names, once they are found
    header: tuple[str, ...] = ()  # the names of all columns, as read
    rows: int = 0  # as read
    blank: int = 0  # rows without any value, dropped
    notes: list[str] = field(default_factory=list)  # sentences on what was done with the rows
    titles: dict[str, str] = field(default_factory=dict)  # Qualtrics: the question of each column
    twice: dict[str, str] = field(default_factory=dict)  # names of two columns that differ, each with file and line
    code_pages: tuple[str, ...] = ()  # files that are not in Unicode, whose letters may be misread

    def place(self, label: Any) -> str:
        """The file and line of a row, counted as an editor does."""
        if not self.files:
            return f"{self.name}, row {int(label) + 1}"
        k = bisect_right(self.starts, int(label)) - 1
        return f"{self.files[k]}, line {int(label) - self.starts[k]}"

    def lists(self) -> str:
        """The names of the columns in the files, for errors; of very many the first."""
        names = list(self.header or map(str, self.frame.columns))
        return ", ".join(names[:MOST_LISTED]) + (
            f", and {len(names) - MOST_LISTED} more" if names[MOST_LISTED:] else ""
        )

    def says(self, verb: str) -> str:
        """The name and a verb, such as `lacks`, in the plural for several files."""
        return f"{self.name} {verb if len(self.files) < 2 else 'have' if verb == 'has' else verb.removesuffix('s')}"

    def file_of(self, labels: Any) -> NDArray[np.int64]:
        """The index of the file of each row, by the labels of the rows."""
        return np.searchsorted(self.starts, labels, side="right") - 1

    def file_names(self, labels: Any) -> NDArray[np.object_]:
        """The name of the file of each row, by the labels of the rows; there are files."""
        return np.array(self.files, dtype=object)[self.file_of(labels)]

    def refuse_doubled(self, names: Collection[str]) -> None:
        """Raises AnalysisError if two different columns have one of the names."""
        if doubled := sorted({*names} & {*self.twice}):
            raise AnalysisError(
                f"{self.twice[doubled[0]]}: two columns are called {doubled[0]} and differ: rename or remove one of "
                "them."
            )

    def with_frame(self, frame: pd.DataFrame) -> Table:
        return replace(self, frame=frame)

    def noting(self, sentence: str) -> Table:
        """The table with one more note, unless the sentence is empty."""
        return replace(self, notes=[*self.notes, sentence]) if sentence else self


def passed_over(given: Sequence[Path]) -> list[str]:
    """A sentence on files of the given folders that may hold answers, but in a format that is not read."""
    folders = [path for path in given if path.is_dir()]
    read = {p for folder in folders for p in _tables_in(folder)}
    found = [p for path in folders for p in sorted(path.iterdir()) if p.suffix.lower() in UNREAD and p not in read]
    if not found:
        return []
    names = ", ".join(path.name for path in found[:4]) + (", ..." if len(found) > 4 else "")
    return [f"Not read: {names} ({counted(len(found), 'file')} in other formats beside the tables); {REMEDY}."]


def found_files(given: Sequence[Path]) -> list[Path]:
    """The given files, the tables in given folders, and the files that patterns match.

    Raises AnalysisError if any of them gives none.
    """
    files: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = _tables_in(path)
            if not inside:
                raise AnalysisError(f"{path} is a folder without CSV files: name the file, or export answers as CSV.")
            own = [
                p for p in inside if "description-responses" in p.name and p.suffix == ".csv"
            ]  # our own export, with its other tables
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


def _tables_in(folder: Path) -> list[Path]:
    """The tables in a folder; if it holds none but .txt files, also those in the folders below it; else its JSON."""
    tables: list[Path] = []
    for paths in (folder.iterdir(), folder.rglob("*")):
        tables = sorted(p for p in paths if p.suffix.lower() in ENDINGS and not _hidden(p.relative_to(folder)))
        if any(p.suffix.lower() != ".txt" for p in tables):
            break
    return tables or sorted(p for p in folder.iterdir() if p.suffix.lower() in JSON and not p.name.startswith("."))


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__MACOSX" for part in path.parts)


def _names_of(paths: Sequence[Path]) -> list[Path]:
    """The files' names; if two are equal (`sub-01/data.csv`), their paths below the folder that holds all."""
    if len({path.stem for path in paths}) == len(paths):
        return [Path(path.name) for path in paths]
    there = [os.path.abspath(path) for path in paths]
    top = os.path.commonpath([os.path.dirname(path) for path in there])
    return [Path(os.path.relpath(path, top)) for path in there]


def read_tables(files: Sequence[Path]) -> Table:
    """All files as one table, with the names of columns in lower case.

    Of files with the same bytes one is read, and of several files those that cannot be read are left out, with a note.
    Raises AnalysisError if none can be read.
    """
    copies: dict[str, list[Path]] = {}
    for path in files:
        copies.setdefault(sha256_file(path), []).append(path)
    hashes = {digest: alike[0] for digest, alike in copies.items()}
    named = dict(zip(files, _names_of(files), strict=True))
    notes = [
        f"{several([named[path].as_posix() for path in others])} {'have' if others[1:] else 'has'} the same content as "
        f"{named[first].as_posix()} and {'are' if others[1:] else 'is'} read once."
        for first, *others in copies.values()
        if others
    ]
    frames, starts, blank, rows, end = [], [], 0, 0, 0
    titles: dict[str, str] = {}
    twice: dict[str, str] = {}
    code_pages, said = [], {}
    names = dict(zip(hashes.values(), _names_of(list(hashes.values())), strict=True))
    for digest, path in list(hashes.items()):
        try:
            one = read_file(path)
        except AnalysisError as error:
            if len(hashes) == 1:  # the only one, or the last of several
                raise
            notes.append(f"{path.name} is left out: {error}")
            del hashes[digest]
            continue
        frame = one.frame.rename(columns=column_name)  # files may spell a name differently
        frame = frame.loc[:, ~frame.columns.duplicated()]
        if len(hashes) > 1 and "participant" not in map(column_name, frame.columns):
            frame[FILE] = names[path].with_suffix("").as_posix()
        starts.append(end)
        frame.index = frame.index + end
        end += one.lines
        rows, blank = rows + len(frame), blank + one.blank
        said[path.name] = one.notes
        twice |= {column_name(c): path.name for c, title in one.titles.items() if titles.get(c, title) != title}
        titles |= one.titles
        twice |= one.twice
        code_pages += [] if one.unicode else [path.name]
        frames.append(frame)
    kept = list(hashes.values())
    if len(kept) == 1:
        table, name, digest = frames[0], kept[0].name, next(iter(hashes))
    else:
        table, name = pd.concat(frames), several([path.name for path in kept])
        digest = sha256_json(sorted(hashes))
    places = tuple(names[path].as_posix() for path in kept)
    columns = tuple(frozenset(frame.columns) for frame in frames)
    header = tuple(column for column in table.columns if column != FILE)
    notes += _once(said)
    return Table(
        table, name, digest, places, tuple(starts), columns, header, rows, blank, notes, titles, twice,
        tuple(code_pages),
    )  # fmt: skip


def _once(said: Mapping[str, Sequence[str]]) -> list[str]:
    """The sentences on each file; those that differ only in what they quote once, with the number of files."""
    alike: dict[str, list[str]] = {}
    for file, sentences in said.items():
        for sentence in sentences:
            alike.setdefault(re.sub("'.*'", "", sentence), []).append(f"{file}: {sentence}")
    return [
        first if not others else first.replace(":", f" and {counted(len(others), 'more file')}:", 1)
        for first, *others in alike.values()
    ]


def several(files: Sequence[str]) -> str:
    """The file, or the number of files with the first and the last."""
    return files[0] if len(files) == 1 else f"{len(files)} files ({files[0]} ... {files[-1]})"
