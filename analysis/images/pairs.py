"""Pairs of real and generated images: whatever a distance, a test for copies or a search for neighbours compares.

A pair does not care where its images come from. `EvaluatedRun` (analysis.images.runs) draws the generated side from one
of our runs; `SetPair` takes it from an image set, such as the folder of somebody else's generator.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis import CALIBRATION, inventory
from analysis.images import features
from analysis.images.distances import BIASED_BELOW
from analysis.images.features import Features
from analysis.section import Context
from gan_core.device import pick_device
from glimpse.files import sha256_json
from glimpse.images import evenly, shrink
from glimpse.imageset import ImageSet

if TYPE_CHECKING:
    from analysis.images.extractors import Extractor

FEWEST = 4  # real images: two against two
GENERATED = 1000  # generated images of each pair that the report looks at
POOLED = 2000  # real images of each split whose features are computed, once for all sections; of runs GENERATED


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
        if chosen.ndim == 3:
            return shrink(chosen, self.height, self.width)
        return np.stack([shrink(image, self.height, self.width) for image in chosen])


def pooled(real: ImageSet, split: str, most: int, seed: int) -> NDArray[np.intp]:
    """The rows of a split of which features are taken: all, or `most` drawn by the seed."""
    return np.sort(np.random.default_rng(seed).permutation(real.where(split))[:most])


def features_of_real(
    extractor: Extractor, real: ImageSet, rows: NDArray[np.intp], size: tuple[int, int], context: Context
) -> Features:
    """Features of the images at these rows at the size (height, width), kept in the workspace."""
    return features.extract(
        extractor, features.batches(ResizedImages(real.images, rows, *size)), len(rows),
        source=sha256_json([real.sha256, size, rows.tolist()]), folder=context.workspace.features,
        label=f"features of {real.name}", progress=context.progress,
    )  # fmt: skip


@dataclass(frozen=True)
class Pair(ABC):
    """Real images, and generated ones of the size `size` to compare with them."""

    real: ImageSet
    device_name: str  # as asked for: auto, cpu or cuda
    seed: int

    @property
    @abstractmethod
    def name(self) -> str: ...

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Height and width."""

    @property
    @abstractmethod
    def made_sha256(self) -> str:
        """The identity of the generated images: of the generator, or of their pixels."""

    @property
    @abstractmethod
    def scored(self) -> int:
        """The number of generated images of which features are taken."""

    @abstractmethod
    def generated(self, count: int = GENERATED) -> Iterator[NDArray[np.uint8]]:
        """At most `count` images in batches (b, H, W, 3); the first of a longer draw are those of a shorter one."""

    def generated_images(self, count: int = GENERATED) -> features.Images:
        """The same images as one array, or as one that is read when indexed."""
        return np.concatenate(list(self.generated(count)))

    @abstractmethod
    def generated_features(self, extractor: Extractor, context: Context, count: int = GENERATED) -> Features:
        """Features of the images that `generated` gives for this count."""

    def generated_groups(self, count: int) -> NDArray[Any] | None:
        """The groups (count,) of these images; None where each is its own."""
        return None

    @property
    def inputs(self) -> dict[str, Any]:
        """Everything that results of this pair depend on, for the cache key."""
        return {
            "generator": self.made_sha256, "images": self.real.sha256, "size": list(self.size),
            "index": self.real.manifest["files"]["index.csv"],
        }  # fmt: skip

    @property
    def device(self) -> str:
        """Loads torch, unless the CPU was asked for."""
        return pick_device(self.device_name)

    @property
    def against(self) -> str:
        """The side of the real images that the generated ones are compared with: held-out images, if there are any."""
        return "test" if len(self.rows("test")) >= 2 else "train"

    @property
    def most(self) -> int:
        """The number of real images of each split of which features are taken at most."""
        return POOLED

    def rows(self, split: str) -> NDArray[np.intp]:
        return self.real.where(split)

    def pooled(self, split: str) -> NDArray[np.intp]:
        """The rows of a split of which features are taken: all, or `most` drawn by the seed."""
        return pooled(self.real, split, self.most, self.seed)

    def groups(self, rows: NDArray[np.intp]) -> NDArray[np.str_]:
        return self.real.groups[rows]

    def real_images(self, rows: NDArray[np.intp]) -> ResizedImages:
        """The real images at these rows, at the pair's size, read when asked for."""
        return ResizedImages(self.real.images, rows, *self.size)

    def real_features(self, extractor: Extractor, rows: NDArray[np.intp], context: Context) -> Features:
        """Of the real images at these rows: taken from the pair's pool where this holds them all."""
        pool = np.sort(np.concatenate([self.pooled("train"), self.pooled("test")]))
        wanted = pool if np.isin(rows, pool).all() else rows
        found = features_of_real(extractor, self.real, wanted, self.size, context)
        return found if wanted is rows else found.take(np.searchsorted(pool, rows))

    def extractor(self, context: Context) -> Extractor:
        """The context's extractor, calibrated on the training images where it is the random one."""
        rows = self.rows("train") if len(self.rows("train")) >= 2 else np.arange(len(self.real))
        return features.extractor_for(context, evenly(self.real_images(rows), CALIBRATION))


@dataclass(frozen=True)
class SetPair(Pair):
    """A pair of image sets of one size."""

    label: str
    made: ImageSet

    @property
    def name(self) -> str:
        return self.label

    @property
    def size(self) -> tuple[int, int]:
        return self.made.height, self.made.width

    @property
    def made_sha256(self) -> str:
        return self.made.sha256

    @property
    def scored(self) -> int:
        return min(len(self.made), BIASED_BELOW)

    @cached_property
    def _order(self) -> NDArray[np.intp]:
        """All rows in the order of use: by the seed, as a folder may be sorted by what it shows."""
        return np.random.default_rng(self.seed).permutation(len(self.made))

    def generated(self, count: int = GENERATED) -> Iterator[NDArray[np.uint8]]:
        return features.batches(self.generated_images(count))

    def generated_images(self, count: int = GENERATED) -> features.Images:
        return ResizedImages(self.made.images, self._order[:count], *self.size)

    def generated_features(self, extractor: Extractor, context: Context, count: int = GENERATED) -> Features:
        rows = self._order[: max(count, self.scored)]
        found = features.extract(
            extractor, self.generated(len(rows)), len(rows), source=sha256_json([self.made.sha256, rows.tolist()]),
            folder=context.workspace.features, label=f"features of {self.name}", progress=context.progress,
        )  # fmt: skip
        return found if len(rows) <= count else found.take(np.arange(count))

    def generated_groups(self, count: int) -> NDArray[Any] | None:
        """Images translated from photos keep the photo as their group, which the real side may share."""
        translated = self.made.manifest.get("source") == "translate"
        return self.made.groups[self._order[:count]] if translated else None


def published_pairs(context: Context) -> list[SetPair]:
    """The pairs of image sets or folders that the workspace's stimulus sets were published from, one per generator."""
    return context.once("published pairs", lambda: _published_pairs(context))


def _published_pairs(context: Context) -> list[SetPair]:
    found = []
    for name, stimuli in inventory.stimulus_sets(context).items():
        generators: list[Mapping[str, Any]] = stimuli.made_from.get("generated", [])
        if not generators:
            continue
        sides = [inventory.published_images(context, facts) for facts in (stimuli.made_from, *generators)]
        if any(side is None for side in sides):
            context.notice(
                f"The stimulus set '{name}' was published from images that are gone, damaged or changed: publish it "
                "again to get its distances."
            )
            continue
        real, *made = (side for side in sides if side is not None)
        if len(real) < FEWEST:
            continue
        for facts, images in zip(generators, made, strict=True):
            label = name if len(made) == 1 else f"{name}: {facts['image_set']}"
            found.append(SetPair(real, context.device, context.seed, label, images))
    return found
