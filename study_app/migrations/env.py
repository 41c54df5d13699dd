"""How Alembic finds the database: the one it is given, else that of the workspace."""

from __future__ import annotations

from alembic import context

from gan_core.workspace import Workspace
from study_app.database import make_engine
from study_app.models import Base


def run() -> None:
    url = context.config.attributes.get("database_url") or Workspace.at().database_url
    engine = make_engine(url).execution_options(glimpse_write=True)
    with engine.connect() as connection:
        context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
