"""The dashboard's first page: the status of a study, its state and quotas, its images, and the export."""

from __future__ import annotations

import io
import re
import zipfile
from datetime import timedelta
from typing import Any

from flask import Response, abort, redirect, render_template, request, url_for
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from glimpse.command_line import counted
from study_app import models
from study_app.database import app_database
from study_app.definition.study import LARGEST_QUOTA
from study_app.experimenter import accounts, charts
from study_app.experimenter.accounts import record
from study_app.experimenter.admin import blueprint, group, of_group, render_page, study_of, tally_of
from study_app.experimenter.export import data_set
from study_app.experimenter.status import image_status, study_status
from study_app.orm import iso
from study_app.participant import withdrawal

HOURS = 48  # shown in the strip of finished participants
LOGGED = 100  # entries on a page of the log
EXTRAS = {
    "external_ids": "platform IDs",
    "events": "events",
    "log": "log",
}  # of the export, by field
GALLERY = 60  # images of each kind on the page of images


@blueprint.get("/")
def overview() -> Any:
    """The newest open study, else the newest one; the menu leads to the others."""
    with app_database().read() as session:
        study = session.scalar(
            select(models.Study).order_by((models.Study.state == "open").desc(), models.Study.id.desc())
        )
        return render_page(session, "overview.html", study, **(_live(session, study) if study else {}))


@blueprint.get("/study/<slug>/")
def of_study(slug: str) -> Any:
    with app_database().read() as session:
        study = study_of(session, slug)
        return render_page(session, "overview.html", study, **_live(session, study))


@blueprint.get("/study/<slug>/live")
def live(slug: str) -> Any:
    """The part of the page that is refreshed."""
    with app_database().read() as session:
        study = study_of(session, slug)
        return render_template("admin/parts/live.html", study=study, group=group(), **_live(session, study))


def _live(session: Session, study: models.Study) -> dict[str, Any]:
    tally = tally_of(study)
    status = study_status(session, study, tally, models.now())
    images = image_status(session, tally)
    return {
        "status": status,
        "updated": iso(models.now()),
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
            select(hour, func.count()).where(*of_group(study, group()), person.finished_at >= since).group_by(hour)
        ).all()
    )
    return [found.get(iso(since + timedelta(hours=i))[:13], 0) for i in range(HOURS)]


@blueprint.post("/study/<slug>/state")
def set_state(slug: str) -> Any:
    state = request.form.get("state", "")
    if state not in models.STUDY_STATES:
        abort(422)
    with app_database().write() as session:
        study = study_of(session, slug)
        if state != study.state:
            record(session, "set state", study, f"{study.state} to {state}")
        study.state = state
    return redirect(url_for("admin.of_study", slug=slug), 303)


@blueprint.post("/study/<slug>/quota")
def set_quota(slug: str) -> Any:
    """Set the quotas of the current version's sets; an empty field means no quota."""
    with app_database().write() as session:
        study = study_of(session, slug)
        for entry in study.current.sets:
            given = request.form.get(f"quota-{entry.set.name}")
            if given is None:
                continue
            given = given.strip()
            if given and not (re.fullmatch("[0-9]{1,9}", given) and 0 < int(given) <= LARGEST_QUOTA):
                abort(422, f"A quota is a whole number from 1 to {LARGEST_QUOTA}, or empty for none.")
            quota = int(given) if given else None
            if quota != entry.quota:
                record(session, "set quota", study, f"{entry.set.name}: {entry.quota or 'none'} to {given or 'none'}")
            entry.quota = quota
    return redirect(url_for("admin.of_study", slug=slug), 303)


@blueprint.post("/study/<slug>/delete-pilot")
def delete_pilot(slug: str) -> Any:
    """Delete the participants of the pilot; the form repeats the study's name, to prevent deletion by accident."""
    with app_database().write() as session:
        study = study_of(session, slug)
        if request.form.get("confirm", "").strip() != slug:
            abort(422, f"Type {slug} to confirm that its pilot answers are to be deleted.")
        record(session, "delete pilot", study, counted(withdrawal.delete_pilot(session, study), "participant"))
    return redirect(url_for("admin.of_study", slug=slug), 303)


@blueprint.get("/study/<slug>/log")
def log(slug: str) -> Any:
    page = max(1, min(request.args.get("page", 1, int), 10**6))
    with app_database().read() as session:
        study = study_of(session, slug)
        found = accounts.log_of(session, study, LOGGED + 1, (page - 1) * LOGGED)
        return render_page(session, "log.html", study, log=found[:LOGGED], page=page, more=len(found) > LOGGED)


@blueprint.get("/study/<slug>/download.zip")
def download(slug: str) -> Any:
    """The export as a zip without times: the same answers give the same bytes."""
    include = list(dict.fromkeys(("people", group())))
    extras = [extra for field, extra in EXTRAS.items() if request.args.get(field) == "1"]
    with app_database().read() as session:
        study = study_of(session, slug)
        files = data_set.export(session, study, include, extras=extras)
    with app_database().write() as session:
        record(session, "export", study, ", ".join([*include, *extras]))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(f"{slug}/{name}", (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)
    return Response(
        packed.getvalue(), mimetype="application/zip",
        headers={"Content-Disposition": f"attachment; filename={slug}.zip"},
    )  # fmt: skip


@blueprint.get("/study/<slug>/images")
def images(slug: str) -> Any:
    with app_database().read() as session:
        study = study_of(session, slug)
        tally = tally_of(study)
        tally.update(session)
        found = image_status(session, tally)
        kinds = {truth: [image for image in found if image.truth == truth][:GALLERY] for truth in ("generated", "real")}
        return render_page(session, "images.html", study, fooling=kinds["generated"], doubted=kinds["real"])


@blueprint.get("/image/<int(max=2147483647):number>.png")  # PostgreSQL's largest ID
def image(number: int) -> Any:
    with app_database().read() as session:
        png = session.scalar(select(models.StimulusImage.png).where(models.StimulusImage.stimulus_id == number))
    if png is None:
        abort(404)
    return Response(png, mimetype="image/png", headers={"Cache-Control": "private, max-age=86400"})
