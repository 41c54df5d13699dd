"""`study_app reject`: a platform's export frees places and excludes answers from the results."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from glimpse.workspace import Workspace
from study_app import cli
from tests.study_app.participant.test_survey import enter, stored


@pytest.mark.parametrize("kind", ["sqlite"])
def test_people_in_the_export_free_their_place_and_their_answers_are_kept(
    workspace: Workspace, study: str, make_app: Callable[..., Flask], capsys: pytest.CaptureFixture[str]
) -> None:
    app = make_app()
    client = app.test_client()
    for who in ("aa", "bb", "cc"):
        enter(client, study, f"?PROLIFIC_PID={who}")
    export = workspace.root / "prolific.csv"
    export.write_text(
        "Submission id,Participant id,Status\n1,aa,REJECTED\n2,bb,RETURNED\n3,cc,APPROVED\n4,dd,REJECTED\n"
    )
    assert cli.main(["reject", str(export)]) == 0
    assert (
        ": 3 gave up their place or were turned down. Places freed in the study 'pilot': 2." in capsys.readouterr().out
    )
    people = stored(app, "SELECT state, excluded_for FROM participants ORDER BY entered_at")
    assert [tuple(one.values()) for one in people] == [("rejected", "rejected"), ("returned", ""), ("working", "")]
    assert cli.main(["reject", "nothing.csv"]) == 2
    assert "The export nothing.csv cannot be read" in capsys.readouterr().err
