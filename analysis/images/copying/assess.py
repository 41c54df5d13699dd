"""The whole test for copies on arrays: from training, held-out and generated images to the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.images.copying.grey import greys
from analysis.images.copying.kinds import KINDS, as_soft
from analysis.images.copying.registration import Ratios, nearest_ratios
from analysis.images.copying.verdict import CopyTest, judge
from analysis.images.distances import FloatArray
from analysis.images.features import Images
from glimpse.images import evenly

HELD_OUT = 600  # images at most, half of them test images if there are enough
PAIRS = 5_000_000  # of generated or held-out images with training images, at most; more take minutes
FEWEST = 200  # images of either kind to compare, however many training images there are
PLANTED = 16  # number of training images copied in each way


@dataclass(frozen=True)
class Planted:
    """Copies of training images, tested like generated images; they do not depend on the generator.

    >>> planted = Planted(np.tile([0.1, 0.9], (len(KINDS), 1)), np.ones((len(KINDS), 2), bool))
    >>> planted.recognised(threshold=0.5)["exact"], planted.named["mirrored"]
    (0.5, 1.0)
    """

    ratio: FloatArray  # (kinds, n)
    source: NDArray[np.bool_]  # (kinds, n) whether the source, or another photo of its group, is the nearest

    def recognised(self, threshold: float) -> dict[str, float]:
        """The share of copies of each kind with a ratio below the threshold."""
        return {kind: float((ratios < threshold).mean()) for kind, ratios in zip(KINDS, self.ratio, strict=True)}

    @property
    def named(self) -> dict[str, float]:
        """The share of copies of each kind whose source is the nearest training image."""
        return {kind: float(found.mean()) for kind, found in zip(KINDS, self.source, strict=True)}


def plant(train: Images, groups: NDArray[Any], count: int = PLANTED) -> Planted:
    """Copy `count` training images in each way, and test the copies; `groups` (N,) are those of the training images.

    >>> train = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    >>> plant(train, np.arange(3), count=1).named["mirrored"]
    1.0
    """
    known, copied = greys(train), evenly(np.arange(len(train)), count)
    originals = np.asarray(train[copied])
    asked = torch.cat([greys(change(originals)) for change in KINDS.values()])
    found = nearest_ratios(asked, known, groups)
    nearest = groups[found.nearest].reshape(len(KINDS), -1)
    return Planted(found.ratio.reshape(nearest.shape), nearest == groups[copied])


@dataclass(frozen=True)
class Assessment:
    """The verdict on generated images, and the ratios behind it."""

    verdict: CopyTest
    generated: Ratios  # of the first `len` generated images
    of_test: NDArray[np.intp]  # the test images that were held out
    test: Ratios  # of these
    held_out: FloatArray  # ratios of test images and of training images against the other groups


def tested(count: int, train: int) -> int:
    """The number of generated or held-out images to compare with this number of training images.

    >>> tested(1000, 5000), tested(1000, 10_000), tested(1000, 51_023)
    (1000, 500, 200)
    """
    return min(count, max(FEWEST, PAIRS // max(1, train)))


def assess(
    train: Images, groups: NDArray[Any], test: Images, test_groups: NDArray[Any], generated: Images
) -> Assessment:
    """Test whether generated images (m, H, W, 3) copy training images of `groups` (N,), calibrated on held-out images.

    The sharpness and contrast of held-out images are reduced to those of the generated ones. Raises AnalysisError for
    fewer than three groups of training images.

    >>> train, test = np.random.default_rng(0).integers(0, 256, (2, 4, 64, 64, 3), np.uint8)
    >>> found = assess(train, np.arange(4), test, np.arange(4, 8), train[2:])  # copies of the last two
    >>> found.generated.nearest.tolist(), found.verdict.share, found.of_test.tolist()
    ([2, 3], 1.0, [0, 1, 2, 3])
    """
    known = greys(train)
    asked = greys(generated[: tested(len(generated), len(train))])
    room = tested(HELD_OUT, len(train))
    of_test = evenly(np.arange(len(test)), max(room // 2, room - len(train)))
    of_train = evenly(np.arange(len(train)), room - min(len(of_test), room))
    new = as_soft(torch.cat([greys(test[of_test]) if len(of_test) else known[:0], known[of_train]]), asked)
    found = nearest_ratios(asked, known, groups)
    held_test = nearest_ratios(new[: len(of_test)], known, groups)
    held_train = nearest_ratios(new[len(of_test) :], known, groups, groups[of_train])
    held_out = np.concatenate([held_test.ratio, held_train.ratio])
    held_groups = len(set(test_groups[of_test].tolist()) | set(groups[of_train].tolist()))
    verdict = judge(held_out, found.ratio, held_groups, found.nearest)
    return Assessment(verdict, found, of_test, held_test, held_out)
