"""`study_app backup`: a consistent copy of a SQLite database while the survey is running."""

from __future__ import annotations

import argparse
from pathlib import Path

from glimpse.command_line import Commands, counted
from glimpse.workspace import Workspace


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "backup", help="copy the database, even while the survey is being served",
        description="Copy the SQLite database, even while the survey is being served. To restore: stop the server, "
        "replace study.db with the copy, remove study.db-wal and study.db-shm, and start the server; participants "
        "continue from the state of the copy.",
    )  # fmt: skip
    parser.add_argument(
        "file", nargs="?", metavar="FILE", help="the copy (default: backups/study-TIME.db in the workspace)"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, workspace: Workspace) -> None:
    from study_app.database import SurveyError, no_survey, parse_url
    from study_app.models import now

    url = parse_url(workspace.database_url)
    if url.get_backend_name() != "sqlite":
        raise SurveyError("This survey's database is not SQLite: back it up with the database's own tool, `pg_dump`.")
    source = Path(url.database or "")
    if not source.is_file():
        raise SurveyError(no_survey(workspace))
    target = Path(args.file) if args.file else workspace.root / "backups" / f"study-{now():%Y%m%d-%H%M%S}.db"
    answers = copy(source, target)
    print(f"{target}: {counted(answers, 'answer')}.")


def copy(source: Path, target: Path) -> int:
    """Copy a live SQLite database as it is at one moment, check the copy, and put it in place; returns its answers.

    Raises SurveyError when the copy is damaged, or `target` is another file; `target` is then unchanged.
    """
    import sqlite3
    from contextlib import closing
    from urllib.parse import quote

    from glimpse.files import atomic_file
    from study_app.database import SurveyError

    if target.is_dir():
        raise SurveyError(f"{target} is a folder: name the file for the copy, such as {target / 'study.db'}.")
    if target.exists() and target.samefile(source):
        raise SurveyError(f"{target} is the database itself: name another file for the copy.")
    if target.exists() and not _is_sqlite(target):
        raise SurveyError(f"{target} exists and is not an earlier copy: name another file.")
    try:
        with (
            atomic_file(target) as temporary,
            closing(sqlite3.connect(f"file:{quote(str(source))}?mode=ro", uri=True)) as live,
            closing(sqlite3.connect(temporary)) as new,
        ):
            live.backup(new)  # all pages in one step: a consistent snapshot, also while others write
            new.execute("PRAGMA journal_mode=DELETE")  # a single file, without a log
            problems = [row[0] for row in new.execute("PRAGMA integrity_check")]
            if problems != ["ok"]:
                raise sqlite3.DatabaseError(problems[0])
            (answers,) = new.execute("SELECT COUNT(*) FROM trial WHERE answer IS NOT NULL").fetchone()
    except sqlite3.Error as error:
        raise SurveyError(
            f"{source} cannot be copied ({' '.join(str(error).split())}): nothing was written. Check the "
            "disk; if the database is damaged, restore an earlier copy."
        ) from None
    target.chmod(source.stat().st_mode & 0o777)  # the copy is no more readable than the database
    return int(answers)


def _is_sqlite(path: Path) -> bool:
    if not path.is_file():  # a device, say
        return False
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"
