"""Participants' rights: they can see, download and erase what is stored about them, and storage is limited in time."""

from __future__ import annotations

import json
import re
import time
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, text

from glimpse.workspace import Workspace
from study_app import cli, models
from study_app.database import Database
from study_app.orm import iso
from study_app.participant import withdrawal
from tests.study_app.conftest import load

# What a participant left in the tables, each time another word, so that none can hide.
LEFT = {
    "comment": "my-comment", "questionnaire": {"age": "my-age", "asked-in-their-own-words": "my-words"},
    "device": {"screen": "my-screen"}, "consent_version": "my-consent",
}  # fmt: skip
ANSWER = {"answer": "real", "exposure_ms": 2500, "response_time_ms": 3210.5, "dropped_frames": 0, "focus_lost": False}


@pytest.fixture
def person(client: FlaskClient, workspace: Workspace) -> models.Participant:
    """A participant from Prolific who has answered two trials, all questions and the comment."""
    home = client.post("/study/pilot/enter?PROLIFIC_PID=my-id&SESSION_ID=my-session", data={"consent": "yes"}).headers[
        "Location"
    ]
    for trial in (1, 2):
        client.get(f"{home}next")
        assert client.post(f"{home}answer", json={"trial": trial, **ANSWER}).status_code == 200
    with Database(workspace.database_url).write() as session:
        found = session.scalars(select(models.Participant)).one()
        for name, value in LEFT.items():
            setattr(found, name, value)
        session.flush()
        session.refresh(found)
        session.expunge(found)
    return found


def everything_stored(workspace: Workspace) -> str:
    """All rows of the tables that are about people, as one text."""
    with Database(workspace.database_url).read() as session:
        rows = [
            session.execute(text(f"SELECT * FROM {table}")).all()
            for table in ("participant", "trial", "external_identity")
        ]
    return repr(rows)


def words(person: models.Participant) -> list[str]:
    told = [
        "my-comment",
        "my-age",
        "my-words",
        "my-screen",
        "my-consent",
        "my-id",
        "my-session",
        "3210.5",
        person.public_id,
    ]
    return [*told, iso(person.entered_at)]


def test_a_withdrawal_by_the_persons_own_link_erases_everything_and_is_counted(
    client: FlaskClient, person: models.Participant, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert all(word in everything_stored(workspace) for word in words(person))
    page = client.get(f"/withdraw/{person.withdrawal_token}")
    assert page.status_code == 200
    assert all(word in everything_stored(workspace) for word in words(person))  # a look erases nothing
    assert client.post(f"/withdraw/{person.withdrawal_token}").status_code == 200
    stored = everything_stored(workspace)
    assert [word for word in words(person) if word in stored] == []
    assert cli.main(["status"]) == 0
    assert "1 withdrawn" in capsys.readouterr().out
    assert client.post(f"/withdraw/{person.withdrawal_token}").status_code == 200  # once more changes nothing
    assert client.get(f"/p/{person.token}/next").status_code == 410
    assert client.get(f"/withdraw/{person.withdrawal_token}/data.json").status_code == 404


def test_every_page_after_the_consent_has_the_link_to_withdraw(
    client: FlaskClient, study: str, workspace: Workspace
) -> None:
    load(
        workspace, "adults",
        'sets = [{ name = "alpha" }]\ntrials = { count = 2 }\n'
        '[[questions]]\nkey = "age"\ntext = "How old?"\noptions = ["young", "old"]\nscreen_out = ["young"]\n',
    )  # fmt: skip

    def links() -> list[str]:
        page = client.get(home).text
        assert page.count('id="continue"') == ('action="questions"' in page) + ('action="device"' in page)
        return re.findall(r'href="/withdraw/([^"]+)"', page)

    assert "/withdraw/" not in client.get("/study/adults/").text
    assert "/withdraw/" not in client.post("/study/adults/enter", data={"consent": "no"}).text
    home = client.post("/study/adults/enter", data={"consent": "yes"}).headers["Location"]
    (link,) = links()
    client.post(f"{home}questions", data={"age": "1"})
    assert links() == [link]
    client.post(f"{home}device", data={})
    for trial in (1, 2):
        assert links() == [link]
        client.post(f"{home}answer", json={"trial": trial, **ANSWER})
    assert links() == [link]  # the debrief's
    home = client.post("/study/adults/enter", data={"consent": "yes"}).headers["Location"]
    client.post(f"{home}questions", data={"age": "0"})  # screened out
    (link,) = links()
    assert client.post(f"/withdraw/{link}").status_code == 200
    assert links() == []


def test_the_link_of_the_study_does_not_withdraw_and_no_guess_does(
    client: FlaskClient, person: models.Participant
) -> None:
    for guess in (person.token, person.public_id, "x"):
        assert client.post(f"/withdraw/{guess}").status_code == 404


def test_a_person_takes_away_all_that_is_stored_about_them(
    client: FlaskClient, person: models.Participant, workspace: Workspace
) -> None:
    reply = client.get(f"/withdraw/{person.withdrawal_token}/data.json")
    assert reply.headers["Content-Disposition"].startswith("attachment")
    assert [word for word in words(person)[:-1] if word not in reply.text] == []
    assert person.token not in reply.text
    stored = reply.json
    assert stored is not None
    assert (stored["study_sha256"], stored["trials"][0]["begun"]) == (study_hash(workspace), 0)
    assert stored["trials"][0]["replaces"] is None


def study_hash(workspace: Workspace) -> str:
    with Database(workspace.database_url).read() as session:
        return str(session.execute(text("SELECT study_sha256 FROM participants")).scalar())


def test_which_images_they_were_is_given_when_all_is_answered(client: FlaskClient, person: models.Participant) -> None:
    def told() -> set[str]:
        data = client.get(f"/withdraw/{person.withdrawal_token}/data.json").json
        assert data is not None
        return {key for trial in data["trials"] for key in trial}

    assert not {"kind", "image"} & told()
    for trial in range(3, 13):
        client.post(f"/p/{person.token}/answer", json={"trial": trial, **ANSWER})
    assert {"kind", "image"} <= told()


def test_the_images_of_a_withdrawn_participant_are_free_for_others(
    client: FlaskClient, person: models.Participant, workspace: Workspace
) -> None:
    for shown in (12, 0):
        with Database(workspace.database_url).read() as session:
            assert session.execute(text("SELECT SUM(shown) FROM stimulus")).scalar() == shown
        client.post(f"/withdraw/{person.withdrawal_token}")


def test_the_images_of_people_who_gave_up_are_released_once_and_counted_again_if_they_return(
    client: FlaskClient, person: models.Participant, workspace: Workspace
) -> None:
    from study_app.experimenter.recruiting import free_places

    def shown() -> int | None:
        with Database(workspace.database_url).read() as session:
            return session.execute(text("SELECT SUM(shown) FROM stimulus")).scalar()

    other = client.post("/study/pilot/enter?PROLIFIC_PID=b", data={"consent": "yes"}).headers["Location"]
    assert shown() == 24
    with Database(workspace.database_url).write() as session:
        study = session.scalars(select(models.Study)).one()
        assert free_places(session, study, {"my-id": "returned", "b": "timed-out"}) == 2
    assert shown() == 0
    for page in ("questions", "device"):  # the way on is open to them
        client.post(f"{other}{page}")
    assert 'id="begin"' in client.get(other).text
    assert shown() == 12
    for trial in range(1, 13):
        client.post(f"{other}answer", json={"trial": trial, **ANSWER})
    assert shown() == 12
    with Database(workspace.database_url).write() as session:  # they finished, and then gave the task back
        assert free_places(session, session.scalars(select(models.Study)).one(), {"b": "returned"}) == 1
    assert shown() == 0
    client.post(f"{other}comment", data={"comment": "still here"})  # does not count as a return to the study
    client.post(f"/withdraw/{person.withdrawal_token}")
    assert shown() == 0


def test_images_that_people_who_left_did_not_see_are_released_once_and_counted_again_if_they_return(
    client: FlaskClient, person: models.Participant, workspace: Workspace
) -> None:
    """`person` has answered two of twelve trials; each who enters has twelve more."""

    def shown() -> int | None:
        with Database(workspace.database_url).read() as session:
            return session.execute(text("SELECT SUM(shown) FROM stimulus")).scalar()

    def four_more() -> None:  # so that each set gets one at least
        for _ in range(4):
            assert client.post("/study/pilot/enter", data={"consent": "yes"}).status_code == 303

    def leave() -> None:
        with Database(workspace.database_url).write() as session:
            session.get_one(models.Participant, person.id).last_seen_at -= timedelta(minutes=31)

    leave()
    four_more()
    four_more()
    assert shown() == 12 * 8 + 2
    client.post(f"/p/{person.token}/answer", json={"trial": 3, **ANSWER})
    assert shown() == 12 * 8 + 12
    leave()
    four_more()
    assert shown() == 12 * 12 + 3
    client.post(f"/withdraw/{person.withdrawal_token}")
    assert shown() == 12 * 12


@pytest.mark.parametrize("how", ["code", "external"])
def test_the_experimenter_shows_and_forgets_on_request(
    person: models.Participant, workspace: Workspace, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    who = [person.public_id] if how == "code" else ["--external-id", "my-id"]
    assert cli.main(["forget", *who, "--show"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["public_id"] == person.public_id
    assert cli.main(["forget", *who]) == 0
    stored = everything_stored(workspace)
    assert [word for word in words(person) if word in stored] == []
    assert cli.main(["forget", *who]) == 2


def test_when_the_retention_period_is_over_the_answers_stay_and_are_anonymous(
    client: FlaskClient, person: models.Participant, workspace: Workspace
) -> None:
    database = Database(workspace.database_url)
    for days, forgotten in ((179, 0), (181, 1), (200, 0)):
        with database.write() as session:
            assert withdrawal.forget(session, person.last_seen_at + timedelta(days=days)) == forgotten
    stored = everything_stored(workspace)
    assert "my-age" in stored
    for word in ("my-comment", "my-words", "my-id", "my-session", person.token, person.withdrawal_token):
        assert word not in stored
    assert "3210.5" in stored
    assert client.get(f"/withdraw/{person.withdrawal_token}").status_code == 404


def test_a_clock_that_jumps_erases_nothing_and_says_so(
    client: FlaskClient, person: models.Participant, workspace: Workspace, caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from study_app.retention import forget_now

    database, start = Database(workspace.database_url), models.now()

    def at(days: float) -> list[str]:
        """The log of the daily erasure on that day."""
        caplog.clear()
        monkeypatch.setattr(models, "now", lambda: start + timedelta(days=days))
        forget_now(database)
        return caplog.messages

    for _ in range(2):
        assert "200 days after retention periods were last checked" in at(200)[0]
        client.post(f"/p/{person.token}/answer", json={"trial": 3, **ANSWER})  # stores a moment in the wrong future
    assert "my-id" in everything_stored(workspace)
    assert cli.main(["forget", "--expired"]) == 2
    assert "--clock-is-right" in capsys.readouterr().err
    with database.write() as session:
        session.get_one(models.Participant, person.id).last_seen_at = start
    assert [at(day) for day in range(0, 181, 6)] == [[]] * 31  # the server runs for months, without a visitor
    assert at(181) == ["Retention: the links, IDs and comments of 1 participant were erased."]
    assert "my-id" not in everything_stored(workspace)
    monkeypatch.setattr(models, "now", lambda: start + timedelta(days=400))
    assert cli.main(["forget", "--expired", "--clock-is-right"]) == 0


@pytest.mark.parametrize("how", ["withdrawal", "forget", "retention"])
@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_erased_data_is_left_in_no_file(
    client: FlaskClient, person: models.Participant, workspace: Workspace, how: str
) -> None:
    def bytes_kept() -> bytes:
        return b"".join(path.read_bytes() for path in workspace.root.glob("study.db*"))

    words = (b"my-comment", b"my-id", b"my-session")
    assert all(word in bytes_kept() for word in words)
    if how == "withdrawal":
        assert client.post(f"/withdraw/{person.withdrawal_token}").status_code == 200
    elif how == "forget":
        assert cli.main(["forget", person.public_id]) == 0
    else:
        with Database(workspace.database_url).write() as session:
            assert withdrawal.forget(session, person.last_seen_at + timedelta(days=181)) == 1
    kept = bytes_kept()
    assert [word for word in words if word in kept] == []


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
def test_an_erasure_does_not_wait_for_readers_without_limit(
    client: FlaskClient, person: models.Participant, workspace: Workspace
) -> None:
    with Database(workspace.database_url).read() as session:
        session.execute(text("SELECT COUNT(*) FROM participant"))
        start = time.monotonic()
        assert client.post(f"/withdraw/{person.withdrawal_token}").status_code == 200
        assert time.monotonic() - start < 10
    assert cli.main(["forget", "--expired"]) == 0
    assert b"my-comment" not in b"".join(path.read_bytes() for path in workspace.root.glob("study.db*"))


@pytest.mark.parametrize("wrong", [[], ["p0", "--expired"], ["nobody"], ["--external-id", "nobody"]])
def test_forgetting_an_unknown_person_is_one_sentence(
    study: str, wrong: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["forget", *wrong]) == 2
    assert capsys.readouterr().err.count("\n") == 1
