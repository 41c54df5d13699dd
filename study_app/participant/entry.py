"""The way into a study: its address, consent, and the form that makes a participant."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from study_app import i18n, models, security
from study_app.database import app_database
from study_app.participant import allocation
from study_app.participant.pages import closed
from study_app.study import LANGUAGES, StudyFile

blueprint = Blueprint("entry", __name__)
TOKEN = re.compile("[A-Za-z0-9_-]{24}")


@blueprint.get("/")
def index() -> Any:
    with app_database().read() as session:
        studies = session.scalars(select(models.Study).where(models.Study.state == "open").order_by(models.Study.id))
        offered = [(study.slug, StudyFile.from_dict(study.current.definition)) for study in studies]
    if len(offered) == 1:
        return redirect(_with_query(url_for("entry.study", slug=offered[0][0])), 303)
    page = {"title": "Glimpse", "languages": LANGUAGES}  # what stands above every page, here of no study
    return render_template(
        "index.html", study=page, offered=offered, query=request.query_string.decode("ascii", "ignore")
    )


def _with_query(path: str) -> str:
    query = request.query_string.decode("ascii", "ignore")
    return f"{path}?{query}" if query else path


def _study(session: Session, slug: str, *, write: bool = False) -> tuple[models.Study, StudyFile]:
    """The study of a slug; 404 where there is none. In a write transaction its row is locked."""
    query = select(models.Study).where(models.Study.slug == slug)
    row = session.scalar(query.with_for_update() if write else query)
    if row is None:
        abort(404)
    file = StudyFile.from_dict(row.current.definition)
    i18n.offer(file.languages, request.form.get("lang"))
    return row, file


def _consent(file: StudyFile) -> dict[str, Any]:
    """What the participant reads and agrees to, in their language: the page shows it, and its hash is stored."""
    about = i18n.shown(file.about).split("\n\n")
    if not file.about:
        about = [
            _(
                "Some of the images that you will see are real medical photographs. Others were made by a computer. "
                "Each is shown until you say which you think it is."
            )
            if file.mode == "unlimited"
            else _(
                "Some of the images that you will see are real medical photographs. Others were made by a computer. "
                "Each is shown for a moment only; then you say which you think it was."
            ),
            _("We want to know how well people can tell them apart. You need no training of any kind."),
        ]
    facts = [
        _("%(count)d images, about %(minutes)d minutes", count=file.trials.total, minutes=i18n.minutes(file)),
        _("We keep your answers and how long they took; not your name, and no address of your computer."),
        _("You may stop at any time, and have your answers deleted by a link at the foot of the pages that follow."),
        _("Medical images may be unpleasant to look at."),
    ]
    if file.contact:
        facts.append(_("Questions? Write to %(contact)s.", contact=file.contact))
    agreed = i18n.shown(file.consent) or _(
        "I am at least 18 years old, I have read this, and I take part of my own free will."
    )
    return {"about": about, "facts": facts, "agreed": agreed, "language": i18n.language()}


def _is_preview() -> bool:
    return request.args.get("assignmentId") == allocation.PREVIEW


def _ask(file: StudyFile, *, missing: bool = False) -> str:
    """The consent page. The token in its form makes one participant of it, however often it is sent."""
    return render_template(
        "consent.html", study=file, consent=_consent(file), preview=_is_preview(), missing=missing,
        token=allocation.new_token(), action=_with_query("enter"),
    )  # fmt: skip


@blueprint.get("/study/<slug>/")
def study(slug: str) -> Any:
    with app_database().read() as session:
        row, file = _study(session, slug)
        return _elsewhere(session, row, file) or _ask(file)


@blueprint.get("/study/<slug>/enter")
def back(slug: str) -> Response:
    """What the address of a form leads to that has been answered: whoever comes back to it begins again."""
    return redirect(_with_query(url_for("entry.study", slug=slug)), 303)


def _elsewhere(session: Session, row: models.Study, file: StudyFile, token: str = "") -> Any:
    """Where somebody goes who cannot enter: to their own page if they have one, or to why nobody begins now."""
    known = allocation.find(session, row, request.args, token)
    if known is not None:
        return redirect(url_for("pages.participant", token=known.token), 303)
    if row.state != "open":
        return _nobody(file, row.state)
    if "simulated" not in request.args and allocation.is_full(session, row):
        return _nobody(file, "full")
    return None


def _nobody(file: StudyFile, why: str) -> tuple[str, int]:
    return render_template("closed.html", study=file, why=why), 403


@blueprint.post("/study/<slug>/enter")
def enter(slug: str) -> Any:
    security.limit_entries()
    choices, token = request.form.getlist("consent"), request.form.get("token", "")
    if not TOKEN.fullmatch(token):
        token = allocation.new_token()
    with app_database().write() as session:
        row, file = _study(session, slug, write=True)
        if _is_preview():
            abort(403)
        elsewhere = _elsewhere(session, row, file, token)
        if elsewhere is not None:
            return elsewhere
        if "no" in choices:
            person = allocation.new_participant(row, language=i18n.language(), token=token, state="no-consent")
            session.add(person)
            return closed(person, file)
        if "yes" not in choices:
            return _ask(file, missing=True), 422
        if not allocation.enter(
            session, row, language=i18n.language(), consent=_consent(file), who=allocation.identity(request.args),
            token=token, simulated="simulated" in request.args,
        ):  # fmt: skip
            return _nobody(file, "full")
    return redirect(url_for("pages.participant", token=token), 303)
