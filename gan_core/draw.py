"""`Draw`: the choices that decide which images a generator makes. No torch here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gan_core.experiments import TrainingError

# Batch norm's statistics: those of the truncated latents, or those of the full normal distribution.
Statistics = Literal["matched", "full"]


@dataclass(frozen=True)
class Draw:
    """The seed of the latents, their truncation (|z| < truncation in each component) and the batch statistics.

    Raises TrainingError for a truncation that is not positive and finite.
    """

    seed: int = 0
    truncation: float | None = None
    statistics: Statistics = "matched"

    def __post_init__(self) -> None:
        if self.truncation is not None and not 0 < self.truncation < math.inf:
            raise TrainingError(f"--truncation must be above 0 and finite, not {self.truncation}: for example 0.5.")
