"""The mixed models against lme4 1.1-31 (R 4.2), whose numbers stand below as constants: R is not needed.

The answers are written as a table `d` of the columns said, gen, person, image (of its class) and, with conditions, kind
('real', 'g1', 'g2', ...). Then

    library(lme4)
    d$x <- d$gen - 0.5; d$real <- as.numeric(d$gen == 0); d$generated <- as.numeric(d$gen == 1)
    d$image <- factor(paste(d$gen, d$image))
    glmer(said ~ x + (1 + x || person) + (0 + real | image) + (0 + generated | image), d, binomial("probit"))
    glmer(said ~ kind + (1 + x || person) + (0 + real | image) + (0 + generated | image), d, binomial("probit"))

The slope of x is d', minus the intercept the criterion; with conditions, differences between the coefficients of the
generators are those in d'. lme4 has no prior, and its errors take the spreads as known: an estimate may differ by a
quarter of its standard error, whose own may be a quarter above lme4's.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.people import conditions
from analysis.people.estimation.estimate import Estimate
from analysis.people.population import mixed
from analysis.people.population.simulation import Design, Truth, simulate
from analysis.people.trials import Trials
from benchmarks.people.conditions import Case
from benchmarks.people.conditions import simulate as simulate_conditions


@dataclass(frozen=True)
class Lme4:
    """Estimates and standard errors of the second fit; the SDs of d', criterion, real and generated images."""

    d_prime: tuple[float, float]
    criterion: tuple[float, float]
    spreads: tuple[float, float, float, float]


FORTY = Lme4((1.7385, 0.1430), (0.2958, 0.0699), (0.456, 0.220, 0.185, 0.530))
EIGHT = Lme4((1.4660, 0.2634), (0.4191, 0.1015), (0.542, 0.134, 0.654, 0.600))
GENGAP = Lme4((2.9912, 0.1767), (0.1035, 0.0897), (0.942, 0.521, 0.449, 0.637))


def agrees(found: Estimate, value: float, se: float) -> None:
    assert found.value == pytest.approx(value, abs=se / 4)
    assert found.se is not None
    assert 0.95 * se < found.se < 1.25 * se


@pytest.mark.parametrize(
    ("truth", "design", "seed", "lme4"),
    [
        (Truth(2.0, 0.2, 0.6, 0.3, 0.6, 0.3), Design(40, images=40, trials=20), 7, FORTY),
        (Truth(2.0, 0.2, 0.6, 0.3, 0.6, 0.6), Design(8, images=50, trials=50), 8, EIGHT),
    ],
)
def test_d_prime_and_criterion_are_those_of_glmer(truth: Truth, design: Design, seed: int, lme4: Lme4) -> None:
    check(simulate(truth, design, np.random.default_rng(seed)), lme4)


def test_the_published_answers_of_120_people_give_what_glmer_gives(real_data: Path) -> None:
    rows = pd.read_csv(real_data / "human" / "gengap2024" / "responses.csv")
    said, is_generated = rows["answer"] == "generated", rows["truth"] == "generated"
    check(Trials.from_labels(said, is_generated, rows["participant"], rows["image"]), GENGAP)


def check(answers: Trials, lme4: Lme4) -> None:
    model = mixed.fit(answers)
    agrees(model.d_prime, *lme4.d_prime)
    agrees(model.criterion, *lme4.criterion)
    assert model.spreads is not None
    found = model.spreads.d_prime, model.spreads.criterion, model.spreads.real, model.spreads.generated
    assert found == pytest.approx(lme4.spreads, abs=0.1)


def test_differences_in_d_prime_between_conditions_are_those_of_glmer() -> None:
    case = Case("", (1.6, 0.8, 1.2), people=40, images=40, trials=12)
    found = conditions.compare(simulate_conditions(case, np.random.default_rng(3))).pairs["d_prime"]
    expected = (0.7853, 0.1470), (0.4495, 0.1462), (-0.3359, 0.1448)  # g1 - g2, g1 - g3, g2 - g3
    for pair, (value, se) in zip(found, expected, strict=True):
        agrees(pair.difference, value, se)
