"""Experimenters: their accounts, the log of what they did, and the command `study_app user`."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING

from glimpse.command_line import Commands
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from study_app.models import Study

FIRST = "admin"  # the experimenter with the password of the environment
NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
SHORTEST = 10  # characters of a password


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "user", help="give experimenters passwords for the dashboard",
        description="Give each experimenter a password for the dashboard, whose log says who changed what. The "
        f"password in GLIMPSE_ADMIN_PASSWORD keeps working, for the user '{FIRST}'.",
    )  # fmt: skip
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, run, words in (
        ("add", add, "add an experimenter, or change the password of one; the password is read from the terminal, or "
         "from the first line of the standard input"),
        ("remove", remove, "remove an experimenter and end their sessions"),
        ("list", list_accounts, "list the experimenters"),
    ):  # fmt: skip
        action = actions.add_parser(name, help=words, description=f"{words.capitalize()}.")
        action.set_defaults(run=run)
        if run is not list_accounts:
            action.add_argument("name", metavar="NAME", help="the experimenter's name: letters, digits and . _ @ -")


def add(args: argparse.Namespace, workspace: Workspace) -> None:
    from werkzeug.security import generate_password_hash

    from study_app import models
    from study_app.database import SurveyError, open_database

    if not NAME.fullmatch(args.name) or args.name == FIRST:
        raise SurveyError(
            f"'{args.name}' cannot be a name: give letters, digits and . _ @ -, at most 64 characters, not '{FIRST}'."
        )
    database = open_database(workspace)
    password = _password()
    with database.write() as session:
        known = session.get(models.Experimenter, args.name) is not None
        session.merge(models.Experimenter(name=args.name, password=generate_password_hash(password)))
        record(session, "change password" if known else "add user", about=args.name)
    if known:
        print(f"The password of '{args.name}' is changed; their sessions have ended.")
    else:
        print(f"'{args.name}' can log in at /admin/. If the server runs without a dashboard, start it again.")


def _password() -> str:
    """Typed twice at a terminal, else the first line of the standard input."""
    import sys
    from getpass import getpass

    from study_app.database import SurveyError

    if sys.stdin.isatty():
        given = getpass("Password: ")
        if getpass("Again: ") != given:
            raise SurveyError("The two passwords differ: nothing was changed.")
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    if len(given) < SHORTEST:
        raise SurveyError(f"The password has {len(given)} characters: give at least {SHORTEST}.")
    return given


def remove(args: argparse.Namespace, workspace: Workspace) -> None:
    from study_app import models
    from study_app.database import SurveyError, open_database

    with open_database(workspace).write() as session:
        found = session.get(models.Experimenter, args.name)
        if found is None:
            raise SurveyError(f"There is no user '{args.name}': `study_app user list` shows them.")
        session.delete(found)
        record(session, "remove user", about=args.name)
    print(f"'{args.name}' is removed; their sessions have ended.")


def list_accounts(args: argparse.Namespace, workspace: Workspace) -> None:
    from sqlalchemy import select

    from study_app import models
    from study_app.database import open_database

    with open_database(workspace).read() as session:
        for one in session.scalars(select(models.Experimenter).order_by(models.Experimenter.name)):
            print(f"{one.name}  since {one.since:%Y-%m-%d}")


# ------------------------------------------------------------------------------------------------ the log


def record(session: Session, did: str, study: Study | None = None, about: str = "", who: str = "") -> None:
    """Log what was done, in the transaction that does it: by `who`, else by the experimenter of this request, else by
    the user of the command line."""
    from study_app.models import LogEntry

    session.add(LogEntry(who=who or _who(), did=did, study_id=study and study.id, about=about))


def _who() -> str:
    import getpass

    from flask import has_request_context
    from flask import session as cookie

    if has_request_context():
        return str(cookie.get("name", FIRST))
    try:
        return f"{getpass.getuser()} (command line)"
    except (OSError, KeyError, ImportError):  # no name is known for this user
        return "command line"


def log_of(session: Session, study: Study | None, limit: int | None = None, offset: int = 0) -> list[dict[str, str]]:
    """The entries of this study, and those that concern no single study; the newest first."""
    from sqlalchemy import or_, select

    from study_app.models import LogEntry
    from study_app.orm import iso

    mine = or_(LogEntry.study_id.is_(None), LogEntry.study_id == (study and study.id))
    rows = session.scalars(select(LogEntry).where(mine).order_by(LogEntry.id.desc()).limit(limit).offset(offset))
    return [{"at": iso(row.at), "who": row.who, "did": row.did, "about": row.about} for row in rows]
