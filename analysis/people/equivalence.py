"""Equivalence to chance, the verdict in words, and the number of participants that would decide it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from scipy import stats

from analysis.numbers import LEVEL
from analysis.people.estimation.estimate import Estimate
from analysis.people.estimation.variance import Parts
from glimpse.observers import Floats

MOST_PARTICIPANTS = 1_000_000
# Degrees of freedom of V(images) below which no number of participants is named. With 18, numbers were named in surveys
# whose images happened to look alike, and only half of these surveys were decided after that number.
FEWEST_IMAGES = 30
# Participants below which no number of further ones is named: of simulated surveys of 2 to 5 people (58 % right, 100
# images per class) 47 to 72 % were decided after the number that they named, of surveys of 8 people 88 %.
FEWEST_PARTICIPANTS = 8
POWER = 0.8  # probability of a decision after the number of participants named
NOT_DECIDED = "more participants alone are unlikely to decide it, more images are needed"
NOT_KNOWN = "these answers do not say how many more participants would decide it"
Code = Literal["detectable", "cannot tell", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """Can people tell? Two one-sided tests against 0.50 ± bound, and a two-sided one against 0.50."""

    bound: float
    p_equivalence: float | None
    p_chance: float | None
    code: Code
    words: str
    more_participants: int | None = None  # with about this many more, the survey is decided with 80 % probability
    note: str = ""


def equivalence(estimate: Estimate, bound: float = 0.05) -> tuple[float, float]:
    """p-values of TOST (both one-sided tests must reject, so the larger) and of 'equal to chance' (two-sided).

    >>> p_equivalence, p_chance = equivalence(Estimate(0.5, se=0.025, df=1e9))
    >>> round(p_equivalence, 4), p_chance  # 1 - Phi(0.05 / 0.025)
    (0.0228, 1.0)
    """
    assert estimate.df is not None
    law = stats.t(estimate.df)
    above, below = law.sf(estimate.distance(0.5 - bound)), law.cdf(estimate.distance(0.5 + bound))
    return float(max(above, below)), float(2 * law.sf(abs(estimate.distance(0.5))))


def verdict(estimate: Estimate, participants: int, bound: float = 0.05) -> Verdict:
    """The verdict on a (balanced) accuracy.

    If both tests reject, the accuracy differs from chance but lies within the bounds: that is 'cannot tell'.

    >>> verdict(Estimate(0.51, se=0.01, df=99.0), participants=100).words
    'cannot tell within ±0.05'
    >>> verdict(Estimate(0.60, se=0.01, df=99.0), participants=100).words
    'detectable'
    """
    if estimate.value is None or not estimate.testable:
        return _without_test(estimate, participants, bound)
    p_equivalence, p_chance = equivalence(estimate, bound)
    if p_equivalence < LEVEL:
        trace = ", though not quite chance either" if p_chance < LEVEL else ""
        return Verdict(bound, p_equivalence, p_chance, "cannot tell", f"cannot tell within ±{bound:g}{trace}")
    if p_chance < LEVEL:
        side = "" if estimate.value > 0.5 else ", but reversed: generated images are taken for real"
        return Verdict(bound, p_equivalence, p_chance, "detectable", f"detectable{side}")
    more = participants_needed(estimate, participants, bound)
    parts = _parts_of(estimate, participants)

    def known(images_at: float) -> bool:
        """Whether a number of participants suffices with V(images) at this end of its confidence interval."""
        within = replace(estimate, parts=parts.with_images_at(images_at))
        return participants_needed(within, participants, bound) is not None

    enough = participants >= FEWEST_PARTICIPANTS and parts.df_images >= FEWEST_IMAGES
    if more is not None and enough and known(0.9):
        words = f"undecided: about {more} more participant{'s' * (more > 1)} needed"
        return Verdict(bound, p_equivalence, p_chance, "undecided", words, more)
    note = NOT_KNOWN if more is not None or known(0.05) else NOT_DECIDED
    return Verdict(bound, p_equivalence, p_chance, "undecided", f"undecided: {note}", note=note)


def _without_test(estimate: Estimate, participants: int, bound: float) -> Verdict:
    """The verdict if there is no standard error: the answers do not vary, or are too few."""
    if estimate.value not in (0.0, 1.0) or estimate.ci95 is None:
        note = estimate.note or "the answers vary too little for a test"
        return Verdict(bound, None, None, "undecided", f"undecided: {note}", note=note)
    side = "every answer was right" if estimate.value == 1 else "every answer was wrong, reversed"
    if estimate.ci95[0] > 0.5 or estimate.ci95[1] < 0.5:
        note = f"{side.removesuffix(', reversed')}: no p-values"
        return Verdict(bound, None, None, "detectable", f"detectable: {side}", note=note)
    enough = next(n for n in range(2, 99) if n > stats.t.ppf(1 - LEVEL / 2, n - 1) ** 2)  # Wilson's limit is 0.5
    note = f"{side}, but fewer than {enough} people or images say too little about new ones"
    return Verdict(bound, None, None, "undecided", f"undecided: {note}", max(enough - participants, 0) or None, note)


def participants_needed(estimate: Estimate, participants: int, bound: float = 0.05) -> int | None:
    """The number of further participants after whom there is a verdict with a probability of 80 %.

    They judge the same images, as many each, so the part of the variance that is due to images stays. The estimate is
    expected to move by the sampling error of participants and trials (a prediction with a flat prior), or by that of
    a new survey of this size if it is larger. None if no number of participants suffices.

    >>> participants_needed(Estimate(0.5, se=0.04, df=49.0, variance_participants=0.04**2), participants=50)
    224
    """
    assert estimate.value is not None
    parts = _parts_of(estimate, participants)
    steps = np.geomspace(participants + 1, MOST_PARTICIPANTS, 800).astype(int)
    people = np.unique(np.concatenate([np.arange(participants + 1, participants + 50), steps]))
    reached = np.flatnonzero(_decided(estimate.value, parts, people / participants, bound) >= POWER)
    return int(people[reached[0]]) - participants if len(reached) else None


def _parts_of(estimate: Estimate, participants: int) -> Parts:
    """The variance by its sources; if the estimate does not hold it, as it follows from its other fields."""
    assert estimate.se is not None
    assert estimate.df is not None
    images = max(estimate.se**2 - estimate.variance_participants, 0.0)
    return estimate.parts or Parts(
        estimate.variance_participants, images, 0.0, participants - 1, estimate.df, estimate.df
    )


def _decided(value: float, parts: Parts, ratio: Floats, bound: float) -> Floats:
    """The probability that one of the two tests rejects with `ratio`, (n,), times as many participants."""
    more = parts.with_people(ratio)
    se = np.sqrt(more.variance)
    far, near = stats.t.ppf(1 - LEVEL / 2, more.df) * se, bound - stats.t.ppf(1 - LEVEL, more.df) * se
    left_to_chance = np.maximum(parts.variance - parts.images_add, 0.0) * (1 - 1 / ratio)
    moves = np.maximum(np.sqrt(np.maximum(left_to_chance, more.variance)), 1e-12)
    away, near = value - 0.5, np.maximum(near, 0.0)
    cdf = stats.norm.cdf
    between = cdf((far - away) / moves) - cdf((near - away) / moves)
    between += cdf((-near - away) / moves) - cdf((-far - away) / moves)
    return np.where(near >= far, 1.0, 1.0 - between)
