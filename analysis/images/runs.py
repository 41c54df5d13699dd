"""The runs to evaluate: each unconditional run of the workspace, beside the image set it was trained on.

Reads configurations without torch; torch is loaded when images are generated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.images import features
from analysis.images.features import Features
from analysis.section import Context
from gan_core.device import pick_device
from gan_core.draw import Draw
from gan_core.training.run import Run
from glimpse.files import sha256_file, sha256_json
from glimpse.images import evenly
from glimpse.imageset import ImageSet
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from analysis.images.extractors import Extractor

FRESH = 1_000_000  # added to the seed: latents that neither training nor publishing used
FEWEST = 4  # real images: two against two
GENERATED = 1000  # images of each run that the report looks at


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
        return self.run.name

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
        source = sha256_json([self.real.sha256, self.size, rows.tolist()])
        return features.extract(
            extractor, features.batches(self.real_images(rows)), len(rows), source=source,
            folder=context.workspace.features, label=f"features of {self.real.name}", progress=context.progress,
        )  # fmt: skip

    def generated_features(
        self, extractor: Extractor, context: Context, count: int = GENERATED, truncation: float | None = None
    ) -> Features:
        drawn = [truncation] if truncation is not None else []
        source = sha256_json([self.generator_sha256, FRESH + self.seed, *drawn])
        return features.extract(
            extractor, self.generated(count, truncation), count, source=source,
            folder=context.workspace.features, label=f"features of images by {self.name}", progress=context.progress,
        )  # fmt: skip

    def extractor(self, context: Context) -> Extractor:
        """The context's extractor, calibrated on this run's training images where it is the random one."""
        rows = self.rows("train")
        return features.extractor_for(context, evenly(self.real_images(rows), 512))

    def _index_sha256(self) -> str:
        return str(self.real.manifest["files"]["index.csv"])


def evaluated_runs(context: Context) -> tuple[list[EvaluatedRun], list[str]]:
    """The unconditional runs whose generator and image set are there, and a sentence for each that is left out."""
    found, left_out = [], []
    workspace = context.workspace
    sets: dict[str, ImageSet] = {}
    for name in workspace.names("runs"):
        folder = workspace.existing("runs", name)
        run = Run.of(folder)
        if run.experiment.scheme != "unconditional":
            continue
        facts = run.image_sets[run.experiment.target]
        generator = folder / "generator.safetensors"
        if not generator.is_file():
            left_out.append(f"The run '{name}' has no generator yet and is left out.")
            continue
        real = image_set(workspace, facts, sets)
        if real is None:
            left_out.append(f"The run '{name}' is left out: its image set '{facts['name']}' is gone or was made again.")
            continue
        if len(real) < FEWEST:
            left_out.append(
                f"The run '{name}' is left out: its image set '{real.name}' holds {len(real)} images, and to compare "
                f"real ones with each other takes {FEWEST}."
            )
            continue
        found.append(EvaluatedRun(run, folder, sha256_file(generator), real, context.device, context.seed))
    return found, left_out


def image_set(
    workspace: Workspace, facts: Mapping[str, Any], loaded: dict[str, ImageSet] | None = None
) -> ImageSet | None:
    """The image set that a run was trained on, by what its configuration says of it; None if it is gone or another."""
    name, loaded = str(facts["name"]), {} if loaded is None else loaded
    if name not in loaded:
        if name not in workspace.names("images"):
            return None
        loaded[name] = ImageSet.load(workspace.existing("images", name))
    return loaded[name] if loaded[name].sha256 == facts["sha256"] else None


def gathered(batches: Iterator[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """All batches as one array (n, H, W, 3)."""
    return np.concatenate(list(batches))
