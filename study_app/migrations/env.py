"""Alembic's environment: migrates the database it is given, else (on its own command line) the workspace's."""

from __future__ import annotations

import sys

from alembic import context

from glimpse.command_line import run_command
from glimpse.workspace import Workspace
from study_app.database import current_if_known, make_engine
from study_app.models import Base


def run(url: str) -> None:
    engine = make_engine(url).execution_options(glimpse_write=True)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


def run_alone() -> None:
    url = Workspace.at().database_url
    current_if_known(url)
    run(url)


if given := context.config.attributes.get("database_url"):
    run(given)
elif code := run_command(run_alone):
    sys.exit(code)
