"""Paired differences of conditions contain the true value as often as they say; minutes of simulation are marked
slow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.people import conditions
from benchmarks.people.conditions import CASES, Case
from benchmarks.people.coverage import interval99

DOCS = Path(__file__).parents[3] / "docs" / "coverage.md"
MANY = pytest.param(400, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])


def check(case: str, claim: str, share: tuple[float, float]) -> None:
    """`share`: the 99 % interval of the share of simulated surveys for which the claim is true."""
    low, high = share
    if claim.startswith("covers"):
        assert low <= 0.97, (case, claim, share)
        assert high >= 0.93, (case, claim, share)
    elif claim.startswith("false alarm"):
        assert low <= 0.05, (case, claim, share)
    else:
        assert high >= 0.95, (case, claim, share)


@pytest.mark.parametrize("simulations", [1, MANY])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_paired_differences_and_places_contain_the_true_value(case: Case, simulations: int) -> None:
    small = case if simulations > 1 else replace(case, people=min(case.people, 20))
    for claim, values in conditions.study(small, simulations).items():
        check(case.name, claim, interval99(values))


def test_the_committed_table_has_every_case_and_keeps_its_promises() -> None:
    text = DOCS.read_text("utf-8").partition("## Conditions")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.count("|") == 5 and " to " in line]
    assert {row[0].strip() for row in rows} == {case.name for case in CASES}
    for case, claim, _, share in rows:
        low, high = (float(end.strip().rstrip("%")) / 100 for end in share.split(" to "))
        check(case.strip(), claim.strip(), (low, high))


def test_the_simulated_rates_are_the_closed_forms() -> None:
    case = Case("large", (1.5, 0.5), people=2_000, images=1_000, trials=10, sd_taste=0.5)
    answers = list(conditions.simulate(case, np.random.default_rng(0)).values())
    for one, expected in zip(answers, case.rates[1:], strict=True):
        assert one.said_generated[one.is_generated].mean() == pytest.approx(expected, abs=0.02)
        assert one.said_generated[~one.is_generated].mean() == pytest.approx(case.rates[0], abs=0.02)
    assert case.truth("d_prime", 0, 1) == 1.0


def test_the_command_prints_a_row_a_claim(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "CASES", [Case("tiny", (1.0, 0.0), people=8, images=8, trials=4)])
    assert conditions.main(["--simulations", "1"]) == 0
    assert "| tiny | covers: difference in d′ |" in capsys.readouterr().out
