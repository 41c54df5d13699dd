"""Simulated participants see the same pages as people, judge as specified, and are marked wherever they appear."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from glimpse.workspace import Workspace
from study_app import cli
from study_app.commands import bots, simulate
from study_app.database import Database
from tests.study_app.commands.test_serve import free_port, served
from tests.study_app.conftest import load, publish


def http_of(client: FlaskClient) -> Any:
    """A bot's browser on a test client."""

    def http(path: str, form: object = None, data: object = None) -> bots.Reply:
        method = "POST" if form is not None or data is not None else "GET"
        reply = client.open(path, method=method, data=form, json=data)
        return bots.Reply(reply.status_code, reply.headers.get("Location", ""), reply.data)

    return http


def test_they_answer_everything_and_are_marked(
    workspace: Workspace, study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["simulate", "--participants", "5", "--seed", "3"]) == 0
    capsys.readouterr()
    assert cli.main(["status"]) == 0
    assert "\n  5 simulated" in capsys.readouterr().out, "its table counts people only"
    with Database(workspace.database_url).read() as session:
        rows = session.execute(text("SELECT participant, simulated, answer, exposure_ms_actual FROM responses")).all()
    assert len(rows) == 5 * 12
    assert {row.simulated for row in rows} == {1}
    assert {row.answer for row in rows} == {"real", "generated"}
    assert all(1900 < row.exposure_ms_actual < 3100 for row in rows)


def test_they_take_no_place_of_people(workspace: Workspace, database_url: str, make_app: object) -> None:
    publish(workspace, "alpha")
    load(workspace, "small", 'sets = [{ name = "alpha", quota = 1 }]\n[trials]\ncount = 4\n')
    assert cli.main(["simulate", "--participants", "3"]) == 0
    client = make_app().test_client()  # type: ignore[operator]
    assert client.post("/study/small/enter", data={"consent": "yes"}).status_code == 303
    assert client.post("/study/small/enter", data={"consent": "yes"}).status_code == 403


def test_those_whom_a_required_question_screens_out_are_counted_as_such(
    workspace: Workspace, study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    adults = 'key = "adult"\ntext = "Of age?"\noptions = ["no", "yes"]\nscreen_out = ["no"]\nrequired = true\n'
    load(workspace, "adults", f'sets = [{{ name = "alpha" }}]\n[trials]\ncount = 4\n[[questions]]\n{adults}')
    assert cli.main(["simulate", "adults", "--participants", "6"]) == 0
    said = capsys.readouterr().out
    with Database(workspace.database_url).read() as session:
        out = session.execute(text("SELECT COUNT(*) FROM participants WHERE state = 'screened-out'")).scalar_one()
    assert 0 < out < 6
    assert f"6 simulated participants ({out} screened out by their answers) gave {4 * (6 - out)} answers" in said


@pytest.mark.parametrize(("sensitivity", "bias"), [(0.0, 0.0), (1.5, 0.4), (2.5, -0.5)])
def test_a_bot_has_the_sensitivity_and_bias_it_was_given(sensitivity: float, bias: float) -> None:
    from glimpse import observers

    rng, observer = np.random.default_rng(5), bots.Observer(sensitivity, bias, lapses=0.0)
    truth = ["generated", "real"] * 4000
    said = [observer.distance(kind, 2500, rng) > 0 for kind in truth]
    counts = observers.count(said, [kind == "generated" for kind in truth], np.zeros(len(said), int))
    assert observers.d_prime(counts)[0] == pytest.approx(sensitivity, abs=0.1)
    assert observers.criterion(counts)[0] == pytest.approx(bias, abs=0.06)


def test_a_bot_that_lapses_answers_at_random() -> None:
    rng = np.random.default_rng(6)
    said = [bots.Observer(9.0, lapses=1.0).distance("generated", 2500, rng) > 0 for _ in range(2000)]
    assert said.count(False) == pytest.approx(1000, abs=100)


def test_a_bot_sees_what_a_catch_trial_is_and_misses_it_by_lapses_alone(workspace: Workspace) -> None:
    publish(workspace, "alpha")
    load(workspace, "awake", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 4\ncatch = 3\n')
    assert cli.main(["simulate", "--participants", "6", "--sensitivity", "0", "--lapses", "0"]) == 0
    with Database(workspace.database_url).read() as session:
        rows = session.execute(text("SELECT catch_trials, catch_correct, excluded FROM participants")).all()
    assert rows == [(3, 3, 0)] * 6


def test_catch_trials_of_a_remote_survey_are_recognised_by_their_colours(
    workspace: Workspace, client: FlaskClient
) -> None:  # fmt: skip
    publish(workspace, "alpha")
    load(workspace, "awake", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 4\ncatch = 3\n')
    known = {key: truth for key, truth in simulate.truths(workspace).items() if truth != "catch"}
    through = http_of(client)
    assert (
        bots.take_part(
            through, simulate.offered_by(workspace, "awake"), bots.Observer(lapses=0), known, np.random.default_rng(0)
        )
        == 7
    )


def test_an_unknown_image_is_one_sentence(
    workspace: Workspace, study: str, client: FlaskClient, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(bots.SurveyError, match="this workspace does not hold"):
        bots.take_part(
            http_of(client), simulate.offered_by(workspace, study), bots.Observer(), {}, np.random.default_rng(0)
        )


@pytest.mark.parametrize(
    "wrong",
    [
        ["--participants", "0"], ["--lapses", "2"], ["--at-once", "0"], ["--bias", "nan"], ["--response-ms", "1e308"],
        ["nosuch"], ["ü/.."],
        *(["--url", url] for url in ("nowhere", "http://", "http://[::1", "http://exa mple", "http://x:y", "http://..")),
        ["pilot", "--url", "http://127.0.0.1:9/ü"],
    ],
)  # fmt: skip
def test_each_mistake_is_one_sentence(
    workspace: Workspace, tmp_path: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    publish(workspace, "alpha")
    load(workspace, "pilot", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 4\n')
    capsys.readouterr()
    try:
        code: object = cli.main(["simulate", *wrong])
    except SystemExit as stopped:  # an option that the parser refuses
        code = stopped.code
    assert code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1


def test_a_seed_below_zero_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["simulate", "--seed", "-1"])
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("error: argument --seed: -1 is not a valid seed")
    assert said.count("\n") == 1


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_a_study_that_a_server_does_not_have_is_named(
    workspace: Workspace, study: str, capsys: pytest.CaptureFixture[str]
) -> None:
    port = free_port()
    with served(workspace, port):
        here = f"http://127.0.0.1:{port}"
        for options, said in (
            ([study, "--url", f"{here}/nothere"], f"There is no study '{study}'"),
            (["--url", f"{here}/nothere"], "There is no survey at"),
            (["other", "--url", here], "There is no study 'other'"),
            (["ü/..", "--url", here], "There is no study 'ü/..'"),
        ):
            capsys.readouterr()
            assert cli.main(["simulate", "--participants", "1", *options]) == 2
            assert capsys.readouterr().err.splitlines()[-1].startswith(f"error: {said}")
