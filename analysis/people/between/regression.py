"""Regression of the participants' scores on their properties, with intervals for new participants and new images.

Least squares, participants weighted equally: y_p = x_p b, with y_p a weighted sum of the participant's mean answers to
real and to generated images. A contrast c b = sum_p w_p y_p weights the participants, so each answer has an influence
on it and the two-way variance of `estimate` applies. Its participants' part is HC2 (MacKinnon & White 1985), sum over p
of (w_p r_p)^2 / (1 - h_p) with residuals r and leverages h, and has Satterthwaite's degrees of freedom over the groups
of participants, so that for two groups it is that of Welch's t-test. A group of n has n - 1 of them, and each further
column of x costs all groups together one. The slope of a quantity, in one group, has those of Bell & McCaffrey 2002:
few, if few participants with unusual values determine it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analysis.people.estimation.estimate import Estimate, estimate
from analysis.people.trials import Trials
from glimpse.observers import Floats, Integers


@dataclass(frozen=True)
class Regression:
    """The fit: coefficients by column of x, and what `contrast` needs."""

    coefficients: Floats  # (k,)
    participants: Integers  # (P,) codes of the participants with answers to each weighted class
    weights: Floats  # (k, P): each coefficient is this sum of the participants' scores
    residual: Floats  # (P,) of the scores
    leverage: Floats  # (P,)
    group: Integers  # (P,)
    design: Floats  # (P, k)
    trials: Trials  # of these participants
    part: Floats  # (n,) each answer's part of its participant's residual

    def contrast(self, weights: Floats) -> Estimate:
        """`weights`, (k,), times the coefficients, for new participants and new images.

        >>> trials = Trials.from_labels([1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 1])
        >>> found = regress(trials.correct, trials, np.eye(2), np.array([0, 1])).contrast(np.array([1.0, -1.0]))
        >>> found.value, found.note
        (0.5, 'one participant of a group: no interval for new participants')
        """
        each, value = weights @ self.weights, float(weights @ self.coefficients)
        if note := self._undetermined(weights):
            return Estimate(None, note=note)
        involved = np.unique(self.group[np.abs(each) > 1e-12])
        if min((int((self.group == g).sum()) for g in involved), default=0) < 2:
            return Estimate(value, note="one participant of a group: no interval for new participants")
        person = np.searchsorted(self.participants, self.trials.participant)
        used = np.isin(self.group, involved)[person]
        rank = round(float(self.leverage.sum()))
        between = welch(each * self.residual / np.sqrt(self.leverage_left), self.group, rank)
        if between is not None and len(involved) == 1:
            between = between[0], min(between[1], self._bell_mccaffrey(each))
        if between is None:
            return Estimate(value, note="too few participants beside the covariates: no interval")
        return estimate(value, (each[person] * self.part)[used], self.trials.where(used), between=between)

    def _undetermined(self, weights: Floats) -> str:
        """The reason why these answers do not determine `weights` times the coefficients; "" if they do.

        >>> trials = Trials.from_labels([1, 0] * 2, [1, 0] * 2, [0, 0, 1, 1], range(4))
        >>> x = np.column_stack([np.eye(2), [0.0, 9.0]])  # a covariate that says who is in which group
        >>> fit = regress(trials.correct, trials, x, np.array([0, 1]))
        >>> fit.contrast(np.array([1.0, -1.0, 0.0])).note
        'the covariates tell the groups apart completely: no difference at equal values'
        """
        if np.allclose(weights @ self.weights @ self.design, weights, atol=1e-6):
            return ""
        if (weights != 0)[~self.design.any(axis=0)].any():
            return "a group has no participant to compare"
        return "the covariates tell the groups apart completely: no difference at equal values"

    def _bell_mccaffrey(self, each: Floats) -> float:
        """Degrees of freedom of the HC2 variance of sum_p each_p y_p: tr(D M)^2 / tr(D M D M) for M = 1 - H.

        D is diagonal, each_p^2 / (1 - h_p).

        >>> trials = Trials.from_labels([1, 0] * 3 + [0, 0], [1, 0] * 4, [0, 0, 1, 1, 2, 2, 3, 3], range(8))
        >>> even, odd = (np.column_stack([np.ones(4), x]) for x in ([-1, 1, -1, 1], [0, 0, 0, 9]))
        >>> each = np.array([0.0, 1.0])
        >>> for x in (even, odd):  # two and two participants; the fourth is fitted exactly and tells nothing
        ...     fit = regress(trials.correct, trials, x, np.zeros(4, int))
        ...     round(fit._bell_mccaffrey(each @ fit.weights), 3)
        2.0
        2.0
        """
        left = np.where(self.leverage < 1 - 1e-9, 1 - self.leverage, np.inf)
        root = np.abs(each) / np.sqrt(left)
        scaled, projected = root[:, None] * self.design, self.weights * root
        diagonal = root**4 * (1 - 2 * self.leverage)
        doubt = float(diagonal[np.isfinite(left)].sum() + np.trace(scaled.T @ scaled @ projected @ projected.T))
        return float((root**2 * (1 - self.leverage)).sum() ** 2 / doubt) if doubt > 0 else 0.0

    @property
    def columns(self) -> int:
        """The number of coefficients."""
        return len(self.coefficients)

    @property
    def leverage_left(self) -> Floats:
        """1 - h, (P,)."""
        return np.maximum(1 - self.leverage, 1e-9)


def welch(terms: Floats, group: Integers, columns: int) -> tuple[float, float] | None:
    """The sum of the squared terms, (P,), and its degrees of freedom; None if there are none.

    `columns`: the rank of the regression, one for each group and any further columns.

    >>> welch(np.array([1.0, -1.0, 2.0, -2.0]), np.array([0, 0, 1, 1]), columns=2)  # 10**2 / (2**2 / 1 + 8**2 / 1)
    (10.0, 1.4705882352941178)
    >>> further = welch(np.array([1.0, -1.0, 0.0, 2.0, -2.0, 0.0]), np.repeat([0, 1], 3), columns=3)
    >>> further  # a covariate takes half a degree of freedom from each: 10**2 / (2**2 / 1.5 + 8**2 / 1.5)
    (10.0, 2.2058823529411766)
    """
    _, code, size = np.unique(group, return_inverse=True, return_counts=True)
    further = columns - len(size)
    squares = np.bincount(code, terms**2)
    df = size - 1 - further * size / len(group)
    varied = squares > 1e-9 * squares.sum()  # a group of one participant is fitted exactly
    if (df[varied] <= 0).any():
        return None
    variance, doubt = float(squares.sum()), float((squares[varied] ** 2 / df[varied]).sum())
    return variance, variance**2 / doubt if doubt > 0 else float(df.sum())


def regress(values: NDArray[np.generic], trials: Trials, x: Floats, group: Integers) -> Regression:
    """The regression of the scores on `x`, (codes, k), one row per participant code; rows with NaN are left out.

    `values`, (n,), such as whether each answer is right: a participant's score is the mean of both classes' means.
    `group`, (codes,): groups whose scores may differ in spread; x has a column for each.

    >>> trials = Trials.from_labels([1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 1])  # 2 of 2 and 1 of 2 right
    >>> groups = np.array([0, 1])
    >>> regress(trials.correct, trials, np.eye(2), groups).coefficients
    array([1. , 0.5])
    """
    codes = len(x)
    shown = np.array([np.bincount(trials.participant[trials.is_generated == k], minlength=codes) for k in (0, 1)])
    there = (shown.min(axis=0) > 0) & np.isfinite(x).all(axis=1)
    rows = there[trials.participant]
    mine, scored = trials.where(rows), np.asarray(values, float)[rows]
    participants = np.flatnonzero(there)
    design, person, kind = x[there], np.searchsorted(participants, mine.participant), mine.is_generated.astype(int)
    cell = kind * len(participants) + person
    seen = np.maximum(np.bincount(cell, minlength=2 * len(participants)), 1)
    means = (np.bincount(cell, scored, 2 * len(participants)) / seen).reshape(2, -1)
    projection = np.linalg.pinv(design, rcond=1e-12)  # a column that follows from the others adds nothing
    fitted = (design @ (projection @ means.T)).T
    part = (scored - fitted.ravel()[cell]) / 2 / seen[cell]
    scores = (means[0] + means[1]) / 2
    leverage = np.einsum("pk,kp->p", design, projection)
    left = scores - (fitted[0] + fitted[1]) / 2
    return Regression(projection @ scores, participants, projection, left, leverage, group[there], design, mine, part)
