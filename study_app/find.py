"""What a command starts with: the database, brought up to date, and the study that it is about."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from glimpse.command_line import nearest
from glimpse.workspace import Workspace
from study_app import database, models


def open_database(workspace: Workspace) -> database.Database:
    """The workspace's database at this version's schema."""
    database.upgrade(workspace.database_url)
    return database.Database(workspace.database_url)


def the_study(session: Session, slug: str | None) -> models.Study:
    """The study of that slug, or the only one there is. Raises SurveyError naming what there is."""
    studies = list(session.scalars(select(models.Study).order_by(models.Study.id)))
    slugs = [study.slug for study in studies]
    if not studies:
        raise database.SurveyError("There is no study yet: make one with `study_app load`.")
    if slug is None and len(studies) == 1:
        return studies[0]
    if slug is None:
        raise database.SurveyError(f"There are several studies; name one of: {', '.join(slugs)}.")
    if slug not in slugs:
        raise database.SurveyError(f"There is no study '{slug}'; {nearest(slug, slugs)}")
    return studies[slugs.index(slug)]


def the_participant(session: Session, public_id: str) -> models.Participant:
    """Raises SurveyError for a code that nobody has."""
    found = session.scalar(select(models.Participant).where(models.Participant.public_id == public_id))
    if found is None:
        raise database.SurveyError(
            f"There is no participant '{public_id}': codes such as p1a2b3c4d5e6f are in exports and on the dashboard."
        )
    return found
