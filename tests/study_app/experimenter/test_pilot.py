"""A pilot: its answers are kept separate, use no quota, do not count as showing an image, and can be deleted."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import text

from glimpse.workspace import Workspace
from study_app import cli
from study_app.database import Database
from tests.study_app.experimenter.test_admin import log_in, post
from tests.study_app.experimenter.test_export import tables

ANSWER = {"answer": "real", "exposure_ms": 2400, "response_time_ms": 3200, "dropped_frames": 0, "focus_lost": False}


def ask(workspace: Workspace, query: str) -> list[tuple[object, ...]]:
    with Database(workspace.database_url).read() as session:
        return [tuple(row) for row in session.execute(text(query))]


def test_a_pilot_is_kept_apart_and_deleted(
    workspace: Workspace, study: str, make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app(ADMIN_PASSWORD="open sesame")
    admin, visitor = app.test_client(), app.test_client()
    log_in(admin)
    assert post(admin, "study/pilot/quota", **{"quota-alpha": "1", "quota-beta": "1"}) == 303
    assert post(admin, "study/pilot/state", state="pilot") == 303
    assert "/study/pilot/" not in visitor.get("/").text  # only its own address leads there
    homes = [
        visitor.post(f"/study/pilot/enter?PROLIFIC_PID=p{i}", data={"consent": "yes"}).headers["Location"]
        for i in range(3)  # more than the quotas
    ]
    for number in range(1, 13):
        assert visitor.post(f"{homes[0]}answer", json={**ANSWER, "trial": number}).status_code == 200
    shown = "SELECT SUM(shown), SUM(shown_simulated) FROM stimulus"
    assert ask(workspace, shown) == [(0, 36)]
    assert post(admin, "study/pilot/state", state="open") == 303
    for _ in range(2):  # the quotas are still free
        assert visitor.post("/study/pilot/enter", data={"consent": "yes"}).status_code == 303
    assert ask(workspace, "SELECT pilot, excluded_for, COUNT(*) FROM participants GROUP BY pilot, excluded_for") == [
        (0, "", 2), (1, "implausible", 1), (1, "pilot", 2),
    ]  # fmt: skip
    assert ask(workspace, "SELECT DISTINCT pilot FROM responses") == [(1,)]

    capsys.readouterr()
    assert cli.main(["status", "--json"]) == 0
    people = json.loads(capsys.readouterr().out)[0]
    assert (people["pilot"], sum(one["started"] for one in people["sets"])) == (3, 2)
    assert "Pilot <small>3</small>" in admin.get("/admin/study/pilot/").text
    assert "kept out of the results" in admin.get("/admin/study/pilot/?pilot=1").text
    for options, count in (([], 2), (["--include-pilot"], 5)):
        assert cli.main(["export", *options]) == 0
        found = tables(workspace.root / "export" / "pilot")
        assert len(found["study-pilot_description-participants_data.csv"]) == count
    assert "12 answers. Next: python -m analysis.power --pilot " in capsys.readouterr().out  # no report scores them

    assert post(admin, "study/pilot/delete-pilot", confirm="another") == 422
    assert cli.main(["forget", "--pilot", "pilot"]) == 2
    assert "3 pilot participants" in capsys.readouterr().err
    assert post(admin, "study/pilot/delete-pilot", confirm="pilot") == 303
    assert ask(workspace, "SELECT pilot, COUNT(*) FROM participant GROUP BY pilot") in ([(0, 2)], [(False, 2)])
    assert ask(workspace, "SELECT COUNT(*) FROM external_identity") == [(0,)]
    assert ask(workspace, shown) == [(24, 0)]
    assert visitor.get(homes[0]).status_code == 404
    assert cli.main(["forget", "--pilot", "pilot", "--yes"]) == 0
    assert "0 pilot participants" in capsys.readouterr().out
    assert (
        post(admin, "study/pilot/state", state="pilot") == 303
    )  # people have used up the quotas, which are not for it
    assert visitor.post("/study/pilot/enter", data={"consent": "yes"}).status_code == 303


@pytest.mark.parametrize("kind", ["sqlite"])
def test_pilot_participants_see_what_people_see_at_the_end(
    workspace: Workspace, study: str, make_app: Callable[..., Flask]
) -> None:
    """The code for finished participants, not that for those whose answers do not count."""
    from sqlalchemy import select, update

    from study_app import models

    app = make_app()
    with app.extensions["glimpse"].write() as session:
        session.execute(update(models.Study).values(state="pilot"))
    assert cli.main(["simulate", "--participants", "1"]) == 0
    client = app.test_client()
    home = client.post("/study/pilot/enter", data={"consent": "yes"}).headers["Location"]
    trial = client.get(f"{home}next").json
    while not trial.get("done"):
        client.get(trial["image"])
        trial = client.post(f"{home}answer", json={**ANSWER, "trial": trial["trial"]}).json["next"]
    with app.extensions["glimpse"].read() as session:
        found = session.execute(select(models.Participant.pilot, models.Participant.counted)).all()
    assert sorted(map(tuple, found)) == [(False, True), (True, True)]
