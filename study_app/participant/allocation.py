"""Entering a study: a participant gets a place, a stimulus set, a token and all trials, in one transaction."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from glimpse.files import sha256_json
from study_app import models
from study_app.definition.study import StudyFile
from study_app.participant import design, trial_images


def by_external_id(
    session: Session, study: models.Study, who: tuple[str, str, dict[str, str]]
) -> models.Participant | None:
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

    Finished participants count if their answers do: those excluded by the study's rules free their place. Participants
    without an answer keep their place for IDLE_MINUTES only. Simulated and pilot participants are counted separately,
    in any state.
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
    quotas = quotas_of(study.current)
    counts = taken(session, study.current, models.now())[: len(quotas)]
    full = all(n >= quota for n, quota in zip(counts, quotas, strict=True) if quota is not None)
    return study.state != "pilot" and None not in quotas and full


def quotas_of(version: models.StudyVersion) -> list[int | None]:
    """The quota of each set, None for none. In a within design, the first set has the smallest, and all people."""
    quotas = [entry.quota for entry in version.sets]
    if StudyFile.from_dict(version.definition).within:
        return [min((quota for quota in quotas if quota is not None), default=None)]
    return quotas


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
    file = StudyFile.from_dict(version.definition)
    person = new_participant(study, language=language, token=token, simulated=simulated)
    quotas = [quota if person.group == "people" else None for quota in quotas_of(version)]
    counts = taken(session, version, at, person.group)[: len(quotas)]
    place = design.choose_set(counts, quotas, design.stream())
    if place is None:
        return None
    person.set = version.sets[place].set
    if file.sides == "counterbalanced":
        person.mirrored = design.choose_set(_by_side(session, person), [None, None], design.stream()) == 1
    person.consent_version = sha256_json(consent)
    session.merge(models.Consent(study_id=study.id, sha256=person.consent_version, text=consent))
    session.add(person)
    session.flush()
    if who is not None:
        add_identity(session, person, who)
    trial_images.draw_trials(session, person, file)
    return person


def _by_side(session: Session, person: models.Participant) -> list[int]:
    """The number of others of this person's kind and set who have 'real' on the left, and on the right."""
    other = models.Participant
    alike = (other.study == person.study, other.set == person.set, *models.in_group(person.group))
    kept = other.state.not_in((*models.GAVE_BACK, "withdrawn"))
    found = session.execute(select(other.mirrored, func.count()).where(*alike, kept).group_by(other.mirrored))
    counts: dict[bool, int] = dict(found.all())
    return [counts.get(False, 0), counts.get(True, 0)]


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
