"""Early stopping with a controlled error, which allows for the clustering of answers.

`monitor` may be used after every participant: a confidence sequence by betting (Waudby-Smith & Ramdas 2024, JRSS B
86:1-27). Each participant contributes one number in [0, 1], however many answers they gave, so clustering by
participant is accounted for. Nothing is assumed about the distribution of these numbers, and the error over all looks
together is at most the level. The result holds for new participants and the images shown. For new images as well, use
the verdict of `analysis.people.equivalence` at the planned end, since the number of images does not grow with the
participants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.numbers import LEVEL
from analysis.people.equivalence import Code
from glimpse.observers import Floats

GRID = np.linspace(0.0, 1.0, 201)  # the candidate means; the precision of the interval


@dataclass(frozen=True)
class Monitored:
    """After each participant, in the order in which they finished."""

    low: Floats  # (P,) the confidence sequence of the mean, narrowing
    high: Floats  # (P,)
    e_value: Floats  # (P,) evidence against chance; 1 / its maximum is an always-valid p-value
    code: Code
    decided_at: int | None  # the number of participants after which the verdict was reached

    @property
    def p(self) -> float:
        """Always-valid p-value against chance."""
        return float(min(1.0, 1.0 / max(self.e_value.max(initial=0.0), 1e-300)))


def monitor(scores: Any, bound: float = 0.05) -> Monitored:
    """The always-valid verdict on participants' mean score.

    `scores`: (P,) in [0, 1], a balanced accuracy for each participant in order of finishing, undefined ones left out.
    'detectable' as soon as the sequence excludes chance, 'cannot tell' as soon as it lies within chance ± bound.

    >>> found = monitor([1.0] * 10)  # always right: the capital 1.5**n / 2 reaches 20 at n = 10
    >>> found.code, found.decided_at, round(found.p, 4)
    ('detectable', 10, 0.0347)
    >>> monitor([0.5, 0.6, 0.4]).code
    'undecided'
    """
    x = np.asarray(scores, np.float64)
    means = np.union1d(GRID, [0.5])
    capital = _capital(x, means)
    outside = np.maximum.accumulate(capital, axis=0) >= np.log(1 / LEVEL)
    inside = ~outside
    not_empty = inside.any(axis=1)  # no mean is left if the data drift
    low = np.where(not_empty, means[np.argmax(inside, axis=1)], np.nan)
    high = np.where(not_empty, means[::-1][np.argmax(inside[:, ::-1], axis=1)], np.nan)
    with np.errstate(over="ignore"):
        evidence = np.exp(capital[:, np.searchsorted(means, 0.5)])
    step = GRID[1] - GRID[0]
    detectable = outside[:, np.searchsorted(means, 0.5)]
    equivalent = (low - step >= 0.5 - bound) & (high + step <= 0.5 + bound)
    decided = detectable | equivalent
    if not decided.any():
        return Monitored(low, high, evidence, "undecided", None)
    first = int(np.argmax(decided))
    return Monitored(low, high, evidence, "detectable" if detectable[first] else "cannot tell", first + 1)


def _capital(x: Floats, means: Floats) -> Floats:
    """Log capital of betting against each mean after each score, (P, M): half on 'higher', half on 'lower'.

    The stakes are the predictable plug-in of Waudby-Smith & Ramdas, eq. 26, capped so that at most half can be lost.
    Each stake uses earlier scores only; that is what keeps the mean of the capital at 1 under the mean bet against.
    """
    n = np.arange(1, len(x) + 1)
    running = (0.5 + np.cumsum(x)) / (n + 1)
    variance = (0.25 + np.cumsum((x - running) ** 2)) / (n + 1)
    earlier = np.concatenate([[0.25], variance[:-1]])
    stake = np.sqrt(2 * np.log(2 / LEVEL) / (earlier * n * np.log(n + 1)))[:, None]
    away = x[:, None] - means[None, :]
    up = np.minimum(stake, 0.5 / np.maximum(means, 1e-9))
    down = np.minimum(stake, 0.5 / np.maximum(1 - means, 1e-9))
    gain, loss = np.cumsum(np.log1p(up * away), axis=0), np.cumsum(np.log1p(-down * away), axis=0)
    return np.asarray(np.logaddexp(gain, loss) - np.log(2))
