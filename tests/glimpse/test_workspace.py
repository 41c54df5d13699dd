"""The workspace: nothing is left half-written, and files that differ from their manifest are refused."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from glimpse import files
from glimpse.command_line import did_you_mean, run_command
from glimpse.files import (
    GlimpseError,
    WorkspaceError,
    atomic_file,
    atomic_folder,
    read_json,
    replacing,
    sha256_file,
    sha256_json,
    stand_aside,
    verify,
    write_json,
)
from glimpse.workspace import Workspace


def test_a_workspace_is_the_option_else_the_variable_else_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMPSE_WORKSPACE", "from-variable")
    assert Workspace.at("from-option").root == Path("from-option")
    assert Workspace.at().root == Path("from-variable")
    monkeypatch.delenv("GLIMPSE_WORKSPACE")
    assert Workspace.at().root == Path("workspace")


def test_the_database_is_the_workspaces_own_unless_a_variable_names_one(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert workspace.database_url == f"sqlite:///{workspace.root.resolve() / 'study.db'}"
    monkeypatch.setenv("DATABASE_URL", "postgresql+psycopg:///glimpse")
    assert workspace.database_url == "postgresql+psycopg:///glimpse"


def test_a_missing_folder_is_made_by_a_command_that_names_it_and_the_workspace(tmp_path: Path) -> None:
    elsewhere = Workspace(tmp_path / "my work")
    with pytest.raises(WorkspaceError, match=r"`gan_core prepare folder PHOTOS --name naevi --workspace '.*/my work'`"):
        elsewhere.existing("images", "naevi")


@pytest.mark.parametrize("name", ["", "../up", "a b", "-x", "UPPER", "x" * 65, ".hidden", "a/b"])
def test_a_name_that_cannot_be_a_folder_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(WorkspaceError, match="cannot be a name"):
        workspace.new("images", name)


def test_what_is_not_there_is_named_with_what_is_and_how_to_make_it(workspace: Workspace) -> None:
    write_json(workspace.new("images", "mel") / "manifest.json", {})
    with pytest.raises(WorkspaceError, match=r"no image set 'df' .*\(there are: mel\).*gan_core prepare"):
        workspace.existing("images", "df")
    assert workspace.existing("images", "mel").name == "mel"


def test_a_folder_where_an_image_set_is_named_is_to_be_prepared_first(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLIMPSE_WORKSPACE", str(workspace.root))
    (tmp_path / "my photos").mkdir()
    with pytest.raises(WorkspaceError, match=r"with `gan_core prepare folder '.*/my photos'`, and give its name\.$"):
        workspace.existing("images", f"{tmp_path}/my photos")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "scores.json"
    write_json(target, {"value": "old"})
    with pytest.raises(ZeroDivisionError), atomic_file(target) as temporary:  # noqa: PT012
        temporary.write_text("half of the n")
        raise ZeroDivisionError
    assert read_json(target)["value"] == "old"
    assert os.listdir(tmp_path) == ["scores.json"]


def test_a_failed_folder_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "df"
    with atomic_folder(target) as building:
        (building / "a").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_folder(target) as building:  # noqa: PT012
        (building / "b").write_text("half of the n")
        raise ZeroDivisionError
    assert [p.name for p in target.iterdir()] == ["a"]
    assert os.listdir(tmp_path) == ["df"]


def test_a_new_folder_takes_the_place_of_the_old_one_whole(tmp_path: Path) -> None:
    target = tmp_path / "df"
    for name in ("a", "b"):
        with atomic_folder(target) as building:
            (building / name).write_text(name)
    assert [p.name for p in target.iterdir()] == ["b"]
    assert os.listdir(tmp_path) == ["df"]


def test_a_killed_command_leaves_the_old_folder_and_the_next_one_clears_up(tmp_path: Path) -> None:
    target = tmp_path / "df"
    with atomic_folder(target) as building:
        (building / "a").write_text("old")
    script = f"""
import time
from pathlib import Path
from glimpse.files import atomic_folder
with atomic_folder(Path({str(target)!r})) as building:
    (building / "b").write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
    assert [p.name for p in target.iterdir()] == ["a"]
    with atomic_folder(target) as building:
        (building / "c").write_text("new")
    assert os.listdir(tmp_path) == ["df"]
    assert [p.name for p in target.iterdir()] == ["c"]


@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_replaced_with_and_without_the_system_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(files, "_exchange", lambda one, other: False)
    for content in ("old", "new"):
        with atomic_folder(tmp_path / "set") as folder:
            (folder / "file").write_text(content)
    assert (tmp_path / "set" / "file").read_text() == "new"
    assert os.listdir(tmp_path) == ["set"]


@pytest.mark.parametrize(("written", "stays"), [((), "old"), (("config",), "old"), (("config", "checkpoint"), "new")])
def test_a_replacement_stays_once_it_has_its_marker(tmp_path: Path, written: tuple[str, ...], stays: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "config").write_text("old")
    (run / "checkpoint").write_text("old")

    def fail_midway() -> None:
        with replacing(run, until="checkpoint"):
            stand_aside(run)
            assert not run.exists()
            for name in written:
                run.mkdir(exist_ok=True)
                (run / name).write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_midway()
    assert {(run / name).read_text() for name in ("config", "checkpoint")} == {stays}
    assert os.listdir(tmp_path) == ["run"]


def test_a_folder_left_aside_by_a_killed_process_returns(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "checkpoint").touch()
    stand_aside(tmp_path / "run")
    (tmp_path / "run").mkdir()
    with replacing(tmp_path / "run", until="checkpoint"):
        assert (tmp_path / "run" / "checkpoint").exists()


def test_a_schema_of_the_future_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps({"schema": 2}))
    with pytest.raises(WorkspaceError, match=r"manifest\.json has schema 2, .* reads schema 1"):
        read_json(path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"])
def test_a_damaged_json_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(content)
    with pytest.raises(WorkspaceError, match=r"manifest\.json"):
        read_json(path)


def test_a_file_that_is_not_the_manifests_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "images.npy"
    path.write_bytes(b"pixels")
    verify(path, sha256_file(path))
    with pytest.raises(WorkspaceError, match=r"images\.npy is not the file"):
        verify(path, "0" * 64)
    with pytest.raises(WorkspaceError, match=r"missing"):
        verify(tmp_path / "masks.npy", "0" * 64)


def test_the_hash_of_a_json_value_does_not_depend_on_the_order_of_its_keys() -> None:
    assert sha256_json({"a": 1, "b": [2]}) == sha256_json({"b": [2], "a": 1})
    assert sha256_json({"a": 1}) != sha256_json({"a": 2})


def _raise(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (GlimpseError("There is no such thing: make one."), 2, "error: There is no such thing: make one."),
        (
            OSError(errno.ENOSPC, "No space left on device", "images.npy"),
            2,
            "error: images.npy: No space left on device. Free",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), 2, "error: A file in the workspace W: No space left"),
        (OSError(errno.EFBIG, "File too large"), 2, "error: A file in the workspace W: File too large. Raise"),
        (OSError(errno.EMFILE, "Too many open files", "a"), 2, "error: a: Too many open files. Raise the limit"),
        (OSError(errno.EIO, "Input/output error", "a"), 2, "error: a: Input/output error. The disk"),
        (PermissionError(errno.EACCES, "Permission denied", "/root/x"), 2, "error: /root/x: Permission denied. Choose"),
        (KeyboardInterrupt(), 130, "Stopped"),
    ],
)
def test_an_error_becomes_one_sentence_and_an_exit_code(
    error: BaseException, code: int, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(lambda: _raise(error), workspace=Workspace(Path("W"))) == code
    message = capsys.readouterr().err.strip()
    assert message.startswith(sentence)
    assert "\n" not in message


def test_a_bug_is_not_hidden_behind_a_sentence() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: _raise(ZeroDivisionError()))


def test_a_misspelt_word_gets_the_nearest_right_one() -> None:
    assert did_you_mean("learning_rate", ["lr", "learning-rate", "seed"]) == "did you mean 'learning-rate'?"
    assert did_you_mean("zzz", ["lr", "seed"]) == "choose from: lr, seed."


@pytest.mark.parametrize(
    "words", [["--workspace", "W", "runs"], ["runs", "--workspace", "W"], ["--workspace=W", "runs"]]
)
def test_the_workspace_is_named_before_or_after_the_command(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gan_core.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(words) == 0
    assert f"{Path('W', 'runs')}" in capsys.readouterr().out
