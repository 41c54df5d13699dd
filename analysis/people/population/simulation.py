"""Simulated observers with known parameters, for tests, coverage and power.

The model is the one that `analysis.people.population.mixed` fits, probit with participants and images crossed:

    P(participant p calls image i 'generated') = Phi(d'_p x_i - c_p + u_i),   x_i = +1/2 generated, -1/2 real,
    d'_p ~ N(d', sd_d_prime^2),  c_p ~ N(c, sd_criterion^2),  u_i ~ N(0, sd_image^2).

The default spreads are moderate, for tests and coverage; `planning` has those of published surveys.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize, stats

from analysis.people.trials import Trials
from glimpse.observers import Integers


@dataclass(frozen=True)
class Truth:
    """The population of participants and images.

    >>> truth = Truth(d_prime=2.0, sd_d_prime=0.0, sd_criterion=0.0, sd_image=0.0)
    >>> round(truth.hit_rate, 4), round(truth.false_alarm_rate, 4), truth.guessing().accuracy  # Phi(1), Phi(-1)
    (0.8413, 0.1587, 0.5)
    """

    d_prime: float = 0.0
    criterion: float = 0.0
    sd_d_prime: float = 0.33
    sd_criterion: float = 0.20
    sd_image: float = 0.38
    sd_real: float | None = None  # that of the real images, where it differs from that of the generated ones

    @property
    def hit_rate(self) -> float:
        """Probability that a new participant calls a new generated image generated."""
        return float(stats.norm.cdf((self.d_prime / 2 - self.criterion) / self._latent_sd(self.sd_image)))

    @property
    def false_alarm_rate(self) -> float:
        """Probability that a new participant calls a new real image generated."""
        return float(stats.norm.cdf((-self.d_prime / 2 - self.criterion) / self._latent_sd(self.of_real_images)))

    @property
    def accuracy(self) -> float:
        """Expected accuracy of a new participant on new images, half of them real."""
        return (self.hit_rate + 1 - self.false_alarm_rate) / 2

    @property
    def of_real_images(self) -> float:
        """SD of the real images."""
        return self.sd_image if self.sd_real is None else self.sd_real

    def _latent_sd(self, sd_image: float) -> float:
        return float(np.sqrt(1 + self.sd_d_prime**2 / 4 + self.sd_criterion**2 + sd_image**2))

    def with_accuracy(self, accuracy: float) -> Truth:
        """The same people and images, with the d' that gives this accuracy (strictly between 0 and 1).

        >>> round(Truth().with_accuracy(0.75).accuracy, 6)
        0.75
        """
        d_prime = optimize.brentq(lambda d: replace(self, d_prime=d).accuracy - accuracy, -20, 20)
        return replace(self, d_prime=float(d_prime))

    def guessing(self) -> Truth:
        """The population with the same criterion whose answers are independent guesses: d' and all spreads are 0."""
        return replace(self, d_prime=0.0, sd_d_prime=0.0, sd_criterion=0.0, sd_image=0.0, sd_real=None)


@dataclass(frozen=True)
class Design:
    """Numbers of participants, images and trials."""

    participants: int = 100
    images: int = 100  # of each class, to draw from
    trials: int = 10  # of each class and participant
    real_images: int | None = None  # where there are more or fewer real images than generated ones
    real_trials: int | None = None

    @property
    def by_class(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Images and trials of real, then of generated images.

        >>> Design(images=100, trials=10, real_images=50).by_class
        ((50, 10), (100, 10))
        """
        real = self.images if self.real_images is None else self.real_images
        return (real, self.trials if self.real_trials is None else self.real_trials), (self.images, self.trials)


def simulate(truth: Truth, design: Design, rng: np.random.Generator) -> Trials:
    """The answers of one simulated survey. Images are coded real ones first.

    >>> answers = simulate(Truth(), Design(participants=3, images=5, trials=2), np.random.default_rng(0))
    >>> len(answers), int(answers.is_generated.sum())
    (12, 6)
    """
    return simulate_sets([truth], design, rng)[0]


def simulate_sets(truths: Sequence[Truth], design: Design, rng: np.random.Generator) -> list[Trials]:
    """The answers of the same people to several sets of different images, each simulated as by `simulate`.

    A participant deviates from the mean d' and criterion by as many SDs in each set.

    >>> design = Design(participants=2, images=4, trials=1)
    >>> one, other = simulate_sets([Truth(), Truth()], design, np.random.default_rng(0))
    >>> sorted({*one.participant, *other.participant}) == [0, 1], set(one.image) & set(other.image)
    (True, set())
    """
    people, found, first = design.participants, [], 0
    able, biased = rng.normal(size=(2, people))
    (real, _), (generated, _) = design.by_class
    for truth in truths:
        sway = rng.normal(0.0, np.repeat([truth.of_real_images, truth.sd_image], [real, generated]))
        shown = [_draw(people, images, trials, rng) for images, trials in design.by_class]
        image = np.concatenate([shown[0], real + shown[1]], axis=1).ravel()
        participant = np.repeat(np.arange(people), len(image) // people)
        is_generated = image >= real
        d_prime = truth.d_prime + truth.sd_d_prime * able[participant]
        criterion = truth.criterion + truth.sd_criterion * biased[participant]
        said = rng.random(len(image)) < stats.norm.cdf(d_prime * (is_generated - 0.5) - criterion + sway[image])
        found.append(Trials(said, is_generated, participant, first + image))
        first += real + generated
    return found


def _draw(people: int, images: int, trials: int, rng: np.random.Generator) -> Integers:
    """For each participant `trials` different images of one class, (people, trials)."""
    if trials == images:
        return np.tile(np.arange(images), (people, 1))
    return np.argpartition(rng.random((people, images)), trials, axis=1)[:, :trials]
