"""Answers of any survey are read as they are, or refused in one sentence that says where they are wrong."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import create_engine, text

from analysis.answers.database import UnreadableError
from analysis.answers.form import Form
from analysis.answers.read import read_csv, read_database
from analysis.section import AnalysisError
from glimpse.workspace import Workspace
from study_app.database import upgrade
from tests.study_app.cluster import private_cluster, skip_without_postgresql

HEADER = "participant,image,truth,answer"
ROWS = ["a,i1,real,real", "a,i2,generated,real", "b,i1,real,generated", "b,i2,generated,generated"]


def written(folder: Path, lines: list[str], encoding: str = "utf-8", name: str = "answers.csv") -> Path:
    path = folder / name
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def test_the_four_columns_suffice_and_the_set_is_then_called_all(tmp_path: Path) -> None:
    answers = read_csv(written(tmp_path, [HEADER, *ROWS]))
    assert list(answers.trials["set"].unique()) == ["all"]
    assert (answers.trials["is_generated"] == answers.trials["said_generated"]).tolist() == [True, False, False, True]
    assert answers.trials["position"].isna().all(), "the order of the rows says nothing about that of the trials"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "latin-1"]
)
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_odd_encodings_and_separators_are_read_in_the_same_way(tmp_path: Path, encoding: str, separator: str) -> None:
    lines = [line.replace(",", separator) for line in [HEADER, "Zoë,Hände,Real ,GENERATED", "Zoë,Füße,generated,real"]]
    trials = read_csv(written(tmp_path, lines, encoding)).trials
    assert trials["participant"].tolist() == ["Zoë", "Zoë"]
    assert trials["image"].tolist() == ["Hände", "Füße"]
    assert trials["answer"].tolist() == ["generated", "real"]


def test_an_accent_late_in_a_long_file_does_not_change_the_encoding(tmp_path: Path) -> None:
    lines = [HEADER, *(f"p{i},i1,real,real" for i in range(20_000)), "Zoë,i1,real,real"]
    assert read_csv(written(tmp_path, lines, "cp1252")).trials["participant"].iloc[-1] == "Zoë"


def test_our_own_export_is_read_with_its_names_and_milliseconds(tmp_path: Path) -> None:
    header = (
        "participant,set,set_sha256,stimulus,truth,answer,position,exposure_ms_planned,exposure_ms_actual,"
        "dropped_frames,focus_lost,response_time_ms,answered_at,flags,simulated,study,mode,state,kind,replaced"
    )
    rows = [
        "p1,df,ab,s1,real,real,2,2400,2400.1,0,0,650.5,2026-01-31T09:30:00.000Z,,0,skin,fixed,finished,scored,0",
        "p1,df,ab,s2,generated,real,1,2100,2900,9,1,800,2026-01-31T09:30:05.000Z,focus,0,skin,fixed,finished,scored,1",
        "p1,df,ab,s3,generated,real,3,2100,2100,0,0,800,2026-01-31T09:30:09.000Z,,0,skin,fixed,finished,spare,0",
        "p2,df,ab,s1,real,real,1,2400,2400.1,0,0,650.5,2026-01-31T09:30:00.000Z,,1,skin,fixed,finished,scored,0",
        "p3,df,ab,s1,real,real,1,2400,2400.1,0,0,650.5,2026-01-31T09:30:00.000Z,,0,skin,fixed,screened-out,scored,0",
    ]
    name = "study-skin_description-responses_data.csv"
    people = ["participant,catch_trials,catch_correct,questionnaire", 'p1,2,1,"{""medical"": ""yes""}"', "p2,2,2,"]
    written(tmp_path, people, name="study-skin_description-participants_data.csv")
    answers = read_csv(written(tmp_path, [header, *rows], name=name))
    assert answers.trials["image"].tolist() == ["s1", "s3"], "the spare trial takes the place of the flagged one"
    assert answers.trials["response_time_ms"].tolist() == [650.5, 800]
    assert answers.trials["failed_catch"].all()
    assert answers.counts["replaced_trials"] == 1
    assert answers.counts["simulated_participants_left_out"] == 1
    assert answers.counts["screened_out_participants"] == 1
    assert answers.set_versions == {"df": ["ab"]}
    everybody = read_csv(tmp_path / name, include_simulated=True)
    assert everybody.simulated == 1
    assert len(read_csv(tmp_path / name, ["medical=YES"]).trials) == 2, "the questionnaire's answers are columns"


def test_missing_answers_and_catch_trials_are_left_out_and_counted(tmp_path: Path) -> None:
    lines = [
        HEADER + ",catch",
        "a,i1,real,real,no",
        "a,i2,generated,,no",
        "a,c1,generated,real,yes",
        "b,i1,real,real,no",
    ]
    answers = read_csv(written(tmp_path, lines))
    assert (answers.counts["missing_answers"], answers.counts["catch_trials"], len(answers.trials)) == (1, 1, 2)
    assert answers.unanswered == {"all": 1}
    assert answers.trials["failed_catch"].tolist() == [True, False]


def test_a_negative_time_to_answer_is_unknown_and_counted(tmp_path: Path) -> None:
    lines = [HEADER + ",response_time_s", "a,i1,real,real,-3", "a,i2,generated,real,2"]
    answers = read_csv(written(tmp_path, lines))
    assert answers.counts["negative_response_times"] == 1
    assert answers.trials["response_time_ms"].tolist() == pytest.approx([np.nan, 2000], nan_ok=True)


def test_where_keeps_the_rows_asked_for(tmp_path: Path) -> None:
    path = written(tmp_path, [HEADER + ",passed", *(f"{row},{row[0] == 'a'}" for row in ROWS)])
    answers = read_csv(path, ["passed=True", "truth=generated"])
    assert answers.trials["image"].tolist() == ["i2"]
    assert answers.counts["filtered_out"] == 3
    either = read_csv(path, ["image=i1", "passed=True", "image=i2"])
    assert either.trials["participant"].tolist() == ["a", "a"], "several values of one column are alternatives"
    assert either.filters == ("image=i1 or image=i2", "passed=True")


@pytest.mark.parametrize(
    "above", [["Study 3"], ["Study 3;;;", *["Exported;2025-11-02;;"] * 9, ""], ["sep=;", "Export of x"]]
)
def test_lines_above_the_column_names_are_left_out_with_a_note(tmp_path: Path, above: list[str]) -> None:
    lines = [line.replace(",", ";") for line in [HEADER, *ROWS[:2], "b,i1,real,maybe"]]
    old_mac = written(tmp_path, ["\r".join(["", *above, *lines[:3]])])
    assert read_csv(old_mac).trials["image"].tolist() == ["i1", "i2"]
    answers = read_csv(written(tmp_path, [*above, *lines[:3]]))
    assert answers.trials["image"].tolist() == ["i1", "i2"]
    assert f"the column names are in line {len(above) + 1}" in answers.notes[0]
    with pytest.raises(AnalysisError, match=f"line {len(above) + 4}: answer says 'maybe'"):
        read_csv(written(tmp_path, [*above, *lines]))


def test_the_columns_of_one_name_are_refused_where_they_differ_and_count(tmp_path: Path) -> None:
    alike = written(tmp_path, [HEADER + ",Truth", *(f"{row},{row.split(',')[2]}" for row in ROWS)])
    assert len(read_csv(alike).trials) == 4
    for name, form in (("Answer", Form()), ("choice", Form(map=["answer=choice"])), ("choice", Form(rating="choice"))):
        header = f"{HEADER},choice,{name}"
        path = written(tmp_path, [header, *(f"{row},real,generated" for row in ROWS)])
        with pytest.raises(AnalysisError, match=f"csv, line 1: two columns are called {name.lower()} and differ"):
            read_csv(path, form=form)
    assert len(read_csv(path).trials) == 4, "a column that is not asked for may be there twice"


def test_a_name_of_a_real_and_of_a_generated_image_is_two_images(tmp_path: Path) -> None:
    answers = read_csv(
        written(tmp_path, [HEADER, "a,1,real,real", "a,1,generated,real", "b,1,real,real", "b,2,real,real"])
    )
    assert answers.trials["image"].tolist() == ["1 (real)", "1 (generated)", "1 (real)", "2"]
    assert answers.counts["names_of_two_images"] == 1
    assert answers.notes == (
        "The image '1' is generated on answers.csv, line 3 and not elsewhere: each name counts as a real and a "
        "generated image; if it is one image, correct its truth.",
    )
    assert answers.counts["repeated_judgements"] == 0


def test_a_column_called_mode_may_mean_something_else(tmp_path: Path) -> None:
    lines = ["", HEADER + ",mode", "a,i1,real,real,phone", "b,i1,real,real,staircase"]
    assert read_csv(written(tmp_path, lines)).trials["mode"].tolist() == ["fixed", "staircase"]


def test_a_decimal_comma_is_a_decimal_point(tmp_path: Path) -> None:
    lines = ["participant;image;truth;answer;response_time_s", "a;i1;real;real;1,25", "a;i2;real;real;soon"]
    times = read_csv(written(tmp_path, lines)).trials["response_time_ms"]
    assert times[0] == 1250
    assert pd.isna(times[1])


@pytest.mark.parametrize(
    ("lines", "where", "sentence"),
    [
        (["participant,image,answer", "a,i,real"], [], "lacks the column truth"),
        (["x"], [], "lacks the columns participant, image, truth and answer"),
        ([HEADER], [], "holds no answers"),
        ([], [], "is empty"),
        ([HEADER, "a,i1,real,real", "a,i2,fake,real"], [], "line 3: truth says 'fake'"),
        ([HEADER, "a,i1,real,maybe"], [], "line 2: answer says 'maybe'"),
        ([HEADER, "a,i1,,real"], [], "line 2: the column truth is empty"),
        ([HEADER, ",i1,real,real"], [], "line 2: the column participant is empty"),
        ([HEADER, "a,i1,real,", "b,i1,real,"], [], "no scorable trial"),
        ([HEADER, *ROWS], ["passed"], "write COLUMN=VALUE"),
        ([HEADER, *ROWS], ["pasticipant=a"], "did you mean 'participant'"),
        ([HEADER, *ROWS], ["participant=c"], "is one of: a, b"),
        ([HEADER, "a,i1,real,real,x,y"], [], "line 2 has 6 values, but line 1 names 4 columns: name every column"),
        (["\0\0a,b"], [], "is not a text file"),
        ([HEADER, *ROWS, "\0\0\0"], [], "line 6 holds zero bytes"),
        ([HEADER, *ROWS, "a,i1,real,real,odd, I think"], [], "line 6 has 6 values, but line 1 names 4 columns"),
        ([HEADER, *ROWS, 'a,"i1,real,real', ROWS[0]], [], "line 6 holds a quotation mark that is never closed"),
        ([HEADER + ",simulated", "a,i1,real,real,1"], [], "answers of simulated participants only: add --include-s"),
        (
            [HEADER + ",excluded,excluded_for", "a,i1,real,real,1,pilot", "b,i1,real,real,1,attention"],
            [],
            r"excluded participants only \(excluded for: attention 1, pilot 1\); they are never scored",
        ),
        (
            [HEADER + ",excluded,simulated", "a,i1,real,real,1,0", "b,i1,real,real,0,1"],
            [],
            "answers of excluded and simulated participants only: add --include-simulated",
        ),
    ],
)
def test_a_file_without_a_table_of_answers_is_refused_in_a_sentence(
    tmp_path: Path, lines: list[str], where: list[str], sentence: str
) -> None:
    with pytest.raises(AnalysisError, match=sentence) as error:
        read_csv(written(tmp_path, lines), where)
    assert "\n" not in str(error.value)


TIMED = HEADER + ",response_time_s"
CUT = ["a,i2,generated,real,1,234", "a,i1,real,real,2"]


@pytest.mark.parametrize(
    "lines",
    [
        [TIMED + ",", *CUT],
        [TIMED + ",", *(f"{row}," for row in CUT)],
        [TIMED + ",age,", "a,i2,generated,real,1,234,31", "a,i1,real,real,2,31"],
        [TIMED + ",comment", *(f"{row}," for row in CUT)],  # of which 234 would be the comment
        [TIMED + ",comment,", *(f"{row},," for row in CUT)],
        [HEADER + ",comment,response_time_s,,", "a,i2,generated,real,odd, I think, 2,", "a,i1,real,real,,2,,"],
    ],
)
def test_a_row_whose_values_have_moved_to_other_columns_is_refused(tmp_path: Path, lines: list[str]) -> None:
    with pytest.raises(
        AnalysisError, match=r"line 2 has more values than line 1 has names of columns, as with decimal"
    ):
        read_csv(written(tmp_path, lines))


@pytest.mark.parametrize(
    "lines",
    [
        [TIMED + ",", "a,i1,real,real,2,", "a,i2,generated,real,1.234,"],
        [TIMED, "a,i1,real,real,2,", "a,i2,generated,real,1.234,"],
        [TIMED + ",age", "a,i1,real,real,2,31,", "a,i2,generated,real,1.234,31,"],
        [TIMED + ",", "a,i1,real,real,2,late", "a,i2,generated,real,1.234"],
        [TIMED + ",,,", "a,i1,real,real,2,,,", 'a,i2,generated,real,"1,234",,,'],
        ["," + TIMED, "0,a,i1,real,real,2", "1,a,i2,generated,real,1.234"],
    ],
)
def test_a_separator_at_the_end_of_lines_does_no_harm(tmp_path: Path, lines: list[str]) -> None:
    assert read_csv(written(tmp_path, lines)).trials["response_time_ms"].tolist() == [2000, 1234]


# ------------------------------------------------------------------------------------------------ the database


def survey_database(url: str) -> None:
    """The survey's own migrations, and one finished participant with two answers."""
    upgrade(url)
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    moment = "2026-01-31T09:30:00.000Z"
    statements = [
        "INSERT INTO stimulus_set (id, name, sha256, label, height, width, loaded_at) "
        f"VALUES (1, 'df', 'ab', 'DF', 8, 8, '{moment}')",
        "INSERT INTO stimulus (id, set_id, public_id, truth, kind, sha256, origin) "
        "VALUES (1, 1, 's1', 'real', 'scored', 'x', '{}')",
        "INSERT INTO stimulus (id, set_id, public_id, truth, kind, sha256, origin) "
        "VALUES (2, 1, 's2', 'generated', 'scored', 'y', '{}')",
        f"INSERT INTO study (id, slug, state, created_at) VALUES (1, 'skin', 'open', '{moment}')",
        "INSERT INTO study_version (id, study_id, sha256, mode, definition, loaded_at) "
        f"VALUES (1, 1, 'cd', 'fixed', '{{}}', '{moment}')",
        "INSERT INTO participant (id, public_id, token, withdrawal_token, study_id, version_id, set_id, state, "
        "simulated, mirrored, stage, language, entered_at, last_seen_at, questionnaire) "
        f"VALUES (1, 'p1', 't', 'w', 1, 1, 1, 'finished', false, false, 'end', 'en', '{moment}', '{moment}', "
        """'{"medical": "yes"}')""",
        *(
            "INSERT INTO trial (id, participant_id, position, kind, stimulus_id, nonce, exposure_ms_planned, begun, "
            "answer, exposure_ms_actual, response_time_ms, dropped_frames, focus_lost, flags, answered_at) "
            f"VALUES ({i}, 1, {i}, 'scored', {i}, 'n{i}', 2500, 1, 'real', 2500.1, 900, 0, false, '', '{moment}')"
            for i in (1, 2)
        ),
    ]
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement.replace(":", r"\:")))
    engine.dispose()


def assert_both_answers_are_read(workspace: Workspace) -> None:
    answers = read_database(workspace, ["study=skin", "medical=yes"])
    assert answers is not None
    assert answers.trials[["participant", "set", "image", "truth", "answer"]].to_numpy().tolist() == [
        ["p1", "df", "s1", "real", "real"],
        ["p1", "df", "s2", "generated", "real"],
    ]
    assert answers.trials["response_time_ms"].tolist() == [900, 900]
    assert answers.set_versions == {"df": ["ab"]}


def test_the_views_of_the_survey_are_read_and_nothing_is_written(workspace: Workspace) -> None:
    workspace.root.mkdir()
    survey_database(workspace.database_url)
    before = (workspace.root / "study.db").read_bytes()
    assert_both_answers_are_read(workspace)
    assert (workspace.root / "study.db").read_bytes() == before


def test_postgresql_is_read_in_the_same_way(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    skip_without_postgresql()
    with private_cluster() as cluster:
        monkeypatch.setenv("DATABASE_URL", cluster.new_database())
        survey_database(os.environ["DATABASE_URL"])
        assert_both_answers_are_read(workspace)


def test_a_workspace_without_a_database_has_no_answers(workspace: Workspace) -> None:
    assert read_database(workspace) is None


def test_a_database_without_the_views_is_told_to_be_upgraded(workspace: Workspace) -> None:
    workspace.root.mkdir()
    engine = create_engine(workspace.database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE something (a INTEGER)"))
    engine.dispose()
    with pytest.raises(AnalysisError, match="study_app db upgrade"):
        read_database(workspace)


def test_a_damaged_database_is_to_be_restored_not_upgraded(workspace: Workspace) -> None:
    workspace.root.mkdir()
    survey_database(workspace.database_url)
    file = workspace.root / "study.db"
    whole = file.read_bytes()
    for damaged, said in (
        (b"not a database " * 999, "damaged"),
        (whole[:9000], "damaged"),
        (b"", r"empty \(0 bytes\)"),
    ):
        file.write_bytes(damaged)
        with pytest.raises(UnreadableError, match=f"{said}; restore a copy made by `study_app backup`"):
            read_database(workspace)


def test_a_database_of_a_newer_schema_is_named_answered_or_not(workspace: Workspace) -> None:
    workspace.root.mkdir()
    survey_database(workspace.database_url)
    engine = create_engine(workspace.database_url)
    for statement in ("UPDATE alembic_version SET version_num = '9999'", "DELETE FROM trial"):
        with engine.begin() as connection:
            connection.execute(text(statement))
        with pytest.raises(AnalysisError, match="schema 9999, newer than this version"):
            read_database(workspace)
    engine.dispose()


def test_a_database_that_is_not_there_is_named(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{workspace.root / 'elsewhere.db'}")
    with pytest.raises(AnalysisError, match=r"elsewhere\.db"):
        read_database(workspace)


def test_a_note_on_many_files_is_given_once(tmp_path: Path) -> None:
    for k in range(3):
        lines = [f"Study of person {k};;;", "participant;image;truth;answer", f"p{k};a;real;real", f"p{k};b;real;real"]
        (tmp_path / f"{k}.csv").write_text("\n".join(lines))
    assert read_csv(tmp_path).notes == (
        "0.csv and 2 more files: the column names are in line 2; 'Study of person 0' above is left out.",
    )


def test_an_error_lists_the_columns_under_the_names_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, ["Subject,Pic,said", "a,i1,real"])
    with pytest.raises(AnalysisError, match=r"lacks the columns truth and answer \(it has: subject, pic, said\);"):
        read_csv(path, form=Form(map=["image=pic"]))


def test_columns_such_as_device_are_properties_of_people_in_tables_of_others(tmp_path: Path) -> None:
    lines = [f"{HEADER},device,kind", *(f"p{k % 4},i{k},real,real,{'phone' if k % 2 else 'pc'},x" for k in range(12))]
    people = read_csv(written(tmp_path, lines)).people
    assert people["device"].to_dict() == {"p0": "pc", "p1": "phone", "p2": "pc", "p3": "phone"}
    own = [f"{lines[0]},set_sha256", *(f"{line},abc" for line in lines[1:])]
    assert "device" not in read_csv(written(tmp_path, own)).people


def test_a_file_without_a_judgement_is_named(tmp_path: Path) -> None:
    """A file without column names would else be a person lost without a word."""
    (tmp_path / "a.csv").write_text(f"{HEADER}\na,i1,real,real\na,i2,generated,real\n")
    (tmp_path / "b.csv").write_text("b,i1,real,real\nb,i2,generated,real\n")
    answers = read_csv(tmp_path)
    assert answers.trials["participant"].unique().tolist() == ["a"]
    assert answers.notes == ("Without judgements of images: b.csv.",)
