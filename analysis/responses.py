"""The answers: from the survey's database or from anybody's CSV to one table, one row a scored trial.

The database is read through its views `responses` and `participants` (made by the survey's migrations) and never
written to; the survey's code is not needed. A CSV needs the columns participant, image (or stimulus), truth and answer.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.parts import AnalysisError
from gan_core.workspace import Workspace, nearest, sha256_file

WORDS = ("real", "generated")
# What the table holds whatever the source; a column that the source lacks is NaN (or False, or "").
TEXT = ("participant", "set", "image")
NUMBERS = ("position", "exposure_ms_planned", "exposure_ms_actual", "dropped_frames", "response_time_s")
TRUE = ("true", "1", "yes", "t", "y", "1.0")

RULES = (
    "A trial without an answer is left out of every score and counted; it is never taken for a wrong answer.",
    "F1 is 2 TP / (2 TP + FP + FN). Somebody who never gave the positive answer has F1 = 0 as long as the positive "
    "class was shown to them (precision is then 0/0, F1 is not); with nothing positive shown or said F1 is undefined, "
    "left out of the F1 figures and counted.",
    "Attention (catch) trials are never scored. Flagged trials (exposure off, focus lost, ...) are scored as they "
    "were answered; the table of exclusions shows the verdict without them.",
    "Answers of the same person to the same image are all counted, as trials of that image.",
)


@dataclass(frozen=True)
class Responses:
    """Scored trials, and what was left out on the way to them.

    `trials` has the columns participant, set, image (text), truth and answer ("real" or "generated"), is_generated and
    said_generated (bool), position (1, 2, ...), exposure_ms_planned, exposure_ms_actual, dropped_frames,
    response_time_s (numbers, NaN where unknown), focus_lost, simulated, failed_catch (bool), flags (text, "" for none).
    """

    trials: pd.DataFrame
    source: str  # in words, for the methods
    sha256: str  # of the file, or of the rows that the database gave
    counts: dict[str, int] = field(default_factory=dict)  # rows read, filtered out, missing answers, ...
    filters: tuple[str, ...] = ()
    unanswered: dict[str, int] = field(default_factory=dict)  # by set
    people: pd.DataFrame | None = None  # the view `participants`, where the answers come from a database

    @property
    def simulated(self) -> int:
        """How many simulated participants the trials hold (0 unless they were asked for)."""
        return int(self.trials.loc[self.trials["simulated"], "participant"].nunique())


def read_csv(path: Path, where: Sequence[str] = (), *, include_simulated: bool = False) -> Responses:
    """Anybody's tidy file: comma, semicolon or tab; UTF-8, UTF-16 or Windows-1252. Raises AnalysisError."""
    encoding, header = _encoding(path)
    separator = max(",;\t|", key=header.count)
    try:
        raw = pd.read_csv(
            path, sep=separator, encoding=encoding, dtype="category", skipinitialspace=True, keep_default_na=False,
            na_values=["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"], on_bad_lines="error",
        )  # fmt: skip
    except pd.errors.EmptyDataError:
        raise AnalysisError(f"{path} is empty: it needs the columns participant, image, truth and answer.") from None
    except (pd.errors.ParserError, UnicodeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise AnalysisError(f"{path} cannot be read as a table ({reason}): save it again as CSV in UTF-8.") from None
    return _tidy(raw, str(path), f"the file {path.name}", sha256_file(path), where, include_simulated)


def read_database(
    workspace: Workspace, where: Sequence[str] = (), *, include_simulated: bool = False
) -> Responses | None:
    """The views `responses` and `participants` of `$DATABASE_URL`, else of study.db; None where no survey has been."""
    if not os.environ.get("DATABASE_URL") and not (workspace.root / "study.db").is_file():
        return None
    from sqlalchemy.exc import SQLAlchemyError

    try:
        raw, people = _read_views(workspace)
    except SQLAlchemyError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise AnalysisError(
            f"The answers cannot be read from the database ({reason}): check DATABASE_URL, and bring an older "
            "database up to date with `study_app db upgrade`."
        ) from None
    if raw.empty:
        return None
    name = "the database that DATABASE_URL names" if os.environ.get("DATABASE_URL") else "the database study.db"
    known = set(raw.columns)
    extra = [c for c in people.columns if c not in known and c != "participant"]
    if extra and "participant" in people:
        raw = raw.merge(people[["participant", *extra]].drop_duplicates("participant"), on="participant", how="left")
    sha256 = _hash(raw)
    tidy = _tidy(raw, name, name, sha256, where, include_simulated)
    return replace(tidy, people=people)


# ------------------------------------------------------------------------------------------------ reading


def _encoding(path: Path) -> tuple[str, str]:
    """The file's encoding by its byte-order mark or by trial, and its first line."""
    with open(path, "rb") as file:
        start = file.read(1 << 16)
        if start.startswith((b"\xff\xfe", b"\xfe\xff")):
            encoding = "utf-16"
        else:
            encoding, block = "utf-8-sig", start
            try:
                decoder = __import__("codecs").getincrementaldecoder("utf-8")()
                while block:
                    decoder.decode(block)
                    block = file.read(1 << 20)
            except UnicodeDecodeError:
                encoding = "cp1252" if not set(start) & {0x81, 0x8D, 0x8F, 0x90, 0x9D} else "latin-1"
    lines = start.decode(encoding, errors="replace").splitlines()
    return encoding, lines[0] if lines else ""


def _read_views(workspace: Workspace) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both views as they stand at one moment, through a connection that cannot write."""
    from sqlalchemy import create_engine, inspect, text
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.pool import NullPool

    url = workspace.database_url
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///").split("?")[0]).resolve()
        if not path.is_file():
            raise AnalysisError(f"There is no database at {path}: check DATABASE_URL.")
        # A WAL database in a folder that may not be written opens only as immutable.
        urls = [f"sqlite:///file:{path}?{mode}&uri=true" for mode in ("mode=ro", "immutable=1")]
    else:
        for short in ("postgres://", "postgresql://"):
            url = url.replace(short, "postgresql+psycopg://", 1) if url.startswith(short) else url
        urls = [url]
    for attempt, candidate in enumerate(urls):
        try:
            engine = create_engine(candidate, poolclass=NullPool)
            with engine.connect() as connection:
                if engine.dialect.name == "postgresql":
                    connection = connection.execution_options(
                        isolation_level="REPEATABLE READ", postgresql_readonly=True
                    )
                raw = pd.read_sql_query(text("SELECT * FROM responses"), connection)
                views = set(inspect(connection).get_view_names())
                people = pd.DataFrame()
                if "participants" in views:
                    people = pd.read_sql_query(text("SELECT * FROM participants"), connection)
                return raw, people
        except OperationalError:
            if attempt == len(urls) - 1:
                raise
    raise AssertionError("unreachable: the last attempt returns or raises")


def _hash(frame: pd.DataFrame) -> str:
    digest = hashlib.sha256(",".join(map(str, frame.columns)).encode())
    text = frame.astype(str)
    digest.update(np.sort(pd.util.hash_pandas_object(text, index=False).to_numpy()).tobytes())
    return digest.hexdigest()


# ------------------------------------------------------------------------------------------------ tidying


def _tidy(
    raw: pd.DataFrame, name: str, source: str, sha256: str, where: Sequence[str], include_simulated: bool
) -> Responses:
    raw = raw.rename(columns={c: str(c).strip().lower() for c in raw.columns})
    if "image" not in raw and "stimulus" in raw:
        raw = raw.rename(columns={"stimulus": "image"})
    missing = [c for c in ("participant", "image", "truth", "answer") if c not in raw]
    if missing:
        there = ", ".join(map(str, raw.columns))
        raise AnalysisError(
            f"{name} lacks the column{'s' * (len(missing) > 1)} {' and '.join(missing)} (it has: {there}); "
            "needed are participant, image (or stimulus), truth and answer."
        )
    if raw.empty:
        raise AnalysisError(f"{name} holds no answers, only column names: a row for each judgement is needed.")
    counts = {"rows": len(raw)}

    for condition in where:
        raw = raw[_matches(raw, condition, name)]
        if raw.empty:
            raise AnalysisError(f"Not one row of {name} is left with --where {condition}.")
    counts["filtered_out"] = counts["rows"] - len(raw)

    simulated = _flag(raw, "simulated")
    if not include_simulated and simulated.any():
        counts["simulated_left_out"] = int(raw.loc[simulated, "participant"].nunique())
        raw, simulated = raw[~simulated], simulated[~simulated]
        if raw.empty:
            raise AnalysisError(
                f"{name} holds answers of simulated participants only: add --include-simulated to see their report."
            )

    answer = _words(raw, "answer", name)
    truth = _words(raw, "truth", name)
    unanswered = answer.isna()
    if truth.isna().any():
        raise AnalysisError(f"{name}, {_line(truth.isna())}: the column truth is empty; it must say real or generated.")
    trials = pd.DataFrame({"truth": truth, "answer": answer})
    for column in TEXT:
        values = raw[column] if column in raw else pd.Series("all", index=raw.index)
        if column == "set":
            values = values.astype(object).where(values.notna(), "all")
        elif values.isna().any():
            raise AnalysisError(f"{name}, {_line(values.isna())}: the column {column} is empty; every row needs one.")
        trials[column] = _by_category(values, lambda v: str(v).strip())
    milliseconds = "response_time_ms" in raw and "response_time_s" not in raw
    for column in NUMBERS:
        given = "response_time_ms" if column == "response_time_s" and milliseconds else column
        trials[column] = _numbers(raw[given]) if given in raw else np.nan
    if milliseconds:
        trials["response_time_s"] = trials["response_time_s"] / 1000
    trials["focus_lost"] = _flag(raw, "focus_lost")
    trials["simulated"] = simulated
    trials["flags"] = _by_category(raw["flags"], _flag_words).fillna("") if "flags" in raw else ""

    catch = _flag(raw, "catch")
    failed = trials.loc[catch & ~unanswered & (trials["truth"] != trials["answer"]), "participant"].unique()
    trials["failed_catch"] = trials["participant"].isin(failed)
    counts["catch_trials"] = int(catch.sum())
    counts["missing_answers"] = int((unanswered & ~catch).sum())
    by_set = trials.loc[unanswered & ~catch, "set"].value_counts()
    trials = trials[~unanswered & ~catch].reset_index(drop=True)
    if trials.empty:
        raise AnalysisError(f"{name} holds no answered trial: the column answer is empty throughout.")
    if trials["position"].isna().any():  # the order of the rows is the best guess, and said to be one
        counts["position_from_row_order"] = len(trials)
        trials["position"] = trials.groupby(["set", "participant"], sort=False).cumcount() + 1.0
    trials["is_generated"] = (trials["truth"] == "generated").to_numpy(bool)
    trials["said_generated"] = (trials["answer"] == "generated").to_numpy(bool)
    counts["flagged_trials"] = int((trials["flags"] != "").sum())
    counts["repeated_judgements"] = int(trials.duplicated(["set", "participant", "image"]).sum())
    counts["trials"] = len(trials)
    return Responses(trials, source, sha256, counts, tuple(where), {str(name): int(n) for name, n in by_set.items()})


def _matches(raw: pd.DataFrame, condition: str, name: str) -> Any:
    column, equals, value = condition.partition("=")
    column, value = column.strip().lower(), value.strip()
    if not equals:
        raise AnalysisError(
            f"--where {condition}: write COLUMN=VALUE, for example --where passed_attention_check=True."
        )
    if column not in raw:
        raise AnalysisError(f"--where {condition}: {name} has no column {column}; {nearest(column, list(raw.columns))}")
    values = _by_category(raw[column], lambda v: str(v).strip().casefold())
    wanted = value.casefold()
    if wanted in ("true", "false"):  # databases without a boolean type say 1 and 0
        values = values.replace({"1": "true", "0": "false", "1.0": "true", "0.0": "false"})
    found = values == wanted
    if not found.any():
        some = sorted(map(str, values.dropna().unique()))[:8]
        raise AnalysisError(f"--where {condition}: no row has that value; {column} is one of: {', '.join(some)}.")
    return found


def _by_category(values: Any, change: Any) -> Any:
    """`change` of each value, computed once for each distinct one (10^6 rows have few); missing stays missing."""
    codes, distinct = pd.factorize(values)
    changed = np.array([change(v) for v in distinct] + [None], dtype=object)
    return pd.Series(changed[codes], index=values.index, dtype=object)


def _words(raw: pd.DataFrame, column: str, name: str) -> Any:
    words = _by_category(raw[column], lambda v: str(v).strip().lower() or None)
    wrong = words.notna() & ~words.isin(WORDS)
    if wrong.any():
        said = raw.loc[wrong, column].iloc[0]
        raise AnalysisError(
            f"{name}, {_line(wrong)}: the column {column} says {str(said)!r}; it must say real or generated."
        )
    return words


def _line(wrong: Any) -> str:
    """Where the first bad row stands: line 1 is the header."""
    return f"line {int(wrong.index[np.argmax(wrong.to_numpy(bool))]) + 2}"


def _flag(raw: pd.DataFrame, column: str) -> Any:
    if column not in raw:
        return pd.Series(False, index=raw.index)
    return _by_category(raw[column], lambda v: str(v).strip().lower() in TRUE).fillna(False).astype(bool)


def _flag_words(value: Any) -> str:
    """Flags as words with a space between, from "a,b", "a b" or a JSON list; "" for none."""
    return " ".join(sorted(str(value).replace(",", " ").translate(str.maketrans("", "", "[]{}\"'")).split()))


def _numbers(values: Any) -> Any:
    """Numbers; a decimal comma is read as a point, and what is no finite number is NaN."""

    def number(value: Any) -> float:
        try:
            parsed = float(str(value).strip().replace(",", "."))
        except ValueError:
            return float("nan")
        return parsed if np.isfinite(parsed) else float("nan")

    return _by_category(values, number).astype(float)
