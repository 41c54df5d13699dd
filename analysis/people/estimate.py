"""Estimates with intervals and tests that hold for new participants and for new images.

Each score here is a smooth function of the answers, so each trial has an influence on it: how far the score moves with
that answer. The variance of the score is the variance of the summed influences, clustered both ways,

    V = V(participants) + V(images) - V(trials)             (Cameron, Gelbach & Miller 2011, eq. 2.11)

each with its small-sample factor G / (G - 1) for G clusters. Each class of images has its own factor and degrees of
freedom, since a class of few images decides how sure a score can be, however many the other has. Several answers of one
participant to one image count as one trial. Trial noise is part of all three terms, so it counts once; the plain
two-way bootstrap counts it three times (Owen 2007). `docs/coverage.md` shows how often these intervals hold the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special, stats

from analysis.numbers import NOISE
from analysis.people.trials import Trials
from glimpse.observers import Floats, Integers

METHOD = "two-way clustered (participants + images - trials), t interval"
METHOD_SHARE = "two-way clustered (participants + images - trials), Wilson interval with t"
ROOM = 2.0  # a t interval this much wider must fit between 0 and 1; otherwise a share's interval is Wilson's


@dataclass(frozen=True)
class Parts:
    """V(participants), V(images) and V(trials) of a score, and the degrees of freedom of each.

    >>> parts = Parts(people=4.0, images=2.0, trials=1.0, df_people=9, df_images=9, df_trials=90)
    >>> float(parts.variance), float(parts.images_add), round(float(parts.df), 2)  # 4 + 2 - 1
    (5.0, 1.0, 11.31)
    """

    people: float
    images: float
    trials: float
    df_people: float
    df_images: float
    df_trials: float
    crossed: bool = True  # whether the three are variances of sums of the same terms

    @property
    def images_add(self) -> Any:
        """The part that more participants on the same images do not shrink."""
        return np.maximum(self.images - self.trials, 0.0)

    @property
    def variance(self) -> Any:
        """V(participants) + V(images) - V(trials); what participants or images add is at least 0."""
        least = np.maximum(self.people, self.images) if self.crossed else self.people
        return np.maximum(self.people + self.images - self.trials, least)

    @property
    def df(self) -> Any:
        """Satterthwaite's degrees of freedom of V(participants) + (V(images) - V(trials))."""
        images = self.images**2 / max(self.df_images, 1) - self.trials**2 / np.maximum(self.df_trials, 1)
        doubt = self.people**2 / self.df_people + np.maximum(images, 0.0)
        return np.where(doubt > 0, self.variance**2 / np.where(doubt > 0, doubt, 1.0), self.df_people)

    def with_people(self, ratio: Any) -> Parts:
        """The parts to expect from `ratio` times as many participants who judge as many of the same images each.

        >>> Parts(4.0, 3.0, 1.0, 9, 18, 198).with_people(2.0).people
        2.0
        >>> float(Parts(4.0, 3.0, 1.0, 9, 18, 198).with_people(2.0).images)  # what images add, 2, and half the noise
        2.5
        """
        return Parts(
            self.people / ratio, self.images_add + min(self.images, self.trials) / ratio, self.trials / ratio,
            (self.df_people + 1) * ratio - 1, self.df_images, self.df_trials * ratio, self.crossed,
        )  # fmt: skip

    def with_images_at(self, level: float) -> Parts:
        """The same with V(images) at the end of its confidence interval (chi-square) below which it lies at `level`.

        >>> parts = Parts(people=4e-4, images=2e-4, trials=1e-4, df_people=49, df_images=99, df_trials=999)
        >>> [round(parts.with_images_at(level).images, 6) for level in (0.025, 0.975)]
        [0.000154, 0.00027]
        """
        end = self.images * self.df_images / float(stats.chi2.ppf(1 - level, max(self.df_images, 1)))
        return replace(self, images=max(end, min(self.trials, self.images)))


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


# ------------------------------------------------------------------------------------------------ two-way variance


def parts_of(
    influence: Floats, trials: Trials, strata: Any = None, participant_influence: Floats | None = None
) -> Parts:  # fmt: skip
    """The variance of the sum of `influence`, (n,), by its sources; the arguments are as for `estimate`.

    V(images) - V(trials) estimates what the images add and V(participants) - V(trials) what the participants add. A
    negative one counts as zero. The degrees of freedom are Satterthwaite's for V(participants) + (V(images) -
    V(trials)). If no image is seen twice, they are those of a t-test on participants.

    >>> trials = Trials.from_labels([1, 1, 1, 0], [1, 1, 1, 1], ["ann", "ann", "bob", "bob"], ["a", "b", "c", "d"])
    >>> parts = parts_of(np.array([0.0625, 0.0625, 0.0625, -0.1875]), trials)  # (answer - 3/4) / 4
    >>> float(parts.variance), float(parts.df)  # two people: 2 / 1 times 0.125**2 + 0.125**2
    (0.0625, 1.0)
    >>> trials = Trials.from_labels([1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1])
    >>> parts = parts_of(np.array([0.5, 0.5, -0.5, -0.5]), trials)  # people differ, images do not
    >>> parts.people, parts.images
    (4.0, 0.0)
    """
    sums = sums_of(influence, trials, trials.is_generated if strata is None else strata)
    if participant_influence is not None:
        sums = replace(sums, people=participant_influence)
    return parts_of_sums(sums, crossed=participant_influence is None)


@dataclass(frozen=True)
class Sums:
    """The sums of an influence over the trials of each participant, each image and each pair of them, and the stratum
    of each image and pair."""

    people: Floats
    images: Floats
    pairs: Floats
    image_strata: Integers
    pair_strata: Integers


def sums_of(influence: Floats, trials: Trials, strata: Any) -> Sums:
    """The sums of `influence`, (n,), for trials in `strata`, (n,) codes.

    >>> trials = Trials.from_labels([1, 1, 1], [1, 1, 0], ["ann", "ann", "bob"], ["a", "b", "c"])
    >>> found = sums_of(np.array([1.0, 2.0, 4.0]), trials, trials.is_generated)
    >>> found.people.tolist(), found.images.tolist(), found.image_strata.tolist()
    ([3.0, 4.0], [1.0, 2.0, 4.0], [1, 1, 0])
    """
    (people, _), (images, n), (pairs, m) = trials.people, trials.images, trials.pairs
    of_images, of_pairs = np.zeros(n, np.int64), np.zeros(m, np.int64)
    of_images[images], of_pairs[pairs] = strata, strata
    return Sums(_sums(influence, people), _sums(influence, images), _sums(influence, pairs), of_images, of_pairs)


def parts_of_sums(sums: Sums, crossed: bool = True) -> Parts:
    """The variance by its sources, from the sums of `sums_of`.

    >>> one = np.zeros(2, np.int64)
    >>> found = parts_of_sums(Sums(np.array([1.0, -1.0]), np.array([2.0, -2.0]), np.array([2.0, -2.0]), one, one))
    >>> float(found.people), float(found.images), float(found.df_images)  # 2 / 1 times the sum of squares
    (4.0, 16.0, 1.0)
    """
    images, df_images = clustered(sums.images, sums.image_strata)
    pairs, df_pairs = clustered(sums.pairs, sums.pair_strata)
    people, df_people = clustered(sums.people, np.zeros(len(sums.people), np.int64))
    return Parts(people, images, pairs, df_people, df_images, df_pairs, crossed)


def parts_of_slope(influence: Floats, leverage: Floats, trials: Trials) -> Parts:
    """The same for a slope, which some participants or images may determine more than others.

    `leverage`: (n,), each trial's share of the sum of squares of the fit it belongs to, so that it adds up to the
    number of fits; answers were centred in each. A cluster with the share h pulls its fit towards itself, which
    1 / (1 - h) corrects; unequal shares leave fewer degrees of freedom (Bell & McCaffrey 2002; Carter et al. 2017).

    >>> trials = Trials.from_labels([1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 1, 1], [0, 1, 2, 3])
    >>> influence = np.array([0.5, 0.5, -0.5, -0.5])
    >>> parts = parts_of_slope(influence, np.full(4, 0.25), trials)
    >>> parts.people, parts.df_people  # with equal shares those of `parts_of`
    (4.0, 1.0)
    >>> parts.images, parts.df_images  # 4 * 0.5^2 / (3/4) * 4/3, and 4 - 1 for the mean - 1 for the slope
    (1.7777777777777777, 2.0)
    >>> round(parts_of_slope(influence, np.array([0.4, 0.4, 0.1, 0.1]), trials).df_people, 2)  # 1 / (0.8^2 + 0.2^2) - 1
    0.47
    """
    fits, found = float(leverage.sum()), []
    for (codes, clusters), slopes, means in (
        (trials.people, 1.0, 0.0), (trials.images, fits, fits), (trials.pairs, fits, fits)
    ):  # fmt: skip
        sums, share = _sums(influence, codes), _sums(leverage, codes) * slopes / fits
        variance = float((sums**2 / (1 - share)).sum()) * clusters / max(clusters - means, 1.0)
        found.append((variance, float(slopes**2 / (share @ share)) - slopes - means))
    (people, df_people), (images, df_images), (pairs, df_pairs) = found
    return Parts(people, images, pairs, df_people, df_images, df_pairs, crossed=False)


def _sums(values: Floats, codes: Any) -> Floats:
    """The sum of `values` in each cluster."""
    return np.bincount(codes, values).astype(np.float64)


def clustered(sums: Floats, strata: Integers) -> tuple[float, float]:
    """The variance of the total of independent cluster `sums`, (G,), that were centred in each of the `strata`, (G,).

    Its degrees of freedom are Satterthwaite's, from those of the strata.

    >>> clustered(np.array([1.0, -1.0, 0.5, -0.5]), np.array([0, 0, 1, 1]))  # 2 * 2 + 2 * 0.5; 5^2 / (4^2 + 1^2)
    (5.0, 1.4705882352941178)
    """
    clusters = np.bincount(strata)
    free = np.maximum(clusters - 1, 1)
    each = np.bincount(strata, sums**2) * clusters / free
    total = float(each.sum())
    doubt = float((each**2 / free).sum())
    return total, total**2 / doubt if doubt > 0 else float((clusters[clusters > 0] - 1).sum())


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
