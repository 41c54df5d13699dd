"""The variance of a score by its sources: participants, images and single trials.

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
from scipy import stats

from analysis.people.trials import Trials
from glimpse.observers import Floats, Integers


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
