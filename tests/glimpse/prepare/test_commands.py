"""`gan_core prepare` on the command line: its messages, and errors of one sentence."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gan_core.cli import main
from glimpse.imageset import ImageSet
from glimpse.prepare.preview import LINE
from glimpse.workspace import Workspace
from tests.glimpse.prepare.photos import lay_down, save
from tests.glimpse.prepare.test_isic import ham10000


def test_patches_from_the_command_line(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, masks = lay_down(tmp_path)
    command = ["prepare", "patches", "--photos", str(photos), "--lesion-masks", str(masks), "--size", "16",
               "--stride", "8", "--coverage", "0.2", "0.7", "--test-photos", "2", "--licence", "CC0"]  # fmt: skip
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "healthy: " in said
    assert "eczema/preview.png" in said
    assert main(command) == 0
    assert capsys.readouterr().out.count("already there, unchanged") == 2
    for name, outlined in (("healthy", False), ("eczema", True)):
        images = ImageSet.load(workspace.existing("images", name))
        assert images.manifest["licence"] == "CC0"
        with Image.open(images.folder / "preview.png") as preview:
            assert preview.width > 300
            line = (np.abs(np.asarray(preview).astype(int) - LINE).max(axis=-1) < 20).sum()
        assert line > 40 * len(images) if outlined else line == 0, "lesions are outlined, in a colour of no skin"


@pytest.mark.parametrize(
    "arguments",
    [["SRC", "--label", "DF", "MEL"], ["--label", "DF", "MEL", "SRC"], ["--label", "df", "mel", "--", "SRC"]],
)
def test_the_folder_can_come_before_or_after_the_labels(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    ham10000(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "DF").mkdir()  # a folder that is called like a label does not make it a place
    command = [str(tmp_path) if argument == "SRC" else argument for argument in arguments]
    assert main(["prepare", "isic", "--size", "32", *command]) == 0
    assert workspace.names("images") == ["df", "mel"]


def test_the_licence_of_hands_and_lesions_is_kept_too(tmp_path: Path, workspace: Workspace) -> None:
    ham10000(tmp_path)
    for command in (["isic", "--label", "DF", "--size", "32"], ["hands", "--size", "32x32"]):
        assert main(["prepare", *command, str(tmp_path), "--licence", "CC BY-NC 4.0"]) == 0
    for name in ("df", "hands"):
        assert ImageSet.load(workspace.existing("images", name)).manifest["licence"] == "CC BY-NC 4.0"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["isic", "nowhere", "--label", "DF"], "nowhere does not exist"),
        (["isic", "--label", "DF"], "Name the folder or zip"),
        (["isic", "--label", "."], "Name at least one --label: MEL, NV"),
        (["isic", ".", "--label", "DF", "--labels-csv", "no.csv"], "There is no photo in ."),
        (["isic", ".", "--label", "DF"], "There is no photo in ."),
        (["hands", "."], "There is no photo in ."),
        (["hands", ".", "--name", "My Hands"], "'My Hands' cannot be a name"),
        (["patches", "--photos", ".", "--lesion-masks", "."], "There is no photo in ."),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], sentence: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    if "My Hands" in arguments:
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save("a.png")
    assert main(["prepare", *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["patches", "--photos", ".", "--lesion-masks", ".", "--coverage", "0.8", "0.1"], "--coverage"),
        (
            ["patches", "--photos", ".", "--lesion-masks", ".", "--names", "a", "a"],
            "Both image sets would be called 'a'",
        ),
        (["patches", "--photos", ".", "--lesion-masks", ".", "--stride", "0"], "0 is not a positive number"),
        (["isic", ".", "--label", "DF", "--test-share", "1"], "1 is not a share"),
        (["hands", ".", "--size", "640"], "640 is not a size"),
        (["hands", ".", "--seed", "-1"], "-1 is not a valid seed: use 0 to"),
        (
            ["hands", ".", "--window", "9", "3"],
            "--window takes a lower and a higher value, as in --window 0 4095, or auto",
        ),
        (["hands", ".", "--window", "dark", "9"], "argument --window: 'dark' is not a number"),
        (
            ["patches", "--photos", ".", "--lesion-masks", ".", "--mask-threshold", "256"],
            "256 is neither a level from 1",
        ),
        (["phantom", "--seed", "-1"], "-1 is not a valid seed"),
    ],
)
def test_an_impossible_option_is_refused(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    try:
        code = main(["prepare", *arguments])
    except SystemExit as stop:  # argparse's own way out
        code = int(stop.code or 0)
    assert code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["--window", "auto", "SRC"], ["SRC", "--window=auto"], ["--window", "0", "4095", "SRC"]]
)
def test_a_window_can_come_before_or_after_the_folder(tmp_path: Path, workspace: Workspace, words: list[str]) -> None:
    values = np.linspace(0, 4095, 48 * 64).reshape(48, 64).astype(np.uint16)
    for i in range(3):
        save(tmp_path / "photos" / f"a{i}.png", np.roll(values, 5 * i, 0))
    command = [str(tmp_path / "photos") if word == "SRC" else word for word in words]
    assert main(["prepare", "folder", *command, "--name", "xray", "--size", "16", "--json"]) == 0
    images = ImageSet.load(workspace.existing("images", "xray"))
    assert images.images.max() > 240
    assert images.manifest["options"]["window"] in ("auto", [0, 4095])


def test_a_workspace_that_is_a_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, masks = lay_down(tmp_path)
    (tmp_path / "file").write_text("")
    command = ["prepare", "patches", "--photos", str(photos), "--lesion-masks", str(masks), "--size", "16"]
    assert main([*command, "--workspace", str(tmp_path / "file")]) == 2
    assert "choose another path, for example with --workspace" in capsys.readouterr().err


def test_json_describes_each_set_that_was_made_or_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photos, masks = lay_down(tmp_path)
    command = ["prepare", "patches", "--photos", str(photos), "--lesion-masks", str(masks), "--size", "16", "--json"]
    command += ["--workspace", str(tmp_path / "w")]
    for new in (True, False):
        assert main(command) == 0
        sets = json.loads(capsys.readouterr().out)
        assert [one["name"] for one in sets] == Workspace.at(tmp_path / "w").names("images")[::-1]
        assert all(
            one["new"] is new and one["images"] == one["counts"]["train"] + one["counts"]["test"] for one in sets
        )
        assert all(one["images"] == one["counts"]["train"] + one["counts"]["test"] for one in sets)
