"""`study_app db upgrade | current`: migrate the database by hand, or print its schema."""

from __future__ import annotations

import argparse
from pathlib import Path

from glimpse.command_line import Commands, next_step
from glimpse.workspace import Workspace


def add_commands(commands: Commands) -> None:
    parser = commands.add_parser(
        "db",
        help="migrate the database, or print its schema revision",
        description="Migrate the database, or print the revision of its schema.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, run, words in (
        ("upgrade", upgrade, "create the database, or migrate it to the schema of this version"),
        ("current", current, "print the revision of the database's schema"),
    ):
        actions.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.").set_defaults(run=run)


def upgrade(args: argparse.Namespace, workspace: Workspace) -> None:
    from study_app import database

    url = database.parse_url(workspace.database_url)
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").parent.is_dir():
        raise database.SurveyError(database.no_survey(workspace))  # most often a wrong folder
    before, after = database.upgrade(workspace.database_url)
    if before == after:
        print(f"The database is already at schema {after}.")
    else:
        print(f"The database went from schema {before or '(none)'} to {after}. Next: {next_step(workspace)}")


def current(args: argparse.Namespace, workspace: Workspace) -> None:
    from study_app import database

    found = database.current(workspace.database_url)
    newest = database.SURVEY_SCHEMA
    print(f"{found or '(none)'}" + (" (head)" if found == newest else f" (this version knows up to {newest})"))
