"""Prolific's signed links: the tokens that prove an ID, and what their bearer may do."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask import Flask
from flask.testing import FlaskClient

from glimpse.workspace import Workspace
from study_app.database import SurveyError
from study_app.definition import prolific
from study_app.definition.study_toml import parse_study
from tests.study_app.conftest import load

PROLIFICS, ANOTHERS = (rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(2))
IDS = {"PROLIFIC_PID": "5f0person", "STUDY_ID": "5f0study", "SESSION_ID": "5f0session"}
SIGNED = {"workspace_id": "5f0lab", **IDS}
OURS = '[prolific]\ndomain = "survey.example.org"\nworkspace = "5f0lab"\nkeys = "jwks.json"\n'
Address = Callable[..., str]


def token(key: Any = PROLIFICS, *, kid: str = "one", algorithm: str = "RS256", **claims: Any) -> str:
    standard = {"exp": time.time() + 60, "aud": "https://survey.example.org/study/few/", "prolific": SIGNED}
    claims = {name: value for name, value in {**standard, **claims}.items() if value is not None}
    return jwt.encode(claims, key, algorithm, headers={"kid": kid})


@pytest.fixture
def address(workspace: Workspace, app: Flask) -> Address:
    """The path of a study that verifies Prolific's links, with this token and these IDs in its query."""
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(PROLIFICS.public_key()))
    keys = workspace.root / "jwks.json"
    keys.write_text(json.dumps({"keys": [{**key, "kid": "one", "alg": "RS256", "use": "sig"}]}))
    prolific.keys_at(str(keys)).__init__(str(keys))  # type: ignore[misc]  # as at the start of a server
    load(workspace, "few", f'sets = [{{ name = "alpha" }}]\n{OURS.replace("jwks.json", str(keys))}')
    return lambda given, path="": f"/study/few/{path}?prolific_token={given}"


def enter(client: FlaskClient, url: str) -> Any:
    """The consent form of this address, sent."""
    page = client.get(url)
    form = dict(re.findall(r'name="(token|proof)" value="([^"]+)"', page.text))
    return client.post(url.replace("/?", "/enter?"), data={"consent": "yes", **form})


@pytest.mark.parametrize("kind", ["sqlite"])
def test_an_id_that_prolific_did_not_sign_for_this_study_is_refused(client: FlaskClient, address: Address) -> None:
    for bad in (
        token(ANOTHERS),
        token(kid="two"),
        token("5" * 32, algorithm="HS256"),
        token(None, algorithm="none"),
        token(exp=time.time() - 1),
        token(exp=None),
        token(aud="https://other.example.org/study/few/"),
        token(aud="https://survey.example.org.evil.org/"),
        token(aud=None),
        token(prolific=SIGNED | {"workspace_id": "5f0other"}),  # who may sign any ID for a study of their own
        token(prolific=IDS),
        token(prolific=None),
        token() + "&PROLIFIC_PID=5f0victim",
        token()[:-9] + "AAAAAAAAA",
        "not.a.token",
        "&PROLIFIC_PID=5f0person",
    ):
        page = client.get(address(bad))
        assert page.status_code == 403, bad
        assert "open the study from the platform again" in page.text
        assert client.post(address(bad, "enter"), data={"consent": "yes"}).status_code == 403


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_signed_id_enters_once_and_returns_in_any_browser(app: Flask, address: Address) -> None:
    first, other = app.test_client(), app.test_client()
    home = enter(first, address(token())).headers["Location"]
    for claims in ({}, {"aud": "survey.example.org"}, {"aud": ["https://survey.example.org"]}):
        again = other.get(address(token(**claims)) + "&PROLIFIC_PID=5f0person")
        assert again.headers["Location"] == home
    someone = enter(other, address(token(prolific=SIGNED | {"PROLIFIC_PID": "5f0other"}))).headers["Location"]
    assert someone != home
    old = other.get(address(token(exp=time.time() - 1)))
    assert old.status_code == 403  # a link that was found later
    assert home not in old.text


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_server_without_pyjwt_refuses_the_link_and_says_what_to_install(
    client: FlaskClient, address: Address, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    url = address(token())
    monkeypatch.setitem(sys.modules, "jwt", None)
    assert client.get(url).status_code == 403
    assert "pip install 'glimpse-study[prolific]'" in caplog.text


@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_consent_may_be_read_for_longer_than_the_token_is_valid(
    client: FlaskClient, address: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = address(token())
    form = dict(re.findall(r'name="(token|proof)" value="([^"]+)"', client.get(url).text))
    monkeypatch.setattr(prolific, "proven", lambda *_: None)  # as after an hour
    send = url.replace("/?", "/enter?")
    assert client.post(send, data={"consent": "yes", **form, "token": "A" * 24}).status_code == 403
    assert client.post(send.replace("prolific_token=ey", "prolific_token=eY"), data=form).status_code == 403
    assert client.post(send, data={"consent": "yes", **form}).status_code == 303


def test_keys_are_read_again_for_a_new_one_but_not_for_every_token(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(PROLIFICS.public_key()))
    file, now = tmp_path / "jwks.json", [1000.0]
    monkeypatch.setattr(prolific.time, "monotonic", lambda: now[0])
    keys = prolific.Keys(str(file))
    assert keys.find("one") is None  # no file yet
    file.write_text(json.dumps({"keys": [{**key, "kid": "one"}]}))
    assert keys.find("one") is None
    now[0] += prolific.AGAIN_S + 1
    assert keys.find("one") is not None
    file.write_text("{")
    now[0] += prolific.DAY_S + 1
    assert keys.find("one") is not None  # the old ones, until the new ones can be read


@pytest.mark.parametrize(
    ("toml", "named"),
    [
        ('workspace = "a"', "prolific.domain"),
        ('domain = "a.org"', "prolific.workspace"),
        ('domain = "https://a.org"\nworkspace = "a"', "prolific.domain"),
        ('domain = "a.org"\nworkspace = "a"\nkeys = "http://b.org/"', "https://"),
        ('domain = "a.org"\nworkspace = "a"\nkeys = "none.json"', "there is no file"),
        ('domain = "a.org"\nworkspaces = "a"', "workspaces"),
    ],
)
def test_what_is_verified_must_be_said_in_full(toml: str, named: str) -> None:
    import tomllib

    with pytest.raises(SurveyError, match=re.escape(named)):
        parse_study(tomllib.loads(f'slug = "a"\nsets = [{{ name = "a" }}]\n[prolific]\n{toml}\n'))
