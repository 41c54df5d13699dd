"""The 8-pixel grid of JPEG as a giveaway: whether it alone separates real from generated images, and how to hide it.

Patches keep the grid of the photo that they were cut from, even through another compression, and generators have grids
from their upsampling. Either separates real from generated images without regard to their content. Strong edges and
texture also make steps uneven, in a grid of any size, so grids of 7, 9 and 11 pixels, which no JPEG has, are the
controls; the one with the highest AUC counts. The cause is sought before the last compression, which gives both classes
the same grid, deeper in the smoother class.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from glimpse import bootstrap
from glimpse.files import GlimpseError
from glimpse.images import shrink, size_in_words, through_jpeg
from glimpse.prepare.checks.traits import BLOCK, grey_middle, steps_by_phase
from glimpse.prepare.option_types import OFF_GRID
from glimpse.stimuli import Source

DETECTED = 0.55  # the interval lies above: 0 to 3 % of halves of one set did (n = 20 to 200), 4 to 7 % above 0.5
Steps = list[NDArray[np.float64]]  # of an image, by the grid and by each control
FEWEST = 20  # images of each class to cross-validate with
CONTROLS = (7, 9, 11)  # pixels: no factor in common with the periods of JPEG and of upsampling
FOLDS, RESAMPLES = 5, 1000


def off_grid(pixels: NDArray[np.uint8], factor: float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(H, W, 3) cut at a random place of the grid, then shrunk by exact area means, to ((H - 7) / factor, ...).

    Raises GlimpseError for images under 16 pixels per side.

    >>> off_grid(np.zeros((64, 64, 3), np.uint8), 1.5, np.random.default_rng(0)).shape
    (38, 38, 3)
    """
    height, width = (length - BLOCK + 1 for length in pixels.shape[:2])
    if min(height, width) < BLOCK + 1:
        raise GlimpseError(
            f"Images of {size_in_words(*pixels.shape[:2])} pixels are too small for --off-grid: it takes 16 per side."
        )
    top, left = rng.integers(0, BLOCK, 2)
    cut = np.ascontiguousarray(pixels[top : top + height, left : left + width])
    return shrink(cut, round(height / factor), round(width / factor))


def features(pixels: NDArray[np.uint8], period: int = BLOCK) -> NDArray[np.float64]:
    """(24,): steps by their place in the grid, on each axis, and the strengths of their four periods wherever it lies.

    Relative to the mean step of each axis; the image is at least 16 pixels per side.

    >>> ramp = np.repeat(np.arange(16, dtype=np.uint8)[:, None] + np.arange(16, dtype=np.uint8), 3).reshape(16, 16, 3)
    >>> bool(np.abs(features(ramp)).max() < 1e-9)  # all steps are equal
    True
    """
    steps = steps_by_phase(grey_middle(pixels), period)
    if steps is None or not (means := steps.mean(axis=1, keepdims=True)).all():
        return np.zeros(2 * (period + period // 2))
    steps = steps / means - 1
    return np.concatenate([steps.ravel(), np.abs(np.fft.rfft(steps)[:, 1:]).ravel()])


@dataclass(frozen=True)
class GridAuc:
    """The area under the ROC curve of a classifier that sees the grid alone, with a 95 % interval over groups."""

    auc: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"AUC {self.auc:.2f} (95 % interval {self.low:.2f} to {self.high:.2f})"


def measure(found: NDArray[np.float64], generated: NDArray[np.bool_], groups: NDArray[Any], seed: int = 0) -> GridAuc:
    """The AUC of `features` (n, 24) of images, cross-validated so that no group is on both sides."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced"))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    score = cross_val_predict(model, found, generated, groups=groups, cv=folds, method="decision_function")
    one, other = score[generated][:, None], score[~generated]
    above = (one > other) + (one == other) / 2
    names, codes = np.unique(groups, return_inverse=True)

    def area(drawn: NDArray[np.int64]) -> NDArray[np.float64]:
        times = drawn[:, codes]
        hits = ((times[:, generated] @ above) * times[:, ~generated]).sum(1)
        pairs = times[:, generated].sum(1) * times[:, ~generated].sum(1)
        return np.asarray(hits / np.where(pairs > 0, pairs, np.nan))

    low, high = bootstrap.interval(len(names), area, RESAMPLES, np.random.default_rng(seed))
    auc = float(above.mean())
    if auc == 1:
        # Resampling would claim certainty: the exact limit for as many successes as the rarer class has groups.
        low = 0.025 ** (1 / min(len(set(groups[generated])), len(set(groups[~generated]))))
    return GridAuc(auc, low, high)


@dataclass(frozen=True)
class GridAucs:
    """The AUC of a grid of 8 pixels and of the controls, which is due to texture and contrast."""

    grid: GridAuc
    control: GridAuc  # the one with the highest AUC

    @classmethod
    def of(cls, found: list[Steps], generated: NDArray[np.bool_], groups: NDArray[Any], seed: int) -> Self:
        grid, *controls = (measure(np.array(some), generated, groups, seed) for some in zip(*found, strict=True))
        return cls(grid, max(controls, key=lambda control: control.high))

    @property
    def beyond_control(self) -> bool:
        return self.grid.low > self.control.high

    def __str__(self) -> str:
        return f"{self.grid}, by grids of 7, 9 and 11, which no JPEG has, at most AUC {self.control.auc:.2f}"


def _by_all(pixels: NDArray[np.uint8]) -> Steps:
    return [features(pixels, period) for period in (BLOCK, *CONTROLS)]


def grid_warning(
    name: str, images: Iterable[Source], off: float | None, jpeg_quality: int | None, seed: int = 0
) -> list[str]:
    """A sentence if the steps by a grid of 8 pixels separate the images to be shown: with what is left after the remedy
    if the images had such a grid before the last compression, else that they differ in texture or contrast.

    The images went through --off-grid if `off` is given, and will go through --jpeg-quality `jpeg_quality`. Fewer than
    20 images or 5 groups of a class, and images under 16 pixels, are not measured.
    """
    before, shown, remedied, generated, groups, side = [], [], [], [], [], ""
    rng = np.random.default_rng(seed)
    for number, image in enumerate(images):
        if min(image.pixels.shape[:2]) < 2 * BLOCK:
            return []
        before.append(_by_all(image.pixels))
        shown.append(before[-1] if jpeg_quality is None else _by_all(through_jpeg(image.pixels, jpeg_quality)))
        generated.append(image.truth == "generated")
        groups.append(str(image.origin.get("group") or f"image {number}"))
        if off is None and min(image.pixels.shape[:2]) >= 2 * BLOCK * OFF_GRID + BLOCK:
            finished = through_jpeg(off_grid(image.pixels, OFF_GRID, rng), jpeg_quality)
            remedied.append(_by_all(finished))
            side = size_in_words(*finished.shape[:2])
    is_generated, group = np.array(generated), np.array(groups)
    classes = group[is_generated], group[~is_generated]
    if min(map(len, classes)) < FEWEST or min(len(set(one)) for one in classes) < FOLDS:
        return []
    seen = GridAucs.of(shown, is_generated, group, seed)
    if seen.grid.low <= DETECTED:
        return []
    history = seen if jpeg_quality is None else GridAucs.of(before, is_generated, group, seed)
    reached = str(history)
    if jpeg_quality is not None:
        reached += f"; after --jpeg-quality {jpeg_quality}, whose blocks show more in the smoother class, {seen.grid}"
    if off is not None and not history.beyond_control:
        return [
            f"{name}: real and generated images differ in texture or contrast; after --off-grid {off:g} no grid of "
            f"{BLOCK} pixels is seen beyond that. A classifier that sees only the steps between neighbouring pixels by "
            f"their place in such a grid reaches {reached}."
        ]
    texture = "" if history.beyond_control else "; or the classes differ in texture or contrast, which both grids show"
    if off is not None:
        harder = "" if jpeg_quality is not None else ", and so does --jpeg-quality 75"
        remedy = f"This is left after --off-grid {off:g}: a larger factor hides more{harder}."
    elif remedied:
        left = GridAucs.of(remedied, is_generated, group, seed)
        remedy = (
            "With --off-grid, which cuts every image at a random place of the grid and shrinks both classes "
            f"{OFF_GRID:g} times to {side} before the last compression, the grid reaches {left}."
        )
    else:
        remedy = "--off-grid removes it, but needs larger images: publish them at 32 pixels per side or more."
    return [
        f"{name}: the grid of {BLOCK} pixels tells real from generated images. A classifier that sees only the steps "
        f"between neighbouring pixels by their place in it reaches {reached}; chance is 0.50. One side keeps the JPEG "
        f"blocks of its photos, or a generator has a pattern from upsampling{texture}. {remedy}"
    ]
