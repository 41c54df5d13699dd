"""`python -m benchmarks.people.coverage`: does each interval of the report contain the true value as often as it says?

Simulates surveys whose truth is known and prints the table of docs/statistics.md: the share of 95 % intervals that
contain the true value, and the share of false verdicts with the true accuracy at chance and exactly on the bound. The
report's estimator is compared with two alternatives: participants alone, and the plain two-way bootstrap.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from analysis.people import dependence, equivalence, inference, sequential, significance, thresholds
from analysis.people import image_rates as images
from analysis.people.population import mixed
from analysis.people.population.simulation import Design, Truth, simulate
from analysis.people.scores import times as response_times
from analysis.people.trials import Trials
from analysis.section import AnalysisError
from analysis.sections import people_and_metrics
from benchmarks.people.staircases import staircases
from glimpse import observers
from glimpse.command_line import program, run_command
from glimpse.observers import Floats

BOUND = 0.05
CROWD = Truth(criterion=0.1)
VARIED = Truth(criterion=0.1, sd_d_prime=0.6, sd_criterion=0.3, sd_image=0.64)  # as in published surveys
PEOPLE = Truth(sd_d_prime=1.0, sd_criterion=0.5, sd_image=0.0).with_accuracy(0.7)  # a sequence is for given images
BOOTSTRAP_DRAWS = 200  # per survey


@dataclass(frozen=True)
class Case:
    """A truth and a design."""

    name: str  # seeds the surveys: after a change, run its rows in docs/coverage.md again
    truth: Truth
    design: Design


CASES = (
    Case("chance, independent answers", CROWD.guessing(), Design(100)),
    Case("chance, 50 people", CROWD.with_accuracy(0.5), Design(50)),
    Case("chance, 150 people", CROWD.with_accuracy(0.5), Design(150)),
    Case("on the upper bound", CROWD.with_accuracy(0.5 + BOUND), Design(100)),
    Case("on the upper bound, 300 people", CROWD.with_accuracy(0.5 + BOUND), Design(300)),
    Case("on the lower bound", CROWD.with_accuracy(0.5 - BOUND), Design(100)),
    Case("on the bound, 10 images per class", CROWD.with_accuracy(0.5 + BOUND), Design(150, images=10)),
    Case("detectable, d' = 1.5", Truth(1.5, 0.1), Design(100)),
    Case("plain, d' = 2.5", Truth(2.5, 0.1), Design(100)),
    Case("few people and images", Truth(0.5, 0.1), Design(20, images=30)),
    Case("everybody sees all 60 images", Truth(2.0, 0.1, 0.8, 0.4, 0.5), Design(100, images=30, trials=30)),
)
# Cases of `--model` alone: near the ceiling and with few answers the population's d' is hard, the other scores are not.
EXTREMES = (
    Case("95 % right, 50 people", VARIED.with_accuracy(0.95), Design(50)),
    Case("98 % right, 50 people", VARIED.with_accuracy(0.98), Design(50)),
    Case("98 % right, people much alike", Truth(4.52, 0.1), Design(50)),
    Case("8 people, d' = 2", replace(VARIED, d_prime=2.0), Design(8)),
    Case("8 people, 95 % right", VARIED.with_accuracy(0.95), Design(8)),
    Case("one real and one generated image each", Truth(1.5, 0.1), Design(100, trials=1)),
    Case("real images alike, generated ones not", Truth(1.5, 0.1, 0.6, 0.3, 0.9, 0.3), Design(50)),
)


def estimates(answers: Trials, model: bool) -> dict[str, inference.Estimate]:
    """The report's estimates for a set; or those of the mixed model, which take a hundred times as long."""
    if model:
        fitted = mixed.fit(answers)
        return {"population d'": fitted.d_prime, "population criterion": fitted.criterion}
    return {
        "accuracy": inference.accuracy(answers),
        "hit rate": inference.rate(answers, 1, 0),
        "false-alarm rate": inference.false_alarm_rate(answers),
        "mean F1": inference.mean_f1(answers),
        "mean d'": inference.mean_d_prime(answers),
        "mean criterion": inference.mean_criterion(answers),
    }


def truths(case: Case) -> dict[str, float]:
    """The true value of each estimate for new participants on new images."""
    truth = case.truth
    f1, d_prime, criterion = expected_scores(truth, case.design.trials)
    return {
        "accuracy": truth.accuracy, "hit rate": truth.hit_rate, "false-alarm rate": truth.false_alarm_rate,
        "mean F1": f1, "mean d'": d_prime, "mean criterion": criterion,
        "population d'": truth.d_prime, "population criterion": truth.criterion,
    }  # fmt: skip


def expected_scores(truth: Truth, trials: int, draws: int = 1_000_000) -> tuple[float, float, float]:
    """Mean scores of new participants on new images: F1, own d', own criterion (both log-linear)."""
    rng = np.random.default_rng(12345)
    d_prime = rng.normal(truth.d_prime, truth.sd_d_prime, draws)
    criterion = rng.normal(truth.criterion, truth.sd_criterion, draws)
    image = np.sqrt(1 + truth.sd_image**2)
    hits = rng.binomial(trials, stats.norm.cdf((d_prime / 2 - criterion) / image))
    false_alarms = rng.binomial(trials, stats.norm.cdf((-d_prime / 2 - criterion) / image))
    counts = observers.Counts(hits, trials - hits, false_alarms, trials - false_alarms)
    scores = (observers.f1(counts), observers.d_prime(counts), observers.criterion(counts))
    return float(scores[0].mean()), float(scores[1].mean()), float(scores[2].mean())


def study(
    case: Case, simulations: int, seed: int = 0, model: bool = False, alternatives: bool = True
) -> dict[str, Floats]:
    """For each claim an array of truth values, one for each simulated survey.

    'covers: NAME' for each interval; 'equivalent' and 'detectable' for the verdict's two tests at 5 %. With `model` the
    population's intervals alone, of the surveys that have one, and 'missing: NAME'.
    """
    rng = np.random.default_rng([seed, *case.name.encode()])
    true = truths(case)
    held: dict[str, list[bool]] = {}

    def note(key: str, value: bool) -> None:
        held.setdefault(key, []).append(bool(value))

    for _ in range(simulations):
        answers = simulate(case.truth, case.design, rng)
        for name, estimate in estimates(answers, model).items():
            if model:
                note(f"missing: {name}", estimate.ci95 is None)
            if estimate.ci95 is not None or not model:
                low, high = estimate.ci95 or (np.nan, np.nan)
                note(f"covers: {name}", low <= true[name] <= high)
        if model:
            continue
        equal, chance = equivalence.equivalence(inference.balanced_accuracy(answers), BOUND)
        note("equivalent", equal < 0.05)
        note("detectable", chance < 0.05)
        if alternatives:
            for name, (centre, se, df) in alternative_errors(answers, rng).items():
                t = stats.t.ppf(0.975, df)
                note(f"covers: accuracy, {name}", abs(centre - case.truth.accuracy) <= t * se)
                one_sided = stats.t.ppf(0.95, df) * se
                note(f"equivalent, {name}", centre - one_sided > 0.5 - BOUND and centre + one_sided < 0.5 + BOUND)
    return {key: np.array(values, float) for key, values in held.items()}


def alternative_errors(answers: Trials, rng: np.random.Generator) -> dict[str, tuple[float, float, float]]:
    """The estimators that were not chosen: (mean accuracy, standard error, degrees of freedom) of each."""
    scores = observers.accuracy(answers.counts())
    mean, people = float(scores.mean()), len(scores)
    _, person = np.unique(answers.participant, return_inverse=True)
    images, image = np.unique(answers.image, return_inverse=True)
    right, shown = np.zeros((people, len(images))), np.zeros((people, len(images)))
    np.add.at(right, (person, image), answers.correct)
    np.add.at(shown, (person, image), 1.0)
    generated = np.zeros(len(images), bool)
    generated[image] = answers.is_generated
    weight = rng.multinomial(people, np.full(people, 1 / people), BOOTSTRAP_DRAWS).astype(float)
    drawn = np.zeros((BOOTSTRAP_DRAWS, len(images)))
    for truth in (True, False):
        count = int((generated == truth).sum())
        drawn[:, generated == truth] = rng.multinomial(count, np.full(count, 1 / count), BOOTSTRAP_DRAWS)
    resampled = ((weight @ right) * drawn).sum(axis=1) / ((weight @ shown) * drawn).sum(axis=1)
    return {
        "participants alone": (mean, float(scores.std(ddof=1) / np.sqrt(people)), people - 1),
        "plain two-way bootstrap": (mean, float(resampled.std(ddof=1)), 1e6),
    }


# ------------------------------------------------------------------------------------------------ the other intervals


def others(simulations: int, seed: int = 0) -> dict[tuple[str, str], Floats]:
    """For each further interval of the report, by truth and claim: whether it contained the true value each time."""
    held: dict[tuple[str, str], list[bool]] = {}

    def note(case: str, claim: str, interval: Any, truth: float) -> None:
        low, high = interval or (np.nan, np.nan)
        held.setdefault((case, f"covers: {claim}"), []).append(bool(low <= truth <= high))

    rng = np.random.default_rng([seed, 1])
    truth, position = Truth(0.8, 0.1, sd_d_prime=1.0), np.tile(np.arange(20.0), (50, 1))
    able, correlated = truth.accuracy - 0.5, 6 / np.pi * np.arcsin(0.5 / 2)  # rho of normals that correlate by 0.5
    for _ in range(simulations):
        answers = simulate(truth, Design(50, images=80, trials=20), rng)
        half = answers.image % 2 == 0
        for case, dulled, gap in (("the same people, sets alike", 0.0, 0.0), ("one set half as plain", 0.5, able / 2)):
            given = guessing_at(answers, dulled * ~half, rng)
            (pair,) = significance.compare_sets({"a": given.where(half), "b": given.where(~half)})
            note(case, "difference of two sets", pair.difference.ci95, gap)
        answers, order = simulate(truth, Design(50), rng), rng.permuted(position, axis=1).ravel()
        for case, tired in (("nothing changes", 0.0), ("from able to guessing in 20 trials", 1 / 19)):
            trend = dependence.slope(order, guessing_at(answers, tired * order, rng))
            note(case, "slope over positions", trend.ci95, -able * tired)
        for case, sway in (("images alike", 0.05), ("images differ", 0.8)):
            rate = stats.norm.cdf(rng.normal(-0.5, sway, 60))
            _, low, high = images.shrunken(rng.binomial(20, rate), np.full(60, 20))
            note(f"{case}, 60 of 20 answers", "rate of an image", (low[0], high[0]), rate[0])
        x, y = rng.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]], 60).T
        note("normal, 60 images", "rank correlation", people_and_metrics.rank_correlation(x, y)["ci95"], correlated)
        times = pd.Series(rng.lognormal(0.5, 0.4, 50))
        interval = response_times(times)["ci95"]
        note("lognormal, 50 people", "mean response time", interval, float(np.exp(0.5 + 0.4**2 / 2)))
        balanced = observers.balanced_accuracy(simulate(PEOPLE, Design(150, 50), rng).counts())
        seen = sequential.monitor(balanced, BOUND)
        note("150 people", "confidence sequence, at the end", (seen.low[-1], seen.high[-1]), PEOPLE.accuracy)
        note("150 people", "confidence sequence, at all times", (seen.low.max(), seen.high.min()), PEOPLE.accuracy)
        people = 10 ** rng.normal(np.log10(250), 0.15, 25)
        found = thresholds.thresholds(*staircases(people, rng))
        note("25 people, 150 trials", "threshold of a person", (found.low[0], found.high[0]), float(people[0]))
        note("25 people, 150 trials", "median threshold", thresholds.median_threshold(found).ci95, 250)
    return {key: np.array(values, float) for key, values in held.items()}


def guessing_at(answers: Trials, chance: Floats, rng: np.random.Generator) -> Trials:
    """The answers, each replaced by a coin toss with probability `chance` (n,): accuracy falls by that share to 0.5."""
    coin = rng.random(len(answers)) < 0.5
    said = np.where(rng.random(len(answers)) < chance, coin, answers.said_generated)
    return replace(answers, said_generated=said)


# ------------------------------------------------------------------------------------------------ the table


def interval99(values: Floats) -> tuple[float, float]:
    """The 99 % binomial interval (Clopper & Pearson) of a share, from its truth values."""
    n, k = len(values), int(values.sum())
    low = stats.beta.ppf(0.005, k, n - k + 1) if k else 0.0
    high = stats.beta.ppf(0.995, k + 1, n - k) if k < n else 1.0
    return float(low), float(high)


def row(case: str, key: str, values: Floats) -> str:
    low, high = interval99(values)
    return f"| {case} | {key} | {values.mean():.1%} | {low:.1%} to {high:.1%} |"


def print_claims(simulations: int, rows: Iterable[str]) -> int:
    """Print a table of claims, each row as soon as it is computed. Raises AnalysisError for no simulation."""
    if simulations < 1:
        raise AnalysisError(f"--simulations {simulations}: at least 1 is needed.")
    print("| truth and design | claim | share | its 99 % interval |\n| --- | --- | --- | --- |")
    for line in rows:
        print(line, flush=True)
    return 0


def claims_command(
    name: str, doc: str | None, default: int, rows: Callable[[int, int], Iterable[str]], argv: Sequence[str] | None
) -> int:
    """The command of a benchmark whose `rows(simulations, seed)` are a table of claims."""
    parser = program(f"python -m benchmarks.people.{name}", doc or "", workspace=False)
    parser.add_argument("--simulations", type=int, default=default, metavar="N", help="simulated surveys per case")
    parser.add_seed("the simulations")
    args = parser.parse_args(argv)
    return run_command(lambda: print_claims(args.simulations, rows(args.simulations, args.seed)))


def main(argv: Sequence[str] | None = None) -> int:
    parser = program("python -m benchmarks.people.coverage", __doc__ or "", workspace=False)
    parser.add_argument("--simulations", type=int, default=2_000, metavar="N", help="simulated surveys per case")
    parser.add_argument("--case", type=int, choices=range(len(CASES)), help="only this case")
    parser.add_argument("--model", action="store_true", help="instead: the population's d' and criterion")
    parser.add_argument("--others", action="store_true", help="instead: differences, slopes, single images, thresholds")
    parser.add_seed("the simulations")
    args = parser.parse_args(argv)
    return run_command(lambda: print_claims(args.simulations, rows_of(args)))


def rows_of(args: argparse.Namespace) -> Iterator[str]:
    if args.others:
        for (name, key), values in others(args.simulations, args.seed).items():
            yield row(name, key, values)
        return
    cases = (*CASES, *EXTREMES) if args.model else CASES
    for case in cases if args.case is None else [cases[args.case]]:
        for key, values in study(case, args.simulations, args.seed, args.model, alternatives=not args.model).items():
            if not key.startswith("missing") or values.any():
                yield row(case.name, key, values)


if __name__ == "__main__":
    sys.exit(main())
