"""Files in other shapes: JSON of columns, comments above the names, cells that are formulas, Italian and Spanish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.answers.form import Form
from analysis.answers.read import read_csv
from analysis.section import AnalysisError

ROWS = pd.DataFrame(
    [("a", "i1", "real", "real", 812), ("a", "i2", "generated", "real", 700), ("b", "i1", "real", "generated", 900)],
    columns=["participant", "image", "truth", "answer", "rt"],
)


def written(folder: Path, text: str, name: str = "answers.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def scored(path: Path, form: Form | None = None) -> list[list[Any]]:
    trials = read_csv(path, form=form).trials
    return [[*row] for row in trials[["participant", "image", "truth", "answer", "response_time_ms"]].to_numpy()]


@pytest.mark.parametrize("orient", ["columns", "index", "records", "split", "table", "lines", "list"])
@pytest.mark.parametrize("indent", [0, 2])
def test_json_in_any_form_that_pandas_writes_is_read(tmp_path: Path, orient: Any, indent: int) -> None:
    if orient == "list":
        text = json.dumps(ROWS.to_dict("list"), indent=indent or None)
    elif orient == "lines":
        text = ROWS.to_json(orient="records", lines=True)
    else:
        text = ROWS.to_json(orient=orient, indent=indent)
    assert scored(written(tmp_path, text, "answers.json")) == ROWS.to_numpy().tolist()


def test_json_columns_of_different_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"answers.json is JSON, .* \(an object of columns of different lengths\)"):
        read_csv(written(tmp_path, '{"participant": ["a", "b"], "image": ["i1"]}', "answers.json"))


COMMENTS = ["# exported 2025-11-02, study 3, v2", "# participant, image, truth, answer: see the manual, rt in ms", "#"]


@pytest.mark.parametrize("above", [COMMENTS, [COMMENTS[0]], [COMMENTS[2], "", COMMENTS[1]], COMMENTS * 30])
@pytest.mark.parametrize("below", [[], ["# end of file"]])
def test_comments_above_the_names_of_columns_are_left_out(tmp_path: Path, above: list[str], below: list[str]) -> None:
    lines = ROWS.to_csv(index=False).splitlines()
    path = written(tmp_path, "\n".join([*above, *lines, *below]))
    assert scored(path) == ROWS.to_numpy().tolist()
    n = len(above)
    assert read_csv(path).notes[0] == (
        f"answers.csv: left out {n} line{'s' * (n > 1)} of comments above the column names."
    )
    with pytest.raises(AnalysisError, match=rf"answers.csv, line {n + 2}: truth says 'x'"):
        read_csv(written(tmp_path, "\n".join([*above, lines[0], "a,i1,x,real,1"])))


def test_column_names_may_begin_with_the_mark_of_a_comment(tmp_path: Path) -> None:
    """As numpy.savetxt writes them."""
    text = ROWS.to_csv(index=False)
    assert scored(written(tmp_path, "# " + text)) == ROWS.to_numpy().tolist()
    assert scored(written(tmp_path, "# written by numpy, 2025\n#" + text)) == ROWS.to_numpy().tolist()
    numbered = "#,participant,image,truth,answer,rt\n#1,a,i1,real,real,812\n#2,a,i2,generated,real,700"
    assert scored(written(tmp_path, numbered)) == ROWS.to_numpy().tolist()[:2]


def test_a_form_whose_first_column_is_called_so_is_no_comment(tmp_path: Path) -> None:
    """As Typeform writes it, with questions that hold a comma."""
    lines = ['#,"Look at i1: real, or fake?","And i2, please?",Network ID', "8f1,real,fake,n1", "a2c,fake,fake,n2"]
    truth = written(tmp_path, "image,truth\ni1,real\ni2,generated", "truth.csv")
    form = Form(layout="wide", truth=truth, words=["generated=fake"], map=["participant=#"])
    for n in (2, 3):
        lines[0] = lines[0].replace(" fake?", " fake?\n(Look twice)") if n == 3 else lines[0]
        found = scored(written(tmp_path, "\n".join(lines[:n])), form)
        expected = [["8f1", "i1", "real", "real"], ["a2c", "i1", "real", "generated"]][: n - 1]
        assert [row[:4] for row in found if row[1] == "i1"] == expected


@pytest.mark.parametrize("quoted", ['="{}"', "='{}'", "'{}'"])
def test_formulas_of_a_text_are_that_text(tmp_path: Path, quoted: str) -> None:
    lines = [["participant", "image", "truth", "answer"], ["007", "i1", "real", "generated"]]
    path = written(tmp_path, "\n".join(",".join(map(quoted.format, line)) for line in lines))
    doubled = "\n".join(",".join('"' + quoted.format(cell).replace('"', '""') + '"' for cell in line) for line in lines)
    for found in (path, written(tmp_path, doubled, "quoted.csv")):
        assert [row[:4] for row in scored(found)] == [lines[1]]


def test_italian_and_spanish_columns_and_words_are_read(tmp_path: Path) -> None:
    lines = ["partecipante,immagine,truth,corretto", "a,i1,real,vero", "a,i2,generated,falso", "b,i1,real,sì"]
    form = Form(map=["correct=corretto"])
    assert [row[3] for row in scored(written(tmp_path, "\n".join(lines)), form)] == ["real", "real", "real"]
    lines = ["participante,imagen,truth,respuesta", "a,i1,real,real", "a,i2,generated,generada", "b,i1,real,"]
    form = Form(words=["generated=generada"])
    assert [row[3] for row in scored(written(tmp_path, "\n".join(lines)), form)] == ["real", "generated"]
    lines = ["participante,imagen,truth,nota", "a,i1,real,1 (generada)", "a,i2,generated,5 (auténtica)"]
    with pytest.raises(AnalysisError, match=r"'1 \(generada\)' is at the end of the scale that counts as real"):
        read_csv(written(tmp_path, "\n".join(lines)), form=Form(rating="nota:1..5"))


TRIALS = [
    {"participant": "a", "age": 31, "trials": ROWS[["image", "truth", "answer", "rt"]][:2].to_dict("records")},
    {"participant": "b", "age": 40, "trials": ROWS[["image", "truth", "answer", "rt"]][2:].to_dict("records")},
]


@pytest.mark.parametrize(
    ("text", "line"), [(json.dumps(TRIALS, indent=1), 20), ("\n".join(map(json.dumps, TRIALS)), 2)]
)
def test_json_with_a_list_of_judgements_for_each_participant_is_read(tmp_path: Path, text: str, line: int) -> None:
    path = written(tmp_path, text, "answers.json")
    assert scored(path) == ROWS.to_numpy().tolist()
    assert read_csv(path).people["age"].tolist() == ["31", "40"]
    with pytest.raises(AnalysisError, match=rf"answers.json, line {line}: answer says 'x'"):
        read_csv(written(tmp_path, text.replace('"answer": "generated"', '"answer": "x"'), "answers.json"))


def test_lists_beside_a_judgement_are_not_judgements(tmp_path: Path) -> None:
    """Such as the positions of a mouse."""
    rows = [{**row, "mouse": [{"x": 1, "y": 2}, {"x": 3, "y": 4}]} for row in ROWS.to_dict("records")]
    assert scored(written(tmp_path, json.dumps(rows), "answers.json")) == ROWS.to_numpy().tolist()


def test_the_truth_may_be_json_of_each_image(tmp_path: Path) -> None:
    path = written(tmp_path, ROWS.drop(columns="truth").replace({"i1": "I1.png", "i2": "I2.png"}).to_csv(index=False))
    truth = written(tmp_path, '{"I1.png": "real", "I2.png": "generated"}', "truth.json")
    assert [row[2] for row in scored(path, Form(truth=truth))] == ROWS["truth"].tolist()
