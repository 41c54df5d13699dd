"""Migrations keep the data, up and down, in both databases."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import config as alembic_cli
from sqlalchemy import insert, inspect, select, text
from sqlalchemy.exc import IntegrityError

from glimpse.workspace import SURVEY_SCHEMA, Workspace
from study_app import cli, database, models
from study_app.models import Base
from tests.study_app.conftest import answered_pilot

ALEMBIC_INI = Path(__file__).parents[2] / "alembic.ini"
TABLES = sorted(Base.metadata.tables)


def contents(url: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table."""
    with database.Database(url).read() as session:
        rows = {table: session.execute(text(f"SELECT * FROM {table}")).mappings().all() for table in TABLES}
    return {table: sorted((dict(row) for row in found), key=repr) for table, found in rows.items()}


@pytest.fixture
def filled(workspace: Workspace, copy_of: Callable[..., None]) -> str:
    """The URL of a database that holds finished participants."""
    copy_of(answered_pilot)
    return workspace.database_url


def test_the_schema_that_the_analysis_reads_is_the_newest() -> None:
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(database.alembic_config(""))
    assert script.get_current_head() == SURVEY_SCHEMA, "a migration was added: check that analysis reads its views"


def test_a_database_of_this_version_is_opened_without_alembic(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "alembic", None)
    monkeypatch.setitem(sys.modules, "alembic.script", None)
    assert database.upgrade(filled) == (SURVEY_SCHEMA, SURVEY_SCHEMA)


def test_down_and_up_again_takes_every_row_back(filled: str) -> None:
    from alembic import command

    before = contents(filled)
    assert len(before["trial"]) == 36
    with database.Database(filled).read() as session:
        rows = {table: session.execute(select(table)).all() for table in Base.metadata.sorted_tables}
    command.downgrade(database.alembic_config(filled), "base")
    assert database.current(filled) is None
    assert database.upgrade(filled) == (None, SURVEY_SCHEMA)
    with database.Database(filled).write() as session:
        for table, found in rows.items():
            if found:
                session.execute(insert(table), [dict(row._mapping) for row in found])
    assert contents(filled) == before
    with database.Database(filled).read() as session:
        assert session.execute(text("SELECT COUNT(*) FROM responses")).scalar() == 36
        assert session.execute(text("SELECT excluded FROM participants")).scalars().all() == [0, 0, 0]


def test_a_state_mode_or_kind_that_does_not_exist_is_refused(filled: str) -> None:
    columns = {
        "study.state": models.STUDY_STATES, "study_version.mode": models.MODES,
        "participant.state": models.PARTICIPANT_STATES, "trial.kind": models.TRIAL_KINDS,
    }  # fmt: skip
    for column, words in columns.items():
        table, name = column.split(".")
        for word in words:
            with database.Database(filled).write() as session:
                session.execute(text(f"UPDATE {table} SET {name} = '{word}'"))
        with pytest.raises(IntegrityError), database.Database(filled).write() as session:
            session.execute(text(f"UPDATE {table} SET {name} = 'unknown'"))


def test_all_the_way_down_leaves_nothing(filled: str) -> None:
    from alembic import command

    command.downgrade(database.alembic_config(filled), "base")
    with database.Database(filled).read() as session:
        left = inspect(session.connection())
        assert (left.get_table_names(), left.get_view_names()) == (["alembic_version"], [])


def test_the_migrations_make_what_the_models_say(filled: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.Database(filled).read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_a_database_from_a_newer_version_is_left_alone(filled: str, capsys: pytest.CaptureFixture[str]) -> None:
    with database.Database(filled).write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert cli.main(["status"]) == 2
    assert "newer" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stopped:  # as `alembic upgrade head` does it in a checkout
        alembic_cli.main(["-c", str(ALEMBIC_INI), "upgrade", "head"])
    assert stopped.value.code == 2
    assert "has schema 9999, newer than" in capsys.readouterr().err


def test_asking_for_the_schema_makes_no_database(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["db", "current"]) == 0
    assert "(none)" in capsys.readouterr().out
    assert not workspace.root.exists()
