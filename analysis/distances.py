"""How far the generated images are from the real ones: Fréchet distance, KID, precision and recall, Inception score.

Pure functions of features. The Fréchet distance on Inception features is the FID of Heusel et al. 2017; KID is the
unbiased squared MMD of Binkowski et al. 2018. Images of one photo or lesion are not exchangeable, so whatever draws
or permutes here (p-value, interval, real against real) does it by group, each generated image being its own group.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.features import Features, batches, checked, extract, source_of
from analysis.parts import AnalysisError

FloatArray = NDArray[np.floating[Any]]
BIASED_BELOW = 2000  # images; the Fréchet distance of fewer measures mostly their number
BLOCK = 2048  # rows of a kernel matrix held at a time


# ------------------------------------------------------------------------------------------------ Fréchet distance


@dataclass(frozen=True)
class Moments:
    """Mean (d,) and covariance of features; the covariance as a factor F (r, d) with Fᵀ F = Σ, r = min(n, d)."""

    mean: FloatArray
    factor: FloatArray

    @classmethod
    def of(cls, values: FloatArray) -> Moments:
        """Of (n, d) features; raises AnalysisError for n < 2 and NaN."""
        values = checked(values)
        n, d = values.shape
        mean = values.mean(axis=0, dtype=np.float64)
        if n <= d:
            return cls(mean, (values.astype(np.float64) - mean) / np.sqrt(n - 1))
        covariance = np.zeros((d, d))
        for start in range(0, n, BLOCK):
            centred = values[start : start + BLOCK].astype(np.float64) - mean
            covariance += centred.T @ centred
        eigenvalues, vectors = np.linalg.eigh(covariance / (n - 1))
        return cls(mean, np.sqrt(eigenvalues.clip(0))[:, None] * vectors.T)


def frechet(a: Moments, b: Moments) -> float:
    """|μ₁ - μ₂|² + Tr Σ₁ + Tr Σ₂ - 2 Tr (Σ₁ Σ₂)^½ (Dowson & Landau 1982), exact.

    Tr (Σ₁ Σ₂)^½ is the nuclear norm of F₁ F₂ᵀ, which has the size of the smaller sample, not of the features.
    """
    product = a.factor @ b.factor.T
    if min(product.shape) <= 1500:
        root = np.linalg.svd(product, compute_uv=False).sum()
    else:  # a third of the time; its rounding, about 1e-8 of the largest value, is far below the sum
        small = product @ product.T if product.shape[0] <= product.shape[1] else product.T @ product
        root = np.sqrt(np.linalg.eigvalsh(small).clip(0)).sum()
    difference = a.mean - b.mean
    return float(difference @ difference + np.sum(a.factor**2) + np.sum(b.factor**2) - 2 * root)


def frechet_distance(x: Features, y: Features) -> float:
    """Mean over the extractor's independent networks (one, but for `random`)."""
    return _mean_frechet(_moments(x), _moments(y))


def _moments(x: Features) -> list[Moments]:
    return [Moments.of(part) for part in x.parts()]


def _mean_frechet(a: list[Moments], b: list[Moments]) -> float:
    return float(np.mean([frechet(*pair) for pair in zip(a, b, strict=True)]))


# ------------------------------------------------------------------------------------------------ KID


def kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    """(x·y / d + 1)³, the kernel of Binkowski et al. 2018: (n, d), (m, d) to (n, m), in float64."""
    return (x.astype(np.float64) @ y.astype(np.float64).T / x.shape[1] + 1) ** 3


def kernel_mean(x: FloatArray, y: FloatArray | None = None) -> float:
    """Mean of the kernel over all pairs (x, y), or over the pairs of different rows of x; blockwise."""
    other = x if y is None else y
    total = sum(kernel(x[i : i + BLOCK], other).sum() for i in range(0, len(x), BLOCK))
    if y is not None:
        return float(total / (len(x) * len(y)))
    itself = ((np.einsum("ij,ij->i", x, x, dtype=np.float64) / x.shape[1] + 1) ** 3).sum()
    return float((total - itself) / (len(x) * (len(x) - 1)))


def kid(x: FloatArray, y: FloatArray) -> float:
    """Unbiased squared MMD of (n, d) and (m, d) features whose rows are independent; may be below zero."""
    x, y = checked(x), checked(y)
    return kernel_mean(x) + kernel_mean(y) - 2 * kernel_mean(x, y)


@dataclass(frozen=True)
class Units:
    """The kernel summed within and between the groups of two samples, all that a test by group has to know.

    `sums` (U, U) with a zero diagonal: pairs of one group say nothing about the distribution, and leaving them out
    keeps the estimate unbiased; `sizes` (U,) images; the first `first` units are the first sample's.
    """

    sums: FloatArray
    sizes: FloatArray
    first: int

    @classmethod
    def of(cls, x: FloatArray, y: FloatArray, groups_x: NDArray[Any] | None, groups_y: NDArray[Any] | None) -> Units:
        x, y = checked(x), checked(y)
        codes = [
            np.arange(len(v)) if g is None else np.unique(g, return_inverse=True)[1]
            for v, g in ((x, groups_x), (y, groups_y))
        ]
        first = int(codes[0].max()) + 1
        code = np.concatenate([codes[0], codes[1] + first])
        order = np.argsort(code, kind="stable")
        values = np.concatenate([x, y])[order]
        sizes = np.bincount(code)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        columns = np.empty((len(values), len(sizes)))
        for i in range(0, len(values), BLOCK):
            columns[i : i + BLOCK] = np.add.reduceat(kernel(values[i : i + BLOCK], values), starts, axis=1)
        sums = np.add.reduceat(columns, starts, axis=0)
        np.fill_diagonal(sums, 0)
        return cls(sums, sizes.astype(np.float64), first)

    @property
    def groups(self) -> tuple[int, int]:
        return self.first, len(self.sizes) - self.first

    def observed(self) -> NDArray[np.bool_]:
        """(U,): which units are the first sample's."""
        return np.arange(len(self.sizes)) < self.first

    def kid(self, first: NDArray[np.bool_], second: NDArray[np.bool_] | None = None) -> FloatArray:
        """Unbiased KID between two disjoint choices of units, (B, U) each (the rest is the second): (B,)."""
        a = first.astype(np.float64)
        b = 1 - a if second is None else second.astype(np.float64)
        sums_a, sums_b = a @ self.sums, b @ self.sums
        n, m = a @ self.sizes, b @ self.sizes
        pairs_a, pairs_b = n**2 - a @ self.sizes**2, m**2 - b @ self.sizes**2
        with np.errstate(divide="ignore", invalid="ignore"):
            within = (sums_a * a).sum(-1) / pairs_a + (sums_b * b).sum(-1) / pairs_b
            return np.asarray(within - 2 * (sums_a * b).sum(-1) / (n * m))


def kid_of_rows(x: FloatArray, y: FloatArray, groups_x: NDArray[Any] | None = None) -> float | None:
    """Unbiased KID with pairs within a group of x left out; None where x holds a single group."""
    units = Units.of(x, y, groups_x, None)
    return float(units.kid(units.observed()[None])[0]) if min(units.groups) > 1 else None


def permutation_p(units: Units, rng: np.random.Generator, permutations: int = 999) -> float:
    """P-value of the KID under permutation of whole groups, both sides keeping their number of images.

    Valid for groups of unequal sizes when both sides hold equally many images: then every relabelling gives the
    difference of the two mean embeddings the same variance (the sum over units of size² / n²).
    """
    limit = units.sizes[: units.first].sum()
    order = rng.permuted(np.tile(np.arange(len(units.sizes)), (permutations, 1)), axis=1)
    chosen = np.zeros(order.shape, bool)
    filled = np.zeros(permutations)
    rows = np.arange(permutations)
    for unit in order.T:  # each unit in turn joins the first side where it still fits
        fits = filled + units.sizes[unit] <= limit
        chosen[rows, unit] = fits
        filled += fits * units.sizes[unit]
    statistics = units.kid(chosen)
    observed = units.kid(units.observed()[None])[0]
    return float((1 + np.sum(statistics >= observed - 1e-12)) / (1 + permutations))


def subsampling_interval(
    units: Units, rng: np.random.Generator, draws: int = 999, level: float = 0.95
) -> tuple[float, float] | None:
    """Interval for the KID from half-samples of the groups (Politis & Romano 1994); None with under 4 groups a side.

    A half drawn without replacement varies around the whole as the whole varies around the truth, so the deviations
    need no scaling; and the halves, unlike a bootstrap, hold no image twice, so the estimate stays unbiased.
    """
    if min(units.groups) < 4:
        return None
    n, m = units.groups
    halves = []
    for size, count in ((n, n // 2), (m, m // 2)):
        ranks = rng.permuted(np.tile(np.arange(size), (draws, 1)), axis=1)
        halves.append(ranks < count)
    a = np.concatenate([halves[0], np.zeros((draws, m), bool)], axis=1)
    b = np.concatenate([np.zeros((draws, n), bool), halves[1]], axis=1)
    whole = units.kid(units.observed()[None])[0]
    deviations = units.kid(a, b) - whole
    low, high = np.quantile(deviations, [(1 - level) / 2, (1 + level) / 2])
    return float(whole - high), float(whole - low)


# ------------------------------------------------------------------------------------------------ manifolds


def precision_recall(
    real: FloatArray, generated: FloatArray, groups: NDArray[Any] | None = None, k: int = 3
) -> dict[str, float]:
    """Precision and recall (Kynkäänniemi et al. 2019, k = 3), density and coverage (Naeem et al. 2020).

    With `groups` the k nearest neighbours of a real image are sought outside its own group: windows of one photo
    overlap, and the radius would be that of the overlap.
    """
    real, generated = checked(real).astype(np.float64), checked(generated).astype(np.float64)
    if min(len(real), len(generated)) <= k:
        raise AnalysisError(f"Precision and recall with k = {k} need more than {k} images a side.")
    within = _distances(real, real)
    if groups is not None:
        same = groups[:, None] == groups[None, :]
        within[same] = np.inf
    np.fill_diagonal(within, np.inf)
    real_radii = np.partition(within, k - 1, axis=1)[:, k - 1]
    within = _distances(generated, generated)
    np.fill_diagonal(within, np.inf)
    generated_radii = np.partition(within, k - 1, axis=1)[:, k - 1]
    between = _distances(real, generated)  # (real, generated)
    inside_real = between <= real_radii[:, None]
    return {
        "precision": float(inside_real.any(axis=0).mean()),
        "recall": float((between <= generated_radii[None, :]).any(axis=1).mean()),
        "density": float(inside_real.sum(axis=0).mean() / k),
        "coverage": float(inside_real.any(axis=1).mean()),
    }


def _distances(x: FloatArray, y: FloatArray) -> FloatArray:
    squared = (x**2).sum(1)[:, None] + (y**2).sum(1)[None, :] - 2 * x @ y.T
    return np.sqrt(squared.clip(0))


def inception_score(logits: FloatArray) -> float:
    """exp E KL(p(y|x) ‖ p(y)) of (n, classes) logits (Salimans et al. 2016), over all images at once.

    It means something where the classes do: ImageNet's say little about skin, so it stands beside that of real images.
    """
    logits = checked(logits, "The logits").astype(np.float64)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    p = np.exp(log_p)
    return float(np.exp((p * (log_p - np.log(p.mean(axis=0)))).sum(axis=1).mean()))


# ------------------------------------------------------------------------------------------------ while training


@dataclass(frozen=True)
class Reference:
    """A fixed real set, with all that does not depend on what it is compared with computed once."""

    features: Features
    moments: list[Moments]
    kernel_within: float

    @classmethod
    def of(cls, features: Features) -> Reference:
        return cls(features, _moments(features), kernel_mean(checked(features.values)))

    def distances(self, generated: Features) -> dict[str, float]:
        y = checked(generated.values, "The features of the generated images")
        return {
            "kid": self.kernel_within + kernel_mean(y) - 2 * kernel_mean(y, self.features.values),
            "fid": _mean_frechet(self.moments, _moments(generated)),
        }


@dataclass(frozen=True)
class Scorer:
    """Scores generated images (M, H, W, 3) uint8 against the training images: {"kid": ..., "fid": ...}."""

    extractor: str
    score: Callable[[NDArray[np.uint8]], dict[str, float]]

    def __call__(self, images: NDArray[np.uint8]) -> dict[str, float]:
        return self.score(images)


def training_scorer(
    images: NDArray[np.uint8],
    *,
    seed: int,
    features_dir: Path | None,
    weights: Path | None = None,
    device: str = "cpu",
) -> Scorer:
    """What `train` scores its generator with: Inception where `weights` are given, else random features.

    At most 2000 of the training images (N, H, W, 3), drawn by `seed`, stand for all: KID is unbiased, so more would
    only narrow it.
    """
    from analysis import extractors

    rows = np.arange(len(images))
    if len(images) > BIASED_BELOW:
        rows = np.sort(np.random.default_rng(seed).choice(len(images), BIASED_BELOW, replace=False))
    reference_images = np.asarray(images[rows])
    extractor = extractors.load(
        "inception" if weights else "random", calibration=reference_images, weights=weights, device=device
    )
    features = extract(
        extractor, batches(reference_images), len(rows), source=source_of(reference_images), folder=features_dir,
        label="features of the training images",
    )  # fmt: skip
    reference = Reference.of(features)

    def score(generated: NDArray[np.uint8]) -> dict[str, float]:
        found = extract(extractor, batches(generated), len(generated), progress=False)
        return reference.distances(found)

    return Scorer(extractor.name, score)
