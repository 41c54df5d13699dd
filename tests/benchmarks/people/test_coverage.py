"""Each interval contains the true value as often as it says. Minutes of simulation are marked slow; docs hold their
table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis import power
from analysis.people import dependence, significance
from analysis.people.population.simulation import Design, Truth, simulate
from benchmarks.people import coverage
from benchmarks.people.coverage import CASES, EXTREMES, Case, interval99, study

DOCS = Path(__file__).parents[3] / "docs" / "coverage.md"
STATISTICS = DOCS.with_name("statistics.md")
MORE = (  # what may contain the true value more often than it says, and why: docs/coverage.md
    ("150 people", "covers: confidence sequence, at the end"),
    ("150 people", "covers: confidence sequence, at all times"),
    ("images alike, 60 of 20 answers", "covers: rate of an image"),
)
ALTERNATIVES = ("participants alone", "plain two-way bootstrap")


MANY = pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])


def check_coverage(case: str, claim: str, share: tuple[float, float]) -> None:
    """`share`: the 99 % interval of the share of simulated surveys whose interval contains the true value."""
    low, high = share
    cautious = claim.startswith("covers: population") and case in [extreme.name for extreme in EXTREMES]
    assert low <= 0.97 or cautious or (case, claim) in MORE, (case, claim, share)
    assert high >= 0.93, (case, claim, share)


def claims(found: dict[str, np.ndarray], start: str) -> dict[str, np.ndarray]:
    return {k: v for k, v in found.items() if k.startswith(start) and not k.endswith(ALTERNATIVES)}


def test_simulated_observers_answer_as_their_truth_says() -> None:
    truth = Truth(1.2, 0.3, 0.6, 0.4, 0.5)
    answers = simulate(truth, Design(4_000, images=2_000, trials=10), np.random.default_rng(0))
    assert answers.said_generated[answers.is_generated].mean() == pytest.approx(truth.hit_rate, abs=0.02)
    assert answers.said_generated[~answers.is_generated].mean() == pytest.approx(truth.false_alarm_rate, abs=0.02)
    assert answers.correct.mean() == pytest.approx(truth.accuracy, abs=0.02)
    assert truth.with_accuracy(0.6).accuracy == pytest.approx(0.6)
    assert np.bincount(answers.participant).tolist() == [20] * 4_000
    assert len(np.unique(answers.participant * 4_000 + answers.image)) == len(answers)  # no image twice


def test_the_rates_of_a_population_in_closed_form() -> None:
    """The variance of the evidence is 1 + sd_d'^2 / 4 + sd_c^2 + sd_image^2 = 4, so z(H) = (2 / 2 - 0.5) / 2."""
    truth = Truth(2.0, 0.5, sd_d_prime=2.0, sd_criterion=1.0, sd_image=1.0)
    assert truth.hit_rate == pytest.approx(stats.norm.cdf(0.25))
    assert truth.false_alarm_rate == pytest.approx(stats.norm.cdf(-0.75))
    assert truth.accuracy == pytest.approx((stats.norm.cdf(0.25) + stats.norm.cdf(0.75)) / 2)


def test_participants_alone_on_ten_images_call_detectable_sets_equivalent() -> None:
    """The trap of the usual survey, and that the two-way estimator avoids it."""
    found = study(CASES[6], 150)
    assert found["equivalent, participants alone"].mean() > 0.15
    assert found["equivalent"].mean() < 0.08


def test_the_plain_two_way_bootstrap_wastes_answers() -> None:
    found = study(CASES[1], 100)
    assert found["covers: accuracy, plain two-way bootstrap"].mean() >= 0.97
    assert found["equivalent"].mean() > found["equivalent, plain two-way bootstrap"].mean() + 0.2


def test_differences_between_sets_and_slopes_contain_the_true_value_too() -> None:
    """Two sets answered by the same able and unable people; and accuracy that does not change with the position."""
    truth, rng, surveys = Truth(0.8, 0.1, sd_d_prime=1.0), np.random.default_rng(1), 400
    difference, slope = [], []
    position = np.tile(np.arange(20.0), 50)
    for _ in range(surveys):
        answers = simulate(truth, Design(50, images=80, trials=20), rng)
        half = answers.image % 2 == 0
        (pair,) = significance.compare_sets({"a": answers.where(half), "b": answers.where(~half)})
        assert pair.difference.ci95 is not None
        difference.append(pair.difference.ci95[0] <= 0 <= pair.difference.ci95[1])
        some = simulate(truth, Design(50), rng)
        order = rng.permuted(position.reshape(50, 20), axis=1).ravel()
        trend = dependence.slope(order, some)
        assert trend.ci95 is not None
        slope.append(trend.ci95[0] <= 0 <= trend.ci95[1])
    for held in (difference, slope):
        low, high = interval99(np.array(held, float))
        assert low <= 0.97
        assert high >= 0.93


def test_the_99_percent_interval_is_scipys() -> None:
    values = np.repeat([1.0, 0.0], [93, 7])
    expected = stats.binomtest(93, 100).proportion_ci(0.99, method="exact")
    assert interval99(values) == pytest.approx((expected.low, expected.high))
    assert interval99(np.ones(5))[1] == 1.0


def test_the_command_prints_a_row_a_claim(capsys: pytest.CaptureFixture[str]) -> None:
    assert coverage.main(["--simulations", "3", "--case", "9"]) == 0
    assert "| few people and images | covers: mean F1 |" in capsys.readouterr().out


@pytest.mark.parametrize("command", [coverage.main, power.main])
def test_a_negative_seed_is_refused_in_one_sentence(command: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        command(["--seed", "-1"])
    assert refused.value.code == 2
    said = capsys.readouterr().err
    assert "--seed: -1 is not a valid seed" in said
    assert said.count("\n") == 1


def test_the_committed_table_has_every_case_and_keeps_its_promises() -> None:
    rows = [line.split("|")[1:-1] for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| ")]
    table = {(r[0].strip(), r[1].strip()): r[3].strip() for r in rows if len(r) == 4 and " to " in r[3]}
    assert {case for case, claim in table if claim == "covers: population d'"} == {
        case.name for case in (*CASES, *EXTREMES)
    }
    assert set(coverage.others(1)) <= set(table)
    for (case, claim), interval in table.items():
        low, high = (float(end.rstrip("%")) / 100 for end in interval.split(" to "))
        if claim.startswith("covers") and not claim.endswith(ALTERNATIVES):
            check_coverage(case, claim, (low, high))
        if claim == "equivalent" and "bound" in case:
            assert low <= 0.05, case


def test_the_ranges_in_statistics_are_those_of_the_table() -> None:
    rows = [line.split("|")[1:-1] for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| ")]
    shares: dict[str, list[float]] = {}
    for row in rows:
        if row[0].strip() in [case.name for case in CASES]:
            claim = row[1].strip().removeprefix("covers: ")
            shares.setdefault(claim, []).append(float(row[2].strip().rstrip("%")))
    told = re.findall(r"^\| ([^|]+?)(?: \(`--model`\))? \| ([\d.]+) to ([\d.]+) %", STATISTICS.read_text("utf-8"), re.M)
    ranges = {name: (float(low), float(high)) for name, low, high in told if name in shares}
    assert len(ranges) == 10
    assert ranges == {name: (min(shares[name]), max(shares[name])) for name in ranges}


@pytest.mark.parametrize("simulations", [2, MANY])
@pytest.mark.parametrize(
    ("case", "model"),
    [(case, False) for case in CASES]
    + [(case, True) for case in (CASES[0], EXTREMES[0])]
    + [pytest.param(case, True, marks=pytest.mark.slow) for case in (*CASES[1:], *EXTREMES[1:])],
    ids=lambda value: value.name if isinstance(value, Case) else ("mixed model" if value else "scores"),
)
def test_intervals_contain_the_true_value_and_the_bound_is_rarely_called_equivalent(
    case: Case, model: bool, simulations: int
) -> None:
    if model:  # a tenth of a second for each survey
        simulations = min(simulations, 400)
    found = study(case, simulations, model=model, alternatives=False)
    for claim, values in claims(found, "covers").items():
        check_coverage(case.name, claim, interval99(values))
    if "bound" in case.name and not model:
        assert interval99(found["equivalent"])[0] <= 0.05


@pytest.mark.parametrize("simulations", [2, MANY])
def test_the_other_intervals_contain_the_true_value_too(simulations: int) -> None:
    for (case, claim), values in coverage.others(simulations).items():
        check_coverage(case, claim, interval99(values))


def test_an_interval_that_contains_the_true_value_too_rarely_or_needlessly_often_is_noticed() -> None:
    check_coverage("150 people", "covers: confidence sequence, at the end", (0.99, 1.0))
    for case, claim, share in (
        ("100 people", "covers: accuracy", (0.972, 0.99)),
        ("images alike, 60 of 20 answers", "covers: accuracy", (0.99, 1.0)),
        ("150 people", "covers: confidence sequence, at the end", (0.9, 0.92)),
    ):
        with pytest.raises(AssertionError):
            check_coverage(case, claim, share)
