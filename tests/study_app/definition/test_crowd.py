"""Crowd platforms: return addresses by outcome, places given up, and links that can be typed from paper."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text

from glimpse.workspace import Workspace
from study_app.database import Database, SurveyError
from study_app.definition import crowd
from study_app.definition.study import Completion
from tests.study_app.conftest import load, publish

ANSWER = {"answer": "real", "exposure_ms": 2400, "response_time_ms": 900, "dropped_frames": 0, "focus_lost": False}
PROLIFIC = Completion("https://app.prolific.com/submissions/complete?cc={code}", "DONE", "SCREENED", "NO")


@pytest.mark.parametrize(
    ("outcome", "completion", "url"),
    [
        ("finished", PROLIFIC, "https://app.prolific.com/submissions/complete?cc=DONE"),
        ("screened-out", PROLIFIC, "https://app.prolific.com/submissions/complete?cc=SCREENED"),
        ("no-consent", PROLIFIC, "https://app.prolific.com/submissions/complete?cc=NO"),
        ("withdrawn", PROLIFIC, ""),
        ("finished", Completion("https://x.org/?cc={code}"), ""),
        ("finished", Completion("https://x.org/thanks"), "https://x.org/thanks"),
        ("no-consent", Completion("https://x.org/thanks", "DONE"), ""),  # it would count as finished there
        ("screened-out", Completion("https://x.org/thanks?cc=DONE", "DONE", "OUT", "NO"), ""),
        ("no-consent", Completion("https://x.org/thanks?cc=DONE", "DONE", "OUT", "NO"), ""),
        ("finished", Completion("https://x.org/{code}", "a b/&c"), "https://x.org/a%20b%2F%26c"),
        ("full", Completion("https://x.org/{code}", "DONE", full_code="FULL"), "https://x.org/FULL"),
        ("paused", Completion("https://x.org/{code}", "DONE", full_code="FULL"), ""),
        ("attention", Completion("https://x.org/{code}", "DONE", failed_attention_code="LATE"), "https://x.org/LATE"),
        ("attention", Completion("https://x.org/{code}", "DONE"), "https://x.org/DONE"),
        (
            "finished",
            Completion("https://x.org/?cc={code}&pid={PROLIFIC_PID}", "A"),
            "",
        ),  # they did not come from there
    ],
)
def test_each_outcome_has_its_own_return_address_or_none(outcome: str, completion: Completion, url: str) -> None:
    assert crowd.return_address(outcome, completion) == url


def test_an_export_or_a_list_names_the_people_who_gave_up() -> None:
    prolific = '\ufeffSubmission id,Participant id,Status\n1,aa,APPROVED\n2,bb,RETURNED\n3,"cc",TIMED-OUT\n4,dd,\n'
    assert crowd.freed_places(prolific) == {"bb": "returned", "cc": "timed-out"}
    assert crowd.freed_places("WorkerId,AssignmentStatus\nW1,Submitted\nW2,Abandoned\n") == {"W2": "timed-out"}
    states = "Participant id,Status\naa,REJECTED\nbb,SCREENED OUT\ncc,Approved\n"
    assert crowd.freed_places(states) == {"aa": "rejected", "bb": "screened-out"}
    assert crowd.freed_places("aa\n bb \n\n") == {"aa": "returned", "bb": "returned"}
    assert crowd.freed_places("") == {}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_an_export_is_read_as_spreadsheets_save_it(delimiter: str, encoding: str) -> None:
    lines = ["Submission id,Participant id,Status", "1,aa,APPROVED", '2,"bb",RETURNED', "3,cc", ""]
    data = "\r\n".join(lines).replace(",", delimiter).encode(encoding)
    assert crowd.freed_places(crowd.text_of(data)) == {"bb": "returned"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Submission id,Participant id\n1,aa\n", "AssignmentStatus"),
        ("Status;When\nRETURNED;now\n", "Participant id"),
        ("x" * 300_000, "too long"),
        ('Participant id,Status\n"aa,RETURNED\n' + "bb,RETURNED\n" * 20_000, "quotation mark"),
    ],
)
def test_a_text_that_is_neither_export_nor_list_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(SurveyError, match=said):
        crowd.freed_places(text)


def test_codes_have_no_confusable_characters_and_never_repeat() -> None:
    codes = crowd.new_codes(500)
    assert len(set(codes)) == 500
    assert not set("".join(codes)) & set("01iloILO")
    assert crowd.is_signed(crowd.signed_code(codes[0], b"key"), b"key")
    for forged in (
        codes[0],
        crowd.signed_code(codes[0], b"other key"),
        codes[1] + crowd.signed_code(codes[0], b"key")[14:],
        "",
    ):
        assert not crowd.is_signed(forged, b"key")
    assert crowd.personal_link("https://x.org/", "pilot", "ab-cd") == "https://x.org/study/pilot/?id=ab-cd"


def test_a_preview_on_mturk_does_not_start_the_study(client: FlaskClient, workspace: Workspace) -> None:
    query = "workerId=W1&assignmentId=ASSIGNMENT_ID_NOT_AVAILABLE&hitId=H"
    page = client.get(f"/study/pilot/?{query}")
    assert page.status_code == 200
    assert 'id="continue"' not in page.text
    assert client.post(f"/study/pilot/enter?{query}", data={"consent": "yes"}).status_code == 403
    with Database(workspace.database_url).read() as session:
        assert session.execute(text("SELECT COUNT(*) FROM participant")).scalar() == 0


@pytest.mark.parametrize(
    ("query", "who"),
    [
        ({"workerId": " W9 ", "hitId": "H\n"}, ("mturk", "W9", {"hitId": "H"})),
        ({"PROLIFIC_PID": "{{%PROLIFIC_PID%}}", "STUDY_ID": "{{%STUDY_ID%}}"}, None),
        ({"workerId": "${workerId}", "assignmentId": "${assignmentId}"}, None),
        ({"PROLIFIC_PID": " "}, None),
        ({"id": "%SURVEY_CODE%"}, None),
        ({"participantId": "[[participantId]]"}, None),
        ({"id": "727"}, ("id", "727", {})),
        ({"PROLIFIC_PID": "aa", "SESSION_ID": "{{%SESSION_ID%}}"}, ("prolific", "aa", {})),
    ],
)
def test_an_id_is_what_the_platform_filled_in_without_blanks(
    query: dict[str, str], who: tuple[str, str, dict[str, str]] | None
) -> None:
    assert crowd.platform_identity(query) == who


@pytest.mark.parametrize(
    "query",
    [
        "PROLIFIC_PID=aa&STUDY_ID=s&SESSION_ID=t",
        "workerId=aa&assignmentId=s&hitId=t",
        "id=aa",
        "participantId=aa&projectId=t",
    ],
)
def test_a_person_enters_once_and_their_id_stays_apart_from_the_answers(
    client: FlaskClient, workspace: Workspace, query: str
) -> None:
    replies = [client.post(f"/study/pilot/enter?{query}", data={"consent": "yes"}) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [303, 403, 403]
    with Database(workspace.database_url).read() as session:
        assert session.execute(text("SELECT person FROM external_identity")).scalars().all() == ["aa"]
        for view in ("responses", "participants"):
            columns = session.execute(text(f"SELECT * FROM {view}")).keys()
            assert not {"person", "platform", "details", "token"} & set(columns)


def test_an_id_is_not_a_password(client: FlaskClient, app: Flask, study: str) -> None:
    """A person who knows another's platform ID sees the same as a stranger, not the other's page or data."""
    victim = "PROLIFIC_PID=5f0victim"
    home = client.post(f"/study/{study}/enter?{victim}", data={"consent": "yes"}).headers["Location"]
    with app.extensions["glimpse"].read() as session:
        secret = session.scalar(text("SELECT withdrawal_token FROM participant"))
    for reply in (
        client.get(f"/study/{study}/?{victim}"),
        client.get(f"/?{victim}", follow_redirects=True),
        client.post(f"/study/{study}/enter?{victim}", data={"consent": "yes"}),
        client.post(f"/study/{study}/enter?{victim}", data={"consent": "yes", "token": "t" * 24}),
    ):
        assert "Location" not in reply.headers
        assert home.split("/")[2] not in reply.text
        assert str(secret) not in reply.text
    pages = [client.get(f"/study/{study}/?PROLIFIC_PID={person}").text for person in ("5f0victim", "5f0nobody")]
    known, unknown = (re.sub('name="token" value="[^"]*"|5f0\\w+', "", page) for page in pages)
    assert known == unknown  # nor does the page say who takes part


@pytest.mark.parametrize("kind", ["sqlite"])
def test_only_signed_links_enter_by_invitation(workspace: Workspace, client: FlaskClient, app: Flask) -> None:
    study = 'invited_only = true\ncontact = "we@example.org"\nsets = [{ name = "alpha" }]\n[trials]\ncount = 4\n'
    load(workspace, "few", study)
    with app.app_context():
        keys = {slug: crowd.link_key(slug) for slug in ("few", "pilot")}
    code = crowd.new_codes(1)[0]
    good, other_study = crowd.signed_code(code, keys["few"]), crowd.signed_code(code, keys["pilot"])
    for query in ("", "?id=foo", f"?id={code}", f"?id={other_study}", "?PROLIFIC_PID=a"):
        refused = client.get(f"/study/few/{query}")
        assert (refused.status_code, "Questions? Write to we@example.org." in refused.text) == (403, True)
        assert client.post(f"/study/few/enter{query}", data={"consent": "yes"}).status_code == 403
    home = client.post(f"/study/few/enter?id={good}", data={"consent": "yes"}).headers["Location"]
    assert client.get(f"/study/few/?id={good}").headers["Location"] == home  # in any browser
    with app.extensions["glimpse"].read() as session:
        assert session.execute(text("SELECT platform, person FROM external_identity")).all() == [("link", good)]


def test_each_code_is_shown_for_its_outcome_alone_and_only_when_all_is_saved(
    workspace: Workspace, database_url: str, make_app: Callable[..., Flask]
) -> None:
    publish(workspace, "alpha")
    load(
        workspace, "paid",
        'sets = [{ name = "alpha" }]\ntrials = { count = 2 }\n'
        '[completion]\nurl = "https://x.org/?cc={code}"\n'
        'code = "DONE1"\nscreened_out_code = "OUT2"\nno_consent_code = "NO3"\n'
        '[[questions]]\nkey = "age"\ntext = "How old?"\noptions = ["young", "old"]\nscreen_out = ["young"]\n',
    )  # fmt: skip
    client = make_app().test_client()

    def codes(page: str) -> set[str]:
        return set(re.findall(r"https://x\.org/\?cc=(\w+)", page))

    assert codes(client.post("/study/paid/enter", data={"consent": "no"}).text) == {"NO3"}
    home = client.post("/study/paid/enter", data={"consent": "yes"}).headers["Location"]
    client.post(f"{home}questions", data={"age": "0"})
    assert codes(client.get(home).text) == {"OUT2"}
    home = client.post("/study/paid/enter", data={"consent": "yes"}).headers["Location"]
    client.post(f"{home}questions", data={"age": "1"})
    client.post(f"{home}device", data={})
    for trial in (1, 2):
        assert not {"DONE1", "OUT2", "NO3"} & set(re.findall(r"\w+", client.get(home).text))
        client.post(f"{home}answer", json={"trial": trial, **ANSWER})
    assert codes(client.get(home).text) == {"DONE1"}


@pytest.mark.parametrize("kind", ["sqlite"])
def test_parameters_of_the_platform_are_filled_into_the_return_address(
    workspace: Workspace, client: FlaskClient
) -> None:
    load(
        workspace, "sona",
        'sets = [{ name = "alpha", quota = 1 }]\ntrials = { count = 2 }\n[completion]\nfull_code = "FULL"\n'
        'code = "OK"\nno_consent_code = "NO"\nurl = "https://x.org/webstudy?experiment_id=727&survey_code={id}&cc={code}"\n',
    )  # fmt: skip
    query = "id=4%2F%C3%A4"
    for form, code in (({"consent": "no"}, "NO"), ({"consent": "yes"}, "OK")):
        page = client.post(f"/study/sona/enter?{query}", data=form)
        if page.status_code == 303:
            home = page.headers["Location"]
            for trial in (1, 2):
                client.get(client.get(f"{home}next").get_json()["image"])
                client.post(f"{home}answer", json={"trial": trial, **ANSWER})
            page = client.get(home)
        assert f"survey_code=4%2F%C3%A4&amp;cc={code}" in page.text
    assert "survey_code=5&amp;cc=FULL" in client.get("/study/sona/?id=5").text


@pytest.mark.parametrize("url", ["https://x.org/?a={nope}", "https://x.org/?a={PROLIFIC_PID", "https://x.org/?a={}"])
def test_an_unknown_placeholder_in_the_return_address_is_refused(url: str) -> None:
    from study_app.definition.study_toml import parse_study

    with pytest.raises(SurveyError, match=r"`completion\.url` holds the unknown placeholder .*; known are .*{id}"):
        parse_study({"slug": "x", "sets": [{"name": "a"}], "completion": {"url": url, "code": "A"}})
