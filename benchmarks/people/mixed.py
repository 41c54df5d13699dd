"""The population's d' as the report fits it and from gpboost, an unpenalised Laplace fit, on the same answers.

    python -m benchmarks.people.mixed [--surveys 12] [--participants 100] [--d-prime 0.5] [FILE.csv]

For each it prints the mean of d', its spread over the surveys, the standard error that it claims, the share of its 95 %
intervals that contain the true value, how many are missing, and seconds a fit; for the answers of FILE.csv d' and its
standard error. gpboost is not a dependency of Glimpse: `pip install gpboost` (with the OpenMP runtime, Debian:
libgomp1) first.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from scipy import stats

from analysis.answers.read import read_csv
from analysis.people.population import mixed
from analysis.people.population.simulation import Design, Truth, simulate
from analysis.people.trials import Trials
from analysis.section import AnalysisError
from glimpse.command_line import program, run_command

Fit = tuple[float, float, float]  # d', its standard error, half the width of its 95 % interval


def glimpse(answers: Trials) -> Fit:
    found = mixed.fit(answers).d_prime
    if found.value is None or found.se is None or found.ci95 is None:
        return np.nan, np.nan, np.nan
    return found.value, found.se, (found.ci95[1] - found.ci95[0]) / 2


def gpboost_alone(answers: Trials) -> Fit:
    import gpboost

    gpboost.register_logger(logging.getLogger("gpboost"))
    side = answers.is_generated - 0.5
    model = gpboost.GPModel(
        group_data=np.column_stack([answers.participant, answers.image]), group_rand_coef_data=side[:, None],
        ind_effect_group_rand_coef=[1], likelihood="bernoulli_probit", num_parallel_threads=1,
    )  # fmt: skip
    model.fit(y=answers.said_generated.astype(float), X=np.column_stack([np.ones(len(side)), side]))
    estimate, error = np.asarray(model.get_coef(std_err=True), float)[:, 1]
    return float(estimate), float(error), float(error * stats.norm.ppf(0.975))


def main(argv: Sequence[str] | None = None) -> int:
    parser = program("python -m benchmarks.people.mixed", __doc__ or "", workspace=False)
    parser.add_argument("answers", nargs="?", metavar="FILE.csv", type=Path, help="fit these answers instead")
    parser.add_argument("--surveys", type=int, default=12, metavar="N", help="simulated surveys")
    parser.add_argument("--participants", type=int, default=100, metavar="N", help="participants per survey")
    parser.add_argument("--d-prime", type=float, default=0.5, metavar="D", help="the true d'")
    args = parser.parse_args(argv)
    return run_command(lambda: run(args))


def run(args: argparse.Namespace) -> int:
    try:
        import gpboost  # noqa: F401
    except (ImportError, OSError):
        raise AnalysisError("gpboost cannot be imported: run `pip install gpboost` (Debian: libgomp1 too).") from None
    peers: dict[str, Callable[[Trials], Fit]] = {"Glimpse": glimpse, "gpboost": gpboost_alone}
    if args.answers:
        surveys, truth = [Trials.from_table(read_csv(args.answers).trials)], np.nan
        print(f"{len(surveys[0])} answers of {args.answers.name}")
    else:
        population = Truth(args.d_prime, 0.1)
        design, truth = Design(args.participants), population.d_prime
        surveys = [simulate(population, design, np.random.default_rng(i)) for i in range(args.surveys)]
        print(f"{args.surveys} surveys of {args.participants} participants, d' = {truth}")
    print(f"{'':12} mean d'  spread  claimed error  covers  missing  seconds")
    for name, peer in peers.items():
        start = time.perf_counter()
        found = np.array([peer(answers) for answers in surveys])
        seconds = (time.perf_counter() - start) / len(surveys)
        known = found[np.isfinite(found).all(axis=1)]
        mean, error = known[:, :2].mean(axis=0) if len(known) else (np.nan, np.nan)
        spread = known[:, 0].std(ddof=1) if len(known) > 1 else np.nan
        held = np.mean(np.abs(known[:, 0] - truth) <= known[:, 2]) if len(known) and np.isfinite(truth) else np.nan
        missing = len(found) - len(known)
        print(f"{name:12} {mean:7.3f}  {spread:6.3f}  {error:13.3f}  {held:6.0%}  {missing:7d}  {seconds:7.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
