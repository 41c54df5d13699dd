"""From these answers to new participants AND new images: intervals, equivalence, and a verdict in words.

One estimator does all of it. Any score here is smooth in the answers, so it has an influence for each trial (how much
the score moves with that answer), and its variance is that of the influences' sum, clustered both ways:

    V = V(participants) + V(images) - V(trials)             (Cameron, Gelbach & Miller 2011, eq. 2.11)

each with its small-sample factor G / (G - S), S the number of groups that are centred separately; several answers of
one participant to one image count as one trial. Trial noise is in all three, so it counts once; the plain two-way
bootstrap counts it three times (Owen 2007). `docs/statistics.md` holds the table of coverage that this choice rests on.
Pure: arrays in, values out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy import optimize, stats

from analysis.people.trials import Trials, join
from glimpse import observers
from glimpse.observers import Floats

METHOD = "two-way clustered (participants + images - trials), t interval"
METHOD_SHARE = "two-way clustered (participants + images - trials), Wilson interval with t"


@dataclass(frozen=True)
class Estimate:
    """A number, how sure one may be of it for new participants and new images, and why not where one may not."""

    value: float | None
    se: float | None = None
    df: float | None = None
    ci95: tuple[float, float] | None = None
    variance_participants: float = 0.0  # the part of se^2 that shrinks with more participants
    method: str = METHOD
    note: str = ""

    def scores(self, key: str = "value") -> dict[str, Any]:
        """As JSON: the value under `key`, its interval, and the reason where something is None."""
        found = {key: self.value, "ci95": list(self.ci95) if self.ci95 else None, "method": self.method}
        found |= {} if self.se is None else {"se": self.se}
        return {**found, "note": self.note} if self.note else found


# ------------------------------------------------------------------------------------------------ two-way variance


def two_way(
    influence: Floats, trials: Trials, strata: Any = None, participant_influence: Floats | None = None
) -> tuple[float, float, float]:
    """Variance of the sum of `influence`, (n,), its degrees of freedom and the participants' part of it.

    `strata`: (n,) codes of the groups of images that were centred separately (default: real and generated).
    `participant_influence`: (P,), where the score moves with a participant's answers otherwise than by their sum.
    The degrees of freedom are Satterthwaite's for V(participants) + (V(images) - V(trials)), so that with an image for
    every trial (no image seen twice) they are those of a t-test on participants. Never less than either way alone: the
    difference of the last two is an estimate and can fall below zero.
    """
    strata = trials.is_generated if strata is None else strata
    groups = len(np.unique(strata))
    _, person = np.unique(trials.participant, return_inverse=True)
    _, image = np.unique(trials.image, return_inverse=True)
    people = _sums(influence, person) if participant_influence is None else participant_influence
    images = _sums(influence, image)
    pairs = _sums(influence, np.unique(person * len(images) + image, return_inverse=True)[1])
    by_people, by_images = _spread(people, 1), _spread(images, groups)
    by_trials = _spread(pairs, groups)
    variance = max(by_people + by_images - by_trials, by_people)
    if participant_influence is None:
        variance = max(variance, by_images)
    doubt = by_people**2 / (len(people) - 1) + max(
        by_images**2 / max(len(images) - groups, 1) - by_trials**2 / max(len(pairs) - groups, 1), 0.0
    )
    df = variance**2 / doubt if doubt > 0 else float(len(people) - 1)
    return variance, min(df, float(len(influence))), by_people


def _sums(values: Floats, codes: Any) -> Floats:
    """The sum of `values` in each cluster."""
    return np.bincount(codes, values).astype(np.float64)


def _fewest_images(image: Any, strata: Any) -> int:
    """How many different images the stratum with the fewest of them has."""
    return min(len(np.unique(image[strata == stratum])) for stratum in np.unique(strata))


def _spread(sums: Floats, groups: int) -> float:
    return float(sums @ sums * len(sums) / max(len(sums) - groups, 1))


def estimate(
    value: float, influence: Floats, trials: Trials, *, share: bool = False, strata: Any = None,
    participant_influence: Floats | None = None, method: str = METHOD,
) -> Estimate:  # fmt: skip
    """`value` with its interval; `share`: it lies in [0, 1], and so shall its interval."""
    if not np.isfinite(value):
        return Estimate(None, note="undefined for these answers")
    people, images = len(np.unique(trials.participant)), len(np.unique(trials.image))
    if people < 2:
        return Estimate(float(value), note="one participant: no interval for new participants")
    if _fewest_images(trials.image, trials.is_generated if strata is None else strata) < 2:
        return Estimate(float(value), note="one image of a class: no interval for new images")
    variance, df, by_people = two_way(influence, trials, strata, participant_influence)
    if variance <= 0 and not share:
        return Estimate(float(value), note="all answers alike: no interval")
    se, t = float(np.sqrt(variance)), float(stats.t.ppf(0.975, df))
    low, high = value - t * se, value + t * se
    if share:
        # Wilson's interval for as many independent answers as the variance amounts to: it stays within [0, 1] and is
        # not blind at its ends. Answers that are all right count as one a participant (or image, if they are fewer).
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

    (1, 0) is the hit rate, (0, 1) that of correct rejections, (1/2, 1/2) balanced accuracy, the two classes' shares of
    the trials plain accuracy. A class with weight 0 need not be there.
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
    used = influence if generated and real else influence[trials.is_generated == bool(generated)]
    mine = trials if generated and real else trials.where(trials.is_generated == bool(generated))
    return estimate(value, used, mine, share=share)


def accuracy(trials: Trials) -> Estimate:
    """Share of correct answers. With classes of different size it holds for that mixture of real and generated."""
    generated = float(trials.is_generated.mean())
    return rate(trials, generated, 1 - generated)


def balanced_accuracy(trials: Trials) -> Estimate:
    """The mean of both classes' shares of correct answers: chance is one half whatever the habit of answering."""
    return rate(trials, 0.5, 0.5)


def false_alarm_rate(trials: Trials) -> Estimate:
    """Share of real images called generated."""
    kept = rate(trials, 0, 1)
    if kept.value is None or kept.ci95 is None:
        return replace(kept, value=None if kept.value is None else 1 - kept.value)
    return replace(kept, value=1 - kept.value, ci95=(1 - kept.ci95[1], 1 - kept.ci95[0]))


def mean_f1(trials: Trials, positive: observers.Positive = "generated") -> Estimate:
    """The mean of the participants' F1.

    F1_p = 2 TP / D with D = images shown + answers said of the positive class, so an answer moves it by
    (2 [positive image] - F1_p) / D; what a participant's F1 departs from the mean is their own influence.
    """
    counts, who = _people(trials)
    scores = observers.f1(counts, positive)
    if positive == "generated":
        shown, said, is_positive, answer = counts.generated, counts.hits + counts.false_alarms, trials.is_generated, 1.0
    else:
        shown, said, is_positive, answer = (
            counts.real, counts.correct_rejections + counts.misses, ~trials.is_generated, -1.0,
        )  # fmt: skip
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = answer * (2 * is_positive - scores[who]) / (shown + said)[who]
    found = _mean_of(scores, slope, trials, who)
    return replace(found, ci95=(max(found.ci95[0], 0.0), min(found.ci95[1], 1.0))) if found.ci95 else found


def mean_d_prime(trials: Trials) -> Estimate:
    """The mean of the participants' own d' (log-linear): biased towards 0 with few trials, see `mixed`."""
    return _mean_of_z(trials, observers.d_prime, (1.0, -1.0))


def mean_criterion(trials: Trials) -> Estimate:
    """The mean of the participants' own criteria (log-linear): above 0 leans towards 'real'."""
    return _mean_of_z(trials, observers.criterion, (-0.5, -0.5))


def _mean_of_z(trials: Trials, score: Any, weights: tuple[float, float]) -> Estimate:
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
    return trials.counts(), np.unique(trials.participant, return_inverse=True)[1]


def _mean_of(scores: Floats, slope: Floats, trials: Trials, who: Any) -> Estimate:
    """The mean of the participants' defined `scores`, (P,), which an answer 'generated' moves by `slope`, (n,)."""
    defined = np.isfinite(scores)
    if not defined.any():
        return Estimate(None, note="undefined for every participant")
    rows = defined[who]
    mine, people = trials.where(rows), int(defined.sum())
    # Against the participant's own rate in that class: what is left is the images' part and noise. n / (n - 1) makes up
    # for the rate having been taken from the same n answers; a person who sees one image of a class tells nothing here.
    _, cell = np.unique(who[rows] * 2 + mine.is_generated, return_inverse=True)
    seen = np.bincount(cell)
    own = (np.bincount(cell, mine.said_generated) / seen)[cell]
    made_up = np.divide(seen, seen - 1, out=np.zeros(len(seen)), where=seen > 1)[cell]
    influence = slope[rows] * (mine.said_generated - own) * made_up / people
    mean = float(scores[defined].mean())
    found = estimate(mean, influence, mine, participant_influence=(scores[defined] - mean) / people)
    gone = len(scores) - people
    return replace(found, note=f"{gone} undefined and left out") if gone and not found.note else found


# ------------------------------------------------------------------------------------------------ equivalence


Code = Literal["detectable", "cannot tell", "undecided"]


@dataclass(frozen=True)
class Verdict:
    """Can people tell? Two one-sided tests against 0.50 +- bound, and a two-sided one against 0.50."""

    bound: float
    p_equivalence: float | None
    p_chance: float | None
    code: Code
    words: str
    more_participants: int | None = None  # about how many decide it with 80 % power, if the estimate is the truth
    note: str = ""


def equivalence(estimate: Estimate, bound: float = 0.05, chance: float = 0.5) -> tuple[float, float]:
    """p-values of TOST (both one-sided tests must pass, so the larger) and of 'equal to chance' (two-sided)."""
    assert estimate.value is not None
    assert estimate.se is not None
    assert estimate.df is not None
    t = (estimate.value - chance) / estimate.se
    shift = bound / estimate.se
    law = stats.t(estimate.df)
    return float(max(law.sf(t + shift), law.cdf(t - shift))), float(2 * law.sf(abs(t)))


def verdict(estimate: Estimate, participants: int, bound: float = 0.05, level: float = 0.05) -> Verdict:
    """The verdict on a (balanced) accuracy. 'Cannot tell' wins where both hold: a trace, but within the bounds."""
    if estimate.value is None or not estimate.se or estimate.df is None:
        if estimate.value is not None and estimate.ci95 is not None and abs(estimate.value - 0.5) == 0.5:
            side = "" if estimate.value > 0.5 else ", the wrong way round"
            words = f"detectable: every answer was {'right' if estimate.value > 0.5 else 'wrong'}{side}"
            if estimate.ci95[0] > 0.5 or estimate.ci95[1] < 0.5:
                return Verdict(bound, None, None, "detectable", words, note="no variation between answers: no p-values")
            enough = next(n for n in range(2, 99) if n > stats.t.ppf(1 - level / 2, n - 1) ** 2)  # Wilson's end at 0.5
            note = f"{words.partition(': ')[2]}, but fewer than {enough} people or images say too little of new ones"
            more = max(enough - participants, 0) or None
            return Verdict(bound, None, None, "undecided", f"undecided: {note}", more, note)
        note = estimate.note or "the answers do not vary as a test needs"
        return Verdict(bound, None, None, "undecided", f"undecided: {note}", note=note)
    p_equivalence, p_chance = equivalence(estimate, bound)
    if p_equivalence < level:
        trace = ", though not quite chance either" if p_chance < level else ""
        return Verdict(bound, p_equivalence, p_chance, "cannot tell", f"cannot tell within ±{bound:g}{trace}")
    if p_chance < level:
        words = (
            "detectable" if estimate.value > 0.5 else "detectable, the wrong way round: generated images pass for real"
        )
        return Verdict(bound, p_equivalence, p_chance, "detectable", words)
    more = participants_needed(estimate, participants, bound, level)
    words = (
        f"undecided: about {more} more participant{'s' * (more > 1)} needed" if more is not None
        else "undecided: more participants alone will not decide it, more images are needed"
    )  # fmt: skip
    return Verdict(bound, p_equivalence, p_chance, "undecided", words, more)


def participants_needed(
    estimate: Estimate, participants: int, bound: float = 0.05, level: float = 0.05, power: float = 0.8
) -> int | None:
    """How many more participants (same images, as many trials each) decide it, were the estimate the truth.

    Decided: 'cannot tell' or 'detectable', with this power. The participants' part of the variance shrinks with their
    number, the images' part stays. None where no number of them suffices.
    """
    assert estimate.value is not None
    assert estimate.se is not None
    away = abs(estimate.value - 0.5)
    fixed = max(estimate.se**2 - estimate.variance_participants, 0.0)

    def lacking(people: float) -> float:
        se = np.sqrt(estimate.variance_participants * participants / people + fixed)
        detects = stats.norm.cdf(away / se - stats.norm.ppf(1 - level / 2))
        critical = stats.norm.ppf(1 - level)
        equals = stats.norm.cdf((bound - away) / se - critical) - stats.norm.cdf((-bound - away) / se + critical)
        return float(power - max(detects, equals))

    most = 1e6
    if lacking(participants) <= 0:  # so near that the next few answers may decide
        return 1
    if lacking(most) > 0:
        return None
    return max(1, int(np.ceil(optimize.brentq(lacking, participants, most) - participants)))


# ------------------------------------------------------------------------------------------------ between sets


@dataclass(frozen=True)
class Comparison:
    """One pair of sets: how much more accurate people are on the first."""

    first: str
    second: str
    difference: Estimate
    p: float | None
    p_holm: float | None = None


def compare_sets(sets: dict[str, Trials]) -> list[Comparison]:
    """Every pair's difference in balanced accuracy, with Holm's correction over all pairs.

    The sets share one coding of participants and one of images: who answered in both counts once.
    """
    names = [n for n, t in sets.items() if t.is_generated.any() and not t.is_generated.all()]
    found = [_difference(a, b, sets[a], sets[b]) for i, a in enumerate(names) for b in names[i + 1 :]]
    tested = [c.p for c in found if c.p is not None]
    corrected = iter(holm(tested))
    return [replace(c, p_holm=next(corrected)) if c.p is not None else c for c in found]


def _difference(first: str, second: str, one: Trials, other: Trials) -> Comparison:
    both = join([one, other])
    stratum = both.is_generated + 2 * (np.arange(len(both)) >= len(one))
    influence, value = np.zeros(len(both)), 0.0
    for code, weight in ((0, 0.5), (1, 0.5), (2, -0.5), (3, -0.5)):
        rows = stratum == code
        mean = float(both.correct[rows].mean())
        value += weight * mean
        influence[rows] = weight * (both.correct[rows] - mean) / rows.sum()
    found = estimate(value, influence, both, strata=stratum)
    if found.se is None or found.df is None:
        return Comparison(first, second, found, None)
    return Comparison(first, second, found, float(2 * stats.t.sf(abs(value) / found.se, found.df)))


def holm(p_values: list[float]) -> list[float]:
    """Holm's step-down p-values, in the order given."""
    p = np.asarray(p_values, float)
    order = np.argsort(p)
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p)))), 1.0)
    return [float(a) for a in adjusted]


# ------------------------------------------------------------------------------------------------ against chance


def image_permutation_p(trials: Trials, rng: np.random.Generator, permutations: int = 9_999) -> float | None:
    """The permutation test against chance that holds for new images: the labels of the images are dealt out anew.

    The statistic is the sum over generated images of the answers 'generated' in excess of each participant's own mean.
    One-sided. Above 1,000 images the permutation distribution is normal with exactly known mean and variance, and that
    is used. None where all images are of one class.
    """
    counts, who = _people(trials)
    habit = (counts.hits + counts.false_alarms) / counts.trials
    images, where = np.unique(trials.image, return_inverse=True)
    excess = np.bincount(where, trials.said_generated - habit[who])
    generated = np.zeros(len(images), bool)
    generated[where] = trials.is_generated
    k, n = int(generated.sum()), len(images)
    if k in (0, n):
        return None
    observed = excess[generated].sum()
    if n > 1_000:
        variance = k * (n - k) / (n - 1) * excess.var()
        return float(stats.norm.sf((observed - k * excess.mean()) / np.sqrt(variance))) if variance > 0 else 1.0
    dealt = np.argpartition(rng.random((permutations, n)), k - 1, axis=1)[:, :k]
    reached = (excess[dealt].sum(axis=1) >= observed - 1e-9).sum()
    return float((reached + 1) / (permutations + 1))
