"""The trials that a participant gets: which images, in which order, and how often each was shown to others."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, union_all, update
from sqlalchemy.orm import Session

from study_app import models
from study_app.definition import staircase
from study_app.definition.study import StudyFile
from study_app.participant import design


def draw_trials(session: Session, person: models.Participant, study: StudyFile) -> None:
    """Draw and store the participant's trials (`design.plan`): images, order, exposures, and a nonce for each."""
    scored = images_for(session, person, study)
    give_back_left(session, person)
    shown = times_shown(session, person, scored)
    real, generated = ([i for i, (truth, _) in scored.items() if truth == one] for one in ("real", "generated"))
    stimulus = models.LoadedStimulus
    catch = select(stimulus.truth, stimulus.id).where(stimulus.set_id == person.set_id, stimulus.kind == "catch")
    catches: list[tuple[str, int]] = [(truth, i) for truth, i in session.execute(catch.order_by(stimulus.id))]
    planned = design.plan(
        count=study.trials.count,
        real_share=study.trials.real_share,
        shown_real=[shown.get(i, 0) for i in real],
        shown_generated=[shown.get(i, 0) for i in generated],
        exposure_ms=study.exposure_ms if study.mode == "fixed" else None,
        rng=design.stream(),
        times_rng=design.stream(),
        catch=min(study.trials.catch, len(catches)),
        catch_truths=[truth for truth, _ in catches],
        conditions=[scored[i][1] for i in generated],
        pairs=study.pairs,
    )
    if study.mode == "staircase":  # the first step; each answer decides the next
        first = study.exposure_ms[1] if planned[0].kind == "catch" else staircase.next_exposure([], *study.exposure_ms)
        planned[0] = replace(planned[0], exposure_ms=first)
    for position, trial in enumerate(planned, 1):
        kinds = {"catch": [i for _, i in catches], "real": real, "generated": generated}
        if trial.beside is None:
            images = [kinds["catch" if trial.kind == "catch" else trial.truth][trial.index]]
        else:
            images = [kinds["catch" if trial.kind == "catch" else "generated"][trial.index], real[trial.beside]]
            images = images[::-1] if trial.truth == "real" else images
        session.add(_trial(person, position, images, kind=trial.kind, exposure_ms_planned=trial.exposure_ms))
    session.flush()
    count_shown(session, person, 1)


def _trial(person: models.Participant, position: int, images: list[int], **values: Any) -> models.Trial:
    """A trial with this image, or these two."""
    nonce, second = secrets.token_urlsafe(12), images[1] if len(images) > 1 else None
    return models.Trial(
        participant_id=person.id, position=position, stimulus_id=images[0], nonce=nonce, second_id=second,
        second_nonce=None if second is None else secrets.token_urlsafe(12), **values,
    )  # fmt: skip


def images_for(session: Session, person: models.Participant, study: StudyFile) -> dict[int, tuple[str, str]]:
    """The images that a participant may be asked about: the truth and the condition of each, by its ID.

    In a within design they are the generated ones of all sets, a condition for each generator, and those real ones of
    the person's own set that are in every set, by their SHA-256. Otherwise the person's set is one condition.
    """
    sets = [entry.set_id for entry in person.version.sets] if study.within else [person.set_id]
    stimulus = models.LoadedStimulus
    query = select(stimulus.id, stimulus.truth, stimulus.set_id, stimulus.sha256, stimulus.condition)
    query = query.where(stimulus.set_id.in_(sets), stimulus.kind == "scored").order_by(stimulus.id)
    rows = session.execute(query).all()
    real = {one: {row.sha256 for row in rows if row.truth == "real" and row.set_id == one} for one in sets}
    shared = set.intersection(*real.values())
    return {
        row.id: (row.truth, row.condition if study.within else "")
        for row in rows
        if row.truth == "generated" or (row.set_id == person.set_id and row.sha256 in shared)
    }


def times_shown(session: Session, person: models.Participant, images: Iterable[int]) -> dict[int, int]:
    """Number of times each of these images was allotted to people, or to simulated and pilot participants."""
    stimulus = models.LoadedStimulus
    count = stimulus.shown if person.group == "people" else stimulus.shown_simulated
    return dict(session.execute(select(stimulus.id, count).where(stimulus.id.in_(list(images)))).all())


def count_shown(session: Session, person: models.Participant, by: int, *which: ColumnElement[bool]) -> None:
    """Add `by` (1 or -1) to the counts of the images in the participant's trials, or in those that match `which`."""
    trial, stimulus = models.Trial, models.LoadedStimulus
    mine = union_all(*(
        select(column).where(trial.participant_id == person.id, column.is_not(None), *which)
        for column in (trial.stimulus_id, trial.second_id)
    ))  # fmt: skip
    # Serialised: two transactions that each update many rows could deadlock.
    sets = select(stimulus.set_id).where(stimulus.id.in_(mine))
    kept = select(models.LoadedSet.id).where(models.LoadedSet.id.in_(sets)).order_by(models.LoadedSet.id)
    session.execute(kept.with_for_update(key_share=True))
    column = "shown" if person.group == "people" else "shown_simulated"
    session.execute(
        update(stimulus)
        .where(stimulus.id.in_(mine))
        .values({column: getattr(stimulus, column) + by})
        .execution_options(synchronize_session=False)
    )


def give_back(session: Session, person: models.Participant) -> None:
    """Release the images of a participant who gave up their place."""
    count_shown(session, person, -1, *([models.Trial.answer.is_not(None)] if person.away else []))
    person.away = False


def give_back_left(session: Session, person: models.Participant) -> None:
    """Release the unanswered images of participants of the same set who have been inactive for 30 minutes.

    Answered images still count. Bounded per entry, to keep entering fast.
    """
    other = models.Participant
    left = session.scalars(
        select(other)
        .where(
            other.study_id == person.study_id, other.simulated.is_(False), other.state == "working",
            other.last_seen_at < models.now() - timedelta(minutes=design.ACTIVE_MINUTES),
            other.set_id == person.set_id, other.away.is_(False),
        )
        .limit(10)
        .with_for_update(skip_locked=True)  # a participant whose row is locked is just coming back
    ).all()  # fmt: skip
    for one in left:
        count_shown(session, one, -1, models.Trial.answer.is_(None))
        one.away = True


def count_again(session: Session, person: models.Participant) -> None:
    """Count the images of a participant again, who returns after inactivity or after giving up their place."""
    if person.state in models.FREED and person.finished_at is None:
        person.state = "working"
        count_shown(session, person, 1)
    elif person.away:
        count_shown(session, person, 1, models.Trial.answer.is_(None))
    person.away = False


def draw_spares(
    session: Session, person: models.Participant, trials: list[models.Trial], study: StudyFile
) -> list[models.Trial]:
    """New trials at the end that replace those with a wrong exposure, up to the study's number of spare trials.

    Each shows an image of the same class and condition that this participant has not seen; the replaced trial is kept.
    """
    left = study.trials.spare - sum(trial.kind == "spare" for trial in trials)
    replaced = {trial.replaces for trial in trials}
    wrong = [
        trial
        for trial in trials
        if "exposure-wrong" in trial.flags.split() and trial.kind != "catch" and trial.position not in replaced
    ]
    if study.mode != "fixed" or left <= 0 or not wrong:
        return []
    images = images_for(session, person, study)
    shown = times_shown(session, person, images)
    rng, times_rng = design.stream(), design.stream()
    seen = {i for trial in trials for i in (trial.stimulus_id, trial.second_id)}
    spares: list[models.Trial] = []
    for trial in wrong[:left]:
        fresh = [
            sorted(i for i, alike in images.items() if alike == images[given] and i not in seen)
            for given in (trial.stimulus_id, trial.second_id)
            if given is not None
        ]
        if not all(fresh):
            break
        drawn = [ids[design.draw_images([shown.get(i, 0) for i in ids], 1, rng)[0]] for ids in fresh]
        seen.update(drawn)
        spares.append(
            _trial(
                person, len(trials) + len(spares) + 1, drawn, kind="spare", replaces=trial.position,
                exposure_ms_planned=design.exposures(1, *study.exposure_ms, times_rng)[0],
            )
        )  # fmt: skip
    session.add_all(spares)
    session.flush()
    count_shown(session, person, 1, models.Trial.position > len(trials))
    return spares
