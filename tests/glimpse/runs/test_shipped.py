"""Generators that come with Glimpse: packed from runs on phantoms, installed as finished runs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from docs.shipped import copy_to_ship
from gan_core.cli import main
from gan_core.experiments import EXPERIMENTS, TrainingError, settings_for
from gan_core.sampling import generate
from gan_core.training.checkpoint import load_generators
from gan_core.training.run import CHANGEABLE
from glimpse.files import read_json, write_json
from glimpse.runs import shipped
from glimpse.workspace import Workspace
from tests.gan_core.tiny import make_set, trained

PHANTOM = {"scale": "demo", "seed": 0, "drawing": 1}


def phantoms(workspace: Workspace, seed: int = 0) -> None:
    """A tiny image set whose manifest says that it was drawn."""
    manifest = make_set(workspace, "df").folder / "manifest.json"
    write_json(manifest, {**read_json(manifest), "made_from": {"phantom": {**PHANTOM, "seed": seed}}})


@pytest.fixture(scope="module")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with a run of `df`, and beside it the run packed to ship."""
    made = Workspace.at(tmp_path_factory.mktemp("ship") / "workspace")
    phantoms(made)
    trained(made, "df", images=64, lr=1e-2)
    copy_to_ship(made, ["df"], made.root.parent / "shipped")
    return made


@pytest.fixture
def packed(trained_once: Workspace, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of `df`, packed to ship and to be installed in the empty workspace of this test."""
    monkeypatch.setattr(shipped, "SHIPPED", trained_once.root.parent / "shipped")
    return trained_once.existing("runs", "df")


def test_a_shipped_generator_becomes_a_finished_run_that_draws_the_same_images(
    packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Workspace.at()
    phantoms(here)
    assert main(["train", "df", "--shipped"]) == 0
    assert "Next: gan_core publish df" in capsys.readouterr().out
    ours, theirs = (next(generate(run, 8)) for run in (here.existing("runs", "df"), packed))
    assert np.abs(ours.astype(int) - theirs).max() <= 2  # half precision
    assert (shipped.SHIPPED / "df/generator.safetensors").stat().st_size < 0.7 * (
        packed / "generator.safetensors"
    ).stat().st_size
    assert main(["runs"]) == 0
    assert "finished" in capsys.readouterr().out
    assert main(["train", "df", "--shipped"]) == 0
    assert "the existing run is kept" in capsys.readouterr().out
    assert main(["publish", "df", "--count", "5"]) == 0


def test_a_shipped_run_is_not_trained_on_since_it_has_no_checkpoint(
    packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    phantoms(Workspace.at())
    assert main(["train", "df", "--shipped"]) == 0
    log = Workspace.at().existing("runs", "df") / "log.jsonl"
    before = log.read_bytes()
    assert main(["train", "df", "--resume", "--device", "cpu"]) == 0
    assert main(["train", "df", "--resume", "--set", "images=128", "--device", "cpu"]) == 2
    assert "no checkpoint" in capsys.readouterr().err
    assert log.read_bytes() == before


def test_without_its_phantoms_a_shipped_generator_says_how_to_draw_them(
    packed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "df", "--shipped"]) == 2
    error = capsys.readouterr().err
    assert "no image set 'df'" in error
    assert "gan_core prepare phantom" in error


@pytest.mark.parametrize("seed", [None, 1])
def test_on_other_images_a_shipped_generator_is_refused(
    packed: Path, seed: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    here = Workspace.at()
    if seed is None:
        make_set(here, "df")
    else:
        phantoms(here, seed)
    assert main(["train", "df", "--shipped"]) == 2
    assert capsys.readouterr().err.endswith(
        "but the image set 'df' holds other images: train it without --shipped, or use another workspace, in which "
        "`gan_core prepare phantom --workspace DIR` draws the phantoms.\n"
    )
    assert here.names("runs") == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mel"], "No generator of 'mel' comes with Glimpse"),
        (["df", "--set", "lr=1"], "--shipped trains nothing"),
        (["df", "--preset", "demo"], "--shipped trains nothing"),
    ],
)
def test_a_generator_that_cannot_be_installed_is_refused_in_a_sentence(
    packed: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    phantoms(Workspace.at())
    assert main(["train", *words, "--shipped"]) == 2
    assert said in capsys.readouterr().err


def test_another_run_of_the_same_name_stays_unless_it_may_be_replaced(packed: Path) -> None:
    here = Workspace.at()
    phantoms(here)
    ours = trained(here, "df") / "checkpoint.pt"
    assert main(["train", "df", "--shipped"]) == 0
    assert ours.exists()
    assert main(["train", "df", "--shipped", "--overwrite"]) == 0
    assert not ours.exists()


def test_all_eight_come_with_glimpse_in_eight_megabytes() -> None:
    for name in EXPERIMENTS:
        generators, metadata = load_generators(shipped.SHIPPED / name / "generator.safetensors")  # checks its hash
        assert list(generators) == list(EXPERIMENTS[name].makes)
        assert metadata["settings"] == read_json(shipped.SHIPPED / name / "config.json")["settings"]
        ours = asdict(settings_for(name, "shipped"))
        differing = {key for key, value in metadata["settings"].items() if ours[key] != value}
        assert differing <= set(CHANGEABLE), "`gan_core train --preset shipped` would make them again"
    assert sum(file.stat().st_size for file in shipped.SHIPPED.rglob("*")) < 8_000_000


def test_runs_on_photos_are_not_packed(workspace: Workspace, tmp_path: Path) -> None:
    make_set(workspace, "df")
    trained(workspace, "df")
    with pytest.raises(TrainingError, match="not trained on phantoms"):
        copy_to_ship(workspace, ["df"], tmp_path / "shipped")
