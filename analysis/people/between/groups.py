"""Groups of participants, such as experts and lay people, compared on the same images.

Each pair is compared in balanced accuracy, by `regression` (with covariates at equal values of them), and in the
population's d': that of the mixed probit model of `population.mixed`, fitted once to all groups with the group as a
fixed effect of d' and criterion. Its spreads, and so the scales s, are common to the groups, and

    d'_1 - d'_2 = s_generated (z(H_1) - z(H_2)) - s_real (z(F_1) - z(F_2)).

Participants are clusters within their group, images are clusters across the groups that saw them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.people import inference, significance
from analysis.people.between.regression import regress, welch
from analysis.people.estimation.estimate import Estimate, estimate
from analysis.people.population import mixed, spreads
from analysis.people.significance import Comparison
from analysis.people.trials import Trials
from glimpse.observers import Floats, Integers

MEASURES = {"balanced_accuracy": "balanced accuracy", "adjusted": "adjusted balanced accuracy", "d_prime": "d′"}


@dataclass(frozen=True)
class Groups:
    """The groups of one set: each one's scores, and the differences of each pair by measure (first - second)."""

    names: tuple[str, ...]
    participants: tuple[int, ...]
    balanced_accuracy: tuple[Estimate, ...]
    d_prime: tuple[Estimate, ...]
    pairs: Mapping[str, Sequence[Comparison]]


def compare(
    trials: Trials, group: Integers, names: Sequence[str], covariates: Floats | None = None, seed: int = 0
) -> Groups:
    """The scores of the groups `names` and their differences; `group`, (codes,): each participant's group, -1 for none.

    `covariates`, (codes, c), are adjusted for linearly; participants without one (NaN) are left out of the adjusted
    differences.

    >>> answers = Trials.from_labels([1, 0, 0, 0], [1, 0, 1, 0], [0, 0, 1, 1], [0, 1, 0, 1])
    >>> found = compare(answers, np.array([0, 1]), ["expert", "lay"])
    >>> found.pairs["balanced_accuracy"][0].difference.value  # all and half of the answers are right
    0.5
    """
    trials = trials.where(group[trials.participant] >= 0)
    present = [g for g in range(len(names)) if (group[trials.participant] == g).any()]
    each = [trials.where(group[trials.participant] == g) for g in present]
    x = (group[:, None] == np.array(present)).astype(float)
    x[group < 0] = np.nan
    fitted = spreads.fit_spreads(trials, seed, groups=group) if _both_classes(trials) else None
    plain = regress(trials.correct, trials, x, group)
    adjusted = None
    if covariates is not None and covariates.shape[1]:
        adjusted = regress(trials.correct, trials, np.column_stack([x, covariates]), group)
    pairs: dict[str, list[Comparison]] = {measure: [] for measure in MEASURES}
    for i in range(len(present)):
        for j in range(i + 1, len(present)):
            weights = np.zeros(len(present))
            weights[i], weights[j] = 1, -1
            padded = None if adjusted is None else np.append(weights, np.zeros(adjusted.columns - len(weights)))
            found = {
                "balanced_accuracy": plain.contrast(weights).within(-1.0, 1.0),
                "adjusted": None if adjusted is None or padded is None else adjusted.contrast(padded).within(-1.0, 1.0),
                "d_prime": d_prime(trials, group, dict(zip(present, weights, strict=True)), fitted),
            }  # fmt: skip
            for measure, one in found.items():
                if one is not None:
                    pair = significance.compared(names[present[i]], names[present[j]], one)
                    pairs[measure].append(pair)
    return Groups(
        tuple(names[g] for g in present),
        tuple(len(np.unique(one.participant)) for one in each),
        tuple(inference.balanced_accuracy(one) for one in each),
        tuple(d_prime(trials, group, {g: 1.0}, fitted) for g in present),
        {measure: found for measure, found in pairs.items() if found},
    )


def _both_classes(trials: Trials) -> bool:
    return bool(trials.is_generated.any() and not trials.is_generated.all())


def d_prime(trials: Trials, group: Integers, weights: Mapping[int, float], fitted: spreads.Spreads | None) -> Estimate:
    """The sum of the groups' d', each times its weight, given the spreads of the model of all groups.

    >>> one_class = Trials.from_labels([1, 0], [1, 1], [0, 0], [0, 1])
    >>> d_prime(one_class, np.array([0]), {0: 1.0}, None).note
    'only one class of images was shown'
    >>> said = np.array([1, 0, 1, 0, 1, 0, 0, 1])  # two people; a hit, a miss, a false alarm, a rejection each
    >>> answers = Trials.from_labels(said, np.tile([1, 1, 0, 0], 2), np.repeat([0, 1], 4), np.tile(range(4), 2))
    >>> round(abs(d_prime(answers, np.array([0, 0]), {0: 1.0}, spreads.Spreads(1, 0, 0, 0, np.eye(4))).value), 6)
    0.0
    """
    if fitted is None:
        return Estimate(None, note="only one class of images was shown")
    influence, sums = np.zeros(len(trials)), {True: 0.0, False: 0.0}
    mine = group[trials.participant]
    for g, weight in weights.items():
        if not weight:
            continue
        for truth, sign in ((True, 1.0), (False, -1.0)):
            rows = (mine == g) & (trials.is_generated == truth)
            said = trials.said_generated[rows]
            if not len(said) or said.all() or not said.any():
                kind = "generated" if truth else "real"
                why = f"every {kind} image got the same answer from" if len(said) else f"no {kind} image was shown to"
                return Estimate(None, note=f"{why} a group: d' cannot be measured")
            z, moves = mixed.z_of(trials.where(rows), truth)
            sums[truth] += sign * weight * z
            influence[rows] = sign * weight * fitted.scale(truth) * moves
    used = np.isin(mine, [g for g, weight in weights.items() if weight])
    trials, influence = trials.where(used), influence[used]
    people, person = np.unique(trials.participant, return_inverse=True)
    inside = group[people]
    if min(np.unique(inside, return_counts=True)[1]) < 2:
        value = sum(sums[truth] * fitted.scale(truth) for truth in sums)
        return Estimate(float(value), note="one participant of a group: no interval for new participants")
    terms, size = np.bincount(person, influence).astype(np.float64), np.bincount(inside)[inside]
    between = welch(terms * np.sqrt(size / (size - 1)), inside, len(np.unique(inside)))
    value = float(sum(sums[truth] * fitted.scale(truth) for truth in sums))
    found = estimate(value, influence, trials, method=mixed.METHOD, between=between)
    return mixed.with_added_variance(found, fitted.variance_of(sums[True], sums[False]))
