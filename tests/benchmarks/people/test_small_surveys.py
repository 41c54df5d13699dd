"""Tests and intervals hold where surveys are small or unequal. Long simulations are slow; docs hold their table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.people import dependence
from benchmarks.people import small_surveys
from benchmarks.people.coverage import interval99

DOCS = Path(__file__).parents[3] / "docs" / "coverage.md"
MANY = pytest.param(1_000, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])


def check(case: str, claim: str, low: float, high: float) -> None:
    """`low` to `high`: the 99 % interval of a simulated share."""
    if claim.startswith("false alarm"):
        assert low <= 0.06, (case, claim)
    if claim.startswith("covers"):
        assert high >= 0.93, (case, claim)
    if claim == "that number decides":
        assert high >= 0.8, (case, claim)


@pytest.mark.parametrize("simulations", [3, MANY])
def test_small_and_unequal_surveys_raise_no_more_false_alarms_than_they_say(simulations: int) -> None:
    for survey in small_surveys.SURVEYS + small_surveys.ABLE:
        for claim, values in small_surveys.held(survey, simulations).items():
            check(survey.name, claim, *interval99(values))
    for (case, claim), values in small_surveys.trend_alarms(simulations).items():
        check(case, claim, *interval99(values))


@pytest.mark.parametrize("simulations", [1, pytest.param(100, marks=[pytest.mark.slow, pytest.mark.timeout(3_600)])])
def test_the_number_of_further_people_that_is_named_decides(simulations: int) -> None:
    for survey in small_surveys.PILOTS:
        for claim, values in small_surveys.more_people(survey, simulations).items():
            check(survey.name, claim, *interval99(values))


def test_the_committed_table_keeps_its_promises() -> None:
    rows = [line.split("|")[1:-1] for line in DOCS.read_text("utf-8").splitlines() if line.startswith("| ")]
    table = {(r[0].strip(), r[1].strip()): r[3].strip() for r in rows if len(r) == 4 and " to " in r[3]}
    names = {survey.name for survey in (*small_surveys.SURVEYS, *small_surveys.ABLE, *small_surveys.PILOTS)}
    assert names <= {case for case, _ in table}
    for (case, claim), interval in table.items():
        if case in names or "longer" in case or case == small_surveys.OWN_EXPOSURE:
            check(case, claim, *(float(end.rstrip("%")) / 100 for end in interval.split(" to ")))


def test_able_people_who_answer_more_count_like_everyone() -> None:
    survey = small_surveys.ABLE[-1]
    answers = small_surveys.answers_of(survey, np.random.default_rng(0))
    assert set(answers.counts().trials) == {20, 80}


def test_a_time_that_goes_with_the_answer_alone_shows_no_trend() -> None:
    answers = small_surveys.answers_of(small_surveys.SURVEYS[1], np.random.default_rng(0))
    found = dependence.slope(answers.said_generated.astype(float), answers, outcome=True)
    assert found.value is None
    assert "within participants and answers" in found.note
