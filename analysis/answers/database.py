"""Read the answers from the survey's database.

Only the views `responses` and `participants` are read, which the survey's migrations create. Nothing is written, and
the survey's code is not needed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from analysis.answers.responses import Responses
from analysis.answers.tables.table import Table
from analysis.answers.tidy import tidy
from analysis.section import AnalysisError
from glimpse.command_line import pasteable
from glimpse.workspace import SURVEY_SCHEMA, Workspace

VIEWS = {"responses": "participant, position", "participants": "participant"}  # and the order of their rows


class UnreadableError(AnalysisError):
    """The database is damaged, has an older schema or cannot be reached."""


def read_database(
    workspace: Workspace, where: Sequence[str] = (), *, include_simulated: bool = False, include_pilot: bool = False
) -> Responses | None:
    """The answers in `$DATABASE_URL`, or in study.db if that is not set; None if there are none yet."""
    file = workspace.root / "study.db"
    if not os.environ.get("DATABASE_URL"):
        if not file.is_file():
            return None
        if not file.stat().st_size:
            raise UnreadableError(
                f"The answers cannot be read: {file} is empty (0 bytes); restore a copy made by `study_app backup`, or "
                "delete the file to start without answers."
            )
    from sqlalchemy.exc import SQLAlchemyError

    try:
        raw, people = _read_views(workspace.database_url)
    except (SQLAlchemyError, ImportError) as error:
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise UnreadableError(
            f"The answers cannot be read from the database ({reason}): {_remedy(reason, workspace)}."
        ) from None
    if raw.empty:
        return None
    raw = with_people(raw, people)
    name = "the database of DATABASE_URL" if os.environ.get("DATABASE_URL") else "study.db"
    table = Table(raw, name, _hash(raw), rows=len(raw))
    return tidy(table, where, include_simulated=include_simulated, include_pilot=include_pilot)


def _remedy(reason: str, workspace: Workspace) -> str:
    if "malformed" in reason or "not a database" in reason:
        return "it is damaged; restore a copy made by `study_app backup`"
    upgrade = f"bring an older database up to date with `{pasteable(workspace, 'study_app', 'db', 'upgrade')}`"
    return f"check DATABASE_URL, and {upgrade}" if os.environ.get("DATABASE_URL") else upgrade


def _read_views(url: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both views, read in one transaction through a read-only connection."""
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
            # In a read-only folder SQLite opens a database with a write-ahead log only as immutable, which ignores the
            # log: so only if the log is empty.
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
                # One transaction, so that the two views agree.
                if inspect(connection).has_table("alembic_version"):
                    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
                    if found is not None and found > SURVEY_SCHEMA:
                        raise AnalysisError(
                            f"The survey's database has schema {found}, newer than this version of Glimpse reads (up "
                            f"to {SURVEY_SCHEMA}): use the newer version, or another database."
                        )
                answers, people = (
                    connection.execute(text(f"SELECT * FROM {view} ORDER BY {order}")) for view, order in VIEWS.items()
                )
                return pd.DataFrame(answers.all(), columns=[*answers.keys()]), pd.DataFrame(
                    people.all(), columns=[*people.keys()]
                )
        except OperationalError:
            if attempt == urls[-1]:
                raise
    raise AssertionError("the last attempt returns or raises")


def with_people(raw: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """The answers joined with the participants' table, each item of the questionnaire as a column.

    If both tables have a column, that of the answers is kept.
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
    """The hash of the rows, which does not depend on their order."""
    digest = hashlib.sha256(",".join(map(str, frame.columns)).encode())
    digest.update(np.sort(pd.util.hash_pandas_object(frame.astype(str), index=False).to_numpy()).tobytes())
    return digest.hexdigest()
