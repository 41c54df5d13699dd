"""The mean area under the ROC curve for new participants and new images: multi-reader multi-case analysis.

Obuchowski & Rockette (1995) with the degrees of freedom of Hillis (2007): for J participants with areas A_j,

    V = MS(participants) / J + max(Cov2, 0),     df = (J - 1) (1 + J max(Cov2, 0) / MS)^2

where MS is the variance of the areas and Cov2 the mean covariance of two participants' areas that comes from judging
the same images, by the jackknife over images. If participants judge different images, only images that two of them
share covary, and Cov2 is the mean over all pairs. The differences between two sets are analysed in the same way. If
everybody judges everything, the results are those of OR-DBM MRMC, RJafroc and MRMCaov, to all digits
(docs/statistics.md). Hillis' degrees of freedom count participants alone; where a class has so few images that they
leave fewer, V^2 / (Cov2^2 / df(images)), these count.

Near the ceiling that t interval leaves [0, 1], and covers the truth too rarely. If a t interval of twice its width
would not fit, the interval is therefore taken on the logit scale. If all areas are 0 or 1, it is Wilson's for as many
independent answers as there are participants or images, whichever are fewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import special, stats

from analysis.people.estimation.estimate import ROOM, Estimate
from analysis.people.estimation.variance import clustered
from analysis.people.ratings.roc import Areas
from analysis.people.significance import holm
from analysis.people.trials import Trials
from glimpse.observers import Floats

METHOD = "mean of participants' areas, Obuchowski-Rockette with Hillis' degrees of freedom, jackknife over images"
STILL = "the areas do not vary: no interval"


@dataclass(frozen=True)
class Rated:
    """The trials of one set that have a rating, and the areas that the ratings give."""

    trials: Trials
    areas: Areas


@dataclass(frozen=True)
class Difference:
    """The difference between the mean areas of two sets."""

    first: str
    second: str
    participants: int  # number who rated both
    difference: Estimate
    p: float | None
    p_holm: float | None = None


def mean_area(rated: Rated) -> Estimate:
    """The mean of the participants' areas, weighted equally.

    >>> from analysis.people.ratings.roc import areas
    >>> trials = Trials.from_labels([0] * 8, [0, 0, 1, 1] * 2, [0] * 4 + [1] * 4, [0, 1, 2, 3] * 2)
    >>> found = mean_area(Rated(trials, areas([1, 2, 3, 4, 1, 3, 2, 4], trials)))
    >>> found.value  # of areas of 1 and 3/4
    0.875
    """
    found = rated.areas
    strata = rated.trials.is_generated
    return within_0_and_1(_mean(found.area, _moves_of(rated, found.participant), rated.trials, strata), rated.trials)


def obuchowski_rockette(value: float, mean_square: float, cov2: float, people: int) -> Estimate:
    """The mean of J areas with its interval, from the variance of the areas and their mean covariance.

    The first treatment of the example that OR-DBM MRMC 2.51 and RJafroc publish (Van Dyke et al. 1993):

    >>> found = obuchowski_rockette(0.89703704, mean_square=0.00308263, cov2=0.00048396, people=5)
    >>> round(found.se, 5), round(found.df, 2), [round(end, 4) for end in found.ci95]
    (0.03317, 12.74, [0.8252, 0.9689])
    """
    cov2 = max(cov2, 0.0)
    if mean_square + people * cov2 <= 0:
        return Estimate(value, method=METHOD, note=STILL)
    se = float(np.sqrt(mean_square / people + cov2))
    df = (people - 1) * (1 + people * cov2 / mean_square) ** 2 if mean_square > 0 else np.inf
    found = Estimate(value, se, float(min(df, 1e9)), variance_participants=mean_square / people, method=METHOD)
    return replace(found, ci95=found.interval())


def _mean(values: Floats, moves: Floats, trials: Trials, strata: Any) -> Estimate:
    """The mean of `values`, (J,), which the trials of participant j move by `moves`, (n,), each.

    `strata`: (n,) codes of the classes of images, of each set.
    """
    people = len(values)
    if people == 0:
        return Estimate(None, method=METHOD, note="no participant rated images of both classes")
    value = float(values.mean())
    if people < 2:
        return Estimate(value, method=METHOD, note="one participant: no interval for new participants")
    if min(len(np.unique(trials.image[trials.is_generated == truth])) for truth in (False, True)) < 2:
        return Estimate(value, method=METHOD, note="one image of a class: no interval for new images")
    cov2 = covariance(moves, trials, people)
    found = obuchowski_rockette(value, float(values.var(ddof=1)), cov2, people)
    if found.se is None or found.df is None or cov2 <= 0:
        return found
    images, image = np.unique(trials.image, return_inverse=True)
    of_image = np.zeros(len(images), np.int64)
    of_image[image] = strata
    _, df_images = clustered(np.bincount(image, moves).astype(np.float64), of_image)
    found = replace(found, df=min(found.df, df_images * (found.se**2 / cov2) ** 2))
    return replace(found, ci95=found.interval())


def within_0_and_1(found: Estimate, trials: Trials) -> Estimate:
    """A mean area with an interval within [0, 1], as the module's docstring describes it.

    >>> trials = Trials.from_labels([1, 0], [1, 0], [0, 1], [0, 1])
    >>> found = within_0_and_1(Estimate(0.9, se=0.09, df=1e9), trials)  # logit 2.197 -+ 1.96 * 0.09 / (0.9 * 0.1)
    >>> [round(end, 3) for end in found.ci95]
    [0.559, 0.985]
    """
    value = found.value
    if value is None or (found.note and found.note != STILL):
        return found
    if found.se is None or found.df is None:
        if 0 < value < 1:
            return found
        size = min(len(np.unique(trials.participant)), len(np.unique(trials.image)))
        found = replace(found, se=0.0, df=size - 1.0, size=float(size), note="")
        return replace(found, ci95=found.interval(), method=f"{METHOD}; Wilson interval")
    reach = float(stats.t.ppf(0.975, found.df)) * found.se
    if ROOM * reach <= value <= 1 - ROOM * reach:
        return found
    middle, half = special.logit(value), reach / (value * (1 - value))
    ends = special.expit([middle - half, middle + half])
    return replace(found, ci95=(float(ends[0]), float(ends[1])), method=f"{METHOD}; interval on the logit scale")


def covariance(moves: Floats, trials: Trials, people: int) -> float:
    """Cov2: the mean over all pairs of participants of the covariance of their areas through the images they share.

    >>> trials = Trials.from_labels([1] * 4, [1] * 4, [0, 0, 1, 1], [0, 1, 0, 1])
    >>> covariance(np.array([1.0, -1.0, 1.0, -1.0]), trials, people=2)  # (2^2 + 2^2 - 4 * 1) * 1/2 / (2 * 1)
    1.0
    """
    _, person = np.unique(trials.participant, return_inverse=True)
    images, image = np.unique(trials.image, return_inverse=True)
    by_image = np.bincount(image, moves)
    by_pair = np.bincount(np.unique(person * len(images) + image, return_inverse=True)[1], moves)
    shared = float(by_image @ by_image - by_pair @ by_pair)
    return shared * (len(images) - 1) / len(images) / (people * (people - 1))


def _moves_of(rated: Rated, participants: Any) -> Floats:
    return np.where(np.isin(rated.trials.participant, participants), rated.areas.moves, 0.0)


def compare(sets: Mapping[str, Rated]) -> list[Difference]:
    """The difference in mean area between each pair of sets that at least two participants rated, with Holm's p.

    The sets share one coding of participants and images. The difference is that of the participants who rated both.

    >>> from analysis.people.ratings.roc import areas
    >>> trials = Trials.from_labels([0] * 8, [0, 0, 1, 1] * 2, [0] * 4 + [1] * 4, [0, 1, 2, 3] * 2)
    >>> ratings = {"df": [1, 2, 3, 4, 1, 3, 2, 4], "mel": [1, 2, 3, 4, 1, 2, 3, 4]}
    >>> compare({name: Rated(trials, areas(rating, trials)) for name, rating in ratings.items()})[0].difference.value
    -0.125
    """
    names = list(sets)
    found = [_difference(a, b, sets[a], sets[b]) for i, a in enumerate(names) for b in names[i + 1 :]]
    paired = [one for one in found if one.participants >= 2]
    corrected = iter(holm([one.p for one in paired if one.p is not None]))
    return [replace(one, p_holm=next(corrected)) if one.p is not None else one for one in paired]


def _difference(first: str, second: str, one: Rated, other: Rated) -> Difference:
    both, a, b = np.intersect1d(one.areas.participant, other.areas.participant, return_indices=True)
    columns = ("said_generated", "is_generated", "participant", "image")
    joined = [np.concatenate([getattr(one.trials, c), getattr(other.trials, c)]) for c in columns]
    trials = Trials(*joined)
    moves = np.concatenate([_moves_of(one, both), -_moves_of(other, both)])
    strata = trials.is_generated + 2 * (np.arange(len(trials)) >= len(one.trials))
    found = _mean(one.areas.area[a] - other.areas.area[b], moves, trials, strata)
    if found.se is None or found.df is None or found.value is None:
        return Difference(first, second, len(both), found, None)
    return Difference(first, second, len(both), found, float(2 * stats.t.sf(abs(found.value) / found.se, found.df)))
