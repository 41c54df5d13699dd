"""The numbers of `study_app status` and the dashboard are those of the report: the same people, the same trials."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from flask import Flask
from scipy import stats
from sqlalchemy import text

from glimpse.files import read_json, sha256_bytes
from glimpse.observers import LEAST_JUDGEMENTS
from glimpse.workspace import Workspace
from study_app import cli
from study_app.database import Database
from study_app.experimenter.charts import tukey_box
from study_app.experimenter.status import Accuracy, ImageStatus, Timing, mean_accuracy, timing
from study_app.experimenter.tally import Sums, Tally
from tests.study_app.conftest import load, publish
from tests.study_app.experimenter.test_admin import log_in


def test_whiskers_end_at_the_last_score_within_one_and_a_half_interquartile_ranges() -> None:
    assert tukey_box([1, 2, 3, 4, 6.5]) == (1, 2, 3, 4, 6.5)  # up to 4 + 1.5 * 2
    assert tukey_box([1, 2, 3, 4, 7.5]) == (1, 2, 3, 4, 4)


@pytest.fixture
def alpha(workspace: Workspace, database_url: str) -> Mapping[str, str]:
    """A set of few images, so that several people see the same; what each image is, by its SHA-256."""
    publish(workspace, "alpha", count=4)
    manifest = read_json(workspace.root / "stimuli" / "alpha" / "manifest.json")
    return {image["sha256"]: image["truth"] for image in manifest["stimuli"]}


def take(
    app: Flask, slug: str, judge: Callable[[str, int], dict[str, Any]], truth: Mapping[str, str], late_ms: float = 0
) -> None:
    """Go through the study; `judge(truth, trial)` gives what an answer has beside the usual."""
    client = app.test_client()
    home: str = client.post(f"/study/{slug}/enter", data={"consent": "yes"}).headers["Location"]
    trial = client.get(f"{home}next").json
    while not trial.get("done"):
        shown = truth.get(sha256_bytes(client.get(trial["image"]).data), "catch")
        given = {
            "trial": trial["trial"], "answer": "generated" if shown == "catch" else shown, "response_time_ms": 3200,
            "exposure_ms": trial["exposure_ms"] + late_ms, "dropped_frames": 0, "focus_lost": False,
            **judge(shown, trial["trial"]),
        }  # fmt: skip
        trial = client.post(f"{home}answer", json=given).json["next"]


def status(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert cli.main(["status", "--json"]) == 0
    (study,) = json.loads(capsys.readouterr().out)
    return {**study["sets"][0], "images": study["images"]}


def test_everyone_is_judged_by_the_attention_rule_of_the_version_they_agreed_to(
    workspace: Workspace, alpha: Mapping[str, str], make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    study = 'sets = [{ name = "alpha" }]\n[trials]\ncount = 4\ncatch = 2\n'
    load(workspace, "awake", study)
    app = make_app()

    def missing_both(shown: str, trial: int) -> dict[str, Any]:
        return {"answer": "real"} if shown == "catch" else {}

    for _ in range(3):
        take(app, "awake", missing_both, alpha)
    rule = workspace.root / "awake.toml"
    rule.write_text(f'slug = "awake"\n{study}catch_wrong = 2\n')
    assert cli.main(["load", str(rule), "--amend"]) == 0
    for _ in range(2):
        take(app, "awake", missing_both, alpha)
    with Database(workspace.database_url).read() as session:
        assert session.execute(text("SELECT SUM(excluded) FROM participants")).scalar() == 3
    found = status(capsys)
    assert (found["excluded"], len(found["f1"])) == (3, 2)
    assert sum(image["answers"] for image in found["images"]) == 0  # too few judgements by people who count
    tally = Tally(1, "people")
    with Database(workspace.database_url).read() as session:
        tally.update(session)
    assert sum(answers for answers, _ in tally.images.values()) == 2 * 4, "of those who are not excluded"


def test_a_trial_replaced_by_a_spare_one_counts_for_the_timing_alone(
    workspace: Workspace, alpha: Mapping[str, str], make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    load(workspace, "spared", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 6\nspare = 1\n')
    app = make_app(ADMIN_PASSWORD="open sesame")
    for _ in range(6):  # all is right but the first answer, whose image stood too long
        take(
            app, "spared",
            lambda shown, trial: {} if trial > 1 else {
                "answer": "real" if shown == "generated" else "generated", "exposure_ms": 5000.0,
            }, alpha,
        )  # fmt: skip
    found = status(capsys)
    assert found["accuracy"]["mean"] == 1
    assert found["timing"]["trials"] == 6 * 7
    assert found["timing"]["wrong"] == 1 / 7
    with Database(workspace.database_url).read() as session:
        rows = session.execute(text("SELECT stimulus, COUNT(*) FROM responses WHERE replaced = 0 GROUP BY stimulus"))
        judged = {stimulus: count for stimulus, count in rows if count >= LEAST_JUDGEMENTS}
    assert {image["public_id"]: image["answers"] for image in found["images"]} == judged
    client = app.test_client()
    log_in(client)
    code = re.search(r"/admin/participant/(p\w+)", client.get("/admin/study/spared/participants").text)
    assert code
    assert "6<small> of 6</small>" in client.get(f"/admin/participant/{code[1]}").text


def test_the_sd_of_the_exposure_error_is_around_its_mean() -> None:
    def sums(*errors_ms: float) -> Sums:
        n = len(errors_ms)
        return Sums(0, 0, 0, 0, n, n, sum(errors_ms), sum(e * e for e in errors_ms), 1, 0, 0)

    assert timing([sums(10, 10)]) == Timing(2, 10, 0, wrong=0.5)
    assert timing([sums(10), sums(-10)]) == Timing(2, 0, 10, wrong=1)
    assert timing([sums(1, 2), sums(6)]).sd_error_ms == pytest.approx(np.std([1, 2, 6]))
    assert timing([]) == Timing()


def test_exposures_that_are_all_10_ms_too_long_have_an_error_of_10_ms_and_no_spread(
    workspace: Workspace, alpha: Mapping[str, str], make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    load(workspace, "late", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 4\n')
    take(make_app(), "late", lambda shown, trial: {}, alpha, late_ms=10)
    found = status(capsys)["timing"]
    assert (found["trials"], found["mean_error_ms"], found["sd_error_ms"]) == (4, 10, 0)


def test_the_mean_accuracy_has_a_t_interval_within_0_and_1() -> None:
    values = [0.5, 0.7, 0.75, np.nan]
    low, high = stats.t.interval(0.95, 2, np.mean(values[:3]), stats.sem(values[:3]))
    assert mean_accuracy(values) == Accuracy(0.65, pytest.approx(low), pytest.approx(high))
    assert mean_accuracy([0.5, 1.0]) == Accuracy(0.75, 0, 1)
    assert (mean_accuracy([0.5, np.nan]), mean_accuracy([])) == (Accuracy(0.5), Accuracy())


@pytest.mark.parametrize(("truth", "wrong"), [("generated", 18), ("real", 2)])
def test_an_image_is_surely_misjudged_by_the_lower_limit_of_wilson(truth: str, wrong: int) -> None:
    image = ImageStatus(1, "i", "alpha", truth, answers=20, said_generated=2)
    assert image.wrong == wrong / 20
    expected = stats.binomtest(wrong, 20).proportion_ci(method="wilson").low
    assert image.surely_wrong == pytest.approx(expected, abs=1e-4)
