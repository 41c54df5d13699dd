"""Places and images: participants who are inactive free theirs, and spare trials show unseen images of one class."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select, update

from glimpse.workspace import Workspace
from study_app import models
from study_app.database import Database
from tests.study_app.conftest import load, publish
from tests.study_app.participant.test_survey import ANSWER


@pytest.mark.parametrize(
    ("answered", "minutes", "status"), [(True, 29, 403), (True, 31, 303), (False, 4, 403), (False, 6, 303)]
)
def test_a_place_is_held_for_30_minutes_and_for_5_before_the_first_answer(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask], answered: bool, minutes: int, status: int
) -> None:
    publish(workspace, "alpha")
    load(workspace, "small", 'sets = [{ name = "alpha", quota = 1 }]\n[trials]\ncount = 4\n')
    client = make_app().test_client()
    home = client.post("/study/small/enter", data={"consent": "yes"}).headers["Location"]
    if answered:
        assert client.post(f"{home}answer", json=ANSWER).status_code == 200
    with Database(workspace.database_url).write() as session:
        session.execute(update(models.Participant).values(last_seen_at=models.now() - timedelta(minutes=minutes)))
    assert client.post("/study/small/enter", data={"consent": "yes"}).status_code == status


def test_the_smallest_quota_of_a_within_design_is_that_of_the_study(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    for name in ("alpha", "beta"):
        publish(workspace, name, pool="photos")
    sets = '[{ name = "alpha", quota = 3 }, { name = "beta", quota = 1 }]'
    load(workspace, "both", f'design = "within"\nsets = {sets}\n[trials]\ncount = 4\n')
    client = make_app().test_client()
    entered = [client.post("/study/both/enter", data={"consent": "yes"}).status_code for _ in range(2)]
    assert entered == [303, 403]


def test_a_spare_trial_shows_an_unseen_image_of_the_same_class_and_counts_it(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    publish(workspace, "alpha", count=5)
    load(workspace, "spared", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 6\ncatch = 1\nspare = 2\n')
    client, database = make_app().test_client(), Database(workspace.database_url)
    home = client.post("/study/spared/enter", data={"consent": "yes"}).headers["Location"]
    with database.write() as session:
        trials = session.scalars(select(models.Trial).order_by(models.Trial.position)).all()
        planned = {trial.position: trial.exposure_ms_planned or 0 for trial in trials}
        seen = {trial.stimulus_id for trial in trials}
        wrong = next(trial.position for trial in trials if trial.stimulus.truth == "real")
        catch = next(trial.position for trial in trials if trial.kind == "catch")
        unseen: set[int] = set()
        for image in session.scalars(select(models.LoadedStimulus).filter_by(kind="scored", truth="real")):
            image.shown = 1 if image.id in seen else 100  # the unseen ones were shown most often
            unseen |= {image.id} - seen
    for position, planned_ms in planned.items():
        exposure = {"exposure_ms": planned_ms + (500 if position in (wrong, catch) else 0)}
        assert client.post(f"{home}answer", json={**ANSWER, "trial": position, **exposure}).status_code == 200
    with database.read() as session:
        (spare,) = session.scalars(select(models.Trial).filter_by(kind="spare"))
        assert (spare.position, spare.replaces, spare.stimulus_id in unseen) == (8, wrong, True)
        assert spare.stimulus.shown == 101
