"""Scores of a set of answers, each the mean over its participants, with intervals for new participants and new images.

`analysis.people.estimation` explains the intervals.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from analysis.people.estimation.estimate import Estimate, estimate
from analysis.people.trials import Trials, renumbered
from glimpse import observers
from glimpse.observers import Floats


def rate(trials: Trials, generated: float, real: float) -> Estimate:
    """generated * (share of generated images called generated) + real * (share of real images called real).

    Each share is the mean of the participants' own shares, so participants are weighted equally, however many images
    they judged; an image counts as often as it was shown. Weights (1, 0) give the hit rate, (0, 1) the rate of correct
    rejections, (1/2, 1/2) balanced accuracy, and the classes' shares of the trials plain accuracy. A class with weight
    0 may be absent.

    >>> answers = Trials.from_labels([1, 1, 1, 0], [1, 1, 1, 1], [0, 0, 0, 1], [0, 1, 2, 0])
    >>> rate(answers, generated=1, real=0).value  # of one participant 3 of 3, of the other 0 of 1
    0.5
    """
    value, influence = 0.0, np.zeros(len(trials))
    for weight, truth in ((generated, True), (real, False)):
        if weight == 0:
            continue
        rows = trials.is_generated == truth
        if not rows.any():
            return Estimate(None, note=f"no {'generated' if truth else 'real'} image was shown")
        mean, moves = mean_of_people(trials.correct[rows], trials.participant[rows])
        value += weight * mean
        influence[rows] = weight * moves
    if generated and real:
        return estimate(value, influence, trials, share=True)
    rows = trials.is_generated == bool(generated)
    return estimate(value, influence[rows], trials.where(rows), share=True)


def mean_of_people(values: Any, participant: Any) -> tuple[float, Floats]:
    """The mean of the participants' own means of `values`, (n,), and the influence of each value on it, (n,).

    >>> mean_of_people([1, 0, 1], [0, 0, 1])[0]
    0.75
    """
    who, _ = renumbered(np.asarray(participant))
    answers = np.bincount(who)
    mean = float((np.bincount(who, values) / answers).mean())
    return mean, (np.asarray(values) - mean) / (answers[who] * len(answers))


def accuracy(trials: Trials) -> Estimate:
    """The share of correct answers, for the mixture of real and generated images that was shown.

    >>> answers = Trials.from_labels([1, 1, 0, 1], [1, 1, 0, 0], [0, 1, 0, 1], [0, 1, 2, 3])
    >>> accuracy(answers).value
    0.75
    """
    generated = float(trials.is_generated.mean())
    return rate(trials, generated, 1 - generated)


def balanced_accuracy(trials: Trials) -> Estimate:
    """The mean of both classes' shares of correct answers; chance is one half, whatever the habit of answering.

    >>> always_generated = Trials.from_labels([1, 1, 1, 1], [1, 1, 1, 0], [0, 1, 0, 1], [0, 1, 2, 3])
    >>> balanced_accuracy(always_generated).value
    0.5
    """
    return rate(trials, 0.5, 0.5)


def false_alarm_rate(trials: Trials) -> Estimate:
    """The share of real images called generated.

    >>> false_alarm_rate(Trials.from_labels([1, 0, 1, 1], [0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 2, 3])).value
    0.5
    """
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
    return _mean_of(scores, slope, trials, who).within(0.0, 1.0)


def mean_d_prime(trials: Trials) -> Estimate:
    """The mean of the participants' own d' (log-linear): biased towards 0 if trials are few, see `mixed`.

    >>> always_generated = Trials.from_labels([1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 1])
    >>> mean_d_prime(always_generated).value
    0.0
    """
    return _mean_of_z(trials, observers.d_prime, (1.0, -1.0))


def mean_criterion(trials: Trials) -> Estimate:
    """The mean of the participants' own criteria (log-linear); above 0 they prefer the answer 'real'.

    >>> always_generated = Trials.from_labels([1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 1])
    >>> round(mean_criterion(always_generated).value, 4)  # -z(1.5 / 2)
    -0.6745
    """
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
    return trials.counts(), trials.people[0]


def _mean_of(scores: Floats, slope: Floats, trials: Trials, who: Any) -> Estimate:
    """The mean of the participants' defined `scores`, (P,), which an answer 'generated' moves by `slope`, (n,)."""
    defined = np.isfinite(scores)
    if not defined.any():
        return Estimate(None, note="undefined for every participant")
    rows = defined[who]
    used, people = trials.where(rows), int(defined.sum())
    # Answers minus the participant's own rate in that class: the images' part and noise remain. The rate comes from the
    # same n answers, which n / (n - 1) corrects; a participant with a single image of a class contributes nothing.
    cell, _ = renumbered(who[rows] * 2 + used.is_generated)
    seen = np.bincount(cell)
    own_rate = (np.bincount(cell, used.said_generated) / seen)[cell]
    correction = np.divide(seen, seen - 1, out=np.zeros(len(seen)), where=seen > 1)[cell]
    influence = slope[rows] * (used.said_generated - own_rate) * correction / people
    mean = float(scores[defined].mean())
    found = estimate(mean, influence, used, participant_influence=(scores[defined] - mean) / people)
    undefined = len(scores) - people
    return replace(found, note=f"{undefined} undefined and left out") if undefined and not found.note else found
