"""Reuse of finished work that is the same, different or damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from glimpse.files import GlimpseError, WorkspaceError, write_json
from glimpse.reuse import existing

REFUSAL = GlimpseError("It was made from something else.")


def load(folder: Path) -> str:
    return folder.name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json(tmp_path / "set" / "manifest.json", {"made_from": {"photos": "abc", "seed": 1}, "size": [2, 3]})
    return tmp_path / "set"


def test_the_same_work_is_reused(folder: Path) -> None:
    same = {"made_from": {"photos": "abc", "seed": 1}, "size": (2, 3)}
    assert existing(folder, same, load) == existing(folder, same, load, refusal=REFUSAL) == "set"
    assert existing(folder, {"made_from.seed": 1}, load) == "set"
    assert existing(folder, same, load, overwrite=True) is None
    assert existing(folder.with_name("other"), same, load, refusal=REFUSAL) is None


@pytest.mark.parametrize(
    "other",
    [
        {"made_from": {"photos": "abc"}},
        {"size": [3, 2]},
        {"made_from.seed": 2},
        {"size.seed": 1},
        {"size": [2, 3], "made_from.seed": 2},
    ],
)
def test_different_work_is_made_again_or_refused(folder: Path, other: dict[str, object]) -> None:
    assert existing(folder, other, load) is None
    assert existing(folder, other, load, refusal=REFUSAL, overwrite=True) is None
    with pytest.raises(GlimpseError, match="something else"):
        existing(folder, other, load, refusal=REFUSAL)


def test_damage_is_made_again_or_reported(folder: Path) -> None:
    def damaged(folder: Path) -> str:
        raise WorkspaceError("images.npy is damaged.")

    assert existing(folder, {"size": [2, 3]}, damaged) is None
    with pytest.raises(WorkspaceError, match="damaged"):
        existing(folder, {"size": [2, 3]}, damaged, refusal=REFUSAL)
    (folder / "manifest.json").write_text('{"schema": 99}')
    assert existing(folder, {}, load) is None
    with pytest.raises(WorkspaceError, match="schema 99"):
        existing(folder, {}, load, refusal=REFUSAL)
