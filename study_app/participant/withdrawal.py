"""Participants' rights: withdrawal by a personal link, export of the stored data, erasure after the retention period.

A withdrawal erases the answers, the questionnaire and the external IDs; only the fact that one person of this study and
set withdrew is kept. After the study's retention period, everything that leads from the answers to a person is erased;
the answers are kept, anonymised.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Any

from flask import Blueprint, abort, render_template, request
from sqlalchemy import delete, func, select, text, update
from sqlalchemy.orm import Session, undefer
from werkzeug.wrappers import Response

from study_app import i18n, models
from study_app.database import Database, SurveyError, app_database
from study_app.definition.study import StudyFile
from study_app.orm import iso
from study_app.participant import trial_images

LEAP_DAYS = 7  # a server that runs looks daily
blueprint = Blueprint("withdrawal", __name__, url_prefix="/withdraw")


@blueprint.route("/<token>", methods=["GET", "POST"])
def withdraw(token: str) -> Any:
    """The participant's withdrawal link: GET shows the stored data, POST erases it."""
    with app_database().write() if request.method == "POST" else app_database().read() as session:
        person = session.scalar(select(models.Participant).where(models.Participant.withdrawal_token == token))
        if person is None:
            abort(404)
        file = StudyFile.from_dict(person.version.definition)
        i18n.offer(file, person.language)
        if request.method == "POST" and person.state != "withdrawn":
            erase(session, person)
        stored = {} if person.state == "withdrawn" else stored_data(session, person)
        return render_template("withdraw.html", study=file, person=person, stored=stored, token=token)


@blueprint.get("/<token>/data.json")
def data(token: str) -> Any:
    """All data stored about this person, as a file (GDPR, articles 15 and 20)."""
    import json

    with app_database().read() as session:
        person = session.scalar(select(models.Participant).where(models.Participant.withdrawal_token == token))
        if person is None or person.state == "withdrawn":
            abort(404)
        content = json.dumps(stored_data(session, person), indent=1, ensure_ascii=False)
    return Response(
        content, mimetype="application/json", headers={"Content-Disposition": "attachment; filename=data.json"}
    )


def erase(session: Session, person: models.Participant) -> None:
    """Erase a person's data; the remaining row records that someone withdrew, from which set, and on which day."""
    session.info["erased"] = True
    if person.state not in models.GAVE_BACK:
        trial_images.give_back(session, person)
    session.execute(delete(models.Trial).where(models.Trial.participant_id == person.id))
    session.execute(delete(models.ExternalIdentity).where(models.ExternalIdentity.participant_id == person.id))
    person.state, person.stage = "withdrawn", "end"
    person.consent_version = person.questionnaire = person.device = person.comment = None
    person.practised_at = person.finished_at = None
    person.public_id = "w" + secrets.token_hex(6)  # the code in earlier exports matches nothing
    day = models.now().replace(hour=0, minute=0, second=0, microsecond=0)
    person.entered_at = person.last_seen_at = day


def delete_pilot(session: Session, study: models.Study) -> int:
    """Delete the study's pilot participants without a trace; returns how many."""
    session.info["erased"] = True
    person = models.Participant
    people = session.scalars(select(person).where(person.study_id == study.id, *models.in_group("pilot"))).all()
    for one in people:
        if one.state not in (*models.GAVE_BACK, "withdrawn", "no-consent"):
            trial_images.give_back(session, one)
    ids = select(person.id).where(person.study_id == study.id, *models.in_group("pilot"))
    for table, column in (
        (models.Trial, models.Trial.participant_id),
        (models.ExternalIdentity, models.ExternalIdentity.participant_id),
        (person, person.id),
    ):
        session.execute(delete(table).where(column.in_(ids)).execution_options(synchronize_session=False))
    return len(people)


def forget(session: Session, at: datetime) -> int:
    """Anonymise all participants whose retention period is over; returns how many.

    Erases external IDs, free text (comments, reasons, and answers to questions without options) and the links. The
    period begins when the participant was last seen.
    """
    forgotten = 0
    session.info["erased"] = True
    for version in session.scalars(select(models.StudyVersion)):
        file = StudyFile.from_dict(version.definition)
        choices = {question.key for question in file.questions if question.choices}
        people = session.scalars(
            select(models.Participant).where(
                models.Participant.version_id == version.id,
                models.Participant.last_seen_at < at - timedelta(days=file.retention_days),
                models.Participant.withdrawal_token.not_like("forgotten-%"),
            )
        )
        for person in people:
            session.execute(delete(models.ExternalIdentity).where(models.ExternalIdentity.participant_id == person.id))
            person.comment = None
            session.execute(update(models.Trial).where(models.Trial.participant_id == person.id).values(why=None))
            if person.questionnaire:
                person.questionnaire = {key: text for key, text in person.questionnaire.items() if key in choices}
            person.token, person.withdrawal_token = (f"forgotten-{secrets.token_hex(10)}" for _ in range(2))
            forgotten += 1
    return forgotten


def forget_expired(database: Database, at: datetime, *, clock_is_right: bool = False) -> int:
    """`forget`, unless the clock has jumped: anonymising cannot be undone. Returns how many were anonymised.

    Raises SurveyError when `at` is more than LEAP_DAYS after the last time that this ran, or if it never did, after the
    last moment stored in the database.
    """
    with database.write() as session:  # kept even if the clock has jumped: later requests store its wrong times
        if session.get_bind().dialect.name == "postgresql":  # SQLite has one writer at a time
            session.execute(text("LOCK TABLE retention IN EXCLUSIVE MODE"))
        row = session.get(models.Retention, 1)
        if row is None:
            moments = (models.Participant.last_seen_at, models.StudyVersion.loaded_at)
            known = [moment for column in moments if (moment := session.scalar(select(func.max(column))))]
            row = models.Retention(id=1, checked_at=max(known, default=at))
            session.add(row)
        last = row.checked_at
    days = (at - last) / timedelta(days=1)
    if days > LEAP_DAYS and not clock_is_right:
        raise SurveyError(
            f"The clock says {at:%Y-%m-%d}, {days:.0f} days after retention periods were last checked "
            f"({last:%Y-%m-%d}), so nothing was erased: set the clock right, or if it is right, run "
            "`study_app forget --expired --clock-is-right`."
        )
    with database.write() as session:
        session.merge(models.Retention(id=1, checked_at=at))
        return forget(session, at)


def stored_data(session: Session, person: models.Participant) -> dict[str, Any]:
    """All data stored about one person, including the platform's ID but no token, as JSON values.

    Values that could reveal which images are real are added only after the last answer: the trials to come,
    image IDs (stimulus sets may be published), and trial kinds (attention trials are all `generated`).
    """
    external = person.external
    over = person.finished_at is not None or person.state in ("screened-out", "over-quota")
    rows = select(models.Trial).where(models.Trial.participant_id == person.id).order_by(models.Trial.position)
    rows = rows.options(undefer(models.Trial.events))
    trials = session.scalars(rows if over else rows.where(models.Trial.answer.is_not(None)))
    moments = ("entered_at", "last_seen_at", "practised_at", "finished_at")
    plain = (
        "public_id",
        "state",
        "stage",
        "simulated",
        "language",
        "consent_version",
        "questionnaire",
        "device",
        "comment",
    )
    return {
        "study": person.study.slug,
        "study_sha256": person.version.sha256,
        "set": person.set.name if person.set else None,
        **{name: getattr(person, name) for name in plain},
        **{name: iso(moment) if (moment := getattr(person, name)) else None for name in moments},
        "from": {"platform": external.platform, "id": external.person, **external.details} if external else None,
        "trials": [
            {
                "position": trial.position, "replaces": trial.replaces, "begun": trial.begun,
                "fetched_at": iso(trial.fetched_at) if trial.fetched_at else None,
                **({"kind": trial.kind, "image": trial.stimulus.public_id} if over else {}),
                **({"second": trial.second.public_id} if over and trial.second else {}),
                "answer": trial.answer, "rating": trial.rating, "confidence": trial.confidence,
                "why": trial.why, "why_x": trial.why_x, "why_y": trial.why_y,
                "exposure_ms_planned": trial.exposure_ms_planned, "exposure_ms_actual": trial.exposure_ms_actual,
                "second_exposure_ms": trial.second_exposure_ms,
                "response_time_ms": trial.response_time_ms, "dropped_frames": trial.dropped_frames,
                "focus_lost": trial.focus_lost, "flags": trial.flags, "details": trial.details, "events": trial.events,
                "answered_at": iso(trial.answered_at) if trial.answered_at else None,
            }
            for trial in trials
        ],
    }  # fmt: skip
