"""The Bayes factor for 'cannot tell', beside the equivalence test.

Before the survey, balanced accuracy is taken to be normal about 0.5 with an SD of 0.1, cut off at 0 and 1, so that 95 %
of surveys lie between 0.3 and 0.7. The likelihood of the answers is that of their estimate: t about the truth, with the
standard error for new participants and new images. The factor is the odds of lying within the bounds after the answers,
divided by those before (Morey & Rouder 2011).
"""

from __future__ import annotations

import numpy as np
from scipy import stats

from analysis.people.estimation.estimate import Estimate

PRIOR_SD = 0.1
PRIOR = f"balanced accuracy normal about 0.5 with an SD of {PRIOR_SD:g}"
LEAST_SE = 1e-4  # if all answers are the same, the standard error is rounding noise, and the integral needs a width
LEAST, MOST = 1e-6, 1e6  # beyond these the tails of the t distribution decide, not the answers


def bayes_factor(estimate: Estimate, bound: float = 0.05) -> float | None:
    """The factor by which the answers change the odds of an accuracy within 0.5 ± bound.

    None without a standard error.

    >>> round(bayes_factor(Estimate(0.5, se=0.02, df=1e9)), 1), round(bayes_factor(Estimate(0.6, se=0.02, df=1e9)), 3)
    (147.8, 0.015)
    """
    if estimate.value is None or not estimate.se or estimate.df is None:
        return None
    se = max(estimate.se, LEAST_SE)
    step = min(se, PRIOR_SD) / 50
    ends = ((0.5 - bound, 0.5 + bound), (0.0, 0.5 - bound), (0.5 + bound, 1.0))
    before, after = [], []
    for low, high in ends:
        edges = np.linspace(low, high, max(int((high - low) / step), 50) + 1)
        middle, prior = (edges[1:] + edges[:-1]) / 2, np.diff(stats.norm.cdf(edges, 0.5, PRIOR_SD))
        before.append(prior.sum())
        after.append(prior @ stats.t.pdf((estimate.value - middle) / se, estimate.df))
    ratio = (after[0] / max(after[1] + after[2], 1e-300)) * (before[1] + before[2]) / before[0]
    return float(np.clip(ratio, LEAST, MOST))
