"""The survey over HTTP, as the design's table has it: consent, tokens, trials, images, answers and their codes."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update

from glimpse.workspace import Workspace
from study_app import models, security
from tests.study_app.conftest import load

ANSWER = {
    "trial": 1, "answer": "real", "exposure_ms": 2417.5, "response_time_ms": 2900.25, "dropped_frames": 0,
    "focus_lost": False,
}  # fmt: skip

CONSENT = {"consent": "yes"}


def enter(client: FlaskClient, study: str, query: str = "") -> str:
    response = client.post(f"/study/{study}/enter{query}", data={"consent": "yes"})
    assert response.status_code == 303
    return str(response.headers["Location"].rstrip("/"))


def stored(app: Flask, query: str = "SELECT * FROM responses ORDER BY position") -> list[dict[str, Any]]:
    with app.extensions["glimpse"].read() as session:
        return [dict(row) for row in session.execute(text(query)).mappings()]


def test_the_first_page_leads_to_the_one_open_study_and_keeps_the_query(client: FlaskClient, study: str) -> None:
    response = client.get("/?PROLIFIC_PID=abc&STUDY_ID=s")
    assert (response.status_code, response.headers["Location"]) == (303, "/study/pilot/?PROLIFIC_PID=abc&STUDY_ID=s")


def test_the_first_page_links_each_of_several_open_studies(
    client: FlaskClient, study: str, workspace: Workspace
) -> None:
    load(workspace, "second", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 4\n')
    page = client.get("/?PROLIFIC_PID=abc").get_data(as_text=True)
    assert 'href="/study/pilot/?PROLIFIC_PID=abc"' in page
    assert 'href="/study/second/?PROLIFIC_PID=abc"' in page


def test_no_one_enters_without_consent(client: FlaskClient, app: Flask, study: str) -> None:
    response = client.post(f"/study/{study}/enter", data={})
    assert response.status_code == 422
    assert 'id="consent"' in response.get_data(as_text=True)
    assert client.post(f"/study/{study}/enter", data={"consent": "no"}).status_code == 200
    assert [person["state"] for person in stored(app, "SELECT * FROM participants")] == ["no-consent"]
    assert stored(app, "SELECT COUNT(*) AS n FROM trial") == [{"n": 0}]


def test_the_words_consented_to_are_stored_by_their_hash(
    client: FlaskClient, app: Flask, study: str, workspace: Workspace
) -> None:
    sets = 'sets = [{ name = "alpha" }]\n'
    trials = "[trials]\ncount = 12\n"
    load(workspace, "same", sets + trials)
    load(workspace, "longer", sets + "[trials]\ncount = 14\n")  # another fact, in words that are our own
    for slug, language in ((study, "en"), (study, "de"), ("same", "en"), ("longer", "en")):
        client.post(f"/study/{slug}/enter", data={"consent": "yes", "lang": language})
    versions = [row["consent_version"] for row in stored(app, "SELECT * FROM participants ORDER BY entered_at")]
    assert versions[0] == versions[2]
    assert len(set(versions)) == 3


def test_every_word_on_the_page_of_consent_can_be_the_studys_own(client: FlaskClient, workspace: Workspace) -> None:
    load(
        workspace, "own",
        'sets = [{ name = "alpha" }]\nconsent = "Yes."\nfacts = ["3 minutes & 50 %", { en = "Free.", de = "Frei." }]\n'
        'about = { en = """# Why\n\n**Bold** <script>, [us](https://x.org).""", de = "Warum" }\n'
        '[trials]\ncount = 4\n[texts]\n"I do not want to take part" = { en = "100 % no", de = "Nein <b>" }\n'
        '"If you want to take part, please tick the box." = ""\n',
    )  # fmt: skip
    page = client.get("/study/own/").text
    main = page[page.index("<main>") :]
    for words in (
        "minutes &amp; 50 %</li>",
        "<h2>Why</h2>",
        "<strong>Bold</strong> &lt;script&gt;",
        ">100 % no<",
        ">Yes.<",
    ):
        assert words in main
    assert '<a href="https://x.org">us</a>' in main
    assert not any(words in main for words in ("about 2 minutes", "unpleasant", "18 years"))
    assert "Nein &lt;b&gt;" in client.get("/study/own/?lang=de").text
    assert '<p id="missing" class="note" role="alert"></p>' in client.post("/study/own/enter", data={}).text


@pytest.mark.parametrize("consent", ["yes", "no"])
def test_a_consent_form_that_is_sent_twice_makes_one_participant(
    client: FlaskClient, app: Flask, study: str, consent: str
) -> None:
    page = client.get(f"/study/{study}/").get_data(as_text=True)
    token = page.split('name="token" value="')[1].split('"')[0]
    form = {"consent": consent, "token": token}
    replies = [client.post(f"/study/{study}/enter", data=form) for _ in range(2)]
    assert replies[1].headers["Location"] == f"/p/{token}/"
    assert stored(app, "SELECT COUNT(*) AS n FROM participant") == [{"n": 1}]
    other = client.post(f"/study/{study}/enter", data={**form, "token": "../x"})  # no token of ours: one is drawn
    assert "../x" not in other.headers.get("Location", "")
    assert stored(app, "SELECT COUNT(*) AS n FROM participant") == [{"n": 2}]


@pytest.mark.parametrize(
    ("toml", "origin", "said"),
    [
        ("", {"run": "df", "seed": 0}, {"trained on real photographs"}),
        ("", {"run": "add-eczema", "image_id": "a"}, {"that a neural network has altered"}),
        ("", {"image_set": "of-another-generator", "image_id": "a"}, set()),
        ('debrief = "We tell you ourselves."\n', {"run": "df"}, {"We tell you ourselves"}),
    ],
)
def test_the_debrief_says_how_the_images_were_made_unless_the_study_does(
    workspace: Workspace, client: FlaskClient, app: Flask, toml: str, origin: dict[str, Any], said: set[str]
) -> None:
    load(workspace, "told", toml + 'sets = [{ name = "alpha" }]\n[trials]\ncount = 2\n')
    with app.extensions["glimpse"].write() as session:
        session.execute(
            update(models.LoadedStimulus).where(models.LoadedStimulus.truth == "generated").values(origin=origin)
        )
    home = client.post("/study/told/enter", data={"consent": "yes"}).headers["Location"]
    for trial in (1, 2):
        client.post(f"{home}answer", json={**ANSWER, "trial": trial})
    page = client.get(home).text
    told = ("trained on real photographs", "that a neural network has altered", "We tell you ourselves")
    assert {words for words in told if words in page} == said


def test_the_other_languages_of_a_page_that_a_form_gave_can_be_chosen(client: FlaskClient, study: str) -> None:
    from urllib.parse import urljoin

    for form in ({}, {"consent": "no"}):
        page = client.post(f"/study/{study}/enter?PROLIFIC_PID=a", data=form).get_data(as_text=True)
        link = page.split('lang="fr"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
        reply = client.get(urljoin(f"/study/{study}/enter?PROLIFIC_PID=a", link), follow_redirects=True)
        assert (reply.status_code, '<html lang="fr">' in reply.get_data(as_text=True)) == (200, True)
        assert "PROLIFIC_PID=a" in link


def test_a_participant_goes_through_all_trials_and_each_answer_is_stored_once(
    client: FlaskClient, app: Flask, study: str
) -> None:
    base = enter(client, study)
    trial, seen = client.get(f"{base}/next").get_json(), []
    while "done" not in trial:
        assert set(trial) == {"trial", "of", "image", "exposure_ms", "prefetch"}
        assert trial["of"] == 12
        assert 2000 <= trial["exposure_ms"] <= 3000
        for url in (trial["image"], trial["prefetch"]):
            if url is not None:
                image = client.get(url)
                assert (image.status_code, image.mimetype, image.data[:4]) == (200, "image/png", b"\x89PNG")
        assert client.post(f"{base}/answer", json={**ANSWER, "trial": trial["trial"]}).status_code == 200
        if seen:
            assert client.get(seen[-1]).status_code == 404  # what has been answered is not served any more
        seen.append(trial["image"])
        trial = client.get(f"{base}/next").get_json()
    assert trial == {"done": True}
    rows = stored(app)
    assert [row["position"] for row in rows] == list(range(1, 13))
    assert len({row["stimulus"] for row in rows}) == 12
    assert sorted(row["truth"] for row in rows) == ["generated"] * 6 + ["real"] * 6
    page = client.get(f"{base}/").get_data(as_text=True)
    assert "6 of 12" in page


def test_only_the_current_image_and_the_next_can_be_fetched(client: FlaskClient, app: Flask, study: str) -> None:
    base = enter(client, study)
    nonces = [row["nonce"] for row in stored(app, "SELECT nonce FROM trial ORDER BY position")]
    codes = [client.get(f"{base}/image/{nonce}").status_code for nonce in nonces]
    assert codes == [200, 200] + [404] * 10
    other = enter(client, study)
    assert client.get(f"{other}/image/{nonces[0]}").status_code == 404


def test_the_same_answer_again_changes_nothing_another_one_conflicts(
    client: FlaskClient, app: Flask, study: str
) -> None:
    base = enter(client, study)
    assert client.post(f"{base}/answer", json=ANSWER).status_code == 200
    assert client.post(f"{base}/answer", json={**ANSWER, "exposure_ms": 1.0}).status_code == 200
    assert client.post(f"{base}/answer", json={**ANSWER, "answer": "generated"}).status_code == 409
    assert client.post(f"{base}/answer", json={**ANSWER, "trial": 3}).status_code == 409
    assert client.post(f"{base}/answer", json={**ANSWER, "trial": 99}).status_code == 409
    assert [(row["answer"], row["exposure_ms_actual"]) for row in stored(app)] == [("real", 2417.5)]


@pytest.mark.parametrize(
    "wrong",
    [
        {"trial": "1"}, {"trial": True}, {"trial": 0}, {"trial": None}, {"answer": "maybe"}, {"answer": ["real"]},
        {"exposure_ms": -1}, {"exposure_ms": "2000"}, {"exposure_ms": float("inf")}, {"exposure_ms": float("nan")},
        {"exposure_ms": 10**400}, {"response_time_ms": None}, {"response_time_ms": True}, {"dropped_frames": 1.5},
        {"dropped_frames": -1}, {"focus_lost": 1}, {"focus_lost": None},
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_malformed_answer_is_refused(client: FlaskClient, app: Flask, study: str, wrong: dict[str, Any]) -> None:
    base = enter(client, study)
    assert client.post(f"{base}/answer", json={**ANSWER, **wrong}).status_code == 422
    assert stored(app) == []


@pytest.mark.parametrize("exposure", [1e12, 1e200])  # sums of squares of the latter would stop the dashboard
def test_an_implausible_time_is_stored_and_flagged(
    client: FlaskClient, app: Flask, study: str, exposure: float
) -> None:
    base = enter(client, study)
    odd = {**ANSWER, "exposure_ms": exposure, "response_time_ms": 0, "dropped_frames": 10**12, "focus_lost": True}
    assert client.post(f"{base}/answer", json=odd).status_code == 200
    assert stored(app)[0]["exposure_ms_actual"] == 1e12
    assert stored(app)[0]["flags"].split() == [
        "dropped-frames", "exposure-wrong", "focus-lost", "frame-off", "implausible-time", "not-begun", "not-fetched",
        "too-fast",
    ]  # fmt: skip


def test_an_unknown_token_is_not_found(client: FlaskClient) -> None:
    for path in ("/p/nobody/", "/p/nobody/next", "/p/nobody/image/x", "/p/nobody/practice/", "/study/nothing/"):
        assert client.get(path).status_code == 404
    assert client.post("/p/nobody/answer", json=ANSWER).status_code == 404


def test_a_null_character_in_an_address_is_not_found(client: FlaskClient, study: str) -> None:
    base = enter(client, study)
    for path in ("/p/%00/", "/study/%00/", "/withdraw/%00", f"{base}/image/%00", f"/study/{study}/?PROLIFIC_PID=%00"):
        assert client.get(path).status_code == 404
    assert client.post(f"/study/{study}/enter?id=%00", data={"consent": "yes"}).status_code == 404


def test_the_name_of_a_page_is_letters_and_digits(client: FlaskClient, app: Flask, study: str) -> None:
    base = enter(client, study)
    for trial, view in ((1, "\ud800"), (2, "a\0b"), (3, {"c": 1})):
        assert client.post(f"{base}/answer", json={**ANSWER, "trial": trial, "view": view}).status_code == 200
    token = stored(app, "SELECT withdrawal_token FROM participant")[0]["withdrawal_token"]
    data = client.get(f"/withdraw/{token}/data.json").get_json()
    assert [trial["details"]["view"] for trial in data["trials"][:3]] == ["", "ab", "c1"]


def test_practice_is_served_apart_and_never_scored(client: FlaskClient, app: Flask, study: str) -> None:
    base = enter(client, study)
    trials = client.get(f"{base}/practice/").get_json()
    assert len(trials) == 2
    images = [client.get(trial["image"]).data for trial in trials]
    assert images == [client.get(trial["image"]).data for trial in trials]
    with app.extensions["glimpse"].read() as session:
        scored = session.execute(
            text("SELECT png FROM stimulus_image JOIN stimulus ON id = stimulus_id WHERE kind = 'scored'")
        )
        assert not set(images) & {bytes(png) for (png,) in scored}
    assert client.post(f"{base}/practice/done").status_code == 200
    assert client.get(f"{base}/next").get_json()["trial"] == 1


def test_screening_ends_the_study_for_those_it_excludes(client: FlaskClient, app: Flask, workspace: Workspace) -> None:
    question = 'key = "age"\ntext = "Age?"\noptions = ["under 18", "18 or more"]\nscreen_out = ["under 18"]\n'
    slug = load(
        workspace, "adults",
        'sets = [{ name = "alpha" }]\n[trials]\ncount = 4\n[completion]\nscreened_out_code = "OUT1"\n'
        f"[[questions]]\n{question}",
    )  # fmt: skip
    young, old = enter(client, slug), enter(client, slug)
    client.post(f"{young}/device")  # is not the way round the questions
    assert client.get(f"{young}/next").status_code == 403  # nobody has asked yet
    client.post(f"{young}/questions", data={"age": " \x000"})  # is read as it is stored
    client.post(f"{old}/questions", data={"age": "1"})
    assert client.get(f"{young}/next").status_code == 403
    assert "OUT1" in client.get(f"{young}/").get_data(as_text=True)
    assert client.get(f"{old}/next").status_code == 200
    assert sorted(p["state"] for p in stored(app, "SELECT * FROM participants")) == ["screened-out", "working"]
    assert stored(app, "SELECT SUM(shown) AS n FROM stimulus") == [{"n": 4}]  # who saw none leaves them to others


def test_answers_are_stored_in_the_studys_first_language_and_only_those_asked_for(
    client: FlaskClient, app: Flask, workspace: Workspace
) -> None:
    slug = load(
        workspace, "asks",
        'sets = [{ name = "alpha" }]\nlanguages = ["en", "de"]\n[trials]\ncount = 4\n'
        '[[questions]]\nkey = "age"\ntext = "Age?"\noptions = [{ de = "jung", en = "young" }, "old"]\n'
        '[[questions]]\nkey = "why"\ntext = "Why?"\n[[questions]]\nkey = "sight"\ntext = "?"\noptions = ["a", "b"]\n',
    )  # fmt: skip
    base = enter(client, slug)
    client.post(f"{base}/questions", data={"age": "0", "why": " so ", "sight": "2", "other": "x"})
    client.post(f"{base}/questions", data={"age": "1"})  # sent once more: too late
    told = client.get(f"{base}/").status_code, stored(app, "SELECT questionnaire AS q FROM participant")[0]["q"]
    assert told[1] in ('{"age": "young", "why": "so"}', {"age": "young", "why": "so"})


def test_people_are_spread_evenly_over_sets_and_images(client: FlaskClient, app: Flask, study: str) -> None:
    for _ in range(9):
        enter(client, study)
    sets = [row["n"] for row in stored(app, 'SELECT COUNT(*) AS n FROM participants GROUP BY "set"')]
    assert sorted(sets) == [4, 5]
    shown = stored(
        app,
        "SELECT i.set_id, COUNT(t.id) AS n FROM stimulus i LEFT JOIN trial t ON t.stimulus_id = i.id "
        "WHERE i.kind = 'scored' GROUP BY i.id, i.set_id",
    )
    for one in {row["set_id"] for row in shown}:
        counts = [row["n"] for row in shown if row["set_id"] == one]
        assert max(counts) - min(counts) <= 1


def test_a_full_study_admits_no_one_else(client: FlaskClient, app: Flask, workspace: Workspace) -> None:
    slug = load(workspace, "small", 'sets = [{ name = "alpha", quota = 2 }]\n[trials]\ncount = 4\n')
    enter(client, slug)
    enter(client, slug)
    assert client.post(f"/study/{slug}/enter", data={"consent": "yes"}).status_code == 403
    page = client.get(f"/study/{slug}/")  # said before anybody reads and agrees
    assert (page.status_code, 'id="consent"' in page.get_data(as_text=True)) == (403, False)
    with app.app_context():
        allowed = security.simulation_pass(slug)
    for given, codes in ((allowed, (200, 303)), ("1", (403, 403)), ("", (403, 403))):
        page = client.get(f"/study/{slug}/?simulated={given}").status_code
        assert (page, client.post(f"/study/{slug}/enter?simulated={given}", data=CONSENT).status_code) == codes
    assert stored(app, "SELECT COUNT(*) AS n FROM participants WHERE simulated = 0") == [{"n": 2}]


def test_pages_speak_the_language_chosen_or_the_browsers(client: FlaskClient, study: str) -> None:
    def language(**request: Any) -> str:
        return client.get(f"/study/{study}/", **request).get_data(as_text=True).split('<html lang="')[1][:2]

    assert language(headers={"Accept-Language": "de-CH, en;q=0.5"}) == "de"
    assert language(headers={"Accept-Language": "fr"}) == "fr"
    assert language(headers={"Accept-Language": "it"}) == "en"
    assert language(headers={"Accept-Language": "de"}, query_string={"lang": "fr"}) == "fr"
    token = client.post(f"/study/{study}/enter", data={"consent": "yes", "lang": "de"}).headers["Location"]
    assert '<html lang="de">' in client.get(token).get_data(as_text=True)
    client.get(f"{token}?lang=fr")
    assert '<html lang="fr">' in client.get(token).get_data(as_text=True)


def test_a_trial_begun_by_two_pages_is_flagged_one_that_is_only_announced_again_is_not(
    client: FlaskClient, app: Flask, study: str
) -> None:
    base = enter(client, study)

    def begin(trial: int, view: str) -> int:
        return client.post(f"{base}/begin", json={"trial": trial, "view": view}).status_code

    assert [begin(1, "a"), begin(1, "a")] == [200, 200]
    client.post(f"{base}/answer", json={**ANSWER, "view": "a"})
    assert begin(1, "a") == 409  # the announcement was delayed, and came after the answer
    client.post(f"{base}/answer", json={**ANSWER, "trial": 2, "view": "a"})
    begin(3, "a")
    begin(3, "b")
    client.post(f"{base}/answer", json={**ANSWER, "trial": 3, "view": "b"})
    client.post(f"{base}/answer", json={**ANSWER, "trial": 4, "view": "b"})
    begin(4, "a")  # a window that was left open shows an image that has been answered in another one
    flagged = [row["position"] for row in stored(app) if "shown-again" in row["flags"]]
    assert flagged == [3, 4]
