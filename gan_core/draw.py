"""`Draw`: the choices that decide which images a generator makes. No torch here."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gan_core.experiments import TrainingError


@dataclass(frozen=True)
class Draw:
    """The seed of the latents and their truncation: |z| < truncation in each component.

    Raises TrainingError for a truncation that is not positive and finite.
    """

    seed: int = 0
    truncation: float | None = None

    def __post_init__(self) -> None:
        if self.truncation is not None and not 0 < self.truncation < math.inf:
            raise TrainingError(f"--truncation must be above 0 and finite, not {self.truncation}: for example 0.5.")
