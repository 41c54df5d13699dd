"""Before a run starts: its configuration from a request, checked against image sets and against an existing run."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import torch

from gan_core.experiments import (
    EXPERIMENTS,
    Experiment,
    TrainingError,
    batch_for,
    experiment_named,
    grid_and_stages,
    score_images_for,
    settings_for,
)
from gan_core.training.checkpoint import BEST, CHECKPOINT
from gan_core.training.data import Domain
from gan_core.training.run import CHANGEABLE, Run
from glimpse.command_line import counted, pasteable
from glimpse.files import read_json
from glimpse.images import size_in_words
from glimpse.imageset import ImageSet, has_masks
from glimpse.workspace import Workspace


@dataclass(frozen=True)
class Request:
    """The options of `gan_core train` that hold for all its runs."""

    preset: str | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    resolution: int | None = None
    image_sets: Mapping[str, str] = field(default_factory=dict)  # domain -> image set, if not the one of the same name
    resume: bool = False
    overwrite: bool = False


def experiments_with_images(workspace: Workspace, image_sets: Mapping[str, str]) -> list[str]:
    """The experiments whose image sets, and the masks they need, exist. Raises TrainingError if there are none."""
    there = set(workspace.names("images"))

    def ready(experiment: Experiment) -> bool:
        sets = {domain: image_sets.get(domain, domain) for domain in experiment.domains}
        masked = experiment.masked and sets[experiment.masked]
        return there.issuperset(sets.values()) and (not masked or has_masks(workspace.existing("images", masked)))

    names = [name for name, experiment in EXPERIMENTS.items() if ready(experiment)]
    if not names:
        sets = sorted(there)
        remedy = (
            f"name those to train on: `{pasteable(workspace, 'gan_core', 'train', *sets)}`"
            if sets
            else f"make some with `{pasteable(workspace, 'gan_core', 'prepare', 'phantom')}`"
        )
        raise TrainingError(f"No image set in {workspace.root / 'images'} belongs to an experiment: {remedy}.")
    return names


def _nearest_resolution(images: ImageSet, height: int) -> int | None:
    """The height nearest to this one at which the networks can be built, by shrinking these images."""
    for near in sorted(range(1, images.height + 1), key=lambda near: abs(near - height)):
        with contextlib.suppress(TrainingError):
            grid_and_stages(*images.size_at(near))
            return near
    return None


def describe_run(
    name: str, experiment: str, image_sets: Mapping[str, ImageSet], request: Request, world: int = 1
) -> Run:
    """The configuration of a requested run. Raises TrainingError if its image sets (by domain) do not suit it."""
    preset = request.preset or "paper"
    facts = experiment_named(experiment)
    if reserved := [domain for domain in facts.makes if hasattr(torch.nn.ModuleDict, domain)]:
        raise TrainingError(
            f"PyTorch cannot save a generator named '{reserved[0]}': prepare that image set again with another --name."
        )
    sizes = {images.size_at(request.resolution) for images in image_sets.values()}
    if len(sizes) > 1:
        found = " and ".join(f"'{i.name}' is {size_in_words(i.height, i.width)}" for i in image_sets.values())
        raise TrainingError(f"{experiment} needs image sets of one size, but {found}: prepare both at the same size.")
    height, width = sizes.pop()
    try:
        grid_and_stages(height, width)
    except TrainingError as error:
        names = " and ".join(f"'{images.name}'" for images in image_sets.values())
        near = _nearest_resolution(next(iter(image_sets.values())), height)
        raise TrainingError(
            f"{experiment} cannot be trained on {names}. {error}" + (f" Or give --resolution {near}." if near else "")
        ) from None
    if experiment not in EXPERIMENTS and facts.source is None:
        shown = len(image_sets[facts.target].where("train"))
        own = {"batch": batch_for(height, width, shown), "score_images": score_images_for(shown)}
        facts = replace(facts, more={**facts.more, **own})
    settings = settings_for(experiment, preset, request.chosen, facts)
    if facts.masked and image_sets[facts.masked].masks is None:
        raise TrainingError(
            f"{experiment} needs masks of the {facts.masked}, but the image set '{image_sets[facts.masked].name}' has "
            "no masks: prepare it from photos with lesion masks (`gan_core prepare patches --help`)."
        )
    least = 2 * world  # images of a batch: two for each process
    for images in image_sets.values():
        if (count := len(images.where("train"))) < settings.batch:
            has = f"{experiment}: the image set '{images.name}' has {counted(count, 'training image')}"
            if count < least:
                raise TrainingError(
                    f"{has}, but training needs at least {least}: prepare it from more photos, or with fewer for "
                    "testing."
                )
            batch = max(least, count // 2 // world * world)
            raise TrainingError(f"{has}, fewer than a batch of {settings.batch}: try --set batch={batch}.")
    if settings.batch % world or settings.batch < least:
        fewest = min(len(images.where("train")) for images in image_sets.values())
        batch = max(least, min(8 * least, fewest // world * world))
        raise TrainingError(
            f"A batch of {settings.batch} cannot be shared by {world} processes: choose --set batch={batch}."
        )
    if settings.epochs:
        settings = replace(settings, images=settings.epochs * len(image_sets[facts.target].where("train")))
    return Run(name, experiment, preset, height, width, settings, {k: i.facts() for k, i in image_sets.items()})


def open_domains(workspace: Workspace, experiment: str, request: Request) -> dict[str, ImageSet]:
    names = {domain: request.image_sets.get(domain, domain) for domain in experiment_named(experiment).domains}
    return {domain: ImageSet.load(workspace.existing("images", name)) for domain, name in names.items()}


def into_memory(run: Run, image_sets: Mapping[str, ImageSet], device: torch.device) -> dict[str, Domain]:
    return {domain: Domain.load(images, run.height, run.width, device) for domain, images in image_sets.items()}


def resumed(folder: Path, name: str, request: Request) -> Request:
    """A request with `--resume`, completed with the configuration of the run."""
    run = Run.of(folder)
    if request.preset not in (None, run.preset):
        raise TrainingError(f"Run '{name}' has --preset {run.preset}: resume it without --preset.")
    by_images = {"epochs": 0} if "images" in request.chosen else {}
    return replace(
        request, preset=run.preset, chosen={**asdict(run.settings), **by_images, **request.chosen},
        resolution=request.resolution or run.height,
        image_sets={**{d: facts["name"] for d, facts in run.image_sets.items()}, **request.image_sets},
    )  # fmt: skip


def state_of(folder: Path, run: Run, request: Request) -> Literal["new", "unfinished", "finished"]:
    """Whether the requested run is new, can be resumed, or is finished.

    Raises TrainingError if the run of that name has another configuration, unless `--overwrite` replaces it or
    `--resume` changes `CHANGEABLE` settings only.
    """
    if request.overwrite or not (folder / "config.json").is_file():
        return "new"
    if not request.resume and not any((folder / file).is_file() for file in (CHECKPOINT, BEST)):
        return "new"  # it ended before its first checkpoint: nothing is lost
    differences = run.differences(Run.of(folder))
    changed = [phrase for key, phrase in differences.items() if not request.resume or key not in CHANGEABLE]
    remedy = "give this one another --name, or train it again with --overwrite."
    if request.resume:
        remedy = f"--resume may change {', '.join(CHANGEABLE)}; give another run its own --name."
    if changed:
        raise TrainingError(f"A run '{run.name}' exists with other settings ({'; '.join(changed[:3])}): {remedy}")
    finished = read_json(folder / "config.json").get("finished")
    if finished and run.settings.images <= finished["images"]:
        return "finished"
    if finished and not (folder / CHECKPOINT).is_file():
        raise TrainingError(
            f"The finished run '{run.name}' has no checkpoint to resume from (those that come with Glimpse have "
            "none): train it again with --overwrite, or another run under its own --name."
        )
    return "unfinished"
