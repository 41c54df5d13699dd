"""Fixtures of all tests: a new workspace, and the real photos if they are on this machine."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from glimpse.workspace import Workspace

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as every command sets it, before torch is loaded
os.environ.setdefault("OMP_NUM_THREADS", "1")  # before NumPy is: on small arrays more threads take twice the time

gc.disable()  # until all tests are imported: a million objects that stay, which each full collection would visit


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that take or wait longest come first, and short ones last, which keep all processes busy to the end."""
    items.sort(key=lambda item: not ({"browser", "test_contracts.py", "test_readme.py"} & {*item.path.parts[-2:]}))


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace, which every command of this test finds by itself."""
    monkeypatch.setenv("GLIMPSE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return Workspace.at()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photos and survey data that `$GLIMPSE_REAL_DATA` names; skips where it is unset."""
    folder = os.environ.get("GLIMPSE_REAL_DATA")
    if not folder:
        pytest.skip("set GLIMPSE_REAL_DATA to the folder of real photos to run the tests on real data")
    return Path(folder)
