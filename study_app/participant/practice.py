"""Practice over HTTP: a few trials with images that are never scored."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, jsonify, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session

from study_app import models, security
from study_app.database import app_database
from study_app.definition.study import StudyFile
from study_app.participant import design
from study_app.participant.pages import by_token
from study_app.participant.trials import png_of, refuse_closed

blueprint = Blueprint("practice", __name__, url_prefix="/p/<token>/practice")


def images_of(session: Session, person: models.Participant, file: StudyFile) -> list[tuple[int, ...]]:
    """The practice images of a participant, alone or in pairs: always the same ones, in random order."""
    rows = session.execute(
        select(models.LoadedStimulus.truth, models.LoadedStimulus.id)
        .where(models.LoadedStimulus.set_id == person.set_id, models.LoadedStimulus.kind == "practice")
        .order_by(models.LoadedStimulus.id)
    ).all()
    rng = security.derived_stream(f"practice images {person.public_id}")
    shuffled = [rows[i] for i in rng.permutation(len(rows))]
    if not file.pairs:
        return [(i,) for _, i in shuffled[: file.practice]]
    real, generated = ([i for truth, i in shuffled if truth == one] for one in ("real", "generated"))
    return [pair[:: int(rng.choice([1, -1]))] for pair in zip(real, generated, strict=False)][: file.practice]


@blueprint.get("/")
def practice(token: str) -> Any:
    with app_database().read() as session:
        person, file = by_token(session, token)
        refuse_closed(person, file)
        images = images_of(session, person, file)
        times = security.derived_stream(f"practice exposures {person.public_id}")
        exposures = design.exposures(len(images), *file.exposure_ms, times)
        trials = []
        for i, (alike, exposure) in enumerate(zip(images, exposures, strict=True), 1):
            urls = [url_for("practice.image", token=token, number=i, place=k) for k in range(len(alike))]
            trial = {"trial": i, "of": len(images), "exposure_ms": None if file.mode == "unlimited" else exposure}
            trials.append(trial | dict(zip(("image", "second"), urls, strict=False)))
        return jsonify(trials)


@blueprint.get("/image/<int:number>", defaults={"place": 0})
@blueprint.get("/image/<int:number>/<int:place>")
def image(token: str, number: int, place: int) -> Any:
    with app_database().read() as session:
        person, file = by_token(session, token)
        refuse_closed(person, file)
        images = images_of(session, person, file)
        if not 1 <= number <= len(images) or place >= len(images[number - 1]):
            abort(404)
        return png_of(session, images[number - 1][place])


@blueprint.get("/truth/<int:number>")
def truth(token: str, number: int) -> Any:
    """Whether the (first) image of a practice trial is real, in a study with feedback: it is never scored."""
    with app_database().read() as session:
        person, file = by_token(session, token)
        refuse_closed(person, file)
        images = images_of(session, person, file)
        if not file.feedback or not 1 <= number <= len(images):
            abort(404)
        query = select(models.LoadedStimulus.truth).where(models.LoadedStimulus.id == images[number - 1][0])
        return jsonify(truth=session.scalar(query))


@blueprint.post("/done")
def done(token: str) -> Any:
    with app_database().write() as session:
        person, file = by_token(session, token, write=True)
        refuse_closed(person, file)
        person.practised_at = person.practised_at or models.now()
        return jsonify(done=True)
