"""Estimates with intervals and tests that hold for new participants and for new images.

`variance` says how sure a score is. Its interval is that of a t test with Satterthwaite's degrees of freedom, or, of a
share near 0 or 1, Wilson's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special

from analysis.numbers import NOISE
from analysis.people.estimation.variance import Parts, parts_of
from analysis.people.trials import Trials
from glimpse.observers import Floats

METHOD = "two-way clustered (participants + images - trials), t interval"
METHOD_SHARE = "two-way clustered (participants + images - trials), Wilson interval with t"
ROOM = 2.0  # a t interval this much wider must fit between 0 and 1; otherwise a share's interval is Wilson's


@dataclass(frozen=True)
class Estimate:
    """An estimate with its interval for new participants and new images, or the reason there is none.

    `distance` and `interval` are those of one test, so an interval leaves out exactly the values that it rejects.
    """

    value: float | None
    se: float | None = None
    df: float | None = None
    ci95: tuple[float, float] | None = None
    variance_participants: float = 0.0  # the part of se^2 that shrinks with more participants
    method: str = METHOD
    note: str = ""
    size: float | None = None  # if the interval is Wilson's: the number of independent answers with this variance
    parts: Parts | None = None  # se^2 by its sources

    def scores(self, key: str = "value") -> dict[str, Any]:
        """The estimate as JSON: the value under `key`, its interval, and the reason if something is None.

        >>> Estimate(0.6, note="one participant").scores("mean")["note"]
        'one participant'
        """
        found = {key: self.value, "ci95": list(self.ci95) if self.ci95 else None, "method": self.method}
        found |= {} if self.se is None else {"se": self.se}
        found[key] = None if self.value is None else without_noise(self.value)
        return {**found, "note": self.note} if self.note else found

    @property
    def testable(self) -> bool:
        """Whether there is a standard error to test by.

        >>> Estimate(0.6, se=0.1, df=9.0).testable, Estimate(1.0, se=0.0, df=9.0).testable
        (True, False)
        """
        return self.value is not None and bool(self.se) and self.df is not None

    def distance(self, null: float) -> float:
        """The distance of the value from `null` in standard errors; if `null` is true, t with `df` degrees of freedom.

        >>> Estimate(0.6, se=0.05, df=10.0).distance(0.5), Estimate(0.9, se=0.1, df=9.0, size=9.0).distance(0.5)
        (2.0, 2.4)
        """
        assert self.value is not None
        assert self.se is not None
        se = self.se if self.size is None else float(np.sqrt(null * (1 - null) / self.size))
        return round((self.value - null) / se, 12)

    def interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """The values that a two-sided test at 1 - level does not reject; None without a standard error.

        >>> low, high = Estimate(0.9, se=0.1, df=1e9, size=9.0).interval()
        >>> round(low, 3), round(high, 3)  # Wilson's interval of 8.1 of 9
        (0.577, 0.983)
        """
        if self.value is None or self.se is None or self.df is None:
            return None
        t = float(special.stdtrit(self.df, (1 + level) / 2))  # stats.t.ppf, without its checks
        if self.size is None:
            return self.value - t * self.se, self.value + t * self.se
        centre = (self.value + t**2 / (2 * self.size)) / (1 + t**2 / self.size)
        spread = self.value * (1 - self.value) / self.size + t**2 / (4 * self.size**2)
        half = t / (1 + t**2 / self.size) * float(np.sqrt(spread))
        return centre - half, centre + half

    def within(self, low: float, high: float) -> Estimate:
        """The estimate with its interval cut to the values that are possible.

        >>> Estimate(0.75, ci95=(0.5, 1.25)).within(-1, 1).ci95
        (0.5, 1)
        """
        return replace(self, ci95=(max(self.ci95[0], low), min(self.ci95[1], high))) if self.ci95 else self

    def complement(self) -> Estimate:
        """The estimate of 1 - value, such as the error rate from the accuracy.

        >>> Estimate(0.75, ci95=(0.5, 0.875)).complement().ci95
        (0.125, 0.5)
        """
        value = None if self.value is None else 1 - self.value
        return replace(self, value=value, ci95=None if self.ci95 is None else (1 - self.ci95[1], 1 - self.ci95[0]))


def without_noise(value: float) -> float:
    """`value` to 12 decimals, so that a sum that cancels is 0 and not -5.6e-17.

    >>> without_noise(0.1 + 0.2 - 0.3)
    0.0
    """
    return round(float(value), 12) + 0.0


def fewest_images(trials: Trials, strata: Any) -> int:
    """The number of different images in the stratum that has the fewest.

    >>> fewest_images(Trials.from_labels([1, 1, 1], [1, 1, 0], [0, 0, 0], ["a", "b", "c"]), np.array([1, 1, 0]))
    1
    """
    image, images = trials.images
    shown = np.bincount(strata * images + image, minlength=images * (int(strata.max()) + 1)).reshape(-1, images) > 0
    return int(min(count for count in shown.sum(axis=1) if count))


def estimate(
    value: float, influence: Floats, trials: Trials, *, share: bool = False, strata: Any = None,
    participant_influence: Floats | None = None, method: str = METHOD, between: tuple[float, float] | None = None,
    parts: Parts | None = None,
) -> Estimate:  # fmt: skip
    """`value` with its interval; with `share`, an interval within [0, 1].

    `influence`: (n,), of each trial on the value; its variance is that of `parts_of`. `strata`: (n,) codes of the
    groups of images that were centred separately (default: real and generated). `participant_influence`: (P,), for a
    score that depends on a participant's answers other than through their sum: V(participants) - V(trials) is then not
    formed, as the two are not sums of the same terms. `between`: V(participants) and its degrees of freedom, if each
    group of participants was centred separately. `parts`: the variance by its sources, where it is known.

    >>> trials = Trials.from_labels([1, 1, 1, 0], [1, 1, 1, 1], ["ann", "ann", "bob", "bob"], ["a", "b", "c", "d"])
    >>> found = estimate(0.75, np.array([0.0625, 0.0625, 0.0625, -0.1875]), trials)
    >>> found.se, found.df, [round(end, 2) for end in found.ci95]  # 0.75 -+ t(1, 0.975) * 0.25
    (0.25, 1.0, [-2.43, 3.93])
    """
    if not np.isfinite(value):
        return Estimate(None, note="undefined for these answers")
    people, images = trials.people[1], trials.images[1]
    if people < 2:
        return Estimate(float(value), note="one participant: no interval for new participants")
    if fewest_images(trials, trials.is_generated if strata is None else strata) < 2:
        return Estimate(float(value), note="one image of a class: no interval for new images")
    parts = parts or parts_of(influence, trials, strata, participant_influence)
    if between is not None:
        parts = replace(parts, people=between[0], df_people=between[1])
    return with_interval(value, parts, len(influence), float(min(people, images)) if share else None, method)


def with_interval(
    value: float, parts: Parts, trials: int, answers: float | None = None, method: str = METHOD
) -> Estimate:  # fmt: skip
    """`value` with the interval that the parts of its variance give; within [0, 1] if it is a share.

    `answers`: of a share, the number of independent answers if its variance is 0.

    >>> parts = Parts(people=0.01, images=0.0, trials=0.0, df_people=9, df_images=9, df_trials=99)
    >>> found = with_interval(0.5, parts, 100)
    >>> found.se, found.df, [round(end, 2) for end in found.ci95]  # 0.5 -+ t(9, 0.975) * 0.1
    (0.1, 9.0, [0.27, 0.73])
    """
    variance, df, share = float(parts.variance), min(float(parts.df), float(trials)), answers is not None
    if variance <= (NOISE * value) ** 2:
        variance = 0.0
    if variance <= 0 and not share:
        return Estimate(float(value), note="the answers do not vary: no interval")
    se, size = float(np.sqrt(variance)), None
    reach = ROOM * float(special.stdtrit(df, 0.975)) * se
    if share and not (variance > 0 and reach <= value <= 1 - reach):
        # Wilson's interval for the number of independent answers that would have this variance: it stays within [0, 1]
        # and has a width even if all answers are right. These count as one answer per participant (or per image, if
        # there are fewer images).
        size = value * (1 - value) / variance if variance > 0 else answers
        method = METHOD_SHARE
    found = Estimate(float(value), se, df, None, parts.people, method, size=size, parts=parts)
    return replace(found, ci95=found.interval())
