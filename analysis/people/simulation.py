"""Simulated observers whose truth is known: for tests, coverage and power. Pure; a Generator is passed in.

The law is the one that `analysis.people.mixed` fits, a probit model with participants and images crossed:

    P(participant p calls image i 'generated') = Phi(d'_p x_i - c_p + u_i),   x_i = +1/2 generated, -1/2 real,
    d'_p ~ N(d', sd_d_prime^2),  c_p ~ N(c, sd_criterion^2),  u_i ~ N(0, sd_image^2).

The default spreads are those of people and images in Stein et al. 2023 (41 models, 100 + 100 images): SD of accuracy
.065 between people and .15 between images, SD of the criterion .20.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats

from analysis.people.trials import Trials
from glimpse.observers import Floats, Integers

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Truth:
    """The population of participants and images."""

    d_prime: float = 0.0
    criterion: float = 0.0
    sd_d_prime: float = 0.33
    sd_criterion: float = 0.20
    sd_image: float = 0.38

    @property
    def hit_rate(self) -> float:
        """Probability that a new participant calls a new generated image generated."""
        return float(stats.norm.cdf((self.d_prime / 2 - self.criterion) / self._latent_sd))

    @property
    def false_alarm_rate(self) -> float:
        """Probability that a new participant calls a new real image generated."""
        return float(stats.norm.cdf((-self.d_prime / 2 - self.criterion) / self._latent_sd))

    @property
    def accuracy(self) -> float:
        """Of a new participant on new images, half of them real."""
        return (self.hit_rate + 1 - self.false_alarm_rate) / 2

    @property
    def _latent_sd(self) -> float:
        return float(np.sqrt(1 + self.sd_d_prime**2 / 4 + self.sd_criterion**2 + self.sd_image**2))

    def with_accuracy(self, accuracy: float) -> Truth:
        """The same people and images, with the d' that gives this accuracy (strictly between 0 and 1).

        >>> round(Truth().with_accuracy(0.75).accuracy, 6)
        0.75
        """
        d_prime = optimize.brentq(lambda d: replace(self, d_prime=d).accuracy - accuracy, -20, 20)
        return replace(self, d_prime=float(d_prime))

    def guessing(self) -> Truth:
        """Nobody sees anything, no image sways anybody: answers are independent coins, biased by the criterion."""
        return replace(self, d_prime=0.0, sd_d_prime=0.0, sd_criterion=0.0, sd_image=0.0)


@dataclass(frozen=True)
class Design:
    """Numbers of participants, images and trials."""

    participants: int = 100
    images: int = 100  # of each class, to draw from
    trials: int = 10  # of each class and participant


def simulate(truth: Truth, design: Design, rng: np.random.Generator) -> Trials:
    """The answers of one simulated survey, `2 * trials * participants` of them. Images are coded real ones first.

    >>> answers = simulate(Truth(), Design(participants=3, images=5, trials=2), np.random.default_rng(0))
    >>> len(answers), int(answers.is_generated.sum())
    (12, 6)
    """
    people, images = design.participants, design.images
    d_prime = rng.normal(truth.d_prime, truth.sd_d_prime, people)
    criterion = rng.normal(truth.criterion, truth.sd_criterion, people)
    sway = rng.normal(0.0, truth.sd_image, 2 * images)
    shown = np.concatenate([_draw(design, rng), images + _draw(design, rng)], axis=1)
    participant = np.repeat(np.arange(people), 2 * design.trials)
    image = shown.ravel()
    generated = image >= images
    evidence = d_prime[participant] * (generated - 0.5) - criterion[participant] + sway[image]
    said = rng.random(len(image)) < _normal_cdf(evidence)
    return Trials(said, generated, participant, image)


def staircases(
    true_ms: Floats, rng: np.random.Generator, trials: int = 150, width: Any = 0.25, lapse: Any = 0.02,
    down: float = 10, up: float = 30,
) -> tuple[Floats, Bools, Integers]:  # fmt: skip
    """People with known 75 % thresholds, (P,), under a weighted rule: exposures in ms, right or not, people."""
    now = np.full(len(true_ms), 500.0)
    at_target = stats.norm.ppf((0.75 - 0.5) / (0.5 - lapse))
    exposures, answers = [], []
    for _ in range(trials):
        chance = 0.5 + (0.5 - lapse) * _normal_cdf(np.log10(now / true_ms) / width + at_target)
        right = rng.random(len(now)) < chance
        exposures.append(now)
        answers.append(right)
        now = np.clip(now + np.where(right, -down, up), 50, 1000)
    return np.concatenate(exposures), np.concatenate(answers), np.tile(np.arange(len(true_ms)), trials)


def _draw(design: Design, rng: np.random.Generator) -> Integers:
    """For each participant `trials` different images of one class, (participants, trials)."""
    if design.trials == design.images:
        return np.tile(np.arange(design.images), (design.participants, 1))
    keys = rng.random((design.participants, design.images))
    return np.argpartition(keys, design.trials, axis=1)[:, : design.trials]


def _normal_cdf(x: Floats) -> Floats:
    return np.asarray(stats.norm.cdf(x), np.float64)
