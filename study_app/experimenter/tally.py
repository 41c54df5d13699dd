"""Sums over a study's finished participants, read from the views `responses` and `participants`.

A finished participant's answers never change, so a process keeps the sums and reads only those of participants who
finished since; after a withdrawal it starts over. Those of a pilot are summed up as if they were
scored. The dashboard stays fast with tens of thousands of participants.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from sqlalchemy import String, bindparam, select, text
from sqlalchemy.orm import Session

from study_app import models

CHUNK = 400  # participants in one query, below every database's limit of parameters (999)
PEOPLE = bindparam("people", type_=String(), expanding=True)
ImageKey = tuple[str, str]  # SHA-256 of the stimulus set, ID in its manifest


@dataclass(frozen=True)
class Sums:
    """One finished participant: their answers (replaced trials left out), and the timing of all their trials."""

    hits: int
    misses: int
    false_alarms: int
    correct_rejections: int
    trials: int
    timed: int  # trials with a planned exposure
    error_ms: float  # sum of actual minus planned exposure
    squared_error_ms2: float
    wrong_exposures: int
    dropped: int
    unfocused: int
    implausible: int = 0
    missed: int = 0  # trials without an answer before the deadline
    conditions: dict[str, tuple[int, ...]] = field(default_factory=dict)  # the first four by `source`

    def of(self, conditions: Collection[str]) -> Sums:
        """The sums for some conditions of a within design: for their images and for those that all share."""
        cells = [self.conditions.get(name, (0, 0, 0, 0)) for name in (*conditions, "")]
        hits, misses, false_alarms, correct_rejections = np.sum(cells, axis=0).tolist()
        return replace(self, hits=hits, misses=misses, false_alarms=false_alarms, correct_rejections=correct_rejections)


SUMS = text("""
SELECT participant,
       COUNT(CASE WHEN replaced = 0 AND truth = 'generated' AND answer = 'generated' THEN 1 END) AS hits,
       COUNT(CASE WHEN replaced = 0 AND truth = 'generated' AND answer = 'real' THEN 1 END) AS misses,
       COUNT(CASE WHEN replaced = 0 AND truth = 'real' AND answer = 'generated' THEN 1 END) AS false_alarms,
       COUNT(CASE WHEN replaced = 0 AND truth = 'real' AND answer = 'real' THEN 1 END) AS correct_rejections,
       COUNT(*) AS trials,
       COUNT(exposure_ms_planned) AS timed,
       COALESCE(SUM(exposure_ms_actual - exposure_ms_planned), 0) AS error_ms,
       COALESCE(SUM((exposure_ms_actual - exposure_ms_planned) * (exposure_ms_actual - exposure_ms_planned)), 0)
         AS squared_error_ms2,
       COUNT(CASE WHEN flags LIKE '%exposure-wrong%' THEN 1 END) AS wrong_exposures,
       COUNT(CASE WHEN dropped_frames > 0 THEN 1 END) AS dropped,
       COUNT(CASE WHEN focus_lost = 1 THEN 1 END) AS unfocused,
       COUNT(CASE WHEN implausible = 1 THEN 1 END) AS implausible,
       COUNT(CASE WHEN answer IS NULL THEN 1 END) AS missed
FROM responses WHERE participant IN :people GROUP BY participant
""").bindparams(PEOPLE)
CELLS = ", ".join(
    f"COUNT(CASE WHEN truth = '{truth}' AND answer = '{answer}' THEN 1 END)"
    for truth in ("generated", "real") for answer in ("generated", "real")
)  # fmt: skip
CONDITIONS = text(
    f"SELECT participant, source, {CELLS} FROM responses WHERE replaced = 0 AND participant IN :people "
    "GROUP BY participant, source"
).bindparams(PEOPLE)
EXCLUDED = text(
    "SELECT participant, excluded_for FROM participants "
    "WHERE excluded_for NOT IN ('', 'pilot') AND participant IN :people"
).bindparams(PEOPLE)
# Of a pair, the other image is in the table `trial`, and was given the other answer.
IMAGES = text("""
SELECT sha256, image, COUNT(answer), COUNT(CASE WHEN answer = 'generated' THEN 1 END) FROM (
  SELECT set_sha256 AS sha256, stimulus AS image, answer
  FROM responses WHERE replaced = 0 AND participant IN :people
  UNION ALL
  SELECT s.sha256, i.public_id, CASE r.answer WHEN 'real' THEN 'generated' WHEN 'generated' THEN 'real' END
  FROM responses r
  JOIN participant p ON p.public_id = r.participant
  JOIN trial t ON t.participant_id = p.id AND t.position = r.position
  JOIN stimulus i ON i.id = t.second_id
  JOIN stimulus_set s ON s.id = i.set_id
  WHERE r.replaced = 0 AND r.participant IN :people
) AS judged GROUP BY sha256, image
""").bindparams(PEOPLE)


class Tally:
    """The sums of a study's finished participants, brought up to date by `update`."""

    def __init__(self, study_id: int, group: str = "people") -> None:
        self.study_id, self.group = study_id, group
        self.people: dict[str, Sums] = {}  # by the participant's public ID
        self.excluded: dict[str, str] = {}  # of the people: those not scored, and why
        self.sets: dict[str, int | None] = {}  # the set of each of the people
        self.images: dict[ImageKey, list[int]] = {}  # answers of people not excluded: [all, 'generated']
        self._lock = threading.Lock()

    def update(self, session: Session) -> None:
        person = models.Participant
        query = select(person.public_id, person.set_id).where(
            person.study_id == self.study_id, *models.in_group(self.group), person.state == "finished"
        )
        finished: dict[str, int | None] = dict(session.execute(query.order_by(person.id)).all())
        with self._lock:
            if not self.people.keys() <= finished.keys():  # a finished participant withdrew
                self.people, self.excluded, self.images = {}, {}, {}
            for people in chunks([code for code in finished if code not in self.people]):
                for code, *sums in session.execute(SUMS, {"people": people}):
                    self.people[code] = Sums(*sums)
                for code, source, *cells in session.execute(CONDITIONS, {"people": people}):
                    self.people[code].conditions[source] = tuple(cells)
                self.excluded |= dict(session.execute(EXCLUDED, {"people": people}).all())
                kept = [code for code in people if code not in self.excluded]
                for sha256, stimulus, answers, said_generated in session.execute(IMAGES, {"people": kept}):
                    counted = self.images.setdefault((sha256, stimulus), [0, 0])
                    counted[0] += answers
                    counted[1] += said_generated
            self.sets = {code: finished[code] for code in finished if code in self.people}


def chunks(keys: Sequence[str]) -> Iterator[Sequence[str]]:
    return (keys[start : start + CHUNK] for start in range(0, len(keys), CHUNK))
