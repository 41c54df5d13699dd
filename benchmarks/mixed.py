"""The population's d', three ways, on the same simulated surveys: analysis.people.mixed, gpboost alone, statsmodels.

    python benchmarks/mixed.py [--surveys 12] [--participants 100]

Prints for each the mean of d' (truth 0.5), its spread over the surveys, the standard error that it claims, how many
claims are missing, and seconds a fit. statsmodels has the logistic link only: its d' is divided by 1.7.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")

import gpboost
import numpy as np
from scipy import sparse
from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM

from analysis.people import mixed
from analysis.people.simulation import Design, Truth, simulate
from analysis.people.trials import Trials
from glimpse.command_line import program

TRUTH = Truth(0.5, 0.1)


def glimpse(answers: Trials) -> tuple[float, float]:
    found = mixed.fit(answers).d_prime
    assert found.value is not None
    assert found.se is not None
    return found.value, found.se


def gpboost_alone(answers: Trials) -> tuple[float, float]:
    side = answers.is_generated - 0.5
    model = gpboost.GPModel(
        group_data=np.column_stack([answers.participant, answers.image]), group_rand_coef_data=side[:, None],
        ind_effect_group_rand_coef=[1], likelihood="bernoulli_probit", num_parallel_threads=1,
    )  # fmt: skip
    model.fit(y=answers.said_generated.astype(float), X=np.column_stack([np.ones(len(side)), side]))
    estimate, error = np.asarray(model.get_coef(std_err=True), float)[:, 1]
    return float(estimate), float(error)


def statsmodels(answers: Trials) -> tuple[float, float]:
    n, side = len(answers), answers.is_generated - 0.5
    people, images = int(answers.participant.max()) + 1, int(answers.image.max()) + 1
    rows = np.arange(n)
    random = sparse.hstack(
        [
            sparse.csr_matrix((np.ones(n), (rows, answers.participant)), (n, people)),
            sparse.csr_matrix((side, (rows, answers.participant)), (n, people)),
            sparse.csr_matrix((np.ones(n), (rows, answers.image)), (n, images)),
        ]
    ).tocsr()
    kinds = np.repeat([0, 1, 2], [people, people, images])
    fixed = np.column_stack([np.ones(n), side])
    found = BinomialBayesMixedGLM(answers.said_generated.astype(float), fixed, random, kinds, vcp_p=1, fe_p=2).fit_vb()
    return float(found.fe_mean[1] / 1.7), float(found.fe_sd[1] / 1.7)


def main() -> None:
    parser = program("python -m benchmarks.mixed", __doc__ or "", workspace=False)
    parser.add_argument("--surveys", type=int, default=12, metavar="N", help="simulated surveys")
    parser.add_argument("--participants", type=int, default=100, metavar="N", help="participants per survey")
    args = parser.parse_args()
    gpboost.register_logger(logging.getLogger("gpboost"))
    rivals: dict[str, Callable[[Trials], tuple[float, float]]] = {
        "analysis.people.mixed": glimpse,
        "gpboost": gpboost_alone,
    }
    if args.participants <= 200:  # its fit takes minutes with more
        rivals["statsmodels"] = statsmodels
    surveys = [simulate(TRUTH, Design(args.participants), np.random.default_rng(i)) for i in range(args.surveys)]
    print(f"{args.surveys} surveys of {args.participants} participants, d' = {TRUTH.d_prime}")
    print(f"{'':15} mean d'  spread  claimed error  missing  seconds")
    for name, rival in rivals.items():
        start = time.perf_counter()
        found = np.array([rival(answers) for answers in surveys])
        seconds = (time.perf_counter() - start) / len(surveys)
        missing = int(np.isnan(found[:, 1]).sum())
        claimed = np.nan if missing == len(found) else np.nanmean(found[:, 1])
        spread = found[:, 0].std(ddof=1) if len(found) > 1 else np.nan
        print(f"{name:15} {found[:, 0].mean():7.3f}  {spread:6.3f}  {claimed:13.3f}  {missing:7d}  {seconds:7.2f}")


if __name__ == "__main__":
    main()
