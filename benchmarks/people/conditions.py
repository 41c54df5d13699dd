"""`python -m benchmarks.people.conditions`: coverage of comparisons of conditions that share real images.

Simulates surveys in which every participant judges the same real images and those of several generators, and prints a
table of docs/coverage.md: the share of 95 % intervals of the paired differences that contain the true value, of surveys
with a false alarm among the pairs that are alike, and of rankings whose places hold the true ones.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.people import conditions
from analysis.people.conditions import Conditions
from analysis.people.trials import Trials, join
from benchmarks.people.coverage import claims_command, row
from glimpse.observers import Floats


@dataclass(frozen=True)
class Case:
    """A survey with one generator for each entry of `d_primes`."""

    name: str  # seeds the surveys: after a change, run its rows in docs/coverage.md again
    d_primes: tuple[float, ...]
    people: int = 60
    images: int = 60  # real ones, and of each generator
    trials: int = 8  # of each of these and participant, if there are as many images
    last: int | None = None  # images of the last generator, if other than `images`
    sd_d_prime: float = 0.6
    sd_criterion: float = 0.3
    sd_image: float = 0.64
    sd_taste: float = 0.0  # how much participants differ in how well they see through one generator and not another
    criterion: float = 0.1  # for the first generator

    @property
    def means(self) -> Floats:
        """Mean evidence for 'generated' of real images, then of each generator's."""
        real = -self.d_primes[0] / 2 - self.criterion
        return real + np.array([0.0, *self.d_primes])

    @property
    def rates(self) -> Floats:
        """Probability that a new participant calls a new image 'generated': a real one, then one of each generator."""
        people = 1 + self.sd_criterion**2 + self.sd_d_prime**2 / 4 + self.sd_image**2
        taste = np.append(0.0, np.full(len(self.d_primes), self.sd_taste**2))
        return np.asarray(stats.norm.cdf(self.means / np.sqrt(people + taste)), np.float64)

    def truth(self, measure: str, first: int, second: int) -> float:
        """The true difference between two conditions."""
        if measure == "d_prime":
            return self.d_primes[first] - self.d_primes[second]
        gap = float(self.rates[1 + first] - self.rates[1 + second])
        return gap / 2 if measure == "balanced_accuracy" else -gap


CASES = (
    Case("two generators alike", (1.0, 1.0)),
    Case("two generators alike, 12 people", (1.0, 1.0), people=12, trials=20),
    Case("two generators alike, 10 images each", (1.0, 1.0), images=10),
    Case("two generators alike, 60 and 5 images", (1.0, 1.0), last=5),
    Case("two generators alike, 20 and 4 images, all judged", (1.0, 1.0), images=20, trials=20, last=4),
    Case("d' = 1.5 and 0.5", (1.5, 0.5)),
    Case("d' = 3 and 2", (3.0, 2.0)),
    Case("three generators, d' = 1, 1 and 0.4", (1.0, 1.0, 0.4)),
    Case("each person sees through another generator", (1.0, 1.0), sd_taste=0.4),
)


def simulate(case: Case, rng: np.random.Generator) -> dict[str, Trials]:
    """The answers of one survey, by condition; each holds the shared answers to the real images."""
    people, kinds = case.people, len(case.d_primes) + 1
    biased, able = rng.normal(0, case.sd_criterion, people), rng.normal(0, case.sd_d_prime / 2, people)
    taste = rng.normal(0, case.sd_taste, (kinds, people)) if case.sd_taste else np.zeros((kinds, people))
    answers = []
    for kind in range(kinds):
        images = case.last if case.last and kind == kinds - 1 else case.images
        sway = rng.normal(0, case.sd_image, images)
        image = np.argsort(rng.random((people, images)), axis=1)[:, : case.trials].ravel()
        person = np.repeat(np.arange(people), min(case.trials, images))
        own = biased + (able + taste[kind] if kind else -able)
        evidence = case.means[kind] + own[person] + sway[image]
        said = rng.normal(size=len(image)) < evidence
        answers.append(Trials(said, np.full(len(image), kind > 0), person, image + kind * case.images))
    real = answers[0]
    return {f"generator {k}": join([real, answers[k]]) for k in range(1, kinds)}


def study(case: Case, simulations: int, seed: int = 0) -> dict[str, Floats]:
    """For each claim an array of truth values, one for each simulated survey and pair."""
    rng = np.random.default_rng([seed, *case.name.encode()])
    held: dict[str, list[bool]] = {}
    for _ in range(simulations):
        for claim, values in claims(case, conditions.compare(simulate(case, rng))).items():
            held.setdefault(claim, []).extend(values)
    return {claim: np.array(values, float) for claim, values in held.items()}


def claims(case: Case, found: Conditions) -> dict[str, list[bool]]:
    """The claims of one survey and whether each is true."""
    held: dict[str, list[bool]] = {}
    for measure, pairs in found.pairs.items():
        alarms = []
        for pair in pairs:
            first, second = found.names.index(pair.first), found.names.index(pair.second)
            true, (low, high) = case.truth(measure, first, second), pair.difference.ci95 or (np.nan, np.nan)
            held.setdefault(f"covers: difference in {conditions.MEASURES[measure]}", []).append(low <= true <= high)
            if true == 0:
                alarms.append((pair.p_holm if pair.p_holm is not None else 1.0) < conditions.LEVEL)
        if alarms:
            held[f"false alarm: difference in {conditions.MEASURES[measure]}"] = [any(alarms)]
    if found.ranking is not None:
        rates, ranking = case.rates[1:], found.ranking
        place = 1 + (rates[None] < rates[:, None]).sum(axis=1)
        within = (ranking.lowest <= place) & (place <= ranking.highest)
        held["all places within those left open"] = [bool(within.all())]
    return held


def rows(simulations: int, seed: int) -> Iterator[str]:
    for case in CASES:
        for claim, values in study(case, simulations, seed).items():
            yield row(case.name, claim, values)


def main(argv: Sequence[str] | None = None) -> int:
    return claims_command("conditions", __doc__, 400, rows, argv)


if __name__ == "__main__":
    sys.exit(main())
