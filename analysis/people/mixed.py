"""The population's d' and criterion: a probit model with participants and images crossed.

    P(p calls i 'generated') = Phi(d'_p x_i - c_p + u_i),  x_i = +1/2 generated, -1/2 real

The mean of the participants' own d' is biased (20 trials cap it near 3.4, and averaging over images of different
difficulty shrinks it); the slope of this model is the d' of a typical participant on typical images. gpboost fits the
spreads sd(d'_p), sd(c_p), sd(u_i) (Laplace approximation). Given these the model's marginal law is exact,

    z(H) = (d'/2 - c) / s,   z(F) = (-d'/2 - c) / s,   s^2 = 1 + sd_c^2 + sd_d'^2 / 4 + sd_u^2,

so d' and c follow from the pooled rates, with the two-way clustered variance of `inference` times s^2 and what
the doubt about s adds. That keeps every answer where the fit takes a sample of the participants, and its intervals hold
where the standard errors of the fit do not: gpboost 1.8's are sometimes missing and, with thousands of participants,
wrong (docs/statistics.md).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import stats

from analysis.people.inference import Estimate, estimate
from analysis.people.simulation import Truth
from analysis.people.trials import Trials
from glimpse import observers

MOST_PARTICIPANTS = 1_000  # the spreads are fitted on a random sample of so many; more cost seconds and tell no more
METHOD = "mixed probit model, participants and images crossed (spreads by gpboost), two-way clustered t interval"


@dataclass(frozen=True)
class MixedModel:
    """The model's estimates for the population; missing ones are None, with the reason in the notes."""

    d_prime: Estimate
    criterion: Estimate
    sd_d_prime: float | None = None
    sd_criterion: float | None = None
    sd_image: float | None = None

    def truth(self) -> Truth | None:
        """The population as one to simulate from, for planning a study; None where the model could not be fitted."""
        if self.d_prime.value is None or self.criterion.value is None or self.sd_image is None:
            return None
        return Truth(
            self.d_prime.value, self.criterion.value, self.sd_d_prime or 0.0, self.sd_criterion or 0.0, self.sd_image
        )


def fit(trials: Trials, seed: int = 0) -> MixedModel:
    """The population's d' and criterion with 95 % intervals for new participants and new images."""
    reason = _hindrance(trials)
    if reason:
        return MixedModel(Estimate(None, note=reason), Estimate(None, note=reason))
    sample = _sample(trials, seed)
    try:
        variances = _variances(sample)
    except (ImportError, OSError) as error:  # no wheel for this machine, or no OpenMP library (Debian: libgomp1)
        reason = f"gpboost cannot be loaded here ({str(error).partition(chr(10))[0] or type(error).__name__})"
        return MixedModel(Estimate(None, note=reason), Estimate(None, note=reason))
    total = trials.counts().total()
    z_hit = float(observers.z(observers.hit_rate(total))[0])
    z_false_alarm = float(observers.z(observers.false_alarm_rate(total))[0])
    scale = float(np.sqrt(1 + sum(variances)))
    uncertainty = _variance_of_scale(sample, variances, scale, (z_hit, z_false_alarm))
    hits, false_alarms = _influence(trials, True, z_hit), _influence(trials, False, z_false_alarm)
    d_prime = _scaled(z_hit - z_false_alarm, hits - false_alarms, trials, scale, uncertainty)
    criterion = _scaled(-(z_hit + z_false_alarm) / 2, -(hits + false_alarms) / 2, trials, scale, uncertainty)
    sd_criterion, half_sd_d_prime, sd_image = (float(np.sqrt(v)) for v in variances)
    return MixedModel(d_prime, criterion, 2 * half_sd_d_prime, sd_criterion, sd_image)


def _scaled(value: float, influence: Any, trials: Trials, scale: float, uncertainty: float) -> Estimate:
    """`value` of the marginal law times the scale, with the variance of both."""
    found = estimate(scale * value, scale * influence, trials, method=METHOD)
    if found.se is None or found.df is None or found.value is None:
        return found
    se = float(np.sqrt(found.se**2 + value**2 * uncertainty))
    half = float(stats.t.ppf(0.975, found.df)) * se
    return replace(found, se=se, ci95=(found.value - half, found.value + half))


def _variance_of_scale(
    trials: Trials, variances: tuple[float, float, float], scale: float, z: tuple[float, float]
) -> float:
    """Variance of the estimate of s: each variance is known about as well as that of as many noisy normal numbers.

    For G participants or images with n answers each that is 2 (spread + noise)^2 / (G - 1), where noise = s^2 / (n w)
    and w = phi(z)^2 / (p (1 - p)) is what one answer tells of z.
    """
    rates = stats.norm.cdf(z)
    noise = scale**2 / float(np.mean(stats.norm.pdf(z) ** 2 / (rates * (1 - rates))))
    people, images = len(np.unique(trials.participant)), len(np.unique(trials.image))
    groups = (people, people, max(images - 1, 2))
    errors = (2 * (v + noise * g / len(trials)) ** 2 / (g - 1) for v, g in zip(variances, groups, strict=True))
    return sum(errors) / (4 * scale**2)


def _hindrance(trials: Trials) -> str:
    """The reason why the model cannot be fitted, or an empty string."""
    generated = trials.is_generated
    if generated.all() or not generated.any():
        return f"no {'real' if generated.all() else 'generated'} image was shown"
    if len(np.unique(trials.participant)) < 2:
        return "one participant: no population to speak of"
    for truth, name in ((True, "generated"), (False, "real")):
        share = trials.said_generated[generated == truth].mean()
        if share in (0.0, 1.0):
            return f"every {name} image got the same answer: d' is beyond what these answers can measure"
    return ""


def _influence(trials: Trials, truth: bool, z: float) -> Any:
    """Influence of each answer on z of its class's pooled rate, (n,)."""
    rows = trials.is_generated == truth
    rate = stats.norm.cdf(z)
    return np.where(rows, (trials.said_generated - rate) / (rows.sum() * stats.norm.pdf(z)), 0.0)


def _sample(trials: Trials, seed: int) -> Trials:
    people = np.unique(trials.participant)
    if len(people) <= MOST_PARTICIPANTS:
        return trials
    chosen = np.random.default_rng(seed).choice(people, MOST_PARTICIPANTS, replace=False)
    return trials.where(np.isin(trials.participant, chosen))


def _variances(trials: Trials) -> tuple[float, float, float]:
    """The variances of the participants' criteria, of half their d', and of the images: together s^2 - 1."""
    import gpboost

    # What it says of its optimiser goes to a logger, not to the screen: it stops at the same optimum with a looser end.
    gpboost.register_logger(logging.getLogger("gpboost"))
    side = trials.is_generated - 0.5
    model = gpboost.GPModel(
        group_data=np.column_stack([trials.participant, trials.image]),
        group_rand_coef_data=side[:, None],
        ind_effect_group_rand_coef=[1],
        likelihood="bernoulli_probit",
        num_parallel_threads=1,
    )
    fixed = np.column_stack([np.ones(len(side)), side])
    model.fit(y=trials.said_generated.astype(float), X=fixed, params={"delta_rel_conv": 1e-5})
    people, images, slopes = (float(v) for v in np.asarray(model.get_cov_pars(), float).ravel()[:3])
    return max(people, 0.0), max(slopes, 0.0) / 4, max(images, 0.0)
