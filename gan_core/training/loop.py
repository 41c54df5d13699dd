"""A run from its first image to its last: steps, ticks, checkpoints, Ctrl-C, and numbers that are not finite."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from contextlib import closing, nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gan_core.experiments import TrainingError
from gan_core.networks import with_statistics
from gan_core.training.checkpoint import BEST, CHECKPOINT, LAST, Saver, load_checkpoint
from gan_core.training.data import Domain, Draws
from gan_core.training.engine import Engine
from gan_core.training.observe import Scorer, observe, score
from gan_core.training.ranks import Ranks
from gan_core.training.run import Run
from gan_core.training.schemes import SCHEMES
from glimpse.command_line import pasteable
from glimpse.images import sheet
from glimpse.runs.interrupts import Interrupts
from glimpse.runs.record import Record, peak_memory_mb
from glimpse.workspace import Workspace

STATISTICS_BATCHES = 16  # from which batch statistics are estimated, for use


class Training:
    """One run in progress. With a `scorer`, the best generator by its first score is kept beside the last."""

    def __init__(
        self, run: Run, domains: Mapping[str, Domain], folder: Path, device: torch.device, ranks: Ranks | None = None
    ) -> None:
        self.run, self.domains, self.folder, self.device = run, domains, folder, device
        self.ranks = ranks or Ranks()
        self.scorer: Scorer | None = None
        self.engine = self.new_engine()
        self.seconds = self.logged_seconds = 0.0  # of training, in total and at the last log line
        self.log_bytes = 0
        self.best: dict[str, Any] = {}
        self.kept = 0  # images at the last checkpoint
        self.stop = False
        self.agree_every = 1  # steps after which several processes agree whether to stop

    def new_engine(self, batch: int | None = None) -> Engine:
        """The engine of this run at image 0, or one with another batch for trial steps."""
        run = self.run
        if batch is not None:
            run = replace(run, settings=replace(run.settings, batch=batch))
        return Engine(SCHEMES[run.experiment.scheme](run, self.domains, self.device, self.ranks))

    def state(self) -> dict[str, Any]:
        return {
            "experiment": self.run.experiment_name, "size": [self.run.height, self.run.width],
            "settings": asdict(self.run.settings),
            "engine": self.engine.state(), "seconds": self.seconds, "logged_seconds": self.logged_seconds,
            "log_bytes": self.log_bytes, "best": self.best,
        }  # fmt: skip

    def resume(self) -> None:
        """Continue from the checkpoint, if there is one."""
        path = self.folder / CHECKPOINT
        if path.is_file():
            state = load_checkpoint(path, self.run)
            self.engine.load(state["engine"])
            self.seconds, self.logged_seconds = state["seconds"], state["logged_seconds"]
            self.log_bytes, self.best = state["log_bytes"], state["best"]
            self.kept = self.engine.images

    def go(self) -> bool:
        """Train to the end; False if interrupted (everything is saved). Raises TrainingError on NaN or infinity."""
        settings, engine, record = self.run.settings, self.engine, None
        if self.ranks.first:
            from torch.utils.tensorboard import SummaryWriter

            board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=engine.images or None)
            record = Record(self.folder, self.run.name, engine.images, settings.images, self.log_bytes, board)
        began, alone = time.perf_counter(), self.ranks.world == 1
        with closing(Saver()) as saver, closing(record) if record else nullcontext(), Interrupts() as interrupts:
            # The first Ctrl-C finishes the step, or ends the scoring, and saves. Several processes agree on it
            # every few steps.
            while not (self.done or self.stop or (alone and interrupts.asked)):
                if not self._tick_due():  # it is due from the start where scoring was interrupted
                    engine.step()
                    if not alone and engine.steps % self.agree_every == 0:
                        asked = torch.tensor(float(interrupts.asked), device=self.device)
                        self.stop = bool(self.ranks.sum(asked).item())
                    if record:
                        record.advance(settings.batch)
                if self._tick_due():
                    self._tick(record, saver, began, interrupts)
                    began = time.perf_counter()
            if not self.done:
                self.seconds += time.perf_counter() - began
                files = [LAST] if self.best else [LAST, BEST]
                self._save(saver, files, self.usable_generators(), wait=True)
        return self.done

    @property
    def done(self) -> bool:
        """Whether all images were shown and the last tick is logged."""
        return self.engine.images >= self.run.settings.images and not self._tick_due()

    def _tick_due(self) -> bool:
        engine, settings = self.engine, self.run.settings
        logged = engine.images - engine.tick_steps * settings.batch  # images at the last tick
        final = engine.images >= settings.images
        return engine.tick_steps > 0 and (
            final or engine.images // settings.tick_images > logged // settings.tick_images
        )

    def _tick(self, record: Record | None, saver: Saver, began: float, interrupts: Interrupts) -> None:
        """Collect the sums from the device, evaluate the networks, log and save; if a signal ends the scoring, the tick
        stays due, so that a resumed run repeats it."""
        settings, engine = self.run.settings, self.engine
        means = engine.gathered()  # waits for the device, so that the clock is right
        self.seconds += time.perf_counter() - began
        if not all(math.isfinite(value) for value in means.values()):
            saver.wait()
            self.ranks.wait()  # for the first rank's saver: all replay from the same checkpoint
            raise TrainingError(self._not_finite())
        rate = engine.tick_steps * settings.batch / max(self.seconds - self.logged_seconds, 1e-9)
        observed = observe(engine)
        usable = self.usable_generators()
        scores: dict[str, Any] = {}
        final = engine.images >= settings.images
        scored = final or engine.images // settings.tick_images % settings.score_ticks == 0
        if record and (scorer := self.scorer) and scored:

            def work() -> dict[str, Any]:
                return score(scorer, self.run, usable[self.run.experiment.target], self.device)

            found = interrupts.unless_asked(work) if self.ranks.world == 1 else work()
            if found is None:
                return
            scores = found
        self.logged_seconds = self.seconds
        engine.new_tick()
        if record is None:
            return
        on_gpu = torch.cuda.max_memory_allocated() / 2**20 if self.device.type == "cuda" else None
        line: dict[str, Any] = {
            "images": engine.images, "seconds": round(self.seconds, 3), "images_per_second": round(rate, 3),
            **means, **observed, "augmented": round(engine.augmented.item(), 4),
            "peak_memory_mb": round(on_gpu, 1) if on_gpu else peak_memory_mb(), **scores,
        }  # fmt: skip
        files, improved = [LAST], False
        if scores:
            name = scores["score"]  # its name includes the features: scores on other features cannot be compared
            if scores[name] < self.best.get(name, math.inf):
                self.best = {"score": name, name: scores[name], "images": engine.images}
                files, improved = [LAST, BEST], True
        if not self.best:  # without scores the last generator is used
            files.append(BEST)
        record.tick(line, sheet([list(row) for row in engine.scheme.rows(usable)], margin=2))
        self.log_bytes = record.bytes
        if final or improved or not saver.busy:  # a disk that is slower than the ticks does not delay training
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
        """A copy of the generators for use: averaged if the run averages, batch statistics estimated again.

        Called on every rank, since batch norm may be synchronised.
        """
        engine, settings = self.engine, self.run.settings
        draws = Draws(settings.seed + 20_000, self.device, Ranks())  # the random numbers of the run stay
        inputs = [engine.scheme.inputs(draws, settings.batch, shuffled=False) for _ in range(STATISTICS_BATCHES)]
        return torch.nn.ModuleDict(
            {
                name: with_statistics(generator, (given[name] for given in inputs))
                for name, generator in (engine.averaged or engine.generators).items()
            }
        )

    def _not_finite(self) -> str:
        """Replay from the last checkpoint with every tensor checked; a sentence that names the first bad one."""
        reached, name, lower = self.engine.steps, self.run.name, f"lr={self.run.settings.lr / 2:g}"
        engine = self.engine = self.new_engine()
        self.resume()
        kept, workspace = engine.images, Workspace.around(self.folder)
        resume = pasteable(workspace, "gan_core", "train", name, "--resume", "--set", lower)
        remedy = (
            f"The checkpoint at image {kept:,} is kept: resume it with `{resume}`."
            if kept
            else f"Nothing was saved yet: repeat the command with --overwrite --set {lower}."
        )

        def check(what: str, tensor: Tensor) -> None:
            if bad := int((~torch.isfinite(tensor)).sum()):
                raise TrainingError(
                    f"{name} stopped: at step {engine.steps + 1:,} (image {engine.images:,}) {what} became NaN or "
                    f"infinite ({bad} of {tensor.numel()} values). {remedy}"
                )

        engine.check = check
        while engine.steps < reached:
            engine.step()
        return (
            f"{name} stopped: a value became NaN or infinite before step {reached:,}, but not when the steps since "
            f"image {kept:,} were repeated. {remedy}"
        )
