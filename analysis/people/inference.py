"""Scores of a set with intervals that hold for new participants and for new images.

Each score here is a smooth function of the answers, so each trial has an influence on it: how far the score moves with
that answer. The variance of the score is the variance of the summed influences, clustered both ways,

    V = V(participants) + V(images) - V(trials)             (Cameron, Gelbach & Miller 2011, eq. 2.11)

each with its small-sample factor G / (G - S) for G clusters centred in S separate groups. Several answers of one
participant to one image count as one trial. Trial noise is part of all three terms, so it counts once; the plain
two-way bootstrap counts it three times (Owen 2007). `docs/coverage.md` shows how often these intervals hold the truth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from analysis.people.trials import Trials
from glimpse import observers
from glimpse.observers import Floats

METHOD = "two-way clustered (participants + images - trials), t interval"
METHOD_SHARE = "two-way clustered (participants + images - trials), Wilson interval with t"


@dataclass(frozen=True)
class Estimate:
    """An estimate with its interval for new participants and new images, or the reason there is none."""

    value: float | None
    se: float | None = None
    df: float | None = None
    ci95: tuple[float, float] | None = None
    variance_participants: float = 0.0  # the part of se^2 that shrinks with more participants
    method: str = METHOD
    note: str = ""

    def scores(self, key: str = "value") -> dict[str, Any]:
        """The estimate as JSON: the value under `key`, its interval, and the reason if something is None.

        >>> Estimate(0.6, note="one participant").scores("mean")["note"]
        'one participant'
        """
        found = {key: self.value, "ci95": list(self.ci95) if self.ci95 else None, "method": self.method}
        found |= {} if self.se is None else {"se": self.se}
        return {**found, "note": self.note} if self.note else found

    def complement(self) -> Estimate:
        """The estimate of 1 - value, such as the error rate from the accuracy.

        >>> Estimate(0.75, ci95=(0.5, 0.875)).complement().ci95
        (0.125, 0.5)
        """
        value = None if self.value is None else 1 - self.value
        return replace(self, value=value, ci95=None if self.ci95 is None else (1 - self.ci95[1], 1 - self.ci95[0]))


# ------------------------------------------------------------------------------------------------ two-way variance


def two_way(
    influence: Floats, trials: Trials, strata: Any = None, participant_influence: Floats | None = None
) -> tuple[float, float, float]:
    """Variance of the sum of `influence`, (n,), its degrees of freedom, and the participants' part of the variance.

    `strata`: (n,) codes of the groups of images that were centred separately (default: real and generated).
    `participant_influence`: (P,), for a score that depends on a participant's answers other than through their sum.

    V(images) - V(trials) estimates what the images add and V(participants) - V(trials) what the participants add. A
    negative one counts as zero. (With `participant_influence` the second is not formed: the two are then not sums of
    the same terms.) The degrees of freedom are Satterthwaite's for V(participants) + (V(images) - V(trials)). If no
    image is seen twice, they are those of a t-test on participants.
    """
    strata = trials.is_generated if strata is None else strata
    groups = len(np.unique(strata))
    _, person = np.unique(trials.participant, return_inverse=True)
    _, image = np.unique(trials.image, return_inverse=True)
    people = _sums(influence, person) if participant_influence is None else participant_influence
    images = _sums(influence, image)
    pairs = _sums(influence, np.unique(person * len(images) + image, return_inverse=True)[1])
    by_people, by_images = _clustered(people, 1), _clustered(images, groups)
    by_trials = _clustered(pairs, groups)
    variance = max(by_people + by_images - by_trials, by_people)
    if participant_influence is None:
        variance = max(variance, by_images)
    variance_of_variance = by_people**2 / (len(people) - 1) + max(
        by_images**2 / max(len(images) - groups, 1) - by_trials**2 / max(len(pairs) - groups, 1), 0.0
    )
    df = variance**2 / variance_of_variance if variance_of_variance > 0 else float(len(people) - 1)
    return variance, min(df, float(len(influence))), by_people


def _sums(values: Floats, codes: Any) -> Floats:
    """The sum of `values` in each cluster."""
    return np.bincount(codes, values).astype(np.float64)


def _clustered(sums: Floats, groups: int) -> float:
    """The variance of the total of independent cluster `sums`, (G,), that were centred in `groups` groups."""
    return float(sums @ sums * len(sums) / max(len(sums) - groups, 1))


def _fewest_images(image: Any, strata: Any) -> int:
    """The number of different images in the stratum that has the fewest."""
    return min(len(np.unique(image[strata == stratum])) for stratum in np.unique(strata))


def estimate(
    value: float, influence: Floats, trials: Trials, *, share: bool = False, strata: Any = None,
    participant_influence: Floats | None = None, method: str = METHOD,
) -> Estimate:  # fmt: skip
    """`value` with its interval; with `share`, an interval within [0, 1]. The other arguments are as for `two_way`."""
    if not np.isfinite(value):
        return Estimate(None, note="undefined for these answers")
    people, images = len(np.unique(trials.participant)), len(np.unique(trials.image))
    if people < 2:
        return Estimate(float(value), note="one participant: no interval for new participants")
    if _fewest_images(trials.image, trials.is_generated if strata is None else strata) < 2:
        return Estimate(float(value), note="one image of a class: no interval for new images")
    variance, df, by_people = two_way(influence, trials, strata, participant_influence)
    if variance <= 0 and not share:
        return Estimate(float(value), note="the answers do not vary: no interval")
    se, t = float(np.sqrt(variance)), float(stats.t.ppf(0.975, df))
    low, high = value - t * se, value + t * se
    if share:
        # Wilson's interval for the number of independent answers that would have this variance: it stays within [0, 1]
        # and has a width even if all answers are right. These count as one answer per participant (or per image, if
        # there are fewer images).
        size = value * (1 - value) / variance if variance > 0 else float(min(people, images))
        method = METHOD_SHARE
        if size > 0:
            centre = (value + t**2 / (2 * size)) / (1 + t**2 / size)
            half = t / (1 + t**2 / size) * np.sqrt(value * (1 - value) / size + t**2 / (4 * size**2))
            low, high = centre - half, centre + half
    return Estimate(float(value), se, df, (float(low), float(high)), by_people, method)


# ------------------------------------------------------------------------------------------------ scores of a set


def rate(trials: Trials, generated: float, real: float, *, share: bool = True) -> Estimate:
    """generated * (share of generated images called generated) + real * (share of real images called real).

    Weights (1, 0) give the hit rate, (0, 1) the rate of correct rejections, (1/2, 1/2) balanced accuracy, and the
    classes' shares of the trials plain accuracy. A class with weight 0 may be absent.

    >>> answers = Trials.from_labels([1, 1, 0, 0, 1, 0], [1, 1, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1], [0, 1, 2, 3, 1, 0])
    >>> rate(answers, generated=1, real=0).value  # 3 of the 4 generated images were called generated
    0.75
    """
    value, influence = 0.0, np.zeros(len(trials))
    for weight, truth in ((generated, True), (real, False)):
        if weight == 0:
            continue
        rows = trials.is_generated == truth
        if not rows.any():
            return Estimate(None, note=f"no {'generated' if truth else 'real'} image was shown")
        mean = float(trials.correct[rows].mean())
        value += weight * mean
        influence[rows] = weight * (trials.correct[rows] - mean) / rows.sum()
    if generated and real:
        return estimate(value, influence, trials, share=share)
    rows = trials.is_generated == bool(generated)
    return estimate(value, influence[rows], trials.where(rows), share=share)


def accuracy(trials: Trials) -> Estimate:
    """The share of correct answers. If the classes differ in size, it holds for that mixture of real and generated.

    >>> answers = Trials.from_labels([1, 1, 0, 1], [1, 1, 0, 0], [0, 1, 0, 1], [0, 1, 2, 3])
    >>> accuracy(answers).value
    0.75
    """
    generated = float(trials.is_generated.mean())
    return rate(trials, generated, 1 - generated)


def balanced_accuracy(trials: Trials) -> Estimate:
    """The mean of both classes' shares of correct answers: one half by chance, whatever the habit of answering.

    >>> always_generated = Trials.from_labels([1, 1, 1, 1], [1, 1, 1, 0], [0, 1, 0, 1], [0, 1, 2, 3])
    >>> balanced_accuracy(always_generated).value
    0.5
    """
    return rate(trials, 0.5, 0.5)


def false_alarm_rate(trials: Trials) -> Estimate:
    """The share of real images called generated."""
    return rate(trials, 0, 1).complement()


def mean_f1(trials: Trials, positive: observers.Positive = "generated") -> Estimate:
    """The mean of the participants' F1.

    F1_p = 2 TP / D, where D is the number of images shown of the positive class plus the number of answers that name
    it. One answer moves it by (2 [image is positive] - F1_p) / D. Each participant's influence is the deviation of
    their F1 from the mean.

    >>> answers = Trials.from_labels([1, 1, 1, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(mean_f1(answers).value, 6)  # (2/3 + 1) / 2
    0.833333
    """
    counts, who = _people(trials)
    scores = observers.f1(counts, positive)
    if positive == "generated":
        shown, said, is_positive, sign = counts.generated, counts.hits + counts.false_alarms, trials.is_generated, 1.0
    else:
        shown, said, is_positive, sign = (
            counts.real, counts.correct_rejections + counts.misses, ~trials.is_generated, -1.0,
        )  # fmt: skip
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = sign * (2 * is_positive - scores[who]) / (shown + said)[who]
    found = _mean_of(scores, slope, trials, who)
    return replace(found, ci95=(max(found.ci95[0], 0.0), min(found.ci95[1], 1.0))) if found.ci95 else found


def mean_d_prime(trials: Trials) -> Estimate:
    """The mean of the participants' own d' (log-linear): biased towards 0 if trials are few, see `mixed`."""
    return _mean_of_z(trials, observers.d_prime, (1.0, -1.0))


def mean_criterion(trials: Trials) -> Estimate:
    """The mean of the participants' own criteria (log-linear): above 0 they prefer the answer 'real'."""
    return _mean_of_z(trials, observers.criterion, (-0.5, -0.5))


def _mean_of_z(trials: Trials, score: Any, weights: tuple[float, float]) -> Estimate:
    """The mean of weights[0] z(hit rate) + weights[1] z(false-alarm rate), which `score` computes from the counts."""
    counts, who = _people(trials)
    slope = np.zeros(len(trials))
    for weight, truth, said, shown in (
        (weights[0], True, counts.hits, counts.generated),
        (weights[1], False, counts.false_alarms, counts.real),
    ):
        corrected = (said + 0.5) / (shown + 1.0)
        rows = trials.is_generated == truth
        slope[rows] = (weight / ((shown + 1.0) * stats.norm.pdf(observers.z(corrected))))[who[rows]]
    return _mean_of(score(counts), slope, trials, who)


def _people(trials: Trials) -> tuple[observers.Counts, Any]:
    """Each participant's counts, and each trial's index into them, (n,)."""
    return trials.counts(), np.unique(trials.participant, return_inverse=True)[1]


def _mean_of(scores: Floats, slope: Floats, trials: Trials, who: Any) -> Estimate:
    """The mean of the participants' defined `scores`, (P,), which an answer 'generated' moves by `slope`, (n,)."""
    defined = np.isfinite(scores)
    if not defined.any():
        return Estimate(None, note="undefined for every participant")
    rows = defined[who]
    used, people = trials.where(rows), int(defined.sum())
    # Answers less the participant's own rate in that class: the images' part and noise remain. The rate comes from the
    # same n answers, which n / (n - 1) corrects; a participant with a single image of a class contributes nothing.
    _, cell = np.unique(who[rows] * 2 + used.is_generated, return_inverse=True)
    seen = np.bincount(cell)
    own_rate = (np.bincount(cell, used.said_generated) / seen)[cell]
    correction = np.divide(seen, seen - 1, out=np.zeros(len(seen)), where=seen > 1)[cell]
    influence = slope[rows] * (used.said_generated - own_rate) * correction / people
    mean = float(scores[defined].mean())
    found = estimate(mean, influence, used, participant_influence=(scores[defined] - mean) / people)
    undefined = len(scores) - people
    return replace(found, note=f"{undefined} undefined and left out") if undefined and not found.note else found
