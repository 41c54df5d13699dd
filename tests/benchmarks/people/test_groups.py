"""Differences between groups contain the true value as often as they say; minutes of simulation are marked slow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.people import groups
from benchmarks.people.coverage import interval99

DOCS = Path(__file__).parents[3] / "docs" / "coverage.md"


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("case", groups.CASES, ids=lambda case: case.name)
def test_differences_between_groups_contain_the_true_value(case: groups.Case) -> None:
    found = [groups.held(case, seed) for seed in range(300)]
    for measure in found[0]:
        low, high = interval99(np.array([one[measure] for one in found], float))
        assert low <= 0.97, measure
        assert high >= 0.93, measure


def test_the_committed_table_has_every_case_and_keeps_its_promise() -> None:
    text = DOCS.read_text("utf-8").partition("## Groups")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][2:]
    assert {row[0] for row in rows} == {case.name for case in groups.CASES}
    assert len(rows) == len(groups.CASES) * len(groups.MEASURES)
    for row in rows:
        low, high = (float(end.rstrip("%")) / 100 for end in row[3].split(" to "))
        assert low <= 0.97, row
        assert high >= 0.93, row
