"""Kernel inception distance: the unbiased squared MMD of Binkowski et al. 2018, with its test and its interval.

Pure functions of features. Images of one photo or lesion are not exchangeable, so the p-value permutes and the interval
draws whole groups; each generated image is its own group.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.images.distances import FloatArray, checked_pair

DRAWS = 999  # of half-samples for an interval ...
COMPARED_DRAWS = 9999  # ... and for the p-value of a difference
INTERVAL_FROM = 8  # groups per side; halves of fewer groups say too little about their variation
BLOCK = 2048  # rows of a kernel matrix held at a time


def kernel(x: FloatArray, y: FloatArray) -> FloatArray:
    """The kernel (x·y / d + 1)³ of Binkowski et al. 2018: (n, d), (m, d) to (n, m), in float64.

    >>> kernel(np.array([[1.0, 1.0]]), np.array([[1.0, 1.0], [0.0, 0.0]]))
    array([[8., 1.]])
    """
    return (x.astype(np.float64) @ y.astype(np.float64).T / x.shape[1] + 1) ** 3


def kernel_mean(x: FloatArray, y: FloatArray | None = None) -> float:
    """The mean of the kernel over all pairs (x, y), or without y over pairs of different rows of x; blockwise.

    >>> round(kernel_mean(np.array([[1.0], [1.0], [0.0]])), 6)  # (8 + 1 + 1) / 3
    3.333333
    """
    other = x if y is None else y
    total = sum(kernel(x[i : i + BLOCK], other).sum() for i in range(0, len(x), BLOCK))
    if y is not None:
        return float(total / (len(x) * len(y)))
    itself = ((np.einsum("ij,ij->i", x, x, dtype=np.float64) / x.shape[1] + 1) ** 3).sum()
    return float((total - itself) / (len(x) * (len(x) - 1)))


def kid(x: FloatArray, y: FloatArray) -> float:
    """The unbiased squared MMD of (n, d) and (m, d) features with independent rows; may be below zero.

    >>> kid(np.array([[0.0], [0.0]]), np.array([[1.0], [1.0]]))  # 1 + 8 - 2
    7.0
    """
    x, y = checked_pair(x, y)
    return kernel_mean(x) + kernel_mean(y) - 2 * kernel_mean(x, y)


@dataclass(frozen=True)
class Units:
    """The kernel summed within and between the groups of two samples: the input of tests by group.

    `sums` (U, U) has zeros for pairs within a group, which would bias the estimate; `sizes` (U,): numbers of images.
    The first `first` units are those of the first sample. A group in both samples (such as a photo with a translated
    and a real image) is two units, `partner` (U,) of each other; every other unit is its own partner.
    """

    sums: FloatArray
    sizes: FloatArray
    first: int
    partner: NDArray[np.intp]

    @classmethod
    def of(cls, x: FloatArray, y: FloatArray, groups_x: NDArray[Any] | None, groups_y: NDArray[Any] | None) -> Units:
        """The units of (n, d) and (m, d) features, given the group of each row; None makes each row a group.

        >>> units = Units.of(np.zeros((2, 1)), np.ones((2, 1)), np.array(["a", "b"]), np.array(["b", "c"]))
        >>> units.group_counts, units.shared.tolist(), float(units.sums[1, 2])  # pairs within group b are left out
        ((2, 2), [1], 0.0)
        """
        x, y = checked_pair(x, y)
        (names, code_x), (names_y, code_y) = (
            (None, np.arange(len(v))) if g is None else np.unique(g, return_inverse=True)
            for v, g in ((x, groups_x), (y, groups_y))
        )
        first = int(code_x.max()) + 1
        code = np.concatenate([code_x, code_y + first])
        order = np.argsort(code, kind="stable")
        values = np.concatenate([x, y])[order]
        sizes = np.bincount(code)
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        columns = np.empty((len(values), len(sizes)))
        for i in range(0, len(values), BLOCK):
            columns[i : i + BLOCK] = np.add.reduceat(kernel(values[i : i + BLOCK], values), starts, axis=1)
        sums = np.add.reduceat(columns, starts, axis=0)
        every = np.arange(len(sizes))
        partner = every.copy()
        if names is not None and names_y is not None:
            _, mine, theirs = np.intersect1d(names, names_y, assume_unique=True, return_indices=True)
            partner[mine], partner[theirs + first] = theirs + first, mine
        sums[every, every] = sums[every, partner] = 0
        return cls(sums, sizes.astype(np.float64), first, partner)

    @property
    def group_counts(self) -> tuple[int, int]:
        return self.first, len(self.sizes) - self.first

    @property
    def shared(self) -> NDArray[np.intp]:
        """The units of the first sample whose group is also in the second."""
        return np.flatnonzero(self.partner[: self.first] >= self.first)

    @property
    def testable(self) -> bool:
        """Whether there are more than 40 arrangements, so that the most extreme one and its mirror image have p < 0.05.

        Without shared groups this takes four groups per side: two never reach such a p, and three reach it too often.
        """
        both = len(self.shared)
        n, m = (count - both for count in self.group_counts)
        return min(self.group_counts) >= 4 and 2**both * math.comb(n + m, n) > 40

    def observed(self) -> NDArray[np.bool_]:
        """Whether each unit belongs to the first sample, (U,)."""
        return np.arange(len(self.sizes)) < self.first

    def kid(self, first: NDArray[np.bool_], second: NDArray[np.bool_] | None = None) -> FloatArray:
        """The unbiased KID, (B,), between two selections of units, (B, U) each; by default the second is the rest.

        The selections are disjoint, and neither holds a unit together with its partner.

        >>> units = Units.of(np.zeros((2, 1)), np.ones((2, 1)), None, None)
        >>> swapped = np.array([True, False, True, False])
        >>> units.kid(np.array([units.observed(), swapped]))  # 1 + 8 - 2; 1 + 1 - (1 + 8 + 1 + 1) / 2
        array([ 7. , -3.5])
        """
        a = first.astype(np.float64)
        b = 1 - a if second is None else second.astype(np.float64)
        sums_a, sums_b = a @ self.sums, b @ self.sums
        n, m = a @ self.sizes, b @ self.sizes
        pairs_a, pairs_b = n**2 - a @ self.sizes**2, m**2 - b @ self.sizes**2
        pairs = n * m - (a * b[..., self.partner]) @ (self.sizes * self.sizes[self.partner])
        with np.errstate(divide="ignore", invalid="ignore"):
            within = (sums_a * a).sum(-1) / pairs_a + (sums_b * b).sum(-1) / pairs_b
            return np.asarray(within - 2 * (sums_a * b).sum(-1) / pairs)


def kid_of_rows(x: FloatArray, y: FloatArray, groups_x: NDArray[Any] | None = None) -> float | None:
    """The unbiased KID without pairs within a group of x; None if x holds a single group.

    >>> zeros, ones = np.zeros((2, 1)), np.ones((2, 1))
    >>> kid_of_rows(zeros, ones), kid_of_rows(zeros, ones, np.array(["a", "a"]))
    (7.0, None)
    """
    units = Units.of(x, y, groups_x, None)
    return float(units.kid(units.observed()[None])[0]) if min(units.group_counts) > 1 else None


def permutation_p(units: Units, rng: np.random.Generator, permutations: int = 999) -> float:
    """The p-value of the KID under permutation of whole groups; both sides keep their number of images.

    It is valid for groups of unequal sizes if both sides hold equally many images: every relabelling then gives the
    difference of the two mean embeddings the same variance (the sum over units of size² / n²). The two sides of a group
    in both samples are swapped.

    >>> alike = Units.of(np.ones((4, 1)), np.ones((4, 1)), None, None)  # every arrangement has the same KID
    >>> permutation_p(alike, np.random.default_rng(0))
    1.0
    """
    shared = units.shared
    alone = np.setdiff1d(np.arange(len(units.sizes)), [shared, units.partner[shared]])
    limit = units.sizes[alone[alone < units.first]].sum()
    chosen = np.zeros((permutations, len(units.sizes)), bool)
    filled = np.zeros(permutations)
    rows = np.arange(permutations)
    for unit in rng.permuted(np.tile(alone, (permutations, 1)), axis=1).T:  # each joins the first side if it fits
        fits = filled + units.sizes[unit] <= limit
        chosen[rows, unit] = fits
        filled += fits * units.sizes[unit]
    chosen[:, shared] = rng.random((permutations, len(shared))) < 0.5
    chosen[:, units.partner[shared]] = ~chosen[:, shared]
    statistics = units.kid(chosen)
    observed = units.kid(units.observed()[None])[0]
    rounding = 1e-10 * np.abs(units.sums).sum() / units.sizes.sum() ** 2  # an arrangement may be the observed one
    return float((1 + np.sum(statistics >= observed - rounding)) / (1 + permutations))


def subsampling_interval(units: Units, rng: np.random.Generator) -> tuple[float, float] | None:
    """95 % interval of the KID from half-samples of groups (Politis & Romano 1994); None with under 8 groups per side.

    A half drawn without replacement varies around the whole as the whole varies around the truth, so deviations need no
    scaling; unlike a bootstrap sample it holds no image twice, so the estimate stays unbiased. With b of n groups the
    variance is (n - b) / b times that of the whole; if n is odd, halves are rounded down and up with the probabilities
    that make this factor 1 on average. A group in both samples is in both halves or in neither.

    >>> units = Units.of(np.zeros((8, 1)), np.ones((8, 1)), None, None)  # every half has the same KID
    >>> subsampling_interval(units, np.random.default_rng(0))
    (7.0, 7.0)
    """
    n, _ = units.group_counts
    if min(units.group_counts) < INTERVAL_FROM:
        return None
    whole = units.kid(units.observed()[None])[0]
    low, high = np.quantile(_deviations(units, _halves(n, DRAWS, rng), rng), [0.025, 0.975])
    return float(whole - high), float(whole - low)


def difference_in_kid(
    one: Units, other: Units, rng: np.random.Generator
) -> tuple[float, tuple[float, float] | None, float | None]:
    """The KID of `one` minus that of `other` (two generators with the same first sample), its interval and p-value.

    Both come from half-samples as in `subsampling_interval`, with the same halves of the first sample, whose variation
    therefore cancels. Both are None with under 8 groups per side.

    >>> zeros, ones, rng = np.zeros((8, 1)), np.ones((8, 1)), np.random.default_rng(0)
    >>> far, same = Units.of(zeros, ones, None, None), Units.of(zeros, zeros, None, None)
    >>> difference_in_kid(far, same, rng)  # 7 (see `kid`) and 0, whatever halves are drawn
    (7.0, (7.0, 7.0), 0.0001)
    """
    wholes = [float(units.kid(units.observed()[None])[0]) for units in (one, other)]
    difference = wholes[0] - wholes[1]
    if min(*one.group_counts, *other.group_counts) < INTERVAL_FROM:
        return difference, None, None
    first = _halves(one.group_counts[0], COMPARED_DRAWS, rng)
    deviations = _deviations(one, first, rng) - _deviations(other, first, rng)
    low, high = np.quantile(deviations, [0.025, 0.975])
    p = (1 + np.sum(np.abs(deviations) >= abs(difference))) / (1 + COMPARED_DRAWS)
    return difference, (difference - float(high), difference - float(low)), float(p)


def _deviations(units: Units, first: NDArray[np.bool_], rng: np.random.Generator) -> FloatArray:
    """The KID of these halves (draws, n) of the first sample and halves of the second, minus the whole's: (draws,)."""
    n, m = units.group_counts
    second = _halves(m, len(first), rng)
    second[:, units.partner[units.shared] - n] = first[:, units.shared]
    neither = np.zeros((len(first), n + m), bool)
    a, b = (np.concatenate(sides, axis=1) for sides in ((first, neither[:, n:]), (neither[:, :n], second)))
    return units.kid(a, b) - units.kid(units.observed()[None])[0]


def _halves(size: int, draws: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Random halves of `size` places, (draws, size); of an odd number rounded up with probability upper / size."""
    upper = (size + 1) // 2
    count = upper - (rng.random(draws) * size >= upper) if size % 2 else np.full(draws, upper)
    return rng.permuted(np.tile(np.arange(size), (draws, 1)), axis=1) < count[:, None]
