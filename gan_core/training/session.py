"""One `gan_core train`: its runs one after another, and its messages."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from gan_core.experiments import TrainingError
from gan_core.training.checkpoint import CHECKPOINT
from gan_core.training.forecast import fitting, seconds_left, to_go
from gan_core.training.loop import Training
from gan_core.training.observe import Pixels, Scorer, scorer_for
from gan_core.training.ranks import Ranks
from gan_core.training.request import Request, describe_run, into_memory, open_domains, resumed, state_of
from glimpse.command_line import pasteable
from glimpse.files import read_json, replacing, stand_aside
from glimpse.images import size_in_words
from glimpse.progress import duration
from glimpse.runs.confidence import chosen_when_saturated, confidence
from glimpse.runs.log import read_log
from glimpse.workspace import Workspace


@dataclass(frozen=True)
class Session:
    """The options of one `gan_core train`; `make_scorer` is given real images and a seed."""

    workspace: Workspace
    request: Request
    device: str
    ranks: Ranks
    make_scorer: Callable[[Pixels, int], Scorer]

    def train(self, experiment: str, name: str) -> bool:
        """Train a run to its end; False if interrupted. However it ends, one complete run is in its folder."""
        folder = self.workspace.new("runs", name)
        with replacing(folder, until=CHECKPOINT) if self.ranks.first else nullcontext():
            self.ranks.wait()  # until the first rank has restored the folder of a killed run
            finished = fitting(lambda: self._train(experiment, name, folder))
        if finished is not None:
            return finished
        resume = f"resume with `{self._resume(name)}`, or " if (folder / CHECKPOINT).is_file() else ""
        raise TrainingError(
            f"{name}: the memory of the {self.device.upper()} device ran out; the last checkpoint is kept. Free some "
            f"memory, {resume}start with a smaller batch, narrower networks (--set g_features=..., z_dim=...) or a "
            "lower --resolution."
        )

    def _train(self, experiment: str, name: str, folder: Path) -> bool:
        request = resumed(folder, name, self.request) if self.request.resume else self.request
        images = open_domains(self.workspace, experiment, request)
        run = describe_run(name, experiment, images, request, self.ranks.world)
        state = state_of(folder, run, request)
        if state == "finished":
            self._say(f"{name}: already trained ({run.settings.images:,} images); --overwrite trains it again.")
            return True
        device = torch.device(f"cuda:{self.ranks.local}" if self.device == "cuda" else self.device)
        domains = fitting(lambda: into_memory(run, images, device))
        if domains is None:
            raise TrainingError(
                f"{name}: the images of {' and '.join(i.name for i in images.values())} do not fit into the memory of "
                f"the {self.device.upper()} device: choose a lower --resolution, or prepare fewer images."
            )
        training = Training(run, domains, folder, device, self.ranks)
        if state == "unfinished":
            training.resume()
        done = training.engine.images
        self._say(
            f"{name}: {f'resuming at image {done:,}' if done else 'training'} "
            f"({run.preset}, {size_in_words(run.height, run.width)}, {run.settings.images:,} images, {self.device})"
        )
        seconds = seconds_left(training)
        for note in training.engine.notes:
            self._say(f"{name}: {note}")
        self._say(f"{name}: {to_go(seconds, run, device)}")
        if self.ranks.first:
            # Before the folder is made: if making the scorer fails, nothing is left behind.
            training.scorer = scorer_for(run, training.domains, self.make_scorer)
            if state == "new":
                stand_aside(folder)  # an old run of the same name stays until this one has saved
            made_with = {"torch": torch.__version__, "device": self.device, "processes": self.ranks.world}
            run.write(folder, subsets=training.engine.scheme.drawn_subsets(), made_with=made_with)
        return self._finish(training)

    def _finish(self, training: Training) -> bool:
        name, run, folder = training.run.name, training.run, training.folder
        resume = f"Next: {self._resume(name)}"
        try:
            finished = training.go()
        except KeyboardInterrupt:
            kept = f"The checkpoint at image {training.kept:,} is kept. {resume}"
            self._say(f"{name}: stopped at once. {kept if training.kept else 'Nothing was saved.'}")
            return False
        so_far = {"images": training.engine.images, "seconds": round(training.seconds, 1)}
        config = read_json(folder / "config.json")
        if not finished:
            if self.ranks.first:
                run.write(folder, subsets=config["subsets"], made_with=config["made_with"], stopped=so_far)
            self._say(f"{name}: stopped at image {training.engine.images:,}, all saved. {resume}")
            return False
        if not self.ranks.first:
            return True
        lines, facts = read_log(folder / "log.jsonl"), {**so_far, "best": training.best}
        run.write(folder, subsets=config["subsets"], made_with=config["made_with"], finished=facts)
        self._say(f"{name}: trained {training.engine.images:,} images in {duration(training.seconds)}: {folder}")
        if found := confidence(lines):
            self._say(f"{name}: {found.sentence(asdict(run.settings))}")
        if chosen_when_saturated(lines):
            score, image = training.best["score"], training.best["images"]
            self._say(
                f"{name}: when the generator with the lowest {score} was saved (image {image:,}), "
                "the discriminator was overconfident: look at samples/ before you use it."
            )
        return True

    def _resume(self, name: str) -> str:
        return pasteable(self.workspace, "gan_core", "train", name, "--resume")

    def _say(self, sentence: str) -> None:
        if self.ranks.first:
            print(sentence, flush=True)
