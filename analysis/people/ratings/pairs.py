"""Pairs of a real and a generated image: participants say which one is real (two-alternative forced choice)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from analysis.people.estimation.estimate import Estimate, estimate
from analysis.people.estimation.variance import parts_of
from analysis.people.trials import Bools, Trials
from glimpse.observers import Integers

METHOD = "three-way clustered (participants + generated + real images - trials), t or Wilson interval"
METHOD_D_PRIME = "d' = sqrt(2) z(share of right answers) (Green & Swets 1966), with the ends of the share's interval"


@dataclass(frozen=True)
class Pairs:
    """n answers, each to one pair."""

    right: Bools  # (n,)
    participant: Integers  # (n,) codes
    generated: Integers  # (n,) codes of the images
    real: Integers  # (n,)

    def _beside(self, images: npt.NDArray[np.int64]) -> Trials:
        return Trials(self.right, np.ones_like(self.right), self.participant, images)


def share_right(pairs: Pairs) -> Estimate:
    """The share of right answers, with an interval for new participants and new images of both kinds.

    >>> codes = np.arange(4)
    >>> share_right(Pairs(np.array([1, 1, 0, 1], bool), codes // 2, codes, codes)).value
    0.75
    """
    right = float(pairs.right.mean())
    influence, one = (pairs.right - right) / len(pairs.right), np.zeros(len(pairs.right), int)
    generated, real = (parts_of(influence, pairs._beside(images), one) for images in (pairs.generated, pairs.real))
    parts = replace(
        generated, images=generated.trials + generated.images_add + real.images_add,
        df_images=min(generated.df_images, real.df_images),
    )  # fmt: skip
    return estimate(
        right, influence, pairs._beside(pairs.generated), share=True, strata=one, method=METHOD, parts=parts
    )


def d_prime(share: Estimate) -> Estimate:
    """The sensitivity d' that gives this share of right answers; no value if all or none are right.

    >>> round(d_prime(Estimate(0.76)).value, 3)
    0.999
    """
    if share.value is None or not 0 < share.value < 1:
        return Estimate(None, method=METHOD_D_PRIME, note=share.note or "every answer, or none, is right")
    ends = None if share.ci95 is None else (_z(share.ci95[0]), _z(share.ci95[1]))
    return Estimate(_z(share.value), ci95=ends, method=METHOD_D_PRIME, note=share.note)


def _z(share: float) -> float:
    return float(np.sqrt(2) * stats.norm.ppf(np.clip(share, 1e-9, 1 - 1e-9)))
