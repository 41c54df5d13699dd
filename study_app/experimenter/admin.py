"""The live dashboard at /admin/: how a study stands, its images and participants, recruiting, download."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from datetime import timedelta
from typing import Any

import segno
from flask import Blueprint, Flask, Response, abort, current_app, redirect, render_template, request, url_for
from markupsafe import Markup
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from glimpse import observers
from study_app import models
from study_app.database import SurveyError
from study_app.experimenter import access, charts, export
from study_app.experimenter.status import Tally, image_status, study_status
from study_app.participant import allocation, crowd, withdrawal
from study_app.participant.pages import database
from study_app.study import LARGEST_QUOTA, StudyFile, say

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
HOURS = 48  # shown in the strip of finished participants
PAGE = 100  # participants a page
GALLERY = 60  # images of each kind on the page of images
MOST_LINKS = 200  # personal links made at once
UPLOAD = 4 * 1024 * 1024  # bytes of a platform's export
access.explain_errors(blueprint)


@blueprint.before_request
def _admit() -> Any:
    if request.endpoint == "admin.recruiting":
        request.max_content_length = request.max_form_memory_size = UPLOAD
    return access.guard()


def init_app(app: Flask) -> None:
    """Does nothing unless there is a password: then /admin/ is as if it had never been written."""
    if access.init_app(app):
        app.extensions["glimpse_tallies"] = ({}, threading.Lock())
        app.jinja_env.globals.update(form_token=access.form_token, box_row=charts.box_row, axis=charts.axis)
        app.register_blueprint(blueprint)


def _tally(study: models.Study, simulated: bool) -> Tally:
    tallies, lock = current_app.extensions["glimpse_tallies"]
    with lock:
        found: Tally = tallies.setdefault((study.id, simulated), Tally(study.id, simulated))
        return found


def _study(session: Session, slug: str) -> models.Study:
    found = session.scalar(select(models.Study).where(models.Study.slug == slug))
    if found is None:
        abort(404)
    return found


def _page(session: Session, template: str, study: models.Study | None, **values: Any) -> str:
    studies = list(session.scalars(select(models.Study).order_by(models.Study.id.desc())))
    return render_template(
        f"admin/{template}",
        **{"studies": studies, "study": study, "simulated": _simulated(), "endpoint": request.endpoint, **values},
    )


def _simulated() -> bool:
    return request.args.get("simulated") == "1"


# ------------------------------------------------------------------------------------------------ overview


@blueprint.get("/")
def overview() -> Any:
    """The study that was made last; the others are a click away."""
    with database().read() as session:
        study = session.scalar(
            select(models.Study).order_by((models.Study.state == "open").desc(), models.Study.id.desc())
        )
        return _page(session, "overview.html", study, **(_live(session, study) if study else {}))


@blueprint.get("/study/<slug>/")
def of_study(slug: str) -> Any:
    with database().read() as session:
        study = _study(session, slug)
        return _page(session, "overview.html", study, **_live(session, study))


@blueprint.get("/study/<slug>/live")
def live(slug: str) -> Any:
    """The part of the page that refreshes itself."""
    with database().read() as session:
        study = _study(session, slug)
        return render_template("admin/_live.html", study=study, simulated=_simulated(), **_live(session, study))


def _live(session: Session, study: models.Study) -> dict[str, Any]:
    tally = _tally(study, _simulated())
    status = study_status(session, study, tally, models.now())
    images = image_status(session, tally)
    return {
        "status": status,
        "updated": models.iso(models.now()),
        "hours": charts.bars(_finished_by_hour(session, study), f"finished in each of the last {HOURS} hours"),
        "fooling": [image for image in images if image.truth == "generated"][:6],
        "doubted": [image for image in images if image.truth == "real"][:6],
    }


def _finished_by_hour(session: Session, study: models.Study) -> list[int]:
    person, now = models.Participant, models.now()
    since = now - timedelta(hours=HOURS - 1)
    hour = func.substr(person.finished_at, 1, 13)
    found: dict[str, int] = dict(
        session.execute(
            select(hour, func.count())
            .where(person.study_id == study.id, person.simulated.is_(_simulated()), person.finished_at >= since)
            .group_by(hour)
        ).all()
    )
    return [found.get(models.iso(since + timedelta(hours=i))[:13], 0) for i in range(HOURS)]


@blueprint.post("/study/<slug>/state")
def set_state(slug: str) -> Any:
    state = request.form.get("state", "")
    if state not in models.STUDY_STATES:
        abort(422)
    with database().write() as session:
        _study(session, slug).state = state
    return redirect(url_for("admin.of_study", slug=slug), 303)


@blueprint.post("/study/<slug>/quota")
def set_quota(slug: str) -> Any:
    """Quotas of the current version's sets, by set name; an empty one is none."""
    with database().write() as session:
        for entry in _study(session, slug).current.sets:
            given = request.form.get(f"quota-{entry.set.name}")
            if given is None:
                continue
            given = given.strip()
            if given and not (re.fullmatch("[0-9]{1,9}", given) and 0 < int(given) <= LARGEST_QUOTA):
                abort(422, f"A quota is a whole number from 1 to {LARGEST_QUOTA}, or empty for none.")
            entry.quota = int(given) if given else None
    return redirect(url_for("admin.of_study", slug=slug), 303)


@blueprint.get("/study/<slug>/download.zip")
def download(slug: str) -> Any:
    """The export, zipped without times: the same answers give the same bytes."""
    with database().read() as session:
        files = export.export(
            session, _study(session, slug), simulated=_simulated(), external_ids=request.args.get("external_ids") == "1"
        )
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(f"{slug}/{name}", (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return Response(
        packed.getvalue(), mimetype="application/zip",
        headers={"Content-Disposition": f"attachment; filename={slug}.zip"},
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ images


@blueprint.get("/study/<slug>/images")
def images(slug: str) -> Any:
    with database().read() as session:
        study = _study(session, slug)
        tally = _tally(study, _simulated())
        tally.update(session)
        found = image_status(session, tally)
        kinds = {truth: [image for image in found if image.truth == truth][:GALLERY] for truth in ("generated", "real")}
        return _page(session, "images.html", study, fooling=kinds["generated"], doubted=kinds["real"])


@blueprint.get("/image/<int(max=2147483647):number>.png")  # what PostgreSQL takes for an ID
def image(number: int) -> Any:
    with database().read() as session:
        png = session.scalar(select(models.StimulusImage.png).where(models.StimulusImage.stimulus_id == number))
    if png is None:
        abort(404)
    return Response(png, mimetype="image/png", headers={"Cache-Control": "private, max-age=86400"})


# ------------------------------------------------------------------------------------------------ participants


@blueprint.get("/study/<slug>/participants")
def participants(slug: str) -> Any:
    page = max(1, min(request.args.get("page", 1, int), 10**6))
    person, trial = models.Participant, models.Trial
    with database().read() as session:
        study = _study(session, slug)
        mine = (person.study_id == study.id, person.simulated.is_(_simulated()))
        total = session.scalar(select(func.count(person.id)).where(*mine)) or 0
        found = list(
            session.scalars(
                select(person).where(*mine).order_by(person.id.desc()).limit(PAGE).offset((page - 1) * PAGE)
            )
        )
        answered = dict(
            session.execute(
                select(trial.participant_id, func.count(case((trial.answer.is_not(None), 1))))
                .where(trial.participant_id.in_([one.id for one in found]))
                .group_by(trial.participant_id)
            ).all()
        )
        return _page(
            session, "participants.html", study, people=found, answered=answered, page=page,
            pages=max(1, -(-total // PAGE)), total=total,
        )  # fmt: skip


def _participant(session: Session, public_id: str) -> models.Participant:
    found = session.scalar(select(models.Participant).where(models.Participant.public_id == public_id))
    if found is None:
        abort(404)
    return found


@blueprint.get("/participant/<public_id>")
def participant(public_id: str) -> Any:
    """The way of one participant through their trials."""
    with database().read() as session:
        person = _participant(session, public_id)
        rows = session.execute(
            select(models.Trial, models.Stimulus)
            .join(models.Stimulus)
            .where(models.Trial.participant_id == person.id)
            .order_by(models.Trial.position)
        ).all()
        answered = [(trial, image) for trial, image in rows if trial.answer is not None]
        made_good = {trial.replaces for trial, _ in answered}  # their spare trials count in their place
        judged = [
            (trial, image) for trial, image in answered if trial.kind != "catch" and trial.position not in made_good
        ]
        counts = observers.count(
            [trial.answer == "generated" for trial, _ in judged], [image.truth == "generated" for _, image in judged],
            [0] * len(judged), 1,
        )  # fmt: skip
        scores = {
            "correct": int(counts.correct[0]), "of": len(judged), "F1": float(observers.f1(counts)[0]),
            "chance": float(observers.f1_chance(counts)[0]), "d'": float(observers.d_prime(counts)[0]),
            "criterion": float(observers.criterion(counts)[0]),
        }  # fmt: skip
        return _page(
            session,
            "participant.html",
            person.study,
            simulated=person.simulated,
            person=person,
            trials=rows,
            scores=scores,
        )


@blueprint.get("/participant/<public_id>/data.json")
def participant_data(public_id: str) -> Any:
    with database().read() as session:
        content = json.dumps(
            withdrawal.everything(session, _participant(session, public_id)), indent=1, ensure_ascii=False
        )
    return Response(
        content, mimetype="application/json",
        headers={"Content-Disposition": f"attachment; filename={public_id}.json"},
    )  # fmt: skip


@blueprint.post("/participant/<public_id>/erase")
def erase(public_id: str) -> Any:
    with database().write() as session:
        person = _participant(session, public_id)
        withdrawal.erase(session, person)
        slug = person.study.slug
    return redirect(url_for("admin.participants", slug=slug), 303)


# ------------------------------------------------------------------------------------------------ recruiting


@blueprint.route("/study/<slug>/recruiting", methods=["GET", "POST"])
def recruiting(slug: str) -> Any:
    """Addresses for the platforms, personal links with QR codes, and places that were given up."""
    base = request.url_root
    made: list[tuple[str, str, Markup]] = []
    freed = None
    with database().write() if request.method == "POST" else database().read() as session:
        study = _study(session, slug)
        if request.method == "POST" and request.form.get("do") == "links":
            count = request.form.get("count", 0, int)
            if not 0 < count <= MOST_LINKS:
                abort(422, f"From 1 to {MOST_LINKS} links are made at once.")
            for code in crowd.new_codes(count):
                link = crowd.personal_link(base, slug, code)
                made.append(
                    (code, link, Markup(segno.make(link, error="m").svg_inline(scale=3, border=2, omitsize=True)))
                )
        elif request.method == "POST":
            uploaded = request.files.get("file")
            text = crowd.text_of(uploaded.read()) if uploaded and uploaded.filename else request.form.get("ids", "")
            try:
                freed = free_places(session, study, crowd.freed_places(text))
            except SurveyError as error:
                abort(422, str(error))
        file = StudyFile.from_dict(study.current.definition)
        return _page(
            session, "recruiting.html", study, base=base, completion=file.completion, made=made, freed=freed,
            title=say(file.title, file.languages[0]),
        )  # fmt: skip


def free_places(session: Session, study: models.Study, states: dict[str, str]) -> int:
    """Give the places of these people (platform ID: returned or timed-out) to others; returns how many were freed.

    Those who have finished or withdrawn stay as they are.
    """
    freed = 0
    external, person = models.ExternalIdentity, models.Participant
    working = (
        select(person, external.person).join(external).where(person.study_id == study.id, person.state == "working")
    )
    for found, who in session.execute(working).all():
        if who in states:
            found.state = states[who]
            allocation.give_back(session, found)
            freed += 1
    return freed
