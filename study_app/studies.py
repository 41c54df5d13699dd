"""The study that a command names."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from glimpse.command_line import did_you_mean
from study_app import models
from study_app.database import SurveyError


def study_named(session: Session, slug: str | None) -> models.Study:
    """The study with this slug; without a slug, the only one. Raises SurveyError listing the studies there are."""
    studies = list(session.scalars(select(models.Study).order_by(models.Study.id)))
    slugs = [study.slug for study in studies]
    if not studies:
        raise SurveyError("There is no study yet: make one with `study_app load`.")
    if slug is None and len(studies) == 1:
        return studies[0]
    if slug is None:
        raise SurveyError(f"There are several studies; name one of: {', '.join(slugs)}.")
    if slug not in slugs:
        raise SurveyError(f"There is no study '{slug}'; {did_you_mean(slug, slugs)}")
    return studies[slugs.index(slug)]
