"""The benchmark of the screen: which trial a sighting of an image belongs to."""

from __future__ import annotations

import math

from benchmarks.exposure.screen import shown_in


def test_an_image_belongs_to_the_trial_that_was_answered_after_it() -> None:
    spells = [(11.0, 500.0, 1.0), (13.0, 20.0, 1.0), (13.5, 700.0, 2.0)]
    assert shown_in(spells, [10.0, 12.0, 14.0, 16.0]) == [(500.0, 1.0), (math.inf, 0.0), (0.0, 0.0)]
