"""The trials over HTTP: the next image, its pixels, the answer. See the table in docs/survey.md.

The token in the address is the only credential. An answer is on disk before its 200; the same answer again gets a 200
and changes nothing; a different answer to the same trial, or one out of order, gets a 409.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, jsonify, request, url_for
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from study_app import models
from study_app.database import app_database
from study_app.definition import staircase
from study_app.definition.study import StudyFile
from study_app.participant import design, device, trial_images
from study_app.participant.answer import Answered, view_of, whole
from study_app.participant.events import read_events
from study_app.participant.pages import CLOSED, by_token

blueprint = Blueprint("trials", __name__, url_prefix="/p/<token>")


def _trials(session: Session, person: models.Participant) -> list[models.Trial]:
    query = select(models.Trial).where(models.Trial.participant_id == person.id).order_by(models.Trial.position)
    return list(session.scalars(query))


def _current(trials: list[models.Trial]) -> int | None:
    """The index of the first trial without an answer; None when all have one."""
    return next((i for i, trial in enumerate(trials) if trial.answer is None), None)


def refuse_closed(person: models.Participant, file: StudyFile) -> None:
    """Abort with 403 before screening or after the study ended for the participant, with 410 if withdrawn."""
    if person.state == "withdrawn":
        abort(410)
    asks = file.questions_first and person.stage == "questions"
    checks = file.needs_device and person.device is None and not person.simulated
    if person.state in CLOSED or asks or checks:
        abort(403)


def _describe(token: str, trials: list[models.Trial], file: StudyFile) -> dict[str, Any]:
    index = _current(trials)
    if index is None:
        return {"done": True}
    trial = trials[index]
    following = trials[index + 1] if index + 1 < len(trials) else None
    described = {
        "trial": trial.position,
        "of": len(trials),
        "image": _image_url(token, trial.nonce),
        "exposure_ms": trial.exposure_ms_planned,
        "prefetch": _image_url(token, following.nonce) if following else None,
    }
    if trial.second_nonce:
        described["second"] = _image_url(token, trial.second_nonce)
        described["prefetch_second"] = _image_url(token, following.second_nonce) if following else None
    if file.trials.block and index and index % file.trials.block == 0:
        described["pause"] = True
    return described


def _image_url(token: str, nonce: str | None) -> str:
    return url_for("trials.image", token=token, nonce=nonce)


@blueprint.get("/next")
def next_trial(token: str) -> Any:
    with app_database().read() as session:
        person, file = by_token(session, token)
        refuse_closed(person, file)
        return jsonify(_describe(token, _trials(session, person), file))


@blueprint.get("/image/<nonce>")
def image(token: str, nonce: str) -> Any:
    """The pixels of the current trial or the next one; 404 for all others."""
    with app_database().read() as session:
        person, file = by_token(session, token)
        refuse_closed(person, file)
        trials = _trials(session, person)
        index = _current(trials)
        servable = [] if index is None else trials[index : index + 2]
        trial = models.Trial
        sent = {one.nonce: (one.id, one.stimulus_id, one.fetched_at, trial.fetched_at) for one in servable}
        for one in servable:
            if one.second_id is not None and one.second_nonce is not None:
                sent[one.second_nonce] = (one.id, one.second_id, one.second_fetched_at, trial.second_fetched_at)
        if nonce not in sent:
            abort(404)
        trial_id, stimulus_id, fetched_at, column = sent[nonce]
        png = png_of(session, stimulus_id)
    if fetched_at is None:
        first = update(trial).where(trial.id == trial_id, column.is_(None)).values({column: models.now()})
        with app_database().write(durable=False) as session:
            session.execute(first)
    return png


def png_of(session: Session, stimulus_id: int) -> Response:
    png = session.scalar(select(models.StimulusImage.png).where(models.StimulusImage.stimulus_id == stimulus_id))
    return Response(png, mimetype="image/png")


@blueprint.post("/begin")
def begin(token: str) -> Any:
    """A page announces that it starts a trial, so that a trial shown twice is flagged, on whichever page.

    {"trial", "view"}: `view` names the page; the same page repeating it is a retry, not a second showing.
    """
    with app_database().write(durable=False) as session:
        person, file = by_token(session, token, write=True)
        refuse_closed(person, file)
        body = _body()
        position, view = whole(body.get("trial")), view_of(body)
        trials = _trials(session, person)
        if position is None or not 1 <= position <= len(trials):
            abort(422)
        trial = trials[position - 1]
        if not view or (trial.details or {}).get("view") != view:
            trial.begun = min(trial.begun + 1, 1000)
            trial.details = {**(trial.details or {}), "view": view}
            if trial.answer is not None:
                _flag(trial, "shown-again")
        elif trial.begun == 0:  # the announcement came after the answer
            trial.begun = 1
            trial.flags = " ".join(flag for flag in trial.flags.split() if flag != "not-begun")
        current = _current(trials)
        status = 200 if current is not None and current == position - 1 else 409
        return jsonify(next=_describe(token, trials, file)), status


@blueprint.post("/answer")
def answer(token: str) -> Any:
    body = _body()
    with app_database().write() as session:
        person, file = by_token(session, token, write=True)
        answered = Answered.read(body, file)
        if answered is None:
            return jsonify(error="malformed: see docs/survey.md"), 422
        refuse_closed(person, file)
        trials = _trials(session, person)
        current = _current(trials)
        earlier = trials[answered.trial - 1] if answered.trial <= len(trials) else None
        if earlier is not None and earlier.answer is not None:
            same = (earlier.answer, earlier.rating) == (answered.answer, answered.rating)
            status = 200 if same else 409
            return jsonify(next=_describe(token, trials, file)), status
        if current is None or answered.trial != current + 1:
            return jsonify(error="out of order", next=_describe(token, trials, file)), 409
        trials[current].events = read_events(body.get("events")) or None
        _store(trials[current], answered, _elapsed_ms(person, trials[: current + 1]), file)
        size = device.physical_size(answered.image_width, answered.pixel_ratio, person.device, file.viewing_distance_cm)
        trials[current].details = {**(trials[current].details or {}), **size}
        if file.mode == "staircase" and current + 1 < len(trials):
            trials[current + 1].exposure_ms_planned = _next_exposure(session, person, trials[current + 1], file)
        if current + 1 == len(trials):
            trials += trial_images.draw_spares(session, person, trials, file)
        if current + 1 == len(trials):
            end = "after" if file.asked(after=True) else "end"
            person.state, person.stage, person.finished_at = "finished", end, models.now()
            person.counted = not _is_excluded(session, person)
        described = _describe(token, trials, file)
    return jsonify(next=described)


def _elapsed_ms(person: models.Participant, trials: list[models.Trial]) -> float | None:
    """The time in which the last of `trials` was given: since the answer before it, or since its image was first sent.

    None for simulated participants, who need not wait.
    """
    if person.simulated:
        return None
    before = trials[-2].answered_at if len(trials) > 1 else person.entered_at
    fetched = (trials[-1].fetched_at, trials[-1].second_fetched_at)
    began = max(moment for moment in (before, *fetched) if moment is not None)
    return (models.now() - began).total_seconds() * 1000


def _is_excluded(session: Session, person: models.Participant) -> bool:
    session.flush()
    query = text("SELECT excluded_for FROM participants WHERE participant = :code")
    return session.scalar(query, {"code": person.public_id}) not in ("", "pilot")


def _next_exposure(session: Session, person: models.Participant, trial: models.Trial, file: StudyFile) -> float:
    """The exposure of a staircase's next trial, from the stored answers; attention trials get the longest."""
    if trial.kind == "catch":
        return float(file.exposure_ms[1])
    answers = session.execute(
        select(models.Trial.answer == models.LoadedStimulus.truth)
        .join(models.Trial.stimulus)
        .where(models.Trial.participant_id == person.id, models.Trial.answer != "missed", models.Trial.kind == "scored")
        .order_by(models.Trial.position)
    ).scalars()
    return staircase.next_exposure(answers, *file.exposure_ms)


def _body() -> dict[str, Any]:
    try:
        body = request.get_json(force=True, silent=True)
    except RecursionError:
        body = None
    return body if isinstance(body, dict) else {}


def _store(trial: models.Trial, answered: Answered, elapsed_ms: float | None, file: StudyFile) -> None:
    trial.answer, trial.rating, trial.confidence = answered.answer, answered.rating, answered.confidence
    trial.exposure_ms_actual, trial.second_exposure_ms = answered.exposure_ms, answered.second_exposure_ms
    trial.why, trial.why_x, trial.why_y = answered.why, _rounded(answered.why_x), _rounded(answered.why_y)
    trial.response_time_ms = answered.response_time_ms
    trial.dropped_frames = answered.dropped_frames
    trial.focus_lost = answered.focus_lost
    trial.answered_at = models.now()
    trial.details = {
        "view": answered.view or (trial.details or {}).get("view", ""), "by": answered.by,
        "early_presses": answered.early_presses, "frame_ms": round(answered.frame_ms, 3),
        "uncertain_ms": round(answered.uncertain_ms, 3), "scheduled": answered.scheduled,
        "image_width": _rounded(answered.image_width), "image_height": _rounded(answered.image_height),
        "pixel_ratio": _rounded(answered.pixel_ratio),
    }  # fmt: skip
    planned_ms = trial.exposure_ms_planned
    fetched = trial.fetched_at is not None and (trial.second_id is None or trial.second_fetched_at is not None)
    observed = design.Observed(fetched, trial.begun, elapsed_ms)
    fixation_ms = file.fixation_ms + (file.fixation_ms + (planned_ms or 0) if file.in_sequence else 0)
    flags = design.trial_flags(answered, planned_ms=planned_ms, begun=trial.begun)
    for flag in flags | design.implausible_flags(observed, answered, planned_ms=planned_ms, fixation_ms=fixation_ms):
        _flag(trial, flag)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _flag(trial: models.Trial, flag: str) -> None:
    trial.flags = " ".join(sorted({*trial.flags.split(), flag}))
