"""The dashboard's box plots: whiskers, and which scores are dots."""

from __future__ import annotations

import re

from study_app.experimenter.charts import box_row, tukey_box


def test_whiskers_end_at_the_first_score_within_one_and_a_half_interquartile_ranges_below_the_box() -> None:
    assert tukey_box([-1, 4, 5, 6, 7]) == (4, 4, 5, 6, 7)  # down to 4 - 1.5 * 2
    assert tukey_box([1, 4, 5, 6, 7]) == (1, 4, 5, 6, 7)


def test_of_many_scores_the_outliers_on_both_sides_are_dots() -> None:
    """All of 120 scores are dots; of 121 those beyond the whiskers, at 2 and 98 % of the width."""
    assert box_row([0.5] * 120, [], "df").count('class="dot"') == 120
    many = box_row([0.0, *[0.5] * 119, 1.0], [0.5], "df")
    assert re.findall(r'class="dot" cx="([^"]*)"', many) == ["2.00%", "98.00%"]


def test_chance_that_is_the_same_for_all_can_be_seen_and_without_scores_of_chance_none_is_named() -> None:
    assert 'class="chance" x="50.00%" width="0.38%"' in box_row([0.5], [0.5], "df")
    assert "chance" not in box_row([0.5], [], "df")
