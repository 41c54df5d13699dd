"""Before a run: how long it will take, and whether its batch fits into the memory of the device."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from statistics import median
from typing import TypeVar

import torch

from gan_core.experiments import TrainingError
from gan_core.training.engine import Engine, copied
from gan_core.training.loop import Training
from gan_core.training.run import Run
from glimpse.progress import duration

Result = TypeVar("Result")
SLOW_STEP = 10  # seconds; a slower step is estimated from one with two images
AGREE_SECONDS = 2  # torchrun kills a process that is still running 30 s after Ctrl-C


def seconds_left(training: Training) -> float:
    """Seconds until the end of the run, from timed steps of its networks, which are then restored.

    Raises TrainingError, naming a batch that fits, if the memory of the device is too small.
    """
    settings, seconds = training.run.settings, fitting(lambda: _measure(training))
    if seconds is None:
        raise TrainingError(
            f"{training.run.name}: a batch of {settings.batch} does not fit into the memory of the "
            f"{training.device.type.upper()} device: {_fitting_batch(training)}"
        )
    training.agree_every = max(1, round(AGREE_SECONDS / seconds))
    return seconds * math.ceil((settings.images - training.engine.images) / settings.batch)


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
        engine.warm_up(3 if cuda else 1)
        return _time_steps(training, engine)
    finally:
        engine.load(before)


def _time_steps(training: Training, engine: Engine) -> float:
    """The median duration in seconds of three to nine steps: if other programs are busy, a few steps wait for a core.

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

    def step() -> bool:
        training.new_engine(batch).step()
        return True

    batch = training.run.settings.batch // 2
    while batch >= 2 * training.ranks.world:
        if training.device.type == "cuda":
            torch.cuda.empty_cache()
        if fitting(step):
            return f"try --set batch={batch}."
        batch //= 2
    return "not even two images at a time fit: choose a lower --resolution or narrower networks."


def fitting(work: Callable[[], Result]) -> Result | None:
    """The result of some work; None if a device, or the CPU's allocator, ran out of memory.

    None is returned outside the handler, whose traceback would keep the failed attempt's memory.
    """
    try:
        return work()
    except (torch.OutOfMemoryError, MemoryError):
        pass
    except RuntimeError as error:  # the CPU's allocator has no exception type
        if not any(words in str(error) for words in ("DefaultCPUAllocator", "Storage size calculation overflowed")):
            raise
    return None


def to_go(seconds: float, run: Run, device: torch.device) -> str:
    """The time left in words, with the remedy if it is over an hour on a CPU."""
    words = f"about {duration(seconds)} to go"
    if device.type == "cuda" or seconds <= 3600 or run.preset == "demo":
        return words
    return f"{words} on this CPU; `--preset demo` takes minutes, a GPU hours"
