"""No input brings the survey down: malformed requests to every address, on both databases."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from glimpse.workspace import Workspace
from study_app import models, security
from tests.study_app.conftest import load
from tests.study_app.experimenter.test_admin import log_in, token
from tests.study_app.participant.test_survey import ANSWER, enter, stored

ANYTHING = st.text(st.characters(), max_size=20)  # halves of surrogate pairs, too
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANYTHING,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANYTHING, inner, max_size=3),
    max_leaves=6,
)
FULL = {**ANSWER, "confidence": 2, "why": "its edges", "events": [[-420.5, "keydown", "KeyF"]], "view": "a"}
ASKING = 'sets = [{ name = "alpha" }]\nconfidence = true\nwhy = "text"\nanswer_ms = 5000\n[trials]\ncount = 2\n'
BODY = st.fixed_dictionaries({}, optional={key: st.just(value) | JSON for key, value in FULL.items()}) | JSON
TEXT = st.text(max_size=30)
FUZZ = settings(
    max_examples=60, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip


def fuzzed(
    many: int = 2500, **given_as: st.SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A test of 60 examples on SQLite, and beside it a slow one of `many` on each database: about 26,000 requests."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        long = settings(FUZZ, max_examples=many)(given(**given_as)(test))
        globals()[f"{test.__name__}_in_thousands"] = pytest.mark.slow(pytest.mark.timeout(3600)(long))
        return pytest.mark.parametrize("kind", ["sqlite"])(FUZZ(given(**given_as)(test)))

    return decorate


@pytest.fixture
def asking(study: str, workspace: Workspace) -> str:
    """A study that asks for more than an answer."""
    return load(workspace, "asking", ASKING)


@fuzzed(path=st.sampled_from(["answer", "begin", "practice/done"]), body=BODY | st.binary(max_size=60))
def test_no_json_brings_the_survey_down(app: Flask, client: FlaskClient, asking: str, path: str, body: Any) -> None:
    app.extensions["glimpse_entries"] = security.Limit(10**5)
    base = enter(client, asking)
    sent = {"data": body} if isinstance(body, bytes) else {"json": body}
    assert client.post(f"{base}/{path}", **sent).status_code in (200, 409, 413, 422)


@pytest.mark.parametrize("why", ["\ud83d", "an emoji cut in half \ud83d", "a null \0 character", "\ude00\ud83d"])
def test_words_that_no_database_takes_are_stored_without_them(
    app: Flask, client: FlaskClient, asking: str, why: str
) -> None:
    base = enter(client, asking)
    assert client.post(f"{base}/answer", json={**FULL, "why": why}).status_code == 200
    kept = "".join(character for character in why if character not in "\0\ud83d\ude00").strip()
    assert [row["why"] for row in stored(app)] == [kept or None]


@fuzzed(
    path=st.sampled_from(["questions", "device", "comment", "/study/pilot/enter", "/study/x/enter"]),
    form=st.dictionaries(st.sampled_from(["consent", "age", "vision", "width", "comment", "lang"]) | TEXT, TEXT),
    query=st.dictionaries(st.sampled_from(["lang", "PROLIFIC_PID", "workerId", "assignmentId", "id"]) | TEXT, TEXT),
)  # fmt: skip
def test_no_form_brings_the_survey_down(
    client: FlaskClient, study: str, path: str, form: dict[str, str], query: dict[str, str]
) -> None:
    address = path if path.startswith("/") else f"{_participant(client, study)}/{path}"
    assert client.post(address, data=form, query_string=query).status_code < 500
    assert client.get("/study/pilot/", query_string=query).status_code < 500


@fuzzed(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"]),
    parts=st.lists(st.sampled_from(["p", "study", "pilot", "TOKEN", "next", "image", "practice", "answer", ""]) | TEXT),
)
def test_no_address_brings_the_survey_down(client: FlaskClient, study: str, method: str, parts: list[str]) -> None:
    token = _participant(client, study).rsplit("/", 1)[1]
    path = "/" + "/".join(token if part == "TOKEN" else part for part in parts).lstrip("/")  # `//x` would be a host
    assert client.open(quote(path), method=method).status_code < 500  # quoted: the client takes `/<tab>/x` for one, too


NUMBER = st.integers().map(str) | st.sampled_from(["9" * 5000, "1e999", "nan", "-0", "½", "٣"])
ADMIN = (
    "", "study/pilot/", "study/pilot/live", "study/pilot/state", "study/pilot/quota", "study/pilot/download.zip",
    "study/pilot/images", "study/pilot/participants", "study/pilot/recruiting",
    "study/pilot/comments", "study/pilot/log", "study/pilot/delete-pilot", "image/1.png", "participant/WHO",
    "participant/WHO/data.json", "participant/WHO/reject", "participant/nobody/erase", "login",
)  # fmt: skip
ASKED = (
    "page", "simulated", "pilot", "external_ids", "events", "log", "next", "state", "quota-alpha", "do", "count", "ids",
    "password", "q", "name", "confirm", "undo",
)  # fmt: skip
SAID = st.sampled_from(["open", "links", "1", "pilot", "alpha", "/admin/\\x", "Participant id,Status"])
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(ASKED, NUMBER | TEXT | SAID))


@fuzzed(
    many=700, known=st.lists(st.sampled_from(ADMIN), min_size=4, max_size=4, unique=True),
    parts=st.lists(st.sampled_from(["study", "pilot", "image", "participant"]) | TEXT | NUMBER, max_size=4),
    fields=FIELDS, file=st.none() | st.binary(max_size=60),
)  # fmt: skip
def test_nothing_brings_the_dashboard_down(
    app: Flask, client: FlaskClient, study: str, known: list[str], parts: list[str], fields: dict[str, str],
    file: bytes | None,
) -> None:  # fmt: skip
    """With and without a login: four of its addresses in each example, and one that may not be there."""
    app.extensions["glimpse_tries"] = (security.Limit(10**5), security.Limit(10**5))
    if not hasattr(client, "glimpse_form"):
        assert log_in(client) == 303
        client.glimpse_form = {"token": token(client, "/admin/")}  # type: ignore[attr-defined]
    person = _participant(client, study)
    with app.extensions["glimpse"].read() as session:
        who = session.scalar(select(models.Participant.public_id).where(models.Participant.token == person[3:]))
    for asker in (client, app.test_client()):
        for path in (*known, "/".join(parts).split("?")[0]):
            address = f"/admin/{path.replace('WHO', str(who))}"
            uploaded = {} if file is None else {"file": (io.BytesIO(file), "export.csv")}
            form = {**fields, **uploaded, **client.glimpse_form}  # type: ignore[attr-defined]
            assert asker.get(address, query_string=fields).status_code < 500
            assert asker.post(address, query_string=fields, data=form).status_code < 500


@fuzzed(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]), query=FIELDS,
    parts=st.lists(st.sampled_from(["MINE", "data.json", ""]) | TEXT, max_size=3),
)  # fmt: skip
def test_nothing_brings_the_withdrawal_down(
    app: Flask, client: FlaskClient, study: str, method: str, query: dict[str, str], parts: list[str]
) -> None:
    person = _participant(client, study)
    with app.extensions["glimpse"].read() as session:
        mine = session.scalar(select(models.Participant.withdrawal_token).where(models.Participant.token == person[3:]))
    path = "/".join(str(mine) if part == "MINE" else part for part in parts).split("?")[0]
    assert client.open(f"/withdraw/{path}", method=method, query_string=query, data=query).status_code < 500


def _participant(client: FlaskClient, study: str) -> str:
    """One participant for all examples of a test: they are many, and entering is limited."""
    if not hasattr(client, "glimpse_base"):
        client.glimpse_base = enter(client, study)  # type: ignore[attr-defined]
    return str(client.glimpse_base)  # type: ignore[attr-defined]
