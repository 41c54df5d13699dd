"""The export: a Psych-DS data set whose columns and description agree, the same bytes for the same answers."""

from __future__ import annotations

import csv
import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from flask import Flask
from flask.testing import FlaskClient

from glimpse.files import sha256_bytes, sha256_json
from glimpse.workspace import Workspace
from study_app import cli, models
from study_app.database import Database
from study_app.experimenter.export import data_set, psych_ds
from study_app.experimenter.export.dictionary import RESPONSES
from tests.study_app.conftest import answered_pilot, load, publish

FILE_NAME = re.compile(r"([a-z]+-[a-zA-Z0-9]+)(_[a-z]+-[a-zA-Z0-9]+)*_data\.csv")  # of the Psych-DS schema


def exported_pilot(workspace: Workspace) -> None:
    answered_pilot(workspace)
    assert cli.main(["export", "--include-simulated"]) == 0


@pytest.fixture
def answered(workspace: Workspace, copy_of: Callable[..., None]) -> Path:
    copy_of(exported_pilot)
    return workspace.root / "export" / "pilot"


def tables(folder: Path) -> dict[str, list[dict[str, str]]]:
    paths = sorted((folder / "data").glob("*.csv"))
    return {path.name: list(csv.DictReader(path.read_text().splitlines())) for path in paths}


def test_file_names_columns_and_description_agree(answered: Path) -> None:
    assert list(agreeing(answered)) == [
        "study-pilot_description-participants_data.csv",
        "study-pilot_description-responses_data.csv",
    ]


def agreeing(folder: Path) -> dict[str, list[dict[str, str]]]:
    """The tables of an export that agree with its description."""
    description = json.loads((folder / "dataset_description.json").read_text())
    assert (description["@context"], description["@type"]) == ("https://schema.org/", "Dataset")
    assert description["name"]
    assert description["description"]
    found = tables(folder)
    assert all(FILE_NAME.fullmatch(name) for name in found)
    described = [variable["name"] for variable in description["variableMeasured"]]
    assert len(set(described)) == len(described)
    assert set(described) == {column for rows in found.values() for column in rows[0]}
    for variable in description["variableMeasured"]:
        assert variable["@type"] == "PropertyValue"
        assert all(variable[key] for key in ("description", "additionalType", "measurementTechnique"))
        assert (variable["unitText"] == "ms") == ("_ms" in variable["name"])
    return found


@pytest.mark.parametrize("kind", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("toml", "asked"),
    [
        ('design = "within"\n', "source"),
        ('task = "rating"\nwhy = "click"\nanswer_ms = 2000\n', "why_x"),
        ('task = "pair"\npair = "in-sequence"\nconfidence = true\n', "second_stimulus"),
        ('task = "pair"\ndesign = "within"\n', "second_stimulus"),
    ],
)
def test_every_task_and_design_has_a_data_set_with_all_images_that_people_saw(
    workspace: Workspace, database_url: str, toml: str, asked: str
) -> None:
    for name in ("one", "two"):
        publish(workspace, name, pool="shared")
    sets = 'sets = [{ name = "one" }, { name = "two" }]\nquestions = []\n'
    load(workspace, "tasks", f"{sets}{toml}[trials]\ncount = 6\ncatch = 1\n")
    assert cli.main(["simulate", "--participants", "3"]) == 0
    assert cli.main(["export", "--include-simulated", "--with-stimuli"]) == 0
    folder = workspace.root / "export" / "tasks"
    found = agreeing(folder)
    trials = found["study-tasks_description-responses_data.csv"]
    assert len(trials) == 3 * 6
    assert any(row[asked] for row in trials)
    seen = {row[column] for row in trials for column in ("stimulus", "second_stimulus")} - {""}
    assert seen <= {path.stem for path in (folder / "materials" / "stimuli").glob("*/*.png")}


def test_the_data_set_holds_everything_that_psych_ds_recommends(answered: Path, workspace: Workspace) -> None:
    """The official validator gave no warning for these files; it warns of each one that is missing."""
    for name in (
        "README.md",
        "CHANGES.md",
        "analysis",
        "results",
        "documentation/columns.md",
        "data/file_metadata.json",
    ):
        assert (answered / name).exists(), name
    codebook = (answered / "documentation" / "columns.md").read_text()
    for name, rows in tables(answered).items():
        told = json.loads((answered / "data" / name.replace(".csv", ".json")).read_text())["variableMeasured"]
        assert [variable["name"] for variable in told] == list(rows[0])
        assert all(f"| {column} |" in codebook for column in rows[0])
    assert not (answered / "materials" / "stimuli").exists(), "real images may have a licence that forbids it"
    assert cli.main(["export", "--include-simulated", "--with-stimuli"]) == 0
    images = {path.stem for path in (answered / "materials" / "stimuli").glob("*/*.png")}
    shown = {row["stimulus"] for row in tables(answered)["study-pilot_description-responses_data.csv"]}
    assert shown <= images, "and those of the practice"


def test_the_contracts_columns_come_first(answered: Path) -> None:
    header = (answered / "data" / "study-pilot_description-responses_data.csv").read_text().split("\n", 1)[0]
    assert header.startswith(
        "participant,set,set_sha256,stimulus,truth,answer,position,exposure_ms_planned,exposure_ms_actual,dropped_frames,"
        "focus_lost,response_time_ms,answered_at,flags,simulated"
    )


def test_the_same_answers_give_the_same_bytes(answered: Path, workspace: Workspace) -> None:
    before = {path: path.read_bytes() for path in answered.rglob("*") if path.is_file()}
    assert cli.main(["export", "--include-simulated"]) == 0
    assert before == {path: path.read_bytes() for path in answered.rglob("*") if path.is_file()}


def test_simulated_participants_and_external_ids_are_there_only_if_asked_for(
    answered: Path, workspace: Workspace, make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    make_app().test_client().post("/study/pilot/enter?PROLIFIC_PID=secret-id", data={"consent": "yes"})
    for options, simulated, secret in (
        ([], 0, False),
        (["--include-simulated"], 3, False),
        (["--with-external-ids"], 0, True),
    ):
        out = tmp_path / f"out{len(options)}{secret}"
        assert cli.main(["export", "--out", str(out), *options]) == 0
        people = tables(out)["study-pilot_description-participants_data.csv"]
        assert sum(row["simulated"] == "1" for row in people) == simulated
        text = "".join(path.read_text() for path in out.rglob("*") if path.is_file())
        assert ("secret-id" in text) == secret


def test_an_export_without_answers_names_those_left_out_and_no_report(
    answered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert cli.main(["export"]) == 0
    said = "left out: 36 answers of simulated participants (--include-simulated exports them)."
    assert capsys.readouterr().out == f"{answered}: 2 tables, 0 answers; {said}\n"
    assert cli.main(["export", "--include-simulated"]) == 0
    found = capsys.readouterr().out
    assert "left out" not in found
    assert "36 answers. Next: python -m analysis.report" in found


def test_status_and_export_include_the_same_groups_by_the_same_names(
    answered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert cli.main(["status", "--include-pilot", "--include-simulated", "--json"]) == 0
    found = {one["group"]: sum(each["started"] for each in one["sets"]) for one in json.loads(capsys.readouterr().out)}
    assert found == {"people": 0, "pilot": 0, "simulated": 3}
    assert cli.main(["export", "--include-pilot", "--include-simulated"]) == 0


def test_the_analysis_reads_it_back(answered: Path) -> None:
    from analysis.answers.read import read_csv

    path = answered / "data" / "study-pilot_description-responses_data.csv"
    trials = read_csv(path, include_simulated=True).trials
    assert len(trials) == 3 * 12
    assert set(trials["set"]) == {"alpha", "beta"}


def test_words_of_participants_are_not_formulas(
    workspace: Workspace, study: str, client: object, tmp_path: Path
) -> None:
    client.post("/study/pilot/enter", data={"consent": "yes"})  # type: ignore[attr-defined]
    with Database(workspace.database_url).write() as session:
        from study_app.models import Participant

        session.query(Participant).one().comment = '=HYPERLINK("http://x.org")'
    assert cli.main(["export", "--out", str(tmp_path / "out")]) == 0
    (row,) = tables(tmp_path / "out")["study-pilot_description-participants_data.csv"]
    assert row["comment"].startswith("'=")


def test_no_line_end_in_a_participants_words_makes_another_row(
    workspace: Workspace, study: str, client: object, tmp_path: Path
) -> None:
    client.post("/study/pilot/enter?id=one%0Dtwo", data={"consent": "yes"})  # type: ignore[attr-defined]
    with Database(workspace.database_url).write() as session:
        from study_app.models import Participant

        session.query(Participant).one().comment = "one\rtwo\r\nthree\nfour"
    assert cli.main(["export", "--with-external-ids", "--out", str(tmp_path / "out")]) == 0
    data = tmp_path / "out" / "data"
    people = pd.read_csv(data / "study-pilot_description-participants_data.csv")
    assert people["comment"].tolist() == ["one\ntwo\nthree\nfour"]
    assert len(pd.read_csv(data / "study-pilot_description-externalids_data.csv")) == 1
    assert all(b"\r" not in path.read_bytes() for path in data.iterdir())


def test_a_folder_with_something_else_is_left_alone(
    workspace: Workspace, study: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert cli.main(["export", "--out", str(tmp_path)]) == 2
    assert "name another folder" in capsys.readouterr().err
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_slug_becomes_letters_and_digits_in_file_names(workspace: Workspace, study: str) -> None:
    load(workspace, "lesions_2026-b", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 4\n')
    assert cli.main(["export", "lesions_2026-b"]) == 0
    names = [path.name for path in (workspace.root / "export" / "lesions_2026-b" / "data").glob("*.csv")]
    assert all(name.startswith("study-lesions2026b_description-") and FILE_NAME.fullmatch(name) for name in names)
    assert data_set.slug_value("---") == "study"


def test_attention_trials_and_raw_events_are_exported(workspace: Workspace, study: str, client: FlaskClient) -> None:
    load(workspace, "awake", 'sets = [{ name = "alpha" }]\n[trials]\ncount = 4\ncatch = 1\n')
    home = client.post("/study/awake/enter", data={"consent": "yes"}).headers["Location"]
    given = {"answer": "real", "exposure_ms": 2500, "response_time_ms": 3000, "dropped_frames": 0, "focus_lost": False}
    events = [
        [-512.3, "phase", "fixation"],
        [910, "keydown", "KeyJ"],
        [911, "keydown", "=evil"],
        [1e999, "blur", ""],
        7,
    ]
    for number in range(1, 6):
        sent = json.dumps({**given, "trial": number, "events": events if number == 2 else "none"})
        assert client.post(f"{home}answer", data=sent).status_code == 200
    assert cli.main(["export", "awake", "--events"]) == 0
    found = tables(workspace.root / "export" / "awake")
    assert [row["kind"] for row in found["study-awake_description-attention_data.csv"]] == ["catch"]
    assert len(found["study-awake_description-responses_data.csv"]) == 4
    assert [list(row.values())[1:] for row in found["study-awake_description-events_data.csv"]] == [
        ["2", "-512.3", "phase", "fixation"], ["2", "910", "keydown", "KeyJ"],
    ]  # fmt: skip
    assert cli.main(["export", "awake"]) == 0
    assert not any("events" in name for name in tables(workspace.root / "export" / "awake"))


@pytest.mark.parametrize("kind", ["sqlite"])
def test_an_export_with_external_ids_is_for_its_owner_alone(workspace: Workspace, study: str) -> None:
    for options, modes in (([], {0o755, 0o644}), (["--with-external-ids"], {0o700, 0o600})):
        assert cli.main(["export", *options]) == 0
        out = workspace.root / "export" / study
        found = {stat.S_IMODE(path.stat().st_mode) for path in (out, *out.rglob("*.csv"), *out.glob("*.json"))}
        assert found == modes


def test_the_study_file_and_the_text_agreed_to_are_in_the_export_by_their_hashes(
    answered: Path, workspace: Workspace
) -> None:
    person = tables(answered)["study-pilot_description-participants_data.csv"][0]
    description = json.loads((answered / "dataset_description.json").read_text())
    source = (answered / description["isBasedOn"][0]["url"]).read_bytes()
    assert source == (workspace.root / "pilot.toml").read_bytes()
    assert sha256_bytes(source) == person["study_sha256"]
    consent = json.loads((answered / "materials" / "consents.json").read_text())[person["consent_version"]]
    assert sha256_json(consent) == person["consent_version"]
    assert consent["agreed"].startswith("I am at least 18 years old")


@pytest.mark.parametrize("contact", ["", "study@example.org"])
def test_the_contact_of_the_study_is_the_creator_of_its_data(contact: str) -> None:
    study = models.Study(slug="pilot", versions=[])
    files = psych_ds.descriptions(study, "A study", {"data/a.csv": RESPONSES}, [], contact)
    creator = json.loads(files["dataset_description.json"]).get("creator")
    assert creator == ([{"@type": "Person", "name": contact}] if contact else None)
    asked = b"check `creator` and add `license`" if contact else b"add `creator` and add `license`"
    assert asked in files["README.md"]
