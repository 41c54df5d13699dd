"""Drop-out: the number of participants who got as far as each step of a study."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from study_app import models
from study_app.definition.study import StudyFile

TENTHS = tuple(f"{10 * i} % of the trials" for i in range(1, 10))


@dataclass(frozen=True)
class Step:
    name: str
    reached: int  # participants who got at least as far


def funnel(session: Session, study: models.Study, file: StudyFile, group: str) -> list[Step]:
    """The steps of a study file in order; those who withdrew are known to have consented only."""
    asked = [("questions", bool(file.asked(after=False))), ("instructions", True), ("practice", file.practice > 0)]
    names = ["entered", "consented", *(name for name, there in asked if there), *TENTHS, "finished"]
    counts = dict.fromkeys(names, 0)
    for reached, people in _reached(session, study, group):
        for name in names[: max(i for i, name in enumerate(names) if name in reached) + 1]:
            counts[name] += people
    return [Step(name, count) for name, count in counts.items()]


def _reached(session: Session, study: models.Study, group: str) -> list[tuple[set[str], int]]:
    """The steps that participants are known to have reached, and how many participants those are."""
    person, trial = models.Participant, models.Trial
    mine = (person.study_id == study.id, *models.in_group(group))
    finished = session.scalar(select(func.count()).where(*mine, person.finished_at.is_not(None))) or 0
    practised = person.practised_at.is_not(None)
    others = session.execute(
        select(person.state, person.stage, practised, func.count(trial.answer), func.count(trial.id))
        .join(trial, trial.participant_id == person.id, isouter=True)
        .where(*mine, person.finished_at.is_(None))
        .group_by(person.id, person.state, person.stage, practised)
    )
    found = [({"finished"}, finished)]
    for state, stage, has_practised, answered, trials in others:
        steps = {"entered"}
        if state != "no-consent":
            steps.add("consented")
        if state not in ("no-consent", "withdrawn"):
            steps |= {"questions"} if stage != "questions" else set()
            steps |= {"instructions"} if stage not in ("questions", "device") or answered else set()
            steps |= {"practice"} if has_practised else set()
            steps |= set(TENTHS[: min(9, 10 * answered // max(trials, 1))])
        found.append((steps, 1))
    return found
