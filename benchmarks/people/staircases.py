"""Simulated staircases of people with known thresholds, under the survey's own rule."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from analysis.people.trials import Bools
from glimpse.observers import Floats, Integers
from study_app.definition.staircase import DOWN_MS, LONGEST_MS, SHORTEST_MS, START_MS, TARGET, TRIALS, UP_MS


def staircases(
    true_ms: Floats, rng: np.random.Generator, width: Any = 0.25, lapse: Any = 0.02
) -> tuple[Floats, Bools, Integers]:
    """The staircases of people with these 75 % thresholds, (P,): exposures in ms, right or not, people."""
    now = np.full(len(true_ms), START_MS)
    at_target = stats.norm.ppf((TARGET - 0.5) / (0.5 - lapse))
    exposures, answers = [], []
    for _ in range(TRIALS):
        chance = 0.5 + (0.5 - lapse) * stats.norm.cdf(np.log10(now / true_ms) / width + at_target)
        right = rng.random(len(now)) < chance
        exposures.append(now)
        answers.append(right)
        now = np.clip(now + np.where(right, -DOWN_MS, UP_MS), SHORTEST_MS, LONGEST_MS)
    return np.concatenate(exposures), np.concatenate(answers), np.tile(np.arange(len(true_ms)), TRIALS)
