"""How a study stands: who came, how far they got, what their answers and their timing look like. Counts, draws nothing.

A finished participant's answers never change, so each process keeps their sums and reads only those of whoever
finished since (a withdrawal makes it start over): the dashboard stays fast with tens of thousands of participants.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import and_, case, func, not_, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from glimpse import observers
from study_app import models
from study_app.participant import design
from study_app.study import StudyFile, say

CHUNK = 400  # participants asked for at once: named twice in a query, below every database's limit of parameters (999)
# The sums of one participant, in the order of a row of `Tally.people`. A trial that a spare one made good counts for
# the timing alone, as in the report.
SUMS = (
    "hits", "misses", "false_alarms", "correct_rejections", "trials", "timed", "error_ms", "squared_error_ms",
    "wrong_exposures", "dropped", "unfocused", "response_ms", "catch", "catch_wrong",
)  # fmt: skip


@dataclass(frozen=True)
class Accuracy:
    """The mean of the participants' accuracies and its 95 % interval over participants; None where there is none."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Timing:
    """How well exposures were kept, over all trials; times in ms, shares between 0 and 1, None without a trial."""

    trials: int = 0
    mean_error_ms: float | None = None
    sd_error_ms: float | None = None
    wrong: float = 0.0  # share of trials whose exposure went wrong by more than two frames, or that were hidden
    dropped: float = 0.0  # share of trials with a dropped frame
    unfocused: float = 0.0  # share of trials in which the page lost the focus


@dataclass(frozen=True)
class SetStatus:
    name: str
    label: str
    quota: int | None  # none for simulated participants, who take no place
    started: int
    finished: int
    active: int  # working, and seen in the last 30 minutes
    dropped_out: int  # working but long gone, returned, or timed out
    screened_out: int
    withdrawn: int
    excluded: int  # finished, but beyond the study's rule for attention trials
    f1: list[float] = field(default_factory=list)  # of each finished participant who is not excluded
    chance: list[float] = field(default_factory=list)  # what each would have got by dealing the same answers at random
    accuracy: Accuracy = Accuracy()
    timing: Timing = Timing()


@dataclass(frozen=True)
class StudyStatus:
    slug: str
    title: str
    state: str
    mode: str
    simulated: bool  # whether these are the simulated participants, in the place of people
    versions: int
    no_consent: int
    sets: list[SetStatus]

    @property
    def finished(self) -> int:
        return sum(one.finished for one in self.sets)


@dataclass(frozen=True)
class ImageStatus:
    """How people answered one image."""

    stimulus_id: int
    public_id: str  # its ID in the manifest
    set_name: str
    truth: str
    answers: int
    said_generated: int

    @property
    def wrong(self) -> float:
        said = self.said_generated / self.answers
        return said if self.truth == "real" else 1 - said

    @property
    def surely_wrong(self) -> float:
        """The lower 95 % limit of `wrong` (Wilson 1927): 3 of 3 is less than 18 of 20."""
        n, share, z = self.answers, self.wrong, 1.96
        half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
        return float((share + z**2 / (2 * n) - half) / (1 + z**2 / n))


class Tally:
    """The sums of a study's finished participants, brought up to date by `update`."""

    def __init__(self, study_id: int, simulated: bool) -> None:
        self.study_id, self.simulated = study_id, simulated
        self.people: dict[int, tuple[float, ...]] = {}
        self.excluded: set[int] = set()  # of the people: by the rule for attention trials of the version they agreed to
        self.images: dict[int, list[int]] = {}  # stimulus: answers of the others, of which 'generated'
        self._lock = threading.Lock()

    def update(self, session: Session) -> None:
        person = models.Participant
        finished = set(
            session.scalars(
                select(person.id).where(
                    person.study_id == self.study_id, person.simulated.is_(self.simulated), person.state == "finished"
                )
            )
        )
        with self._lock:
            if not self.people.keys() <= finished:  # somebody withdrew
                self.people, self.excluded, self.images = {}, set(), {}
            for chunk in _chunks(sorted(finished - self.people.keys())):
                for row in session.execute(_sums_of(chunk)):
                    self.people[row[0]] = tuple(float(value or 0) for value in row[1:])
                self.excluded |= self._beyond_their_rule(session, chunk)
                kept = [i for i in chunk if i not in self.excluded]
                for stimulus, answers, said in session.execute(_images_of(kept)):
                    counted = self.images.setdefault(stimulus, [0, 0])
                    counted[0] += answers
                    counted[1] += int(said or 0)

    def _beyond_their_rule(self, session: Session, people: list[int]) -> set[int]:
        """Whom the view `participants` calls excluded: each is judged by their own version, whatever came later."""
        person, version = models.Participant, models.StudyVersion
        versions = session.execute(select(version.id, version.definition).where(version.study_id == self.study_id))
        allowed = {key: StudyFile.from_dict(definition).trials.catch_wrong for key, definition in versions}
        theirs = session.execute(select(person.id, person.version_id).where(person.id.in_(people)))
        missed = SUMS.index("catch_wrong")
        return {i for i, key in theirs if i in self.people and self.people[i][missed] > allowed[key]}


def _chunks(ids: list[int]) -> Iterator[list[int]]:
    return (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK))


def _sums_of(people: list[int]) -> Any:
    trial, stimulus = models.Trial, models.Stimulus
    scored, generated = trial.kind != "catch", stimulus.truth == "generated"
    counts, said = and_(scored, not_(_replaced(people))), trial.answer == "generated"
    error = case((scored, trial.exposure_ms_actual - trial.exposure_ms_planned))

    def count(*conditions: Any) -> Any:
        return func.sum(case((and_(*conditions), 1), else_=0))

    sums = {
        "hits": count(counts, generated, said),
        "misses": count(counts, generated, ~said),
        "false_alarms": count(counts, ~generated, said),
        "correct_rejections": count(counts, ~generated, ~said),
        "trials": count(scored),
        "timed": func.count(error),
        "error_ms": func.sum(error),
        "squared_error_ms": func.sum(error * error),
        "wrong_exposures": count(scored, trial.flags.like("%exposure-wrong%")),
        "dropped": count(scored, trial.dropped_frames > 0),
        "unfocused": count(scored, trial.focus_lost),
        "response_ms": func.sum(case((scored, trial.response_time_ms))),
        "catch": count(~scored),
        "catch_wrong": count(~scored, trial.answer != stimulus.truth),
    }
    return (
        select(trial.participant_id, *(sums[name] for name in SUMS))
        .join(stimulus, stimulus.id == trial.stimulus_id)
        .where(trial.participant_id.in_(people), trial.answer.is_not(None))
        .group_by(trial.participant_id)
    )


def _replaced(people: list[int]) -> Any:
    """Whether a trial of these people was made good by a spare one; the spare ones are looked up once a query."""
    spare = aliased(models.Trial)
    made_good = select(spare.participant_id, spare.replaces).where(
        spare.participant_id.in_(people), spare.replaces.is_not(None), spare.answer.is_not(None)
    )
    return tuple_(models.Trial.participant_id, models.Trial.position).in_(made_good)


def _images_of(people: list[int]) -> Any:
    trial = models.Trial
    return (
        select(trial.stimulus_id, func.count(), func.sum(case((trial.answer == "generated", 1), else_=0)))
        .where(
            trial.participant_id.in_(people), trial.answer.is_not(None), trial.kind != "catch", not_(_replaced(people))
        )
        .group_by(trial.stimulus_id)
    )


# ------------------------------------------------------------------------------------------------ a study


def study_status(
    session: Session, study: models.Study, tally: Tally, at: datetime, language: str = "en"
) -> StudyStatus:
    """Everything that the dashboard and `study_app status` show of a study, but for its images."""
    tally.update(session)
    version = study.current
    file = StudyFile.from_dict(version.definition)
    labels = {entry.name: say(entry.label, language) for entry in file.sets}
    states = _states(session, study, tally.simulated, at)
    who = _finished_by_set(session, study, tally.simulated)
    sets = [
        _set_status(
            entry.set.name, labels.get(entry.set.name) or entry.set.label,
            None if tally.simulated else entry.quota, states.get(entry.set_id, {}),
            [i for i in who.get(entry.set_id, []) if i in tally.people], tally,
        )
        for entry in _all_sets(study)
    ]  # fmt: skip
    return StudyStatus(
        slug=study.slug, title=say(file.title, language), state=study.state, mode=version.mode,
        simulated=tally.simulated, versions=len(study.versions),
        no_consent=sum(counts.get("no-consent", 0) for counts in states.values()), sets=sets,
    )  # fmt: skip


def _all_sets(study: models.Study) -> list[models.StudySet]:
    """The sets of the current version, then those that only earlier versions had."""
    found: dict[int, models.StudySet] = {}
    for version in reversed(study.versions):
        for entry in version.sets:
            found.setdefault(entry.set_id, entry)
    return list(found.values())


def _states(session: Session, study: models.Study, simulated: bool, at: datetime) -> dict[int | None, dict[str, int]]:
    """How many participants of each set are in which state; `active` is a state of its own here."""
    person = models.Participant
    recent = person.last_seen_at >= at - timedelta(minutes=design.ACTIVE_MINUTES)
    state = case((person.state != "working", person.state), (recent, "active"), else_="gone").label("state")
    rows = session.execute(
        select(person.set_id, state, func.count())
        .where(person.study_id == study.id, or_(person.simulated.is_(simulated), person.state == "no-consent"))
        .group_by(person.set_id, state)
    )
    found: dict[int | None, dict[str, int]] = {}
    for set_id, name, count in rows:
        found.setdefault(set_id, {})[name] = count
    return found


def _finished_by_set(session: Session, study: models.Study, simulated: bool) -> dict[int | None, list[int]]:
    person = models.Participant
    rows = session.execute(
        select(person.set_id, person.id)
        .where(person.study_id == study.id, person.simulated.is_(simulated), person.state == "finished")
        .order_by(person.id)
    )
    found: dict[int | None, list[int]] = {}
    for set_id, participant in rows:
        found.setdefault(set_id, []).append(participant)
    return found


def _set_status(
    name: str, label: str, quota: int | None, states: dict[str, int], people: list[int], tally: Tally
) -> SetStatus:
    table = np.array([tally.people[i] for i in people], np.float64).reshape(-1, len(SUMS))
    sums = dict(zip(SUMS, table.T, strict=True))
    kept = np.array([i not in tally.excluded for i in people], bool)
    counts = observers.Counts(
        *(sums[key][kept].astype(np.int64) for key in ("hits", "misses", "false_alarms", "correct_rejections"))
    )
    f1, chance = observers.f1(counts), observers.f1_chance(counts)
    defined = ~np.isnan(f1)
    return SetStatus(
        name=name, label=label, quota=quota,
        started=sum(count for state, count in states.items() if state != "no-consent"),
        finished=states.get("finished", 0), active=states.get("active", 0),
        dropped_out=sum(states.get(state, 0) for state in ("gone", "returned", "timed-out")),
        screened_out=states.get("screened-out", 0), withdrawn=states.get("withdrawn", 0),
        excluded=int((~kept).sum()), f1=f1[defined].tolist(), chance=chance[defined].tolist(),
        accuracy=mean_accuracy(observers.accuracy(counts)), timing=timing(sums),
    )  # fmt: skip


def mean_accuracy(accuracies: Any) -> Accuracy:
    """Mean over participants with a t interval; no interval from fewer than two. NaN (no trial) is left out."""
    from scipy.special import stdtrit

    values = np.asarray(accuracies, np.float64)
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return Accuracy()
    mean = float(values.mean())
    if len(values) == 1:
        return Accuracy(mean)
    half = float(stdtrit(len(values) - 1, 0.975) * values.std(ddof=1) / np.sqrt(len(values)))
    return Accuracy(mean, max(0.0, mean - half), min(1.0, mean + half))


def timing(sums: dict[str, Any]) -> Timing:
    """Over all trials of these participants; `sums` holds an array (P,) for each name of SUMS."""
    total = {name: float(values.sum()) for name, values in sums.items()}
    trials = int(total["trials"])
    if trials == 0:
        return Timing()
    timed = total["timed"]
    mean = total["error_ms"] / timed if timed else None
    sd = None if mean is None else float(np.sqrt(max(0.0, total["squared_error_ms"] / timed - mean**2)))
    return Timing(
        trials, mean, sd, total["wrong_exposures"] / trials, total["dropped"] / trials, total["unfocused"] / trials
    )


def image_status(session: Session, tally: Tally, least: int = 3) -> list[ImageStatus]:
    """Every image that at least `least` finished participants judged, the most surely misjudged first."""
    stimulus, stimulus_set = models.Stimulus, models.StimulusSet
    judged = {key: counts for key, counts in tally.images.items() if counts[0] >= least}
    found = []
    for chunk in _chunks(sorted(judged)):
        rows = session.execute(
            select(stimulus.id, stimulus.public_id, stimulus_set.name, stimulus.truth)
            .join(stimulus_set)
            .where(stimulus.id.in_(chunk))
        )
        found += [ImageStatus(key, public_id, name, truth, *judged[key]) for key, public_id, name, truth in rows]
    return sorted(found, key=lambda image: (-image.surely_wrong, image.stimulus_id))
