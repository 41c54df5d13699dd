"""Trials that cannot have been judged are flagged by what the server saw, whatever the client reports."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from glimpse.workspace import Workspace
from study_app import cli, models
from study_app.participant import design
from study_app.participant.answer import Answered
from tests.study_app.conftest import load
from tests.study_app.experimenter.test_admin import log_in, token
from tests.study_app.participant.test_survey import ANSWER, enter, stored

SMALL = 'sets = [{ name = "alpha", quota = 1 }]\n[trials]\ncount = 4\n'


def finish(
    client: FlaskClient, app: Flask, base: str, *, fetch: bool = True, begin: bool = True, wait_ms: int = 5000
) -> None:  # fmt: skip
    """Answer all trials, each `wait_ms` (by the server's clock) after the one before."""
    trial: dict[str, Any] = client.get(f"{base}/next").get_json()
    while not trial.get("done"):
        if fetch:
            client.get(trial["image"])
        if begin:
            client.post(f"{base}/begin", json={"trial": trial["trial"], "view": "a"})
        back = timedelta(milliseconds=wait_ms)
        with app.extensions["glimpse"].write() as session:
            person = session.query(models.Participant).filter_by(token=base.split("/")[2]).one()
            person.entered_at -= back
            for one in person.trials:
                one.answered_at, one.fetched_at = (m and m - back for m in (one.answered_at, one.fetched_at))
        given = {**ANSWER, "trial": trial["trial"], "exposure_ms": trial["exposure_ms"] or 2500, "view": "a"}
        trial = client.post(f"{base}/answer", json=given).get_json()["next"]


def test_a_script_that_looked_at_nothing_is_marked_excluded_and_fills_no_quota(
    client: FlaskClient, app: Flask, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    slug = load(workspace, "small", SMALL)
    finish(client, app, enter(client, slug), fetch=False, begin=False, wait_ms=0)
    for row in stored(app):
        assert {"not-begun", "not-fetched", "too-fast"} <= set(row["flags"].split())
        assert row["implausible"] == 1
    (person,) = stored(app, "SELECT * FROM participants")
    assert (person["implausible"], person["excluded"], person["excluded_for"]) == (4, 1, "implausible")
    finish(client, app, enter(client, slug))  # the place was free
    assert client.post(f"/study/{slug}/enter", data={"consent": "yes"}).status_code == 403
    honest = stored(app, f"SELECT * FROM responses WHERE participant <> '{person['participant']}'")
    assert [(row["flags"], row["implausible"]) for row in honest if "frame-off" not in row["flags"]] == [("", 0)] * 4
    capsys.readouterr()
    assert cli.main(["status", slug]) == 0
    assert "1 excluded for implausible trials" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize(
    ("rule", "options", "flag", "excluded"),
    [
        ("", {"begin": False}, "not-begun", 0),  # a stated rule alone excludes for it
        ("implausible = 4\n", {"begin": False}, "not-begun", 0),
        ("implausible = 3\n", {"begin": False}, "not-begun", 1),
        ("implausible = 0\n", {"wait_ms": 2000}, "too-fast", 1),
        ("implausible = 0\n", {}, "", 0),
    ],
)
def test_implausible_trials_are_counted_and_excluded_by_the_study_files_rule(
    client: FlaskClient, app: Flask, workspace: Workspace, rule: str, options: dict[str, Any], flag: str, excluded: int
) -> None:
    slug = load(workspace, "small", SMALL + rule)
    finish(client, app, enter(client, slug), **options)
    assert {row["flags"] for row in stored(app)} == {flag}
    (person,) = stored(app, "SELECT * FROM participants")
    assert (person["implausible"], person["excluded"]) == (4 * bool(flag), excluded)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_start_announced_after_its_answer_is_believed(client: FlaskClient, app: Flask, study: str) -> None:
    base = enter(client, study)
    client.post(f"{base}/answer", json={**ANSWER, "view": "a"})
    assert "not-begun" in stored(app)[0]["flags"]
    client.post(f"{base}/begin", json={"trial": 1, "view": "a"})
    assert "not-begun" not in stored(app)[0]["flags"]


@pytest.mark.parametrize(
    ("elapsed_ms", "claimed_ms", "flags"),
    [
        (2900.0, 2000.0, set()), (2399.0, 2000.0, {"too-fast"}), (3000.0, 9000.0, {"too-fast"}), (-5.0, 2000.0, set()),
        (None, 2000.0, set()),
    ],
)  # fmt: skip
def test_an_answer_takes_the_fixation_and_the_exposure_or_the_time_that_it_states(
    elapsed_ms: float | None, claimed_ms: float, flags: set[str]
) -> None:
    answered = Answered(1, "real", 2000.0, claimed_ms, dropped_frames=0, focus_lost=False)
    observed = design.Observed(fetched=True, begun=1, elapsed_ms=elapsed_ms)
    assert design.implausible_flags(observed, answered, planned_ms=2000.0, fixation_ms=500.0) == flags


def test_a_rejected_persons_answers_stay_but_count_nowhere(
    client: FlaskClient, app: Flask, workspace: Workspace
) -> None:
    slug = load(workspace, "small", SMALL)
    home = enter(client, slug, "?PROLIFIC_PID=aa")
    finish(client, app, home)
    full = client.post(f"/study/{slug}/enter", data={"consent": "yes"}).status_code
    assert log_in(client) == 303
    form = {"do": "free", "ids": "Participant id,Status\naa,REJECTED\n", "token": token(client, "/admin/")}
    assert "1 place freed" in client.post(f"/admin/study/{slug}/recruiting", data=form).text
    (person,) = stored(app, "SELECT * FROM participants")
    assert (person["state"], person["excluded_for"], len(stored(app))) == ("rejected", "rejected", 4)
    assert client.get(f"/study/{slug}/").status_code == 200 != full
    assert "Thank you!" in client.get(f"{home}/").text
    address = f"/admin/participant/{person['participant']}/reject"
    assert client.post(address, data={"undo": "1", "token": token(client, "/admin/")}).status_code == 303
    assert stored(app, "SELECT state, excluded FROM participants") == [{"state": "finished", "excluded": 0}]
    assert client.post(address, data={"token": token(client, "/admin/")}).status_code == 303
    assert stored(app, "SELECT excluded_for AS why FROM participants") == [{"why": "rejected"}]
