"""Several experimenters with separate passwords, and the log of their changes."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from glimpse.workspace import Workspace
from study_app import cli
from tests.study_app.experimenter.test_admin import post, token

PASSWORD = "correct horse"


def user(monkeypatch: pytest.MonkeyPatch, *action: str, password: str = PASSWORD) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(password + "\n"))
    return cli.main(["user", *action])


def log_in(client: FlaskClient, name: str, password: str) -> int:
    form = {"name": name, "password": password, "token": token(client), "next": "/admin/"}
    return client.post("/admin/login", data=form).status_code


def test_each_experimenter_has_a_password_and_the_log_names_them(
    workspace: Workspace, study: str, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    assert user(monkeypatch, "add", "ann") == 0
    app = make_app(ADMIN_PASSWORD="open sesame")
    ann, first = app.test_client(), app.test_client()
    assert 'name="name"' in ann.get("/admin/login").text
    for name, given in (("ann", "open sesame"), ("", PASSWORD), ("bob", PASSWORD)):
        assert log_in(ann, name, given) == 403
    assert log_in(ann, "ann", PASSWORD) == 303
    assert log_in(first, "", "open sesame") == 303  # the password of the environment
    assert post(ann, "study/pilot/state", state="paused") == 303
    assert post(first, "study/pilot/quota", **{"quota-alpha": "7"}) == 303
    ann.get("/admin/study/pilot/download.zip?external_ids=1")
    page = ann.get("/admin/study/pilot/log").text
    for did, who in (
        ("<b>set state</b> open to paused", "ann"), ("<b>set quota</b> alpha: none to 7", "admin"),
        ("<b>log in</b> ", "ann"), ("<b>export</b> people, platform IDs", "ann"), ("<b>add user</b> ann", ".*line."),
    ):  # fmt: skip
        assert re.search(f"{did}<br><small>{who} · 2", page), did
    capsys.readouterr()
    assert cli.main(["status", "--json"]) == 0
    log = json.loads(capsys.readouterr().out)[0]["log"]
    assert {"ann", "admin"} < {entry["who"] for entry in log}

    assert user(monkeypatch, "add", "ann", password="another password") == 0
    assert ann.get("/admin/").status_code == 303  # their session has ended
    assert log_in(ann, "ann", "another password") == 303
    assert user(monkeypatch, "remove", "ann") == 0
    assert ann.get("/admin/").status_code == 303
    assert first.get("/admin/").status_code == 200


@pytest.mark.parametrize("kind", ["sqlite"])
def test_an_account_alone_opens_the_dashboard(
    study: str, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GLIMPSE_ADMIN_PASSWORD", raising=False)
    assert user(monkeypatch, "add", "ann") == 0
    client = make_app().test_client()
    assert log_in(client, "", "") == 403
    assert log_in(client, "admin", "") == 403
    assert log_in(client, "ann", PASSWORD) == 303
    for action, said in (
        (("add", "admin"), "not 'admin'"),
        (("add", "a b"), "letters"),
        (("remove", "bob"), "no user"),
    ):
        assert user(monkeypatch, *action) == 2
        assert said in capsys.readouterr().err
    assert user(monkeypatch, "add", "bob", password="short") == 2
    assert "at least 10" in capsys.readouterr().err
    assert cli.main(["user", "list"]) == 0
    assert capsys.readouterr().out.startswith("ann  since 2")


@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_log_is_exported_on_request(workspace: Workspace, study: str) -> None:
    assert cli.main(["export", "--with-log"]) == 0
    path = workspace.root / "export" / "pilot" / "materials" / "log.csv"
    rows = list(csv.DictReader(path.read_text().splitlines()))
    assert [row["did"] for row in rows] == ["load study"]
    assert path.stat().st_mode & 0o777 == 0o600
