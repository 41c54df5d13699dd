"""The status of a study: participants and their progress, scores, timing, and the images most often misjudged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from glimpse import observers
from glimpse.observers import LEAST_JUDGEMENTS
from study_app import models
from study_app.definition.study import StudyFile, say
from study_app.experimenter.funnel import Step, funnel
from study_app.experimenter.tally import Sums, Tally, chunks
from study_app.participant import design


@dataclass(frozen=True)
class Accuracy:
    """The mean accuracy of the participants and its 95 % interval over participants; None where it is undefined."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Timing:
    """Accuracy of the exposures over all trials: errors in ms (None without a trial), shares from 0 to 1."""

    trials: int = 0
    mean_error_ms: float | None = None
    sd_error_ms: float | None = None
    wrong: float = 0.0  # share of trials with an exposure off by more than two frames, or a hidden page
    dropped: float = 0.0  # share of trials with a dropped frame
    unfocused: float = 0.0  # share of trials during which the page lost the focus
    implausible: float = 0.0  # share of trials that contradict what the server saw
    missed: float = 0.0  # share of trials without an answer before the deadline


@dataclass(frozen=True)
class SetStatus:
    name: str
    label: str
    quota: int | None  # None for simulated and pilot participants, who are not limited
    started: int
    finished: int
    active: int  # working, and seen in the last 30 minutes
    dropped_out: int  # working but inactive, returned, or timed out
    screened_out: int  # by an answer, or because enough people gave the same answer
    withdrawn: int
    rejected: int
    excluded: int  # finished, but excluded by a rule of the study
    excluded_for: dict[str, int]  # the same by the rule: attention, implausible
    f1: list[float] = field(default_factory=list)  # of each finished participant not excluded
    chance: list[float] = field(
        default_factory=list
    )  # the F1 expected if each had given the same answers in random order
    accuracy: Accuracy = Accuracy()
    timing: Timing = Timing()


@dataclass(frozen=True)
class StudyStatus:
    slug: str
    title: str
    state: str
    mode: str
    group: str  # whose counts these are: people, pilot, simulated
    pilot: int  # participants who entered while the study was a pilot
    simulated: int  # simulated participants
    versions: int
    no_consent: int
    funnel: list[Step]
    sets: list[SetStatus]
    within: bool = False  # everybody saw images of all sets
    pairs: bool = False  # the task is "pair": `f1` holds shares of right answers

    @property
    def counted(self) -> list[SetStatus]:
        """The sets whose participants are to be added up."""
        return self.sets[:1] if self.within else self.sets

    @property
    def finished(self) -> int:
        return sum(one.finished for one in self.counted)


@dataclass(frozen=True)
class ImageStatus:
    """The answers to one image."""

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


# ------------------------------------------------------------------------------------------------ a study


def study_status(session: Session, study: models.Study, tally: Tally, at: datetime) -> StudyStatus:
    """The numbers of the dashboard and of `study_app status`, without the images."""
    tally.update(session)
    version = study.current
    file = StudyFile.from_dict(version.definition)
    labels = {entry.name: say(entry.label, "en") for entry in file.sets}
    states = _states(session, study, tally.group, at)
    conditions = _conditions(session, _all_sets(study)) if file.within else {}
    home = version.sets[0].set_id if file.within else None  # the set of all participants of a within design
    sets = [
        _set_status(
            entry.set.name, labels.get(entry.set.name) or entry.set.label,
            entry.quota if tally.group == "people" else None, states.get(home or entry.set_id, {}),
            [code for code, set_id in tally.sets.items() if set_id == (home or entry.set_id)], tally, file,
            conditions.get(entry.set_id, []),
        )
        for entry in _all_sets(study)
    ]  # fmt: skip
    return StudyStatus(
        slug=study.slug, title=say(file.title, "en"), state=study.state, mode=version.mode,
        group=tally.group, pilot=_entered(session, study, "pilot"),
        simulated=_entered(session, study, "simulated"), versions=len(study.versions),
        funnel=funnel(session, study, file, tally.group),
        no_consent=sum(counts.get("no-consent", 0) for counts in states.values()), sets=sets,
        within=file.within, pairs=file.pairs,
    )  # fmt: skip


def _all_sets(study: models.Study) -> list[models.StudySet]:
    """The sets of the current version, then those that only earlier versions had."""
    found: dict[int, models.StudySet] = {}
    for version in reversed(study.versions):
        for entry in version.sets:
            found.setdefault(entry.set_id, entry)
    return list(found.values())


def _conditions(session: Session, entries: list[models.StudySet]) -> dict[int, list[str]]:
    """The conditions of each set: one, or one for each of its generators."""
    image = models.LoadedStimulus
    query = select(image.set_id, image.condition).where(image.set_id.in_([entry.set_id for entry in entries]))
    found: dict[int, list[str]] = {}
    for set_id, condition in session.execute(query.where(image.condition != "").distinct()):
        found.setdefault(set_id, []).append(condition)
    return found


def _entered(session: Session, study: models.Study, group: str) -> int:
    mine = (models.Participant.study_id == study.id, *models.in_group(group))
    return session.scalar(select(func.count()).where(*mine)) or 0


def _states(session: Session, study: models.Study, group: str, at: datetime) -> dict[int | None, dict[str, int]]:
    """The number of participants by set and state; `working` is split into `active` and `gone`."""
    person = models.Participant
    recent = person.last_seen_at >= at - timedelta(minutes=design.ACTIVE_MINUTES)
    state = case((person.state != "working", person.state), (recent, "active"), else_="gone").label("state")
    rows = session.execute(
        select(person.set_id, state, func.count())
        .where(person.study_id == study.id, *models.in_group(group))
        .group_by(person.set_id, state)
    )
    found: dict[int | None, dict[str, int]] = {}
    for set_id, name, count in rows:
        found.setdefault(set_id, {})[name] = count
    return found


def _set_status(
    name: str, label: str, quota: int | None, states: dict[str, int], people: list[str], tally: Tally,
    file: StudyFile, conditions: list[str],
) -> SetStatus:  # fmt: skip
    kept = [tally.people[code] for code in people if code not in tally.excluded]
    kept = [one.of(conditions) for one in kept] if file.within else kept
    answers = [(one.hits, one.misses, one.false_alarms, one.correct_rejections) for one in kept]
    counts = observers.Counts(*np.array(answers, np.int64).reshape(-1, 4).T)
    f1, chance = observers.f1(counts), observers.f1_chance(counts)
    if file.pairs:
        f1, chance = observers.accuracy(counts), np.full(len(kept), 0.5)
    defined = ~np.isnan(f1)
    return SetStatus(
        name=name, label=label, quota=quota,
        started=sum(count for state, count in states.items() if state != "no-consent"),
        finished=states.get("finished", 0), active=states.get("active", 0),
        dropped_out=sum(states.get(state, 0) for state in ("gone", "returned", "timed-out")),
        screened_out=states.get("screened-out", 0) + states.get("over-quota", 0), withdrawn=states.get("withdrawn", 0),
        rejected=states.get("rejected", 0), excluded=len(people) - len(kept),
        excluded_for=dict(Counter(tally.excluded[code] for code in people if code in tally.excluded)),
        f1=f1[defined].tolist(), chance=chance[defined].tolist(),
        accuracy=mean_accuracy(observers.accuracy(counts)), timing=timing([tally.people[code] for code in people]),
    )  # fmt: skip


def mean_accuracy(accuracies: Any) -> Accuracy:
    """Mean over participants with a t interval; no interval from fewer than two. NaN (no trial) is left out."""
    values = np.asarray(accuracies, np.float64)
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return Accuracy()
    mean = float(values.mean())
    if len(values) == 1:
        return Accuracy(mean)
    half = float(_t_975(len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
    return Accuracy(mean, max(0.0, mean - half), min(1.0, mean + half))


def _t_975(degrees: int) -> float:
    """The 97.5 % point of Student's t (Abramowitz & Stegun 26.7.3 and 26.7.4), as a survey host has no SciPy.

    >>> [round(_t_975(degrees), 3) for degrees in (1, 2, 9, 100)]
    [12.706, 4.303, 2.262, 1.984]
    """
    odd = degrees % 2
    steps = np.arange(2 + odd, degrees - 1, 2)
    weights = np.cumprod([1.0, *((steps - 1) / steps)]) if degrees > 1 else np.zeros(1)
    powers = odd + 2 * np.arange(len(weights))
    low, high = 0.0, np.pi / 2  # of the angle whose tangent is t / sqrt(degrees)
    for _ in range(60):
        angle = (low + high) / 2
        within = np.sin(angle) * float(weights @ np.cos(angle) ** powers)
        within = 2 / np.pi * (angle + within) if odd else within
        low, high = (angle, high) if within < 0.95 else (low, angle)
    return float(np.tan(low) * np.sqrt(degrees))


def timing(people: Sequence[Sums]) -> Timing:
    """The timing of all trials of these participants; the SD is that of the errors around their mean."""
    trials, timed = sum(one.trials for one in people), sum(one.timed for one in people)
    if trials == 0:
        return Timing()
    mean = sd = None
    if timed:
        mean = sum(one.error_ms for one in people) / timed
        sd = float(np.sqrt(max(0.0, sum(one.squared_error_ms2 for one in people) / timed - mean**2)))
    return Timing(
        trials, mean, sd, wrong=sum(one.wrong_exposures for one in people) / trials,
        dropped=sum(one.dropped for one in people) / trials, unfocused=sum(one.unfocused for one in people) / trials,
        implausible=sum(one.implausible for one in people) / trials,
        missed=sum(one.missed for one in people) / trials,
    )  # fmt: skip


def image_status(session: Session, tally: Tally) -> list[ImageStatus]:
    """Every image with at least LEAST_JUDGEMENTS counted answers, the most surely misjudged first."""
    stimulus, stimulus_set = models.LoadedStimulus, models.LoadedSet
    judged = {key: counts for key, counts in tally.images.items() if counts[0] >= LEAST_JUDGEMENTS}
    sets = {sha256 for sha256, _ in judged}
    found = []
    for ids in chunks(sorted({public_id for _, public_id in judged})):
        rows = session.execute(
            select(stimulus_set.sha256, stimulus.public_id, stimulus.id, stimulus_set.name, stimulus.truth)
            .join(stimulus_set)
            .where(stimulus_set.sha256.in_(sets), stimulus.public_id.in_(ids))
        )
        found += [
            ImageStatus(number, public_id, name, truth, *judged[sha256, public_id])
            for sha256, public_id, number, name, truth in rows
            if (sha256, public_id) in judged
        ]
    return sorted(found, key=lambda image: (-image.surely_wrong, image.stimulus_id))
