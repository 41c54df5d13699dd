"""Security: headers, limits, the secret key, and no identifying data."""

from __future__ import annotations

import json
import os
import re
import stat
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import inspect, text

from glimpse.workspace import Workspace
from study_app import security
from study_app.database import Database, SurveyError
from tests.study_app.experimenter.test_admin import log_in
from tests.study_app.participant.test_survey import ANSWER, enter

pytestmark = pytest.mark.parametrize("kind", ["sqlite"])


@pytest.mark.parametrize(
    "path", ["/study/pilot/", "/p/{token}/", "/p/{token}/next", "/p/nobody/", "/static/survey.css"]
)
def test_every_response_has_a_strict_policy_and_no_cookie(client: FlaskClient, study: str, path: str) -> None:
    response = client.get(path.format(token=enter(client, study).rsplit("/", 1)[1]))
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy.replace("https://", "")
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in response.headers
    response.close()


def test_pages_hold_no_inline_script_or_style_and_nothing_of_others(client: FlaskClient, study: str) -> None:
    base = enter(client, study)
    for _ in range(3):
        page = client.get(f"{base}/").get_data(as_text=True)
        assert "style=" not in page
        assert "<style" not in page
        assert "http" not in page.replace("http://localhost", "")
        assert page.count("<script") == page.count("<script src=") + page.count('<script type="application/json"')
        client.post(f"{base}/questions")
        client.post(f"{base}/device")


def test_entering_is_limited_by_address_and_addresses_are_stored_nowhere(
    app: Flask, study: str, caplog: pytest.LogCaptureFixture
) -> None:
    app.extensions["glimpse_entries"] = security.Limit(3)
    client = app.test_client()
    codes = [client.post(f"/study/{study}/enter", data={"consent": "yes"}).status_code for _ in range(4)]
    assert codes == [303, 303, 303, 429]
    refused = client.post(f"/study/{study}/enter", data={"consent": "yes"})
    assert refused.headers["Retry-After"] == "60"
    (line,) = caplog.messages  # not one for each refusal
    assert line.startswith("More than 3 people a minute enter from one address")
    assert "--trusted-proxies" in line
    assert "127.0.0.1" not in line
    other = client.post(f"/study/{study}/enter", data={"consent": "yes"}, environ_base={"REMOTE_ADDR": "203.0.113.9"})
    assert other.status_code == 303
    with app.extensions["glimpse"].read() as session:
        for table in inspect(session.get_bind()).get_table_names():
            for row in session.execute(text(f"SELECT * FROM {table}")):
                assert "203.0.113.9" not in str(row)


def test_the_limit_is_over_a_minute(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    limit, clock = security.Limit(2), iter((0, 1, 2, 59, 60.5, 61.5, 62))
    monkeypatch.setattr(security, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    assert [limit.allows("a") for _ in range(7)] == [
        True, True, False, False, True, True, False,
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded")  # what fork() says from Python 3.12 on
def test_no_one_is_refused_because_two_processes_count_at_the_same_instant(kind: str) -> None:
    limit = security.Limit(10**5)
    children = []
    for _ in range(2):
        if (child := os.fork()) == 0:
            os._exit(not all(limit.allows("a") for _ in range(400)))
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]


@pytest.mark.parametrize(("proxies", "entered"), [(0, [303, 429]), (1, [303, 303]), (2, [303, 429])])
def test_forwarded_addresses_are_believed_as_far_as_proxies_are_trusted(
    make_app: Any, study: str, proxies: int, entered: list[int]
) -> None:
    """Two people behind one proxy: entries that they forge, left of the one that the proxy adds, are ignored."""
    client = make_app(TRUSTED_PROXIES=proxies, ENTER_PER_MINUTE=1).test_client()
    statuses = [
        client.post(
            f"/study/{study}/enter", data={"consent": "yes"}, headers={"X-Forwarded-For": f"10.9.9.9, {address}"}
        ).status_code
        for address in ("198.51.100.1", "198.51.100.2")
    ]
    assert statuses == entered


@pytest.mark.parametrize("ports", [("203.0.113.7:41", "203.0.113.7:42"), ("[2001:db8::1]:41", "2001:db8::1")])
def test_a_port_behind_a_forwarded_address_makes_no_other_address_of_it(
    make_app: Any, study: str, ports: tuple[str, str]
) -> None:
    client = make_app(TRUSTED_PROXIES=1, ENTER_PER_MINUTE=1).test_client()
    statuses = [
        client.post(f"/study/{study}/enter", data={"consent": "yes"}, headers={"X-Forwarded-For": one}).status_code
        for one in (*ports, "2001:db8::2")
    ]
    assert statuses == [303, 429, 303]


def test_neither_host_nor_scheme_of_our_addresses_can_be_forged_past_a_proxy(make_app: Any, study: str) -> None:
    client = make_app(TRUSTED_PROXIES=1, ADMIN_PASSWORD="open sesame").test_client()
    assert log_in(client) == 303
    forged = {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "javascript"}
    page = client.get("/admin/study/pilot/recruiting", headers=forged).text
    assert "http://localhost/study/pilot/" in page
    assert "evil" not in page
    assert "javascript:" not in page


def test_the_secret_key_is_made_once_for_the_owner_alone(app: Flask, workspace: Workspace, make_app: Any) -> None:
    path = workspace.root / "secret.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert make_app().secret_key == app.secret_key == path.read_bytes()
    assert len(path.read_bytes()) >= 32


def test_a_key_that_others_can_read_is_closed_and_a_short_one_refused(
    app: Flask, workspace: Workspace, make_app: Any
) -> None:
    path = workspace.root / "secret.key"
    path.chmod(0o644)
    assert make_app().secret_key == app.secret_key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"x" * 31)
    with pytest.raises(SurveyError, match="has 31 bytes, but needs 32: remove the file"):
        make_app()


def test_a_new_database_is_for_its_owner_alone(kind: str, workspace: Workspace) -> None:
    database = Database(workspace.database_url)
    with database.write() as session:
        session.execute(text("CREATE TABLE a (b INTEGER)"))
        for path in workspace.root.glob("study.db*"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
        assert len(list(workspace.root.glob("study.db*"))) == 3  # with its log, and the log's index
    database.engine.dispose()


def test_a_body_beyond_the_limit_is_refused(client: FlaskClient, study: str) -> None:
    base = enter(client, study)
    sent = json.dumps({**ANSWER, "view": "x" * 60_000})
    assert client.post(f"{base}/answer", data=sent + " " * 10_000).status_code == 413
    assert client.post(f"{base}/answer", data=sent).status_code == 200  # the same, but for its length
    assert client.post(f"{base}/comment", data={"comment": "x" * 100_000}).status_code == 413


def test_a_form_on_another_site_cannot_enter_its_visitors_into_a_study(client: FlaskClient, study: str) -> None:
    form = {"consent": "yes", "token": "a" * 24}
    statuses = [
        client.post(f"/study/{study}/enter", data=form, headers={"Sec-Fetch-Site": site}).status_code
        for site in ("cross-site", "same-origin")
    ]
    assert statuses == [403, 303]
    assert client.get(f"/study/{study}/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


ADDRESS = re.compile(r'(?:href|src|action|data-page|data-url|data-src)="(/[^"]*)"|"(?:base|image)": ?"(/[^"]*)"')


@pytest.mark.parametrize("strips", [True, False])
@pytest.mark.parametrize("by", ["header", "option"])
def test_every_address_on_every_page_is_below_the_proxys_path(study: str, make_app: Any, strips: bool, by: str) -> None:
    """nginx may take the path off before it passes a request on, or leave it there."""
    config = {"TRUSTED_PROXIES": 1} if by == "header" else {"PREFIX": "/lab/glimpse"}
    client = make_app(ADMIN_PASSWORD="open sesame", **config).test_client()
    headers = {"X-Forwarded-Prefix": "/lab/glimpse"} if by == "header" else {}

    def ask(path: str, **form: str) -> tuple[str, str]:
        assert path.startswith("/lab/glimpse/"), path
        passed_on = path.removeprefix("/lab/glimpse") if strips else path
        reply = client.open(passed_on, method="POST" if form else "GET", data=form or None, headers=headers)
        assert reply.status_code in (200, 303), (path, reply.status_code)
        body = reply.get_data(as_text=True)
        for found in ADDRESS.findall(body):
            assert "".join(found).startswith("/lab/glimpse/")
        return reply.headers.get("Location", ""), body

    first, _ = ask("/lab/glimpse/")
    ask(first)
    home, _ = ask(f"{first}enter", consent="yes")
    for stage in ("questions", "device"):
        ask(home)
        ask(f"{home}{stage}", sent="1")
    _, page = ask(home)
    assert '"base": "/lab/glimpse/p/' in page
    _, page = ask(f"{home}next")
    assert '"image":"/lab/glimpse/p/' in page
    if strips:  # the test client, unlike a browser, then keeps back the dashboard's cookie
        return
    login, _ = ask("/lab/glimpse/admin/")
    _, page = ask(login)
    token = re.search('name="token" value="([^"]+)"', page)
    assert token
    admitted, _ = ask("/lab/glimpse/admin/login", token=token[1], password="open sesame", next="/lab/glimpse/admin/")
    _, page = ask(admitted)
    assert "Log out" in page
    assert "/lab/glimpse/study/pilot/" in page


@pytest.mark.parametrize("prefix", ["//evil.example", "/a b", "javascript:alert(1)", "/a\\b", "/a?b"])
def test_an_invalid_path_is_not_believed(study: str, make_app: Any, prefix: str) -> None:
    reply = make_app(TRUSTED_PROXIES=1).test_client().get("/study/pilot/", headers={"X-Forwarded-Prefix": prefix})
    assert 'href="/static/survey.css"' in reply.get_data(as_text=True)
