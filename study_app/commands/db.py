"""`study_app db upgrade | current`: the schema of the database, for those who want to move it by hand."""

from __future__ import annotations

import argparse
from typing import Any

from glimpse.workspace import Workspace


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    parser = commands.add_parser("db", help="bring the database to this version's schema, or say which it has")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    actions.add_parser("upgrade", parents=[common], help="create or migrate the database").set_defaults(run=upgrade)
    actions.add_parser("current", parents=[common], help="print the schema's revision").set_defaults(run=current)


def upgrade(args: argparse.Namespace, workspace: Workspace) -> None:
    from study_app import database

    before, after = database.upgrade(workspace.database_url)
    if before == after:
        print(f"The database is at schema {after} already.")
    else:
        print(f"The database went from schema {before or '(none)'} to {after}. Next: study_app load STIMULI")


def current(args: argparse.Namespace, workspace: Workspace) -> None:
    from study_app import database

    found = database.current(workspace.database_url)
    newest = database.SURVEY_SCHEMA
    print(f"{found or '(none)'}" + (" (head)" if found == newest else f" (this version knows up to {newest})"))
