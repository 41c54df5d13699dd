"""A run that was stopped, killed or went wrong: it resumes bit for bit, or reports exactly what happened."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from gan_core.experiments import TrainingError
from gan_core.training.checkpoint import CHECKPOINT, load_checkpoint
from gan_core.training.engine import Engine, copied
from gan_core.training.run import Run
from glimpse.command_line import pasteable
from glimpse.workspace import Workspace
from tests.gan_core.tiny import make_domains, make_set, tensors_of, tiny_training, training_of

TIMES = ("seconds", "images_per_second", "peak_memory_mb")


SEAL = rb'(?<=file_sha256\\": \\")[0-9a-f]{64}'  # the file's own hash, which differs with the name of the run


def everything(folder: Path) -> dict[str, torch.Tensor]:
    """Every tensor that a run's checkpoint holds."""
    return dict(tensors_of(load_checkpoint(folder / CHECKPOINT, Run.of(folder))))


def log_but_times(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in TIMES} for line in lines]


def assert_equal_runs(one: Path, other: Path) -> None:
    first, second = everything(one), everything(other)
    assert first.keys() == second.keys()
    assert len(first) > 20
    different = [name for name in first if not torch.equal(first[name], second[name])]
    assert not different
    assert log_but_times(one) == log_but_times(other)
    for name in ("generator.safetensors", "generator-last.safetensors"):
        a, b = ((folder / name).read_bytes().replace(folder.name.encode(), b"") for folder in (one, other))
        assert re.sub(SEAL, b"", a) == re.sub(SEAL, b"", b)


@pytest.mark.parametrize(
    ("experiment", "preset"),
    [
        ("df", "paper"),
        ("df", "modern"),
        ("add-eczema", "paper"),
        ("remove-eczema", "modern"),
        ("cycle-eczema", "paper"),
    ],
)
def test_two_halves_are_one_whole_bit_for_bit(workspace: Workspace, experiment: str, preset: str) -> None:
    make_domains(workspace)
    whole = tiny_training(workspace, experiment, name="run-a", preset=preset, images=40)
    assert whole.go()
    half = tiny_training(workspace, experiment, name="run-b", preset=preset, images=40)
    engine_step = half.engine.step

    def step_and_stop() -> None:
        engine_step()
        half.stop = half.engine.steps == 6  # in the middle of a tick, as Ctrl-C would

    half.engine.step = step_and_stop  # type: ignore[method-assign]
    assert half.go() is False
    assert half.engine.steps == 6
    other = training_of(workspace, half.run, images_of(workspace, half.run), fresh=False)
    other.resume()
    assert other.go()
    assert_equal_runs(whole.folder, half.folder)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_a_signal_ends_the_scoring_and_the_tick_is_repeated_bit_for_bit(workspace: Workspace, at: int) -> None:
    """At 16 and 32 images, and at the end, after which no step follows that could lead to another tick."""
    make_set(workspace, "df")

    def scorer(stop_at: int = 0) -> Any:
        calls: list[int] = []

        def score(generated: Any) -> dict[str, float]:
            calls.append(1)
            if len(calls) == stop_at:
                signal.raise_signal(signal.SIGTERM)
                pytest.fail("the scoring goes on")
            return {"kid": float(generated.mean())}

        return lambda real: score

    whole = tiny_training(workspace, "df", name="run-a", scorer=scorer(), images=40, tick_images=16)
    assert whole.go()
    half = tiny_training(workspace, "df", name="run-b", scorer=scorer(stop_at=at), images=40, tick_images=16)
    assert half.go() is False
    assert half.engine.images == (16, 32, 40)[at - 1]
    other = training_of(workspace, half.run, images_of(workspace, half.run), scorer(), fresh=False)
    other.resume()
    assert other.go()
    assert_equal_runs(whole.folder, half.folder)
    assert [line["images"] for line in log_but_times(half.folder)] == [16, 32, 40]


def images_of(workspace: Workspace, run: Run) -> Any:
    from gan_core.training.request import Request, open_domains

    return open_domains(workspace, run.experiment_name, Request())


KILLED = """
import os, random, signal, time, torch
from glimpse.command_line import pasteable
from glimpse.workspace import Workspace
from tests.gan_core.tiny import tiny_training, training_of
from tests.gan_core.training.test_resume import images_of

torch.set_num_threads(1)
workspace, rng, chosen = Workspace.at(), random.Random(0), dict(images=320, tick_images=20)
assert tiny_training(workspace, "df", name="run-a", **chosen).go()
begun = tiny_training(workspace, "df", name="run-b", **chosen)
log = begun.folder / "log.jsonl"
for kill in (True, True, True, False):
    logged = log.read_bytes().count(b"\\n") if log.is_file() else 0
    child = os.fork()
    if child == 0:
        training = training_of(workspace, begun.run, images_of(workspace, begun.run), fresh=False)
        training.resume()
        os._exit(0 if training.go() else 1)
    ended, status = 0, 0
    while kill and not ended and (log.read_bytes().count(b"\\n") if log.is_file() else 0) <= logged + 1:
        time.sleep(0.001)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        if kill:
            time.sleep(rng.uniform(0, 0.05))
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    assert status == (signal.SIGKILL if kill else 0), "it was killed before its end"
"""


def test_a_run_killed_at_any_moment_resumes_to_the_same_end(workspace: Workspace) -> None:
    """SIGKILL, three times at random moments, each after a line or two of the log; a second run is not interrupted."""
    make_set(workspace, "df")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", KILLED], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert_equal_runs(workspace.root / "runs" / "run-a", workspace.root / "runs" / "run-b")


def test_lines_logged_after_the_last_checkpoint_are_forgotten(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", images=32, tick_images=16)
    training.go()
    with open(training.folder / "log.jsonl", "a") as file:
        file.write('{"images": 48, "from": "a process that was killed before its checkpoint"}\n{"ima')
    longer = tiny_run_again(workspace, training.run, images=64)
    longer.go()
    assert [line["images"] for line in log_but_times(training.folder)] == [16, 32, 48, 64]
    assert "from" not in log_but_times(training.folder)[2]


def tiny_run_again(workspace: Workspace, run: Run, **changed: Any) -> Any:
    from dataclasses import replace

    run = replace(run, settings=replace(run.settings, **changed))
    training = training_of(workspace, run, images_of(workspace, run), fresh=False)
    training.resume()
    return training


def test_a_resumed_run_takes_its_steps_at_the_new_learning_rates(workspace: Workspace) -> None:
    """From one state, three times the rate moves every weight three times as far; `d_lr` is the discriminator's."""
    make_set(workspace, "df")
    first = tiny_training(workspace, "df", lr=1e-4).engine
    first.step()
    moved = {}
    for name, rates in {"slow": {}, "fast": {"lr": 3e-4}, "two": {"d_lr": 3e-4}}.items():
        engine = tiny_training(workspace, "df", name, **{"lr": 1e-4, **rates}).engine
        engine.load(copied(first.state()))
        parameters = (engine.d_parameters[0], engine.g_parameters[0])
        before = [weights.detach().clone() for weights in parameters]
        engine.step()
        moved[name] = [weights.detach() - old for weights, old in zip(parameters, before, strict=True)]
    for name, generator in {"fast": 3, "two": 1}.items():
        assert torch.allclose(moved[name][0], 3 * moved["slow"][0], rtol=1e-3, atol=1e-9), name
        # The generator learns from another discriminator then, but Adam's steps are as long as its rate.
        longest = moved[name][1].abs().max() / moved["slow"][1].abs().max()
        assert longest == pytest.approx(generator, rel=0.05), name


# ------------------------------------------------------------------------------------------ not finite


def test_infinity_stops_the_run_and_names_the_step_and_the_tensor(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", images=64, tick_images=16)
    _poison(training, at_step=10)
    with pytest.raises(TrainingError) as stopped:
        training.go()
    sentence = str(stopped.value)
    assert "at step 11 (image 40)" in sentence
    assert "the generated images of df" in sentence
    assert f"`{pasteable(workspace, 'gan_core', 'train', 'df', '--resume', '--set', 'lr=0.0005')}`" in sentence
    kept = load_checkpoint(training.folder / CHECKPOINT, training.run)
    assert kept["engine"]["steps"] == 8, "the last good tick"
    assert all(torch.isfinite(t).all() for _, t in tensors_of(kept["engine"]) if t.is_floating_point())


def _poison(training: Any, at_step: int) -> None:
    """From a given step on one weight of the generator's input is infinite, in every engine of this run."""
    fresh = training.new_engine

    def poisoned() -> Engine:
        engine: Engine = fresh()
        draw = engine.scheme.draw

        def bad_draw() -> Any:
            batch = draw()
            if engine.steps == at_step:
                batch[0]["df"][0, 0] = float("inf")
            return batch

        engine.scheme.draw = bad_draw  # type: ignore[method-assign]
        return engine

    training.new_engine = poisoned
    training.engine = poisoned()


def test_a_gradient_that_explodes_is_named(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", images=64, lr=1e30)
    with pytest.raises(TrainingError, match=r"at step \d+ .*(gradient|weights|loss|logits|images) .*became NaN"):
        training.go()


def test_a_value_that_the_replay_does_not_repeat_is_reported_as_such(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", images=64)
    training.engine.sums[0] = float("nan")
    with pytest.raises(TrainingError, match="but not when the steps"):
        training.go()


# ------------------------------------------------------------------------------------------ refusals


def test_a_checkpoint_of_another_experiment_is_refused(workspace: Workspace) -> None:
    make_set(workspace, "df")
    make_set(workspace, "mel")
    one, other = (tiny_training(workspace, name, images=4) for name in ("df", "mel"))
    one.go()
    (other.folder / CHECKPOINT).write_bytes((one.folder / CHECKPOINT).read_bytes())
    with pytest.raises(TrainingError, match="checkpoint of another run"):
        other.resume()


def test_a_damaged_checkpoint_is_refused_by_name(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", images=4)
    training.go()
    path = training.folder / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(TrainingError, match=r"checkpoint\.pt cannot be read.*--overwrite"):
        training.resume()


def test_a_flipped_bit_in_a_checkpoint_is_noticed(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", images=4)
    training.go()
    path = training.folder / CHECKPOINT
    weight = training.engine.generators["df"].to_rgb.weight.detach().permute(0, 2, 3, 1).contiguous().numpy().tobytes()
    whole = path.read_bytes()
    at = whole.index(weight)
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    with pytest.raises(TrainingError, match=r"checkpoint\.pt cannot be read.*checksum"):
        training.resume()


@pytest.mark.parametrize("changed", [{"g_features": 16}, {"upsampling": "nearest"}])
def test_a_checkpoint_of_other_networks_is_refused(workspace: Workspace, changed: dict[str, Any]) -> None:
    make_set(workspace, "df")
    one, other = (tiny_training(workspace, "df", name=n, images=4, **c) for n, c in (("one", {}), ("other", changed)))
    one.go()
    (other.folder / CHECKPOINT).write_bytes((one.folder / CHECKPOINT).read_bytes())
    with pytest.raises(TrainingError, match="checkpoint of another run"):
        other.resume()


class Malice:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch pwned",)


def test_code_in_a_checkpoint_is_never_run(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", images=4)
    monkeypatch.chdir(tmp_path)
    torch.save({"schema": 1, "experiment": Malice()}, training.folder / CHECKPOINT)
    with pytest.raises(TrainingError, match="cannot be read as a checkpoint"):
        training.resume()
    assert not (tmp_path / "pwned").exists()
