"""Studies that are not the paper's: staircase, until answered, and attention trials with their rule for exclusion."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask import Flask
from sqlalchemy import text

from glimpse.workspace import Workspace
from study_app import cli
from study_app.commands.simulate import truths
from study_app.database import Database
from study_app.definition.staircase import next_exposure
from study_app.participant.attention import COLOURS, attention_image
from tests.study_app.conftest import load, publish


def take(
    app: Flask, slug: str, answer: Callable[[dict[str, Any], str], str], truth: dict[str, str]
) -> list[dict[str, Any]]:
    """Go through the study answering `answer(trial, truth)`; returns the trials as the server described them."""
    from glimpse.files import sha256_bytes

    client = app.test_client()
    home = client.post(f"/study/{slug}/enter", data={"consent": "yes"}).headers["Location"]
    trial, seen = client.get(f"{home}next").json, []
    while not trial.get("done"):
        shown = truth[sha256_bytes(client.get(trial["image"]).data)]
        given = {
            "trial": trial["trial"], "answer": answer(trial, shown), "exposure_ms": trial["exposure_ms"] or 700,
            "response_time_ms": 900, "dropped_frames": 0, "focus_lost": False,
        }  # fmt: skip
        seen.append({**trial, "truth": shown, "correct": given["answer"] == shown})
        trial = client.post(f"{home}answer", json=given).json["next"]
    return seen


@pytest.fixture
def known(workspace: Workspace, database_url: str) -> Callable[[], dict[str, str]]:
    publish(workspace, "alpha", count=20)
    return lambda: truths(workspace)


def test_in_a_staircase_each_answer_decides_the_next_exposure(
    workspace: Workspace, known: Callable[[], dict[str, str]], make_app: Callable[..., Flask]
) -> None:
    load(workspace, "climb", 'mode = "staircase"\nsets = [{ name = "alpha" }]\n[trials]\ncount = 30\nblock = 10\n')
    rng = np.random.default_rng(4)
    seen = take(make_app(), "climb", lambda trial, truth: str(rng.choice(["real", "generated"])), known())
    history = [trial["correct"] for trial in seen]
    assert {True, False} == set(history)
    assert [trial["exposure_ms"] for trial in seen] == [next_exposure(history[:i]) for i in range(30)]
    assert [trial["trial"] for trial in seen if trial.get("pause")] == [11, 21]


def test_attention_trials_do_not_move_a_staircase(
    workspace: Workspace, known: Callable[[], dict[str, str]], make_app: Callable[..., Flask]
) -> None:
    load(workspace, "climb", 'mode = "staircase"\nsets = [{ name = "alpha" }]\n[trials]\ncount = 10\ncatch = 3\n')
    with Database(workspace.database_url).read() as session:
        catches = set(session.execute(text("SELECT sha256 FROM stimulus WHERE kind = 'catch'")).scalars())
    truth = {**known(), **dict.fromkeys(catches, "catch")}
    seen = take(make_app(), "climb", lambda _, shown: "real" if shown == "catch" else shown, truth)
    assert [trial["exposure_ms"] for trial in seen if trial["truth"] == "catch"] == [1000] * 3
    assert [trial["exposure_ms"] for trial in seen if trial["truth"] != "catch"] == [500 - 10 * i for i in range(10)]


def test_a_staircase_has_150_trials_in_blocks_behind_a_mask(workspace: Workspace) -> None:
    from study_app.definition.study_toml import parse_study

    study = parse_study({"slug": "climb", "mode": "staircase", "sets": [{"name": "alpha"}]})
    assert (study.trials.count, study.trials.block, study.mask, study.exposure_ms) == (150, 50, True, (50, 1000))


def test_without_a_limit_the_image_stays_until_it_is_answered(
    workspace: Workspace, known: Callable[[], dict[str, str]], make_app: Callable[..., Flask]
) -> None:
    load(workspace, "calm", 'mode = "unlimited"\nsets = [{ name = "alpha" }]\n[trials]\ncount = 6\n')
    app = make_app()
    seen = take(app, "calm", lambda trial, truth: truth, known())
    assert [trial["exposure_ms"] for trial in seen] == [None] * 6
    home = app.test_client().post("/study/calm/enter", data={"consent": "yes"}).headers["Location"]
    assert [trial["exposure_ms"] for trial in app.test_client().get(f"{home}practice/").json] == [None, None]
    with Database(workspace.database_url).read() as session:
        assert set(session.execute(text("SELECT mode, exposure_ms_planned FROM responses")).all()) == {
            ("unlimited", None)
        }


@pytest.mark.parametrize(("allowed", "wrong", "excluded"), [(0, 0, 0), (0, 1, 1), (1, 1, 0), (1, 2, 1)])
def test_missing_more_attention_trials_than_the_study_file_allows_excludes(
    workspace: Workspace, known: Callable[[], dict[str, str]], make_app: Callable[..., Flask],
    allowed: int, wrong: int, excluded: int, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    load(
        workspace, "awake",
        f'sets = [{{ name = "alpha" }}]\n[trials]\ncount = 4\ncatch = 2\ncatch_wrong = {allowed}\n',
    )  # fmt: skip
    with Database(workspace.database_url).read() as session:
        catches = set(session.execute(text("SELECT sha256 FROM stimulus WHERE kind = 'catch'")).scalars())
    truth = {**known(), **dict.fromkeys(catches, "catch")}
    missed = iter(["real"] * wrong + ["generated"] * (2 - wrong))
    seen = take(make_app(), "awake", lambda _, shown: next(missed) if shown == "catch" else shown, truth)
    assert len(seen) == 6
    with Database(workspace.database_url).read() as session:
        person = session.execute(text("SELECT * FROM participants")).one()
        assert (person.trials, person.catch_trials, person.catch_correct) == (4, 2, 2 - wrong)
        assert person.excluded == excluded
        assert session.execute(text("SELECT COUNT(*) FROM responses")).scalar() == 4  # attention trials are not data
    assert cli.main(["status"]) == 0
    assert ("1 excluded by attention trials" in capsys.readouterr().out) == bool(excluded)


def test_an_attention_image_is_a_mosaic_of_pure_colours_of_any_size() -> None:
    image = attention_image(30, 45, np.random.default_rng(0))
    assert image.shape == (30, 45, 3)
    assert {tuple(pixel) for pixel in image.reshape(-1, 3)} <= {tuple(colour) for colour in COLOURS}
    assert not np.array_equal(image, attention_image(30, 45, np.random.default_rng(1)))
