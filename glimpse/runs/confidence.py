"""The discriminator's confidence and consistency (section 3.2.4), read from the lines of log.jsonl.

The paper lets them guide the selection of a model: they show whether the discriminator has the capacity to teach.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any, Literal

State = Literal["at chance", "overconfident", "inconsistent", "in balance"]

END = 0.25  # of the training, over which the ticks are judged
AT_CHANCE, SATURATED = 0.05, 0.9  # separation below and above which the discriminator teaches little
UNSTEADY = 0.15  # standard deviation of the separation between ticks
ADVICE: Mapping[State, str] = {
    "at chance": "it teaches the generator little; try a wider discriminator (--set d_features={wider})",
    "overconfident": "the generator's gradients vanish; try a narrower discriminator (--set d_features={narrower}) or "
    "--set diffaugment=10000",
    "inconsistent": "the two networks do not settle; try a lower learning rate (--set lr={slower:g})",
    "in balance": "",
}


@dataclass(frozen=True)
class Confidence:
    """The discriminator over the last quarter of the ticks.

    `separation`: mean of D(training images) - D(generated images), sigmoid outputs; 0 is chance, 1 certainty.
    `between_ticks`: standard deviation of that difference from tick to tick; None with fewer than three ticks.
    """

    state: State
    separation: float
    accuracy: float
    between_ticks: float | None

    def advice(self, settings: Mapping[str, Any]) -> str:
        """The settings to change, or an empty string where nothing needs changing."""
        width = int(settings["d_features"])
        return ADVICE[self.state].format(wider=2 * width, narrower=max(1, width // 2), slower=settings["lr"] / 2)

    def sentence(self, settings: Mapping[str, Any]) -> str:
        ticks = "" if self.between_ticks is None else f" (between ticks ±{self.between_ticks:.2f})"
        apart, accuracy = f"D(real) - D(generated) {self.separation:.2f}{ticks}", f"accuracy {self.accuracy:.2f}"
        if advice := self.advice(settings):
            return f"the discriminator is {self.state} ({apart}, {accuracy}): {advice}."
        limits = f"{AT_CHANCE} (chance) and {SATURATED} (saturated)"
        return f"the discriminator is in balance: {apart} lies between {limits}; {accuracy}."


def separation(line: Mapping[str, Any]) -> float:
    """Mean output on training images minus mean output on generated images at a tick; NaN where one is missing.

    >>> round(separation({"d_real_train": 0.75, "d_generated": 0.25}), 3)
    0.5
    """
    real, generated = line.get("d_real_train"), line.get("d_generated")
    return float("nan") if real is None or generated is None else float(real) - float(generated)


def chosen_when_saturated(lines: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the generator with the best score comes from a tick at which the discriminator was saturated."""
    best = best_scored(lines)
    return best is not None and separation(best) > SATURATED


def best_scored(lines: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The line of a log with the lowest score, by the last line's kind of score; None where none is scored.

    The key `score` of a line names its number, after the features that it is computed on.

    >>> best_scored([{"score": "kid", "kid": 0.3}, {"score": "kid", "kid": 0.2}, {"images": 4}])["kid"]
    0.2
    """
    scored = [line for line in lines if line.get(line.get("score", "")) is not None]
    if not scored:
        return None
    name = scored[-1]["score"]
    return min((line for line in scored if line["score"] == name), key=lambda line: float(line[name]))


def confidence(lines: Sequence[Mapping[str, Any]]) -> Confidence | None:
    """The state of the discriminator over the last quarter of a log; None without an evaluated tick.

    >>> confidence([{"images": i, "d_real_train": 0.98, "d_generated": 0.02, "d_accuracy": 1.0} for i in (1, 2)]).state
    'overconfident'
    """
    known = [line for line in lines if math.isfinite(separation(line))]
    if not known:
        return None
    last = [line for line in known if line["images"] >= (1 - END) * known[-1]["images"]]
    values = [separation(line) for line in last]
    accuracy = fmean(line.get("d_accuracy", math.nan) for line in last)
    mean, spread = fmean(values), stdev(values) if len(values) > 2 else None
    state: State = "in balance"
    if spread is not None and spread > UNSTEADY:
        state = "inconsistent"
    elif mean > SATURATED:
        state = "overconfident"
    elif mean < AT_CHANCE:
        state = "at chance"
    return Confidence(state, mean, accuracy, spread)
