"""The database: SQLite with a write-ahead log and full synchronisation, or PostgreSQL through `DATABASE_URL`.

`Database.write()` is one transaction that is on disk when it returns; on SQLite it takes the write lock at its start
(BEGIN IMMEDIATE), so that it cannot fail half-way. `Database.read()` sees one snapshot and blocks no other session.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, exc, inspect, make_url, text
from sqlalchemy.orm import Session

from glimpse import how_to_install
from glimpse.command_line import next_step
from glimpse.files import GlimpseError
from glimpse.workspace import SURVEY_SCHEMA, Workspace

BUSY_MS = 30_000  # how long a command waits for another writer before it reports an error
SERVED_MS = 5_000  # how long a request to the survey waits before its page says so, or its script tries again
QUEUE_S = 1.0  # how long a request waits for a place among the writers
MIGRATIONS = Path(__file__).with_name("migrations")


class SurveyError(GlimpseError):
    """An error of the survey: one sentence that names the cause and the remedy."""


class BusyError(SurveyError):
    """Too many sessions wait to write into the database."""


def parse_url(url: str) -> URL:
    """The URL of a database. Raises SurveyError for any other text."""
    try:
        return make_url(url)
    except (exc.ArgumentError, ValueError) as error:
        raise _unusable(error) from None


def make_engine(url: str) -> Engine:
    """The engine for a database URL. Raises SurveyError for a URL or a folder that cannot be used."""
    parsed = parse_url(url)
    try:
        if parsed.get_backend_name() == "postgresql" and parsed.drivername in ("postgresql", "postgres"):
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.get_backend_name() == "sqlite" and parsed.database and parsed.database != ":memory:":
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):  # exists; or SQLite reports the reason
                os.close(os.open(parsed.database, os.O_CREAT | os.O_EXCL, 0o600))  # for the owner alone, as its log
        engine = create_engine(
            parsed,
            pool_size=16,
            max_overflow=32,
            pool_pre_ping=parsed.drivername != "sqlite",
            connect_args={"client_encoding": "utf8"} if parsed.get_backend_name() == "postgresql" else {},
        )
    except (exc.ArgumentError, exc.NoSuchModuleError, ModuleNotFoundError, ValueError) as error:
        raise _unusable(error) from None
    if engine.dialect.name == "postgresql":
        event.listen(engine, "connect", _check_postgresql)
        event.listen(engine, "begin", _begin_postgresql)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions by itself: `_begin_sqlite` does
    connection.execute(f"PRAGMA busy_timeout={SERVED_MS}")
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    connection.exec_driver_sql(f"PRAGMA busy_timeout={options.get('glimpse_wait_ms', BUSY_MS)}")
    if writes := options.get("glimpse_write"):
        connection.exec_driver_sql(f"PRAGMA synchronous={'NORMAL' if writes == 'soon' else 'FULL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _check_postgresql(connection: Any, _: Any) -> None:
    """Raises SurveyError for a database in another encoding than UTF-8, which loses or refuses what people write."""
    name, encoding = connection.info.dbname, connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise SurveyError(
            f"The database {name} stores text as {encoding}: make one in UTF-8 with "
            f"`createdb --encoding=UTF8 --template=template0 NAME`, and name it in DATABASE_URL."
        )


def _begin_postgresql(connection: Connection) -> None:
    wait_ms = connection.get_execution_options().get("glimpse_wait_ms", BUSY_MS)
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {wait_ms}")


class Database:
    """A database with two kinds of session, `read()` and `write()`, each for a `with` statement.

    A session waits at most `wait_ms` for others. At most `writers` sessions write or wait to write (default: any
    number), so that a server's other threads can read; if those that wait make no progress, further ones are refused at
    once.
    """

    def __init__(self, url: str, *, wait_ms: int = BUSY_MS, writers: int | None = None) -> None:
        self.url, self.wait_ms = url, wait_ms
        self.engine = make_engine(url).execution_options(glimpse_wait_ms=wait_ms)
        self._places = threading.Semaphore(writers) if writers else None
        self._moved = 0.0  # when a writer last came or went
        # SQLite has one writer at a time, and others poll for the lock: threads of this process queue instead, so that
        # the next one starts as soon as the last one ends.
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else None
        weakref.finalize(self, self.engine.dispose)  # its connections close with it

    @contextmanager
    def read(self) -> Iterator[Session]:
        with Session(self.engine) as session:
            yield session

    @contextmanager
    def write(self, *, durable: bool = True) -> Iterator[Session]:
        """Commits when the block ends, rolls back when it raises.

        Not `durable`: on disk with the next durable transaction; it survives a crash of this process but not of the
        machine, and does not wait for the disk. After a block that sets `session.info["erased"]`, no file of a SQLite
        database holds the deleted data. Raises BusyError if no turn to write comes in time.
        """
        last = time.monotonic() + self.wait_ms / 1000
        with self._place(), self._own_turn(last):
            wait_ms = max(1, round(1000 * (last - time.monotonic())))
            how = {"glimpse_write": True if durable else "soon", "glimpse_wait_ms": wait_ms}
            with Session(self.engine.execution_options(**how)) as session, session.begin():
                if not durable and self.engine.dialect.name == "postgresql":
                    session.execute(text("SET LOCAL synchronous_commit TO off"))
                yield session
            if session.info.get("erased") and self.engine.dialect.name == "sqlite":
                self._empty_log()

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A place among the writers; refused after QUEUE_S, or at once if no writer has come or gone for that long."""
        if self._places is None:
            yield
            return
        stuck = time.monotonic() - self._moved > QUEUE_S
        if not self._places.acquire(timeout=0 if stuck else QUEUE_S):
            raise self._busy()
        self._moved = time.monotonic()
        try:
            yield
        finally:
            self._moved = time.monotonic()
            self._places.release()

    @contextmanager
    def _own_turn(self, last: float) -> Iterator[None]:
        if self._turn is None:
            yield
        elif self._turn.acquire(timeout=max(0.0, last - time.monotonic())):
            try:
                yield
            finally:
                self._turn.release()
        else:
            raise self._busy()

    def _busy(self) -> BusyError:
        return BusyError(
            f"The database {_shown(self.url)} is locked by another program, or answers arrive faster than it can store "
            "them: stop that program, or use PostgreSQL."
        )

    def _empty_log(self) -> None:
        """Empty the write-ahead log: it holds older pages, with text that is overwritten in the database itself.

        Waits at most 2 s for sessions that read older pages (writers wait, too), else leaves it to the next erasure.
        """
        connection = self.engine.raw_connection()
        try:
            for pragma in ("busy_timeout=2000", "wal_checkpoint(TRUNCATE)", f"busy_timeout={BUSY_MS}"):
                connection.cursor().execute(f"PRAGMA {pragma}").fetchall()
        finally:
            connection.close()


def open_database(workspace: Workspace) -> Database:
    """The workspace's database, migrated to this version's schema. Raises SurveyError for a missing SQLite file."""
    file = parse_url(workspace.database_url)
    if file.get_backend_name() == "sqlite" and not Path(file.database or "").exists():
        raise SurveyError(no_survey(workspace))
    upgrade(workspace.database_url)
    return Database(workspace.database_url)


def no_survey(workspace: Workspace) -> str:
    """The error for a workspace without a database, most often the wrong folder."""
    return (
        f"There is no survey in the workspace {workspace.root.resolve()}: name its workspace with --workspace DIR, or "
        f"start one: {next_step(workspace, '`')}."
    )


def app_database() -> Database:
    """The database of the application that answers this request."""
    from flask import current_app

    found: Database = current_app.extensions["glimpse"]
    return found


# ------------------------------------------------------------------------------------------------ migrations


def alembic_config(url: str) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["database_url"] = url
    return config


def current(url: str) -> str | None:
    """The database's schema revision; None for an empty database or a missing file, which is not created.

    Reads Alembic's table without importing Alembic, which takes as long as the rest of a short command.
    Raises SurveyError when it cannot be reached.
    """
    file = parse_url(url)
    if file.get_backend_name() == "sqlite" and file.database and not Path(file.database).exists():
        return None
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            known = inspect(connection).has_table("alembic_version")
            return connection.scalar(text("SELECT version_num FROM alembic_version")) if known else None
    except exc.DBAPIError as error:
        raise described(error, url) or error from None
    finally:
        engine.dispose()


def current_if_known(url: str) -> str | None:
    """`current` of a database that this version can migrate. Raises SurveyError for a newer schema."""
    found = current(url)
    if found in (None, SURVEY_SCHEMA):
        return found
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory.from_config(alembic_config(url)).walk_revisions()
    if found not in {script.revision for script in scripts}:
        raise SurveyError(
            f"The database {_shown(url)} has schema {found}, newer than this version of Glimpse knows "
            f"(up to {SURVEY_SCHEMA}): use the newer version, or another database."
        )
    return found


def upgrade(url: str) -> tuple[str | None, str]:
    """Bring the database to this version's schema; returns the revisions before and after.

    Raises SurveyError for a newer schema, or a database that cannot be opened or written.
    """
    before = current_if_known(url)
    if before != SURVEY_SCHEMA:
        from alembic import command

        try:
            command.upgrade(alembic_config(url), SURVEY_SCHEMA)
        except exc.DBAPIError as error:
            raise described(error, url) or error from None
    return before, SURVEY_SCHEMA


def described(error: Exception, url: str) -> SurveyError | None:
    """One sentence for an error of the database; None for any other error."""
    if not isinstance(error, exc.DBAPIError):
        return None
    reason, shown = _reason(error), _shown(url)
    if "malformed" in reason or "not a database" in reason:
        return SurveyError(f"The database {shown} is damaged ({reason}): restore a copy made by `study_app backup`.")
    if "full" in reason or "No space left" in reason:
        return SurveyError(f"The disk with the database {shown} is full: free some space on it.")
    if "readonly" in reason or "read-only" in reason:
        return SurveyError(f"The database {shown} is read-only: make the file and its folder writable for this user.")
    if "unable to open" in reason:
        return SurveyError(f"The database {shown} cannot be opened: check that its folder exists and can be written.")
    if "locked" in reason or "lock timeout" in reason:
        return SurveyError(f"The database {shown} is locked by another program: stop that program, or try again later.")
    if isinstance(error, exc.OperationalError) and parse_url(url).get_backend_name() != "sqlite":
        return SurveyError(
            f"The database {shown} cannot be reached ({reason}): start its server, or correct the address."
        )
    return SurveyError(f"The database {shown} cannot be used: {reason}.")


def _shown(url: str) -> str:
    return parse_url(url).render_as_string(hide_password=True)


def _unusable(error: Exception) -> SurveyError:
    return SurveyError(
        f"DATABASE_URL cannot be used ({error}): give sqlite:///FILE or postgresql://USER@HOST/NAME "
        f"(for PostgreSQL: {how_to_install('postgres')})."
    )


def _reason(error: exc.DBAPIError) -> str:
    return next(iter(str(error.orig).splitlines()), type(error).__name__).rstrip(".")
