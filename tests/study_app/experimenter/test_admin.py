"""The dashboard: closed to others, right in its counts, and able to open, pause, and close a study."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from glimpse.observers import LEAST_JUDGEMENTS
from glimpse.workspace import Workspace
from study_app import cli, models
from study_app.definition.study import StudyFile
from study_app.experimenter.funnel import funnel
from tests.study_app.conftest import load

PAGES = ("", "study/pilot/", "study/pilot/live", "study/pilot/comments",
         "study/pilot/log", "study/pilot/images", "study/pilot/participants",
         "study/pilot/recruiting", "study/pilot/download.zip", "image/1.png", "participant/p1",
         "participant/p1/data.json")  # fmt: skip
FORMS = (
    "study/pilot/delete-pilot",
    "study/pilot/state",
    "study/pilot/quota",
    "study/pilot/recruiting",
    "participant/p1/erase",
    "logout",
)


FORM = "application/x-www-form-urlencoded"


def token(client: FlaskClient, page: str = "/admin/login") -> str:
    found = re.search(r'name="token" value="([^"]+)"', client.get(page).text)
    assert found
    return found[1]


def log_in(client: FlaskClient, password: str = "open sesame") -> int:
    form = {"password": password, "token": token(client), "next": "/admin/study/pilot/"}
    return client.post("/admin/login", data=form).status_code


@pytest.fixture
def admin(client: FlaskClient) -> FlaskClient:
    assert log_in(client) == 303
    return client


def post(admin: FlaskClient, page: str, **form: str) -> int:
    return admin.post(f"/admin/{page}", data={**form, "token": token(admin, "/admin/")}).status_code


# ------------------------------------------------------------------------------------------------ closed to others


def test_no_page_is_shown_and_no_form_taken_without_the_password(client: FlaskClient) -> None:
    for page in PAGES:
        reply = client.get(f"/admin/{page}")
        assert (reply.status_code, reply.headers["Location"].split("?")[0]) == (303, "/admin/login"), page
    for page in FORMS:
        assert client.post(f"/admin/{page}", data={"state": "closed"}).status_code in (400, 401), page


def test_a_form_without_its_token_does_nothing(admin: FlaskClient) -> None:
    for page in FORMS:
        assert admin.post(f"/admin/{page}", data={"state": "closed", "token": "forged"}).status_code == 400, page
    assert 'class="open" aria-pressed="true"' in admin.get("/admin/").text


def test_without_a_password_there_is_no_dashboard(
    study: str, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLIMPSE_ADMIN_PASSWORD", raising=False)
    assert make_app().test_client().get("/admin/").status_code == 404
    monkeypatch.setenv("GLIMPSE_ADMIN_PASSWORD", "from the environment")
    client = make_app().test_client()
    assert client.get("/admin/").status_code == 303
    assert log_in(client, "from the environment") == 303


def test_passwords_cannot_be_tried_for_long(client: FlaskClient) -> None:
    assert [log_in(client, f"guess {i}") for i in range(7)] == [403] * 5 + [429] * 2
    assert log_in(client) == 429  # not even the right one


def test_wrong_passwords_of_others_do_not_lock_the_owner_out(admin: FlaskClient, app: Flask) -> None:
    """Also from the same address, as behind a proxy, because the owner's browser has logged in before."""
    admin.post("/admin/logout", data={"token": token(admin, "/admin/")})
    others = app.test_client()
    for _ in range(40):  # forms without their token count for nothing
        assert others.post("/admin/login", data={"password": "x"}).status_code == 400
    assert [log_in(others, "guess") for _ in range(7)] == [403] * 4 + [429] * 3  # the owner's own was the first try
    others.set_cookie("glimpse-browser", "0123456789abcdef.forged", path="/admin/login")
    assert log_in(others) == 429
    assert log_in(admin) == 303
    assert admin.get("/admin/").status_code == 200


def test_logging_out_ends_the_session_on_the_server(admin: FlaskClient, app: Flask) -> None:
    cookie = admin.get_cookie("glimpse", path="/admin")
    assert cookie is not None
    thief = app.test_client()
    thief.set_cookie("glimpse", cookie.value, path="/admin")
    assert thief.get("/admin/").status_code == 200
    admin.post("/admin/logout", data={"token": token(admin, "/admin/")})
    assert thief.get("/admin/").status_code == 303


def test_the_cookie_is_kept_from_scripts_and_from_other_sites(client: FlaskClient) -> None:
    cookie = client.get("/admin/login").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/admin" in cookie
    assert "Secure" not in cookie
    client = client.application.test_client()
    assert "Secure" in client.get("/admin/login", base_url="https://localhost").headers["Set-Cookie"]


def test_another_password_ends_all_sessions(admin: FlaskClient, study: str, make_app: Callable[..., Flask]) -> None:
    cookie = admin.get_cookie("glimpse", path="/admin")
    assert cookie is not None
    for password, admitted in (("open sesame", 200), ("another", 303)):
        client = make_app(ADMIN_PASSWORD=password).test_client()
        client.set_cookie("glimpse", cookie.value, path="/admin")
        assert client.get("/admin/").status_code == admitted


def test_nothing_inline_and_nothing_from_elsewhere(admin: FlaskClient) -> None:
    for page in ("", "study/pilot/images", "study/pilot/participants", "study/pilot/recruiting"):
        reply = admin.get(f"/admin/{page}")
        assert "unsafe" not in reply.headers["Content-Security-Policy"]
        assert reply.headers["Referrer-Policy"] == "same-origin"
        assert not re.search(r"style=|<style|onclick|<script>|(src|href)=\"(https?:)?//(?!localhost)", reply.text)


def test_the_login_leads_only_to_the_dashboard(client: FlaskClient) -> None:
    for onward in ("https://elsewhere.org/", "//elsewhere.org", "/admin/\\elsewhere.org", "/p/x/"):
        form = {"password": "open sesame", "token": token(client), "next": onward}
        assert client.post("/admin/login", data=form).headers["Location"] == "/admin/"
        client.post("/admin/logout", data={"token": token(client, "/admin/")})


# ------------------------------------------------------------------------------------------------ what it shows


def test_it_counts_participants_and_how_far_they_got(admin: FlaskClient) -> None:
    for _ in range(3):
        admin.post("/study/pilot/enter", data={"consent": "yes"})
    admin.post("/study/pilot/enter", data={"consent": "no"})
    page = admin.get("/admin/study/pilot/live").text
    assert re.search(r'Started</span><span class="number">3<', page)
    assert re.search(r'Active now</span><span class="number active">3<', page)
    assert "1 did not consent" in page


def test_people_and_simulated_participants_are_shown_apart(admin: FlaskClient) -> None:
    assert cli.main(["simulate", "--participants", "4", "--sensitivity", "3", "--spread", "0"]) == 0
    assert re.search(r'Finished</span><span class="number">0<', admin.get("/admin/study/pilot/live").text)
    page = admin.get("/admin/study/pilot/live?simulated=1").text
    assert re.search(r'Finished</span><span class="number">4<', page)
    assert page.count('class="quartiles"') == 2
    assert page.count('class="dot"') == 4
    assert "Simulated participants: no person gave these answers." in admin.get("/admin/study/pilot/?simulated=1").text


def test_one_participant_is_shown_trial_by_trial(admin: FlaskClient) -> None:
    assert cli.main(["simulate", "--participants", "1"]) == 0
    found = re.search(r"/admin/participant/(p[0-9a-f]+)", admin.get("/admin/study/pilot/participants?simulated=1").text)
    assert found
    page = admin.get(f"/admin/participant/{found[1]}").text
    assert page.count("<meter") == 12
    stored = admin.get(f"/admin/participant/{found[1]}/data.json").json
    assert stored["public_id"] == found[1]
    assert len(stored["trials"]) == 12
    assert admin.get("/admin/participant/nobody").status_code == 404


def test_the_most_convincing_images_lead(admin: FlaskClient, workspace: Workspace) -> None:
    load(workspace, "one", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 12\n')
    people = 2 * LEAST_JUDGEMENTS  # each judges half of the images of either class
    assert cli.main(["simulate", "one", "--participants", str(people), "--sensitivity", "1"]) == 0
    page = admin.get("/admin/study/one/images?simulated=1").text
    shares = [int(share) for share in re.findall(r"<b>(\d+) %</b>", page)]
    assert len(shares) > 20
    assert min(int(n) for n in re.findall(r"<small>of (\d+) ·", page)) >= LEAST_JUDGEMENTS
    assert page.count(f"at least {LEAST_JUDGEMENTS} judgements") == 2
    assert max(shares[:3]) == max(shares[: len(shares) // 2])
    image = admin.get(re.search(r"/admin/image/\d+.png", page)[0])  # type: ignore[index]
    assert image.data.startswith(b"\x89PNG")


def test_a_funnel_counts_how_far_people_got(admin: FlaskClient, app: Flask) -> None:
    homes = [admin.post("/study/pilot/enter", data={"consent": "yes"}).headers["Location"] for _ in range(4)]
    admin.post("/study/pilot/enter", data={"consent": "no"})
    for home in homes[1:]:
        admin.post(f"{home}questions")
    for home in homes[2:]:
        admin.post(f"{home}device", data={"frame_ms": "16.7"})
        admin.post(f"{home}practice/done")
    given = {"answer": "real", "exposure_ms": 2500, "response_time_ms": 3000, "dropped_frames": 0, "focus_lost": False}
    for trial in range(1, 13):
        admin.post(f"{homes[3]}answer", json={"trial": trial, **given})
        if trial <= 4:  # 33 %
            admin.post(f"{homes[2]}answer", json={"trial": trial, **given})
    with app.extensions["glimpse"].read() as session:
        study = session.scalars(select(models.Study)).one()
        steps = funnel(session, study, StudyFile.from_dict(study.current.definition), "people")
    assert [step.reached for step in steps] == [5, 4, 3, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1]
    assert (steps[2].name, steps[7].name, steps[-1].name) == ("questions", "30 % of the trials", "finished")
    assert ">Drop-out <small>" in admin.get("/admin/study/pilot/live").text


def test_participants_are_found_by_their_code_or_their_platform_id(admin: FlaskClient) -> None:
    home = admin.post("/study/pilot/enter?PROLIFIC_PID=5f3Aa_1", data={"consent": "yes"}).headers["Location"]
    admin.post("/study/pilot/enter?PROLIFIC_PID=5f3Bb91", data={"consent": "yes"})
    found = {}
    for words in ("", "5F3aA_1", "a_1", "nobody", "%"):
        page = admin.get("/admin/study/pilot/participants", query_string={"q": words}).text
        found[words] = re.findall(r"/admin/participant/(p[0-9a-f]+)", page)
    assert [len(codes) for codes in found.values()] == [2, 1, 1, 0, 0]
    page = admin.get("/admin/study/pilot/participants", query_string={"q": found["a_1"][0][:8]}).text
    assert re.findall(r"/admin/participant/(p[0-9a-f]+)", page) == found["a_1"]
    assert home


def test_comments_are_listed_and_escaped(admin: FlaskClient, app: Flask) -> None:
    admin.post("/study/pilot/enter", data={"consent": "yes"})
    with app.extensions["glimpse"].write() as session:
        session.scalars(select(models.Participant)).one().comment = "<b>Too fast</b>"
    page = admin.get("/admin/study/pilot/comments").text
    assert "&lt;b&gt;Too fast&lt;/b&gt;" in page
    assert "Comments <small>1</small>" in page


# ------------------------------------------------------------------------------------------------ what it does


def test_a_study_is_paused_closed_and_opened_again(admin: FlaskClient) -> None:
    for state, entered in (("paused", 403), ("closed", 403), ("open", 303)):
        assert post(admin, "study/pilot/state", state=state) == 303
        assert admin.post("/study/pilot/enter", data={"consent": "yes"}).status_code == entered
    assert post(admin, "study/pilot/state", state="burnt") == 422


def test_a_quota_holds_from_when_it_is_set(admin: FlaskClient) -> None:
    assert post(admin, "study/pilot/quota", **{"quota-alpha": "1", "quota-beta": "1"}) == 303
    entered = [admin.post("/study/pilot/enter", data={"consent": "yes"}).status_code for _ in range(3)]
    assert entered == [303, 303, 403]
    assert post(admin, "study/pilot/quota", **{"quota-alpha": ""}) == 303
    assert admin.post("/study/pilot/enter", data={"consent": "yes"}).status_code == 303
    for wrong in ("0", "-1", "many", "1e3", "1000000", "0000000019999999999", "9" * 5000, "١"):
        assert post(admin, "study/pilot/quota", **{"quota-alpha": wrong}) == 422


def test_the_download_is_the_export(admin: FlaskClient, workspace: Workspace) -> None:
    assert cli.main(["simulate", "--participants", "2"]) == 0
    replies = [admin.get("/admin/study/pilot/download.zip?simulated=1").data for _ in range(2)]
    assert replies[0] == replies[1]
    with zipfile.ZipFile(io.BytesIO(replies[0])) as archive:
        name = "data/study-pilot_description-responses_data.csv"
        assert cli.main(["export", "--include-simulated"]) == 0
        assert archive.read(f"pilot/{name}") == (workspace.root / "export" / "pilot" / name).read_bytes()


def test_personal_links_lead_one_person_each_to_one_place(admin: FlaskClient) -> None:
    reply = admin.post(
        "/admin/study/pilot/recruiting", data={"do": "links", "count": "3", "token": token(admin, "/admin/")}
    )
    links = re.findall(r"<code>http://localhost(/study/pilot/\?id=[a-z0-9-]+)</code>", reply.text)
    assert len(set(links)) == 3
    assert reply.text.count("<svg") == 3
    enter = [link.replace("?", "enter?") for link in links]
    homes = [admin.post(address, data={"consent": "yes"}).headers["Location"] for address in enter]
    assert len(set(homes)) == 3
    assert admin.get(links[0]).headers["Location"] == homes[0]
    assert admin.post(enter[0], data={"consent": "yes"}).headers["Location"] == homes[0]


def test_people_who_returned_or_timed_out_free_their_place(admin: FlaskClient) -> None:
    assert post(admin, "study/pilot/quota", **{"quota-alpha": "1", "quota-beta": "1"}) == 303
    for person in ("aa", "bb"):
        admin.post(f"/study/pilot/enter?PROLIFIC_PID={person}", data={"consent": "yes"})
    assert admin.post("/study/pilot/enter?PROLIFIC_PID=cc", data={"consent": "yes"}).status_code == 403
    form = {"do": "free", "ids": "Participant id,Status\naa,RETURNED\nbb,AWAITING REVIEW\n"}
    reply = admin.post("/admin/study/pilot/recruiting", data={**form, "token": token(admin, "/admin/")})
    assert "1 place freed" in reply.text
    assert admin.post("/study/pilot/enter?PROLIFIC_PID=cc", data={"consent": "yes"}).status_code == 303
    large = {"do": "free", "file": (io.BytesIO(b"x" * 300_000), "export.csv"), "token": token(admin, "/admin/")}
    assert admin.post("/admin/study/pilot/recruiting", data=large).status_code == 422


@pytest.mark.parametrize(
    "content",
    [
        "Participant id;Status\naa;RETURNED\n".encode("utf-16"), b"Participant id\tStatus\r\na\0a\tRETURNED\r\n",
        b"aa\n\0\xff\xfe\n",
    ],
)  # fmt: skip
def test_an_export_in_any_encoding_frees_the_places_that_it_names(admin: FlaskClient, content: bytes) -> None:
    admin.post("/study/pilot/enter?PROLIFIC_PID=aa", data={"consent": "yes"})
    form = {"do": "free", "file": (io.BytesIO(content), "export.csv"), "token": token(admin, "/admin/")}
    assert "1 place freed" in admin.post("/admin/study/pilot/recruiting", data=form).text


def test_no_upload_crashes_the_dashboard(admin: FlaskClient) -> None:
    for content in (bytes(range(256)) * 40, b"\xff\xfe\0", b'Participant id,Status\n"' + b"a,RETURNED\n" * 20_000):
        form = {"do": "free", "file": (io.BytesIO(content), "export.csv"), "token": token(admin, "/admin/")}
        assert admin.post("/admin/study/pilot/recruiting", data=form).status_code in (200, 422)


def test_an_error_is_a_sentence(admin: FlaskClient) -> None:
    admin.environ_base["HTTP_ACCEPT"] = "text/html"
    form = {"do": "free", "token": token(admin, "/admin/")}
    large = b"ids=" + b"x" * (5 << 20)
    for reply, code, said in (
        (admin.get("/admin/study/nowhere/"), 404, "no such study"),
        (admin.get("/admin/participant/nobody"), 404, "no such study, participant"),
        (admin.get("/admin/nowhere"), 404, "Page not found"),
        (admin.get("/admin/image/99999999999.png"), 404, ""),
        (admin.get("/admin/image/99999999999999999999.png"), 404, ""),
        (admin.get("/admin/image/99.png"), 404, "image"),
        (admin.post("/admin/study/pilot/recruiting", data=large, content_type=FORM), 413, "at most 4 MB"),
        (admin.post("/admin/study/pilot/recruiting", data={**form, "ids": "a,b\n1,2"}), 422, "column of IDs"),
        (admin.post("/admin/study/pilot/state", data={"state": "open"}), 400, "The form is out of date"),
    ):
        assert reply.status_code == code
        assert said in reply.text
        assert "<h1>" in reply.text
