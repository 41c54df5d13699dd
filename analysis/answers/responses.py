"""Scored trials as every section of the report reads them, and the rules by which answers became these."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from analysis.section import AnalysisError

RULES = (
    "A trial without an answer is left out of every score and counted; it never counts as wrong.",
    "F1 is 2 TP / (2 TP + FP + FN). Somebody who never gave the positive answer has F1 = 0 as long as the positive "
    "class was shown to them (then precision is 0/0, but F1 is not); with nothing positive shown or said, F1 is "
    "undefined, left out of the F1 figures and counted.",
    "Several answers of one person to one image are several trials of that image. A name that stands for a real and "
    "for a generated image of one set counts as two images.",
)
RULES_IF = {  # stated only if the count is not 0
    "catch_trials": "Attention (catch) trials are never scored.",
    "replaced_trials": "A trial whose exposure went wrong and which was replaced by a spare trial is not scored.",
    "flagged_trials": "Other flagged trials (exposure off, focus lost, ...) are scored as they were answered; the "
    "table of exclusions shows the verdict without them.",
    "unfinished_participants": "People who stopped early count with the trials they answered.",
    "screened_out_participants": "People who were screened out do not count.",
    "excluded_participants": "People whom the answers mark as excluded by the study's own rule do not count.",
    "simulated_participants": "Simulated participants do not count.",
    "negative_response_times": "A negative time to answer is treated as missing; the answer is kept.",
}


class OnlySimulatedError(AnalysisError):
    """Nobody but simulated participants has answered, and these were not asked for."""


@dataclass(frozen=True)
class Responses:
    """Scored trials, and what was left out on the way to them.

    `trials` has one row per trial and set (an answer to a real image that several sets share is a row of each, with one
    number in `trial`) and the columns participant, set, image, mode, flags, answered_at (text, "" for none),
    truth and answer ("real" or "generated"), is_generated and said_generated (bool), position, exposure_ms_planned,
    exposure_ms_actual, dropped_frames, response_time_ms, why_x, why_y (numbers, NaN where unknown), why, focus_lost,
    rating (higher for generated), confidence (0 to 1, of the scale; both NaN without ratings), simulated, finished and
    failed_catch (bool; the last two tell of the participant).
    """

    trials: pd.DataFrame
    source: str  # in words, for the methods
    sha256: str  # of the file, or of the rows that the database gave
    counts: dict[str, int] = field(default_factory=dict)  # rows read, filtered out, missing answers, ...
    filters: tuple[str, ...] = ()
    unanswered: dict[str, int] = field(default_factory=dict)  # by set
    set_versions: dict[str, list[str]] = field(default_factory=dict)  # SHA-256 of the stimulus sets answered, by set
    notes: tuple[str, ...] = ()  # sentences on how the rows were read
    people: pd.DataFrame = field(default_factory=pd.DataFrame)  # one row per participant, see `people.attributes` ...
    asked: tuple[str, ...] = ()  # ... and its columns that are questions to them
    unsure: pd.DataFrame | None = None  # left out of `trials` for a rating in the middle of the scale, same columns

    @property
    def simulated(self) -> int:
        """Number of simulated participants in the trials (0 without `--include-simulated`)."""
        return int(self.trials.loc[self.trials["simulated"], "participant"].nunique())
