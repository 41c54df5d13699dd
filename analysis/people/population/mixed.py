"""The population's d' and criterion: a probit model with participants and images crossed.

    P(p calls i 'generated') = Phi(d'_p x_i - c_p + u_i),  x_i = +1/2 generated, -1/2 real

The mean of the participants' own d' is biased (20 trials cap it near 3.4, and averaging over images of different
difficulty shrinks it); the slope of this model is the d' of a typical participant on typical images. `spreads` fits
sd(d'_p), sd(c_p) and the images' spreads, one for each class. Given these, the marginal rates are exact:

    z(H) = (d'/2 - c) / s_generated,   z(F) = (-d'/2 - c) / s_real,   s_class^2 = 1 + sd_c^2 + sd_d'^2 / 4 + sd_class^2,

so d' and c follow from the participants' mean rates. Their variance is the two-way clustered one of `estimate` times
s^2, plus that from the uncertainty of s. All answers enter the rates, even if the spreads are fitted to a sample of the
participants. A lapse (an answer given without looking) counts as inability: two answers cannot tell them apart.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from analysis.people.estimation.estimate import Estimate, estimate
from analysis.people.inference import mean_of_people
from analysis.people.population import spreads
from analysis.people.population.simulation import Truth
from analysis.people.population.spreads import Spreads
from analysis.people.trials import Trials

METHOD = "mixed probit model, participants and images crossed (penalised spreads), two-way clustered t interval"


@dataclass(frozen=True)
class MixedModel:
    """The model's estimates for the population; missing ones have no value, but the reason in `note`."""

    d_prime: Estimate
    criterion: Estimate
    spreads: Spreads | None = None

    def truth(self) -> Truth | None:
        """The population as one to simulate from, for planning a study; None where the model could not be fitted."""
        if self.d_prime.value is None or self.criterion.value is None or self.spreads is None:
            return None
        found = self.spreads
        return Truth(
            self.d_prime.value, self.criterion.value, found.d_prime, found.criterion, found.generated, found.real
        )

    def spreads_by_name(self) -> dict[str, float | None]:
        """The spreads as scores.json names them; `images` is the root mean square of the two classes' spreads."""
        names = "participants_d_prime", "participants_criterion", "images", "images_real", "images_generated"
        found = self.spreads
        if found is None:
            return dict.fromkeys(names)
        return dict(
            zip(names, (found.d_prime, found.criterion, found.images, found.real, found.generated), strict=True)
        )


def fit(trials: Trials, seed: int = 0) -> MixedModel:
    """The population's d' and criterion with 95 % intervals for new participants and new images.

    For people who all have d' = 1 and no preference for an answer, and images that do not differ:

    >>> from analysis.people.population.simulation import Design, Truth, simulate
    >>> people = Truth(d_prime=1.0, sd_d_prime=0.0, sd_criterion=0.0, sd_image=0.0)
    >>> found = fit(simulate(people, Design(participants=24, images=12, trials=12), np.random.default_rng(0)))
    >>> abs(found.d_prime.value - 1) < 2 * found.d_prime.se < 0.5
    True
    >>> fit(Trials.from_labels([1, 1], [1, 1], [0, 1], [0, 1])).d_prime.note
    'no real image was shown'
    """
    reason = _why_not_fitted(trials)
    if reason:
        return MixedModel(Estimate(None, note=reason), Estimate(None, note=reason))
    found = spreads.fit_spreads(trials, seed)
    z, influences = zip(*(z_of(trials, truth) for truth in (True, False)), strict=True)
    scales = found.scale(True), found.scale(False)

    def combined(weight_hit: float, weight_false_alarm: float) -> Estimate:
        """The sum of both classes' z, each times its scale and its weight."""
        hit, false_alarm = weight_hit * scales[0], weight_false_alarm * scales[1]
        value = round(hit * z[0] + false_alarm * z[1], 5) + 0.0  # the search for the spreads is no more exact
        influence = hit * influences[0] + false_alarm * influences[1]
        doubt = found.variance_of(weight_hit * z[0], weight_false_alarm * z[1])
        return with_added_variance(estimate(value, influence, trials, method=METHOD), doubt)

    return MixedModel(combined(1.0, -1.0), combined(-0.5, -0.5), found)


def with_added_variance(found: Estimate, variance: float) -> Estimate:
    """The estimate with a further variance, such as that from the uncertainty of the spreads.

    >>> found = with_added_variance(Estimate(1.0, se=0.3, df=1e9), 0.4**2)
    >>> round(found.se, 6), [round(end, 2) for end in found.ci95]  # 0.3 and 0.4: 0.5
    (0.5, [0.02, 1.98])
    """
    if found.se is None or found.df is None or found.value is None:
        return found
    se = float(np.sqrt(found.se**2 + variance))
    half = float(stats.t.ppf(0.975, found.df)) * se
    return replace(found, se=se, ci95=(found.value - half, found.value + half))


def _why_not_fitted(trials: Trials) -> str:
    """The reason why the model cannot be fitted, or an empty string."""
    generated = trials.is_generated
    if generated.all() or not generated.any():
        return f"no {'real' if generated.all() else 'generated'} image was shown"
    if trials.people[1] < 2:
        return "one participant: no population can be estimated"
    shares = np.bincount(trials.participant, trials.said_generated) / np.maximum(np.bincount(trials.participant), 1)
    if np.isin(shares, (0.0, 1.0)).all():
        return "no participant gave both answers, so that preferences and d' cannot be told apart"
    for truth, name in ((True, "generated"), (False, "real")):
        share = trials.said_generated[generated == truth].mean()
        if share in (0.0, 1.0):
            return f"every {name} image got the same answer: d' is beyond what these answers can measure"
        if _people_agree(trials.where(generated == truth)):
            return f"people agree on every {name} image: how much images differ is beyond these answers"
    return ""


def _people_agree(trials: Trials) -> bool:
    """Whether each image that several people judged got one answer, some images 'real' and some 'generated'."""
    image = trials.images[0]
    answers, said = np.bincount(image), np.bincount(image, trials.said_generated)
    share = (said / answers)[answers > 1]
    return bool(len(share) and share.min() == 0 and share.max() == 1 and np.isin(share, (0, 1)).all())


def z_of(trials: Trials, truth: bool) -> tuple[float, Any]:
    """z of the participants' mean rate of 'generated' in one class, and the influence of each answer on it, (n,).

    >>> z_of(Trials.from_labels([1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 1, 2]), truth=True)[0]  # a mean rate of one half
    0.0
    """
    rows, influence = trials.is_generated == truth, np.zeros(len(trials))
    rate, moves = mean_of_people(trials.said_generated[rows], trials.participant[rows])
    z = float(stats.norm.ppf(rate))
    influence[rows] = moves / stats.norm.pdf(z)
    return z, influence
