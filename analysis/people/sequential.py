"""Looking while the answers come in, and stopping early, honestly. Two ways; both respect that answers cluster.

`monitor` may be looked at after every participant, for ever: a confidence sequence by betting (Waudby-Smith & Ramdas
2024, JRSS B 86:1-27). Its units are participants, each one number in [0, 1] however many answers they gave, so
clustering by participant cannot fool it, nothing is assumed of their law, and its error over ALL looks together is at
most the level. It speaks of new participants before the images that were drawn from; images do not grow in number with
people, so for new images too the last word is a verdict of `analysis.people.inference` at a planned look.

`look_levels` is for a few planned looks with that two-way verdict: the level is spent over the looks as O'Brien and
Fleming would (Lan & DeMets 1983). Each look gets its own share by Bonferroni, which holds whatever the dependence
between looks: shared images break the independent increments that sharper boundaries rest on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from analysis.people.equivalence import Code
from glimpse.observers import Floats

GRID = np.linspace(0.0, 1.0, 201)  # the means that are tried; the interval is read off to this precision


@dataclass(frozen=True)
class Monitored:
    """After each participant, in the order in which they finished."""

    low: Floats  # (P,) the confidence sequence of the mean, narrowing
    high: Floats  # (P,)
    e_value: Floats  # (P,) evidence against chance; 1 / its highest value is an always-valid p-value
    code: Code
    decided_at: int | None  # after how many participants the verdict fell

    @property
    def p(self) -> float:
        """Always-valid p-value against chance."""
        return float(min(1.0, 1.0 / max(self.e_value.max(initial=0.0), 1e-300)))


def monitor(scores: Any, bound: float = 0.05, level: float = 0.05, chance: float = 0.5) -> Monitored:
    """The always-valid verdict on participants' mean score.

    `scores`: (P,) in [0, 1], a balanced accuracy for each participant in order of finishing, undefined ones left out.
    'detectable' as soon as the sequence leaves out chance, 'cannot tell' as soon as it lies within chance ± bound.
    """
    x = np.asarray(scores, np.float64)
    means = np.union1d(GRID, [chance])
    capital = _capital(x, means, level)
    outside = np.maximum.accumulate(capital, axis=0) >= np.log(1 / level)
    inside = ~outside
    some = inside.any(axis=1)  # an empty set (the data drift) ends as a point
    low = np.where(some, means[np.argmax(inside, axis=1)], np.nan)
    high = np.where(some, means[::-1][np.argmax(inside[:, ::-1], axis=1)], np.nan)
    with np.errstate(over="ignore"):
        evidence = np.exp(capital[:, np.searchsorted(means, chance)])
    step = GRID[1] - GRID[0]
    can = outside[:, np.searchsorted(means, chance)]
    cannot = (low - step >= chance - bound) & (high + step <= chance + bound)
    for code, when in (("cannot tell", cannot & ~can), ("detectable", can)):
        if when.any() and int(np.argmax(when)) == int(np.argmax(can | cannot)):
            return Monitored(low, high, evidence, code, int(np.argmax(when)) + 1)  # type: ignore[arg-type]
    return Monitored(low, high, evidence, "undecided", None)


def _capital(x: Floats, means: Floats, level: float) -> Floats:
    """Log capital of betting against each mean after each score, (P, M): half on 'higher', half on 'lower'.

    The stakes are the predictable plug-in of Waudby-Smith & Ramdas, eq. 26, cut at half of what could be lost.
    """
    n = np.arange(1, len(x) + 1)
    running = (0.5 + np.cumsum(x)) / (n + 1)
    variance = (0.25 + np.cumsum((x - running) ** 2)) / (n + 1)
    before = np.concatenate([[0.25], variance[:-1]])
    stake = np.sqrt(2 * np.log(2 / level) / (before * n * np.log(n + 1)))[:, None]
    away = x[:, None] - means[None, :]
    up = np.minimum(stake, 0.5 / np.maximum(means, 1e-9))
    down = np.minimum(stake, 0.5 / np.maximum(1 - means, 1e-9))
    gain, loss = np.cumsum(np.log1p(up * away), axis=0), np.cumsum(np.log1p(-down * away), axis=0)
    return np.asarray(np.logaddexp(gain, loss) - np.log(2))


def look_levels(fractions: Sequence[float], level: float = 0.05) -> list[float]:
    """The level of each planned look, given the share of all participants that it comes after (ascending to 1).

    Their sum is `level`. Use each as the `level` of `equivalence.verdict` at that look.
    """
    t = np.asarray(fractions, float)
    if len(t) == 0 or np.any(np.diff(t, prepend=0.0) <= 0) or t[-1] != 1:
        raise ValueError("fractions ascend from above 0 to 1")
    spent = 2 * stats.norm.sf(stats.norm.ppf(1 - level / 2) / np.sqrt(t))
    return [float(s) for s in np.diff(spent, prepend=0.0)]
