"""Participants who are turned away: by the device, the window or the screen, and by the quota of an answer."""

from __future__ import annotations

import math

import pytest
from flask import Flask
from flask.testing import FlaskClient

from glimpse.workspace import Workspace
from study_app.definition.study import StudyFile
from study_app.participant import device
from tests.study_app.conftest import load
from tests.study_app.participant.test_survey import ANSWER, enter, stored

DESKTOP = {"touch": 0.0, "width": 1280.0, "height": 800.0, "frame_ms": 16.7, "screen": 900.0}


@pytest.mark.parametrize(
    ("needed", "changed", "why"),
    [
        ({}, {"touch": 1.0, "screen": 390.0, "width": 10.0}, ""),
        ({"devices": ("desktop",)}, {}, ""),
        ({"devices": ("desktop",)}, {"touch": 1.0}, "device"),
        ({"devices": ("desktop", "tablet")}, {"touch": 1.0}, ""),
        ({"devices": ("desktop", "tablet")}, {"touch": 1.0, "screen": 599.0}, "device"),
        ({"devices": ("phone",)}, {"touch": 1.0, "screen": 390.0}, ""),
        ({"min_window": (1280, 800)}, {}, ""),
        ({"min_window": (1280, 801)}, {}, "window"),
        ({"min_window": (1281, 800)}, {}, "window"),
        ({"min_frame_rate": 60}, {}, ""),
        ({"min_frame_rate": 60}, {"frame_ms": 33.3}, "frames"),
    ],
)
def test_a_device_is_judged_by_its_measures(needed: dict[str, object], changed: dict[str, float], why: str) -> None:
    study = StudyFile(slug="a", sets=(), **needed)  # type: ignore[arg-type]
    assert device.unsuitable(study, {**DESKTOP, **changed}) == why
    assert device.unsuitable(study, {}) == ("unmeasured" if needed else "")


def test_a_bank_card_gives_the_size_of_the_image_in_mm_and_degrees(
    client: FlaskClient, app: Flask, workspace: Workspace
) -> None:
    load(
        workspace, "sized",
        'sets = [{ name = "alpha" }]\nquestions = []\ncalibration = true\nviewing_distance_cm = 50\n'
        "fullscreen = true\n[trials]\ncount = 4\n",
    )  # fmt: skip
    for card, zoom, mm in (("428", 1, 90.0), ("428", 2, 180.0), ("", 1, None), ("9", 1, None)):
        home = enter(client, "sized")
        page = client.get(f"{home}/").text
        assert 'id="size"' in page
        assert "your eyes are about 50 cm from the screen" in page
        client.post(f"{home}/device", data={"card": card, "pixel_ratio": "1"})
        shown = {"image_width": 450, "pixel_ratio": zoom, "fullscreen": zoom == 1}
        client.post(f"{home}/answer", json={**ANSWER, **shown, "trial": 1})
        row = stored(app, "SELECT * FROM responses ORDER BY answered_at")[-1]
        degrees = None if mm is None else math.degrees(2 * math.atan(mm / 2 / 500))
        assert (row["image_mm"], row["image_degrees"]) == (mm, degrees and round(degrees, 3))
        assert ("not-fullscreen" in row["flags"]) == (zoom == 2)


def test_a_phone_is_turned_away_before_the_consent_with_the_return_address_and_a_computer_continues(
    client: FlaskClient, app: Flask, workspace: Workspace
) -> None:
    load(
        workspace, "large",
        'sets = [{ name = "alpha" }]\nquestions = []\ndevices = ["desktop"]\n[trials]\ncount = 4\n'
        '[completion]\nurl = "https://x.org/?cc={code}&id={PROLIFIC_PID}"\ncode = "OK"\n'
        'unsuitable_device_code = "PHONE"\n',
    )  # fmt: skip
    phone = "touch=1&screen=390&width=390&height=700&frame_ms=16.7"
    first = client.get("/study/large/?PROLIFIC_PID=abc").text
    assert 'id="consent"' not in first
    assert 'id="unsuitable"' not in first
    assert 'name="PROLIFIC_PID" value="abc"' in first  # goes on to the consent with the measures
    for page in (
        client.get(f"/study/large/?PROLIFIC_PID=abc&{phone}").text,
        client.post(f"/study/large/enter?PROLIFIC_PID=abc&{phone}", data={"consent": "yes"}).text,
    ):
        assert "Suitable devices: desktop or laptop computer." in page
        assert "https://x.org/?cc=PHONE&amp;id=abc" in page
        assert "/study/large/?PROLIFIC_PID=abc</code>" in page  # to be opened on a computer
    assert client.post("/study/large/enter?PROLIFIC_PID=abc", data={"consent": "yes"}).status_code == 422
    assert stored(app, "SELECT * FROM participants") == []
    computer = phone.replace("touch=1", "touch=0")
    assert 'id="consent"' in client.get(f"/study/large/?PROLIFIC_PID=abc&{computer}").text
    home = client.post(f"/study/large/enter?PROLIFIC_PID=abc&{computer}", data={"consent": "yes"}).headers["Location"]
    assert 'id="begin"' in client.get(home).text  # not measured a second time
    assert client.get(f"{home}next").status_code == 200
    (person,) = stored(app, "SELECT * FROM participants")
    assert '"screen": 390' in person["device"]


def test_a_quota_of_an_answer_counts_those_whose_answers_count(
    client: FlaskClient, app: Flask, workspace: Workspace
) -> None:
    load(
        workspace, "strata",
        'sets = [{ name = "alpha" }]\n[trials]\ncount = 2\n[completion]\nfull_code = "FULL"\n'
        '[[questions]]\nkey = "a-b"\ntext = "Trained?"\noptions = ["no", "yes"]\nquotas = [1, 1]\n',
    )  # fmt: skip
    first, second, third, skips = (enter(client, "strata") for _ in range(4))
    assert client.get(f"{first}/next").status_code == 403  # the question comes first
    for home, said in ((first, "0"), (second, "0"), (third, "1"), (skips, "")):
        client.post(f"{home}/questions", data={"a-b": said})
    assert "FULL" in client.get(f"{second}/").text
    assert [client.get(f"{home}/next").status_code for home in (first, second, third, skips)] == [200, 403, 200, 200]
    for trial in (1, 2):  # answers without a single image: they do not count, and free the place
        client.post(f"{first}/answer", json={**ANSWER, "trial": trial})
    fifth = enter(client, "strata")
    client.post(f"{fifth}/questions", data={"a-b": "0"})
    states = [person["state"] for person in stored(app, "SELECT * FROM participants ORDER BY entered_at")]
    assert states == ["finished", "over-quota", "working", "working", "working"]
