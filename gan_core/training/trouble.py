"""Before and after trouble: how long a run will take, whether its batch fits, where a number stopped being finite."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Protocol

import torch
from torch import Tensor

from gan_core.experiments import TrainingError
from gan_core.training.engine import Engine, copied
from gan_core.training.log import duration
from gan_core.training.ranks import Ranks
from gan_core.training.run import Run
from glimpse.command_line import pasteable
from glimpse.workspace import Workspace

SLOW_STEP = 10  # seconds; a slower step is estimated from one with two images


class Training(Protocol):
    """The part of `loop.Training` that is needed here."""

    run: Run
    folder: Path
    device: torch.device
    ranks: Ranks
    engine: Engine

    def new_engine(self, batch: int | None = None) -> Engine: ...

    def resume(self) -> None: ...


def seconds_per_step(training: Training) -> float:
    """The time of one step, measured on the run's own networks, which are put back as they were.

    Raises TrainingError, naming a batch that fits, if the memory of the device is too small.
    """
    seconds = None
    try:
        seconds = _measure(training)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
    if seconds is None:  # outside the handler, whose traceback would keep the failed attempt's memory
        raise TrainingError(
            f"{training.run.name}: a batch of {training.run.settings.batch} does not fit into the memory of the "
            f"{training.device.type.upper()} device: {_fitting_batch(training)}"
        )
    return seconds


def _measure(training: Training) -> float:
    batch, small, cuda = training.run.settings.batch, 2 * training.ranks.world, training.device.type == "cuda"
    if not cuda:
        engine = training.new_engine(small)
        engine.step()  # the first step of a process also pays for one-off initialisation: seconds, at any width
        seconds = _time_steps(training, engine) * batch / small
        if seconds > SLOW_STEP:
            return seconds
    engine, before = training.engine, copied(training.engine.state())
    try:
        for _ in range(3 if cuda else 1):  # compilation, autotuning
            engine.step()
        return _time_steps(training, engine)
    finally:
        engine.load(before)


def _time_steps(training: Training, engine: Engine) -> float:
    """Seconds of the median of three to nine steps: where other programs are busy, a few steps wait for a core.

    Several processes use the mean of their clocks: steps wait for each other, so all must take equally many.
    """
    taken: list[float] = []
    while len(taken) < 3 or (len(taken) < 9 and sum(taken) < 2):
        began = time.perf_counter()
        engine.step()
        engine.gathered()
        own = torch.tensor(time.perf_counter() - began, device=training.device)
        taken.append(training.ranks.sum(own).item() / training.ranks.world)
    return median(taken)


def _fitting_batch(training: Training) -> str:
    """The remedy for a batch that does not fit: half of it, a quarter, ... until a step succeeds."""
    batch = training.run.settings.batch // 2
    while batch >= 2 * training.ranks.world:
        if training.device.type == "cuda":
            torch.cuda.empty_cache()
        try:
            training.new_engine(batch).step()
            return f"try --set batch={batch}."
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            batch //= 2
    return "not even two images at a time fit: choose a lower --resolution or narrower networks."


def out_of_memory(error: BaseException) -> bool:
    """Whether a device or the CPU's allocator ran out of memory; PyTorch has no exception type for the latter."""
    sentence = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError)
        or "DefaultCPUAllocator" in sentence
        or "Storage size calculation overflowed" in sentence
    )


def longer_than_an_hour(seconds: float, run: Run, device: torch.device) -> str | None:
    """A warning for runs that would take over an hour on a CPU."""
    if device.type == "cuda" or seconds <= 3600 or run.preset == "demo":
        return None
    return f"That is {duration(seconds)} on this CPU; `--preset demo` takes minutes, a GPU hours."


def not_finite(training: Training) -> str:
    """Replay from the last checkpoint with every tensor checked; a sentence that names the first bad one."""
    reached = training.engine.steps
    engine = training.engine = training.new_engine()
    training.resume()
    kept, lower = engine.images, f"lr={training.run.settings.lr / 2:g}"
    name = training.run.name
    resume = pasteable(Workspace.around(training.folder), "gan_core", "train", name, "--resume", "--set", lower)
    remedy = (
        f"The checkpoint at image {kept:,} is kept: resume it with `{resume}`."
        if kept
        else f"Nothing was saved yet: repeat the command with --overwrite --set {lower}."
    )

    def check(what: str, tensor: Tensor) -> None:
        bad = int((~torch.isfinite(tensor)).sum())
        if bad:
            raise TrainingError(
                f"{name} stopped: at step {engine.steps + 1:,} (image {engine.images:,}) {what} became NaN or infinite "
                f"({bad} of {tensor.numel()} values). {remedy}"
            )

    engine.check = check
    while engine.steps < reached:
        engine.step()
    return (
        f"{name} stopped: a value became NaN or infinite before step {reached:,}, but not when the steps since image "
        f"{kept:,} were repeated. {remedy}"
    )
