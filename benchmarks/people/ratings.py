"""`python -m benchmarks.people.ratings`: do the intervals from ratings contain the true value as often as they say?

Simulates surveys with ratings whose truth is known and prints the table of docs/coverage.md: the share of 95 %
intervals that hold the mean area for new participants and images, the slope of the zROC, d_a and the ROC curve itself.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.people.population.simulation import Design, Truth, simulate
from analysis.people.ratings import mrmc, roc
from analysis.people.trials import Trials
from benchmarks.people.coverage import claims_command, row
from glimpse.observers import Floats

NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(41)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True)
class Case:
    """People and images as in `simulation`, who rate their evidence by these cuts instead of cutting it once."""

    name: str
    truth: Truth
    design: Design
    cuts: tuple[float, ...] = (-1.5, -0.75, 0.0, 0.75, 1.5)
    sd_generated: float = 1.0  # of the evidence from one generated image in one trial; of a real one it is 1

    @property
    def population(self) -> tuple[float, float]:
        """SD of the evidence over people, images and trials: of real, and of generated images."""
        people = self.truth.sd_d_prime**2 / 4 + self.truth.sd_criterion**2
        return tuple(
            float(np.sqrt(people + image**2 + noise**2))
            for image, noise in ((self.truth.of_real_images, 1.0), (self.truth.sd_image, self.sd_generated))
        )  # type: ignore[return-value]

    @property
    def slope(self) -> float:
        """The slope of the zROC of all people."""
        real, generated = self.population
        return real / generated

    @property
    def d_a(self) -> float:
        """The d_a of the same people."""
        real, generated = self.population
        return self.truth.d_prime / float(np.sqrt((real**2 + generated**2) / 2))

    def hit_rate(self, false_alarm_rate: Floats) -> Floats:
        """The ROC curve of all people."""
        real, generated = self.population
        return np.asarray(stats.norm.cdf((self.truth.d_prime + real * stats.norm.ppf(false_alarm_rate)) / generated))

    @property
    def area(self) -> float:
        """The mean over people of the area under each one's curve, whose few categories leave some ties."""
        d_prime = self.truth.d_prime + self.truth.sd_d_prime * NODES[:, None]
        shift = -self.truth.criterion + self.truth.sd_criterion * NODES[None, :]
        edges = np.array([-np.inf, *self.cuts, np.inf])
        real, generated = (
            np.diff(stats.norm.cdf((edges - mean[..., None]) / np.hypot(image, noise)), axis=-1)
            for mean, image, noise in (
                (shift - d_prime / 2, self.truth.of_real_images, 1.0),
                (shift + d_prime / 2, self.truth.sd_image, self.sd_generated),
            )
        )
        area = (generated * (real.cumsum(axis=-1) - real / 2)).sum(axis=-1)
        return float(WEIGHTS @ area @ WEIGHTS)

    def draw(self, rng: np.random.Generator) -> tuple[Floats, Trials]:
        """The ratings, 0 for the surest 'real', and the trials of one survey."""
        trials = simulate(self.truth, self.design, rng)
        people, images = trials.participant.max() + 1, trials.image.max() + 1
        d_prime = rng.normal(self.truth.d_prime, self.truth.sd_d_prime, people)[trials.participant]
        shift = rng.normal(-self.truth.criterion, self.truth.sd_criterion, people)[trials.participant]
        sway = rng.normal(size=images)[trials.image]
        noise = rng.normal(size=len(trials))
        evidence = shift + np.where(
            trials.is_generated,
            d_prime / 2 + self.truth.sd_image * sway + self.sd_generated * noise,
            -d_prime / 2 + self.truth.of_real_images * sway + noise,
        )
        return np.digitize(evidence, self.cuts).astype(float), trials


FINE = tuple(np.linspace(-3, 3, 100))
EVERYTHING = Design(8, images=40, trials=40)
CASES = (
    Case("ratings, chance, 50 people", Truth(), Design(50)),
    Case("ratings, 100 people, d' = 1", Truth(1.0, 0.1), Design(100)),
    Case("ratings, spreads as published", Truth(1.0, 0.1, 0.6, 0.3, 0.64), Design(50)),
    Case("ratings, 8 readers of all 80 images", Truth(1.5, 0.0, 0.4, 0.3, 0.5), EVERYTHING),
    Case("ratings, the same near the ceiling", Truth(3.5, 0.0, 0.4, 0.3, 0.5), EVERYTHING),
    Case("ratings, generated images more varied", Truth(1.0, 0.1), Design(50), sd_generated=1.6),
    Case("ratings, 0 to 100", Truth(1.0, 0.1), Design(50), FINE),
    Case("ratings, few people and images", Truth(1.0, 0.1), Design(20, images=20)),
)


def study(case: Case, simulations: int, seed: int = 0) -> dict[str, Floats]:
    """By claim, whether each simulated survey's interval contains the true value; NaN without an interval."""
    rng = np.random.default_rng([seed, CASES.index(case)])
    area, slope, d_a, at = case.area, case.slope, case.d_a, [9, 29, 49]  # false-alarm rates of 0.1, 0.3 and 0.5
    hit_rates = case.hit_rate(roc.FALSE_ALARM_RATES)[at]
    held: dict[str, list[float]] = {}

    def note(claim: str, interval: tuple[float, float] | None, truth: float) -> None:
        inside = np.nan if interval is None else float(interval[0] <= truth <= interval[1])
        held.setdefault(f"covers: {claim}", []).append(inside)

    for _ in range(simulations):
        rating, trials = case.draw(rng)
        found, curve = mrmc.mean_area(mrmc.Rated(trials, roc.areas(rating, trials))), roc.curve(rating, trials)
        note("mean area (ratings)", found.ci95, area)
        note("slope of the zROC", curve.slope.ci95, slope)
        note("d_a", curve.d_a.ci95, d_a)
        for i, hit_rate in zip(at, hit_rates, strict=True):
            ends = (float(curve.low[i]), float(curve.high[i])) if len(curve.curve) else None
            note(f"ROC curve at {roc.FALSE_ALARM_RATES[i]:.0%} false alarms", ends, hit_rate)
    return {claim: np.array(values) for claim, values in held.items()}


def rows(simulations: int, seed: int) -> Iterator[str]:
    for case in CASES:
        for claim, held in study(case, simulations, seed).items():
            known = held[np.isfinite(held)]
            if len(known):
                yield row(case.name, claim, known) + ("" if len(known) == len(held) else " only where fitted")


def main(argv: Sequence[str] | None = None) -> int:
    return claims_command("ratings", __doc__, 1_000, rows, argv)


if __name__ == "__main__":
    sys.exit(main())
