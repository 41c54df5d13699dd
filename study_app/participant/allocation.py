"""Entering a study: a participant gets a place, a stimulus set, a token and all trials, in one transaction."""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session

from glimpse.files import sha256_json
from study_app import models
from study_app.participant import design, staircase
from study_app.study import StudyFile

# Query parameters of each crowd platform: the person's ID, and other IDs (stored apart from the answers).
PLATFORMS = {
    "prolific": ("PROLIFIC_PID", ("STUDY_ID", "SESSION_ID")),
    "mturk": ("workerId", ("assignmentId", "hitId")),
    "cloudresearch": ("participantId", ("assignmentId", "projectId")),
    "id": ("id", ()),  # Sona's survey code, say; a personal link's code is one that is signed
}
PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE"  # MTurk's assignmentId in a preview
UNFILLED = re.compile(r"[{}<>\[\]$]|^%.*%$")  # {{%PROLIFIC_PID%}}, ${workerId}, %SURVEY_CODE%: a placeholder left over


def identity(query: dict[str, str]) -> tuple[str, str, dict[str, str]] | None:
    """(platform, person, other IDs) from a query string; None when it names no person."""
    given = {key: value.strip()[:128] for key, value in query.items() if not UNFILLED.search(value.strip())}
    for platform, (person, others) in PLATFORMS.items():
        if given.get(person):
            return platform, given[person], {key: given[key] for key in others if given.get(key)}
    return None


def parameters(platform: str, person: str, details: dict[str, str]) -> dict[str, str]:
    """The query parameters with which a person came: the inverse of `identity`."""
    return {PLATFORMS["id" if platform == "link" else platform][0]: person, **details}


def find(session: Session, study: models.Study, who: tuple[str, str, dict[str, str]]) -> models.Participant | None:
    """The participant of the study who entered with this external ID."""
    external, person = models.ExternalIdentity, models.Participant
    return session.scalar(
        select(person)
        .join(external)
        .where(external.study_id == study.id, external.platform == who[0], external.person == who[1])
    )


def new_token() -> str:
    """A credential, for a participant's pages or their withdrawal: 144 random bits."""
    return secrets.token_urlsafe(18)


def taken(session: Session, version: models.StudyVersion, at: datetime, group: str = "people") -> list[int]:
    """The number of finished and recently active participants of each set of the study.

    Those who finished count if their answers do: people whom the study's rules exclude leave their place to others.
    Those who have answered nothing keep their place for IDLE_MINUTES only. Simulated and pilot participants are
    counted among themselves only, in any state.
    """
    person = models.Participant
    query = select(person.set_id, func.count()).where(person.study_id == version.study_id, *models.in_group(group))
    if group == "people":
        query = query.where(_takes_place(at))
    counts: dict[int | None, int] = dict(session.execute(query.group_by(person.set_id)).all())
    return [counts.get(entry.set_id, 0) for entry in version.sets]


def _takes_place(at: datetime) -> ColumnElement[bool]:
    person, trial = models.Participant, models.Trial
    recently, just = (at - timedelta(minutes=m) for m in (design.ACTIVE_MINUTES, design.IDLE_MINUTES))
    began = exists().where(trial.participant_id == person.id, trial.answer.is_not(None))
    active = and_(person.state == "working", person.last_seen_at >= recently, or_(person.last_seen_at >= just, began))
    return or_(and_(person.state == "finished", person.counted), active)


def is_full_for(session: Session, person: models.Participant, key: str, answer: str, quota: int) -> bool:
    """Whether `quota` others who gave this answer to the question `key` have a place in the person's study.

    The study's row is locked, so that two people who answer at once do not both get the last place.
    """
    session.execute(select(models.Study.id).where(models.Study.id == person.study_id).with_for_update())
    other = models.Participant
    alike = (other.study_id == person.study_id, *models.in_group("people"), other.id != person.id)
    said = other.questionnaire[key].as_string() == answer
    count = session.scalar(select(func.count()).where(*alike, said, _takes_place(models.now())))
    return person.group == "people" and (count or 0) >= quota


def is_full(session: Session, study: models.Study) -> bool:
    """Whether every set of the study has reached its quota; a pilot uses none."""
    quotas = [entry.quota for entry in study.current.sets]
    return (
        study.state != "pilot"
        and None not in quotas
        and all(n >= (quota or 0) for n, quota in zip(taken(session, study.current, models.now()), quotas, strict=True))
    )


def enter(
    session: Session, study: models.Study, *, language: str, consent: dict[str, Any],
    who: tuple[str, str, dict[str, str]] | None, token: str, simulated: bool = False,
) -> models.Participant | None:  # fmt: skip
    """A new participant with all trials drawn; None when every set has reached its quota.

    Called in a write transaction that has locked the study's row, so that entries are serialised: sets stay balanced
    when many people enter at once, and a double click enters once.
    """
    at = models.now()
    version = study.current
    person = new_participant(study, language=language, token=token, simulated=simulated)
    limited = person.group == "people"
    counts = taken(session, version, at, person.group)
    place = design.choose_set(counts, [entry.quota if limited else None for entry in version.sets], design.stream())
    if place is None:
        return None
    person.set = version.sets[place].set
    person.consent_version = sha256_json(consent)
    session.merge(models.Consent(study_id=study.id, sha256=person.consent_version, text=consent))
    session.add(person)
    session.flush()
    if who is not None:
        add_identity(session, person, who)
    draw_trials(session, person, StudyFile.from_dict(version.definition))
    return person


def new_participant(
    study: models.Study, *, language: str, token: str, simulated: bool = False, state: str = "working"
) -> models.Participant:
    at = models.now()
    return models.Participant(
        public_id="p" + secrets.token_hex(6), token=token, withdrawal_token=new_token(),
        study=study, version=study.current, language=language, simulated=simulated, state=state,
        pilot=study.state == "pilot" and not simulated, entered_at=at, last_seen_at=at,
    )  # fmt: skip


def add_identity(session: Session, person: models.Participant, who: tuple[str, str, dict[str, str]]) -> None:
    platform, name, details = who
    session.add(
        models.ExternalIdentity(
            participant_id=person.id, study_id=person.study_id, platform=platform, person=name, details=details
        )
    )


def draw_trials(session: Session, person: models.Participant, study: StudyFile) -> None:
    """Draw and store the participant's trials (`design.plan`): images, order, exposures, and a nonce for each."""
    images: dict[tuple[str, str], list[int]] = {}
    for stimulus_id, kind, truth in session.execute(
        select(models.Stimulus.id, models.Stimulus.kind, models.Stimulus.truth)
        .where(models.Stimulus.set_id == person.set_id, models.Stimulus.kind != "practice")
        .order_by(models.Stimulus.id)
    ):
        images.setdefault((kind, truth), []).append(stimulus_id)
    give_back_left(session, person)
    shown = times_shown(session, person)
    real, generated = images.get(("scored", "real"), []), images.get(("scored", "generated"), [])
    catches = [(truth, i) for (kind, truth), ids in images.items() if kind == "catch" for i in ids]
    planned = design.plan(
        count=study.trials.count,
        real_share=study.trials.real_share,
        shown_real=[shown.get(i, 0) for i in real],
        shown_generated=[shown.get(i, 0) for i in generated],
        exposure_ms=study.exposure_ms if study.mode == "fixed" else None,
        rng=design.stream(),
        times_rng=design.stream(),
        catch=min(study.trials.catch, len(catches)),
        catch_truths=[truth for truth, _ in catches],
    )
    ids = {"real": real, "generated": generated}
    if study.mode == "staircase":  # the first step; each answer decides the next
        first = study.exposure_ms[1] if planned[0].kind == "catch" else staircase.next_exposure([], *study.exposure_ms)
        planned[0] = replace(planned[0], exposure_ms=first)
    for position, trial in enumerate(planned, 1):
        session.add(
            models.Trial(
                participant_id=person.id, position=position, kind=trial.kind,
                stimulus_id=catches[trial.index][1] if trial.kind == "catch" else ids[trial.truth][trial.index],
                nonce=secrets.token_urlsafe(12), exposure_ms_planned=trial.exposure_ms,
            )
        )  # fmt: skip
    session.flush()
    count_shown(session, person, 1)


def times_shown(session: Session, person: models.Participant) -> dict[int, int]:
    """Number of times each image of the set was allotted to people, or to simulated and pilot participants."""
    stimulus = models.Stimulus
    count = stimulus.shown if person.group == "people" else stimulus.shown_simulated
    return dict(session.execute(select(stimulus.id, count).where(stimulus.set_id == person.set_id)).all())


def count_shown(session: Session, person: models.Participant, by: int, *which: ColumnElement[bool]) -> None:
    """Add `by` (1 or -1) to the counts of the images in the participant's trials, or in those that fulfil `which`."""
    trial, stimulus = models.Trial, models.Stimulus
    # Serialised: two transactions that each update many rows could deadlock.
    kept = select(models.StimulusSet.id).where(models.StimulusSet.id == person.set_id)
    session.execute(kept.with_for_update(key_share=True))
    mine = select(trial.stimulus_id).where(trial.participant_id == person.id, *which)
    column = "shown" if person.group == "people" else "shown_simulated"
    session.execute(
        update(stimulus)
        .where(stimulus.id.in_(mine))
        .values({column: getattr(stimulus, column) + by})
        .execution_options(synchronize_session=False)
    )


def give_back(session: Session, person: models.Participant) -> None:
    """Release the images of a participant who gave up their place."""
    count_shown(session, person, -1, *([models.Trial.answer.is_not(None)] if person.away else []))
    person.away = False


def give_back_left(session: Session, person: models.Participant) -> None:
    """Release the unanswered images of participants of the same set who have been inactive for 30 minutes.

    Answered images still count. Bounded per entry, to keep entering fast.
    """
    other = models.Participant
    left = session.scalars(
        select(other)
        .where(
            other.study_id == person.study_id, other.simulated.is_(False), other.state == "working",
            other.last_seen_at < models.now() - timedelta(minutes=design.ACTIVE_MINUTES),
            other.set_id == person.set_id, other.away.is_(False),
        )
        .limit(10)
        .with_for_update(skip_locked=True)  # a locked one is just coming back
    ).all()  # fmt: skip
    for one in left:
        count_shown(session, one, -1, models.Trial.answer.is_(None))
        one.away = True


def count_again(session: Session, person: models.Participant) -> None:
    """Count the images of a participant again who comes back after inactivity or after giving up their place."""
    if person.state in models.FREED and person.finished_at is None:
        person.state = "working"
        count_shown(session, person, 1)
    elif person.away:
        count_shown(session, person, 1, models.Trial.answer.is_(None))
    person.away = False


def draw_spares(
    session: Session, person: models.Participant, trials: list[models.Trial], study: StudyFile
) -> list[models.Trial]:
    """New trials at the end that replace those with a wrong exposure, up to the study's number of spare trials.

    Each shows an image of the same class that this participant has not seen; the replaced trial is kept.
    """
    left = study.trials.spare - sum(trial.kind == "spare" for trial in trials)
    replaced = {trial.replaces for trial in trials}
    wrong = [
        trial
        for trial in trials
        if "exposure-wrong" in trial.flags.split() and trial.kind != "catch" and trial.position not in replaced
    ]
    if study.mode != "fixed" or left <= 0 or not wrong:
        return []
    truths = dict(
        session.execute(
            select(models.Stimulus.id, models.Stimulus.truth).where(
                models.Stimulus.set_id == person.set_id, models.Stimulus.kind == "scored"
            )
        ).all()
    )
    shown = times_shown(session, person)
    rng, times_rng = design.stream(), design.stream()
    seen = {trial.stimulus_id for trial in trials}
    spares: list[models.Trial] = []
    for trial in wrong[:left]:
        fresh = sorted(i for i, truth in truths.items() if truth == truths[trial.stimulus_id] and i not in seen)
        if not fresh:
            break
        stimulus_id = fresh[design.draw_images([shown.get(i, 0) for i in fresh], 1, rng)[0]]
        seen.add(stimulus_id)
        spares.append(
            models.Trial(
                participant_id=person.id, position=len(trials) + len(spares) + 1, kind="spare",
                replaces=trial.position, stimulus_id=stimulus_id, nonce=secrets.token_urlsafe(12),
                exposure_ms_planned=design.exposures(1, *study.exposure_ms, times_rng)[0],
            )
        )  # fmt: skip
    session.add_all(spares)
    session.flush()
    count_shown(session, person, 1, models.Trial.position > len(trials))
    return spares
