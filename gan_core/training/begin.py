"""From the command line's words to runs that can begin: which experiments, which image sets, new or gone on with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gan_core.experiments import EXPERIMENTS, Experiment, TrainingError, grid_and_stages, settings_for
from gan_core.training.checkpoint import BEST, CHECKPOINT
from gan_core.training.data import Domain, size_at
from gan_core.training.run import CHANGEABLE, Run
from glimpse.command_line import did_you_mean
from glimpse.files import read_json
from glimpse.imageset import ImageSet
from glimpse.workspace import Workspace

IDENTITY = ("index.csv", "masks.npy")  # of an image set, beside its pixels: the split, and what the masks show


@dataclass(frozen=True)
class Wish:
    """What the user asked for, for every experiment alike."""

    preset: str | None = None
    chosen: Mapping[str, Any] | None = None
    resolution: int | None = None
    image_sets: Mapping[str, str] | None = None  # domain -> image set, where it is not the one of the same name
    resume: bool = False
    overwrite: bool = False


def experiments_with_images(workspace: Workspace, image_sets: Mapping[str, str]) -> list[str]:
    """The experiments whose image sets are there, with the masks they need. Raises TrainingError if there is none."""
    there = set(workspace.names("images"))

    def ready(experiment: Experiment) -> bool:
        if not {image_sets.get(domain, domain) for domain in experiment.domains} <= there:
            return False
        if experiment.masked is None:
            return True
        manifest = workspace.existing("images", image_sets.get(experiment.masked, experiment.masked)) / "manifest.json"
        return "masks.npy" in read_json(manifest)["files"]

    names = [name for name, experiment in EXPERIMENTS.items() if ready(experiment)]
    if not names:
        raise TrainingError(
            f"There is no image set in {workspace.root / 'images'} that an experiment trains on: make some with "
            "`gan_core prepare phantom`."
        )
    return names


def check_name(name: str) -> str:
    if name not in EXPERIMENTS:
        raise TrainingError(f"There is no experiment '{name}': {did_you_mean(name, list(EXPERIMENTS))}")
    return name


def describe_run(name: str, experiment: str, image_sets: Mapping[str, ImageSet], wish: Wish, world: int = 1) -> Run:
    """The run that is wished for, checked against its image sets (by domain)."""
    preset = wish.preset or "paper"
    settings = settings_for(experiment, preset, wish.chosen)
    facts = EXPERIMENTS[experiment]
    sizes = {size_at(images, wish.resolution) for images in image_sets.values()}
    if len(sizes) > 1:
        found = " and ".join(f"'{i.name}' is {i.height} x {i.width}" for i in image_sets.values())
        raise TrainingError(f"{experiment} needs image sets of one size, but {found}: prepare them alike.")
    (height, width) = sizes.pop()
    try:
        grid_and_stages(height, width)
    except TrainingError as error:
        names = " and ".join(f"'{images.name}'" for images in image_sets.values())
        raise TrainingError(f"{experiment} cannot be trained on {names}. {error}") from None
    if facts.masked and image_sets[facts.masked].masks is None:
        raise TrainingError(
            f"{experiment} needs to know where the eczema is, but the image set '{image_sets[facts.masked].name}' has "
            "no masks: make it with `gan_core prepare patches --lesion-masks`."
        )
    for images in image_sets.values():
        if (count := len(images.where("train"))) < settings.batch:
            raise TrainingError(
                f"{experiment}: the image set '{images.name}' has {count} training images, fewer than a batch of "
                f"{settings.batch}: try --set batch={max(2, count // 2)}."
            )
    if settings.batch % world or settings.batch // world < 2:
        raise TrainingError(
            f"A batch of {settings.batch} cannot be shared by {world} processes: choose --set batch={2 * world * 8}."
        )
    if settings.epochs:
        settings = replace(settings, images=settings.epochs * len(image_sets[facts.target].where("train")))
    sets = {
        domain: {
            "name": i.name, "sha256": i.sha256, "train": len(i.where("train")), "test": len(i.where("test")),
            "files": {file: i.manifest["files"][file] for file in IDENTITY if file in i.manifest["files"]},
        }
        for domain, i in image_sets.items()
    }  # fmt: skip
    return Run(name, experiment, preset, height, width, settings, sets)


def open_images(workspace: Workspace, experiment: str, wish: Wish) -> dict[str, ImageSet]:
    names = wish.image_sets or {}
    return {
        domain: ImageSet.load(workspace.existing("images", names.get(domain, domain)))
        for domain in EXPERIMENTS[experiment].domains
    }


def into_memory(run: Run, image_sets: Mapping[str, ImageSet], device: torch.device) -> dict[str, Domain]:
    return {domain: Domain.load(domain, images, run.height, run.width, device) for domain, images in image_sets.items()}


def as_begun(folder: Path, name: str, wish: Wish) -> Wish:
    """With `--resume`: the wish filled up with what the run was begun with."""
    there = Run.of(folder)
    if wish.preset not in (None, there.preset):
        raise TrainingError(f"Run '{name}' was begun with --preset {there.preset}: resume it without --preset.")
    chosen = dict(wish.chosen or {})
    if "images" in chosen:
        chosen.setdefault("epochs", 0)
    return replace(
        wish, preset=there.preset, chosen={**asdict(there.settings), **chosen},
        resolution=wish.resolution or there.height,
        image_sets={**{d: facts["name"] for d, facts in there.image_sets.items()}, **(wish.image_sets or {})},
    )  # fmt: skip


def settle(folder: Path, wished: Run, wish: Wish) -> str:
    """What the wished run is: `new`, `unfinished` (and gone on with) or `finished`.

    Raises TrainingError where a run of that name has another configuration, unless `--resume` changes only what a run
    may change on its way, or `--overwrite` begins anew.
    """
    if wish.overwrite or not (folder / "config.json").is_file():
        return "new"
    if not wish.resume and not any((folder / file).is_file() for file in (CHECKPOINT, BEST)):
        return "new"  # it ended before its first checkpoint: nothing is lost
    there = Run.of(folder)
    differences = wished.differences(there)
    if not wish.resume:
        changed = list(differences.values())
        remedy = "give this one its own --name, or begin it again with --overwrite."
    else:
        changed = [sentence for key, sentence in differences.items() if key not in CHANGEABLE]
        remedy = f"--resume may change {', '.join(CHANGEABLE)}; give another run its own --name."
    if changed:
        raise TrainingError(
            f"There is a run '{wished.name}' of another configuration ({'; '.join(changed[:3])}): {remedy}"
        )
    finished = read_json(folder / "config.json").get("finished")
    return "finished" if finished and wished.settings.images <= finished["images"] else "unfinished"


def begin(
    folder: Path, run: Run, subsets: Mapping[str, Sequence[int]], anew: bool, device: str = "cpu", world: int = 1
) -> None:
    """Make the run's folder with its `config.json`, or write down what a resumed run changed.

    A run that was there before stands aside until this one has a checkpoint: see `give_way`.
    """
    if anew and folder.exists():
        give_way(folder)
        os.rename(folder, _aside(folder))
    run.write(
        folder, subsets=dict(subsets), made_with={"torch": torch.__version__, "device": device, "processes": world}
    )


def give_way(folder: Path) -> None:
    """Settle which run stays: one begun anew that has a checkpoint, else the one that it replaces, if any.

    Asked when a run ends, however it does, and before the next one starts, for what a SIGKILL left.
    """
    aside = _aside(folder)
    if (folder / CHECKPOINT).is_file():
        shutil.rmtree(aside, ignore_errors=True)
    elif aside.exists():
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(aside, folder)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.aside")
