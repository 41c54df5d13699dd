"""Equivalence to chance, the verdict in words, and the number of participants that would decide it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import optimize, stats

from analysis.people.inference import Estimate

Code = Literal["detectable", "cannot tell", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """Can people tell? Two one-sided tests against 0.50 ± bound, and a two-sided one against 0.50."""

    bound: float
    p_equivalence: float | None
    p_chance: float | None
    code: Code
    words: str
    more_participants: int | None = None  # about how many decide it with 80 % power, if the estimate is the truth
    note: str = ""


def equivalence(estimate: Estimate, bound: float = 0.05, chance: float = 0.5) -> tuple[float, float]:
    """p-values of TOST (both one-sided tests must reject, so the larger) and of 'equal to chance' (two-sided).

    >>> p_equivalence, p_chance = equivalence(Estimate(0.5, se=0.025, df=1e9))
    >>> round(p_equivalence, 4), p_chance  # 1 - Phi(0.05 / 0.025)
    (0.0228, 1.0)
    """
    assert estimate.value is not None
    assert estimate.se is not None
    assert estimate.df is not None
    t = (estimate.value - chance) / estimate.se
    shift = bound / estimate.se
    law = stats.t(estimate.df)
    return float(max(law.sf(t + shift), law.cdf(t - shift))), float(2 * law.sf(abs(t)))


def verdict(estimate: Estimate, participants: int, bound: float = 0.05, level: float = 0.05) -> Verdict:
    """The verdict on a (balanced) accuracy.

    If both tests reject, the accuracy differs from chance but lies within the bounds: that is 'cannot tell'.

    >>> verdict(Estimate(0.51, se=0.01, df=99.0), participants=100).words
    'cannot tell within ±0.05'
    >>> verdict(Estimate(0.60, se=0.01, df=99.0), participants=100).words
    'detectable'
    """
    if estimate.value is None or not estimate.se or estimate.df is None:
        return _without_test(estimate, participants, bound, level)
    p_equivalence, p_chance = equivalence(estimate, bound)
    if p_equivalence < level:
        trace = ", though not quite chance either" if p_chance < level else ""
        return Verdict(bound, p_equivalence, p_chance, "cannot tell", f"cannot tell within ±{bound:g}{trace}")
    if p_chance < level:
        side = "" if estimate.value > 0.5 else ", but reversed: generated images are taken for real"
        return Verdict(bound, p_equivalence, p_chance, "detectable", f"detectable{side}")
    more = participants_needed(estimate, participants, bound, level)
    words = (
        f"undecided: about {more} more participant{'s' * (more > 1)} needed" if more is not None
        else "undecided: more participants alone will not decide it, more images are needed"
    )  # fmt: skip
    return Verdict(bound, p_equivalence, p_chance, "undecided", words, more)


def _without_test(estimate: Estimate, participants: int, bound: float, level: float) -> Verdict:
    """The verdict if there is no standard error: the answers do not vary, or are too few."""
    if estimate.value not in (0.0, 1.0) or estimate.ci95 is None:
        note = estimate.note or "the answers vary too little for a test"
        return Verdict(bound, None, None, "undecided", f"undecided: {note}", note=note)
    side = "every answer was right" if estimate.value == 1 else "every answer was wrong, reversed"
    if estimate.ci95[0] > 0.5 or estimate.ci95[1] < 0.5:
        note = "the answers do not vary: no p-values"
        return Verdict(bound, None, None, "detectable", f"detectable: {side}", note=note)
    enough = next(n for n in range(2, 99) if n > stats.t.ppf(1 - level / 2, n - 1) ** 2)  # Wilson's end at 0.5
    note = f"{side}, but fewer than {enough} people or images say too little of new ones"
    return Verdict(bound, None, None, "undecided", f"undecided: {note}", max(enough - participants, 0) or None, note)


def participants_needed(
    estimate: Estimate, participants: int, bound: float = 0.05, level: float = 0.05, power: float = 0.8
) -> int | None:
    """The number of further participants that decides the verdict with this power, if the estimate is the truth.

    They see the same images, and as many trials each. The participants' part of the variance shrinks with their number,
    the images' part stays. None if no number of participants suffices.

    >>> participants_needed(Estimate(0.5, se=0.04, df=49.0, variance_participants=0.04**2), participants=50)
    225
    """
    assert estimate.value is not None
    assert estimate.se is not None
    away = abs(estimate.value - 0.5)
    fixed = max(estimate.se**2 - estimate.variance_participants, 0.0)

    def lacking(people: float) -> float:
        """The power that is missing with so many participants."""
        se = np.sqrt(estimate.variance_participants * participants / people + fixed)
        detects = stats.norm.cdf(away / se - stats.norm.ppf(1 - level / 2))
        critical = stats.norm.ppf(1 - level)
        equals = stats.norm.cdf((bound - away) / se - critical) - stats.norm.cdf((-bound - away) / se + critical)
        return float(power - max(detects, equals))

    most = 1e6
    if lacking(participants) <= 0:  # so close that the next few answers may decide
        return 1
    if lacking(most) > 0:
        return None
    return max(1, int(np.ceil(optimize.brentq(lacking, participants, most) - participants)))
