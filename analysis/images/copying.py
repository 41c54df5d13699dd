"""The test for copies of training images: ratios of distances, the verdict on them, and copies planted to try it.

Pure functions of images and their descriptors; the section `memorisation` applies them to runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image
from scipy import stats

from analysis.images.distances import FloatArray, euclidean
from analysis.images.features import Images, batches
from analysis.section import AnalysisError

SIDE = 16  # pixels of the descriptor
QUANTILE = 0.01


def descriptors(images: Images) -> NDArray[np.float32]:
    """(n, H, W, 3) uint8 to (n, 768): 16 x 16 pixels without their mean colour, so that a brightened copy is a copy."""
    small = np.empty((len(images), SIDE, SIDE, 3), np.float32)
    done = 0
    for batch in batches(images):
        for image in batch:
            small[done] = np.asarray(Image.fromarray(image).resize((SIDE, SIDE), Image.Resampling.BOX))
            done += 1
    small -= small.mean((1, 2), keepdims=True)
    return small.reshape(len(small), 3 * SIDE * SIDE)


def turned(flat: NDArray[np.float32], quarter_turns: bool) -> Iterator[NDArray[np.float32]]:
    """The descriptors of the mirrored and (of square images) turned images: (n, 768) each, themselves first."""
    x = flat.reshape(-1, SIDE, SIDE, 3)
    for turn in (0, 1, 2, 3) if quarter_turns else (0, 2):
        for image in (x, x[:, :, ::-1]):
            yield np.ascontiguousarray(np.rot90(image, turn, (1, 2))).reshape(flat.shape)


@dataclass(frozen=True)
class Ratios:
    """Per query: the ratio of the two distances, the distance to the nearest, and which training image that is."""

    ratio: NDArray[np.float64]  # (n,)
    distance: NDArray[np.float64]  # (n,)
    nearest: NDArray[np.intp]  # (n,)


def nearest_ratios(
    queries: NDArray[np.float32],
    train: NDArray[np.float32],
    groups: NDArray[Any],
    own: NDArray[Any] | None = None,
    quarter_turns: bool = True,
) -> Ratios:
    """NN1/NN2 of descriptors (n, d) among (N, d) of `groups` (N,), the second from another group than the first.

    `own` (n,): each query's own group, which is then no candidate (to calibrate on the training images themselves).
    Raises AnalysisError where too few groups are left.
    """
    if len(set(groups.tolist())) < (2 if own is None else 3):
        raise AnalysisError("The memorisation test needs training images of at least three photos, people or lesions.")
    ratio, distance, nearest = np.empty(len(queries)), np.empty(len(queries)), np.empty(len(queries), np.intp)
    for start in range(0, len(queries), 64):
        rows = slice(start, start + 64)
        asked = queries[rows]
        found = np.full((len(asked), len(train)), np.inf)
        for variant in turned(asked, quarter_turns):
            np.minimum(found, euclidean(variant, train), out=found)
        if own is not None:
            found[own[rows][:, None] == groups[None, :]] = np.inf
        first = found.argmin(1)
        distance[rows] = found[np.arange(len(found)), first]
        found[groups[first][:, None] == groups[None, :]] = np.inf
        second = found.min(1)
        nearest[rows] = first
        ratio[rows] = distance[rows] / np.maximum(second, 1e-12)
    return Ratios(ratio, distance, nearest)


def planted(images: NDArray[np.uint8]) -> dict[str, NDArray[np.uint8]]:
    """Copies of training images (n, H, W, 3), by kind, as a generator might disguise them."""
    height, width = images.shape[1:3]
    others = np.roll(images, 1, 0)
    spliced = images.copy()
    spliced[:, :, width // 2 :] = others[:, :, width // 2 :]
    return {
        "exact": images,
        "mirrored": images[:, :, ::-1],
        "brighter": np.clip(images.astype(np.int16) + 20, 0, 255).astype(np.uint8),
        "shifted by a sixteenth": np.roll(images, (max(1, height // 16), max(1, width // 16)), (1, 2)),
        "blended with another image": ((images.astype(np.int16) + others) // 2).astype(np.uint8),
        "spliced with another image": spliced,
    }


@dataclass(frozen=True)
class CopyTest:
    """The share of generated images nearer to one training image than held-out real images ever are."""

    threshold: float  # the 1 % quantile of the held-out ratios
    share: float
    low: float  # 95 % Clopper-Pearson
    high: float
    p: float  # Fisher's exact test against the held-out images, counted by group, the hub's images counted once
    resolution: float  # the smallest share of copies that this many images would reveal four times in five
    groups: int  # held-out groups
    hub: int = 0  # of the images below the threshold, those with the most frequent nearest training image

    @property
    def alarm(self) -> bool:
        return self.p < 0.05


def judge(
    held_out: FloatArray, generated: FloatArray, groups: int, nearest: NDArray[np.intp] | None = None
) -> CopyTest:
    """Compare the ratios (n,) of held-out real images, of `groups` groups, with those (m,) of generated ones.

    `nearest` (m,): the nearest training image of each. A training image may be the nearest of everything without
    being copied, so all images that are nearest to the most frequent one count as a single one.

    Raises AnalysisError where there are none, or they are not finite.
    """
    for ratios, whose in ((held_out, "held-out real"), (generated, "generated")):
        if not len(ratios) or not np.isfinite(ratios).all():
            raise AnalysisError(
                f"The distance ratios of the {whose} images are missing or not finite: the images or their descriptors "
                "are broken; make them again."
            )
    threshold = float(np.quantile(held_out, QUANTILE))
    count, n = int((generated < threshold).sum()), len(generated)
    interval = stats.binomtest(count, n).proportion_ci(0.95, "exact")
    expected = int(np.ceil(QUANTILE * groups))  # at least one: a quantile is no better known than the groups allow
    critical = next(k for k in range(n + 2) if k > n or _fisher(k, n, expected, groups) < 0.05)
    shares = np.linspace(0, 1, 1001)
    power = stats.binom.sf(critical - 1, n, QUANTILE + (1 - QUANTILE) * shares)
    reached = shares[power >= 0.8]
    resolution = float(reached[0]) if len(reached) else 1.0
    hub = 0 if nearest is None or not count else int(np.bincount(nearest[generated < threshold]).max())
    p = _fisher(count - max(0, hub - 1), n, expected, groups)
    return CopyTest(threshold, count / n, float(interval.low), float(interval.high), p, resolution, groups, hub)


def _fisher(count: int, n: int, expected: int, groups: int) -> float:
    return float(stats.fisher_exact([[count, n - count], [expected, groups - expected]], "greater")[1])


def data_copying(
    train: FloatArray, test: FloatArray, test_distance: FloatArray, generated: FloatArray, distance: FloatArray,
    seed: int,
) -> tuple[float, pd.DataFrame]:  # fmt: skip
    """C_T of Meehan, Chaudhuri & Dasgupta 2020 and its cells: far below zero means nearer to training than test is.

    Descriptors (n, d) choose the cell (k-means on the training images), distances to the nearest training image (n,)
    are compared in each by the Mann-Whitney U, as z; the mean is weighted by the test images of the cell.
    """
    from sklearn.cluster import KMeans

    cells = KMeans(max(1, min(5, len(test) // 20)), n_init=4, random_state=seed).fit(train)
    of_test, of_generated = cells.predict(test), cells.predict(generated)
    rows = []
    for cell in range(cells.n_clusters):
        a, b = distance[of_generated == cell], test_distance[of_test == cell]
        if len(a) < 2 or len(b) < 2:
            continue
        u = stats.mannwhitneyu(a, b).statistic
        z = (u - len(a) * len(b) / 2) / np.sqrt(len(a) * len(b) * (len(a) + len(b) + 1) / 12)
        rows.append({"cell": cell, "generated": len(a), "test": len(b), "z": float(z)})
    frame = pd.DataFrame(rows, columns=["cell", "generated", "test", "z"])
    return float(np.average(frame["z"], weights=frame["test"])) if rows else float("nan"), frame
