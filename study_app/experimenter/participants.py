"""The dashboard's lists of participants and of their comments; the page of each: trials, answers, export, erasure."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from flask import Response, abort, redirect, request, url_for
from sqlalchemy import ColumnElement, case, func, or_, select, text
from sqlalchemy.orm import Session, joinedload

from glimpse import observers
from study_app import models
from study_app.database import app_database
from study_app.experimenter.accounts import record
from study_app.experimenter.admin import blueprint, group, of_group, render_page, study_of
from study_app.orm import storable
from study_app.participant import trial_images, withdrawal

PAGE = 100  # participants a page


@blueprint.get("/study/<slug>/participants")
def participants(slug: str) -> Any:
    """The participants, the newest first; `?q=` leaves those whose code or platform ID contains it."""
    trial = models.Trial
    with app_database().read() as session:
        study = study_of(session, slug)
        found, total = _page(session, *of_group(study, group()), *_sought())
        answered = dict(
            session.execute(
                select(trial.participant_id, func.count(case((trial.answer.is_not(None), 1))))
                .where(trial.participant_id.in_([one.id for one in found]))
                .group_by(trial.participant_id)
            ).all()
        )
        return render_page(
            session, "participants.html", study, people=found, answered=answered, total=total, **_pages(total)
        )


@blueprint.get("/study/<slug>/comments")
def comments(slug: str) -> Any:
    person = models.Participant
    with app_database().read() as session:
        study = study_of(session, slug)
        found, total = _page(session, *of_group(study, group()), person.comment.is_not(None))
        return render_page(session, "comments.html", study, people=found, total=total, **_pages(total))


def _page(session: Session, *which: ColumnElement[bool]) -> tuple[list[models.Participant], int]:
    """The participants on the page that `?page=` names, and how many there are on all pages."""
    person = models.Participant
    total = session.scalar(select(func.count(person.id)).where(*which)) or 0
    page = select(person).where(*which).order_by(person.id.desc()).limit(PAGE).offset((_number() - 1) * PAGE)
    return list(session.scalars(page.options(joinedload(person.set)))), total


def _number() -> int:
    return max(1, min(request.args.get("page", 1, int), 10**6))


def _pages(total: int) -> dict[str, Any]:
    """Values for the links to other pages: this page's number, the number of pages, the query that links keep."""
    query = {name: request.args[name] for name in ("q", *models.GROUPS) if name in request.args}
    return {"page": _number(), "pages": max(1, -(-total // PAGE)), "query": query, "sought": query.get("q", "").strip()}


def _sought() -> tuple[ColumnElement[bool], ...]:
    words = storable(request.args.get("q", ""), 128)
    if not words:
        return ()
    person, external = models.Participant, models.ExternalIdentity
    known = select(external.participant_id).where(external.person.icontains(words, autoescape=True))
    return (or_(person.public_id.icontains(words, autoescape=True), person.id.in_(known)),)


def _participant(session: Session, public_id: str) -> models.Participant:
    found = session.scalar(select(models.Participant).where(models.Participant.public_id == public_id))
    if found is None:
        abort(404)
    return found


@blueprint.get("/participant/<public_id>")
def participant(public_id: str) -> Any:
    """One participant: scores, trials in order, and what they told us."""
    with app_database().read() as session:
        person = _participant(session, public_id)
        rows = session.execute(
            select(models.Trial, models.LoadedStimulus)
            .join(models.Trial.stimulus)
            .where(models.Trial.participant_id == person.id)
            .order_by(models.Trial.position)
        ).all()
        judged = session.execute(
            text(
                "SELECT answer = 'generated', truth = 'generated' FROM responses "
                "WHERE participant = :code AND replaced = 0"
            ),
            {"code": public_id},
        ).all()
        said, truth = np.array(judged, bool).reshape(-1, 2).T
        counts = observers.count(said, truth, np.zeros(len(judged), int), 1)
        scores = {
            "correct": int(counts.correct[0]), "of": len(judged), "F1": float(observers.f1(counts)[0]),
            "chance": float(observers.f1_chance(counts)[0]), "d'": float(observers.d_prime(counts)[0]),
            "criterion": float(observers.criterion(counts)[0]),
        }  # fmt: skip
        why = session.scalar(
            text("SELECT excluded_for FROM participants WHERE participant = :code"), {"code": public_id}
        )
        return render_page(
            session, "participant.html", person.study, group=person.group, person=person, trials=rows,
            scores=scores, excluded_for=why,
        )  # fmt: skip


@blueprint.get("/participant/<public_id>/data.json")
def participant_data(public_id: str) -> Any:
    with app_database().write(durable=False) as session:
        person = _participant(session, public_id)
        record(session, "export", person.study, public_id)
        content = json.dumps(withdrawal.stored_data(session, person), indent=1, ensure_ascii=False)
    return Response(
        content, mimetype="application/json",
        headers={"Content-Disposition": f"attachment; filename={public_id}.json"},
    )  # fmt: skip


@blueprint.post("/participant/<public_id>/reject")
def reject(public_id: str) -> Any:
    """Keep a participant's answers out of the results without erasing them, or (`undo`) count them again."""
    with app_database().write() as session:
        person = _participant(session, public_id)
        if "undo" in request.form and person.state == "rejected":
            record(session, "accept", person.study, public_id)
            person.state = "finished" if person.finished_at else "working"
            trial_images.count_shown(session, person, 1)
        elif "undo" not in request.form and person.state not in ("rejected", "no-consent", "withdrawn"):
            if person.state not in models.GAVE_BACK:
                trial_images.give_back(session, person)
            record(session, "reject", person.study, public_id)
            person.state = "rejected"
    return redirect(url_for("admin.participant", public_id=public_id), 303)


@blueprint.post("/participant/<public_id>/erase")
def erase(public_id: str) -> Any:
    with app_database().write() as session:
        person = _participant(session, public_id)
        withdrawal.erase(session, person)
        record(session, "erase", person.study, person.public_id)
        slug = person.study.slug
    return redirect(url_for("admin.participants", slug=slug), 303)
