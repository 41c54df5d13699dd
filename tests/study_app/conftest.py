"""Fixtures of the survey's tests: small stimulus sets, a study of them, and each of the two databases."""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from glimpse.stimuli import Source, StimulusSet, write_stimulus_set
from glimpse.workspace import Workspace
from study_app import cli, create_app
from study_app.security import secret_key
from tests.study_app.cluster import Cluster, private_cluster, skip_without_postgresql

hashlib.scrypt = functools.cache(hashlib.scrypt)  # slow on purpose, and the same for the same password and salt


def publish(
    workspace: Workspace, name: str, *, count: int = 12, practice: int = 2, size: int = 16, pool: str = ""
) -> StimulusSet:
    """A stimulus set of `count` real (dark) and `count` generated (bright) images of noise, and some for practice.

    Sets with the same `pool` have the same real images.
    """
    rng = np.random.default_rng([*name.encode()])
    rngs = {"generated": rng, "real": np.random.default_rng([*pool.encode()]) if pool else rng}

    def sources() -> Iterator[Source]:
        for i in range(count + practice):
            for truth, level in (("real", 60), ("generated", 190)):
                pixels = rngs[truth].integers(level - 50, level + 50, (size, size, 3), dtype=np.uint8)
                yield Source(pixels, truth, {"number": i}, practice=i >= count)

    made_from = {"run": name, "image set": name, "hashes": {}}
    return write_stimulus_set(
        workspace.root / "stimuli" / name, label=name.title(), sources=sources(), made_from=made_from
    )


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """A PostgreSQL cluster for this run; without one, its tests are skipped, or fail if it is required."""
    skip_without_postgresql()
    with private_cluster() as cluster:
        yield cluster


# Tests of pages: what they ask of the database, tests of both databases ask, too. With PostgreSQL they are marked slow.
OF_PAGES = {
    "test_admin.py", "test_crowd.py", "test_device.py", "test_export.py", "test_implausible.py", "test_modes.py",
    "test_simulate.py", "test_survey.py", "test_tasks.py", "test_withdrawal.py",
}  # fmt: skip
OF_BOTH = {  # of these files, the tests that go through all tables
    "test_a_participant_goes_through_all_trials_and_each_answer_is_stored_once",
    "test_file_names_columns_and_description_agree",
}


@pytest.hookimpl(tryfirst=True)  # before -m chooses by marker
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        given = getattr(item, "callspec", None)
        of_pages = item.path.name in OF_PAGES and getattr(item, "originalname", "") not in OF_BOTH
        if given and given.params.get("kind") == "postgresql" and of_pages:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """The two databases, one after the other."""
    return str(request.param)


@pytest.fixture
def database_url(
    kind: str, request: pytest.FixtureRequest, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """An empty database of each kind; the commands of the test use it by default."""
    yield from _database(kind, request, workspace, monkeypatch, like="")


def _database(
    kind: str, request: pytest.FixtureRequest, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, like: str
) -> Iterator[str]:
    if kind == "sqlite":
        yield workspace.database_url
        return
    cluster = request.getfixturevalue("postgres")
    url = cluster.new_database(like)
    monkeypatch.setenv("DATABASE_URL", url)
    yield url
    cluster.drop(url)


@pytest.fixture(scope="session")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the workspaces that `copy_of` copies."""
    return tmp_path_factory.mktemp("templates")


@pytest.fixture
def copy_of(
    kind: str, request: pytest.FixtureRequest, workspace: Workspace, templates: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[Callable[[Workspace], None]], None]]:
    """Fills the test's workspace and database as `make` does, which runs once for each kind of database."""
    with contextlib.ExitStack() as databases:

        def copy(make: Callable[[Workspace], None]) -> None:
            template = Workspace.at(templates / f"{make.__name__}-{kind}")
            note = template.root / "database"
            if not note.exists():
                with pytest.MonkeyPatch.context() as patch:
                    patch.setenv("GLIMPSE_WORKSPACE", str(template.root))
                    if kind == "postgresql":
                        patch.setenv("DATABASE_URL", request.getfixturevalue("postgres").new_database())
                    make(template)
                    note.write_text(template.database_url)
                gc.collect()  # closes the connections: PostgreSQL copies no database in use
            shutil.copytree(template.root, workspace.root)
            made = contextlib.contextmanager(_database)(kind, request, workspace, monkeypatch, like=note.read_text())
            databases.enter_context(made)

        yield copy


def pilot(workspace: Workspace) -> None:
    """The study `pilot` of two sets, six real and six generated images per person."""
    for name in ("alpha", "beta"):
        publish(workspace, name)
    secret_key(workspace.root / "secret.key")  # one for all copies: so the password's hash is the same, too
    load(workspace, "pilot", 'sets = [{ name = "alpha" }, { name = "beta" }]\n[trials]\ncount = 12\n')


def answered_pilot(workspace: Workspace) -> None:
    """The study `pilot` with three simulated participants."""
    pilot(workspace)
    assert cli.main(["simulate", "--participants", "3"]) == 0


@pytest.fixture
def study(copy_of: Callable[[Callable[[Workspace], None]], None]) -> str:
    """The slug of `pilot`, open and without answers, in each kind of database."""
    copy_of(pilot)
    return "pilot"


def load(workspace: Workspace, slug: str, toml: str) -> str:
    """Load a study file of this text; returns its slug."""
    path = workspace.root / f"{slug}.toml"
    path.write_text(f'slug = "{slug}"\n{toml}')
    assert cli.main(["load", str(path), "--workspace", str(workspace.root)]) == 0
    return slug


@pytest.fixture
def make_app(workspace: Workspace) -> Iterator[Callable[..., Flask]]:
    """Makes applications of this workspace, and closes their databases in the end."""
    made = []

    def make(**config: object) -> Flask:
        made.append(create_app({"WORKSPACE": workspace, "TESTING": True, **config}))
        return made[-1]

    yield make
    for app in made:
        app.extensions["glimpse"].engine.dispose()


@pytest.fixture
def app(study: str, make_app: Callable[..., Flask]) -> Flask:
    return make_app(ADMIN_PASSWORD="open sesame")


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
