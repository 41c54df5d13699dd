"""A run from its first image to its last: ticks, stopping, resuming, and what to do when a number is not finite."""

from __future__ import annotations

import contextlib
import functools
import math
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_core.experiments import TrainingError
from gan_core.networks import with_statistics
from gan_core.training.checkpoint import BEST, CHECKPOINT, LAST, Saver, load_checkpoint
from gan_core.training.cyclic import Cyclic
from gan_core.training.data import Domain, to_pixels
from gan_core.training.engine import Engine
from gan_core.training.log import Record, duration, grid_of
from gan_core.training.observe import observe
from gan_core.training.ranks import Ranks
from gan_core.training.run import Run
from gan_core.training.schemes import Way
from gan_core.training.targeted import Targeted
from gan_core.training.unconditional import Unconditional

WAYS: dict[str, Callable[..., Way]] = {"unconditional": Unconditional, "targeted": Targeted, "cyclic": Cyclic}
STATISTICS_BATCHES = 16  # shown to a generator to set its batch statistics for use
AGREE_SECONDS = 2  # torchrun kills what has not ended 30 s after Ctrl-C
Pixels = NDArray[np.uint8]
Scorer = Callable[[Pixels], Mapping[str, Any]]


class Training:
    """One run under way. `make_scorer` is given real training images (n, H, W, 3) uint8 and returns their scorer."""

    def __init__(
        self,
        run: Run,
        domains: Mapping[str, Domain],
        folder: Path,
        device: torch.device,
        ranks: Ranks | None = None,
        make_scorer: Callable[[Pixels], Scorer] | None = None,
        tensorboard: bool = True,
    ) -> None:
        self.run, self.domains, self.folder, self.device = run, domains, folder, device
        self.ranks = ranks or Ranks()
        self.make_scorer, self.tensorboard = make_scorer, tensorboard
        self.engine = self._fresh_engine()
        self.seconds = self.logged_seconds = 0.0  # of training, in all and at the last log line
        self.log_bytes = 0
        self.best: dict[str, Any] = {}
        self.kept = 0  # images at the last checkpoint
        self.stop = self.asked_to_stop = False
        self.agree_every = 1  # steps after which many processes agree whether to stop

    def _fresh_engine(self) -> Engine:
        return Engine(WAYS[self.run.experiment.way](self.run, self.domains, self.device, self.ranks))

    # ------------------------------------------------------------------------------------------ state

    def state(self) -> dict[str, Any]:
        return {
            "experiment": self.run.experiment_name, "size": [self.run.height, self.run.width],
            "settings": asdict(self.run.settings),
            "engine": self.engine.state(), "seconds": self.seconds, "logged_seconds": self.logged_seconds,
            "log_bytes": self.log_bytes, "best": self.best,
        }  # fmt: skip

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one yet."""
        path = self.folder / CHECKPOINT
        if path.is_file():
            state = load_checkpoint(path, self.run)
            self.engine.load(state["engine"])
            self.seconds, self.logged_seconds = state["seconds"], state["logged_seconds"]
            self.log_bytes, self.best = state["log_bytes"], state["best"]
            self.kept = self.engine.images

    # ------------------------------------------------------------------------------------------ before

    def estimate(self) -> float:
        """Seconds that the rest will take, from a few steps whose effects are undone.

        On a slow device a step is timed with few images. Raises TrainingError, naming a batch that fits, when the
        device's memory is too small.
        """
        left = math.ceil((self.run.settings.images - self.engine.images) / self.run.settings.batch)
        seconds = None
        try:
            seconds = self._seconds_a_step()
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
        if seconds is None:  # said here, where nothing holds the memory of what was tried any more
            raise TrainingError(
                f"{self.run.name}: a batch of {self.run.settings.batch} does not fit into the memory of the "
                f"{self.device.type.upper()} device: {self._fitting_batch()}"
            )
        if self.device.type == "cuda":  # what was tried is not what the run takes
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        self.agree_every = max(1, round(AGREE_SECONDS / seconds))
        return seconds * left

    def _seconds_a_step(self) -> float:
        batch, small, cuda = self.run.settings.batch, 2 * self.ranks.world, self.device.type == "cuda"
        if not cuda:
            rehearsal = self._rehearsal(small)
            rehearsal.step()  # the first step of a process also pays for what is set up once, seconds at any width
            slow = self._time_steps(rehearsal) * batch / small
            if slow > 10:
                return slow
        engine = self._rehearsal(batch)
        for _ in range(3 if cuda else 1):  # compiling, autotuning
            engine.step()
        return self._time_steps(engine)

    def _fitting_batch(self) -> str:
        batch = self.run.settings.batch // 2
        while batch >= 2 * self.ranks.world:
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            try:
                self._rehearsal(batch).step()
                return f"try --set batch={batch}."
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                batch //= 2
        return "not even two images at a time would: choose a smaller --resolution or narrower networks."

    def _rehearsal(self, batch: int) -> Engine:
        """A throw-away engine with this batch, so that what is timed leaves no trace."""
        settings = replace(self.run.settings, batch=batch)
        way = WAYS[self.run.experiment.way](replace(self.run, settings=settings), self.domains, self.device, self.ranks)
        return Engine(way)

    def _time_steps(self, engine: Engine) -> float:
        """Seconds of the fastest of two to eight steps, in about a second: others may be using the processor.

        Many processes go by the mean of their clocks: all must take as many steps, since steps wait for each other.
        """
        taken: list[float] = []
        while len(taken) < 2 or (len(taken) < 8 and sum(taken) < 1):
            began = time.perf_counter()
            engine.step()
            engine.gathered()
            own = torch.tensor(time.perf_counter() - began, device=self.device)
            taken.append(self.ranks.sum(own).item() / self.ranks.world)
        return min(taken)

    # ------------------------------------------------------------------------------------------ during

    def go(self) -> bool:
        """Train to the end; False when it was interrupted (all saved). Raises TrainingError on NaN or infinity."""
        settings, engine = self.run.settings, self.engine
        saver = Saver()
        record = None
        if self.ranks.first:
            record = Record(
                self.folder, self.run.name, engine.images, settings.images, self.log_bytes, self.tensorboard
            )
        began = time.perf_counter()
        ticks = engine.images // settings.tick_images
        try:
            with self._interruptible():
                while engine.images < settings.images and not self.stop:
                    engine.step()
                    if self.ranks.world > 1 and engine.steps % self.agree_every == 0:
                        asked = torch.tensor(float(self.asked_to_stop), device=self.device)
                        self.stop = bool(self.ranks.sum(asked).item())
                    if record:
                        record.advance(settings.batch)
                    done = engine.images >= settings.images
                    if done or engine.images // settings.tick_images > ticks:
                        ticks = engine.images // settings.tick_images
                        self._tick(record, saver, began, scored=done or ticks % settings.score_ticks == 0)
                        began = time.perf_counter()
                if self.stop and engine.images < settings.images:
                    self.seconds += time.perf_counter() - began
                    files = [LAST] if self.best else [LAST, BEST]
                    self._save(saver, files, self.usable_generators(), wait=True)
            saver.wait()
        finally:
            saver.close()
            if record:
                record.close()
        return engine.images >= settings.images

    def _tick(self, record: Record | None, saver: Saver, began: float, scored: bool) -> None:
        """Read what gathered on the device, look at the networks, write it all down."""
        settings, engine = self.run.settings, self.engine
        means = engine.gathered()  # waits for the device, so that the clock is right
        self.seconds += time.perf_counter() - began
        if not all(math.isfinite(value) for value in means.values()):
            saver.wait()
            self.ranks.wait()  # for the first one's saver: all replay from the same checkpoint
            raise TrainingError(self._what_went_wrong())
        rate = engine.tick_steps * settings.batch / max(self.seconds - self.logged_seconds, 1e-9)
        self.logged_seconds = self.seconds
        engine.new_tick()
        observed = observe(engine)
        usable = self.usable_generators()
        if record is None:
            return
        line: dict[str, Any] = {
            "images": engine.images, "seconds": round(self.seconds, 3), "images_per_second": round(rate, 3),
            **means, **observed, "peak_memory_mb": self._peak_memory_mb(),
        }  # fmt: skip
        files = [LAST]
        if self.scorer and scored:
            line |= (scores := self._score(usable))
            extractor = scores.get("extractor")  # the KIDs of two extractors have no order
            if extractor != self.best.get("extractor") or scores["kid"] < self.best.get("kid", math.inf):
                self.best = {"kid": scores["kid"], "extractor": extractor, "images": engine.images}
                files.append(BEST)
        if not self.best:  # where nothing is scored the last one is used
            files.append(BEST)
        record.tick(line, grid_of(engine.way.rows(usable)))
        self.log_bytes = record.bytes
        final = engine.images >= settings.images
        if final or BEST in files or not saver.busy:
            self._save(saver, files, usable, wait=final)

    def _save(self, saver: Saver, files: list[str], generators: torch.nn.ModuleDict, wait: bool) -> None:
        self.kept = self.engine.images
        if not self.ranks.first:
            return
        saver.save(
            self.folder / CHECKPOINT, self.state(), generators.state_dict(), self.run,
            files=files, images=self.engine.images, best=self.best,
        )  # fmt: skip
        if wait:
            saver.wait()

    def usable_generators(self) -> torch.nn.ModuleDict:
        """A copy of the generators as they are used: averaged where asked for, batch statistics estimated afresh.

        Called on every rank, since batch norm may be synchronised.
        """
        way, settings = self.engine.way, self.run.settings
        inputs = list(way.free_inputs(settings.seed + 20_000, STATISTICS_BATCHES))
        return torch.nn.ModuleDict(
            {
                name: with_statistics(generator, (given[name] for given in inputs))
                for name, generator in self.engine.best_generators().items()
            }
        )

    # ------------------------------------------------------------------------------------------ scores

    @functools.cached_property
    def scorer(self) -> Scorer | None:
        """Against at most `score_images` training images; translation is not scored (section 3.2.4 of the paper)."""
        wanted = self.run.settings.score_images
        if not self.ranks.first or self.make_scorer is None or not wanted or self.run.experiment.way != "unconditional":
            return None
        train = self.domains[self.run.experiment.target].train
        rng = torch.Generator().manual_seed(self.run.settings.seed)
        chosen = torch.randperm(len(train), generator=rng)[:wanted].sort().values
        return self.make_scorer(train[chosen.to(train.device)].cpu().numpy())

    @torch.no_grad()
    def _score(self, generators: torch.nn.ModuleDict) -> dict[str, Any]:
        """With latents of the run's own seed, the same at every tick."""
        assert self.scorer is not None
        settings, target = self.run.settings, self.run.experiment.target
        rng = torch.Generator().manual_seed(settings.seed + 30_000)
        pixels = []
        for begin in range(0, settings.score_images, settings.batch):
            count = min(settings.batch, settings.score_images - begin)
            latents = torch.randn(count, settings.z_dim, generator=rng).to(self.device)
            pixels.append(to_pixels(generators[target](latents)))
        return dict(self.scorer(np.concatenate(pixels)))

    def _peak_memory_mb(self) -> float:
        if self.device.type == "cuda":
            return round(torch.cuda.max_memory_allocated() / 2**20, 1)
        scale = 1 if sys.platform == "darwin" else 1024
        return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**20, 1)

    # ------------------------------------------------------------------------------------------ trouble

    def _what_went_wrong(self) -> str:
        """Replay from the last good checkpoint, looking at every tensor, and say where the first bad one arose."""
        reached = self.engine.steps
        self.engine = self._fresh_engine()
        self.resume()
        kept, engine = self.engine.images, self.engine
        go_on = (
            f"What was saved at image {kept:,} is kept: go on from there with `gan_core train "
            f"{self.run.name} --resume --set lr={self.run.settings.lr / 2:g}`."
            if kept
            else f"Nothing was saved yet: begin again with --overwrite and, say, --set lr={self.run.settings.lr / 2:g}."
        )

        def look(what: str, tensor: Tensor) -> None:
            bad = int((~torch.isfinite(tensor)).sum())
            if bad:
                raise TrainingError(
                    f"{self.run.name} stopped: at step {engine.steps + 1:,} (image {engine.images:,}) {what} "
                    f"became NaN or infinite ({bad} of {tensor.numel()} values). {go_on}"
                )

        engine.look = look
        while engine.steps < reached:
            engine.step()
        return (
            f"{self.run.name} stopped: a value became NaN or infinite before step {reached:,}, but not when the steps "
            f"since image {kept:,} were repeated. {go_on}"
        )

    @contextlib.contextmanager
    def _interruptible(self) -> Iterator[None]:
        """The first Ctrl-C (or SIGTERM) finishes the step and saves; the second ends at once."""

        def on_signal(number: int, frame: object) -> None:
            if self.asked_to_stop:
                raise KeyboardInterrupt
            self.asked_to_stop = True
            self.stop = self.ranks.world == 1  # many processes agree every few steps

        try:
            before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not in the main thread: nobody's Ctrl-C reaches us
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def out_of_memory(error: BaseException) -> bool:
    """Whether a device, or on the CPU the allocator, had too little: PyTorch has no type of its own for the latter."""
    sentence = str(error)
    return (
        isinstance(error, torch.OutOfMemoryError | MemoryError)
        or "DefaultCPUAllocator" in sentence
        or "Storage size calculation overflowed" in sentence
    )


def longer_than_an_hour(seconds: float, run: Run, device: torch.device) -> str | None:
    """What to tell somebody who starts something endless on a CPU."""
    if device.type == "cuda" or seconds <= 3600 or run.preset == "demo":
        return None
    return f"That is {duration(seconds)} on this CPU; `--preset demo` takes minutes, and a GPU does it in hours."
