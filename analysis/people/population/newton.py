"""Newton's step for the effects of the crossed probit model of `spreads`, by one large linear system."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg

from glimpse.observers import Floats

MEAN_PRECISION = 1 / 5**2  # of the prior of z(hit rate) and z(false-alarm rate) of a typical participant and image
CLASSES = (0, 1)  # real, generated
LOWER = ((0, 0), (1, 0), (1, 1))  # the blocks of a symmetric matrix that Cholesky's method reads
Effects = tuple[Floats, Floats, Floats]  # (M,) means, (2, P) observers, (I,) images


@dataclass(frozen=True)
class Prior:
    """The precisions of the effects: [[alpha, gamma], [gamma, alpha]] of an observer's two, (I,) of the images."""

    alpha: float
    gamma: float
    precision: Floats


@dataclass(frozen=True)
class System:
    """The linear system of a Newton step: H is diagonal in the images and has 2 x 2 blocks in the observers.

    Either can be eliminated (Schur complement), and one dense matrix is left. Lists have one entry for each class.
    """

    prior: Prior
    crossed: list[Floats]  # (P, I_k): curvature of the log likelihood in the answers of each observer to each image
    member: list[Floats]  # (I_k, M_k) in {0, 1}: the mean that each image has ...
    grouped: bool  # ... or (P, M_k): that each observer has
    observer: Floats  # (2, P): sums of `crossed` over images
    precision: list[Floats]  # (I_k,) of the images' prior
    slope_mean: list[Floats]  # (M_k,)
    slope_observer: Floats  # (2, P)
    slope_image: list[Floats]  # (I_k,)

    def _borders(self, k: int) -> tuple[Floats, Floats]:
        """Sums of `crossed` for each observer and mean, (P, M_k), and for each image and mean, (I_k, M_k)."""
        crossed, member = self.crossed[k], self.member[k]
        if self.grouped:
            return crossed.sum(axis=1)[:, None] * member, crossed.T @ member
        return crossed @ member, crossed.sum(axis=0)[:, None] * member

    def without_observers(self) -> tuple[Effects, float]:
        """The step and log |H|, from a dense matrix of the images and the means."""
        a, b = self.observer + self.prior.alpha
        off = np.full(len(a), -self.prior.gamma)
        determinant = a * b - off**2
        inverse = np.array([[b, off], [off, a]]) / determinant
        of_people, border = zip(*(self._borders(k) for k in CLASSES), strict=True)
        link = [np.column_stack([self.crossed[k], of_people[k]]) for k in CLASSES]
        first, both = link[0].shape[1], sum(one.shape[1] for one in link)
        of_class = slice(0, first), slice(first, both)
        dense = np.zeros((both, both), order="F")
        for j, k in LOWER:
            dense[of_class[j], of_class[k]] -= link[j].T @ (inverse[j, k][:, None] * link[k])
        for k in CLASSES:
            image = self.crossed[k].sum(axis=0) + self.precision[k]
            _add_bordered(dense[of_class[k], of_class[k]], image, border[k])
        moved = np.einsum("jkp,kp->jp", inverse, self.slope_observer)
        right = [np.append(self.slope_image[k], self.slope_mean[k]) - link[k].T @ moved[k] for k in CLASSES]
        solved, log_determinant = _solve(dense, np.concatenate(right))
        halves = np.split(solved, [first])
        rest = np.array([self.slope_observer[k] - link[k] @ halves[k] for k in CLASSES])
        observer = np.einsum("jkp,kp->jp", inverse, rest)
        sway, mean = zip(*(np.split(halves[k], [self.crossed[k].shape[1]]) for k in CLASSES), strict=True)
        step = np.concatenate(mean), observer, np.concatenate(sway)
        return step, log_determinant + float(np.log(determinant).sum())

    def without_images(self) -> tuple[Effects, float]:
        """The step and log |H|, from a dense matrix of the observers and the means."""
        people, first = self.observer.shape[1], self.observer.shape[1] + len(self.slope_mean[0])
        diagonal = [self.crossed[k].sum(axis=0) + self.precision[k] for k in CLASSES]
        link, right, one = [], [], np.arange(people)
        both = 2 * people + sum(len(slope) for slope in self.slope_mean)
        dense = np.zeros((both, both), order="F")
        for k, block in zip(CLASSES, (dense[:first, :first], dense[first:, first:]), strict=True):
            border, of_images = self._borders(k)
            link.append(np.vstack([self.crossed[k], of_images.T]))
            block -= (link[k] / diagonal[k]) @ link[k].T
            _add_bordered(block, self.observer[k] + self.prior.alpha, border)
            slope = np.append(self.slope_observer[k], self.slope_mean[k])
            right.append(slope - link[k] @ (self.slope_image[k] / diagonal[k]))
        dense[first + one, one] = self.prior.gamma
        solved, log_determinant = _solve(dense, np.concatenate(right))
        halves = np.split(solved, [first])
        sway = [(self.slope_image[k] - link[k].T @ halves[k]) / diagonal[k] for k in CLASSES]
        mean, observer = (np.concatenate([h[people:] for h in halves]), np.array([h[:people] for h in halves]))
        step = mean, observer, np.concatenate(sway)
        return step, log_determinant + float(np.log(np.concatenate(diagonal)).sum())


def _add_bordered(matrix: Floats, diagonal: Floats, border: Floats) -> None:
    """Add a diagonal, (n,), and below it the border of the m means, (n, m), with its sums and their prior's precision.

    Above the diagonal nothing is added: `_solve` reads the lower triangle.
    """
    n, every = len(diagonal), np.arange(len(matrix))
    matrix[every, every] += np.append(diagonal, border.sum(axis=0) + MEAN_PRECISION)
    matrix[n:, :n] += border.T


def _solve(matrix: Floats, right: Floats) -> tuple[Floats, float]:
    """matrix^-1 right and log |matrix|, for a positive definite matrix, of which the lower triangle is read."""
    factor = linalg.cho_factor(matrix, lower=True, overwrite_a=True, check_finite=False)
    solved = linalg.cho_solve(factor, right, check_finite=False)
    return solved, 2 * float(np.log(np.diag(factor[0])).sum())
