"""`study_app preview`: every page of a study, and nothing stored in the study's own database."""

from __future__ import annotations

from pathlib import Path

import pytest

from glimpse.workspace import Workspace
from study_app.commands import preview
from study_app.definition.study_toml import parse_study
from tests.study_app.conftest import publish


@pytest.mark.parametrize("language", ["en", "de"])
def test_every_page_is_shown_and_nothing_is_stored(workspace: Workspace, tmp_path: Path, language: str) -> None:
    publish(workspace, "alpha")
    study = parse_study(
        {"slug": "a", "sets": [{"name": "alpha", "quota": 1}], "trials": {"count": 4, "catch": 1},
         "completion": {"url": "https://x.org/?cc={code}", "code": "OK", "full_code": "FULL", "redirect_s": 9,
                        "failed_attention_code": "LOST"}}
    )  # fmt: skip
    app = preview.preview_app(workspace, study, b"", tmp_path)
    client = app.test_client()
    index = client.get("/preview/").text
    for page in (*preview.STAGES, *preview.ENDS):
        assert f'href="/preview/{page}?' in index
        reply = client.get(f"/preview/{page}?lang={language}", follow_redirects=True)
        assert (reply.status_code, f'<html lang="{language}">' in reply.text) == (200, True)
    assert "https://x.org/?cc=FULL" in client.get("/preview/full").text
    debrief = client.get("/preview/debrief", follow_redirects=True).text
    assert "You were right about 2 of 4 images." in debrief
    assert 'data-seconds="9"' in debrief
    assert "https://x.org/?cc=LOST" in client.get("/preview/failed-attention", follow_redirects=True).text
    assert client.get("/preview/nothing").status_code == 404
    assert not (workspace.root / "study.db").exists()
    app.extensions["glimpse"].engine.dispose()
