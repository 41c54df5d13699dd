"""Stimulus sets: real and generated images of a run or of a pair of image sets, drawn by rule and seed, never selected.

Real images come from the test split first, then from training, spread over groups. Generated images come from
consecutive latents of a seed, translated ones from the test images of the source domain. Two more per class are for
practice.

Publishing a pair needs no torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gan_core.draw import Draw
from gan_core.experiments import TrainingError
from gan_core.training.run import Run
from glimpse.files import sha256_file
from glimpse.images import one_of_each, shrink, through_jpeg
from glimpse.imageset import ImageSet
from glimpse.prepare.checks.grid import grid_tells, off_grid
from glimpse.stimuli import Source, StimulusError, StimulusSet, write_stimulus_set
from glimpse.workspace import Workspace

Pixels = NDArray[np.uint8]
Images = Iterator[tuple[Pixels, dict[str, Any]]]  # each with where it comes from
PRACTICE = 2
JPEG_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif")


@dataclass(frozen=True)
class Options:
    """Options of `gan_core publish`; the seed of `draw` also orders the real images."""

    count: int = 100  # per class
    label: str | None = None
    draw: Draw = field(default_factory=Draw)
    off_grid: float | None = None  # cut at random places of JPEG's grid, then shrunk by this factor
    jpeg_quality: int | None = None  # of the last compression
    device: str = "cpu"
    overwrite: bool = False
    name: str | None = None


@dataclass(frozen=True)
class Published:
    """A stimulus set; `new` is False if it existed already, made from the same run with the same options."""

    stimuli: StimulusSet
    new: bool
    warnings: list[str]


def in_order_of_use(
    images: ImageSet, rng: np.random.Generator, splits: tuple[str, ...] = ("test", "train")
) -> NDArray[np.intp]:
    """The positions of a set in order of use: split by split, within each one image per group while groups last."""
    sides = [images.where(split) for split in splits]
    return np.concatenate([rows[one_of_each(images.groups[rows], rng)] for rows in sides])


def publish(workspace: Workspace, name: str, options: Options) -> list[Published]:
    """Publish a run: one stimulus set, or two (NAME-add, NAME-remove) for a cyclic run.

    Raises StimulusError, naming the largest count that works, if a class has too few images.
    """
    folder = workspace.existing("runs", name)
    run, name = Run.of(folder), options.name or name
    experiment = run.experiment
    stimuli = {name: (experiment.source, experiment.target)}
    if experiment.scheme == "cyclic":
        stimuli = {f"{name}-add": stimuli[name], f"{name}-remove": (experiment.target, str(experiment.source))}
    return [
        _Publication(workspace, folder, run, source, target, options).publish(name)
        for name, (source, target) in stimuli.items()
    ]


def largest_count(workspace: Workspace, name: str) -> int:
    """The largest number of images a class that a run can be published with."""
    run = Run.of(workspace.existing("runs", name))
    sets = {d: ImageSet.load(workspace.existing("images", facts["name"])) for d, facts in run.image_sets.items()}
    made, source = run.experiment.makes, run.experiment.source
    sizes = [len(sets[domain]) for domain in made]
    if source is not None:
        sizes += [len(sets[domain].where("test")) for domain in ([*made] if len(made) > 1 else [source])]
    return min(sizes) - PRACTICE


@dataclass(frozen=True)
class _Publication:
    """One stimulus set to make: images of `target`, generated from latents or translated from `source`."""

    workspace: Workspace
    folder: Path
    run: Run
    source: str | None
    target: str
    options: Options

    def publish(self, name: str) -> Published:
        from gan_core.sampling import generator_file

        options, draw, run = self.options, self.options.draw, self.run
        weights = generator_file(self.folder)
        real, inputs = self._images(self.target), None if self.source is None else self._images(self.source)
        rng = np.random.default_rng(draw.seed)
        rows = in_order_of_use(real, rng)
        input_rows = None if inputs is None else in_order_of_use(inputs, rng, ("test",))
        self._check_count(name, real, rows, inputs, input_rows)
        made_from: dict[str, Any] = {
            "run": run.name, "generator_sha256": sha256_file(weights), "seed": draw.seed,
            "truncation": draw.truncation, "jpeg_quality": options.jpeg_quality,
            "off_grid": options.off_grid, "domain": self.target, "image_set": real.name,
            "images_sha256": real.sha256, "count": options.count,
        }  # fmt: skip
        if inputs is not None:
            made_from |= {"source_image_set": inputs.name, "source_images_sha256": inputs.sha256}
        wanted = options.count + PRACTICE
        made = self._generated(wanted)
        if inputs is not None and input_rows is not None:
            made = self._translated(inputs, input_rows[:wanted])
        classes = self._real(real, rows[:wanted]), made
        made_set = publish_set(self.workspace, name, options, made_from, classes, _warnings(name, real, options))
        tells = grid_tells(name, as_shown(made_set.stimuli), options.off_grid, draw.seed)
        return replace(made_set, warnings=[*made_set.warnings, *tells])

    def _images(self, domain: str) -> ImageSet:
        """The image set of the run's training. Raises TrainingError if the set of that name is a different one."""
        facts = self.run.image_sets[domain]
        images = ImageSet.load(self.workspace.existing("images", facts["name"]))
        if images.sha256 != facts["sha256"]:
            raise TrainingError(
                f"The image set '{images.name}' is not the one that '{self.run.name}' was trained on: prepare that one "
                "again, or train the run again with --overwrite."
            )
        return images

    def _check_count(
        self, name: str, real: ImageSet, rows: NDArray[np.intp], inputs: ImageSet | None,
        input_rows: NDArray[np.intp] | None,
    ) -> None:  # fmt: skip
        most, what = len(rows), f"real images in '{real.name}'"
        if inputs is not None and input_rows is not None and len(input_rows) < most:
            most, what = len(input_rows), f"test images in '{inputs.name}' to translate"
        if self.options.count + PRACTICE > most:
            largest = most - PRACTICE
            raise StimulusError(
                f"{name}: {self.options.count} of each class and {PRACTICE} for practice are more than the {most} "
                f"{what}: " + (f"use --count {largest}." if largest > 0 else "prepare more images first.")
            )

    def _real(self, images: ImageSet, rows: NDArray[np.intp]) -> Images:
        for row in rows:
            yield shrink(images.images[row], self.run.height, self.run.width), origin(images, row)

    def _generated(self, count: int) -> Images:
        from gan_core.sampling import generate

        facts = {"run": self.run.name, **asdict(self.options.draw)}
        batches = generate(self.folder, count, self.options.draw, self.options.device)
        for index, pixels in enumerate(image for batch in batches for image in batch):
            yield pixels, {**facts, "index": index}

    def _translated(self, inputs: ImageSet, rows: NDArray[np.intp]) -> Images:
        from gan_core.translating import load_translator, translate_rows

        translator = load_translator(self.folder, self.target, self.options.device)
        masked = self.run.experiment.masked
        lender = self._images(masked) if masked not in (None, self.source) else None
        rng = np.random.default_rng(self.options.draw.seed + 1)
        for row, (_, _, after) in zip(rows, translate_rows(translator, inputs, rows, lender, rng), strict=True):
            yield after, {"run": self.run.name, **origin(inputs, row)}


def publish_set(
    workspace: Workspace, name: str, options: Options, made_from: dict[str, Any],
    classes: tuple[Images, Images], warnings: list[str],
) -> Published:  # fmt: skip
    """Write a stimulus set of real and generated images, the last ones of each class for practice.

    A set made from the same is left as it is; one made from something else raises StimulusError without `--overwrite`.
    """
    folder, label = workspace.new("stimuli", name), options.label or name
    if (folder / "manifest.json").is_file() and not options.overwrite:
        existing = StimulusSet.load(folder)
        if (existing.made_from, existing.label) != (made_from, label):
            raise StimulusError(
                f"The stimulus set '{name}' exists, made from other images or with other options, and answers may "
                "refer to it: replace it with --overwrite."
            )
        return Published(existing, False, warnings)
    sources = last_steps(classes, options)
    return Published(write_stimulus_set(folder, label=label, sources=sources, made_from=made_from), True, warnings)


def last_steps(classes: tuple[Images, Images], options: Options) -> Iterator[Source]:
    """The images of both classes after the steps that they share: off the grid, then the last compression."""
    for truth, images in zip(("real", "generated"), classes, strict=True):
        rng = np.random.default_rng([options.draw.seed, truth == "real"])
        for i, (pixels, facts) in enumerate(images):
            if options.off_grid is not None:
                pixels = off_grid(pixels, options.off_grid, rng)
            yield Source(through_jpeg(pixels, options.jpeg_quality), truth, facts, practice=i >= options.count)


def as_shown(stimuli: StimulusSet) -> Iterable[Source]:
    """The images of a stimulus set, read back."""
    for one in stimuli.stimuli:
        yield Source(np.asarray(Image.open(stimuli.folder / one.file)), one.truth, one.origin, one.practice)


def origin(images: ImageSet, row: int) -> dict[str, Any]:
    """The index row of a real image, as a stimulus set keeps it."""
    facts = images.index.iloc[int(row)]
    return {
        "image_set": images.name, "image_id": str(facts["image_id"]), "group": str(facts["group"]),
        "split": str(facts["split"]),
    }  # fmt: skip


def _warnings(name: str, real: ImageSet, options: Options) -> list[str]:
    sources = [str(source).lower() for source in real.index["source"]]
    from_jpeg = sum(source.endswith(JPEG_SUFFIXES) for source in sources)
    if not from_jpeg or options.jpeg_quality is not None or options.off_grid is not None:
        return []
    return [
        f"{name}: {from_jpeg} of {len(sources)} real images come from JPEG files, the generated ones do not. "
        "Compression could tell them apart; --off-grid hides the blocks of the photos, and --jpeg-quality 95 then "
        "compresses both classes alike."
    ]
