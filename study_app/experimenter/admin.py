"""The dashboard at /admin/: its pages, and the frame around each of them."""

from __future__ import annotations

import threading
from typing import Any

from flask import Blueprint, Flask, abort, current_app, render_template, request
from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from glimpse.observers import LEAST_JUDGEMENTS
from study_app import models
from study_app.experimenter import access, charts
from study_app.experimenter.tally import Tally

blueprint = Blueprint("admin", __name__, url_prefix="/admin")
UPLOAD = 4 * 1024 * 1024  # bytes of a platform's export
access.explain_errors(blueprint)


@blueprint.before_request
def _admit() -> Any:
    if request.endpoint == "admin.recruiting":
        request.max_content_length = request.max_form_memory_size = UPLOAD
    return access.guard()


def init_app(app: Flask) -> None:
    """Open /admin/; without a password it does not exist (404)."""
    if access.init_app(app):
        app.extensions["glimpse_tallies"] = ({}, threading.Lock())
        app.jinja_env.globals.update(
            form_token=access.form_token, box_row=charts.box_row, axis=charts.axis, least_judgements=LEAST_JUDGEMENTS
        )
        app.register_blueprint(blueprint)


def tally_of(study: models.Study) -> Tally:
    tallies, lock = current_app.extensions["glimpse_tallies"]
    with lock:
        found: Tally = tallies.setdefault((study.id, group()), Tally(study.id, group()))
        return found


def study_of(session: Session, slug: str) -> models.Study:
    found = session.scalar(select(models.Study).where(models.Study.slug == slug))
    if found is None:
        abort(404)
    return found


def of_group(study: models.Study, name: str) -> tuple[ColumnElement[bool], ...]:
    """The conditions by which a participant belongs to this group of the study."""
    return models.Participant.study_id == study.id, *models.in_group(name)


def render_page(session: Session, template: str, study: models.Study | None, **values: Any) -> str:
    studies = list(session.scalars(select(models.Study).order_by(models.Study.id.desc())))
    pilots = study and session.scalar(select(func.count()).where(*of_group(study, "pilot")))
    return render_template(
        f"admin/{template}",
        **{
            "studies": studies,
            "study": study,
            "group": group(),
            "pilots": pilots,
            "endpoint": request.endpoint,
            **values,
        },
    )


def group() -> str:
    """The participants (one of `models.GROUPS`) that this page shows: `?pilot=1`, `?simulated=1`, else people."""
    return next((name for name in models.GROUPS if request.args.get(name) == "1"), "people")
