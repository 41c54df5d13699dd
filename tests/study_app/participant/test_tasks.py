"""Other questions than the paper's: ratings and confidence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask import Flask

from glimpse.workspace import Workspace
from study_app import cli
from study_app.commands import bots
from study_app.database import SurveyError
from study_app.study_toml import parse_study
from tests.study_app.conftest import load, publish
from tests.study_app.participant.test_survey import ANSWER, enter, stored

SETS = 'sets = [{ name = "alpha" }]\n'


def begun(
    workspace: Workspace, make_app: Callable[..., Flask], toml: str
) -> tuple[Flask, Callable[[dict[str, Any]], Any]]:
    """A study of this text and one of its participants: `answer(fields)` posts an answer to the current trial."""
    publish(workspace, "alpha")
    load(workspace, "tasks", f"{toml}{SETS}[trials]\ncount = 4\n")
    app = make_app()
    client = app.test_client()
    base = enter(client, "tasks")

    def answer(fields: dict[str, Any]) -> Any:
        current = client.get(f"{base}/next").get_json()
        given = {**ANSWER, "trial": current["trial"], **fields}
        return client.post(f"{base}/answer", json={k: v for k, v in given.items() if v is not None})

    return app, answer


def test_a_rating_is_stored_with_the_answer_that_it_implies(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    app, answer = begun(workspace, make_app, 'task = "rating"\n')
    for wrong in (None, 0, 7, "3", 3.5, True):
        assert answer({"rating": wrong}).status_code == 422
    for rating in (1, 3, 4):
        assert answer({"rating": rating, "answer": None}).status_code == 200
    assert answer({"trial": 3, "rating": 4}).status_code == 200
    assert answer({"trial": 3, "rating": 5}).status_code == 409
    rows = [(row["task"], row["rating"], row["answer"], row["confidence"]) for row in stored(app)]
    assert rows == [("rating", 1, "real", None), ("rating", 3, "real", None), ("rating", 4, "generated", None)]


def test_a_confidence_is_stored_beside_the_answer(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    app, answer = begun(workspace, make_app, "confidence = true\n")
    for wrong in (None, 0, 5):
        assert answer({"confidence": wrong}).status_code == 422
    assert answer({"confidence": 4}).status_code == 200
    assert [(row["task"], row["answer"], row["confidence"]) for row in stored(app)] == [("yes-no", "real", 4)]


def test_ratings_rise_with_the_evidence_and_confidence_with_its_distance() -> None:
    rating, yes_no = ({"task": task, "confidence": task == "yes-no"} for task in ("rating", "yes-no"))
    distances = np.linspace(-1.4, 1.4, 15)
    steps = [bots.asked_for(rating, x)["rating"] for x in distances]
    assert steps == sorted(steps)
    assert set(steps) == {1, 2, 3, 4, 5, 6}
    sure = [bots.asked_for(yes_no, x)["confidence"] for x in distances]
    assert sure == sure[::-1]
    assert set(sure) == {1, 2, 3, 4}


@pytest.mark.parametrize("toml", ['task = "rating"\n', "confidence = true\n"])
def test_the_report_reads_ratings_and_confidence_without_being_told(workspace: Workspace, toml: str) -> None:
    from analysis.answers.read import read_csv, read_database
    from analysis.section import Context
    from analysis.sections import ratings

    publish(workspace, "alpha")
    load(workspace, "tasks", f"{toml}{SETS}[trials]\ncount = 16\n")
    assert cli.main(["simulate", "--participants", "6", "--sensitivity", "2"]) == 0
    assert cli.main(["export", "--include-simulated"]) == 0
    answers = read_database(workspace, include_simulated=True)
    assert answers is not None
    exported = read_csv(workspace.root / "export" / "tasks" / "data", include_simulated=True)
    assert (exported.trials["rating"] == answers.trials["rating"]).all()
    section = ratings.compute(Context(workspace, responses=answers.trials))
    assert section is not None
    assert 0.8 < section.scores["alpha"]["auc"]["mean"] < 1
    assert section.scores["alpha"]["trials"] == 96


def test_a_key_without_effect_on_the_task_is_refused() -> None:
    with pytest.raises(SurveyError, match="`confidence` has no effect"):
        parse_study({"slug": "a", "sets": [{"name": "b"}], "task": "rating", "confidence": True})
