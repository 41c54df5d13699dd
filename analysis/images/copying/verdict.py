"""The verdict of the test for copies, on ratios of distances; and the statistic C_T."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from analysis.images.distances import FloatArray
from analysis.images.features import Images, batches
from analysis.section import AnalysisError
from glimpse.images import shrink

SIDE = 16  # pixels of the descriptor
QUANTILE = 0.01


def descriptors(images: Images) -> NDArray[np.float32]:
    """(n, H, W, 3) uint8 to (n, 768): 16 x 16 pixels minus the mean colour, for the cells of C_T.

    Smaller images are not resized.

    >>> stripes = np.tile(np.array([0, 0, 90], np.uint8)[:, None], (2, 24, 8, 3))  # two columns of three: 0 and 60
    >>> found = descriptors(stripes)
    >>> found.shape, found[0, [0, 3]].tolist()
    ((2, 768), [-30.0, 30.0])
    """
    rows, columns = (min(SIDE, side) for side in images.shape[1:3])
    small = np.empty((len(images), rows, columns, 3), np.float32)
    done = 0
    for batch in batches(images):
        for image in batch:
            small[done] = shrink(image, rows, columns)
            done += 1
    small -= small.mean((1, 2), keepdims=True)
    return small.reshape(len(small), -1)


@dataclass(frozen=True)
class CopyTest:
    """The share of generated images that are unusually near to one training image, compared with held-out images."""

    threshold: float  # the 1 % quantile of the held-out ratios
    share: float
    low: float  # 95 % Clopper-Pearson
    high: float
    p: float  # Fisher's exact test: distinct training images against held-out groups
    resolution: float  # the smallest share of copies that the test detects with a probability of 80 %
    groups: int  # held-out groups ...
    expected: int  # ... and the number of them below the threshold, by its definition
    distinct: int  # generated images below it, those with the same nearest training image counted once ...
    compared: int  # generated images that `distinct` is out of, counted in the same way
    hub: int = 0  # the number of images below the threshold with the most frequent nearest training image

    @property
    def alarm(self) -> bool:
        return self.p < 0.05


def judge(
    held_out: FloatArray, generated: FloatArray, groups: int, nearest: NDArray[np.intp] | None = None
) -> CopyTest:
    """Compare the ratios (n,) of held-out real images, of `groups` groups, with those (m,) of generated ones.

    `nearest` (m,): the nearest training image of each. Images below the threshold that share it count as one: a
    training image may be the nearest of all without being copied, and one new image may be drawn many times.

    Raises AnalysisError if there are no ratios, or they are not finite.

    >>> found = judge(np.linspace(0.5, 1, 101), np.array([0.1, 0.2, 0.3] + [0.9] * 97), groups=100)
    >>> found.threshold, found.share, found.alarm  # 3 of 100 against 1 of 100 groups
    (0.505, 0.03, False)
    """
    for ratios, whose in ((held_out, "held-out real"), (generated, "generated")):
        if not len(ratios) or not np.isfinite(ratios).all():
            raise AnalysisError(
                f"The distance ratios of the {whose} images are missing or not finite: the images may "
                "be damaged; make them again."
            )
    threshold = float(np.quantile(held_out, QUANTILE))
    count, n = int((generated < threshold).sum()), len(generated)
    interval = stats.binomtest(count, n).proportion_ci(0.95, "exact")
    expected = int(np.ceil(QUANTILE * groups))  # at least one, because the groups limit how well the quantile is known
    critical = next(k for k in range(n + 2) if k > n or _fisher(k, n, expected, groups) < 0.05)
    shares = np.linspace(0, 1, 1001)
    power = stats.binom.sf(critical - 1, n, QUANTILE + (1 - QUANTILE) * shares)
    reached = shares[power >= 0.8]
    resolution = float(reached[0]) if len(reached) else 1.0
    hub, repeated = 0, 0
    if nearest is not None and count:
        _, times = np.unique(nearest[generated < threshold], return_counts=True)
        hub, repeated = int(times.max()), int((times - 1).sum())
    distinct, compared = count - repeated, n - repeated
    return CopyTest(
        threshold, count / n, float(interval.low), float(interval.high), _fisher(distinct, compared, expected, groups),
        resolution, groups, expected, distinct, compared, hub,
    )  # fmt: skip


def _fisher(count: int, n: int, expected: int, groups: int) -> float:
    return float(stats.fisher_exact([[count, n - count], [expected, groups - expected]], "greater")[1])


def data_copying(
    train: FloatArray, test: FloatArray, test_distance: FloatArray, generated: FloatArray, distance: FloatArray,
    seed: int,
) -> tuple[float, pd.DataFrame]:  # fmt: skip
    """C_T of Meehan, Chaudhuri & Dasgupta 2020, and its cells; far below zero, generated images are nearer than test.

    Descriptors (n, d) determine the cells (k-means on the training images). In each cell the distances to the nearest
    training image, (n,), are compared by Mann-Whitney's U, as z; the mean is weighted by the cell's test images.

    >>> near, far = np.arange(4.0), np.arange(4.0) + 10  # U = 0 of 16 pairs: z = -8 / sqrt(16 * 9 / 12)
    >>> points = np.arange(4.0)[:, None]
    >>> round(data_copying(points, points, far, points, near, seed=0)[0], 4)
    -2.3094
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
