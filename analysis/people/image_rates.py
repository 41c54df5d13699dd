"""Rates of single images: how often each is called generated, shrunk towards its class.

An image that three people saw may have fooled all of them by chance. Its rate is therefore the posterior mean under the
beta distribution of its class, estimated from all images of the class (beta-binomial likelihood). How much the images
of a class differ is itself uncertain, above all if few people saw each. Intervals at the most likely value would cover
the truth only 75 % of the time, so mean and spread of the class are averaged over.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import special, stats

METHOD = "beta-binomial empirical Bayes by class, its mean and spread averaged over: posterior mean and 95 % interval"
RELATIVE_SDS = np.linspace(0.02, 0.98, 33)  # SD of the images' rates, as shares of the largest that their mean allows


def shrunken(said: NDArray[Any], seen: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Posterior mean and the ends of the 95 % interval of each image's rate; `said` of `seen` answers, (n,) each.

    The class's mean and variance are summed over a grid, flat in both; each image's posterior, a mixture of betas, is
    approximated by the beta with the same mean and variance.

    >>> rate, low, high = shrunken(np.array([0, 5, 10]), np.array([10, 10, 10]))  # symmetric about one half
    >>> round(float(rate[1]), 6), round(float(rate[0] + rate[2]), 6), bool(0 < low[0] < rate[0] < high[0])
    (0.5, 1.0, True)
    """
    kinds, where, number = np.unique(np.stack([said, seen]), axis=1, return_inverse=True, return_counts=True)
    k, n = kinds[0], kinds[1]
    pooled = (said.sum() + 0.5) / (seen.sum() + 1.0)
    unsure = 4 * np.sqrt(pooled * (1 - pooled) / min(len(said), seen.sum()))
    means = np.linspace(max(pooled - unsure, 0.002), min(pooled + unsure, 0.998), 25)
    mean, share = (grid.ravel() for grid in np.meshgrid(means, RELATIVE_SDS, indexing="ij"))
    size = 1 / share**2 - 1  # a + b of the beta whose SD is that share of sqrt(mean (1 - mean))
    a, b = mean * size, (1 - mean) * size
    log_likelihood, none_seen = np.zeros(len(mean)), special.betaln(a, b)
    for one, of, times in zip(k, n, number, strict=True):
        log_likelihood += times * (special.betaln(one + a, of - one + b) - none_seen)
    weight = share * np.exp(log_likelihood - log_likelihood.max())
    weight /= weight.sum()
    centre, variance = np.empty(len(k)), np.empty(len(k))
    for i, (one, of) in enumerate(zip(k, n, strict=True)):
        each = (one + a) / (of + size)  # mean of the beta with one + a and of - one + b
        centre[i] = weight @ each
        variance[i] = weight @ (each * (1 - each) / (of + size + 1) + (each - centre[i]) ** 2)
    strength = centre * (1 - centre) / variance - 1
    matched = stats.beta(centre * strength, (1 - centre) * strength)
    which = where.reshape(-1)
    return centre[which], matched.ppf(0.025)[which], matched.ppf(0.975)[which]


def rates(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per image of a set: image, truth, seen, called_generated, rate (shrunk), low, high; most fooling first.

    `fooled` is the shrunken rate of wrong answers: a generated image taken for real, a real one for generated.

    >>> answers = {"image": ["a", "a", "b", "b"], "is_generated": [1, 1, 1, 1], "said_generated": [1, 1, 0, 1]}
    >>> rates(pd.DataFrame(answers))[["image", "seen", "called_generated"]].to_numpy().tolist()
    [['b', 2, 1], ['a', 2, 2]]
    """
    by_image = frame.groupby(["image", "is_generated"], sort=True)["said_generated"].agg(["size", "sum"]).reset_index()
    parts = []
    for generated, rows in by_image.groupby("is_generated", sort=True):
        seen, said = rows["size"].to_numpy(float), rows["sum"].to_numpy(float)
        rate, low, high = shrunken(said, seen)
        parts.append(
            pd.DataFrame(
                {
                    "image": rows["image"].to_numpy(), "truth": "generated" if generated else "real",
                    "seen": seen.astype(int), "called_generated": said.astype(int), "rate": rate,
                    "low": low, "high": high, "fooled": 1 - rate if generated else rate,
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True).sort_values(["fooled", "image"], ascending=[False, True])
