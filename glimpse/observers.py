"""Scores of participants: F1 and its chance level, accuracy, d' and criterion, from four counts per participant.

NumPy only, since the survey's dashboard imports it too. Everything is vectorised over participants: arrays of shape
(P,), NaN where a number is undefined. The 'signal' is a generated image, so a hit is a generated image called
generated and a false alarm a real image called generated.

Rules, the same wherever Glimpse shows a number:
- a trial without an answer, or one excluded by a flag, is left out before counting (and counted by the caller);
- a participant who never says 'generated' has an F1 of 0 if generated images were shown (no true positives); F1 is
  undefined (NaN) only if none was shown either, as in scikit-learn's `zero_division=nan`;
- a rate over no image is NaN, and so is every score computed from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Positive = Literal["generated", "real"]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

LEAST_JUDGEMENTS = 5  # of an image to be ranked among the most misjudged: 1 wrong of 1 may be chance


@dataclass(frozen=True)
class Counts:
    """The confusion counts of P participants, each (P,) int64: `Counts(*table)` of a table (4, P)."""

    hits: Integers  # generated, called generated
    misses: Integers  # generated, called real
    false_alarms: Integers  # real, called generated
    correct_rejections: Integers  # real, called real

    @property
    def generated(self) -> Integers:
        return self.hits + self.misses

    @property
    def real(self) -> Integers:
        return self.false_alarms + self.correct_rejections

    @property
    def trials(self) -> Integers:
        return self.generated + self.real

    @property
    def correct(self) -> Integers:
        return self.hits + self.correct_rejections

    def total(self) -> Counts:
        """The counts summed over all participants, each (1,)."""
        return Counts(*(np.atleast_1d(c.sum()) for c in self._columns()))

    def _columns(self) -> tuple[Integers, Integers, Integers, Integers]:
        return self.hits, self.misses, self.false_alarms, self.correct_rejections


def count(said_generated: Any, is_generated: Any, participant: Any, participants: int | None = None) -> Counts:
    """The counts of each participant.

    `said_generated`, `is_generated`: (n,) bool; `participant`: (n,) int codes from 0. `participants`: their number
    (default: the highest code + 1); those without a trial get zeros.

    >>> count([True, True, False], [True, False, True], [0, 0, 1]).hits  # one hit and one false alarm; one miss
    array([1, 0])
    """
    codes = np.asarray(participant, np.int64)
    size = (int(codes.max()) + 1 if codes.size else 0) if participants is None else participants
    cell = codes * 4 + np.asarray(is_generated, bool) * 2 + np.asarray(said_generated, bool)
    table = np.bincount(cell, minlength=4 * size).reshape(size, 2, 2).astype(np.int64)
    return Counts(table[:, 1, 1], table[:, 1, 0], table[:, 0, 1], table[:, 0, 0])


def _ratio(numerator: Any, denominator: Any) -> Floats:
    top, bottom = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    return np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)


# ------------------------------------------------------------------------------------------------ F1 and its chance


def _positives(counts: Counts, positive: Positive) -> tuple[Integers, Integers, Integers]:
    """True positives, images of the positive class, answers of the positive class."""
    if positive == "generated":
        return counts.hits, counts.generated, counts.hits + counts.false_alarms
    return counts.correct_rejections, counts.real, counts.correct_rejections + counts.misses


def f1(counts: Counts, positive: Positive = "generated") -> Floats:
    """F1 = 2 TP / (2 TP + FP + FN) of each participant, (P,).

    >>> f1(Counts(*np.array([[6], [4], [2], [8]]))).round(4)  # 12 / (12 + 2 + 4)
    array([0.6667])
    """
    true_positives, shown, said = _positives(counts, positive)
    return _ratio(2 * true_positives, shown + said)


def f1_chance(counts: Counts, positive: Positive = "generated") -> Floats:
    """The expected F1 of each participant if the same answers were assigned to the images at random, (P,).

    With k images shown of the positive class among n, and m such answers, the permutation distribution of the true
    positives is hypergeometric, so the mean over all permutations is exactly 2 (m k / n) / (k + m).

    >>> f1_chance(Counts(*np.array([[6], [4], [2], [8]]))).round(4)  # 2 (8 · 10 / 20) / 18
    array([0.4444])
    """
    _, shown, said = _positives(counts, positive)
    return _ratio(2 * _ratio(said * shown, counts.trials), shown + said)


def f1_null(counts: Counts, positive: Positive = "generated") -> tuple[Floats, Floats]:
    """The distribution of F1 if these participants' answers were assigned at random: values and probabilities.

    The mixture of every participant's exact permutation distribution; values ascend, probabilities sum to one.

    >>> f1_null(Counts(*np.array([[1], [0], [0], [1]])))  # one 'generated' for two images
    (array([0., 1.]), array([0.5, 0.5]))
    """
    values: dict[float, float] = {}
    for n, shown, said, people in _kinds(counts, positive):
        if shown + said == 0:
            continue
        support, probability = hypergeometric(n, shown, said)
        for x, p in zip(2 * support / (shown + said), probability * people, strict=True):
            values[float(x)] = values.get(float(x), 0.0) + float(p)
    ordered = np.array(sorted(values.items()), np.float64).reshape(-1, 2)
    return ordered[:, 0], ordered[:, 1] / ordered[:, 1].sum() if len(ordered) else ordered[:, 1]


def permutation_p(counts: Counts) -> Floats:
    """Each participant's exact permutation p-value: the probability of as many hits by random assignment, (P,).

    One-sided (Fisher's exact test); NaN without a trial. It is the same for F1 of either class, accuracy and d', which
    all increase with the hits when the number of 'generated' answers is fixed.

    >>> permutation_p(Counts(*np.array([[3], [0], [0], [3]])))  # 1 of the C(6, 3) ways
    array([0.05])
    """
    table = np.stack([counts.trials, counts.generated, counts.hits + counts.false_alarms, counts.hits], axis=1)
    kinds, which = np.unique(table, axis=0, return_inverse=True)
    tail = np.full(len(kinds), np.nan)
    for i, (n, shown, said, hits) in enumerate(kinds):
        if n > 0:
            support, probability = hypergeometric(n, shown, said)
            tail[i] = min(1.0, probability[hits - support[0] :].sum())
    return tail[which.reshape(-1)]


def _kinds(counts: Counts, positive: Positive) -> list[tuple[int, int, int, int]]:
    """(trials, shown, said, participants): the number of participants with each combination, if they have a trial."""
    _, shown, said = _positives(counts, positive)
    table = np.stack([counts.trials, shown, said], axis=1)[counts.trials > 0]
    kinds, people = np.unique(table, axis=0, return_counts=True)
    return [(int(n), int(k), int(m), int(p)) for (n, k, m), p in zip(kinds, people, strict=True)]


def hypergeometric(n: int, shown: int, said: int) -> tuple[Integers, Floats]:
    """The number of `said` answers that fall on the `shown` among `n` images by chance: counts and probabilities.

    >>> counts, probabilities = hypergeometric(4, 2, 2)
    >>> counts, probabilities.round(4)  # 1, 4 and 1 of the 6 ways
    (array([0, 1, 2]), array([0.1667, 0.6667, 0.1667]))
    """
    support = np.arange(max(0, shown + said - n), min(shown, said) + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])  # log factorials

    def choose(a: Any, b: Any) -> Any:
        return logs[a] - logs[b] - logs[a - b]

    weight = np.exp(choose(shown, support) + choose(n - shown, said - support) - choose(n, said))
    return support, weight / weight.sum()


# ------------------------------------------------------------------------------------------------ rates, d', criterion


def accuracy(counts: Counts) -> Floats:
    """Share of correct answers, (P,).

    >>> accuracy(Counts(*np.array([[6], [4], [2], [8]])))
    array([0.7])
    """
    return _ratio(counts.correct, counts.trials)


def hit_rate(counts: Counts) -> Floats:
    """Share of the generated images called generated, (P,).

    >>> hit_rate(Counts(*np.array([[6], [4], [2], [8]])))
    array([0.6])
    """
    return _ratio(counts.hits, counts.generated)


def false_alarm_rate(counts: Counts) -> Floats:
    """Share of the real images called generated, (P,).

    >>> false_alarm_rate(Counts(*np.array([[6], [4], [2], [8]])))
    array([0.2])
    """
    return _ratio(counts.false_alarms, counts.real)


def balanced_accuracy(counts: Counts) -> Floats:
    """Mean of the shares of correct answers in the two classes, (P,): 0.5 for guessing with any bias.

    >>> balanced_accuracy(Counts(*np.array([[9], [0], [1], [0]])))  # always 'generated'
    array([0.5])
    """
    return (hit_rate(counts) + 1 - false_alarm_rate(counts)) / 2


def d_prime(counts: Counts) -> Floats:
    """Sensitivity d' = z(H) - z(F) of each participant, (P,), with the log-linear correction (Hautus 1995).

    >>> d_prime(Counts(*np.array([[6], [4], [2], [8]]))).round(4)  # z(6.5/11) - z(2.5/11)
    array([0.9777])
    """
    hit, false_alarm = _corrected_z(counts)
    return hit - false_alarm


def criterion(counts: Counts) -> Floats:
    """Criterion c = -(z(H) + z(F)) / 2, (P,): positive for a bias to 'real'. Log-linear correction (Hautus 1995).

    >>> criterion(Counts(*np.array([[6], [4], [2], [8]]))).round(4)
    array([0.259])
    """
    hit, false_alarm = _corrected_z(counts)
    return -(hit + false_alarm) / 2


def _corrected_z(counts: Counts) -> tuple[Floats, Floats]:
    """z of the two rates, with half an answer added to each count of answers and one to each count of images."""
    hit = np.where(counts.generated > 0, (counts.hits + 0.5) / (counts.generated + 1.0), np.nan)
    false_alarm = np.where(counts.real > 0, (counts.false_alarms + 0.5) / (counts.real + 1.0), np.nan)
    return z(hit), z(false_alarm)


def z(rate: Any) -> Floats:
    """The standard normal quantile of rates strictly between 0 and 1 (any shape); NaN stays NaN.

    >>> z([0.5, 0.975]).round(3)
    array([0.  , 1.96])
    """
    rates, where = np.unique(np.asarray(rate, np.float64), return_inverse=True)
    quantile = NormalDist().inv_cdf
    return np.array([np.nan if np.isnan(r) else quantile(r) for r in rates], np.float64)[where].reshape(np.shape(rate))
