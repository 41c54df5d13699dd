"""Columns of one meaning are found in each file by its own names, and a choice among several is reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.answers.form import Form
from analysis.answers.read import read_csv

HEADER = "participant,image,truth,answer"
COLUMNS = ["participant", "image", "truth", "answer"]


def written(folder: Path, lines: list[str], name: str = "answers.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("layout", [None, "jspsych"])
def test_each_file_has_its_own_names(tmp_path: Path, layout: str | None) -> None:
    a = written(tmp_path, [f"{HEADER},rt", "a,1.png,real,real,812", "a,2.png,generated,real,900"], "a.csv")
    b = written(
        tmp_path,
        [
            "rt,subject,stimulus,ground_truth,response",
            "700,b,1.png,real,generated",
            "650,b,2.png,generated,generated",
            "640,b,3.png,real,",
        ],
        "b.csv",
    )
    if layout:  # whose truth has another name
        b.write_text(b.read_text().replace("ground_truth", "correct_response"))
    answers = read_csv([b, a], form=Form(layout=layout))
    assert answers.trials[[*COLUMNS, "response_time_ms"]].to_numpy().tolist() == [
        ["b", "1.png", "real", "generated", 700],
        ["b", "2.png", "generated", "generated", 650],
        ["a", "1.png", "real", "real", 812],
        ["a", "2.png", "generated", "real", 900],
    ]
    assert answers.counts["missing_answers"] == 1
    note = answers.notes[-1]
    assert "participant from subject in b.csv" in note
    assert "answer from response in b.csv" in note


def test_a_column_of_map_is_that_of_the_files_that_have_it(tmp_path: Path) -> None:
    a = written(tmp_path, ["participant,image,truth,answer,choice", "a,1.png,real,7,generated"], "a.csv")
    b = written(tmp_path, [HEADER, "b,1.png,real,real"], "b.csv")
    trials = read_csv([a, b], form=Form(map=["answer=choice"])).trials
    assert trials[["participant", "answer"]].to_numpy().tolist() == [["a", "generated"], ["b", "real"]]


def test_times_of_two_units_are_joined(tmp_path: Path) -> None:
    a = written(tmp_path, [f"{HEADER},rt_ms", "a,1.png,real,real,812"], "a.csv")
    b = written(tmp_path, [f"{HEADER},reaction_time_s", "b,1.png,real,real,1.25"], "b.csv")
    assert read_csv([a, b]).trials["response_time_ms"].tolist() == [812, 1250]
    a = written(tmp_path, [f"{HEADER},rt", "a,1.png,real,real,812", "a,2.png,real,real,900"], "a.csv")
    b = written(tmp_path, [f"{HEADER},rt,date", "b,1.png,real,real,50,x"], "b.csv")  # alone of either unit
    assert read_csv([b, a]).trials["response_time_ms"].tolist() == [50, 812, 900]


def test_a_file_without_participants_is_one_beside_files_that_name_them(tmp_path: Path) -> None:
    a = written(tmp_path, [HEADER, "p1,1.png,real,real", "p2,1.png,real,real"], "a.csv")
    b = written(tmp_path, ["image,truth,answer,file", "1.png,real,real,x"], "b.csv")
    answers = read_csv([a, b])
    assert answers.trials["participant"].tolist() == ["p1", "p2", "b"]
    assert answers.notes == ("Without a column of participants, each file is one: b.csv.",)


def test_a_questionnaire_beside_the_answers_gives_no_answers(tmp_path: Path) -> None:
    a = written(tmp_path, [HEADER, "p1,1.png,real,real"], "a.csv")
    b = written(tmp_path, ["subject,question,response", "p1,age,31"], "b.csv")
    answers = read_csv([a, b])
    assert (answers.trials["answer"].tolist(), answers.counts["missing_answers"]) == (["real"], 0)


def psychopy(folder: Path, confidence: list[str]) -> Path:
    names = "participant,image,truth,key_resp_confidence.keys,key_resp_confidence.rt,key_resp_answer.keys"
    keys = ["f", "j", "f"]
    truths = ["real", "generated", "real"]
    rows = [f"p,{k}.png,{truths[k]},{confidence[k]},9,{key},0.{k + 1}" for k, key in enumerate(keys)]
    return written(folder, [f"{names},key_resp_answer.rt", *rows, "p,4.png,real,1,9,,"])


def test_the_column_whose_words_are_known_is_the_answer(tmp_path: Path) -> None:
    """Also where another has more values; the time is that of the same component."""
    form = Form(layout="psychopy", words=["real=f", "generated=j"])
    answers = read_csv(psychopy(tmp_path, ["1", "2", "3"]), form=form)
    assert answers.trials["answer"].tolist() == ["real", "generated", "real"]
    assert answers.trials["response_time_ms"].tolist() == [100, 200, 300]
    assert answers.notes == (
        "Read under other names: answer from key_resp_answer.keys and response_time_s from key_resp_answer.rt.",
    )


def test_columns_that_may_be_the_answer_are_named(tmp_path: Path) -> None:
    form = Form(layout="psychopy", words=["real=f,1", "generated=j,2"])
    path = psychopy(tmp_path, ["1", "2", "2"])
    answers = read_csv(path, form=form)
    assert answers.notes[-1] == (
        "answer is read from key_resp_confidence.keys, but key_resp_answer.keys may be meant: --map answer=COLUMN "
        "chooses."
    )
    form.map.append("answer=key_resp_answer.keys")
    answers = read_csv(path, form=form)
    assert answers.trials["response_time_ms"].tolist() == [100, 200, 300]
    assert answers.notes == ("Read under other names: response_time_s from key_resp_answer.rt.",)


def test_files_of_one_program_agree_on_the_component(tmp_path: Path) -> None:
    """The fuller column of all, even where a file has another one and a column more."""
    for name, header, rows in (
        ("a", "participant,image,truth,x.keys,y.keys", ["a,1,real,real,", "a,2,real,real,real", "a,3,real,real,"]),
        ("b", "participant,image,truth,x.keys,y.keys,date", ["b,1,real,,generated,d", "b,2,real,real,generated,d"]),
    ):
        written(tmp_path, [header, *rows], f"{name}.csv")
    answers = read_csv(tmp_path, form=Form(layout="psychopy"))
    assert (answers.trials["answer"].tolist(), answers.counts["missing_answers"]) == (["real"] * 4, 1)
    assert "answer is read from x.keys, but y.keys may be meant" in answers.notes[-1]


def test_opensesame_has_the_last_response_and_that_of_each_item(tmp_path: Path) -> None:
    header = "subject_nr,image,truth,response,response_answer,response_sure,response_time,response_time_answer"
    rows = ["1,1.png,real,4,f,4,300,812", "1,2.png,generated,2,f,2,310,900"]
    path = written(tmp_path, [header, *rows])
    answers = read_csv(path, form=Form(layout="opensesame", words=["real=f", "generated=j"]))
    assert answers.trials[["answer", "response_time_ms"]].to_numpy().tolist() == [["real", 812], ["real", 900]]
    assert answers.notes == (
        "Read under other names: participant from subject_nr, answer from response_answer and response_time_ms from "
        "response_time_answer.",
    )
    rows = ["1,1.png,real,f,f,j,300,812", "1,2.png,generated,j,f,j,310,900"]
    answers = read_csv(written(tmp_path, [header, *rows]), form=Form(layout="opensesame", words=["real=f,j"]))
    assert "answer is read from response, but response_answer and response_sure may be meant" in answers.notes[-1]
    one_item = [row.replace(",j,", ",f,") for row in rows]
    answers = read_csv(written(tmp_path, [header, *one_item]), form=Form(layout="opensesame", words=["real=f"]))
    assert not [note for note in answers.notes if "answer is read from" in note]


def test_a_file_that_says_only_who_was_right_has_answers_beside_files_that_say_them(tmp_path: Path) -> None:
    """The other file's empty column of keys does not make its 0 a missing answer."""
    written(tmp_path, [f"{HEADER},key_resp.keys", "a,1.png,real,real,f", "a,2.png,generated,real,f"], "a.csv")
    written(tmp_path, ["participant,image,truth,correct", "b,1.png,real,1", "b,2.png,generated,0"], "b.csv")
    answers = read_csv(tmp_path)
    assert answers.trials[["participant", "answer"]].to_numpy().tolist() == [["a", "real"]] * 2 + [["b", "real"]] * 2
    assert answers.counts["missing_answers"] == 0
    assert answers.notes == ("Where a file has no answers, they were derived from the truth and the column correct.",)
