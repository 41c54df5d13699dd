"""Stimulus sets of trained runs, by the rules of `glimpse.publishing.rules`.

Generated images come from consecutive latents of a seed, translated ones from the test images of the source domain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gan_core.experiments import Draw, TrainingError
from gan_core.sampling import generate, generator_file
from gan_core.training.run import Run
from gan_core.translating import load_translator, translate_rows
from glimpse.command_line import pasteable
from glimpse.files import sha256_file
from glimpse.images import shrink
from glimpse.imageset import ImageSet
from glimpse.prepare.checks.grid import grid_warning
from glimpse.publishing import rules
from glimpse.publishing.rules import Publication, Published, Shown
from glimpse.runs.log import unfinished_at
from glimpse.workspace import Workspace


def publish(
    workspace: Workspace, name: str, options: Publication, truncation: float | None = None, device: str = "cpu",
    unfinished: bool = False,
) -> Iterator[Published]:  # fmt: skip
    """Publish a run, set by set: one stimulus set, or two (NAME-add, NAME-remove) for a cyclic run.

    Raises StimulusError, naming the largest count that works, if a class has too few images, and TrainingError for an
    unfinished run unless `unfinished` allows it.
    """
    folder = workspace.existing("runs", name)
    run, reached = Run.of(folder), unfinished_at(folder)
    generator_file(folder)  # without one, --unfinished is no remedy
    if reached and not unfinished:
        raise TrainingError(
            f"The run '{name}' is unfinished ({reached}): publish it as it is with --unfinished, or finish it with "
            f"`{pasteable(workspace, 'gan_core', 'train', name, '--resume')}`."
        )
    images = _RunImages(workspace, folder, run, Draw(options.seed, truncation), device, reached)
    sets = run.experiment.published_as(options.name or name)
    for published_as, target in sets.items():
        yield images.publish(published_as, target, options)


def largest_count(workspace: Workspace, name: str) -> int:
    """The largest number of images per class that a run can be published with, by the sizes of its image sets."""
    run = Run.of(workspace.existing("runs", name))
    sizes = [run.image_sets[target]["train"] + run.image_sets[target]["test"] for target in run.experiment.makes]
    sources = filter(None, map(run.experiment.source_of, run.experiment.makes))
    return min(sizes + [run.image_sets[source]["test"] for source in sources]) - rules.PRACTICE


def pasteable_for(workspace: Workspace, names: Sequence[str]) -> str:
    """The command that publishes these runs, with as many images as all of them have."""
    most = min(largest_count(workspace, name) for name in names)
    options = ["--count", str(most)] if 0 < most < Publication.count else []
    options += ["--unfinished"] if any(unfinished_at(workspace.existing("runs", name)) for name in names) else []
    return pasteable(workspace, "gan_core", "publish", *names, *options)


@dataclass(frozen=True)
class _RunImages:
    """A run whose images are published."""

    workspace: Workspace
    folder: Path
    run: Run
    draw: Draw
    device: str
    so_far: str | None  # of an unfinished run: its images, in words

    def publish(self, name: str, target: str, options: Publication) -> Published:
        """One stimulus set: images of `target`, generated from latents or translated."""
        wanted, rng = options.count + rules.PRACTICE, np.random.default_rng(options.seed)
        weights, real = generator_file(self.folder), self.images(target)
        rows = rules.in_order_of_use(real, rng)
        most, what = len(rows), f"real images in '{real.name}'"
        made_from: dict[str, Any] = {
            "run": self.run.name, "generator_sha256": sha256_file(weights), **asdict(self.draw),
            "jpeg_quality": options.jpeg_quality, "off_grid": options.off_grid, "domain": target,
            "image_set": real.name, "images_sha256": real.sha256, "count": options.count,
        } | ({"unfinished": self.so_far} if self.so_far else {})  # fmt: skip
        draw = partial(self.drawn, wanted)
        if (source := self.run.experiment.source_of(target)) is not None:
            inputs = self.images(source)
            input_rows = rules.in_order_of_use(inputs, rng, ("test",))
            if len(input_rows) < most:
                most, what = len(input_rows), f"test images in '{inputs.name}' to translate"
            made_from |= {"source_image_set": inputs.name, "source_images_sha256": inputs.sha256}
            draw = partial(self.translated, inputs, input_rows[:wanted], target)
        options.check_count(name, most, what, most)
        size = self.run.height, self.run.width

        def classes() -> tuple[Shown, Shown]:
            return ((shrink(real.images[row], *size), rules.origin(real, row)) for row in rows[:wanted]), draw()

        warnings = rules.from_jpeg(name, real, options)
        if self.so_far:
            warnings.append(f"{name}: the run '{self.run.name}' is unfinished ({self.so_far}); the report will say so.")
        found = rules.publish_set(self.workspace, name, options, made_from, classes(), warnings)
        uncompressed = (
            rules.as_shown(found.stimuli)
            if options.jpeg_quality is None
            else rules.last_steps(classes(), replace(options, jpeg_quality=None))
        )
        tells = grid_warning(name, uncompressed, options.off_grid, options.jpeg_quality, options.seed)
        return replace(found, warnings=[*warnings, *tells])

    def images(self, domain: str) -> ImageSet:
        """The image set of the run's training. Raises TrainingError if the set of that name is a different one."""
        facts = self.run.image_sets[domain]
        images = ImageSet.load(self.workspace.existing("images", facts["name"]))
        if images.sha256 != facts["sha256"]:
            raise TrainingError(
                f"The image set '{images.name}' is not the one that '{self.run.name}' was trained on: prepare that one "
                "again, or train the run again with --overwrite."
            )
        return images

    def drawn(self, count: int) -> Shown:
        batches = generate(self.folder, count, self.draw, self.device)
        for index, pixels in enumerate(image for batch in batches for image in batch):
            yield pixels, {"run": self.run.name, **asdict(self.draw), "index": index}

    def translated(self, inputs: ImageSet, rows: NDArray[np.intp], target: str) -> Shown:
        translator = load_translator(self.folder, target, self.device)
        lender = self.images(domain) if (domain := self.run.experiment.lender(target)) else None
        rng = np.random.default_rng(self.draw.seed + 1)
        for row, (_, _, after) in zip(rows, translate_rows(translator, inputs, rows, lender, rng), strict=True):
            yield after, {"run": self.run.name, **rules.origin(inputs, row)}
