"""Distances between generated and real images: Fréchet distance, precision and recall, Inception score.

Pure functions of features. The Fréchet distance on Inception features is the FID of Heusel et al. 2017.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.images.features import Features, checked
from analysis.section import AnalysisError

FloatArray = NDArray[np.floating[Any]]
BIASED_BELOW = 2000  # images; with fewer the Fréchet distance depends mostly on their number
NEIGHBOURS = 3  # the radius of an image is the distance to this neighbour, as in Kynkäänniemi et al. 2019
BLOCK = 2048  # rows held in float64 at a time


def checked_pair(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Both arrays, if a distance can be computed. Raises AnalysisError for n < 2, NaN and different numbers of columns.

    >>> checked_pair(np.zeros((2, 3)), np.zeros((2, 4)))
    Traceback (most recent call last):
    analysis.section.AnalysisError: Features of 3 and of 4 columns cannot be compared: take one extractor for both.
    """
    x, y = checked(x), checked(y)
    if x.shape[1] != y.shape[1]:
        raise AnalysisError(
            f"Features of {x.shape[1]} and of {y.shape[1]} columns cannot be compared: take one extractor for both."
        )
    return x, y


def euclidean(
    x: FloatArray, y: FloatArray, groups_x: NDArray[Any] | None = None, groups_y: NDArray[Any] | None = None
) -> NDArray[np.float64]:
    """Euclidean distances between the rows of (n, d) and (m, d), (n, m); infinite between rows of one group.

    The matrix product is computed in the type of the arguments: pass float64 if rows may be nearly equal.

    >>> euclidean(np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[0.0, 4.0]]))
    array([[4.],
           [5.]])
    """
    squares_x, squares_y = (np.einsum("ij,ij->i", v, v, dtype=np.float64) for v in (x, y))
    found: NDArray[np.float64] = np.sqrt((squares_x[:, None] + squares_y[None, :] - 2 * (x @ y.T)).clip(0))
    if groups_x is not None and groups_y is not None:
        found[groups_x[:, None] == groups_y[None, :]] = np.inf
    return found


def radius(values: FloatArray, groups: NDArray[Any] | None = None) -> NDArray[np.float64]:
    """The distance, (n,), of each row of (n, d) to its third nearest row, in other groups if `groups` (n,) are given.

    Infinite if there are fewer than three such rows.

    >>> radius(np.array([[0.0], [1.0], [3.0], [6.0]]))
    array([6., 5., 3., 6.])
    """
    within = euclidean(values, values, groups, groups)
    np.fill_diagonal(within, np.inf)
    k = NEIGHBOURS
    return np.partition(within, k - 1, axis=1)[:, k - 1] if len(values) > k else np.full(len(values), np.inf)


# ------------------------------------------------------------------------------------------------ Fréchet distance


@dataclass(frozen=True)
class Moments:
    """Mean (d,) and covariance Σ of features, as a factor F (r, d) with Fᵀ F = Σ, r = min(n, d)."""

    mean: FloatArray
    factor: FloatArray

    @classmethod
    def of(cls, values: FloatArray) -> Moments:
        """The moments of (n, d) features. Raises AnalysisError for n < 2 and NaN.

        >>> found = Moments.of(np.array([[0.0, 0.0], [2.0, 4.0]]))
        >>> found.mean, found.factor.T @ found.factor
        (array([1., 2.]), array([[2., 4.],
               [4., 8.]]))
        """
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
    """The Fréchet distance |μ₁ - μ₂|² + Tr Σ₁ + Tr Σ₂ - 2 Tr (Σ₁ Σ₂)^½ (Dowson & Landau 1982), exact.

    Tr (Σ₁ Σ₂)^½ is the nuclear norm of F₁ F₂ᵀ, which has the size of the smaller sample, not of the features.

    A shift changes only the mean, so the distance is its square:

    >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 5.0]])
    >>> round(frechet(Moments.of(x), Moments.of(x + [3.0, 4.0])), 9)
    25.0
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
    """The Fréchet distance, averaged over the extractor's independent networks (one, except for `random`).

    >>> x = np.array([[0.0, 1.0], [1.0, 0.0], [2.0, 5.0]])
    >>> round(frechet_distance(Features(x), Features(x + [3.0, 4.0])), 6)  # a shift by 5
    25.0
    """
    checked_pair(x.values, y.values)
    return mean_frechet(moments(x), moments(y))


def moments(x: Features) -> list[Moments]:
    """The moments of each independent network's features.

    >>> [found.mean.tolist() for found in moments(Features(np.array([[0.0, 1.0], [2.0, 5.0]]), blocks=2))]
    [[1.0], [3.0]]
    """
    return [Moments.of(part) for part in x.parts()]


def mean_frechet(a: list[Moments], b: list[Moments]) -> float:
    """The mean of the Fréchet distances of pairs of moments.

    >>> at = [Moments.of(np.array([[0.0], [2.0]]) + shift) for shift in (0, 1, 3)]
    >>> round(mean_frechet([at[0], at[0]], [at[1], at[2]]), 6)  # (1 + 9) / 2
    5.0
    """
    return float(np.mean([frechet(*pair) for pair in zip(a, b, strict=True)]))


# ------------------------------------------------------------------------------------------------ manifolds


def precision_recall(
    real: FloatArray,
    generated: FloatArray,
    groups: NDArray[Any] | None = None,
    generated_groups: NDArray[Any] | None = None,
) -> dict[str, float]:
    """Precision and recall (Kynkäänniemi et al. 2019, k = 3), density and coverage (Naeem et al. 2020).

    Images of one group are never neighbours, within or between the sides: windows of one photo overlap, and the radius
    would be that of the overlap. Raises AnalysisError if an image has fewer than three others of its side outside
    its own group.

    >>> real, generated = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([[5.0], [5.5], [6.0], [12.0]])
    >>> found = precision_recall(real, generated)
    >>> {name: round(value, 6) for name, value in found.items()}
    {'precision': 0.75, 'recall': 1.0, 'density': 0.25, 'coverage': 0.25}
    """
    real, generated = (values.astype(np.float64) for values in checked_pair(real, generated))
    real_radius, generated_radius = radius(real, groups), radius(generated, generated_groups)
    for values, names, found in ((real, groups, real_radius), (generated, generated_groups, generated_radius)):
        if not np.isfinite(found).all():
            known = len(values) if names is None else len(set(names.tolist()))
            raise AnalysisError(
                f"Precision and recall with k = {NEIGHBOURS} need at least {NEIGHBOURS} other images outside the group "
                f"of each: {len(values)} images of {known} groups are too few."
            )
    between = euclidean(real, generated, groups, generated_groups)  # (real, generated)
    inside_real = between <= real_radius[:, None]
    return {
        "precision": float(inside_real.any(axis=0).mean()),
        "recall": float((between <= generated_radius[None, :]).any(axis=1).mean()),
        "density": float(inside_real.sum(axis=0).mean() / NEIGHBOURS),
        "coverage": float(inside_real.any(axis=1).mean()),
    }


def inception_score(logits: FloatArray) -> float:
    """The Inception score exp E KL(p(y|x) ‖ p(y)) of (n, classes) logits (Salimans et al. 2016), over all images.

    ImageNet's classes say little about skin, so compare the score with that of real images.

    >>> round(inception_score(np.array([[50.0, 0.0], [0.0, 50.0]])), 6)  # sure of two classes
    2.0
    >>> inception_score(np.zeros((3, 2)))  # sure of none
    1.0
    """
    logits = checked(logits, "The logits").astype(np.float64)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    p = np.exp(log_p)
    return float(np.exp((p * (log_p - np.log(p.mean(axis=0)))).sum(axis=1).mean()))
