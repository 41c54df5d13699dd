"""The dashboard's page for recruiting: platform addresses, personal links with QR codes, freed places."""

from __future__ import annotations

from typing import Any

import segno
from flask import abort, request
from markupsafe import Markup
from sqlalchemy import select
from sqlalchemy.orm import Session

from study_app import models
from study_app.database import SurveyError, app_database
from study_app.definition import crowd
from study_app.definition.study import StudyFile, say
from study_app.experimenter.accounts import record
from study_app.experimenter.admin import blueprint, render_page, study_of
from study_app.participant import trial_images

MOST_LINKS = 200  # personal links made at once


@blueprint.route("/study/<slug>/recruiting", methods=["GET", "POST"])
def recruiting(slug: str) -> Any:
    """Addresses for platforms, personal links with QR codes, and freed places."""
    base = request.url_root
    made: list[tuple[str, str, Markup]] = []
    freed = None
    with app_database().write() if request.method == "POST" else app_database().read() as session:
        study = study_of(session, slug)
        if request.method == "POST" and request.form.get("do") == "links":
            count = request.form.get("count", 0, int)
            if not 0 < count <= MOST_LINKS:
                abort(422, f"Ask for 1 to {MOST_LINKS} links at once.")
            record(session, "make links", study, str(count))
            for code in crowd.new_codes(count):
                link = crowd.personal_link(base, slug, crowd.signed_code(code, crowd.link_key(slug)))
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
        return render_page(
            session, "recruiting.html", study, base=base, completion=file.completion, made=made, freed=freed,
            title=say(file.title, file.languages[0]),
        )  # fmt: skip


def free_places(session: Session, study: models.Study, states: dict[str, str]) -> int:
    """Free the places of these people (platform ID: state); returns how many were freed.

    Their answers are kept, but those of people who had finished are not scored any more (view `participants`). Nothing
    changes for people who withdrew, were screened out, or whose place is free already.
    """
    freed = 0
    external, person = models.ExternalIdentity, models.Participant
    placed = (
        select(person, external.person)
        .join(external)
        .where(person.study_id == study.id, person.state.in_(("working", "finished")))
    )
    for found, who in session.execute(placed).all():
        state = states.get(who)
        if state is not None and not (state == "screened-out" and found.state == "finished"):
            found.state = state
            trial_images.give_back(session, found)
            freed += 1
    record(session, "free places", study, str(freed))
    return freed
