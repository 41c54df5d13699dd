"""Item analysis: how well each image separates able from less able participants.

The discrimination of an image is the correlation, over its answers, between being right and the participant's ability
on all other images (item-rest correlation; Lord & Novick 1968). With few answers it is uncertain, and the largest of
many is large by chance, so each is shrunk towards the mean of all images on Fisher's z scale (`between.pooling`). The
curve of an image is its share of right answers by thirds of ability.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.people.between import pooling
from analysis.people.trials import Trials
from glimpse.observers import Floats

FEWEST = 8  # answers to an image, for its discrimination
THIRDS = ("low", "middle", "high")
METHOD = f"item-rest correlation; pooled on Fisher's z: {pooling.METHOD}"


def ability(trials: Trials) -> Floats:
    """For each answer, (n,), the participant's ability on all their other images; NaN without others of each class.

    Ability is the share of right answers minus that of all participants, averaged over the two classes with equal
    weight. Otherwise a habit of saying 'real' would count as ability wherever more images are real.

    >>> habit = [1, 1, 0, 0]  # the first two participants always say 'generated', the others never
    >>> ability(Trials.from_labels(np.repeat(habit, 3), [0, 1, 1] * 4, np.repeat(range(4), 3), [0, 1, 2] * 4))[:6]
    array([nan,  0.,  0., nan,  0.,  0.])
    """
    away = trials.correct.astype(float)
    person, people = trials.people
    means = np.full((2, len(trials)), np.nan)
    for truth in (False, True):
        rows = trials.is_generated == truth
        if rows.any():
            away[rows] -= away[rows].mean()
            total, count = (np.bincount(person[rows], w, minlength=people)[person] for w in (away[rows], None))
            with np.errstate(invalid="ignore", divide="ignore"):
                means[int(truth)] = np.where(count > rows, (total - rows * away) / (count - rows), np.nan)
    return np.asarray(means.mean(axis=0), np.float64)


def items(trials: Trials) -> pd.DataFrame:
    """One row per image with enough answers, the most discriminating first.

    Columns: seen, right, discrimination, pooled, low, high; right_low, right_middle and right_high are the shares of
    right answers by thirds of ability.

    >>> able = np.repeat([True, False], 6)  # six participants are always right about the images 0, 1 and 2, six never
    >>> right = np.column_stack([able, able, able, np.tile([True, False], 6)])  # ... about 3, every second one is
    >>> generated = np.tile([False, False, True, True], (12, 1))
    >>> people, images = np.repeat(np.arange(12), 4), np.tile(np.arange(4), 12)
    >>> found = items(Trials.from_labels((right == generated).ravel(), generated.ravel(), people, images))
    >>> found[["image", "right_low", "right_high"]].to_numpy().tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 1.0], [2.0, 0.0, 1.0], [3.0, 0.5, 0.5]]
    """
    rest = ability(trials)
    known = np.isfinite(rest)
    if not known.any():
        return pd.DataFrame()
    third = np.searchsorted(np.quantile(rest[known], [1 / 3, 2 / 3]), rest)
    right = trials.correct.astype(float)
    frame = pd.DataFrame({"image": trials.image, "truth": trials.is_generated, "right": right, "rest": rest})
    frame = frame.assign(third=third, product=right * rest, square=rest**2)[known]
    by = frame.groupby(["image", "truth"])
    n, mean = by.size(), by[["right", "rest", "product", "square"]].mean()
    covariance = mean["product"] - mean["right"] * mean["rest"]
    variances = (mean["right"] * (1 - mean["right"])) * (mean["square"] - mean["rest"] ** 2)
    enough = (n >= FEWEST) & (variances > 1e-12)
    if enough.sum() < 2:
        return pd.DataFrame()
    r = (covariance[enough] / np.sqrt(variances[enough])).clip(-0.999, 0.999)
    z, low, high = pooling.shrunken(np.arctanh(r), 1 / np.sqrt(n[enough] - 3))
    table = pd.DataFrame({"seen": n[enough], "right": mean["right"][enough], "discrimination": r})
    table = table.assign(pooled=np.tanh(z), low=np.tanh(low), high=np.tanh(high))
    thirds = frame.groupby(["image", "truth", "third"])["right"].mean().unstack("third")
    for at, name in enumerate(THIRDS):
        table[f"right_{name}"] = thirds[at].reindex(table.index) if at in thirds else np.nan
    return table.sort_values("pooled", ascending=False, kind="stable").reset_index()
