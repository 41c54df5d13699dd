"""The exposures of a staircase: a weighted up-down rule that converges to 75 % correct answers. Pure.

Kaernbach 1991: a rule that steps down by D after a correct and up by U after a wrong answer converges to the p where
p * D = (1 - p) * U. With D = 10 ms and U = 30 ms that is p = 0.75, the threshold of HYPE-time (Zhou et al. 2019). The
rule often quoted for it, 'three up, one down' by 10 and 30 ms the other way round, converges elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable

DOWN_MS = 10.0  # after a correct answer
UP_MS = 30.0  # after a wrong one
SHORTEST_MS, LONGEST_MS, START_MS = 50.0, 1000.0, 500.0
TRIALS, BLOCK = 150, 50  # defaults of a study in mode "staircase"
TARGET = UP_MS / (UP_MS + DOWN_MS)  # the share of correct answers it converges to


def next_exposure(
    answers: Iterable[bool],
    shortest_ms: float = SHORTEST_MS,
    longest_ms: float = LONGEST_MS,
) -> float:
    """The planned exposure (ms) of the trial after `answers` (correct or not, in order; all from the same person).

    The planned exposures decide, not the measured ones, so that a stored history always gives the same next trial.
    """
    exposure = min(max(START_MS, shortest_ms), longest_ms)
    for correct in answers:
        exposure += -DOWN_MS if correct else UP_MS
        exposure = min(max(exposure, shortest_ms), longest_ms)
    return exposure
