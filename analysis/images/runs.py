"""The runs to evaluate: each unconditional run of the workspace, with the image set it was trained on.

Configurations are read without torch, which is loaded when images are generated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis import inventory
from analysis.images import features
from analysis.images.features import Features
from analysis.images.pairs import FEWEST, GENERATED, Pair
from analysis.section import Context
from gan_core.experiments import Draw
from gan_core.training.run import Run
from glimpse.files import sha256_json

if TYPE_CHECKING:
    from analysis.images.extractors import Extractor

FEW = 250  # the smallest number of images to generate for a run
FRESH = 1_000_000  # added to the seed, for latents that neither training nor publishing used


@dataclass(frozen=True)
class EvaluatedRun(Pair):
    """An unconditional run, its best generator, and the real images it was trained on."""

    run: Run
    folder: Path
    generator_sha256: str

    @property
    def name(self) -> str:
        """The name of its folder, which may differ from the name in its configuration."""
        return self.folder.name

    @property
    def made_sha256(self) -> str:
        return self.generator_sha256

    @property
    def size(self) -> tuple[int, int]:
        return self.run.height, self.run.width

    @property
    def scored(self) -> int:
        """As many generated images as there are real ones of a split, but FEW to GENERATED."""
        return min(max(FEW, *(len(self.rows_used(split)) for split in ("train", "test"))), GENERATED)

    @property
    def most(self) -> int:
        return GENERATED

    def generated(self, count: int = GENERATED, truncation: float | None = None) -> Iterator[NDArray[np.uint8]]:
        """Batches (b, H, W, 3) from fresh latents; a smaller count gives the first images of a larger one."""
        from gan_core.sampling import generate

        return generate(self.folder, count, Draw(FRESH + self.seed, truncation), self.device)

    def generated_features(
        self, extractor: Extractor, context: Context, count: int = GENERATED, truncation: float | None = None
    ) -> Features:
        drawn = [truncation] if truncation is not None else []
        source = sha256_json([self.generator_sha256, FRESH + self.seed, *drawn])
        total = count if drawn else max(count, self.scored)  # a shorter draw is the beginning of the longer one
        found = features.extract(
            extractor, self.generated(total, truncation), total, source=source,
            folder=context.workspace.features, label=f"features of images by {self.name}",
        )  # fmt: skip
        return found if total == count else found.take(np.arange(count))


def evaluated_runs(context: Context) -> tuple[list[EvaluatedRun], list[str]]:
    """The unconditional runs with a generator and image set, and a sentence for each that is left out."""
    return context.once("evaluated runs", lambda: _evaluated_runs(context))


def _evaluated_runs(context: Context) -> tuple[list[EvaluatedRun], list[str]]:
    found, left_out = [], []
    for one in inventory.runs(context):
        experiment = one.run.experiment
        if experiment.scheme != "unconditional":
            continue
        facts = one.run.image_sets[experiment.target]
        if one.generator_sha256 is None:
            left_out.append(f"The run '{one.name}' has no generator yet and is left out.")
            continue
        real = inventory.trained_on(context, facts)
        if real is None:
            left_out.append(
                f"The run '{one.name}' is left out: its image set '{facts['name']}' is gone, damaged or was made again."
            )
            continue
        if len(real) < FEWEST:
            left_out.append(
                f"The run '{one.name}' is left out: its image set '{real.name}' holds {len(real)} images, and to "
                f"compare real ones with each other takes {FEWEST}."
            )
            continue
        found.append(EvaluatedRun(real, context.device, context.seed, one.run, one.folder, one.generator_sha256))
    for sentence in left_out:
        context.notice(sentence)
    return found, left_out
