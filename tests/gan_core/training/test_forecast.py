"""Before a run and when memory runs out: the estimate, the batch that fits, the advice."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from gan_core.cli import main
from gan_core.experiments import TrainingError
from gan_core.training.forecast import seconds_left, to_go
from gan_core.training.loop import Training
from glimpse.workspace import Workspace
from tests.gan_core.tiny import make_set, tensors_of, tiny_options, tiny_training


def train(*words: str) -> int:
    return main(["train", "--device", "cpu", *tiny_options(), *words])


def test_after_memory_ran_out_the_advice_can_be_typed(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from gan_core.training.data import Domain
    from gan_core.training.engine import Engine

    make_set(workspace, "df")

    def short_of_memory(*given: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    for owner, method in ((Domain, "load"), (Engine, "__init__"), (Engine, "step"), (Training, "go")):
        with monkeypatch.context() as patch:
            patch.setattr(owner, method, short_of_memory)
            assert train("df", "--set", "batch=8") == 2
        error = capsys.readouterr().err
        assert "memory" in error
        assert error.count("\n") == 1
    assert train("df", "--set", "batch=4") == 0


def test_too_little_memory_names_the_batch_that_would_fit(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gan_core.training.engine import Engine

    make_set(workspace, "df")
    training = tiny_training(workspace, "df", batch=16)
    step = Engine.step

    def short_of_memory(engine: Engine) -> None:
        if engine.settings.batch > 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        step(engine)

    monkeypatch.setattr(Engine, "step", short_of_memory)
    with pytest.raises(TrainingError, match="try --set batch=4"):
        seconds_left(training)


def test_the_time_left_is_that_of_the_images_to_come(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 30 images in batches of 4 two steps are done: 22 images are left, six steps of 2 s."""
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", batch=4, images=30)
    training.engine.steps = 2
    monkeypatch.setattr("gan_core.training.forecast._measure", lambda _: 2.0)
    assert seconds_left(training) == 12.0


def test_a_day_of_training_on_a_cpu_gets_a_hint_at_the_demo(workspace: Workspace) -> None:
    make_set(workspace, "df")
    run = tiny_training(workspace, "df").run
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    told = "about 2.0 days to go on this CPU; `--preset demo` takes minutes, a GPU hours"
    assert to_go(86400 * 2, run, cpu) == told
    assert to_go(3000, run, cpu) == "about 50 min to go"
    assert to_go(86400, run, cuda) == "about 24.0 h to go"


@pytest.mark.parametrize(("measured", "seconds"), [(8.0, 16.0), (4.0, 4.0)])
def test_a_slow_step_is_estimated_from_two_images(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, measured: float, seconds: float
) -> None:
    """Two of four images take 8 s: a step takes 16 s and is not tried. At 4 s the whole batch is measured."""
    make_set(workspace, "df")
    training = tiny_training(workspace, "df", batch=4, images=32)
    monkeypatch.setattr("gan_core.training.forecast._time_steps", lambda training, engine: measured)
    assert seconds_left(training) == 8 * seconds


def test_a_step_that_waits_for_a_core_does_not_decide_the_estimate(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step of three takes 90 times as long, as on a machine that others use."""
    from gan_core.training import forecast

    make_set(workspace, "df")
    training = tiny_training(workspace, "df", batch=4, images=32)
    clock = iter([second for taken in (0.1, 9.0, 0.1) for second in (0.0, taken)])
    monkeypatch.setattr(forecast.time, "perf_counter", lambda: next(clock))
    assert forecast._time_steps(training, training.engine) == pytest.approx(0.1)


def test_estimating_leaves_no_trace(workspace: Workspace) -> None:
    make_set(workspace, "df")
    training = tiny_training(workspace, "df")
    before = {name: tensor.clone() for name, tensor in tensors_of(training.state())}
    assert seconds_left(training) > 0
    assert all(torch.equal(tensor, before[name]) for name, tensor in tensors_of(training.state()))
