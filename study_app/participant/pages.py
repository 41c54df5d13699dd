"""The pages of a participant who has entered: questions, device check, the trials' page, debrief.

The server keeps each participant's stage (`Participant.stage`): after a reload, the back button or on another device,
/p/TOKEN/ shows the right page. No page holds the truth of an image before the last answer is saved.
"""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from study_app import i18n, models
from study_app.database import app_database
from study_app.definition import crowd
from study_app.definition.study import RATINGS, SURENESS, Question, StudyFile, say
from study_app.orm import storable
from study_app.participant import allocation, device, trial_images

blueprint = Blueprint("pages", __name__)
CLOSED = ("withdrawn", "no-consent", "screened-out", "over-quota", "rejected")


def error_page(error: Any) -> Any:
    """An error page for people; scripts get the status code alone."""
    code = getattr(error, "code", None) or 500
    headers = {"Retry-After": "60"} if code == 429 else {}
    if not request.accept_mimetypes.accept_html:
        return Response(status=code, headers=headers)
    return render_template("error.html", code=code), code, headers


def closed(person: models.Participant, file: StudyFile, known: dict[str, str] | None = None) -> str:
    """The page of a participant whose study ended early, with the platform's code for that outcome if it has one.

    `known`: the platform's parameters, for a person of whom nothing is stored.
    """
    code_and_url = _return_address(person, file, known)
    return render_template("closed.html", study=file, person=person, why=person.state, **code_and_url)


def _known(person: models.Participant) -> dict[str, str]:
    external = person.external
    return crowd.parameters(external.platform, external.person, external.details) if external else {}


def _return_address(person: models.Participant, file: StudyFile, known: dict[str, str] | None = None) -> dict[str, str]:
    known = known or _known(person)
    failed = person.state == "finished" and not person.counted
    return back("attention" if failed else person.state, file, known)


def back(outcome: str, file: StudyFile, known: dict[str, str]) -> dict[str, str]:
    """The platform's code for this outcome, and the address that leads back to it with these parameters."""
    return {
        "code": crowd.code_for(outcome, file.completion),
        "url": crowd.return_address(outcome, file.completion, known),
    }


def by_token(session: Session, token: str, *, write: bool = False) -> tuple[models.Participant, StudyFile]:
    """The participant of a token, with the study they agreed to; 404 for an unknown token.

    In a write transaction the row is locked, so that requests of one participant are serialised, and the participant
    counts as active.
    """
    with_version = joinedload(models.Participant.version, innerjoin=True)
    query = select(models.Participant).where(models.Participant.token == token).options(with_version)
    person = session.scalar(query.with_for_update(of=models.Participant) if write else query)
    if person is None:
        abort(404)
    file = StudyFile.from_dict(person.version.definition)
    i18n.offer(file, person.language)
    if write:
        person.last_seen_at = models.now()
        trial_images.count_again(session, person)
    return person, file


@blueprint.get("/p/<token>/")
def participant(token: str) -> Any:
    if "lang" in request.args:
        return _change_language(token)
    with app_database().read() as session:
        person, file = by_token(session, token)
        if person.state == "finished" and person.stage == "after":
            return _ask(person, file, after=True)
        if person.finished_at is not None:
            return _debrief(session, person, file)
        if person.state in CLOSED:
            return closed(person, file)
        counts = select(func.count(), func.count(models.Trial.answer)).where(models.Trial.participant_id == person.id)
        total, answered = session.execute(counts).one()
        setup = {
            "base": url_for("pages.participant", token=token),
            "practice": 0 if person.practised_at or answered else file.practice,
            "task": file.task,
            "sequence": file.in_sequence,
            "confidence": file.confidence,
            "deadline": file.answer_ms,
            "feedback": file.feedback,
            "why": file.why != "none",
            "fixation": file.fixation_ms,
            "fullscreen": file.fullscreen,
            "device": person.device or {},
            "mask": file.mask_ms if file.mask else 0,
            "result": _result(session, person),
        }
        stage = "trials" if answered else _stage(person, file)
        if stage == "questions":
            return _ask(person, file, after=False)
        return render_template(
            "device.html" if stage == "device" else "trials.html", study=file, person=person,
            label=_label(person, file), answered=answered, total=total,
            setup=json.dumps(setup), ratings=RATINGS, sureness=SURENESS,
        )  # fmt: skip


def _stage(person: models.Participant, file: StudyFile) -> str:
    return "device" if person.stage == "questions" and not file.asked(after=False) else person.stage


def _label(person: models.Participant, file: StudyFile) -> str:
    """A label for the images of a participant's set: the study file's, else the set's own."""
    own = next((entry.label for entry in file.sets if person.set and entry.name == person.set.name), "")
    return i18n.shown(own) or (person.set.label if person.set else "")


def _change_language(token: str) -> Response:
    with app_database().write() as session:
        person, file = by_token(session, token, write=True)
        if request.args["lang"] in file.languages:
            person.language = request.args["lang"]
    return redirect(url_for("pages.participant", token=token), 303)


@blueprint.post("/p/<token>/questions")
def questions(token: str) -> Any:
    """The answers to the questions before the trials, or after them; back to the page if a required one is missing."""
    with app_database().write() as session:
        person, file = by_token(session, token, write=True)
        after = person.finished_at is not None
        asked = file.asked(after=after)
        if (person.state, person.stage) in (("working", "questions"), ("finished", "after")):
            answers: dict[str, str] = {}
            chosen: dict[str, int] = {}
            for question in asked:
                given = storable(request.form.get(question.key, ""), 500)
                options = {str(i): option for i, option in enumerate(question.choices)}
                if given in options:  # stored in the study's first language, whatever the participant's
                    chosen[question.key] = int(given)
                    answers[question.key] = say(options[given], file.languages[0])
                elif given and not options:
                    answers[question.key] = given
            if any(question.required and question.key not in answers for question in asked):
                return _ask(person, file, after=after, given=request.form.to_dict()), 422
            for question in asked:
                if question.key in chosen:
                    _screen(session, person, question, chosen[question.key], answers)
            person.questionnaire = {**(person.questionnaire or {}), **answers}
            person.stage = "end" if after else "device" if person.device is None or file.calibration else "trials"
            if person.state not in ("working", "finished"):
                trial_images.give_back(session, person)
    return redirect(url_for("pages.participant", token=token), 303)


def _ask(person: models.Participant, file: StudyFile, *, after: bool, given: dict[str, str] | None = None) -> str:
    """The page of questions; `given`: what was sent without an answer to a required one."""
    asked = file.asked(after=after)
    return render_template(
        "questions.html", study=file, person=person, asked=asked, after=after, given=given or {},
        missing=given is not None,
    )  # fmt: skip


def _screen(
    session: Session, person: models.Participant, question: Question, given: int, answers: dict[str, str]
) -> None:
    """End the study for a participant whose answer screens them out, or was given by enough people."""
    if given in question.screen_out:
        person.state = "screened-out"
    elif person.state == "working" and _is_full(session, person, question, given, answers):
        person.state = "over-quota"


def _is_full(
    session: Session, person: models.Participant, question: Question, given: int, answers: dict[str, str]
) -> bool:
    """Whether enough others have given this person's answer to the question."""
    return bool(question.quotas) and allocation.is_full_for(
        session, person, question.key, answers[question.key], question.quotas[given]
    )


@blueprint.post("/p/<token>/device")
def device_page(token: str) -> Any:
    with app_database().write() as session:
        person, file = by_token(session, token, write=True)
        if person.state == "working" and _stage(person, file) == "device":
            person.device = dict(device.measured(request.form))
            person.stage = "trials"
    return redirect(url_for("pages.participant", token=token), 303)


@blueprint.post("/p/<token>/comment")
def comment(token: str) -> Any:
    with app_database().write() as session:
        person, file = by_token(session, token, write=True)
        given = storable(request.form.get("comment", ""), 5000)
        if file.comment and given and person.finished_at is not None:
            person.comment = given
    return redirect(url_for("pages.participant", token=token), 303)


def _debrief(session: Session, person: models.Participant, file: StudyFile) -> str:
    counted = session.execute(
        select(models.Trial.answer, models.LoadedStimulus.truth)
        .join(models.Trial.stimulus)
        .where(models.Trial.participant_id == person.id, models.Trial.kind != "catch", models.Trial.answer != "missed")
    ).all()
    return render_template(
        "debrief.html", study=file, person=person, of=len(counted),
        made=_made(session, person),
        right=sum(answer == truth for answer, truth in counted),
        **_return_address(person, file), result=json.dumps(_result(session, person)),
    )  # fmt: skip


def _made(session: Session, person: models.Participant) -> str:
    """The origin of all generated images that the participant saw: `drawn` by networks of runs, or `altered` by them
    from photographs; "" if they are of both kinds, or of unknown origin."""
    trial, stimulus = models.Trial, models.LoadedStimulus
    seen = or_(trial.stimulus_id == stimulus.id, trial.second_id == stimulus.id)
    generated = (stimulus.truth == "generated", stimulus.kind == "scored")
    origins = session.scalars(
        select(stimulus.origin).join(trial, seen).where(trial.participant_id == person.id, *generated)
    )
    made = {("altered" if "image_id" in one else "drawn") if "run" in one else "" for one in origins}
    return made.pop() if len(made) == 1 else ""


def _result(session: Session, person: models.Participant) -> list[dict[str, float | None]]:
    """The trials answered so far, for `window.__result`."""
    rows = session.execute(
        select(models.Trial.exposure_ms_actual, models.Trial.response_time_ms)
        .where(models.Trial.participant_id == person.id, models.Trial.answer.is_not(None))
        .order_by(models.Trial.position)
    )
    return [{"exposure": exposure, "rt": response} for exposure, response in rows]
