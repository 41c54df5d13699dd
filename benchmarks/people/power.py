"""`python -m benchmarks.people.power`: does a survey of the size that `analysis.power` plans have the promised power?

For each regime it plans a survey, simulates surveys of the planned size with a simulator that is independent of
`analysis.people.population.simulation` (evidence with noise against a criterion, answer by answer), and prints the
share that comes to the verdict. docs/coverage.md holds the table.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.people import equivalence, inference, significance
from analysis.people.population.simulation import Design, Truth
from analysis.people.trials import Trials
from analysis.planning import MILD, PUBLISHED, STRONG, Plan, always, claim, needed, power_table
from glimpse.command_line import program, run_command

TARGET = 0.8


@dataclass(frozen=True)
class Regime:
    """A population, a design, the sizes to plan among, and the difference between two sets where that is the claim."""

    name: str
    truth: Truth
    design: Design
    sizes: Sequence[int] = (50, 75, 100, 150, 200, 300)
    difference: float | None = None

    @property
    def plan(self) -> Plan:
        wanted = claim(self.truth, 0.05) if self.difference is None else "different"
        return Plan(always(self.truth), self.design, wanted, 0.05, self.difference)


FEW = (5, 8, 10, 12, 15, 20, 30)
REGIMES = (
    Regime("cannot tell, spreads of Stein et al. 2023", PUBLISHED, Design()),
    Regime("cannot tell, smallest published spreads", MILD, Design()),
    Regime("cannot tell, largest published spreads, 200 images per class", STRONG, Design(images=200)),
    Regime("cannot tell, 20 trials and 200 images per class", PUBLISHED, Design(images=200, trials=20),
           (25, 50, 75, 100, 150)),
    Regime("detectable, 65 % right, 8 to 15 people", PUBLISHED.with_accuracy(0.65), Design(), FEW),
    Regime("detectable, 60 % right, largest published spreads", STRONG.with_accuracy(0.6), Design(),
           (15, 25, 40, 60, 90)),
    Regime("detectable, 65 % right, 20 real and 200 generated images", PUBLISHED.with_accuracy(0.65),
           Design(images=200, real_images=20), (5, 8, 12, 20, 30, 50)),
    Regime("detectable, 60 % right, 5 real and 15 generated trials", PUBLISHED.with_accuracy(0.6),
           Design(trials=15, real_trials=5), (8, 12, 20, 30, 50, 80)),
    Regime("detectable, 65 % right, images' SD 1.5", replace(PUBLISHED, sd_image=1.5).with_accuracy(0.65), Design(),
           (5, 8, 12, 20, 30, 50)),
    Regime("a difference of 0.1 between two sets", PUBLISHED.with_accuracy(0.6), Design(),
           (15, 25, 40, 60, 90, 140), 0.1),
)  # fmt: skip


def answers(truths: Sequence[Truth], design: Design, rng: np.random.Generator) -> list[Trials]:
    """One survey of one or two sets: a participant says 'generated' when the noisy evidence exceeds their criterion."""
    sets, people = [], rng.standard_normal((design.participants, 2))
    for number, truth in enumerate(truths):
        said, is_generated, participant, image = [], [], [], []
        for kind, (images, trials) in enumerate(design.by_class):
            sway = rng.normal(0, truth.sd_image if kind or truth.sd_real is None else truth.sd_real, images)
            for person, (able, biased) in enumerate(people):
                shown = rng.permutation(images)[:trials]
                d_prime, criterion = (
                    truth.d_prime + truth.sd_d_prime * able,
                    truth.criterion + truth.sd_criterion * biased,
                )
                evidence = (d_prime / 2 if kind else -d_prime / 2) + sway[shown] + rng.standard_normal(trials)
                said.append(evidence > criterion)
                is_generated.append(np.full(trials, bool(kind)))
                participant.append(np.full(trials, person))
                image.append(1_000_000 * number + 100_000 * kind + shown)
        sets.append(Trials(*(np.concatenate(column) for column in (said, is_generated, participant, image))))
    return sets


def found(regime: Regime, participants: int, surveys: int, rng: np.random.Generator) -> float:
    """The share of surveys of this size that come to the verdict that the plan is for."""
    design, hits = replace(regime.design, participants=participants), 0
    for _ in range(surveys):
        if regime.difference is None:
            accuracy = inference.balanced_accuracy(answers([regime.truth], design, rng)[0])
            hits += equivalence.verdict(accuracy, participants).code == regime.plan.claim
        else:
            other = regime.truth.with_accuracy(regime.truth.accuracy + regime.difference)
            one, two = answers([regime.truth, other], design, rng)
            (pair,) = significance.compare_sets({"one": one, "two": two})
            hits += pair.p is not None and pair.p < 0.05
    return hits / surveys


def check(regime: Regime, simulations: int, seed: int = 0) -> tuple[int | None, float, float]:
    """The planned number of participants, the power found there, and the standard error of the comparison.

    The plan's own simulations at that number, four times as many as at the others, are part of the error.
    """
    table = power_table(regime.plan, regime.sizes, simulations, seed, TARGET)
    size = needed(table, regime.plan.claim, TARGET)
    if size is None:
        return None, np.nan, np.nan
    surveys = 4 * simulations
    share = found(regime, size, surveys, np.random.default_rng([seed, 1]))
    return size, share, float(np.sqrt(2 * TARGET * (1 - TARGET) / surveys))


def main(argv: Sequence[str] | None = None) -> int:
    parser = program("python -m benchmarks.people.power", __doc__ or "", workspace=False)
    parser.add_argument("--simulations", type=int, default=400, metavar="N", help="simulated surveys for each size")
    parser.add_seed("the simulations")
    args = parser.parse_args(argv)
    return run_command(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    print("| regime | participants for 80 % | power found | error of the comparison |\n| --- | --- | --- | --- |")
    for regime in REGIMES:
        size, share, error = check(regime, args.simulations, args.seed)
        print(f"| {regime.name} | {size} | {share:.1%} | {error:.1%} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
