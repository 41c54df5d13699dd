"""A table that lacks columns is refused in one sentence that says what it is, and usual names are known."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis.answers.form import Form
from analysis.answers.read import read_csv
from analysis.section import AnalysisError

WORDS = ("real", "generated")


def written(folder: Path, lines: list[str], name: str = "f.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def answers(n: int = 6) -> list[str]:
    """Rows of participant, image, truth and answer; half of the answers are right."""
    return [f"p{k % 2},i{k}.png,{WORDS[k % 2]},{WORDS[k // 3]}" for k in range(n)]


@pytest.mark.parametrize(
    "header",
    [
        "record_id,image,truth,answer",
        "Respondent ID,Image URL,Ground Truth,response",
        "Reader,image_id,true_label,decision",
        "vp,Bild,truth,Antwort",
        "WorkerId,Input.image_url,truth,Answer.choice",
    ],
)
def test_usual_names_of_columns_need_no_option(tmp_path: Path, header: str) -> None:
    trials = read_csv(written(tmp_path, [header, *answers()])).trials
    assert trials[["participant", "image"]].iloc[1].tolist() == ["p1", "i1.png"]
    assert (trials["answer"] == trials["truth"]).tolist() == [True, False, True, True, False, True]


@pytest.mark.parametrize(
    "name", ["latency", "Response Latency (ms)", "Reaktionszeit", "resp_time", "RT [ms]", "temps de réponse"]
)
def test_usual_names_of_times_need_no_option(tmp_path: Path, name: str) -> None:
    lines = [f"participant,image,truth,answer,{name}", *(f"{row},{800 + k}" for k, row in enumerate(answers()))]
    assert read_csv(written(tmp_path, lines)).trials["response_time_ms"].tolist() == [800, 801, 802, 803, 804, 805]


@pytest.mark.parametrize(
    ("header", "remedy"),
    [
        ("ID,pic,Type,Pick", "--map participant=id --map image=pic --map truth=type --map answer=pick"),
        ("Case Code,file,is_fake,my vote",
         '--map "participant=case code" --map image=file --map truth=is_fake --map "answer=my vote"'),
    ],
)  # fmt: skip
def test_the_remedy_names_the_likely_columns(tmp_path: Path, header: str, remedy: str) -> None:
    with pytest.raises(AnalysisError) as error:
        read_csv(written(tmp_path, [header, *answers()]))
    assert str(error.value) == (
        "f.csv lacks the columns participant, image, truth and answer (it has: "
        f"{header.lower().replace(',', ', ')}); needed are participant, image (or stimulus), truth and answer. Name "
        f"another column with {remedy}, or the program that wrote the file with --layout."
    )
    assert len(read_csv(tmp_path / "f.csv", form=Form(map=[o.strip('" ') for o in remedy.split("--map ")[1:]])).trials)


@pytest.mark.parametrize(
    ("name", "values", "remedy"),
    [
        ("likert", (1, 5, 2), "--rating likert"),
        ("My Slider", (0, 100, 51), '--rating "my slider"'),
        ("slider", ("real", "fake", "fake"), "--map answer=slider"),
        ("shown", (1, 5, 2), "--map answer=COLUMN"),
    ],
)  # fmt: skip
def test_the_remedy_for_ratings_is_rating_and_no_time_is_an_answer(
    tmp_path: Path, name: str, values: tuple[object, ...], remedy: str
) -> None:
    rows = (f"p{k % 2},i{k}.png,{WORDS[k % 2]},{values[k % 3]},800,{k}" for k in range(6))
    path = written(tmp_path, [f"participant,image,truth,{name},resp_time,response_order", *rows])
    with pytest.raises(AnalysisError, match="lacks the column answer") as error:
        read_csv(path)
    assert str(error.value).endswith(f"with {remedy}, or the program that wrote the file with --layout.")


BY_IMAGE = [f"i{k},{WORDS[k % 2]},real,generated,real" for k in range(4)]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            answers(),
            "The first line of f.csv holds an answer (p0, i0.png, real, real), not the names of its columns: write "
            "them above it, such as participant,image,truth,answer.",
        ),
        (
            ["image,truth,P1,P2,P3", *BY_IMAGE],
            "f.csv has a row for each image and a column for each participant (p1, p2 and p3): write a row for each "
            "answer, or transpose it and use --layout wide.",
        ),
        (
            ["participant,i1,i2,i3", "p1,real,real,generated", "p2,generated,real,real", "right,1,2,1"],
            "f.csv has a row for each participant and a column for each image (i1, i2 and i3): read it with --layout "
            "wide and --truth, a table of these images with their truth.",
        ),
        (
            ["participant,p1,p1,p2", "image,i1,i2,i1", "truth,real,generated,real", "answer,real,real,real"],
            "f.csv has the names of its columns (answer, image, participant and truth) in the first column: transpose "
            "it, so that each answer is a row.",
        ),
        (
            ['[{"participant": "p1",', ' "trial": {"image": "i1", "truth": "real", "answer": "real"}},',
             '{"participant": "p2", "trial": {"image": "i1", "truth": "real", "answer": "real"}}]'],
            "f.csv, line 1: trial holds objects within an object: write one object, or a row of a CSV, for each "
            "answer, with its participant.",
        ),
        (
            ["id,model,num_correct,err_rt", "p1,ACGAN,171,0.145"],
            "f.csv holds results (num_correct), not answers: give the file that they were computed from, with a row "
            "for each answer.",
        ),
    ],
)  # fmt: skip
def test_a_table_of_another_form_is_refused_by_what_it_is(tmp_path: Path, lines: list[str], reason: str) -> None:
    with pytest.raises(AnalysisError) as error:
        read_csv(written(tmp_path, lines))
    assert str(error.value) == reason


def test_numbers_of_rows_that_r_writes_are_named(tmp_path: Path) -> None:
    rows = [f'"{k}",{row}' for k, row in enumerate(answers(), 1)]
    path = written(tmp_path, ["participant,image,truth,answer", *rows])
    with pytest.raises(AnalysisError) as error:
        read_csv(path)
    assert str(error.value) == (
        f"{path}, line 2 has 5 values, but line 1 names 4 columns: if R wrote the numbers of the rows, write the file "
        "with row.names = FALSE, else name every column, and put values that hold a ',' in quotes."
    )
    assert len(read_csv(written(tmp_path, ['"",participant,image,truth,answer', *rows])).trials) == 6


@pytest.mark.parametrize(
    "row", ["Total,,,3", ",,Summe,3", "Gesamtergebnis,6,3,3", "Mean,2.5,,0.5", "Count,6,,6", "Std. Dev.,2,,1"]
)
def test_rows_of_sums_and_means_are_left_out(tmp_path: Path, row: str) -> None:
    found = read_csv(written(tmp_path, ["participant,image,truth,answer", *answers(), row]))
    assert (len(found.trials), found.trials["participant"].nunique()) == (6, 2)
    assert found.notes == ("Left out: 1 row of sums or means, the first on f.csv, line 8.",)


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        (["Sum,i1,real,real", "Sum,i2,generated,real", "p9,i1,real,real"], 9),  # a person of that name
        (["p9,i1,real,real", "Sum,i1,real,real", "Sum,i2,generated,real"], 9),
        (["Total,4,2,2", "p9,i1,real,real", "Total,1,1,1"], 7),
        (["Sum,i1,real,real", "Sum,12,6,3"], 7),
        (["p9,i1,real,real", "Totale,i1,real,real"], 7),  # alone and last
        (["Totale,i1,real,real", "p9,i1,real,real"], 8),
    ],
)
def test_a_participant_called_sum_who_judged_images_stays(tmp_path: Path, rows: list[str], left: int) -> None:
    found = read_csv(written(tmp_path, ["participant,image,truth,answer", *answers(), *rows]))
    assert len(found.trials) == left
    assert any("of sums or means" in note for note in found.notes) == (left < 6 + len(rows))


@pytest.mark.parametrize("sums", [["Total,1,0,2", "Mean,0.5,0,1"], ["Total,1,0,1", "Mean,1,0,1"]])
def test_sums_of_codes_in_columns_of_images_are_left_out(tmp_path: Path, sums: list[str]) -> None:
    truth = written(tmp_path, ["image,truth", "i1,real", "i2,generated", "i3,real"], "truth.csv")
    form = Form(layout="wide", truth=truth, words=["answer.real=1", "answer.generated=0"])
    found = read_csv(written(tmp_path, ["participant,i1,i2,i3", "p1,1,0,1", "p2,0,0,1", *sums]), form=form)
    assert found.trials["participant"].tolist() == ["p1", "p2"] * 3
    form = Form(layout="wide", truth=truth)
    words = ["Sum,real,real,generated", "p2,real,generated,"]
    found = read_csv(written(tmp_path, ["participant,i1,i2,i3", *words]), form=form)
    assert sorted(found.trials["participant"]) == ["Sum"] * 3 + ["p2"] * 2


def test_a_misspelt_word_is_no_sum(tmp_path: Path) -> None:
    rows = [*answers(), "Sum,i1,real,real", "Sum,i2,generated,reall"]
    with pytest.raises(AnalysisError, match="line 9: answer says 'reall'; did you mean real"):
        read_csv(written(tmp_path, ["participant,image,truth,answer", *rows]))


def test_a_row_of_means_below_ratings_of_each_image_is_left_out(tmp_path: Path) -> None:
    lines = ["participant,i1,i2,i3", "p1,1,5,2", "p2,2,4,1", "Mittelwert,1.5,4.5,1.5"]
    truth = written(tmp_path, ["image,truth", "i1,real", "i2,generated", "i3,real"], "truth.csv")
    found = read_csv(written(tmp_path, lines), form=Form(layout="wide", truth=truth, rating="answer:1..5"))
    assert (len(found.trials), found.trials["said_generated"].sum()) == (6, 2)
    assert found.notes[0] == "Left out: 1 row of sums or means, the first on f.csv, line 4."


def test_the_remedy_for_a_table_of_images_names_its_likely_column(tmp_path: Path) -> None:
    path = written(tmp_path, ["participant,image,answer", "p,i1,real"])
    truth = written(tmp_path, ["image,is_fake", "i1,0"], "truth.csv")
    with pytest.raises(AnalysisError, match=r"lacks the column truth \(it has: image, is_fake\); .* truth=is_fake\.$"):
        read_csv(path, form=Form(truth=truth))


@pytest.mark.parametrize(
    ("header", "remedy"), [("path,truth", "--map image=path"), ("image,synthetic", "--map truth=synthetic")]
)
def test_the_remedy_for_a_table_of_images_knows_paths_and_synthetic(tmp_path: Path, header: str, remedy: str) -> None:
    path = written(tmp_path, ["participant,image,answer", "p,i1,real"])
    truth = written(tmp_path, [header, "i1,1"], "truth.csv")
    with pytest.raises(AnalysisError, match="lacks the column") as error:
        read_csv(path, form=Form(truth=truth))
    assert str(error.value).endswith(f"; name it with {remedy}.")


def test_a_wide_table_takes_its_participants_from_id(tmp_path: Path) -> None:
    path = written(tmp_path, ["id,i0.png,i1.png", "A7,real,real", "B9,real,generated"])
    truth = written(tmp_path, ["image,truth", "i0.png,real", "i1.png,generated"], "truth.csv")
    trials = read_csv(path, form=Form(layout="wide", truth=truth)).trials
    assert sorted(set(trials["participant"])) == ["A7", "B9"]


def test_files_of_single_columns_are_named_as_such(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        written(tmp_path, [f"main i{name} real 812 1", f"main i{name}2 generated 900 2"], f"{name}.txt")
    with pytest.raises(AnalysisError, match=r"^3 files \(a.txt ... c.txt\) have a single column, 'main ia real 812 1'"):
        read_csv(tmp_path)


def test_an_empty_column_of_right_and_wrong_hides_no_answers(tmp_path: Path) -> None:
    path = written(tmp_path, ["participant,image,truth,response,correct", "p,i1,real,real,", "p,i2,generated,real,"])
    assert read_csv(path).trials["answer"].tolist() == ["real", "real"]


def test_a_column_for_each_choice_is_refused(tmp_path: Path) -> None:
    lines = ["id,i1,,i2,", "1,Real,,,Fake", "2,,Fake,Real,", "3,Real,,,Fake"]
    truth = written(tmp_path, ["image,truth", "i1,real", "i2,generated"], "truth.csv")
    form = Form(layout="wide", truth=truth, words=["generated=fake"])
    with pytest.raises(AnalysisError) as error:
        read_csv(written(tmp_path, lines), form=form)
    assert str(error.value) == (
        "f.csv: the column after i1 has no name and holds other answers ('Fake'): export one column for each question, "
        "not for each choice."
    )


def test_a_column_of_generators_beside_the_truth_is_named(tmp_path: Path) -> None:
    rows = [f"{row},{model}" for row, model in zip(answers(), ["", "A", "", "B", "", "A"], strict=True)]
    found = read_csv(written(tmp_path, ["participant,image,truth,answer,Model", *rows]))
    assert found.notes == (
        "The column model has 2 values for generated images (A and B), which count as one generator: if they are "
        "several, --map source=model compares them.",
    )
    sets = read_csv(tmp_path / "f.csv", form=Form(map=["source=model"])).trials["set"]
    assert sorted(set(sets)) == ["A", "B"]
    of_people = [f"{row},{row[:2]}" for row in answers()]
    assert not read_csv(written(tmp_path, ["participant,image,truth,answer,model", *of_people, *of_people])).notes[1:]


def test_the_whole_name_of_an_image_comes_first_and_two_sets_of_one_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ["participant,image,answer", "p,1,real", "p,1.0,real", "p,2,real"])
    truth = written(tmp_path, ["image,truth", "1,real", "1.0,generated", "2,real"], "truth.csv")
    assert read_csv(path, form=Form(truth=truth)).trials["truth"].tolist() == ["real", "generated", "real"]
    written(tmp_path, ["image,truth,set", "1,real,A", "1.0,generated,A", "2,real,A", "2,real,B"], "truth.csv")
    with pytest.raises(AnalysisError) as error:
        read_csv(path, form=Form(truth=truth))
    assert str(error.value) == (
        "truth.csv, line 5: '2' has two sets; keep one, or none if all sets share it, or write the folders of images "
        "whose files have one name."
    )


def test_a_column_of_right_and_wrong_is_the_remedy_where_no_answer_is_found(tmp_path: Path) -> None:
    path = written(tmp_path, ["participant,image,truth,accuracy", "p,i1,real,1", "p,i2,generated,0"])
    with pytest.raises(AnalysisError, match=r"lacks the column answer .* --map correct=accuracy, or"):
        read_csv(path)
    assert read_csv(path, form=Form(map=["correct=accuracy"])).trials["answer"].tolist() == ["real", "real"]


def test_latency_gives_the_time_only_where_nothing_else_does(tmp_path: Path) -> None:
    rows = [f"{row},{800 + k},21" for k, row in enumerate(answers())]
    trials = read_csv(written(tmp_path, ["participant,image,truth,answer,rt,latency", *rows])).trials
    assert trials["response_time_ms"].tolist() == [800, 801, 802, 803, 804, 805]


def test_a_name_over_two_lines_is_one_name(tmp_path: Path) -> None:
    path = written(tmp_path, ['participant,"Which\nfile",truth,answer', *answers()])
    with pytest.raises(AnalysisError, match=r'it has: participant, which file, truth.* --map "image=which file"'):
        read_csv(path)
    trials = read_csv(path, ["which  file=i0.png"], Form(map=["image=Which file"])).trials
    assert trials["image"].tolist() == ["i0.png"]


@pytest.mark.parametrize(
    ("start", "kind"),
    [(b"%PDF-1.4", "a PDF"), (b"{\\rtf1", "rich text"), (b"<html>", "a web page"), (b"<!DOCTYPE html>", "a web page")],
)
def test_other_formats_are_named(tmp_path: Path, start: bytes, kind: str) -> None:
    (tmp_path / "f.csv").write_bytes(start)
    with pytest.raises(AnalysisError, match=f"f.csv is {kind}, not CSV: export the answers as CSV"):
        read_csv(tmp_path / "f.csv")


@pytest.mark.parametrize(
    ("header", "layout"),
    [
        ("subject_nr,count_trial_sequence,image,correct_response,response,correct", "opensesame"),
        ("rt,stimulus,response,trial_type,trial_index,subject", "jspsych"),
        ("image,corrAns,key_resp.keys,expName,date,participant", "psychopy"),
    ],
)
def test_the_layout_of_a_program_is_named(tmp_path: Path, header: str, layout: str) -> None:
    path = written(tmp_path, [header, ",".join("1" * len(header.split(",")))])
    with pytest.raises(
        AnalysisError, match=rf"f.csv lacks the column.*; others are .* read it with --layout {layout}\.$"
    ):
        read_csv(path)


def test_the_right_answer_is_the_truth_in_the_remedy_and_not_who_was_right(tmp_path: Path) -> None:
    path = written(tmp_path, ["participant,image,correct,correct_response,response", "p,i1,1,f,f"])
    with pytest.raises(AnalysisError, match=r"lacks the column truth .* --map truth=correct_response, or"):
        read_csv(path)
