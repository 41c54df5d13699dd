"""Pairs of real and generated images: the input of distances, the test for copies and the search for neighbours.

`EvaluatedRun` (analysis.images.runs) draws the generated side from one of our runs; `SetPair` takes it from an image
set, such as a folder of images from another generator.
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
from glimpse.stimuli import condition_name

if TYPE_CHECKING:
    from analysis.images.extractors import Extractor

FEWEST = 4  # real images, for two against two
GENERATED = 1000  # generated images of each pair that the report uses
POOLED = 2000  # real images of each split whose features are computed once for all sections; for runs GENERATED


@dataclass(frozen=True)
class ResizedImages:
    """Selected images of a mapped set, resized when indexed."""

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


def rows_used(real: ImageSet, split: str, most: int, seed: int) -> NDArray[np.intp]:
    """The rows of a split whose features are computed: all, or `most` drawn by the seed, in their order."""
    return np.sort(np.random.default_rng(seed).permutation(real.where(split))[:most])


def features_of_real(
    extractor: Extractor, real: ImageSet, rows: NDArray[np.intp], size: tuple[int, int], context: Context
) -> Features:
    """Features of the images at these rows, resized to (height, width) and cached in the workspace."""
    return features.extract(
        extractor, features.batches(ResizedImages(real.images, rows, *size)), len(rows),
        source=sha256_json([real.sha256, size, rows.tolist()]), folder=context.workspace.features,
        label=f"features of {real.name}",
    )  # fmt: skip


@dataclass(frozen=True)
class Pair(ABC):
    """Real images and generated ones to compare with them, all of one size."""

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
        """The hash of the generator, or of the pixels of the generated images."""

    @property
    @abstractmethod
    def scored(self) -> int:
        """The number of generated images whose features are computed."""

    @abstractmethod
    def generated(self, count: int = GENERATED) -> Iterator[NDArray[np.uint8]]:
        """At most `count` images in batches (b, H, W, 3); a smaller count gives the first images of a larger one."""

    def generated_images(self, count: int = GENERATED) -> features.Images:
        """The same images as an array, possibly one that is read when indexed."""
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
        """The device to compute on. Loads torch, unless the CPU was requested."""
        return pick_device(self.device_name)

    @property
    def against(self) -> str:
        """The split of real images to compare with: `test`, or `train` if nothing was held out."""
        return "test" if len(self.rows("test")) >= 2 else "train"

    @property
    def most(self) -> int:
        """The largest number of real images of each split whose features are computed."""
        return POOLED

    def rows(self, split: str) -> NDArray[np.intp]:
        return self.real.where(split)

    def rows_used(self, split: str) -> NDArray[np.intp]:
        """The rows of a split of which features are taken: all, or `most` drawn by the seed."""
        return rows_used(self.real, split, self.most, self.seed)

    def groups(self, rows: NDArray[np.intp]) -> NDArray[np.str_]:
        return self.real.groups[rows]

    def real_images(self, rows: NDArray[np.intp]) -> ResizedImages:
        """The real images at these rows, at the pair's size, read when indexed."""
        return ResizedImages(self.real.images, rows, *self.size)

    def real_features(self, extractor: Extractor, rows: NDArray[np.intp], context: Context) -> Features:
        """Features of the real images at these rows, from the pair's pool if it holds them all."""
        pool = np.sort(np.concatenate([self.rows_used("train"), self.rows_used("test")]))
        wanted = pool if np.isin(rows, pool).all() else rows
        found = features_of_real(extractor, self.real, wanted, self.size, context)
        return found if wanted is rows else found.take(np.searchsorted(pool, rows))

    def extractor(self, context: Context) -> Extractor:
        """The context's extractor, calibrated on the training images if it is the random one."""
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
        """All rows in a random order by the seed, because a folder may be sorted by content."""
        return np.random.default_rng(self.seed).permutation(len(self.made))

    def generated(self, count: int = GENERATED) -> Iterator[NDArray[np.uint8]]:
        return features.batches(self.generated_images(count))

    def generated_images(self, count: int = GENERATED) -> features.Images:
        return ResizedImages(self.made.images, self._order[:count], *self.size)

    def generated_features(self, extractor: Extractor, context: Context, count: int = GENERATED) -> Features:
        rows = self._order[: max(count, self.scored)]
        found = features.extract(
            extractor, self.generated(len(rows)), len(rows), source=sha256_json([self.made.sha256, rows.tolist()]),
            folder=context.workspace.features, label=f"features of {self.name}",
        )  # fmt: skip
        return found if len(rows) <= count else found.take(np.arange(count))

    def generated_groups(self, count: int) -> NDArray[Any] | None:
        """The groups of the generated images; a translated image has that of its photo, which may be on both sides."""
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
            label = name if len(made) == 1 else condition_name(name, str(facts["image_set"]))
            found.append(SetPair(real, context.device, context.seed, label, images))
    return found
