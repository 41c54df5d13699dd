"""The answers: from the survey's database, its export, or anybody's CSV to one table of scored trials.

The database is read through its views `responses` and `participants` (made by the survey's migrations) and never
written to; the survey's code is not needed. A CSV needs the columns participant, image (or stimulus), truth and answer.
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from analysis.answers.tidy import Responses, tidy
from analysis.section import AnalysisError
from glimpse.files import sha256_file
from glimpse.workspace import SURVEY_SCHEMA, Workspace

VIEWS = ("responses", "participants")
MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"]


def read_csv(path: Path, where: Sequence[str] = (), *, include_simulated: bool = False) -> Responses:
    """Anybody's tidy file: comma, semicolon or tab; UTF-8, UTF-16 or Windows-1252. Raises AnalysisError.

    Beside a `...table-responses_data.csv` of our own export its `...table-participants_data.csv` is read too.
    """
    raw = _read_table(path)
    beside = path.with_name(path.name.replace("table-responses", "table-participants"))
    if beside != path and beside.is_file():
        raw = _with_people(raw, _read_table(beside))
    return tidy(raw, path.name, sha256_file(path), where, include_simulated=include_simulated)


def read_database(
    workspace: Workspace, where: Sequence[str] = (), *, include_simulated: bool = False
) -> Responses | None:
    """The views `responses` and `participants` of `$DATABASE_URL`, else of study.db; None where nobody has answered."""
    if not os.environ.get("DATABASE_URL") and not (workspace.root / "study.db").is_file():
        return None
    from sqlalchemy.exc import SQLAlchemyError

    try:
        raw, people = _read_views(workspace.database_url)
    except (SQLAlchemyError, ImportError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise AnalysisError(
            f"The answers cannot be read from the database ({reason}): check DATABASE_URL, and bring an older "
            "database up to date with `study_app db upgrade`."
        ) from None
    if raw.empty:
        return None
    raw = _with_people(raw, people)
    name = "the database of DATABASE_URL" if os.environ.get("DATABASE_URL") else "study.db"
    return tidy(raw, name, _hash(raw), where, include_simulated=include_simulated)


# ------------------------------------------------------------------------------------------------ CSV


def _read_table(path: Path) -> pd.DataFrame:
    encoding, header = _encoding(path)
    if not header.strip():
        raise AnalysisError(f"{path} is empty: it needs the columns participant, image, truth and answer.")
    if "\0" in header:
        raise AnalysisError(f"{path} is no text: save it as CSV in UTF-8.")
    try:
        return pd.read_csv(
            path, sep=max(",;\t|", key=header.count), encoding=encoding, dtype="category", skipinitialspace=True,
            keep_default_na=False, na_values=MISSING, index_col=False,
        )  # fmt: skip
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise AnalysisError(f"{path} cannot be read as a table ({reason}): save it again as CSV in UTF-8.") from None


def _encoding(path: Path) -> tuple[str, str]:
    """The file's encoding, by its byte-order mark or by trial, and its first line."""
    if path.is_dir():
        raise AnalysisError(f"{path} is a folder: name the CSV file of the answers in it.")
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
    lines = start.decode(encoding, errors="replace").lstrip("\r\n").splitlines()
    return encoding, lines[0] if lines else ""


# ------------------------------------------------------------------------------------------------ database


def _read_views(url: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both views as they stand at one moment, through a connection that cannot write."""
    from sqlalchemy import URL, create_engine, inspect, make_url, text
    from sqlalchemy.exc import OperationalError
    from sqlalchemy.pool import NullPool

    if url.startswith("sqlite:///"):
        path = Path(make_url(url).database or "").resolve()
        if not path.is_file():
            raise AnalysisError(f"There is no database at {path}: check DATABASE_URL.")

        def opened(**how: str) -> URL:
            return URL.create("sqlite", database=f"file:{quote(str(path))}", query={**how, "uri": "true"})

        urls: list[str | URL] = [opened(mode="ro")]
        log = path.with_name(f"{path.name}-wal")
        if not (log.is_file() and log.stat().st_size):
            # A WAL database in a folder that may not be written opens only as immutable; that skips the log.
            urls.append(opened(immutable="1"))
    else:
        for plain in ("postgres://", "postgresql://"):
            if url.startswith(plain):
                url = url.replace(plain, "postgresql+psycopg://", 1)
        urls = [url]
    for attempt in urls:
        try:
            engine = create_engine(attempt, poolclass=NullPool)
            with engine.connect() as connection:
                if engine.dialect.name == "postgresql":
                    connection = connection.execution_options(
                        isolation_level="REPEATABLE READ", postgresql_readonly=True
                    )
                # One transaction, so that the two views belong together.
                if inspect(connection).has_table("alembic_version"):
                    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
                    if found is not None and found > SURVEY_SCHEMA:
                        raise AnalysisError(
                            f"The survey's database has schema {found}, newer than this version of Glimpse reads (up "
                            f"to {SURVEY_SCHEMA}): use the newer version, or another database."
                        )
                answers, people = (connection.execute(text(f"SELECT * FROM {view}")) for view in VIEWS)
                return pd.DataFrame(answers.all(), columns=[*answers.keys()]), pd.DataFrame(
                    people.all(), columns=[*people.keys()]
                )
        except OperationalError:
            if attempt == urls[-1]:
                raise
    raise AssertionError("the last attempt returns or raises")


def _with_people(raw: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """The answers with what is known of each participant beside, the questionnaire's answers as columns of their own.

    A column that both tables have is the answers'.
    """
    if "participant" not in people or "participant" not in raw or people.empty:
        return raw
    people = people.drop_duplicates("participant").reset_index(drop=True)
    if "questionnaire" in people:
        asked = [_object(text) for text in people["questionnaire"]]
        answered = pd.DataFrame(asked, index=people.index)
        people = pd.concat([people, answered[[c for c in answered if c not in people]]], axis=1)
    extra = [c for c in people.columns if c not in raw.columns]
    people = people[["participant", *extra]].astype({"participant": str})
    return raw.astype({"participant": str}).merge(people, on="participant", how="left")


def _object(text: Any) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (TypeError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def _hash(frame: pd.DataFrame) -> str:
    """One identity for the same rows, whatever their order."""
    digest = hashlib.sha256(",".join(map(str, frame.columns)).encode())
    digest.update(np.sort(pd.util.hash_pandas_object(frame.astype(str), index=False).to_numpy()).tobytes())
    return digest.hexdigest()
