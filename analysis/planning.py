"""The power of a survey, by simulating it as a whole: new people, new images, the report's own estimator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import optimize
from statsmodels.stats.proportion import proportion_confint

from analysis.people import equivalence, inference, significance
from analysis.people.population.mixed import MixedModel
from analysis.people.population.simulation import Design, Truth, simulate, simulate_sets
from glimpse.progress import progress

CODES = ("cannot tell", "detectable", "undecided")
# The spreads of Stein et al. 2023 (41 models, 100 + 100 images): at that study's accuracies they give its SDs of
# accuracy, .073 between people and .15 to .17 between images.
PUBLISHED = Truth(sd_d_prime=0.59, sd_criterion=0.20, sd_image=0.64)
# The smallest and largest spreads that probit models give for published surveys.
MILD = Truth(sd_d_prime=0.44, sd_criterion=0.20, sd_image=0.50)
STRONG = Truth(sd_d_prime=0.92, sd_criterion=0.52, sd_image=0.64)
REFINEMENT = 4  # times as many simulated surveys at the number of participants found as at the others

DrawTruth = Callable[[np.random.Generator], Truth]


@dataclass(frozen=True)
class Plan:
    """A survey to plan: its population and design, and the verdict or difference that it should establish."""

    draw: DrawTruth  # the population of each simulated survey
    design: Design
    claim: str  # 'cannot tell', 'detectable' or, with `difference`, 'different'
    bound: float = 0.05
    difference: float | None = None  # between the accuracies of two sets that the same people answer

    def outcome(self, rng: np.random.Generator) -> str:
        """The verdict on one simulated survey."""
        truth = self.draw(rng)
        if self.difference is None:
            accuracy = inference.balanced_accuracy(simulate(truth, self.design, rng))
            return equivalence.verdict(accuracy, self.design.participants, self.bound).code
        other = truth.with_accuracy(min(max(truth.accuracy + self.difference, 0.005), 0.995))
        one, two = simulate_sets([truth, other], self.design, rng)
        (pair,) = significance.compare_sets({"one": one, "two": two})
        return "different" if pair.p is not None and pair.p < 0.05 else "undecided"

    @property
    def codes(self) -> tuple[str, ...]:
        """The possible verdicts."""
        return CODES if self.difference is None else ("different", "undecided")


def always(truth: Truth) -> DrawTruth:
    """The same population in every simulated survey.

    >>> always(Truth(1.0))(np.random.default_rng(0)).d_prime
    1.0
    """
    return lambda rng: truth


def uncertain(model: MixedModel, accuracy: float | None = None) -> DrawTruth:
    """Populations drawn with the uncertainty that a pilot leaves: d', criterion and spreads about their estimates.

    With `accuracy`, d' is set to give it. Power averaged over these draws is the assurance of the plan (O'Hagan et al.
    2005).

    >>> from analysis.people.population.mixed import fit
    >>> rng = np.random.default_rng(0)
    >>> draw = uncertain(fit(simulate(Truth(1.0, sd_image=0.5), Design(20, images=20, trials=10), rng)), accuracy=0.6)
    >>> first, second = draw(rng), draw(rng)
    >>> round(first.accuracy, 6), round(second.accuracy, 6), first.sd_image == second.sd_image
    (0.6, 0.6, False)
    """
    spreads, centre = model.spreads, model.truth()
    assert spreads is not None
    assert centre is not None
    mean = np.log([spreads.criterion, spreads.half_d_prime, spreads.real, spreads.generated])

    def draw(rng: np.random.Generator) -> Truth:
        criterion, half_d_prime, real, generated = np.exp(rng.multivariate_normal(mean, spreads.covariance))
        truth = Truth(
            float(rng.normal(centre.d_prime, model.d_prime.se or 0.0)),
            float(rng.normal(centre.criterion, model.criterion.se or 0.0)),
            float(2 * half_d_prime), float(criterion), float(generated), float(real),
        )  # fmt: skip
        return truth if accuracy is None else truth.with_accuracy(accuracy)

    return draw


def claim(truth: Truth, bound: float) -> str:
    """The correct verdict: 'cannot tell' if the true accuracy is within the bounds, else 'detectable'.

    >>> claim(Truth(0.0), 0.05), claim(Truth(1.0), 0.05)
    ('cannot tell', 'detectable')
    """
    return "cannot tell" if abs(truth.accuracy - 0.5) < bound else "detectable"


def power(plan: Plan, participants: int, simulations: int, rng: np.random.Generator) -> dict[str, float]:
    """The share of simulated surveys with each verdict.

    >>> plan = Plan(always(Truth(3.0)), Design(images=20, trials=10), claim="detectable")
    >>> power(plan, participants=20, simulations=2, rng=np.random.default_rng(0))
    {'cannot tell': 0.0, 'detectable': 1.0, 'undecided': 0.0}
    """
    plan = replace(plan, design=replace(plan.design, participants=participants))
    found = dict.fromkeys(plan.codes, 0)
    for _ in range(simulations):
        found[plan.outcome(rng)] += 1
    return {code: n / simulations for code, n in found.items()}


def power_table(
    plan: Plan, participants: Sequence[int], simulations: int, seed: int = 0, target: float | None = None
) -> pd.DataFrame:
    """One row per number of participants: the share of each verdict, with a 95 % Wilson interval for the claim.

    With `target`, the number at which the curve reaches it is simulated four times as often and added to the table.

    >>> plan = Plan(always(Truth(3.0)), Design(images=20, trials=10), claim="detectable")
    >>> power_table(plan, [20], simulations=2)[["participants", "detectable", "high"]].to_dict("records")
    [{'participants': 20, 'detectable': 1.0, 'high': 1.0}]
    """

    def row(n: int, simulations: int) -> dict[str, float]:
        shares = power(plan, n, simulations, np.random.default_rng([seed, n]))
        low, high = proportion_confint(round(shares[plan.claim] * simulations), simulations, method="wilson")
        named = {code.replace(" ", "_"): share for code, share in shares.items()}
        return {"participants": n, **named, "low": low, "high": high, "simulations": simulations}

    rows = [row(n, simulations) for n in progress(sorted(set(participants)), title="simulating", unit="sizes")]
    if target is not None:
        found = needed(pd.DataFrame(rows), plan.claim, target)
        if found is not None:
            rows = [old for old in rows if old["participants"] != found] + [row(found, REFINEMENT * simulations)]
    return pd.DataFrame(rows).sort_values("participants", ignore_index=True)


def needed(table: pd.DataFrame, claim: str, target: float) -> int | None:
    """The number of participants at which the curve first reaches the target, interpolated; None if it never does.

    The curve is the rising one that fits the simulated shares best (isotonic regression). The largest share so far
    would be too optimistic, because it picks the luckiest simulations.

    >>> needed(pd.DataFrame({"participants": [50, 100], "cannot_tell": [0.7, 0.9]}), "cannot tell", 0.8)
    75
    """
    n = table["participants"].to_numpy(float)
    weights = table["simulations"].to_numpy(float) if "simulations" in table else np.ones(len(n))
    curve = optimize.isotonic_regression(table[claim.replace(" ", "_")].to_numpy(float), weights=weights).x
    if curve[-1] < target:
        return None
    if curve[0] >= target:
        return int(n[0])
    after = int(np.argmax(curve >= target))
    share = (target - curve[after - 1]) / (curve[after] - curve[after - 1])
    return int(np.ceil(n[after - 1] + share * (n[after] - n[after - 1]) - 1e-9))


def reached(table: pd.DataFrame, claim: str, participants: int) -> float:
    """The simulated power with this number of participants, interpolated between the rows of the table.

    >>> reached(pd.DataFrame({"participants": [50, 100], "cannot_tell": [0.7, 0.9]}), "cannot tell", 75)
    0.8
    """
    return round(float(np.interp(participants, table["participants"], table[claim.replace(" ", "_")])), 4)
