"""`python -m benchmarks.people.groups`: coverage of the comparisons of groups of participants.

Simulates surveys in which two groups of people judge the same images, with an age that goes with the group and, in some
cases, with ability. Prints a table of docs/coverage.md: the share of 95 % intervals of the differences that contain the
true value (where the groups are alike, the rest are false alarms).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.people.between.groups import MEASURES, compare
from analysis.people.population.simulation import Truth
from analysis.people.trials import Trials, join
from benchmarks.people.coverage import claims_command, row
from glimpse.observers import Floats, Integers


@dataclass(frozen=True)
class Case:
    """A survey of two groups, such as experts and lay people."""

    name: str
    people: tuple[int, int] = (20, 60)
    d_primes: tuple[float, float] = (1.0, 1.0)
    images: int = 60  # of each class
    trials: int = 10  # of each class and participant
    age: float = 0.0  # d' for each SD of age; the second group is half an SD older
    sd_d_prime: float = 0.6
    sd_criterion: float = 0.3
    sd_image: float = 0.6

    def truth(self, measure: str) -> float:
        """The true difference, first - second."""
        first, second = self.d_primes
        aged = second if measure == "adjusted" else second + self.age / 2
        if measure == "d_prime":
            return first - aged
        sd = float(np.hypot(self.sd_d_prime, self.age))
        accuracies = (Truth(d, 0.1, sd, self.sd_criterion, self.sd_image).accuracy for d in (first, aged))
        return next(accuracies) - next(accuracies)


CASES = (
    Case("two groups alike"),
    Case("two groups alike, 8 and 100 people", (8, 100)),
    Case("two groups alike, 5 and 5 people, 40 trials", (5, 5), trials=20, images=100),
    Case("two groups alike, 10 images per class", images=10),
    Case("d' = 1.5 and 0.8", d_primes=(1.5, 0.8)),
    Case("d' = 3 and 2", d_primes=(3.0, 2.0)),
    Case("alike at equal age, the second group older", age=0.5),
)


def simulate(case: Case, rng: np.random.Generator) -> tuple[Trials, Integers, Floats]:
    """The answers, each participant's group, and their ages as a column."""
    sway, found, ages, first = rng.normal(0, case.sd_image, 2 * case.images), [], [], 0
    for at, (people, d_prime) in enumerate(zip(case.people, case.d_primes, strict=True)):
        age = rng.normal(at / 2, 1, people)
        able = d_prime + case.age * age + rng.normal(0, case.sd_d_prime, people)
        biased = 0.1 + rng.normal(0, case.sd_criterion, people)
        drawn = [np.argsort(rng.random((people, case.images)), axis=1)[:, : case.trials] for _ in range(2)]
        image = np.concatenate([drawn[0], case.images + drawn[1]], axis=1)
        generated = image >= case.images
        evidence = able[:, None] * (generated - 0.5) - biased[:, None] + sway[image]
        said = rng.random(image.shape) < stats.norm.cdf(evidence)
        person = np.repeat(np.arange(people) + first, image.shape[1])
        found.append(Trials(said.ravel(), generated.ravel(), person, image.ravel()))
        ages.append(age)
        first += people
    return join(found), np.repeat([0, 1], case.people), np.concatenate(ages)[:, None]


def held(case: Case, seed: int) -> dict[str, bool]:
    """Whether each measure's interval contains the true value in one simulated survey."""
    trials, group, age = simulate(case, np.random.default_rng(seed))
    found = compare(trials, group, ("first", "second"), age, seed)
    intervals = {measure: found.pairs[measure][0].difference.ci95 for measure in MEASURES}
    return {m: ends is not None and ends[0] <= case.truth(m) <= ends[1] for m, ends in intervals.items()}


def rows(simulations: int, seed: int) -> Iterator[str]:
    """The table's rows."""
    for number, case in enumerate(CASES):
        each = [held(case, seed + 100_000 * number + k) for k in range(simulations)]
        for measure, name in MEASURES.items():
            yield row(case.name, name, np.array([one[measure] for one in each], float))


def main(argv: Sequence[str] | None = None) -> int:
    return claims_command("groups", __doc__, 400, rows, argv)


if __name__ == "__main__":
    sys.exit(main())
