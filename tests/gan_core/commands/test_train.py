"""`gan_core train` and `gan_core runs`: what they begin, resume, refuse and say."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_core.cli import main
from gan_core.experiments import TrainingError
from gan_core.training.checkpoint import load_generators
from gan_core.training.loop import Training
from gan_core.training.request import Request, describe_run, open_domains
from gan_core.training.run import Run
from glimpse.workspace import Workspace
from tests.gan_core.tiny import TINY, make_set, tiny_options, trained


def log_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def train(*words: str) -> int:
    return main(["train", "--device", "cpu", *([] if "--resume" in words else tiny_options()), *words])


def test_of_several_runs_each_is_numbered(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("df", "mel"):
        make_set(workspace, name)
    assert train("df", "mel") == 0
    said = capsys.readouterr().out
    assert said.index("df: run 1 of 2\n") < said.index("mel: run 2 of 2\n")


def test_the_command_trains_once_and_says_so_the_second_time(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    scored_too = ("--set", "score_images=8")
    assert train("df", *scored_too) == 0
    said = capsys.readouterr().out
    assert "to go" in said
    assert "Next: gan_core publish df" in said
    before = (workspace.root / "runs/df/checkpoint.pt").stat().st_mtime_ns
    assert train("df", *scored_too) == 0
    assert "already trained" in capsys.readouterr().out
    assert (workspace.root / "runs/df/checkpoint.pt").stat().st_mtime_ns == before
    assert list((workspace.root / "runs/df/tensorboard").glob("events*"))
    scored = log_of(workspace.root / "runs/df")[-1]
    assert scored["extractor"] == "imagenet"
    assert {"imagenet_feature_kid", "imagenet_feature_frechet_distance"} <= scored.keys()
    assert main(["runs"]) == 0
    table = capsys.readouterr().out
    assert "32/32" in table
    best = min(line["imagenet_feature_kid"] for line in log_of(workspace.root / "runs/df"))
    assert f"imagenet_feature_kid {best:.4g}" in table
    assert main(["runs", "--json"]) == 0
    (run,) = json.loads(capsys.readouterr().out)
    assert run[run["score"]] == best
    assert not {"kid", "fid", "frechet"} & {*run, *scored}, "only the published Inception's are called KID and FID"


def test_without_a_name_every_experiment_with_images_is_trained(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    make_set(workspace, "healthy", train=16)
    make_set(workspace, "eczema")  # without masks: nothing targeted
    assert train() == 0
    assert workspace.names("runs") == ["cycle-eczema", "df", "eczema", "healthy"]


def test_another_configuration_of_the_same_name_is_refused_with_the_remedy(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    assert train("df") == 0
    kept = (workspace.root / "runs/df/config.json").read_bytes()
    assert train("df", "--preset", "demo") == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (workspace.root / "runs/df/config.json").read_bytes() == kept
    assert train("df", "--preset", "demo", "--name", "df-demo") == 0
    assert train("df", "--preset", "demo", "--overwrite") == 0
    assert Run.of(workspace.root / "runs/df").preset == "demo"


def test_a_finished_run_stays_until_the_one_that_replaces_it_has_saved_something(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    assert train("df") == 0
    folder = workspace.root / "runs" / "df"

    def files() -> dict[str, bytes]:
        return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}

    before = files()
    assert train("df", "--overwrite", "--weights", "nowhere.pth", "--set", "score_images=8") == 2
    assert (
        train("df", "--overwrite", "--set", "lr=1e30", "--set", "tick_images=32") == 2
    )  # not finite at its first tick
    assert "became NaN" in capsys.readouterr().err
    assert files() == before

    def killed(self: Training) -> bool:
        raise SystemExit  # as far as SIGKILL goes: nothing is put in order behind it

    with monkeypatch.context() as patch:
        patch.setattr(Training, "go", killed)
        patch.setattr("gan_core.training.session.replacing", lambda folder, until: nullcontext())
        with pytest.raises(SystemExit):
            train("df", "--overwrite")
    assert files() != before
    assert train("df") == 0
    assert "already trained" in capsys.readouterr().out
    assert files() == before
    assert train("df", "--overwrite", "--set", "seed=1") == 0
    assert Run.of(folder).settings.seed == 1
    assert [p.name for p in folder.parent.iterdir()] == ["df"]


def test_the_table_of_runs_overlooks_a_line_half_written(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    folder = trained(workspace, "df")
    with open(folder / "log.jsonl", "a") as log:
        log.write('{"images": 48, "sec')
    assert main(["runs"]) == 0
    assert "32/32" in capsys.readouterr().out


def test_a_set_prepared_again_with_another_split_is_another_set(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df", train=16, test=8)
    assert train("df") == 0
    make_set(workspace, "df", train=18, test=6)
    assert train("df", "--resume", "--set", "images=48") == 2
    error = capsys.readouterr().err
    assert "index.csv of 'df'" in error
    assert "images of 'df'" not in error, "the pixels are the same"


def test_resume_may_train_longer_and_slower_but_not_something_else(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    assert train("df") == 0
    assert train("df", "--resume", "--set", "images=48", "--set", "lr=1e-4") == 0
    assert log_of(workspace.root / "runs/df")[-1]["images"] == 48
    assert Run.of(workspace.root / "runs/df").settings.lr == 1e-4
    assert train("df", "--resume", "--set", "g_features=16") == 2
    assert "may change images, epochs, lr" in capsys.readouterr().err


def test_resume_takes_the_names_of_runs_and_without_one_all_of_them(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "df")
    assert train("df", "--name", "mine") == 0
    assert train("mine", "--resume", "--set", "images=40") == 0
    assert train("--resume") == 0
    assert "mine: already trained (40 images)" in capsys.readouterr().out


def test_a_batch_is_shared_by_processes_or_refused(workspace: Workspace) -> None:
    make_set(workspace, "df")
    request = Request("paper", TINY)
    images = open_domains(workspace, "df", request)
    assert describe_run("df", "df", images, request, world=2).settings.batch == 4
    for world in (3, 4):  # shares of unequal size, or of a single image, which batch norm cannot take
        with pytest.raises(TrainingError, match=f"cannot be shared by {world} processes"):
            describe_run("df", "df", images, request, world)


def test_a_lower_resolution_is_trained_on_downsampled_images(workspace: Workspace) -> None:
    make_set(workspace, "hands", size=(64, 96))
    assert train("hands", "--resolution", "32") == 0
    generators, metadata = load_generators(workspace.root / "runs/hands/generator.safetensors")
    assert (metadata["height"], metadata["width"]) == (32, 48)
    assert generators["hands"](torch.zeros(2, TINY["z_dim"])).shape == (2, 3, 32, 48)


def test_for_a_size_that_the_networks_cannot_halve_the_nearest_resolution_is_suggested(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    make_set(workspace, "photos", size=(75, 100))  # as `prepare folder` leaves photos without --size
    assert train("photos") == 2
    assert capsys.readouterr().err.rstrip().endswith("such as 64, 128 or 256. Or give --resolution 72.")
    assert train("photos", "--resolution", "72", "--set", "images=8") == 0


def test_the_width_at_a_resolution_is_the_nearest_one(workspace: Workspace) -> None:
    images = make_set(workspace, "df", size=(48, 70))
    assert images.size_at(None) == (48, 70)
    assert images.size_at(32) == (32, 47), "70 x 32 / 48 = 46.7"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["heathy"], "did you mean 'healthy'"),
        (["mel"], "There is no image set 'mel'"),
        (["df", "--set", "batch=400"], "fewer than a batch of 400"),
        (["df", "--resolution", "64"], "never enlarged"),
        (["df", "--resolution", "16"], "can be halved only"),
        (["add-eczema"], "no masks"),
        (["df", "--name", "../df"], "cannot be a name"),
        (["df", "--set", "beta1=1"], "beta1 must be at most"),
        (["df", "--set", "beta2=1.5"], "beta2 must be at most"),
        (["df", "--set", "seed=99999999999999999999"], "seed must be at most"),
        (["df", "--set", "g_features=100000000"], "memory of the CPU device ran out"),  # 400 GB in one layer
        (["df", "--set", "z_dim=1e12"], "memory of the CPU device ran out"),
        (["df", "--weights", "nowhere.pth"], "nowhere.pth"),
        (["df", "--set", "batchsize=2"], "did you mean 'batch'"),
        (["df", "--resume"], "There is no run 'df'"),
        (["df", "--device", "cuda"], "no CUDA device"),
        (["df", "--images", "eczema=df", "--name", "a", "--images", "df=nothing"], "There is no image set 'nothing'"),
    ],
)
def test_bad_input_gets_one_sentence(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    for name in ("df", "healthy", "eczema"):
        make_set(workspace, name)
    assert main(["train", "--device", "cpu", "--set", "batch=4", *words]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert workspace.names("runs") == []


def test_a_second_ctrl_c_says_what_is_kept(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    make_set(workspace, "df")

    def interrupt_twice() -> None:
        while not (workspace.root / "runs/df/checkpoint.pt").is_file():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    from gan_core.training.engine import Engine

    step = Engine.step

    def slow_step(engine: Engine) -> None:
        step(engine)
        time.sleep(0.05)

    thread = threading.Thread(target=interrupt_twice)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Engine, "step", slow_step)
        thread.start()
        code = train("df", "--set", "images=400000")
        thread.join()
    out, err = capsys.readouterr()
    assert code == 130
    assert "nothing was lost" not in err
    assert "all saved" in out or "kept as it was at image" in out
