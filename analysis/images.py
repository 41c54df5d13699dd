"""Which images fool people: each image's rate of being called generated, shrunk towards its class.

An image that three people saw may have fooled all of them by luck. So its rate is the posterior mean under the beta
distribution of its class, fitted to all images of the class at once (empirical Bayes, beta-binomial likelihood).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, special, stats

METHOD = "beta-binomial empirical Bayes by class: posterior mean and 95 % interval"
ALIKE = 1e4  # images of a class that differ no more than chance are as if seen so often before


def beta_of(said: NDArray[Any], seen: NDArray[Any]) -> tuple[float, float]:
    """(a, b) of the beta distribution that makes the counts likeliest; `said` of `seen` answers, (n,) each."""
    mean = float((said.sum() + 0.5) / (seen.sum() + 1.0))

    def loss(log_size: float) -> float:
        a, b = mean * np.exp(log_size), (1 - mean) * np.exp(log_size)
        return float(-(special.betaln(said + a, seen - said + b) - special.betaln(a, b)).sum())

    found = optimize.minimize_scalar(loss, bounds=(np.log(0.1), np.log(ALIKE)), method="bounded")
    size = float(np.exp(found.x))
    return mean * size, (1 - mean) * size


def rates(frame: pd.DataFrame) -> pd.DataFrame:
    """One row an image of a set: image, truth, seen, called_generated, rate (shrunk), low, high; most fooling first.

    `fooled` is the shrunken rate of wrong answers: a generated image taken for real, a real one for generated.
    """
    by_image = frame.groupby(["image", "is_generated"], sort=True)["said_generated"].agg(["size", "sum"]).reset_index()
    parts = []
    for generated, rows in by_image.groupby("is_generated", sort=True):
        seen, said = rows["size"].to_numpy(float), rows["sum"].to_numpy(float)
        a, b = beta_of(said, seen)
        law = stats.beta(said + a, seen - said + b)
        rate = law.mean()
        parts.append(
            pd.DataFrame(
                {
                    "image": rows["image"].to_numpy(), "truth": "generated" if generated else "real",
                    "seen": seen.astype(int), "called_generated": said.astype(int), "rate": rate,
                    "low": law.ppf(0.025), "high": law.ppf(0.975), "fooled": 1 - rate if generated else rate,
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True).sort_values(["fooled", "image"], ascending=[False, True])
