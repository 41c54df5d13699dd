"""The runs to evaluate: each unconditional run of the workspace, beside the image set it was trained on.

Reads configurations without torch; torch is loaded when images are generated.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis import inventory
from analysis.images import features
from analysis.images.distances import BIASED_BELOW
from analysis.images.features import Features
from analysis.section import Context
from gan_core.device import pick_device
from gan_core.draw import Draw
from gan_core.training.run import Run
from glimpse.files import sha256_json
from glimpse.images import evenly
from glimpse.imageset import ImageSet

if TYPE_CHECKING:
    from analysis.images.extractors import Extractor

FRESH = 1_000_000  # added to the seed: latents that neither training nor publishing used
FEWEST = 4  # real images: two against two
GENERATED = 1000  # images of each run that the report looks at
POOLED = 2000  # real images of each split whose features are computed, once for all sections


@dataclass(frozen=True)
class ResizedImages:
    """Some images of a mapped set at another size, read when indexed."""

    images: NDArray[np.uint8]
    rows: NDArray[np.intp]
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.rows), self.height, self.width, 3

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> NDArray[np.uint8]:
        """One image for a number, (n, H, W, 3) for a slice or positions."""
        chosen = np.asarray(self.images[self.rows[index]])
        if chosen.shape[-3:-1] == (self.height, self.width):
            return chosen
        from glimpse.images import shrink

        if chosen.ndim == 3:
            return shrink(chosen, self.height, self.width)
        return np.stack([shrink(image, self.height, self.width) for image in chosen])


@dataclass(frozen=True)
class EvaluatedRun:
    """One unconditional run, its generator chosen while training, and the real images it was trained on."""

    run: Run
    folder: Path
    generator_sha256: str
    real: ImageSet
    device_name: str  # as asked for: auto, cpu or cuda
    seed: int

    @property
    def name(self) -> str:
        """The name of its folder, whatever its configuration says."""
        return self.folder.name

    @property
    def inputs(self) -> dict[str, Any]:
        """Everything that results of this run depend on, for the cache key."""
        return {
            "generator": self.generator_sha256, "images": self.real.sha256, "index": self._index_sha256(),
            "size": list(self.size),
        }  # fmt: skip

    @property
    def device(self) -> str:
        """Loads torch, unless the CPU was asked for."""
        return pick_device(self.device_name)

    def rows(self, split: str) -> NDArray[np.intp]:
        return self.real.where(split)

    def pooled(self, split: str) -> NDArray[np.intp]:
        """The rows of a split of which features are taken: all, or `POOLED` drawn by the seed."""
        rows = self.rows(split)
        return np.sort(np.random.default_rng(self.seed).permutation(rows)[:POOLED])

    @property
    def scored(self) -> int:
        """The number of generated images of which features are taken."""
        return min(max(GENERATED, len(self.pooled("test"))), BIASED_BELOW)

    def groups(self, rows: NDArray[np.intp]) -> NDArray[np.str_]:
        return self.real.groups[rows]

    def real_images(self, rows: NDArray[np.intp]) -> ResizedImages:
        """The real images at these rows, at the run's size, read when asked for."""
        return ResizedImages(self.real.images, rows, *self.size)

    @property
    def size(self) -> tuple[int, int]:
        return self.run.height, self.run.width

    def generated(self, count: int = GENERATED, truncation: float | None = None) -> Iterator[NDArray[np.uint8]]:
        """Batches (b, H, W, 3) from fresh latents; the first of a longer draw are those of a shorter one."""
        from gan_core.sampling import generate

        return generate(self.folder, count, Draw(FRESH + self.seed, truncation), self.device)

    def real_features(self, extractor: Extractor, rows: NDArray[np.intp], context: Context) -> Features:
        """Of the real images at these rows: taken from the run's pool where this holds them all."""
        pool = np.sort(np.concatenate([self.pooled("train"), self.pooled("test")]))
        wanted = pool if np.isin(rows, pool).all() else rows
        source = sha256_json([self.real.sha256, self.size, wanted.tolist()])
        found = features.extract(
            extractor, features.batches(self.real_images(wanted)), len(wanted), source=source,
            folder=context.workspace.features, label=f"features of {self.real.name}", progress=context.progress,
        )  # fmt: skip
        return found if wanted is rows else found.take(np.searchsorted(pool, rows))

    def generated_features(
        self, extractor: Extractor, context: Context, count: int = GENERATED, truncation: float | None = None
    ) -> Features:
        drawn = [truncation] if truncation is not None else []
        source = sha256_json([self.generator_sha256, FRESH + self.seed, *drawn])
        total = count if drawn else max(count, self.scored)  # a shorter draw is the beginning of the longer one
        found = features.extract(
            extractor, self.generated(total, truncation), total, source=source,
            folder=context.workspace.features, label=f"features of images by {self.name}", progress=context.progress,
        )  # fmt: skip
        return found if total == count else found.take(np.arange(count))

    def extractor(self, context: Context) -> Extractor:
        """The context's extractor, calibrated on this run's training images where it is the random one."""
        rows = self.rows("train")
        return features.extractor_for(context, evenly(self.real_images(rows), 512))

    def _index_sha256(self) -> str:
        return str(self.real.manifest["files"]["index.csv"])


def evaluated_runs(context: Context) -> tuple[list[EvaluatedRun], list[str]]:
    """The unconditional runs whose generator and image set are there, and a sentence for each that is left out."""
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
        found.append(EvaluatedRun(one.run, one.folder, one.generator_sha256, real, context.device, context.seed))
    for sentence in left_out:
        context.notice(sentence)
    return found, left_out


def gathered(batches: Iterator[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """All batches as one array (n, H, W, 3)."""
    return np.concatenate(list(batches))
