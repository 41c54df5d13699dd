"""Answers as people have them: other columns, words, number formats, layouts and designs are read, or refused."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest

from analysis.answers.form import Form
from analysis.answers.read import read_csv
from analysis.section import AnalysisError

HEADER = "participant,image,truth,answer"
ROWS = ["a,i1,real,real", "a,i2,generated,real", "b,i1,real,generated", "b,i2,generated,generated"]


def written(folder: Path, lines: list[str], name: str = "answers.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def test_names_are_names(tmp_path: Path) -> None:
    lines = [HEADER + ",set", "NA,None,real,real,None", "null,NaN,generated,real,NA", "007,1.0,real,real,"]
    lines += ["NA,y,generated,real,None", "NA,z,real,real,NA", "NA,w,generated,real,"]
    trials = read_csv(written(tmp_path, lines)).trials
    assert trials["participant"].tolist() == ["NA", "null", "007", "NA", "NA", "NA"]
    assert trials["image"].tolist() == ["None", "NaN", "1.0", "y", "z", "w"]
    assert trials["set"].tolist() == ["None", "NA", "all"] * 2


def test_blank_rows_are_dropped_and_counted_and_lines_stay_right(tmp_path: Path) -> None:
    answers = read_csv(written(tmp_path, ["sep=,", HEADER, ROWS[0], "", ",,,", *ROWS[1:], ",,,"]))
    assert (len(answers.trials), answers.counts["blank_rows"]) == (4, 3)
    with pytest.raises(AnalysisError, match="line 5: truth says 'x'"):
        read_csv(written(tmp_path, ["sep=,", HEADER, ROWS[0], "", "a,i,x,real"]))


def test_columns_and_words_of_another_survey_are_mapped(tmp_path: Path) -> None:
    lines = ["subject_id,stim,kind,choice", "p,i1,0,human", "p,i2,1,J"]
    form = Form(
        map=["participant=subject_id", "image=stim", "truth=kind", "answer=choice"],
        words=["real=0,human,F", "generated=1,fake,AI,J"],
    )
    trials = read_csv(written(tmp_path, lines), form=form).trials
    assert trials[["participant", "image", "truth", "answer"]].to_numpy().tolist() == [
        ["p", "i1", "real", "real"],
        ["p", "i2", "generated", "generated"],
    ]


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("rt", ["1250", "980.5"], [1250, 980.5]),
        ("RT", ["1.25", "0.98"], [1250, 980]),
        ("reaction_time", ["1,250", "729"], [1250, 729]),
        ("rt_ms", ["50", "60"], [50, 60]),
        ("rt", ["812 ms", "1200 ms"], [812, 1200]),
        ("response time (s)", ["50", "60"], [50_000, 60_000]),
    ],
)
def test_usual_names_are_read_without_a_layout_with_a_note(
    tmp_path: Path, column: str, values: list[str], expected: list[float]
) -> None:
    rows = [f"p,i{k},real,generated,{v}" for k, v in enumerate(values)]
    lines = [line.replace(",", ";", 4) for line in (f"subject_id,stim.png,ground_truth,response,{column}", *rows)]
    answers = read_csv(written(tmp_path, [lines[0].replace("stim.png", "stimulus"), *lines[1:]]))
    assert answers.trials[["participant", "truth", "answer"]].to_numpy().tolist() == [["p", "real", "generated"]] * 2
    assert answers.trials["response_time_ms"].tolist() == expected
    (note,) = answers.notes
    assert note.startswith("Read under other names: response_time_")
    assert note.endswith(
        f"s from {column.lower()}, participant from subject_id, truth from ground_truth and answer from response."
    )


def test_times_that_may_be_in_either_unit_are_refused(tmp_path: Path) -> None:
    lines = [HEADER + ",rt", *(f"{row},{time}" for row, time in zip(ROWS, (50, 60, 30, 40), strict=True))]
    with pytest.raises(AnalysisError, match=r"column rt may be in ms or in s; give --map response_time_ms=rt or"):
        read_csv(written(tmp_path, lines))
    assert (
        read_csv(written(tmp_path, lines), form=Form(map=["response_time_s=rt"])).trials["response_time_ms"][0] == 5e4
    )
    both = written(tmp_path, [HEADER + ",rt,reaction_time", *(f"{row},900,1200" for row in ROWS)])
    with pytest.raises(AnalysisError, match=r"columns rt and reaction_time may all be response times; choose one"):
        read_csv(both)
    assert read_csv(both, form=Form(map=["response_time_ms=rt"])).trials["response_time_ms"].tolist() == [900] * 4
    empty = read_csv(written(tmp_path, [HEADER + ",rt", *(f"{row}," for row in ROWS)]))
    assert empty.trials["response_time_ms"].isna().all()


def test_times_that_cannot_be_read_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, [HEADER + ",rt", *(f"{row},1.2 h" for row in ROWS)])
    assert "4 values of response_time_ms are not a number" in " ".join(read_csv(path).notes)


def test_our_names_come_before_others(tmp_path: Path) -> None:
    lines = [HEADER + ",subject,response,rt,response_time_ms", *(f"{row},x,y,1,900" for row in ROWS)]
    answers = read_csv(written(tmp_path, lines))
    assert (answers.trials["participant"].tolist(), answers.notes) == (list("aabb"), ())
    lines = ["participant,image,truth,correct,response", "p,i1,real,1,f", "p,i2,real,0,j"]
    assert read_csv(written(tmp_path, lines)).trials["answer"].tolist() == ["real", "generated"]


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (Form(map=["participant"]), "write NAME=COLUMN"),
        (Form(map=["particpant=p"]), "did you mean 'participant'"),
        (Form(map=["participant=nobody"]), "has no column nobody"),
        (Form(words=["fake=1"]), "write real=WORD"),
        (Form(words=["real=1", "generated=1"]), "'1' already means real"),
        (Form(truth=Path("nowhere.csv")), "there is no file nowhere.csv"),
        (Form(rating="sure"), "has no column sure"),
    ],
)
def test_a_form_that_does_not_fit_is_refused(tmp_path: Path, form: Form, sentence: str) -> None:
    with pytest.raises(AnalysisError, match=sentence):
        read_csv(written(tmp_path, [HEADER, *ROWS]), form=form)


def test_a_separator_that_the_file_does_not_have_is_not_taken_from_its_line_for_excel(tmp_path: Path) -> None:
    assert len(read_csv(written(tmp_path, ["sep=;", HEADER, *ROWS])).trials) == 4


def test_several_files_a_folder_and_a_pattern_are_one_table(tmp_path: Path) -> None:
    one = written(tmp_path, [HEADER, *ROWS[:2]], "a.csv")
    two = written(tmp_path, [HEADER, *ROWS[2:]], "b.csv")
    for given in ([one, two], [tmp_path], [tmp_path / "*.csv"]):
        assert len(read_csv(given).trials) == 4
    written(tmp_path, [HEADER, *ROWS[:2]], "copy.csv")
    answers = read_csv([tmp_path])
    assert len(answers.trials) == 4, "a file with the same content is read once"
    assert "copy.csv has the same content as a.csv" in answers.notes[0]
    written(tmp_path, [HEADER, "c,i1,what,real"], "copy.csv")
    with pytest.raises(AnalysisError, match=r"copy.csv, line 2: truth says 'what'"):
        read_csv([tmp_path])


def test_folders_in_a_folder_are_read_and_their_files_of_one_name_are_several_participants(tmp_path: Path) -> None:
    for person, said in (("sub-01", "real"), ("sub-02", "generated")):
        (tmp_path / person / "beh").mkdir(parents=True)
        written(tmp_path / person / "beh", ["image,truth,answer", f"i1,real,{said}"], "data.CSV")
    written(tmp_path, ["All about this study."], "README.txt")
    answers = read_csv([tmp_path])
    assert answers.trials["participant"].tolist() == ["sub-01/beh/data", "sub-02/beh/data"]
    written(tmp_path / "sub-02" / "beh", ["image,truth,answer", "i1,real,what"], "data.CSV")
    with pytest.raises(AnalysisError, match=r"^sub-02/beh/data.CSV, line 2: answer says 'what'"):
        read_csv([tmp_path])


def test_column_names_among_the_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    """As `cat *.csv` joins the files of several participants."""
    path = written(tmp_path, [HEADER, *ROWS[:2], HEADER, *ROWS[2:], HEADER])
    answers = read_csv(path)
    assert len(answers.trials) == 4
    assert answers.notes == ("answers.csv: left out 2 lines repeating the column names.",)
    with pytest.raises(AnalysisError, match="line 5: truth says 'what'"):
        read_csv(written(tmp_path, [HEADER, *ROWS[:2], HEADER, "c,i1,what,real"]))


@pytest.mark.parametrize("layout", [None, "jspsych"])
@pytest.mark.parametrize("again", ["answer,participant,image,truth", "Participant,image,answer,rt,truth"])
def test_joined_files_of_other_columns_are_refused(tmp_path: Path, layout: str | None, again: str) -> None:
    """With a layout, the rows of the second would else be left out as no judgements."""
    path = written(tmp_path, [HEADER + ",rt", *(f"{row},900" for row in ROWS), again, "real,c,i1,real"])
    with pytest.raises(AnalysisError, match=r"line 6 names columns again, in another order or number than line 1"):
        read_csv(path, form=Form(layout=layout))


def test_characters_that_nobody_sees_do_no_harm(tmp_path: Path) -> None:
    """A byte-order mark within joined files, spaces of no width, and marks of the direction of writing."""
    rows = [ROWS[0] + "\u200b", *ROWS[1:2], "\ufeff" + HEADER, *ROWS[2:3], ROWS[3].replace(",i", ",\u200fi")]
    answers = read_csv(written(tmp_path, [HEADER.replace("truth", "\u2060truth"), *rows]))
    assert answers.trials["answer"].tolist() == [row.split(",")[3] for row in ROWS]
    assert answers.notes == ("answers.csv: left out 1 line repeating the column names.",)


def test_a_row_that_explains_the_columns_is_left_out_with_a_note(tmp_path: Path) -> None:
    labels = "Participant's number,Picture shown,What it was,Answer given"
    answers = read_csv(written(tmp_path, [HEADER, labels, *ROWS]))
    assert len(answers.trials) == 4
    assert answers.notes == ("answers.csv, line 2 explains the columns and is left out.",)
    with pytest.raises(AnalysisError, match="line 2: truth says 'fake'"):
        read_csv(written(tmp_path, [HEADER, "a,i9,fake,fake", *ROWS]))


def test_a_misspelt_answer_is_named_with_the_word_that_it_resembles(tmp_path: Path) -> None:
    with pytest.raises(
        AnalysisError, match=r"line 6: answer says 'Rael'; did you mean real\? Say what other words mean"
    ):
        read_csv(written(tmp_path, [HEADER, *ROWS, "c,i1,real,Rael"]))


def test_accents_are_those_that_people_type(tmp_path: Path) -> None:
    """macOS writes a letter and its accent as two characters."""
    rows = ["Zoë,Füße.png,künstlich,künstlich", "Zoë,i2,real,real"]
    path = written(tmp_path, [unicodedata.normalize("NFD", line) for line in [HEADER, *rows]])
    trials = read_csv(path, form=Form(words=["generated=künstlich"])).trials
    assert trials[["participant", "image"]].iloc[0].tolist() == ["Zoë", "Füße.png"]


def test_a_file_in_a_code_page_is_named_where_its_letters_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    path.write_text("\n".join(["участник,image,truth,answer", *ROWS]), encoding="cp1251")
    with pytest.raises(AnalysisError, match=r"^answers.csv is not in UTF-8 and was read as .*: .* no column участник;"):
        read_csv(path, form=Form(map=["participant=участник"]))


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "shift_jis", "gbk", "mac_roman"])
@pytest.mark.parametrize("column", range(4))
def test_names_in_a_code_page_come_with_a_note(tmp_path: Path, encoding: str, column: int) -> None:
    name = {"shift_jis": "太郎", "gbk": "李雷", "mac_roman": "Zoë"}.get(encoding, "Анна")
    row = ["c", "i3", "real", "real", "yes"]
    row[column if column < 2 else 4] = name
    lines = [HEADER + (",trained" if column < 3 else f",{name}"), *(f"{r},no" for r in ROWS), ",".join(row)]
    path = tmp_path / "answers.csv"
    path.write_bytes("\n".join(lines).encode(encoding))
    (note,) = read_csv(path).notes
    assert re.fullmatch(
        "answers.csv is not in UTF-8 and was read as Windows-1252; if '.+' looks wrong, save it as CSV in UTF-8.", note
    )
    path.write_text("\n".join(lines), encoding="utf-8")
    assert not read_csv(path).notes


def test_images_are_found_by_the_longest_end_of_their_names(tmp_path: Path) -> None:
    images = written(tmp_path, ["image,truth", "real/1.png,real", "fake/1.png,generated", "2,real"], "images.csv")
    path = written(tmp_path, ["participant,image,answer", "a,img/real/1.png,real", "a,fake/1,real", "a,x/2.JPG,real"])
    trials = read_csv(path, form=Form(truth=images)).trials
    assert trials["image"].tolist() == ["real/1.png", "fake/1.png", "2"]
    assert trials["truth"].tolist() == ["real", "generated", "real"]
    with pytest.raises(
        AnalysisError, match=r"line 2: the image '1.png' may be 'real/1.png' or 'fake/1.png' of images.csv"
    ):
        read_csv(written(tmp_path, ["participant,image,answer", "a,1.png,real"]), form=Form(truth=images))


def test_of_columns_that_name_an_image_the_answer_is_that_of_its_name_alone_and_no_time(tmp_path: Path) -> None:
    images = written(tmp_path, ["image,truth", "a.png,real", "b.png,generated"], "images.csv")
    names = ["participant", "a", "a confidence", "Is b.png real?", "Timing b.png - First Click", "b.png - Page Submit"]
    path = written(tmp_path, [",".join(names), "p,real,4,real,1.2,3.4"])
    assert judgements(path, Form(truth=images, layout="wide")) == [("p", "real", "real"), ("p", "generated", "real")]


def test_a_wide_table_names_its_images_in_questions_with_or_without_ending(tmp_path: Path) -> None:
    images = written(tmp_path, ["image,truth", "real_1.png,real", "fake_1.png,generated"], "images.csv")
    path = written(tmp_path, ["Your ID,Is it real? [real_1.png],Is fake_1 real?", "a,real,real", "b,real,generated"])
    form = Form(truth=images, layout="wide", map=["participant=Your ID"])
    assert sorted(judgements(path, form)) == [
        ("a", "generated", "real"), ("a", "real", "real"), ("b", "generated", "generated"), ("b", "real", "real"),
    ]  # fmt: skip
    with pytest.raises(AnalysisError, match="--layout wide needs --truth"):
        read_csv(path, form=Form(layout="wide"))


def test_the_truth_comes_from_a_second_table(tmp_path: Path) -> None:
    images = written(tmp_path, ["image,truth,set", "i1,real,x", "i2,generated,x"], "images.csv")
    path = written(tmp_path, ["participant,image,answer", "a,pics/i1,real", "a,i2,generated"])
    trials = read_csv(path, form=Form(truth=images)).trials
    assert trials["truth"].tolist() == ["real", "generated"]
    assert trials["set"].tolist() == ["x", "x"]
    with pytest.raises(AnalysisError, match=r"answers.csv, line 2: the image 'i9' is not in images.csv"):
        read_csv(written(tmp_path, ["participant,image,answer", "a,i9,real", "a,i2,real"]), form=Form(truth=images))


def test_answers_beside_no_image_are_refused_with_the_remedy(tmp_path: Path) -> None:
    """As of jsPsych, where the question is a trial after the one that shows the image."""
    lines = [
        "subject_id,stimulus,response,trial_type,truth",
        "p,img/1.png,null,image-keyboard-response,real",
        "p,<p>Real?</p>,real,html-button-response,real",
    ]
    with pytest.raises(
        AnalysisError, match=r"has answers only in rows that name no image, first on answers.csv, line 3: "
    ):
        read_csv(written(tmp_path, lines), form=Form(layout="jspsych"))


@pytest.mark.parametrize("line", ["{} {} {} {}", '"{},{},{},{}"', "{}\u060c{}\u060c{}\u060c{}"])
def test_a_table_of_a_single_column_is_named_as_one(tmp_path: Path, line: str) -> None:
    path = written(tmp_path, [line.format(*row.split(",")) for row in (HEADER, *ROWS)])
    with pytest.raises(AnalysisError, match=r"has a single column, 'participant.*answer': separate the columns with"):
        read_csv(path)


def test_a_rating_gives_the_answer_by_its_middle(tmp_path: Path) -> None:
    lines = ["participant,image,truth,likert", *(f"p,i{k},real,{k}" for k in range(1, 6)), "p,i9,real,-1"]
    path = written(tmp_path, lines)
    with pytest.raises(AnalysisError, match=r"state the scale, as in --rating likert:1..5"):
        read_csv(path, form=Form(rating="likert"))
    answers = read_csv(path, form=Form(rating="likert:1..5"))
    assert answers.trials["answer"].tolist() == ["real", "real", "generated", "generated"]
    assert answers.trials["rating"].tolist() == [1, 2, 4, 5]
    assert (answers.counts["unsure_answers"], answers.counts["missing_answers"]) == (1, 1)
    with pytest.raises(
        AnalysisError, match=r"WORD, or, if these are ratings, write --rating COLUMN \(here: 1, 2, 3, 4, ...\)"
    ):
        read_csv(path, form=Form(map=["answer=likert"]))
    turned = read_csv(path, form=Form(rating="likert:5..1"))
    assert turned.trials["rating"].tolist() == [5, 4, 2, 1]


def test_a_minus_may_be_that_of_typesetters(tmp_path: Path) -> None:
    """Read as missing, the ratings of 'real' would be lost, and the rest be another scale."""
    lines = ["participant,image,truth,likert", *(f"p,i{k},real,{r}" for k, r in enumerate(("−2", "-1", "1", "2")))]
    answers = read_csv(written(tmp_path, lines), form=Form(rating="likert"))
    assert answers.trials["rating"].tolist() == [-2, -1, 1, 2]


def test_right_and_wrong_beside_the_truth_give_the_answer(tmp_path: Path) -> None:
    rows = ["p,i1,real,1", "p,i2,real,0.0", "p,i3,generated,TRUE", "p,i4,generated,wrong", "p,i5,real,"]
    path = written(tmp_path, ["participant,image,truth,key_resp.corr", *rows])
    answers = read_csv(path, form=Form(map=["correct=key_resp.corr"]))
    assert answers.trials["answer"].tolist() == ["real", "generated", "generated", "real"]
    assert answers.counts["missing_answers"] == 1
    path = written(tmp_path, ["participant,image,truth,correct", "p,i1,real,2", "p,i2,real,1"])
    with pytest.raises(AnalysisError, match=r"line 2: correct says '2'; write 1 .* with --words missing=WORD"):
        read_csv(path)
    answers = read_csv(path, form=Form(words=["missing=2"]))
    assert (answers.trials["answer"].tolist(), answers.counts["missing_answers"]) == (["real"], 1)


def test_points_of_a_scale_with_labels_are_their_numbers(tmp_path: Path) -> None:
    """The ends of a scale alone have labels in many surveys; read as missing, the rest would be another scale."""
    ratings = ["1 (surely real)", "2", "3", "4", "5 - surely fake", "skipped"]
    path = written(tmp_path, ["participant,image,truth,likert", *(f"p,i{k},real,{r}" for k, r in enumerate(ratings))])
    answers = read_csv(path, form=Form(rating="likert"))
    assert answers.trials["rating"].tolist() == [1, 2, 4, 5]
    assert "from 1 (real) to 5 (generated" in answers.notes[0]
    assert "line 7: 'skipped'" in answers.notes[0]


def test_percentages_are_ratings_and_words_are_refused(tmp_path: Path) -> None:
    header = "participant,image,truth,answer,sure"
    path = written(tmp_path, [header, "p,i1,real,real,100 %", "p,i2,real,real,50%"])
    confidence = read_csv(path, form=Form(confidence="sure:50..100")).trials["confidence"]
    assert confidence.tolist() == [1, 0]
    with pytest.raises(AnalysisError, match=r"is a number \(answers.csv, line 2: 'very'\); write the points"):
        read_csv(written(tmp_path, [header, "p,i1,real,real,very"]), form=Form(confidence="sure"))


def test_confidence_whose_labels_run_the_other_way_is_refused_with_the_remedy(tmp_path: Path) -> None:
    labels = ["4 (just guessing)", "3", "2", "1 (very sure)"]
    lines = ["participant,image,truth,answer,sure", *(f"p,i{k},real,real,{label}" for k, label in enumerate(labels))]
    path = written(tmp_path, lines)
    with pytest.raises(AnalysisError, match=r"line 2: '4 \(just guessing\)' is at the end .* --confidence sure:4..1"):
        read_csv(path, form=Form(confidence="sure"))
    confidence = read_csv(path, form=Form(confidence="sure:4..1")).trials["confidence"]
    assert confidence.tolist() == pytest.approx([0, 1 / 3, 2 / 3, 1])
    mild = [line.replace("4 (just guessing)", "4 (very sure)").replace("1 (very", "1 (slightly") for line in lines]
    assert len(read_csv(written(tmp_path, mild), form=Form(confidence="sure")).trials) == 4


@pytest.mark.parametrize("form", [Form(rating="likert", words=["missing=99"]), Form(rating="likert:1..5")])
def test_codes_of_ratings_may_be_missing(tmp_path: Path, form: Form) -> None:
    lines = ["participant,image,truth,likert", *(f"p,i{k},real,{r}" for k, r in enumerate((1, 2, 4, 5, 99)))]
    path = written(tmp_path, lines)
    with pytest.raises(
        AnalysisError, match=r"run from 1 to 99, .* as in --rating likert:1..5, or 1..99 if all are ratings\.$"
    ):
        read_csv(path, form=Form(rating="likert"))
    assert read_csv(path, form=form).trials["rating"].tolist() == [1, 2, 4, 5]


def test_words_may_hold_commas_and_either_apostrophe(tmp_path: Path) -> None:
    rows = ['a,i1,real,"Yes, real"', 'a,i2,generated,"No, it’s AI"', "a,i3,generated,I don’t know"]
    path = written(tmp_path, [HEADER, *rows])
    with pytest.raises(AnalysisError, match=r"--words missing=WORD, a word with a comma in quotes \(here: Yes, real, "):
        read_csv(path)
    words = ['real="Yes, real"', 'generated=fake,"No, it\'s AI"', "unsure=I don't know"]
    answers = read_csv(path, form=Form(words=words))
    assert answers.trials["answer"].tolist() == ["real", "generated"]
    assert answers.counts["unsure_answers"] == 1


def test_unsure_is_left_out_or_half_right(tmp_path: Path) -> None:
    path = written(tmp_path, [HEADER, *ROWS, *(f"c,u{i},{'real' if i % 2 else 'generated'},unsure" for i in range(8))])
    out = read_csv(path)
    assert (len(out.trials), out.counts["unsure_answers"]) == (4, 8)
    half = read_csv(path, form=Form(unsure="half")).trials
    doubts = half[half["participant"] == "c"]
    assert (doubts["answer"] == doubts["truth"]).groupby(doubts["truth"]).sum().tolist() == [2, 2]


# ------------------------------------------------------------------------------------------------ layouts


def test_jspsych(tmp_path: Path) -> None:
    lines = [
        '"rt","stimulus","response","trial_type","trial_index","time_elapsed","subject_id"',
        '"null","<p>Welcome</p>","null","html-button-response","0","900","s1"',
        '"null","","null","preload","1","950","s1"',
        '"812","img/real/1.png","0","image-button-response","2","2000","s1"',
        '"640","<img src=""img/fake/2.png"">","1","html-button-response","3","3000","s1"',
        '"null","img/fake/3.png","null","image-button-response","4","6000","s1"',
    ]
    form = Form(layout="jspsych", words=["real=0", "generated=1,fake"])
    answers = read_csv(written(tmp_path, lines), form=form)
    assert answers.trials[["participant", "truth", "answer", "response_time_ms"]].to_numpy().tolist() == [
        ["s1", "real", "real", 812],
        ["s1", "generated", "generated", 640],
    ]
    assert answers.counts["missing_answers"] == 1
    assert "Left out: 2 rows without a judgement of an image" in answers.notes[0]


def test_psychopy_one_file_a_participant(tmp_path: Path) -> None:
    header = "truth,image,trials.thisN,welcome.keys,key_resp.keys,key_resp.rt,participant,date"
    for who in ("p1", "p2"):
        lines = [header, f",,,space,,,{who},d", f"real,i1,0,,f,0.812,{who},d", f"generated,i2,1,,j,1.25,{who},d"]
        written(tmp_path, lines, f"{who}_glance.csv")
    form = Form(layout="psychopy", words=["real=f", "generated=j"])
    trials = read_csv([tmp_path], form=form).trials
    assert trials["participant"].tolist() == ["p1", "p1", "p2", "p2"]
    assert trials["answer"].tolist() == ["real", "generated"] * 2
    assert trials["response_time_ms"].tolist() == [812, 1250] * 2


def test_qualtrics_with_a_column_for_each_image(tmp_path: Path) -> None:
    lines = [
        "Status,ResponseId,Q1,Q2",
        'Response Type,Response ID,"Real, or not?","Real, or not?"',
        '"{""ImportId"":""status""}","{""ImportId"":""_recordId""}","{""ImportId"":""QID1""}","{""ImportId"":""QID2""}"',
        "Survey Preview,R_0,Real,Real",
        "IP Address,R_1,Real,Generated",
        "IP Address,R_2,Generated,",
    ]
    images = written(tmp_path, ["image,truth", "Q1,real", "Q2,generated"], "images.csv")
    answers = read_csv(written(tmp_path, lines), form=Form(layout="qualtrics", truth=images))
    assert sorted(map(tuple, answers.trials[["participant", "image", "answer"]].to_numpy())) == [
        ("R_1", "Q1", "real"),
        ("R_1", "Q2", "generated"),
        ("R_2", "Q1", "generated"),
    ]
    assert answers.counts["missing_answers"] == 1


def test_joined_exports_of_qualtrics_have_their_three_rows_twice(tmp_path: Path) -> None:
    head = ["ResponseId,Q1,Q2", "Response ID,Is i1 real?,Is i2 real?"]
    head += [",".join(f'"{{""ImportId"":""{name}""}}"' for name in ("_recordId", "QID1", "QID2"))]
    images = written(tmp_path, ["image,truth", "i1,real", "i2,generated"], "images.csv")
    path = written(tmp_path, [*head, "R_1,real,generated", *head, "R_2,real,real"])
    answers = read_csv(path, form=Form(layout="qualtrics", truth=images))
    assert sorted(answers.trials["answer"]) == ["generated", "real", "real", "real"]
    assert answers.notes[0] == "answers.csv: left out 1 line repeating the column names."


def test_qualtrics_columns_are_found_by_their_question(tmp_path: Path) -> None:
    lines = [
        "ResponseId,1_Q5,2_Q5",
        'Response ID,"img/skin 1.png\n- Real or not?","Is skin 10.png real?"',
        '"{""ImportId"":""_recordId""}","{""ImportId"":""1_QID5""}","{""ImportId"":""2_QID5""}"',
        "R_1,Real,Generated",
        "R_2,Real,nonsense",
    ]
    images = written(tmp_path, ["image,truth", "skin 1.png,real", "skin 10.png,generated"], "images.csv")
    form = Form(layout="qualtrics", truth=images)
    found = judgements(written(tmp_path, lines[:4]), form)
    assert found == [("R_1", "real", "real"), ("R_1", "generated", "generated")]
    with pytest.raises(AnalysisError, match=r"answers.csv, line 6: answer says 'nonsense'"):
        read_csv(written(tmp_path, lines), form=form)


def test_a_column_that_asks_about_another_image_in_another_file_is_refused(tmp_path: Path) -> None:
    files = []
    for name, first, second in (("a.csv", "x1.png", "x2.png"), ("b.csv", "x2.png", "x1.png")):
        ids = ['"{""ImportId"":""_recordId""}"', '"{""ImportId"":""QID1""}"', '"{""ImportId"":""QID2""}"']
        asked = f"Response ID,Is {first} real?,Is {second} real?"
        lines = ["ResponseId,Q1,Q2", asked, ",".join(ids), f"R_{name},Real,Generated"]
        files.append(written(tmp_path, lines, name))
    images = written(tmp_path, ["image,truth", "x1.png,real", "x2.png,generated"], "images.csv")
    form = Form(layout="qualtrics", truth=images)
    assert judgements(files[0], form) == [("R_a.csv", "real", "real"), ("R_a.csv", "generated", "generated")]
    with pytest.raises(AnalysisError, match=r"b.csv: two columns are called q1 and differ"):
        read_csv(files, form=form)


def test_columns_of_several_files_may_be_spelt_differently(tmp_path: Path) -> None:
    files = [written(tmp_path, [HEADER, *ROWS[:2]], "a.csv")]
    files.append(written(tmp_path, ["Participant, IMAGE ,Truth,Answer", *ROWS[2:]], "b.csv"))
    answers = read_csv(files)
    assert answers.trials["participant"].tolist() == ["a", "a", "b", "b"]
    assert answers.counts["blank_rows"] == 0


def test_rows_of_a_wide_table_without_ids_are_participants_even_if_sent_in_the_same_second(tmp_path: Path) -> None:
    rows = ["Timestamp,Q1,Q2", "12/5/2025 13:39:58,Real,Generated", "12/5/2025 13:39:58,Real,Real"]
    images = written(tmp_path, ["image,truth", "Q1,real", "Q2,generated"], "images.csv")
    files = [written(tmp_path, rows, "quiz.csv"), written(tmp_path, [*rows, rows[1]], "later.csv")]
    trials = read_csv(files, form=Form(layout="wide", truth=images)).trials
    assert trials.groupby("participant")["image"].apply(sorted).tolist() == [["Q1", "Q2"]] * 5


def test_lines_are_counted_as_an_editor_does_after_quoted_line_breaks(tmp_path: Path) -> None:
    lines = [HEADER + ",comment", 'a,i1,real,real,"two\nlines"', "a,i2,generated,real,", "a,i3,x,real,"]
    with pytest.raises(AnalysisError, match=r"one.csv, line 5: truth says 'x'"):
        read_csv(written(tmp_path, lines, "one.csv"))
    first = written(tmp_path, lines[:3], "a.csv")
    with pytest.raises(AnalysisError, match=r"b.csv, line 3: truth says 'x'"):
        read_csv([first, written(tmp_path, [lines[0], *lines[2:]], "b.csv")])


def test_psychopys_lists_of_times_count_by_their_last_entry(tmp_path: Path) -> None:
    lines = [
        "participant,image,truth,mouse.clicked_name,mouse.time",
        "p,i1,real,['real'],[0.812]",
        "p,i2,generated,\"['real', 'generated']\",\"[0.5, 1.25]\"",
        "p,i3,real,[],[]",
    ]
    answers = read_csv(written(tmp_path, lines), form=Form(layout="psychopy"))
    assert answers.trials[["answer", "response_time_ms"]].to_numpy().tolist() == [["real", 812], ["generated", 1250]]
    assert "1 row with several keys or clicks: the last one counts" in " ".join(answers.notes)
    assert answers.counts["missing_answers"] == 1


def test_workbooks_beside_the_tables_of_a_folder_are_reported(tmp_path: Path) -> None:
    written(tmp_path, [HEADER, *ROWS])
    (tmp_path / "more.xlsx").write_bytes(b"PK\x03\x04")
    answers = read_csv(tmp_path)
    assert len(answers.trials) == 4
    assert "Not read: more.xlsx (1 file in other formats beside the tables); export" in answers.notes[0]


PROLIFIC = [
    "Submission id,Participant id,Status,Age,Sex",
    "s1,5f01,APPROVED,31,Female",
    "s2,5f02,APPROVED,DATA_EXPIRED,Male",
    "s3,5f03,RETURNED,44,Male",
]


def test_prolifics_demographics_describe_the_participants(tmp_path: Path) -> None:
    lines = [HEADER + ",prolific_pid", *(f"{row},{'5f01' if row[0] == 'a' else '5f02'}" for row in ROWS)]
    answers, people = written(tmp_path, lines), written(tmp_path, PROLIFIC, "prolific_export_1.csv")
    for given, form in ((tmp_path, None), (answers, Form(people=people))):
        found = read_csv(given, ["sex=female"], form)
        assert found.trials["participant"].tolist() == ["a", "a"], "its columns are columns of the answers"
        assert (
            "describes 2 of 2 participants (matched by prolific_pid): submission id, status, age, sex."
            in found.notes[0]
        )
    assert read_csv(answers, ["age=31"], Form(people=people)).counts["filtered_out"] == 2
    stranger = written(tmp_path / "..", [HEADER, *ROWS], "stranger.csv")
    with pytest.raises(AnalysisError, match=r"None of the participants of stranger.csv is in prolific_export_1.csv"):
        read_csv(stranger, form=Form(people=people))


def test_rows_of_one_participant_that_differ_are_refused_or_named(tmp_path: Path) -> None:
    people = ["id,sex,age", "a,f,30", "b,m,40", "a,f,31", "b,m,40", "c,f,20", "c,m,20"]  # c answered nothing
    found = read_csv(written(tmp_path, [HEADER, *ROWS]), form=Form(people=written(tmp_path, people, "people.csv")))
    assert found.people.loc["a", "age"] == "30"
    assert found.notes[0].endswith(
        "sex, age. It has rows of 1 participant that differ, of which the first counts: check a (age)."
    )


def test_a_running_number_of_rows_identifies_no_participant(tmp_path: Path) -> None:
    """It holds more of the people's IDs than the participants' numbers do."""
    people = written(tmp_path, ["id,sex", "1,f", "2,m", "3,f", "4,f"], "people.csv")
    numbered = [f"{'12'[row[0] == 'b']}{row[1:]},{i}" for i, row in enumerate(ROWS, 1)]
    answers = written(tmp_path, [HEADER + ",row", *numbered], "numbered.csv")
    found = read_csv(answers, ["sex=m"], Form(people=people))
    assert found.trials["participant"].tolist() == ["2", "2"]
    assert "describes 2 of 2 participants (matched by participant): sex." in found.notes[0]
    answers = written(tmp_path, [HEADER + ",row", *(f"{row},{i}" for i, row in enumerate(ROWS, 1))], "lettered.csv")
    with pytest.raises(AnalysisError, match=r"None of the participants of lettered.csv is in people.csv"):
        read_csv(answers, form=Form(people=people))


def test_gorilla(tmp_path: Path) -> None:
    lines = [
        "Event Index,Participant Private ID,Trial Number,Zone Type,Reaction Time,Response,image,truth",
        "1,77,1,fixation,500.0,,i1.png,real",
        "2,77,1,response_button_text,812.5,Real,i1.png,real",
        "3,77,2,response_button_text,700.5,Fake,i2.png,generated",
        "END OF FILE,,,,,,,",
    ]
    answers = read_csv(written(tmp_path, lines), form=Form(layout="gorilla", words=["generated=fake"]))
    assert answers.trials[["participant", "image", "answer", "position"]].to_numpy().tolist() == [
        ["77", "i1.png", "real", 1],
        ["77", "i2.png", "generated", 2],
    ]


def judgements(path: Path, form: Form) -> list[tuple[str, ...]]:
    return list(map(tuple, read_csv(path, form=form).trials[["participant", "truth", "answer"]].to_numpy()))


def test_gorillas_column_answer_is_the_correct_answer(tmp_path: Path) -> None:
    lines = [
        "Event Index,Participant Private ID,Trial Number,Response Type,Response,Reaction Time,Spreadsheet: image,"
        "ANSWER",
        "1,77,BEGIN TASK,,,,,",
        "2,77,1,info,,,i1.png,Real",
        "3,77,1,response,Fake,812.5,i1.png,Real",
        "4,77,2,response,Fake,700.5,i2.png,Fake",
        "END OF FILE,,,,,,,",
    ]
    form = Form(layout="gorilla", words=["generated=fake"])
    found = judgements(written(tmp_path, lines), form)
    assert found == [("77", "real", "generated"), ("77", "generated", "generated")]


def test_lab_js_has_a_row_for_each_screen_sequence_and_loop(tmp_path: Path) -> None:
    lines = [
        "sender,sender_type,sender_id,timestamp,meta,participant,image,truth,duration,ended_on,response,url",
        'Form,html.Form,0,t,"{""labjs_version"":""20.2.4""}",ann,,,901.1,form submission,,{}',
        "Fixation,canvas.Screen,1_0_0,t,,,i1,real,500.1,timeout,,",
        "Image,canvas.Screen,1_0_1,t,,,i1,real,812.5,response,real,",
        "Trial,flow.Sequence,1_0,t,,,i1,real,1312.6,completion,,",
        "Fixation,canvas.Screen,1_1_0,t,,,i2,generated,500.1,timeout,,",
        "Image,canvas.Screen,1_1_1,t,,,i2,generated,3000.0,timeout,,",
        "Trial,flow.Sequence,1_1,t,,,i2,generated,3500.1,completion,,",
        "Loop,flow.Loop,1,t,,,,,4812.7,completion,,",
        "root,flow.Sequence,,t,,,,,5000,completion,,",
    ]
    answers = read_csv(written(tmp_path, lines), form=Form(layout="labjs"))
    assert answers.trials[["participant", "image", "answer", "response_time_ms"]].to_numpy().tolist() == [
        ["ann", "i1", "real", 812.5]
    ]
    assert answers.counts["missing_answers"] == 1


def test_opensesame_in_a_browser_calls_every_participant_0(tmp_path: Path) -> None:
    header = '"correct_response","count_trial_sequence","image","response","response_time","subject_nr"'
    for name, time in (("one", 812), ("two", 640)):
        lines = [header, f'"f","0","i1.png","f","{time}","0"', '"j","1","i2.png","None","3000","0"']
        written(tmp_path, lines, f"{name}.csv")
    answers = read_csv([tmp_path], form=Form(layout="opensesame", words=["real=f", "generated=j"]))
    assert answers.trials["participant"].tolist() == ["one", "two"]
    assert answers.trials["truth"].tolist() == ["real", "real"]
    assert answers.counts["missing_answers"] == 2


def test_formr_has_a_row_an_item(tmp_path: Path) -> None:
    images = written(tmp_path, ["image,truth", "skin_1,real", "skin_2,generated"], "images.csv")
    rows = ["session,item_name,answer", "XyZ,consent,yes", "XyZ,skin_1,real", "XyZ,skin_2,real"]
    found = judgements(written(tmp_path, rows), Form(layout="formr", truth=images))
    assert found == [("XyZ", "real", "real"), ("XyZ", "generated", "real")]


def test_a_fixation_cross_is_not_an_image(tmp_path: Path) -> None:
    header = "rt,stimulus,response,trial_type,trial_index,truth,subject"
    lines = [header, "null,+,null,html-keyboard-response,0,real,s", "640,i1.png,real,image-button-response,1,real,s"]
    answers = read_csv(written(tmp_path, lines), form=Form(layout="jspsych"))
    assert (len(answers.trials), answers.counts["missing_answers"]) == (1, 0)


@pytest.mark.parametrize("start", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b"])
def test_workbooks_and_archives_are_refused_with_the_remedy(tmp_path: Path, start: bytes) -> None:
    (tmp_path / "answers.xlsx").write_bytes(start + b"\0\1")
    with pytest.raises(AnalysisError, match=r"answers\.xlsx is .*, not CSV: export the answers as CSV"):
        read_csv(tmp_path / "answers.xlsx")


def test_a_code_beyond_the_scale_is_refused(tmp_path: Path) -> None:
    lines = ["participant,image,truth,sure", *(f"p,i{k},real,{k}" for k in (1, 2, 3, 4, 5, 9))]
    with pytest.raises(AnalysisError, match=r"from 1 to 9, .* --rating sure:1\.\.5"):
        read_csv(written(tmp_path, lines), form=Form(rating="sure"))


def test_rows_doubled_with_their_times_count_once(tmp_path: Path) -> None:
    lines = [HEADER + ",response_time_ms", "a,i1,real,real,812", "a,i1,real,real,900", "a,i2,generated,real,700"]
    answers = read_csv(written(tmp_path, [*lines, *lines[1:]]))
    assert (len(answers.trials), answers.counts["doubled_rows"], answers.counts["repeated_judgements"]) == (3, 3, 1)
    repeated = read_csv(written(tmp_path, [HEADER, *ROWS, *ROWS]))
    assert (len(repeated.trials), repeated.counts["doubled_rows"]) == (8, 0), "without times, repeats may be meant"


# ------------------------------------------------------------------------------------------------ shared real images


def test_generators_share_the_real_images_and_each_answer_counts_once(tmp_path: Path) -> None:
    lines = [HEADER + ",source"]
    for who in ("a", "b"):
        lines += [f"{who},r1,real,real,photos", f"{who},g1,generated,real,ganA", f"{who},g2,generated,real,ganB"]
    answers = read_csv(written(tmp_path, lines))
    assert answers.trials.groupby("set").size().to_dict() == {"ganA": 4, "ganB": 4}
    assert answers.counts["trials"] == 6
    assert "2 conditions share 1 real image: answers to real images (2) belong" in answers.notes[0]
    by_set = read_csv(written(tmp_path, [lines[0].replace("source", "set"), *lines[1:]]))
    assert by_set.trials.groupby("set").size().to_dict() == {"ganA": 4, "ganB": 4}


def test_a_set_of_one_generator_keeps_its_name_and_one_of_two_is_split(tmp_path: Path) -> None:
    lines = [HEADER + ",set,source"]
    for who in ("a", "b"):
        lines += [f"{who},r1,real,real,df,photos", f"{who},g1,generated,real,df,ganA"]
        lines += [
            f"{who},r2,real,real,mel,photos",
            f"{who},g2,generated,real,mel,ganA",
            f"{who},g3,generated,real,mel,ganB",
        ]
    trials = read_csv(written(tmp_path, lines)).trials
    assert trials.groupby("set").size().to_dict() == {"df": 4, "mel ganA": 4, "mel ganB": 4}
    assert trials.groupby("set")["stimulus_set"].unique().map(list).to_dict() == {
        "df": ["df"], "mel ganA": ["mel"], "mel ganB": ["mel"],
    }  # fmt: skip


def test_conditions_of_several_sets_share_the_images_of_their_own_set_alone(tmp_path: Path) -> None:
    """Two sets of two generators, whose real images have the same names."""
    lines = [HEADER + ",set,source"]
    for who in ("a", "b"):
        for name in ("skin", "hand"):
            lines += [f"{who},r{k},real,real,{name}," for k in (1, 2)]
            lines += [f"{who},g{name}{of},generated,real,{name},{of}" for of in ("A", "B")]
    assert read_csv(written(tmp_path, lines)).notes[0] == (
        "4 conditions share 4 real images, each image in 2 of them: answers to real images (8) belong to every such "
        "condition that their participant judged, and are counted once."
    )


def test_a_set_of_real_images_is_shared_by_the_sets_that_have_none(tmp_path: Path) -> None:
    """Also beside a set with real images of its own, which shares only those without a set."""
    lines = [HEADER + ",set", "a,r1,real,real,both", "a,g1,generated,real,ganA", "a,g3,generated,real,ganC"]
    lines += ["a,r2,real,real,ganB", "a,g2,generated,real,ganB", "a,r3,real,real,"]
    answers = read_csv(written(tmp_path, lines))
    found = answers.trials[answers.trials["truth"] == "real"].groupby("set")["image"].apply(sorted).to_dict()
    assert found == {"ganA": ["r1", "r3"], "ganB": ["r2", "r3"], "ganC": ["r1", "r3"]}
    assert answers.notes[0].startswith("3 conditions share 2 real images, each image in 2 to 3 of them: answers to")


def test_a_generated_image_without_a_set_does_not_keep_the_real_ones_to_itself(tmp_path: Path) -> None:
    lines = [HEADER + ",set", "a,r1,real,real,", "a,g1,generated,real,ganA", "a,g2,generated,real,ganB"]
    answers = read_csv(written(tmp_path, [*lines, "a,g3,generated,real,"]))
    assert answers.trials.groupby("set")["image"].apply(sorted).to_dict() == {
        "all": ["g3", "r1"], "ganA": ["g1", "r1"], "ganB": ["g2", "r1"],
    }  # fmt: skip
    assert (answers.counts["trials"], answers.notes[0][:38]) == (4, "3 conditions share 1 real image: answe")


def test_real_images_beside_one_generator_are_its_own(tmp_path: Path) -> None:
    answers = read_csv(written(tmp_path, [HEADER + ",set", "a,r1,real,real,", "a,g1,generated,real,ganA"]))
    assert answers.trials["set"].tolist() == ["ganA", "ganA"]
    assert answers.notes == ("Real images of sets without generated ones are part of ganA.",)


def test_answers_that_contradict_each_other_in_several_sets_are_no_copies(tmp_path: Path) -> None:
    """Image 1 is another one in each of four sets: ann says 'real' in two and 'generated' in two of them."""
    lines = [HEADER + ",set"]
    for name, said in zip(("df", "mel", "nv", "scc"), ("real", "generated") * 2, strict=True):
        lines += [f"ann,1,real,{said},{name}", f"ann,2,generated,real,{name}"]
    answers = read_csv(written(tmp_path, lines))
    assert (answers.trials["trial"].nunique(), answers.counts["trials"]) == (8, 8)
    assert not any("share" in note for note in answers.notes)


def test_real_rows_copied_into_each_set_count_once(tmp_path: Path) -> None:
    lines = [HEADER + ",set"]
    for name in ("ganA", "ganB"):
        lines += [f"a,r1,real,real,{name}", f"b,r1,real,generated,{name}", f"a,{name},generated,real,{name}"]
    answers = read_csv(written(tmp_path, lines))
    assert (len(answers.trials), answers.counts["trials"]) == (6, 4)
    again = [line for name in ("ganA", "ganB") for line in [f"a,r1,real,real,{name}", f"b,r1,real,real,{name}"]]
    judged_twice = read_csv(written(tmp_path, [*lines, *again]))  # a: the same answer again; b: another one
    assert (len(judged_twice.trials), judged_twice.counts["trials"]) == (10, 6)
    assert any("answers to real images (4) belong" in note for note in judged_twice.notes)
    once = read_csv(written(tmp_path, [*lines, *again[:1]]))  # a's second answer is in one set alone
    assert once.counts["trials"] == len(once.trials) == 7


@pytest.mark.parametrize(
    ("lines", "truths", "sentence"),
    [
        ("participant,image,answer a,i1,real", "name,truth i1,real", "lacks the column image .* --map image=COLUMN"),
        ("participant,image,answer a,i1,real", "image,kind i1,real", "lacks the column truth .* --map truth=kind"),
        ("participant,image,answer a,i1,real", "image,truth i1,real i1,fake", "line 3: 'i1' has two truths; keep one"),
        (
            "participant,image,answer a,i,real",
            "image,truth,source i,fake,x i,fake,y",
            "'i' has two sources; keep one, or",
        ),
        ("participant,image,answer a,,real", "image,truth i1,real", "the column image is empty; fill it in"),
        (
            "participant,age a,31",
            "image,truth i1,real",
            r"neither a column image nor columns .* named after the images",
        ),
        ("participant,q_(i1),r_(i1) a,real,real", "image,truth i1,real", "and r_.i1. both name the image i1"),
    ],
)
def test_a_table_of_images_that_does_not_fit_is_refused(tmp_path: Path, lines: str, truths: str, sentence: str) -> None:
    images = written(tmp_path, truths.split(), "images.csv")
    with pytest.raises(AnalysisError, match=sentence):
        read_csv(written(tmp_path, lines.split()), form=Form(truth=images))


def test_a_rating_that_says_how_sure_people_were_is_not_a_rating_of_the_image(tmp_path: Path) -> None:
    """Sure and right of a real image: 5 would be read as 'surely generated'."""
    lines = [HEADER + ",sure", *(f"p,i{k},real,real,{5 - k % 2}" for k in range(6)), "p,i7,generated,generated,1"]
    with pytest.raises(AnalysisError, match=r"agree with the column answer in 0 of 7 rows.* --confidence sure:1..5"):
        read_csv(written(tmp_path, lines), form=Form(rating="sure:1..5"))


@pytest.mark.parametrize("picture", ["image", "stimulus", "picture", "stim"])
def test_of_several_components_the_answer_and_its_time_are_those_beside_an_image(tmp_path: Path, picture: str) -> None:
    """PsychoPy: five pages of instructions with a key each, and another component with a time beside each image."""
    lines = [f"participant,{picture},truth,next.keys,next.rt,resp.keys,resp.rt,page.rt"]
    lines += [f"p,,,space,{k}.5,,,9" for k in range(5)]
    lines += ["p,1.png,real,,,real,0.75,9", "p,2.png,generated,,,real,,9"]
    trials = read_csv(written(tmp_path, lines), form=Form(layout="psychopy")).trials
    assert trials["answer"].tolist() == ["real", "real"]
    assert trials["response_time_ms"].iloc[0] == 750
    assert trials["response_time_ms"].isna().tolist() == [False, True]


# ------------------------------------------------------------------------------------------------ what is not an answer


@pytest.mark.parametrize(
    ("columns", "pressed"),
    [("response,correct", "null"), ("key_resp.keys,correct", "None"), ("practice.keys,key_resp.keys,correct", ",")],
)
def test_wrong_without_a_key_is_not_an_answer(tmp_path: Path, columns: str, pressed: str) -> None:
    """Programs write 0 for 'correct' when time is up; a 1 and a 0 with a key are answers."""
    keys = columns.count(",") * "f,"
    rows = [f"p,i1,real,{keys}1", f"p,i2,real,{keys}0", f"p,i3,real,{pressed},0", f"p,i4,generated,{keys}0"]
    answers = read_csv(written(tmp_path, [f"participant,image,truth,{columns}", *rows]))
    assert answers.trials[["image", "answer"]].to_numpy().tolist() == [
        ["i1", "real"],
        ["i2", "generated"],
        ["i4", "real"],
    ]
    assert answers.counts["missing_answers"] == 1


def test_a_code_for_no_answer_is_missing(tmp_path: Path) -> None:
    path = written(tmp_path, [HEADER, *ROWS, "c,i1,real,-9", "c,i2,generated,Timed out"])
    answers = read_csv(path, form=Form(words=["missing=-9,timed out"]))
    assert (len(answers.trials), answers.counts["missing_answers"], answers.counts["unsure_answers"]) == (4, 2, 0)
    with pytest.raises(AnalysisError, match=r"unsure=WORD,... or missing=WORD"):
        read_csv(path, form=Form(words=["truth.missing=-9"]))


@pytest.mark.parametrize(
    ("status", "kept"),
    [("IP Address", True), ("Imported", True), ("Offline", True), ("0", True), ("4", True), ("16", True), ("48", True)]
    + [(word, False) for word in ("Survey Preview", "Survey Test", "Spam", "Imported Spam", "Offline Survey Preview")]
    + [(code, False) for code in ("1", "2", "8", "9", "12", "17", "40")],
)
@pytest.mark.parametrize("layout", ["qualtrics", "wide", None])
def test_previews_tests_and_spam_of_qualtrics_are_left_out(
    tmp_path: Path, status: str, kept: bool, layout: str | None
) -> None:
    names = ["Status", "ResponseId", "PROLIFIC_PID", "Q1", "Q2"]
    imports = ",".join(f'"{{""ImportId"":""{name}""}}"' for name in names)
    rows = ["0,R_1,p1,Real,Generated", f"{status},R_2,p2,Real,Real"]
    path = written(tmp_path, [",".join(names), "Response Type,Response ID,ID,one,two", imports, *rows])
    images = written(tmp_path, ["image,truth", "Q1,real", "Q2,generated"], "images.csv")
    answers = read_csv(path, form=Form(layout=layout, truth=images))
    assert set(answers.trials["participant"]) == ({"p1", "p2"} if kept else {"p1"})
    assert ("Left out 1 row of previews, tests, spam or bots." in answers.notes) is not kept


def test_a_second_attempt_after_feedback_is_not_a_judgement(tmp_path: Path) -> None:
    lines = [
        "Event Index,Participant Private ID,Zone Type,Response,Attempt,image,truth",
        "1,77,response_button_text,Real,1,g1.png,generated",
        "2,77,response_button_text,Generated,2,g1.png,generated",
        "3,77,response_button_text,Real,1,r1.png,real",
    ]
    found = judgements(written(tmp_path, lines), Form(layout="gorilla"))
    assert found == [("77", "generated", "real"), ("77", "real", "real")]


def test_logs_of_events_are_read_with_their_layout(tmp_path: Path) -> None:
    """Gorilla's ANSWER is the correct answer: read as people's, all would be right."""
    lines = [
        "Event Index,Participant Private ID,Zone Type,Response,ANSWER,image,truth",
        "1,77,fixation,,Generated,g1.png,generated",
        "2,77,response_button_text,Real,Generated,g1.png,generated",
    ]
    answers = read_csv(written(tmp_path, lines), form=Form(map=["participant=Participant Private ID"]))
    assert answers.trials["answer"].tolist() == ["real"]
    assert answers.notes[0] == "Read with --layout gorilla, as its columns are those of that program."


def test_answers_that_are_all_right_are_questioned(tmp_path: Path) -> None:
    rows = [f"p,i{k},{kind},{kind}" for k in range(25) for kind in ("real", "generated")]
    note = "All 50 answers are right: check that answer is what people said, not the key."
    assert read_csv(written(tmp_path, [HEADER, *rows])).notes == (note,)
    assert not read_csv(written(tmp_path, [HEADER, *rows[:-1]])).notes
    assert not read_csv(written(tmp_path, [HEADER, *rows, "p,i1,real,generated"])).notes


def test_answers_that_are_nearly_all_wrong_are_questioned(tmp_path: Path) -> None:
    other = {"real": "generated", "generated": "real"}
    rows = [f"{p},i{k}{kind},{kind},{other[kind]}" for p in "abc" for k in range(10) for kind in other]
    rows[0] = "a,i0real,real,real"
    note = "59 of 60 answers are wrong: check that the words for real and generated are not reversed (--words)."
    assert read_csv(written(tmp_path, [HEADER, *rows])).notes == (note,)
    able = [f"d,i{k}{kind},{kind},{kind}" for k in range(2) for kind in other]  # wrong: 59 of 64, but not of everybody
    assert not read_csv(written(tmp_path, [HEADER, *rows, *able])).notes
    fooled = [row.replace(",real,generated", ",real,real") for row in rows]  # generated images alone
    assert not read_csv(written(tmp_path, [HEADER, *fooled])).notes


@pytest.mark.parametrize(
    ("columns", "cells", "form"),
    [
        ("mouse.clicked_name,mouse.time", "['no_btn'],[0.8]", Form(layout="psychopy", words=["generated=no_btn"])),
        ("slider.response,slider.rt", "5,0.8", Form(layout="psychopy", rating="slider.response:1..5")),
    ],
)
def test_the_key_of_the_instructions_is_no_answer_by_click_or_slider(
    tmp_path: Path, columns: str, cells: str, form: Form
) -> None:
    lines = [f"participant,instr.keys,instr.rt,image,truth,{columns}", "p,space,3.2,,,,", f"p,,,i1,generated,{cells}"]
    answers = read_csv(written(tmp_path, lines), form=form)
    assert answers.trials[["answer", "response_time_ms"]].to_numpy().tolist() == [["generated", 800]]
    assert "instr." not in " ".join(answers.notes)


def test_rows_of_a_loop_are_those_that_another_loop_leaves_empty(tmp_path: Path) -> None:
    path = written(tmp_path, [HEADER + ",practice.thisN", *(f"{row},{row[0] * (row[0] == 'a')}" for row in ROWS)])
    answers = read_csv(path, ["practice.thisN="])
    assert (set(answers.trials["participant"]), answers.counts["filtered_out"]) == ({"b"}, 2)


@pytest.mark.parametrize(
    ("layout", "rating", "columns"),
    [
        ("jspsych", "response", "trial_type,stimulus,truth,response,subject"),
        ("psychopy", "slider.response", "trial_type,image,truth,slider.response,participant"),
        ("gorilla", "response", "zone type,image,truth,response,participant private id"),
    ],
)
def test_the_rating_of_a_layout_is_not_an_answer_in_words(
    tmp_path: Path, layout: str, rating: str, columns: str
) -> None:
    kind = "response_slider" if layout == "gorilla" else "image-slider-response"
    rows = [f"{kind},{k}.png,{truth},{value},p" for k, (truth, value) in enumerate((("real", 20), ("generated", 90)))]
    answers = read_csv(written(tmp_path, [columns, *rows]), form=Form(layout=layout, rating=f"{rating}:0..100"))
    assert answers.trials[["answer", "rating"]].to_numpy().tolist() == [["real", 20], ["generated", 90]]


def test_a_file_without_names_is_a_participant(tmp_path: Path) -> None:
    header = "image,truth,key_resp.keys,participant"
    for name, person, key in (("a", "", "real"), ("b", "", "generated"), ("c", "7", "real")):
        written(tmp_path, [header, f"1.png,real,{key},{person}"], f"{name}.csv")
    trials = read_csv(tmp_path, form=Form(layout="psychopy")).trials
    assert trials["participant"].tolist() == ["a", "b", "7"]


def test_questions_in_the_second_row_of_a_wide_table_name_the_images(tmp_path: Path) -> None:
    """SoSci Survey: names, then questions; -9 is a question without an answer."""
    lines = [
        "CASE;QUESTNNR;A101;A102",
        'Interview-Nummer;Fragebogen;"Bild real_1.jpg: echt?";"Bild fake_1.jpg: echt?"',
        "11;base;1;2",
        "12;base;1;-9",
    ]
    images = written(tmp_path, ["image,truth", "real_1.jpg,real", "fake_1.jpg,generated"], "images.csv")
    words = ["answer.real=1", "answer.generated=2", "missing=-9"]
    answers = read_csv(written(tmp_path, lines), form=Form(layout="wide", truth=images, words=words))
    found = sorted(map(tuple, answers.trials[["participant", "image", "answer"]].to_numpy()))
    assert found == [("1", "fake_1.jpg", "generated"), ("1", "real_1.jpg", "real"), ("2", "real_1.jpg", "real")]
    assert answers.notes == ("answers.csv, line 2 explains the columns and is left out.",)


def test_a_second_row_of_one_word_holds_no_answers(tmp_path: Path) -> None:
    """SurveyMonkey: questions, then `Response` below each; a person of one word is kept."""
    images = written(tmp_path, ["image,truth", "a.png,real", "b.png,generated"], "images.csv")
    form = Form(layout="wide", truth=images, map=["participant=respondent id"])
    lines = [
        "Respondent ID,Is a.png real?,Is b.png real?",
        ",Response,Response",
        "1,real,real",
        "2,generated,generated",
    ]
    answers = read_csv(written(tmp_path, lines), form=form)
    assert answers.trials["participant"].tolist() == ["1", "2", "1", "2"]
    assert answers.notes == ("answers.csv, line 2 explains the columns and is left out.",)
    anonymous = ["Is a.png real?,Is b.png real?", "real,real", "generated,generated"]
    assert len(read_csv(written(tmp_path, anonymous), form=Form(layout="wide", truth=images)).trials) == 4


def test_the_first_of_few_participants_is_not_a_row_of_questions(tmp_path: Path) -> None:
    """The ends of a scale alone have labels."""
    lines = ["ID,Rate [r1.png],Rate [g1.png]", "a,1 - real,5 - fake", "b,2,4", "c,2,1"]
    images = written(tmp_path, ["image,truth", "r1.png,real", "g1.png,generated"], "images.csv")
    answers = read_csv(written(tmp_path, lines), form=Form(layout="wide", truth=images, rating="answer:1..5"))
    assert answers.trials["rating"].tolist() == [1, 2, 2, 5, 4, 1]


def test_one_question_for_several_images_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, ["Time,Real or fake?,Real or fake?", "1,Real,Fake"])
    images = written(tmp_path, ["image,truth", "Real or fake?,real"], "images.csv")
    with pytest.raises(AnalysisError, match=r"answers.csv, line 1: two columns are called real or fake. and differ"):
        read_csv(path, form=Form(layout="wide", truth=images, words=["generated=fake"]))


OTREE = "participant.code,participant._is_bot,session.is_demo"


def test_otree_has_a_row_for_each_participant_or_round(tmp_path: Path) -> None:
    fields = [f"glance.{n}.player.{field}" for n in (1, 2) for field in ("image", "truth", "answer", "rt")]
    rows = [f"{who},{bot},0,r1.png,real,real,812,g1.png,generated,real,900,31" for who, bot in (("ab", 0), ("b0t", 1))]
    path = written(tmp_path, [",".join([OTREE, *fields, "survey.1.player.age"]), *rows, "no,0,0,,,,,,,,,"])
    answers = read_csv(path, ["survey.1.player.age=31"], form=Form(layout="otree"))
    columns = ["participant", "image", "truth", "answer", "response_time_ms", "position"]
    expected = [["ab", "r1.png", "real", "real", 812, 1], ["ab", "g1.png", "generated", "real", 900, 2]]
    assert answers.trials[columns].to_numpy().tolist() == expected
    assert answers.notes[0] == "Left out 1 row of previews, tests, spam or bots."
    names = "player.picture,player.kind,player.answer,player.rt,subsession.round_number"
    rows = ["ab,0,0,r1.png,real,real,812,1", "ab,0,0,g1.png,generated,real,900,2", "de,0,1,r1.png,real,real,700,1"]
    path = written(tmp_path, [f"{OTREE},{names}", *rows], "app.csv")
    answers = read_csv(path, form=Form(layout="otree", map=["truth=player.kind"]))
    assert answers.trials[columns].to_numpy().tolist() == expected


def test_testable_has_two_lines_on_the_participant_above_the_trials(tmp_path: Path) -> None:
    lines = [
        "subjectGroup,browser,GMT_timestamp,local_timestamp,link,calibration,age,gender",
        "1,Chrome,2025-11-02,2025-11-02,https://x,80,31,female",
        "rowNo,type,stim1,condition1,trialNo,response,RT,correct",
        "1,instructions,,,1,continue,5000,",
        "2,test,r1,real,2,real,812,1",
        "3,test,g1,generated,3,timeout,3000,0",
    ]
    form = Form(layout="testable", map=["truth=condition1"], words=["missing=timeout"])
    answers = read_csv(written(tmp_path, lines, "7.csv"), form=form)
    assert answers.trials[["participant", "image", "answer", "response_time_ms"]].to_numpy().tolist() == [
        ["7", "r1", "real", 812]
    ]
    assert answers.counts["missing_answers"] == 1


def test_images_and_answers_without_a_counterpart_are_reported(tmp_path: Path) -> None:
    images = written(tmp_path, ["filename,ground_truth", "a.png,real", "b.png,generated", "c.png,real"], "images.csv")
    wide = written(tmp_path, ["Is a.png real?,Is b.png real?", "Real,Real"], "wide.csv")
    assert read_csv(wide, form=Form(layout="wide", truth=images)).notes == (
        "No column for 1 image of images.csv: c.png.",
    )
    long = written(tmp_path, ["subject,stimulus,response", "p,a.png,real", "p,d.png,real"])
    answers = read_csv(long, form=Form(layout="jspsych", truth=images))
    note = "Left out 1 row of other images (answers.csv, line 3: 'd.png' is not in images.csv)."
    names = "Read under other names: participant from subject and answer from response."
    assert (answers.trials["image"].tolist(), answers.notes) == (["a.png"], (note, names))
    both = written(tmp_path, ["Is a.png or b.png real?", "Real"], "both.csv")
    with pytest.raises(AnalysisError, match=r"names the images a.png and b.png; name the column of each in images.csv"):
        read_csv(both, form=Form(layout="wide", truth=images))


def test_points_of_a_scale_may_be_wrapped(tmp_path: Path) -> None:
    """As jsPsych's survey-likert writes them."""
    rows = [f'p,i{k},real,"{{""Q0"":{k}}}"' for k in range(5)]
    path = written(tmp_path, ["participant,image,truth,response", *rows])
    assert read_csv(path, form=Form(rating="response")).trials["rating"].tolist() == [0, 1, 3, 4]


@pytest.mark.parametrize("mark", ["-", ".", "_", ""])
def test_usual_names_may_be_separated_in_any_way(tmp_path: Path, mark: str) -> None:
    header = ",".join(
        name.replace(" ", mark) for name in ("Subject ID", "Image File", "Ground Truth", "answer", "RT ms")
    )
    trials = read_csv(written(tmp_path, [header, *(f"{row},900" for row in ROWS)])).trials
    assert trials[["participant", "image", "truth", "answer"]].agg(",".join, axis=1).tolist() == ROWS
    assert trials["response_time_ms"].tolist() == [900] * 4


def test_usual_names_may_have_spaces(tmp_path: Path) -> None:
    path = written(tmp_path, [HEADER.replace("participant", "Participant ID"), *ROWS])
    assert read_csv(path).trials["participant"].tolist() == ["a", "a", "b", "b"]


def test_the_tables_of_images_and_people_can_be_beside_the_answers(tmp_path: Path) -> None:
    written(tmp_path, ["participant,image,answer", "a,i1,real", "b,i1,generated"])
    images = written(tmp_path, ["image,truth", "i1,real"], "images.csv")
    people = written(tmp_path, ["participant,age", "a,31", "b,40"], "people.csv")
    answers = read_csv(tmp_path, ["age=40"], Form(truth=images, people=people))
    assert answers.trials[["participant", "image", "truth", "answer"]].to_numpy().tolist() == [
        ["b", "i1", "real", "generated"]
    ]


JSON_TRIALS = [
    '[{"rt":null,"stimulus":"<p>+</p>","response":null,"trial_type":"html-keyboard-response","subject":"a"},',
    ' {"rt":812,"stimulus":"r1.png","response":0,"trial_type":"image-button-response","subject":"a","truth":"real"}]',
    '[{"rt":700.5,"stimulus":"g1.png","response":0,"trial_type":"image-button-response","subject":"b",',
    '  "truth":"generated"}]',
]


@pytest.mark.parametrize("given", ["data.json", "results.txt", ""])
def test_json_of_jspsych_is_read(tmp_path: Path, given: str) -> None:
    """A list of trials, or as JATOS saves them a list after another; a folder of such files, too."""
    written(tmp_path, JSON_TRIALS, given or "data.json")
    form = Form(layout="jspsych", words=["answer.real=0", "answer.generated=1"])
    answers = read_csv(tmp_path / given, form=form)
    assert answers.trials[["participant", "image", "answer", "response_time_ms"]].to_numpy().tolist() == [
        ["a", "r1.png", "real", 812],
        ["b", "g1.png", "real", 700.5],
    ]
    with pytest.raises(AnalysisError, match=r"line 2: answer says '0'; only real and generated are known"):
        read_csv(tmp_path / given, form=Form(layout="jspsych"))
    one_line = written(tmp_path, ["".join(JSON_TRIALS)], "line.json")
    assert read_csv(one_line, ["subject=b"], form).trials["image"].tolist() == ["g1.png"]


def test_an_empty_column_of_images_does_not_hide_that_of_stimuli(tmp_path: Path) -> None:
    lines = [
        "trial_type,trial_index,subject,image,stimulus,truth,response,rt",
        "html-keyboard-response,0,a,,<p>+</p>,,,",
    ]
    lines += [
        "image-keyboard-response,1,a,,img/1.png,real,f,812",
        "image-keyboard-response,2,a,,img/2.png,generated,f,700",
    ]
    path, words = written(tmp_path, lines), ["real=f", "generated=j"]
    answers = read_csv(path, form=Form(layout="jspsych", words=words))
    assert answers.trials[["image", "answer"]].to_numpy().tolist() == [["img/1.png", "real"], ["img/2.png", "real"]]
    with pytest.raises(AnalysisError) as refused:
        read_csv(path, form=Form(words=words))
    assert str(refused.value) == (
        "answers.csv, line 2: the column truth is empty; fill it in, or read the file with --layout jspsych."
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[{"rt": 1}, ', "its list has no end, so records may be lost"),
        ('[{"rt": 1}]\n[{"rt": 2},\n{"rt": 3}', "its list has no end, so records may be lost"),
        ('{"rt": 1}, {"rt": 2}]', "its list has no beginning, so records may be lost"),
    ],
)
def test_a_json_file_that_is_cut_off_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = written(tmp_path, [text], "data.json")
    with pytest.raises(AnalysisError) as refused:
        read_csv(path)
    assert str(refused.value) == (
        f"{path} is JSON, but no list of objects, one for each trial ({reason}): export the answers as CSV."
    )


@pytest.mark.parametrize(
    "text",
    [
        "[1, 2]",
        '{"trials": [{"rt": 1}, {"rt": 2}], "pages": [{"rt": 3}, {"rt": 4}]}',
        '{"-N1": {"rt": 1, "image": "a"}}',
        '[{"rt": 1}] trailing',
        '{"rt": 1',
        '["rt"]',
    ],
)
def test_other_json_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(AnalysisError, match=r"data.json is JSON, but no list of objects, .* export the answers as CSV"):
        read_csv(written(tmp_path, [text], "data.json"))


def test_an_object_around_the_list_of_trials_describes_them_all(tmp_path: Path) -> None:
    """Each row has the object's other values, and its own line."""
    lines = [
        '{"participant": "P7", "note": "trials", "trials": [',
        '  {"image": "a", "truth": "real", "answer": "real"},',
    ]
    lines += ['  {"image": "b", "truth": "generated", "answer": "odd"}', "]}"]
    path = written(tmp_path, lines, "data.json")
    with pytest.raises(AnalysisError, match=r"^.*data.json, line 3: answer says 'odd'"):
        read_csv(path)
    found = read_csv(written(tmp_path, [line.replace("odd", "real") for line in lines], "data.json")).trials
    assert found[["participant", "image", "said_generated"]].to_numpy().tolist() == [
        ["P7", "a", False],
        ["P7", "b", False],
    ]


def test_json_in_utf_16_is_read(tmp_path: Path) -> None:
    """As PowerShell writes it."""
    path = tmp_path / "data.json"
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"):
        path.write_bytes('[{"participant": "Zoë", "image": "a", "truth": "real", "answer": "real"}]'.encode(encoding))
        assert read_csv(path).trials["participant"].tolist() == ["Zoë"]


def test_of_very_many_columns_the_first_are_listed(tmp_path: Path) -> None:
    path = written(tmp_path, [",".join(f"q{k}" for k in range(70)), ",".join(["1"] * 70)])
    with pytest.raises(AnalysisError, match=r"q58, q59, and 10 more\); needed are"):
        read_csv(path)


def test_json_beside_tables_is_reported_and_not_read(tmp_path: Path) -> None:
    written(tmp_path, [HEADER, *ROWS])
    written(tmp_path, ['{"name": "my study"}'], "dataset_description.json")
    answers = read_csv(tmp_path)
    assert (len(answers.trials), answers.notes[0].partition(" (")[0]) == (4, "Not read: dataset_description.json")


@pytest.mark.parametrize(
    ("column", "trial", "rest", "kind"),
    [
        ("block", "Practice", "main", "practice"),
        ("blockcode", "PracticeBlock", "testblock", "practice"),
        ("block", "Übung 1", "haupt", "practice"),
        ("practice", "yes", "no", "practice"),
        ("is_training", "True", "false", "practice"),
        ("is_training", "WAHR", "falsch", "practice"),
        ("practice_trials.thisN", "0", "", "practice"),
        ("attention_check", "1", "0", "attention trials"),
        ("trial type", "Attention Check", "test", "attention trials"),
        ("is_catch", "TRUE", "false", "attention trials"),
    ],
)
def test_practice_and_attention_trials_among_the_judgements_are_reported(
    tmp_path: Path, column: str, trial: str, rest: str, kind: str
) -> None:
    """They are scored unless filtered out: only the survey's author knows what a column means."""
    where = f'{column.lower()}={rest}"'
    lines = [f"{HEADER},{column}", *(f"{row},{trial if row[2:4] == 'i1' else rest}" for row in ROWS)]
    path = written(tmp_path, lines)
    (note,) = read_csv(path).notes
    assert note == f'In the column {column.lower()}, 2 rows may be {kind}; --where "{where} leaves out {kind}.'
    answers = read_csv(path, [where.strip('"')])
    assert (answers.trials["image"].tolist(), answers.notes) == (["i2", "i2"], ())


def test_ratings_of_attention_mark_no_attention_trials(tmp_path: Path) -> None:
    lines = [HEADER + ",attention", *(f"{row},{k}" for k, row in enumerate(ROWS, 1))]
    assert not read_csv(written(tmp_path, lines)).notes


def test_a_word_for_practice_that_describes_people_is_not_practice(tmp_path: Path) -> None:
    lines = [HEADER + ",experience", *(f"{row},{'training' if row[0] == 'a' else 'expert'}" for row in ROWS)]
    assert not read_csv(written(tmp_path, lines)).notes
