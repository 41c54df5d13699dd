"""Scores of a generator while it trains, against a fixed sample of its training images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from analysis.images.distances import BIASED_BELOW, Moments, mean_frechet, moments
from analysis.images.features import Features, batches, checked, extract, pixels_sha256
from analysis.images.kid import kernel_mean
from analysis.numbers import as_field

if TYPE_CHECKING:
    from analysis.images.extractors import Extractor


@dataclass(frozen=True)
class Reference:
    """A fixed sample of real images, with the kernel mean and moments computed once.

    >>> zeros, ones = (Features(np.full((2, 1), value, np.float32)) for value in (0, 1))
    >>> Reference.of(zeros).distances(ones)
    {'kid': 7.0, 'frechet': 1.0}
    """

    features: Features
    moments: list[Moments]
    kernel_within: float

    @classmethod
    def of(cls, features: Features) -> Reference:
        return cls(features, moments(features), kernel_mean(checked(features.values)))

    def distances(self, generated: Features) -> dict[str, float]:
        y = checked(generated.values, "The features of the generated images")
        return {
            "kid": self.kernel_within + kernel_mean(y) - 2 * kernel_mean(y, self.features.values),
            "frechet": mean_frechet(self.moments, moments(generated)),
        }


@dataclass(frozen=True)
class TrainingScorer:
    """Scores generated images (M, H, W, 3) uint8 against the training images.

    The result holds the kernel and the Fréchet distance, named after the extractor: `kid` and `fid` on the published
    Inception's features, `random_feature_kid` and `random_feature_frechet_distance` on random ones.
    """

    extractor: Extractor
    reference: Reference

    def __call__(self, images: NDArray[np.uint8]) -> dict[str, float]:
        found = self.reference.distances(extract(self.extractor, batches(images), len(images)))
        return {as_field(self.extractor.kid): found["kid"], as_field(self.extractor.distance): found["frechet"]}


def training_scorer(
    images: NDArray[np.uint8],
    *,
    seed: int,
    features_dir: Path | None,
    weights: Path | None = None,
    device: str = "cpu",
) -> TrainingScorer:
    """The scorer of `train`, with the extractor that `auto` selects.

    The reference is at most 2,000 of the training images (N, H, W, 3), drawn by `seed`: KID is unbiased, so more would
    only reduce its variance.

    >>> images = np.arange(4 * 32 * 32 * 3, dtype=np.uint8).reshape(4, 32, 32, 3)
    >>> scorer = training_scorer(images, seed=0, features_dir=None)
    >>> len(scorer.reference.features), min(scorer(images // 2).values()) > max(scorer(images).values())
    (4, True)
    """
    from analysis.images import extractors

    rows = np.arange(len(images))
    if len(images) > BIASED_BELOW:
        rows = np.sort(np.random.default_rng(seed).choice(len(images), BIASED_BELOW, replace=False))
    reference_images = np.asarray(images[rows])
    extractor = extractors.load("auto", calibration=reference_images, weights=weights, device=device)
    features = extract(
        extractor, batches(reference_images), len(rows), source=pixels_sha256(reference_images), folder=features_dir,
        label="features of the training images",
    )  # fmt: skip
    return TrainingScorer(extractor, Reference.of(features))
