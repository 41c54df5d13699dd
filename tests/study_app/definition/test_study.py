"""The study file: complete with defaults, and for every mistake an error that names the key."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from sqlalchemy import select, text

from glimpse.files import sha256_bytes
from glimpse.workspace import Workspace
from study_app import cli, models
from study_app.database import Database, SurveyError
from study_app.definition.study import StudyFile, default_study
from study_app.definition.study_toml import parse_study, read_study
from tests.study_app.conftest import publish

SETS = '[[sets]]\nname = "alpha"\n'


def parse(toml: str) -> StudyFile:
    return parse_study(tomllib.loads(toml))


def test_the_shortest_study_is_that_of_the_paper() -> None:
    study = parse(f'slug = "short"\n{SETS}')
    assert (study.trials.count, study.trials.real_share, study.exposure_ms) == (20, 0.5, (2000, 3000))
    assert (study.fixation_ms, study.mask, study.practice, study.mode) == (500, False, 2, "fixed")
    assert [question.key for question in study.questions] == ["age", "medicine", "machine_learning", "vision"]


def test_a_study_survives_a_round_trip_through_the_database() -> None:
    study = parse(
        'slug = "a"\ntitle = {en = "Skin", de = "Haut"}\n[trials]\ncount = 12\n[completion]\ncode = "X"\n'
        f'[[questions]]\nkey = "age"\ntext = "Age?"\noptions = ["young", "old"]\nscreen_out = ["old"]\n{SETS}'
    )
    again = StudyFile.from_dict(__import__("json").loads(__import__("json").dumps(study.as_dict())))
    assert again == study
    assert study.questions[0].screen_out == (1,)


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("", "`sets` is missing"),
        (SETS, "`slug` is missing"),
        ('slug = "UPPER"\n' + SETS, "`slug` must be lower-case letters"),
        ('slug = "a"\n[[sets]]\nquota = 3\n', "`sets[1].name` is missing"),
        ('slug = "a"\n' + SETS + SETS, "`sets[2].name` is 'alpha', which is already used"),
        ('slug = "a"\n[[sets]]\nname = "alpha"\nquota = 0\n', "`sets[1].quota` must be a whole number from 1 to"),
        (
            'slug = "a"\n[[sets]]\nname = "alpha"\nquota = 99999999999999999999\n',
            "`sets[1].quota` must be a whole number from 1 to",
        ),
        ('slug = "a"\ntrails = 3\n' + SETS, "unknown key `trails`; did you mean 'trials'?"),
        ('slug = "a"\nMask = true\n' + SETS, "unknown key `Mask`; did you mean 'mask'?"),
        (
            'slug = "a"\n[trials]\ncount = "20"\n' + SETS,
            "`trials.count` must be a whole number from 2 to 1000, not '20'",
        ),
        ('slug = "a"\n[trials]\nreal_share = 1.0\n' + SETS, "`trials.real_share` must be a number above 0 and below 1"),
        ('slug = "a"\nexposure_ms = [3000, 2000]\n' + SETS, "`exposure_ms` must be two whole numbers"),
        ('slug = "a"\nlanguages = ["en", "qq"]\n' + SETS, "`languages` must be a list of codes such as"),
        ('slug = "a"\nlanguages = ["en", "it"]\n' + SETS, "python -m study_app.texts it > "),
        ('slug = "a"\nmask = 1\n' + SETS, "`mask` must be true or false, not 1"),
        ('slug = "a"\ntitle = {qq = "Vero?"}\n' + SETS, "`title` must be a text"),
        ('slug = "a"\nmode = "quick"\n' + SETS, "`mode` must be one of fixed, staircase, unlimited"),
        ('slug = "a"\n[completion]\nurl = "javascript:alert(1)"\n' + SETS, "`completion.url` must be an address"),
        (
            'slug = "a"\n[completion]\nurl = "https://x.org/?cc={code}"\n' + SETS,
            "`completion.code` is missing: `completion.url` has a place for it",
        ),
        (
            'slug = "a"\n[completion]\nurl = "https://x.org/?cc=X"\nno_consent_code = "N"\n' + SETS,
            "`completion.no_consent_code` needs a place for it, {code}, in `completion.url`",
        ),
        ('slug = "a"\n[completion]\nurl = "https://"\n' + SETS, "`completion.url` must be an address"),
        ('slug = "a"\n[completion]\nurl = "https://?cc=X"\n' + SETS, "`completion.url` must be an address"),
        ('slug = "a"\nmode = "unlimited"\nexposure_ms = [20, 30]\n' + SETS, "`exposure_ms` has no effect with `mode ="),
        ('slug = "a"\nmode = "unlimited"\nmask = true\n' + SETS, "`mask` has no effect with `mode ="),
        ('slug = "a"\nmode = "staircase"\n[trials]\nspare = 1\n' + SETS, "`trials.spare` has no effect with `mode ="),
        ('slug = "a"\n[trials]\ncatch_wrong = 1\n' + SETS, "`trials.catch_wrong` has no effect above `trials.catch`"),
        (
            'slug = "a"\nquestions = []\n[completion]\nscreened_out_code = "X"\n' + SETS,
            "`completion.screened_out_code` has no effect where no question has a `screen_out`",
        ),
        ('slug = "a"\nfacts = "3 minutes"\n' + SETS, "`facts` must be a list of texts"),
        (
            'slug = "a"\n[texts]\n"Contnue" = "Go"\n' + SETS,
            "'Contnue', which is not a built-in text; the closest is 'Continue'",
        ),
        (
            'slug = "a"\n[texts]\n"Continue" = ""\n' + SETS,
            "`texts.Continue` must be a text, or texts by language, not ''",
        ),
        (
            'slug = "a"\n[texts]\n"Saving…" = "%(of)d saved"\n' + SETS,
            "`texts` cannot fill %(of)s into the text for 'Saving…'",
        ),
        ('slug = "a"\ntitle = " "\n' + SETS, "`title` must be a text"),
        ('slug = "a"\ntitle = "a\\u0000"\n' + SETS, "`title` must be a text"),
        (
            'slug = "a"\n[[questions]]\nkey = "x"\ntext = "?"\noptions = ["a", "a"]\n' + SETS,
            "`questions[1].options` must be a list of at least two texts, all different",
        ),
        ('slug = "a"\n[[questions]]\nkey = "x"\n' + SETS, "`questions[1].text` is missing"),
        (
            'slug = "a"\n[[questions]]\nkey = "x"\ntext = "?"\noptions = ["a", "b"]\nscreen_out = ["c"]\n' + SETS,
            "`questions[1].screen_out` must be a list of some of the `options`",
        ),
    ],
)
def test_every_mistake_is_named_by_its_key(toml: str, sentence: str) -> None:
    with pytest.raises(SurveyError, match=re.escape(sentence)):
        parse(toml)


def test_a_missing_file_and_one_that_is_not_toml_are_named(tmp_path: Path) -> None:
    with pytest.raises(SurveyError, match=r"There is no study file .*none\.toml"):
        read_study(tmp_path / "none.toml")
    for slug in (b"", b"'\xff'", b"[" * 9999, b"9" * 5000, b"0x" + b"f" * 5000):
        (tmp_path / "bad.toml").write_bytes(b"slug = " + slug + b"\n" + SETS.encode())
        with pytest.raises(SurveyError, match=r"bad\.toml is not readable as TOML"):
            read_study(tmp_path / "bad.toml")


def test_a_file_that_begins_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text('slug = "a"\n' + SETS, "utf-8-sig")
    assert read_study(tmp_path / "study.toml").slug == "a"


def test_a_study_is_made_from_the_names_of_sets() -> None:
    assert default_study(["df", "mel"]).slug == "df-mel"
    assert re.fullmatch("[a-z0-9-]{1,64}", default_study([f"a-rather-long-name-{i}" for i in range(9)]).slug)


# ------------------------------------------------------------------------------------------------ study_app load


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = cli.main(list(words))
    output = capsys.readouterr()
    return code, output.out + output.err


def test_load_opens_a_study_says_so_and_can_be_repeated(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(workspace, "alpha")
    publish(workspace, "beta")
    code, said = run(capsys, "load", "alpha", "beta")
    assert code == 0
    assert "The study 'alpha-beta' is open at /study/alpha-beta/. Next: study_app serve" in said
    assert "unchanged" in run(capsys, "load", "alpha", "beta")[1]
    with Database(workspace.database_url).read() as session:
        version = session.scalars(select(models.StudyVersion)).one()
    assert version.source is not None
    assert version.sha256 == sha256_bytes(version.source)
    assert parse(version.source.decode()) == default_study(["alpha", "beta"])
    assert "'glimpse' is open" in run(capsys, "load", "--all")[1]


def test_a_study_with_participants_is_not_changed_silently(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(workspace, "alpha")
    study = workspace.root / "study.toml"
    study.write_text('slug = "a"\n[trials]\ncount = 4\n' + SETS)
    assert run(capsys, "load", str(study))[0] == 0
    database = Database(workspace.database_url)
    from study_app import create_app

    app = create_app({"WORKSPACE": workspace})
    app.test_client().post("/study/a/enter", data={"consent": "yes"})
    study.write_text('slug = "a"\n[trials]\ncount = 6\n' + SETS)
    code, said = run(capsys, "load", str(study))
    assert (code, "has 1 participant and would change" in said) == (2, True)
    assert "1 earlier participant will keep the version they agreed to" in run(capsys, "load", str(study), "--amend")[1]
    app.test_client().post("/study/a/enter", data={"consent": "yes"})
    with database.read() as session:
        people = session.execute(text("SELECT study_sha256, trials FROM participants ORDER BY entered_at")).all()
    assert [person.trials for person in people] == [4, 6]
    assert people[0].study_sha256 != people[1].study_sha256
    for made in (database, app.extensions["glimpse"]):
        made.engine.dispose()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["load"], "Say what to load"),
        (["load", "gamma"], "There is no stimulus set 'gamma'"),
        (["load", "nothing.toml"], "There is no study file nothing.toml"),
        (["load", "few"], "has 3 real images, but a participant of this study needs 10"),
        (["load", "untrained"], "has 0 images for practice, but this study asks for 2: lower `practice`"),
        (["load", "--all", "few"], "Say what to load"),
        (["serve", "--port", "99999"], "Cannot listen on 127.0.0.1:99999"),
        (["db", "upgrade", "--workspace", "/proc/nowhere"], "/proc/nowhere"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence_with_code_2(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    publish(workspace, "few", count=3)
    publish(workspace, "untrained", practice=0)
    code, said = run(capsys, *words)
    assert code == 2
    assert sentence in said
    assert said.count("\n") == 1
    assert "Traceback" not in said


def test_a_database_of_a_newer_schema_is_refused(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    publish(workspace, "alpha")
    assert run(capsys, "load", "alpha")[0] == 0
    database = Database(workspace.database_url)
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.engine.dispose()
    for words in (["load", "alpha"], ["serve", "--port", "5999"], ["db", "upgrade"]):
        code, said = run(capsys, *words)
        assert code == 2
        assert "has schema 9999, newer than this version of Glimpse knows" in said


def test_a_port_in_use_and_a_file_that_is_not_a_database_are_refused(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, said = run(capsys, "serve", "--port", port)
        assert (code, f"Cannot listen on 127.0.0.1:{port}" in said) == (2, True)
    workspace.root.mkdir(parents=True, exist_ok=True)
    (workspace.root / "study.db").write_text("this is not a database, only a text of some length " * 20)
    code, said = run(capsys, "db", "upgrade")
    assert (code, "is damaged (file is not a database): restore a copy" in said) == (2, True)
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    for words in (["db", "upgrade"], ["db", "current"], ["serve"], ["backup"]):
        code, said = run(capsys, *words)
        assert (code, "DATABASE_URL cannot be used" in said) == (2, True)


@pytest.mark.parametrize(("spare", "code"), [(1, 0), (2, 2)])
def test_a_set_needs_images_for_spare_trials_too(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], spare: int, code: int
) -> None:
    publish(workspace, "alpha", count=5)
    study = workspace.root / "study.toml"
    study.write_text(f'slug = "a"\n[trials]\ncount = 8\nspare = {spare}\n' + SETS)
    assert run(capsys, "load", str(study))[0] == code
