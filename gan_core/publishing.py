"""From a run to stimulus sets: real images and generated ones, drawn by rule and by seed, never selected.

Real ones come from the test split first, then from training, spread over groups; generated ones from consecutive
latents of a seed; translated ones from the source domain's test images. Two more of each class are for practice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gan_core.experiments import TrainingError
from gan_core.training.run import Run
from glimpse.files import sha256_file
from glimpse.images import one_of_each, shrink, shrink_mask, through_jpeg
from glimpse.imageset import ImageSet
from glimpse.stimuli import Source, StimulusError, StimulusSet, write_stimulus_set
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from gan_core.sampling import Statistics

PRACTICE = 2
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")


@dataclass(frozen=True)
class Options:
    count: int = 100
    label: str | None = None
    seed: int = 0
    truncation: float | None = None
    statistics: Statistics = "matched"
    jpeg_quality: int | None = None
    device: str = "cpu"
    overwrite: bool = False
    name: str | None = None


@dataclass(frozen=True)
class Published:
    stimuli: StimulusSet
    new: bool  # False: it was there already, from the same run and options
    warnings: list[str]


def in_order_of_use(
    images: ImageSet, rng: np.random.Generator, splits: tuple[str, ...] = ("test", "train")
) -> NDArray[np.intp]:
    """The positions of a set in the order of use: split by split, in each one image a group while groups last."""
    sides = [images.where(split) for split in splits]
    return np.concatenate([rows[one_of_each(images.groups[rows], rng)] for rows in sides])


def publish(workspace: Workspace, name: str, options: Options) -> list[Published]:
    """Publish a run: one stimulus set, or two (NAME-add, NAME-remove) for a cyclic run; each with its warnings.

    Raises StimulusError, naming the largest count that works, where a class has too few images.
    """
    folder = workspace.existing("runs", name)
    run, name = Run.of(folder), options.name or name
    experiment = run.experiment
    if experiment.source is None:
        return [_publish(workspace, folder, run, name, experiment.target, None, options)]
    if experiment.way == "targeted":
        return [_publish(workspace, folder, run, name, experiment.target, experiment.source, options)]
    return [
        _publish(workspace, folder, run, f"{name}-add", experiment.target, experiment.source, options),
        _publish(workspace, folder, run, f"{name}-remove", experiment.source, experiment.target, options),
    ]


def _publish(
    workspace: Workspace, folder: Path, run: Run, name: str, target: str, source: str | None, options: Options
) -> Published:
    from gan_core.sampling import generator_file

    weights = generator_file(folder)
    real = _images_of(workspace, run, target)
    rng = np.random.default_rng(options.seed)
    real_rows = in_order_of_use(real, rng)
    wanted = options.count + PRACTICE
    most = len(real_rows)
    made_from: dict[str, Any] = {
        "run": run.name, "generator_sha256": sha256_file(weights), "seed": options.seed,
        "truncation": options.truncation, "statistics": options.statistics, "jpeg_quality": options.jpeg_quality,
        "domain": target, "image_set": real.name, "images_sha256": real.sha256, "count": options.count,
    }  # fmt: skip
    warnings = _warnings(name, real, options)
    what = f"real images in '{real.name}'"
    inputs = None
    if source is not None:
        inputs = _images_of(workspace, run, source)
        made_from |= {"source_image_set": inputs.name, "source_images_sha256": inputs.sha256}
        input_rows = in_order_of_use(inputs, rng, ("test",))
        if len(input_rows) < most:
            most, what = len(input_rows), f"test images in '{inputs.name}' to translate"
    if wanted > most:
        largest = most - PRACTICE
        raise StimulusError(
            f"{name}: {options.count} of each class and {PRACTICE} for practice are more than the {most} {what}: "
            + (f"use --count {largest}." if largest > 0 else "prepare more images first.")
        )

    def sources() -> Iterator[Source]:
        for i, row in enumerate(real_rows[:wanted]):
            pixels = shrink(real.images[row], run.height, run.width)
            yield Source(
                through_jpeg(pixels, options.jpeg_quality), "real", origin(real, row), practice=i >= options.count
            )
        if inputs is None:
            made = _generated(folder, run, wanted, options)
        else:
            made = _translated(workspace, folder, run, inputs, input_rows[:wanted], target, options)
        for i, (pixels, facts) in enumerate(made):
            yield Source(through_jpeg(pixels, options.jpeg_quality), "generated", facts, practice=i >= options.count)

    place, label = workspace.new("stimuli", name), options.label or name
    if (place / "manifest.json").is_file() and not options.overwrite:
        there = StimulusSet.load(place)
        if (there.made_from, there.label) != (made_from, label):
            raise StimulusError(
                f"There is a stimulus set '{name}' made from another run or with other options, and answers may refer "
                "to it: replace it with --overwrite."
            )
        return Published(there, False, warnings)
    stimuli = write_stimulus_set(place, label=label, sources=sources(), made_from=made_from)
    return Published(stimuli, True, warnings)


def origin(images: ImageSet, row: int) -> dict[str, Any]:
    facts = images.index.iloc[int(row)]
    return {
        "image_set": images.name, "image_id": str(facts["image_id"]), "group": str(facts["group"]),
        "split": str(facts["split"]),
    }  # fmt: skip


def _images_of(workspace: Workspace, run: Run, domain: str) -> ImageSet:
    """The image set that a run was trained on. Raises TrainingError where another one has taken its name."""
    facts = run.image_sets[domain]
    images = ImageSet.load(workspace.existing("images", facts["name"]))
    if images.sha256 != facts["sha256"]:
        raise TrainingError(
            f"The image set '{images.name}' is not the one that '{run.name}' was trained on: prepare that one again, "
            f"or train with `gan_core train {run.experiment_name} --overwrite`."
        )
    return images


def _generated(
    folder: Path, run: Run, count: int, options: Options
) -> Iterator[tuple[NDArray[np.uint8], dict[str, Any]]]:
    from gan_core.sampling import generate

    index = 0
    drawn = {"run": run.name, "seed": options.seed, "truncation": options.truncation, "statistics": options.statistics}
    batches = generate(folder, count, options.seed, options.truncation, options.device, statistics=options.statistics)
    for batch in batches:
        for pixels in batch:
            yield pixels, {**drawn, "index": index}
            index += 1


def _translated(
    workspace: Workspace, folder: Path, run: Run, inputs: ImageSet, rows: NDArray[np.intp], target: str,
    options: Options,
) -> Iterator[tuple[NDArray[np.uint8], dict[str, Any]]]:  # fmt: skip
    from gan_core.translating import load_translator, random_masks, translate

    translator = load_translator(folder, target, options.device)
    own = inputs.masks
    masks: NDArray[np.uint8] | None = None
    if translator.needs_mask and run.experiment.masked != run.experiment.source:
        assert run.experiment.masked is not None
        donors = _images_of(workspace, run, run.experiment.masked)
        masks = random_masks(donors, len(rows), np.random.default_rng(options.seed + 1))
    for i, row in enumerate(rows):
        image = shrink(inputs.images[row], run.height, run.width)
        mask = None
        if translator.needs_mask:
            given = masks[i] if masks is not None else own[row] if own is not None else None
            assert given is not None
            mask = shrink_mask(given, run.height, run.width)
        yield translate(translator, image, mask), {"run": run.name, **origin(inputs, row)}


def _warnings(name: str, real: ImageSet, options: Options) -> list[str]:
    sources = [str(source).lower() for source in real.index["source"]]
    from_jpeg = sum(source.endswith(JPEG_SUFFIXES) for source in sources)
    if not from_jpeg or options.jpeg_quality is not None:
        return []
    return [
        f"{name}: {from_jpeg} of {len(sources)} real images come from JPEG files and the generated ones do not, which "
        "could tell them apart; --jpeg-quality 95 gives both the same last compression."
    ]
