"""Scored trials, as every section of the report reads them, and the rules by which answers are scored."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd

from analysis.section import AnalysisError

RULES = (
    "A trial without an answer is left out of every score and counted; it never counts as wrong.",
    "F1 is 2 TP / (2 TP + FP + FN). Participants who saw the positive class but never gave the positive answer have "
    "F1 = 0 (their precision is 0/0, but F1 is defined). If nothing positive was shown or answered, F1 is undefined, "
    "left out of the F1 figures and counted.",
    "Repeated answers of a participant to an image are separate trials of that image. A name shared by a real and a "
    "generated image of one set counts as two images.",
)
RULES_IF = {  # stated only if the count is not 0
    "catch_trials": "Attention (catch) trials are never scored.",
    "replaced_trials": "A trial with a wrong exposure that was replaced by a spare trial is not scored.",
    "flagged_trials": "Other flagged trials (exposure off, focus lost, ...) are scored as answered; the table of "
    "exclusions shows the verdict without them.",
    "unfinished_participants_scored": "Participants who stopped early are scored on the trials that they answered.",
    "screened_out_participants": "Participants who were screened out are not scored.",
    "excluded_participants": "Participants excluded by the study's own rule are not scored.",
    "simulated_participants_left_out": "Simulated participants are not scored.",
    "negative_response_times": "A negative response time is treated as missing; the answer is kept.",
}


class NobodyScoredError(AnalysisError):
    """All participants are left out; `reason` says as what, for a report without their answers."""

    def __init__(self, sentence: str, reason: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True)
class Responses:
    """Scored trials, and counts of the rows that were left out.

    `trials` has one row per trial and set; an answer to a real image that several sets share is one row in each set,
    with the same number in the column `trial`. The other columns:

    - participant, set, image, mode, flags, answered_at, why: text, "" if unknown
    - truth, answer: "real" or "generated"; is_generated, said_generated: the same as bool
    - position, exposure_ms_planned, exposure_ms_actual, dropped_frames, response_time_ms, why_x, why_y: NaN if unknown
    - rating (higher for generated), confidence (0 to 1): NaN without ratings
    - focus_lost, simulated, and, of the participant, finished and failed_catch: bool
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
    unsure: pd.DataFrame | None = None  # trials rated in the middle of the scale, not in `trials`; the same columns
    excluded: dict[str, int] = field(default_factory=dict)  # participants, by the study's own rule, by set
    excluded_for: dict[str, int] = field(default_factory=dict)  # the same by reason, as in the export; "" if unknown

    @cached_property
    def participants(self) -> int:
        """Number of participants in the trials."""
        return int(self.trials["participant"].nunique())

    @cached_property
    def trials_each(self) -> pd.Series:
        """The number of trials of each participant; one whose answer belongs to several sets counts once."""
        return self.trials.drop_duplicates("trial").groupby("participant").size()

    @cached_property
    def shown(self) -> pd.DataFrame:
        """The images of each set: set, image, truth."""
        return self.trials[["set", "image", "truth"]].drop_duplicates()

    @property
    def simulated(self) -> int:
        """Number of simulated participants in the trials (0 without `--include-simulated`)."""
        return int(self.trials.loc[self.trials["simulated"], "participant"].nunique())
