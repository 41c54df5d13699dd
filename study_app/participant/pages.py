"""The pages a participant reads: consent, questions, device check, the trials' page, debrief.

Where a participant is, the server knows (`Participant.stage`): whatever is reloaded, gone back to or opened elsewhere,
/p/TOKEN/ shows the one right page. No page holds the truth of an image before the last answer is saved.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from study_app import i18n, models, security
from study_app.database import Database
from study_app.participant import allocation, crowd
from study_app.study import LANGUAGES, StudyFile, say

blueprint = Blueprint("pages", __name__)
CLOSED = ("withdrawn", "no-consent", "screened-out")
TOKEN = re.compile("[A-Za-z0-9_-]{24}")


def database() -> Database:
    found: Database = current_app.extensions["glimpse"]
    return found


def sorry(error: Any) -> Any:
    """An error in words, for a person; a script gets the bare code."""
    code = getattr(error, "code", None) or 500
    headers = {"Retry-After": "60"} if code == 429 else {}
    if not request.accept_mimetypes.accept_html:
        return Response(status=code, headers=headers)
    return render_template("error.html", code=code), code, headers


# ------------------------------------------------------------------------------------------------ before entering


@blueprint.get("/")
def index() -> Any:
    with database().read() as session:
        studies = session.scalars(select(models.Study).where(models.Study.state == "open").order_by(models.Study.id))
        offered = [(study.slug, StudyFile.from_dict(study.current.definition)) for study in studies]
    if len(offered) == 1:
        return redirect(_with_query(url_for("pages.study", slug=offered[0][0])), 303)
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
    with database().read() as session:
        row, file = _study(session, slug)
        return _elsewhere(session, row, file) or _ask(file)


@blueprint.get("/study/<slug>/enter")
def back(slug: str) -> Response:
    """What the address of a form leads to that has been answered: whoever comes back to it begins again."""
    return redirect(_with_query(url_for("pages.study", slug=slug)), 303)


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
    with database().write() as session:
        row, file = _study(session, slug, write=True)
        if _is_preview():
            abort(403)
        elsewhere = _elsewhere(session, row, file, token)
        if elsewhere is not None:
            return elsewhere
        if "no" in choices:
            person = allocation.new_participant(row, language=i18n.language(), token=token, state="no-consent")
            session.add(person)
            return _closed(person, file)
        if "yes" not in choices:
            return _ask(file, missing=True), 422
        if not allocation.enter(
            session, row, language=i18n.language(), consent=_consent(file), who=allocation.identity(request.args),
            token=token, simulated="simulated" in request.args,
        ):  # fmt: skip
            return _nobody(file, "full")
    return redirect(url_for("pages.participant", token=token), 303)


def _closed(person: models.Participant, file: StudyFile) -> str:
    """What somebody sees for whom the study ended early, with the platform's code for that if there is one."""
    return render_template("closed.html", study=file, person=person, why=person.state, **_way_back(person, file))


def _way_back(person: models.Participant, file: StudyFile) -> dict[str, str]:
    return {
        "code": crowd.code_for(person.state, file.completion),
        "url": crowd.way_back(person.state, file.completion),
    }


# ------------------------------------------------------------------------------------------------ /p/TOKEN/


def find(session: Session, token: str, *, write: bool = False) -> tuple[models.Participant, StudyFile]:
    """The participant of a token, with the study they agreed to; 404 for a token that nobody has.

    In a write transaction the row is locked, so that two pages of one participant come one after the other, and the
    participant counts as here.
    """
    with_version = joinedload(models.Participant.version, innerjoin=True)
    query = select(models.Participant).where(models.Participant.token == token).options(with_version)
    person = session.scalar(query.with_for_update(of=models.Participant) if write else query)
    if person is None:
        abort(404)
    file = StudyFile.from_dict(person.version.definition)
    i18n.offer(file.languages, person.language)
    if write:
        person.last_seen_at = models.now()
        allocation.count_again(session, person)
    return person, file


@blueprint.get("/p/<token>/")
def participant(token: str) -> Any:
    if "lang" in request.args:
        return _change_language(token)
    with database().read() as session:
        person, file = find(session, token)
        if person.state in CLOSED:
            return _closed(person, file)
        if person.state == "finished":
            return _debrief(session, person, file)
        counts = select(func.count(), func.count(models.Trial.answer)).where(models.Trial.participant_id == person.id)
        total, answered = session.execute(counts).one()
        setup = {
            "base": f"/p/{token}/",
            "practice": 0 if person.practised_at or answered else file.practice,
            "fixation": file.fixation_ms,
            "mask": file.mask_ms if file.mask else 0,
            "result": _result(session, person),
        }
        stage = "trials" if answered else _stage(person, file)
        template = {"questions": "questions.html", "device": "device.html"}.get(stage, "trials.html")
        return render_template(
            template, study=file, person=person, label=_label(person, file), answered=answered, total=total,
            setup=json.dumps(setup),
        )  # fmt: skip


def _stage(person: models.Participant, file: StudyFile) -> str:
    return "device" if person.stage == "questions" and not file.questions else person.stage


def _label(person: models.Participant, file: StudyFile) -> str:
    """What the images of a participant's set show: as the study file says it, else the set's own label."""
    own = next((entry.label for entry in file.sets if person.set and entry.name == person.set.name), "")
    return i18n.shown(own) or (person.set.label if person.set else "")


def _change_language(token: str) -> Response:
    with database().write() as session:
        person, file = find(session, token, write=True)
        if request.args["lang"] in file.languages:
            person.language = request.args["lang"]
    return redirect(url_for("pages.participant", token=token), 303)


@blueprint.post("/p/<token>/questions")
def questions(token: str) -> Any:
    with database().write() as session:
        person, file = find(session, token, write=True)
        if person.state == "working" and person.stage == "questions":
            told: dict[str, str] = {}
            for question in file.questions:
                given = request.form.get(question.key, "").replace("\0", "").strip()[:500]
                options = {str(i): option for i, option in enumerate(question.options)}
                if given in options:  # stored in the study's first language, whatever the participant's
                    told[question.key] = say(options[given], file.languages[0])
                    if int(given) in question.screen_out:
                        person.state = "screened-out"
                elif given and not options:
                    told[question.key] = given
            person.questionnaire = told
            person.stage = "device"
            if person.state == "screened-out":
                allocation.give_back(session, person)
    return redirect(url_for("pages.participant", token=token), 303)


@blueprint.post("/p/<token>/device")
def device(token: str) -> Any:
    with database().write() as session:
        person, file = find(session, token, write=True)
        if person.state == "working" and _stage(person, file) == "device":
            person.device = {
                key: value
                for key in ("frame_ms", "width", "height", "pixel_ratio", "touch")
                if (value := _number(request.form.get(key, ""))) is not None
            }
            person.stage = "trials"
    return redirect(url_for("pages.participant", token=token), 303)


def _number(text: str) -> float | None:
    try:
        value = float(text[:20])
    except ValueError:
        return None
    return round(value, 3) if math.isfinite(value) and 0 <= value <= 100_000 else None


@blueprint.post("/p/<token>/comment")
def comment(token: str) -> Any:
    with database().write() as session:
        person, file = find(session, token, write=True)
        given = request.form.get("comment", "").replace("\0", "").strip()[:5000]
        if file.comment and given and person.state == "finished":
            person.comment = given
    return redirect(url_for("pages.participant", token=token), 303)


def _debrief(session: Session, person: models.Participant, file: StudyFile) -> str:
    counted = session.execute(
        select(models.Trial.answer, models.Stimulus.truth)
        .join(models.Stimulus)
        .where(models.Trial.participant_id == person.id, models.Trial.kind != "catch")
    ).all()
    generated = session.scalar(
        select(models.Stimulus.origin)
        .where(
            models.Stimulus.set_id == person.set_id, models.Stimulus.truth == "generated",
            models.Stimulus.kind == "scored",
        )
        .limit(1)
    )  # fmt: skip
    return render_template(
        "debrief.html", study=file, person=person, of=len(counted),
        altered="image_id" in (generated or {}),  # a translated image names the photograph that it was made of
        right=sum(answer == truth for answer, truth in counted),
        **_way_back(person, file), result=json.dumps(_result(session, person)),
    )  # fmt: skip


def _result(session: Session, person: models.Participant) -> list[dict[str, float | None]]:
    """The trials answered so far, for `window.__result`."""
    rows = session.execute(
        select(models.Trial.exposure_ms_actual, models.Trial.response_time_ms)
        .where(models.Trial.participant_id == person.id, models.Trial.answer.is_not(None))
        .order_by(models.Trial.position)
    )
    return [{"exposure": exposure, "rt": response} for exposure, response in rows]
