"""Columns that contradict each other are refused, or reported in a note that names the remedy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from analysis.answers.form import Form
from analysis.answers.read import read_csv
from analysis.answers.responses import Responses
from analysis.section import AnalysisError

HEADER = "participant,image,truth,answer"
WORD = ("real", "generated")
OTHER = {"real": "generated", "generated": "real"}


def rows(last: Callable[[int, str, str], object], n: int = 24) -> list[str]:
    """Rows of two participants, a third of the answers wrong; `last`: the values of the last columns."""
    found = []
    for k in range(n):
        truth = ("real", "generated")[k % 2]
        answer = truth if k % 3 else OTHER[truth]
        found.append(f"p{k % 4 // 2},i{k},{truth},{answer},{last(k, truth, answer)}")
    return found


def read(folder: Path, lines: Sequence[str], where: Sequence[str] = (), form: Form | None = None) -> Responses:
    path = folder / "f.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_csv(path, where, form)


# ------------------------------------------------------------------------------------------------ right and wrong


@pytest.mark.parametrize("column", ["correct", "corr", "key_resp.corr", "Accuracy", "is_correct", "acc"])
def test_a_column_of_right_and_wrong_is_compared_with_truth_and_answer(tmp_path: Path, column: str) -> None:
    header = f"{HEADER},{column}"
    note = (
        f"In 12 of 24 rows the column {column.lower()} contradicts truth and answer, first on f.csv, line 3: check "
        f"--words, and which column is the answer; {column.lower()} may also be about something else."
    )
    half = read(tmp_path, [header, *rows(lambda k, t, a: int((t == a) == (k % 2 == 0)))])
    assert (half.notes, len(half.trials)) == ((note,), 24)
    assert not read(tmp_path, [header, *rows(lambda k, t, a: str(t == a).lower())]).notes
    with pytest.raises(AnalysisError, match=rf"^f.csv, line 2: the column {column.lower()} .* in 24 of 24 rows, so"):
        read(tmp_path, [header, *rows(lambda k, t, a: "no" if t == a else "yes")])


def test_the_key_that_was_pressed_is_found_by_the_codes_of_the_right_answer(tmp_path: Path) -> None:
    code = {"real": "f", "generated": "j"}
    lines = [",".join([*row.split(",")[:3], code[row.split(",")[2]], code[row.split(",")[3]], row.split(",")[4]])
             for row in rows(lambda k, t, a: code[t])]  # fmt: skip
    with pytest.raises(AnalysisError) as refused:
        read(tmp_path, ["participant,image,truth,side,key,correct", *lines])
    assert str(refused.value) == (
        "f.csv, line 2: correct says 'f', the right answer rather than whether people gave it: write --map answer=key, "
        "with --words for its codes."
    )


def test_a_column_correct_that_says_what_an_image_is_is_reported(tmp_path: Path) -> None:
    def lines(correct: Callable[[int], int]) -> list[str]:
        return ["participant,image,truth,correct", *(f"p{k % 4 // 2},i{k},{('real', 'generated')[k % 2]},{correct(k)}"
                                                      for k in range(24))]  # fmt: skip

    derived = "The answers were derived from the truth and the column correct."
    assert read(tmp_path, lines(lambda k: k % 2)).notes == (
        derived,
        "The column correct says 0 for every real and 1 for every generated image: if it says what the image is, not "
        "whether people were right, name the column of answers with --map answer=COLUMN.",
    )
    assert read(tmp_path, lines(lambda k: int(k % 3 > 0))).notes == (derived,)


def test_timeouts_and_columns_that_are_not_a_verdict_contradict_nothing(tmp_path: Path) -> None:
    """Programs write 0 where time is up; a share, and the code of the right answer, are not right or wrong."""
    header = f"{HEADER},correct"
    late = [f"p0,late{k},real,,0" for k in range(8)]
    assert read(tmp_path, [header, *rows(lambda k, t, a: int(t == a)), *late]).counts["missing_answers"] == 8
    assert not read(tmp_path, [header, *rows(lambda k, t, a: int(t == a)), *late]).notes
    for value in (lambda k, t, a: k / 24, lambda k, t, a: int(t == "real"), lambda k, t, a: "" if t != a else 1):
        assert not read(tmp_path, [header, *rows(value)]).notes


@pytest.mark.parametrize(("real", "generated"), [("1", "0"), ("f", "j"), ("1", "2"), ("y", "n"), ("Real", "Generated")])
def test_the_right_answer_in_the_column_correct_is_not_a_verdict(tmp_path: Path, real: str, generated: str) -> None:
    code = {"real": real, "generated": generated}
    lines = ["participant,image,truth,said,correct,response", *rows(lambda k, t, a: f"{code[t]},{code[a]}")]
    with pytest.raises(AnalysisError, match=rf"line 2: correct says '{real.lower()}', the right .* --map answer=resp"):
        read(tmp_path, lines)
    words = [] if real == "Real" else [f"answer.real={real}", f"answer.generated={generated}"]
    trials = read(tmp_path, lines, form=Form(map=["answer=response"], words=words)).trials
    assert (trials["truth"] == trials["answer"]).sum() == 16
    lines[0] = "participant,image,kind,said,correct,response"
    with pytest.raises(AnalysisError, match=r"lacks the column truth: if correct is the right answer .* truth=correct"):
        read(tmp_path, lines)
    verdicts = rows(lambda k, t, a: f"{int(t == a)},{code[a]}")
    trials = read(tmp_path, ["participant,image,truth,said,correct,response", *verdicts]).trials
    assert (trials["truth"] == trials["answer"]).sum() == 16


def test_a_key_in_the_column_answer_is_refused_where_another_holds_the_answers(tmp_path: Path) -> None:
    header = "participant,image,truth,answer,response"
    lines = [header, *(f"p{k % 2},i{k},{WORD[k % 2]},{WORD[k % 2]},{WORD[k // 3 % 2]}" for k in range(12))]
    with pytest.raises(AnalysisError) as error:
        read(tmp_path, lines)
    assert str(error.value) == (
        "All 12 answers are right, and the column response says something else (first row: f.csv, line 2): answer is "
        "probably the key, so write --map answer=response."
    )
    found = read(tmp_path, lines, form=Form(map=["answer=response"]))
    assert (found.trials["answer"] == found.trials["truth"]).sum() == 8
    keys = [line.replace(",real", ",f").replace(",generated", ",j") for line in lines[1:]]
    coded = [f"{line.rpartition(',')[0]},{key.rpartition(',')[2]}" for line, key in zip(lines[1:], keys, strict=True)]
    assert read(tmp_path, [header, *coded]).notes == (
        "All 12 answers are right, and the column response says something else: if it is what people said, and answer "
        "the key, write --map answer=response.",
    )


def test_a_key_or_reason_beside_right_answers_is_not_taken_for_the_answer(tmp_path: Path) -> None:
    header = "participant,image,truth,answer,response"
    for said in ({"real": "f", "generated": "j"}, {"real": "", "generated": "j"}):
        lines = [f"p{k % 2},i{k},{WORD[k % 2]},{WORD[k % 2]},{said[WORD[k % 2]]}" for k in range(12)]
        assert not read(tmp_path, [header, *lines]).notes
    reasons = [f"p{k % 2},i{k},{WORD[k % 2]},{WORD[k % 2]},reason {k // 2}" for k in range(12)]
    assert not read(tmp_path, [header, *reasons]).notes


def test_answers_in_another_column_where_answer_is_empty_are_named(tmp_path: Path) -> None:
    lines = [f"p{k % 2},i{k},{WORD[k % 2]},{'real,' if k < 8 else ',real'}" for k in range(12)]
    found = read(tmp_path, ["participant,image,truth,answer,response", *lines])
    assert (found.counts["missing_answers"], found.notes) == (
        4,
        (
            "4 rows without an answer have one in the column response, the first on f.csv, line 10: if it is the "
            "answer there, write both into one column.",
        ),
    )
    late = [f"p{k % 2},i{k},{WORD[k % 2]},{'real' if k < 8 else '-9'}" for k in range(12)]
    form = Form(words=["missing=-9"])
    assert len(read(tmp_path, ["participant,image,truth,response", *late], form=form).notes) == 1  # other names


# ------------------------------------------------------------------------------------------------ repeated judgements

FOUR = [("a.png", "real"), ("b.png", "generated"), ("c.png", "real"), ("d.png", "generated")]


def judgements(people: int, *last: str) -> list[str]:
    """Rows of people who are right about four images, except about `d.png`."""
    return [
        ",".join((f"p{p}", image, truth, "real" if image == "d.png" else truth, *last))
        for p in range(people)
        for image, truth in FOUR
    ]


def test_two_questions_about_each_image_are_reported_with_the_column_that_separates_them(tmp_path: Path) -> None:
    lines = [f"{HEADER},question", *judgements(3, "origin"), *judgements(3, "quality")]
    found = read(tmp_path, lines)
    assert found.notes == (
        "24 answers of 3 participants are repeated judgements of an image, once for each value of the column question; "
        'if it holds different questions, keep one: --where "question=origin".',
    )
    kept = read(tmp_path, lines, ["question=origin"])
    assert (len(kept.trials), kept.notes) == (12, ())


def test_repeated_judgements_without_such_a_column_are_reported(tmp_path: Path) -> None:
    found = read(tmp_path, [HEADER, *judgements(3), *judgements(3)])
    assert found.notes == (
        "24 answers of 3 participants are repeated judgements of an image, and all are scored; if they answer "
        "different questions, keep the rows of one.",
    )


def test_a_few_repeated_judgements_are_only_counted(tmp_path: Path) -> None:
    found = read(tmp_path, [HEADER, *judgements(9), *judgements(2)])
    assert (found.notes, found.counts["repeated_judgements"]) == ((), 8)


def test_two_files_with_the_same_names_for_people_are_reported(tmp_path: Path) -> None:
    (tmp_path / "basel.csv").write_text("\n".join([HEADER, *judgements(3)]))
    (tmp_path / "zug.csv").write_text("\n".join([HEADER, *judgements(3)[1:], "p0,a.png,real,generated"]))
    found = read_csv([tmp_path / "basel.csv", tmp_path / "zug.csv"])
    assert found.notes == (
        "The same names of 3 participants are in several files, with answers to the same images: each name counts as "
        "one person; if different people have the same name, write the name of the file or site before theirs.",
    )


def test_two_blocks_of_one_person_in_two_files_are_accepted(tmp_path: Path) -> None:
    lines = judgements(3)
    for block in (0, 1):
        (tmp_path / f"{block}.csv").write_text("\n".join([HEADER, *lines[block::2]]))
    assert read_csv([tmp_path / "0.csv", tmp_path / "1.csv"]).notes == ()


# ------------------------------------------------------------------------------------------------ scales

ENDS = [
    ("a.png", "real", "1 (definitely {})"), ("b.png", "generated", "4 (definitely {})"), ("c.png", "real", "3"),
    ("d.png", "generated", "2"),
]  # fmt: skip


def rated(low: str, high: str) -> list[str]:
    cells = {"1 (definitely {})": f"1 (definitely {low})", "4 (definitely {})": f"4 (definitely {high})"}
    return [f"p{p},{image},{truth},{cells.get(cell, cell)}" for p in range(3) for image, truth, cell in ENDS]


def test_labels_that_reverse_the_scale_are_refused_with_the_remedy(tmp_path: Path) -> None:
    lines = ["participant,image,truth,score", *rated("fake", "real")]
    with pytest.raises(AnalysisError) as error:
        read(tmp_path, lines, form=Form(rating="score"))
    assert str(error.value) == (
        "f.csv, line 2: '1 (definitely fake)' is at the end of the scale that counts as real: reverse it, with "
        "--rating score:4..1."
    )
    found = read(tmp_path, lines, form=Form(rating="score:4..1"))
    assert list(found.trials["answer"][:3]) == ["generated", "real", "real"]


@pytest.mark.parametrize("name", ["realness", "how_real", "Authenticity", "photo-realism"])
def test_a_rating_whose_name_says_real_needs_its_scale(tmp_path: Path, name: str) -> None:
    lines = [f"participant,image,truth,{name}", "p,i1,real,4", "p,i2,generated,1", "q,i1,real,3", "q,i2,generated,2"]
    with pytest.raises(AnalysisError) as error:
        read(tmp_path, lines, form=Form(rating=name))
    name = name.lower()
    assert str(error.value) == (
        f"f.csv: {name} may be higher for real images, as it says, but ratings run from definitely real to definitely "
        f"generated: state its scale, with --rating {name}:4..1 if its high end means real, else with --rating "
        f"{name}:1..4."
    )
    assert (
        read(tmp_path, lines, form=Form(rating=f"{name}:4..1")).trials["answer"].tolist() == ["real", "generated"] * 2
    )
    stated = read(tmp_path, lines, form=Form(rating=f"{name}:1..4"))
    assert stated.trials["answer"].tolist() == ["generated", "real"] * 2
    assert stated.notes[0].endswith(f" If {name} is higher for real images, as it says, --rating {name}:4..1.")


@pytest.mark.parametrize("name", ["fakeness", "real_or_fake", "not_real", "reality_check", "rating"])
def test_a_rating_whose_name_does_not_say_real_has_the_usual_scale(tmp_path: Path, name: str) -> None:
    lines = [f"participant,image,truth,{name}", "p,i1,real,4", "p,i2,generated,1", "q,i1,real,3", "q,i2,generated,2"]
    assert read(tmp_path, lines, form=Form(rating=name)).trials["answer"].tolist() == ["generated", "real"] * 2


def test_words_of_the_option_are_known_in_labels(tmp_path: Path) -> None:
    lines = ["participant,image,truth,score", *rated("nep", "foto")]  # Dutch
    assert list(read(tmp_path, lines, form=Form(rating="score")).trials["answer"][:2]) == ["real", "generated"]
    with pytest.raises(AnalysisError, match=r"--rating score:4\.\.1"):
        read(tmp_path, lines, form=Form(rating="score", words=["generated=nep"]))


@pytest.mark.parametrize(("low", "high"), [("real", "fake"), ("not fake", "not real"), ("sure", "unsure")])
def test_labels_that_agree_or_say_nothing_pass(tmp_path: Path, low: str, high: str) -> None:
    found = read(tmp_path, ["participant,image,truth,score", *rated(low, high)], form=Form(rating="score"))
    assert list(found.trials["answer"][:3]) == ["real", "generated", "generated"]


# ------------------------------------------------------------------------------------------------ our names


def test_a_column_state_of_another_kind_says_nothing_of_how_far_people_came(tmp_path: Path) -> None:
    lines = [f"{HEADER},state", *judgements(2, "CA"), *(row.replace("p", "q", 1) for row in judgements(2, "NY"))]
    assert read(tmp_path, lines).counts["unfinished_participants_scored"] == 0
    lines = [f"{HEADER},state", *judgements(2, "working")]
    assert read(tmp_path, lines).counts["unfinished_participants_scored"] == 2


@pytest.mark.parametrize(
    ("rating", "confidence", "ours"), [("5", "3", True), ("55", "3", False), ("5", "80", False), ("2.5", "3", False)]
)
def test_ratings_on_other_scales_are_not_those_of_our_survey(
    tmp_path: Path, rating: str, confidence: str, ours: bool
) -> None:
    lines = [f"{HEADER},task,rating,confidence", *judgements(2, "rating", rating, confidence)]
    assert read(tmp_path, lines).trials["rating"].notna().all() == ours


@pytest.mark.parametrize("app", ["practice", "practice_glance", "Training1"])
def test_a_practice_app_of_otree_is_reported(tmp_path: Path, app: str) -> None:
    fields = [
        f"{name}.{n}.player.{f}" for name in (app, "glance") for n in (1, 2) for f in ("image", "truth", "answer")
    ]
    judged = "a.png,real,real,b.png,generated,real,c.png,real,real,d.png,generated,generated"
    lines = [",".join(["participant.code", *fields]), *(f"c{p},{judged}" for p in range(3))]
    found = read(tmp_path, lines, form=Form(layout="otree"))
    assert found.notes[-1] == ('In the column app, 6 rows may be practice; --where "app=glance" leaves out practice.')
    assert len(read(tmp_path, lines, ["app=glance"], Form(layout="otree")).trials) == 6


def test_rounds_of_otree_are_checked_as_rows_are(tmp_path: Path) -> None:
    fields = [f"glance.{n}.player.{f}" for n in (1, 2, 3, 4) for f in ("image", "truth", "answer", "is_correct")]
    judged = "a.png,real,real,{},b.png,generated,real,0,a.png,real,real,1,b.png,generated,generated,1"
    lines = [",".join(["participant.code", "state", *fields])]
    lines += [f"c{p},{state},{judged.format(p)}" for p, state in enumerate(("finished", "working"))]
    found = read(tmp_path, lines, form=Form(layout="otree"))
    assert found.notes[1:] == (
        "In 1 of 8 rows the column player.is_correct contradicts truth and answer, first on f.csv, line 2: check "
        "--words, and which column is the answer; player.is_correct may also be about something else.",
        "8 answers of 2 participants are repeated judgements of an image, once for each value of the column "
        "subsession.round_number; if it holds different questions, keep one: "
        '--where "subsession.round_number=1".',
    )
    assert found.counts["unfinished_participants_scored"] == 1


def test_a_column_that_calls_no_answer_right_was_never_filled_in(tmp_path: Path) -> None:
    lines = [f"{HEADER},key_resp.corr", *rows(lambda k, truth, answer: 0)]
    assert read(tmp_path, lines).notes == ()


# ------------------------------------------------------------------------------------------------ several generators


def test_of_generators_named_by_the_truth_a_note_says_that_they_count_as_one(tmp_path: Path) -> None:
    lines = [f"p{k % 2},i{k},{('Photo', 'DDPM', 'StyleGAN')[k % 3]},{('real', 'generated')[k % 2]}" for k in range(12)]
    words = ["truth.real=Photo", "truth.generated=DDPM,StyleGAN"]
    assert read(tmp_path, [HEADER, *lines], form=Form(words=words)).notes == (
        "truth names generated images in 2 ways (DDPM and StyleGAN), which count as one: if they are generators, --map "
        "source=truth compares them.",
    )
    found = read(tmp_path, [HEADER, *lines], form=Form(words=words, map=["source=truth"]))
    assert sorted(found.trials["set"].unique()) == ["DDPM", "StyleGAN"]
    assert not read(tmp_path, [HEADER, *lines[::3], "p,j1,ddpm,real", "p,j2,DDPM,real"], form=Form(words=words)).notes


def test_the_key_in_a_row_of_its_own_is_not_a_person(tmp_path: Path) -> None:
    """A person of that name who errs is kept."""
    truth = tmp_path / "truth.csv"
    truth.write_text("image,truth\na,real\nb,generated\nc,generated\n")
    wide = [
        "participant,a,b,c",
        "Answer key,real,generated,generated",
        "p,real,real,generated",
        "q,generated,generated,generated",
    ]
    form = Form(layout="wide", truth=truth)
    found = read(tmp_path, wide, form=form)
    assert found.trials["participant"].unique().tolist() == ["p", "q"]
    assert found.notes[-1] == "Left out: 3 answers of 'Answer key', all of them right: that is the key, not a person."
    wide[1] = "Key,real,real,generated"
    assert len(read(tmp_path, wide, form=form).trials) == 9
    assert len(read(tmp_path, [wide[0], "key,real,generated,generated"], form=form).trials) == 3, "the only person"


# ------------------------------------------------------------------------------------------------ files in other files


def test_a_file_whose_answers_are_all_in_another_is_read_once(tmp_path: Path) -> None:
    """The file of one participant beside one that joins them all; the answers of another person are kept."""
    lines = rows(lambda k, t, a: 300 + k, 40)  # of p0 and p1
    (tmp_path / "all.csv").write_text("\n".join([f"{HEADER},rt_ms", *lines]))
    one = [line for line in lines if line.startswith("p1")]
    (tmp_path / "p1.csv").write_text("\n".join([f"{HEADER},rt_ms,browser", *(f"{line},Firefox" for line in one)]))
    answers = read_csv(tmp_path)
    assert len(answers.trials) == 40
    assert answers.notes[-1] == "Left out: 20 answers of p1.csv, which other files hold too."
    (tmp_path / "p1.csv").write_text("\n".join([f"{HEADER},rt_ms,browser", *(f"{line}9,Firefox" for line in one)]))
    assert len(read_csv(tmp_path).trials) == 60, "other response times are other judgements"


def test_files_whose_answers_stand_in_several_others_are_kept(tmp_path: Path) -> None:
    """Four people whose files all say participant 1: each answer of one is that of another, but no file is another."""
    for file, said in (("a", "rrg"), ("b", "rgr"), ("c", "grr"), ("d", "ggg")):
        answers = [{"r": "real", "g": "generated"}[letter] for letter in said]
        lines = [f"1,i{k},{('real', 'generated')[k % 2]},{answer}" for k, answer in enumerate(answers)]
        (tmp_path / f"{file}.csv").write_text("\n".join([HEADER, *lines]))
    answers = read_csv(tmp_path)
    assert len(answers.trials) == 12
    assert answers.notes[0].startswith("The same names of 1 participant are in several files, with answers to the same")


def test_of_many_files_the_largest_is_read_that_holds_all_others(tmp_path: Path) -> None:
    """Thirty alike, and one of more answers; a file with one answer of its own is kept whole."""
    lines = rows(lambda k, t, a: 300 + k, 12)
    for k in range(30):
        visits = [f"{line},visit {k}" for line in lines[k % 3 :]]
        (tmp_path / f"{k:02}.csv").write_text("\n".join([f"{HEADER},rt_ms,visit", *visits]))
    (tmp_path / "all.csv").write_text("\n".join([f"{HEADER},rt_ms", *rows(lambda k, t, a: 300 + k, 16)]))
    (tmp_path / "own.csv").write_text("\n".join([f"{HEADER},rt_ms", *lines[:3], "p7,i99,generated,real,77"]))
    answers = read_csv(tmp_path)
    assert len(answers.trials) == 16 + 1
    assert answers.notes[-1] == "Left out: 330 answers of 30 files (00.csv ... 29.csv), which other files hold too."


def test_of_two_files_with_the_same_answers_one_is_read(tmp_path: Path) -> None:
    lines = rows(lambda k, t, a: 300 + k)
    (tmp_path / "a.csv").write_text("\n".join([f"{HEADER},rt_ms", *lines]))
    (tmp_path / "b.csv").write_text("\r\n".join([f"{HEADER},rt_ms", *reversed(lines)]))
    answers = read_csv(tmp_path)
    assert (len(answers.trials), answers.counts["doubled_rows"]) == (24, 24)
    for path in tmp_path.iterdir():
        path.write_text("\n".join(line.rpartition(",")[0] for line in path.read_text().splitlines()))
    answers = read_csv(tmp_path)
    assert (len(answers.trials), answers.notes) == (
        24,
        ("Left out: 24 answers of a.csv, which other files hold too.",),
    )


# ------------------------------------------------------------------------------------------------ spellings


def judged_by_two(one: Callable[[str], str], other: Callable[[str], str]) -> list[str]:
    """Two participants who judge the same four images, each with names of their own making."""
    return [HEADER, *(f"{p},{spell(image)},{truth},{truth}" for p, spell in (("p0", one), ("p1", other))
                      for image, truth in FOUR)]  # fmt: skip


@pytest.mark.parametrize(
    ("other", "second"),
    [
        (str.upper, "A.PNG"),
        (lambda name: name.removesuffix(".png"), "a"),
        (lambda name: f"C:\\study\\{name}", "C:\\study\\a.png"),
        (lambda name: f"https://lab.org/img/{name}", "https://lab.org/img/a.png"),
    ],
)
def test_images_under_two_spellings_are_reported(tmp_path: Path, other: Callable[[str], str], second: str) -> None:
    answers = read(tmp_path, judged_by_two(str, other))
    assert answers.notes == (
        f"'a.png' and '{second}' count as two images, and likewise 3 other names: if they are one image, spell it in "
        "one way.",
    )
    assert answers.trials["image"].nunique() == 8


def test_images_that_one_person_judged_or_that_lie_in_two_folders_are_two(tmp_path: Path) -> None:
    lines = judged_by_two(str, str.upper)
    assert not read(tmp_path, [*lines, *(line.replace("p1", "p0") for line in lines[5:])]).notes
    assert not read(tmp_path, judged_by_two("ganA/{}".format, "ganB/{}".format)).notes


@pytest.mark.parametrize(("one", "other"), [("P0", "p0"), ("7", "7.0"), ("7", "007")])
def test_participants_under_two_spellings_are_reported(tmp_path: Path, one: str, other: str) -> None:
    lines = [HEADER, *(f"{one if k % 2 else other},i{k},real,real" for k in range(8)), "p9,i1,real,generated"]
    assert read(tmp_path, lines).notes == (
        f"'{other}' and '{one}' count as two participants: if they are one participant, spell it in one way.",
    )


@pytest.mark.parametrize("name", ["1.7E+12", "1,7E+12", "6e+23"])
def test_a_participant_whose_number_a_spreadsheet_has_rounded_may_be_several(tmp_path: Path, name: str) -> None:
    lines = [HEADER.replace(",", ";"), *(f"{name};i{k};real;real" for k in range(3)), "1e10;i1;real;generated"]
    assert read(tmp_path, lines).notes == (
        f"'{name}' is how spreadsheets round long numbers, so several participants may share this name: take the names "
        "from the original file, as text.",
    )


def test_a_source_of_people_is_told_to_count_as_the_generator(tmp_path: Path) -> None:
    rows = [f"p{p},i{k},{'real' if k % 2 else 'generated'},real" for p in range(4) for k in range(4)]
    people = [HEADER + ",source", *(f"{row},{'MTurk' if int(row[1]) % 2 else 'Prolific'}" for row in rows)]
    assert read(tmp_path, people).notes[0] == (
        "The column source has one value for each participant (MTurk and Prolific) and several for each generated "
        "image: it counts as the generator; if it is not, rename it."
    )
    between = [
        HEADER + ",source",
        *(f"{row},{'b' if k >= 8 else 'a'}".replace(",i", f",{k >= 8}") for k, row in enumerate(rows)),
    ]
    assert not any("column source" in note for note in read(tmp_path, between).notes)


def test_flags_that_say_none_are_none(tmp_path: Path) -> None:
    lines = [HEADER + ",flags", "p,i1,real,real,none", "p,i2,real,real,0", "p,i3,generated,real,slow"]
    assert read(tmp_path, lines).counts["flagged_trials"] == 1


def test_sets_that_differ_in_case_alone_are_reported(tmp_path: Path) -> None:
    lines = [HEADER + ",source", "p,i1,real,real,", "p,i2,generated,real,StyleGAN", "p,i3,generated,real,stylegan"]
    assert (
        "'StyleGAN' and 'stylegan' count as two sets: if they are one set, spell it in one way."
        in read(tmp_path, lines).notes
    )


def test_another_column_of_people_is_advised_where_one_name_stands_for_all(tmp_path: Path) -> None:
    rows = [f"study1,i{k},real,real,s{p}" for p in range(9) for k in range(3)]
    assert read(tmp_path, [HEADER + ",Subject ID", *rows]).notes == (
        "27 answers of 1 participant are repeated judgements of an image, once for each value of subject id: if it "
        'names people, --map "participant=subject id".',
    )


def test_wrong_answers_without_a_time_may_be_times_out(tmp_path: Path) -> None:
    """Many programs write 0 when time is up; but others drop the times of all wrong answers."""
    lines = ["participant,image,truth,correct,rt", "p,i1,real,1,900", "p,i2,real,0,900", "p,i3,real,0,"]
    assert read(tmp_path, lines).notes[-1] == (
        "1 wrong answer (the first on f.csv, line 4), and no right one, without a response time: if time was up, empty "
        "their cells in the column correct."
    )
    for other in (["p,i4,real,1,"], []):
        several = [*lines, *other] if other else [*lines[:2], *lines[3:]]
        assert "time was up" not in " ".join(read(tmp_path, several).notes)


@pytest.mark.parametrize(("right", "wrong"), [("WAHR", "FALSCH"), ("VRAI", "FAUX")])
def test_right_and_wrong_may_be_in_the_language_of_the_spreadsheet(tmp_path: Path, right: str, wrong: str) -> None:
    lines = ["participant,image,truth,correct,catch", f"p,i1,real,{right},{wrong}", f"p,i2,real,{wrong},{wrong}"]
    answers = read(tmp_path, [*lines, f"p,i3,real,{wrong},{right}"])
    assert (answers.trials["answer"].tolist(), answers.counts["catch_trials"]) == (["real", "generated"], 1)


# ------------------------------------------------------------------------------------------------ codes


def test_files_whose_codes_are_shifted_against_each_other_are_refused(tmp_path: Path) -> None:
    for name, low in (("a", 1), ("b", 0)):
        lines = [f"{name},i{k},{('real', 'generated')[k % 2]},{low + k % 2}" for k in range(4)]
        (tmp_path / f"{name}.csv").write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    for words in (["answer.real=1", "answer.generated=2,0"], ["answer.real=0,1", "answer.generated=2"]):
        with pytest.raises(AnalysisError) as refused:
            read_csv(tmp_path, form=Form(words=words))
        assert str(refused.value) == (
            "The answer is coded 0 and 1 in b.csv but 1 and 2 in a.csv, so 1 has two meanings: report on files of one "
            "code at a time, with their own --words, or write the same codes into all."
        )
    with (tmp_path / "b.csv").open("a", encoding="utf-8") as file:
        file.write("\nb,i4,real,2")
    assert len(read_csv(tmp_path, form=Form(words=words)).trials) == 9, "three codes of one question"


def test_codes_of_the_answer_that_are_shifted_against_those_of_the_truth_are_refused(tmp_path: Path) -> None:
    lines = [HEADER, *(f"p,i{k},{k % 2},{1 + k // 2 % 2}" for k in range(8))]
    with pytest.raises(AnalysisError) as refused:
        read(tmp_path, lines, form=Form(words=["real=0,1", "generated=2"]))
    assert str(refused.value).endswith(
        ": the truth is coded 0 and 1 but the answer 1 and 2, so 1 has two meanings: give the words of each column, as "
        "in --words truth.real=0 --words answer.real=1."
    )
    words = ["truth.real=0", "truth.generated=1", "answer.real=1", "answer.generated=2"]
    trials = read(tmp_path, lines, form=Form(words=words)).trials
    assert (trials["is_generated"].sum(), trials["said_generated"].sum()) == (4, 4)


@pytest.mark.parametrize("name", ["KEY", "Answer key:"])
def test_the_key_in_a_wide_table_is_no_participant(tmp_path: Path, name: str) -> None:
    """Its rows are numbered where no column is known to name participants."""
    truth = tmp_path / "truth.csv"
    truth.write_text("image,truth\ni1,real\ni2,generated\n", encoding="utf-8")
    lines = ["nr,i1,i2", "7,real,real", f"{name},real,generated", "9,generated,real"]
    found = read(tmp_path, lines, form=Form(truth=truth, layout="wide"))
    said = f"Left out: 2 answers of '{name}', all of them right: that is the key, not a person."
    assert (found.trials["participant"].tolist(), found.notes) == (["1", "3", "1", "3"], (said,))


@pytest.mark.parametrize(("codes", "high", "last"), [
    ((1, 2, 4, 5, 9), 9, 5), ((1, 2, 3, 98, 99), 99, 3), ((1, 40, 60, 999), 999, 60), ((1, 3, 5, 7, 77), 77, 7),
])  # fmt: skip
def test_a_code_for_no_answer_does_not_widen_a_scale(
    tmp_path: Path, codes: Sequence[int], high: int, last: int
) -> None:
    lines = ["participant,image,truth,likert", *(f"p,i{k},real,{code}" for k, code in enumerate(codes))]
    with pytest.raises(AnalysisError) as refused:
        read(tmp_path, lines, form=Form(rating="likert"))
    assert str(refused.value) == (
        f"f.csv: the ratings in likert run from 1 to {high}, which may include a code for 'no answer': state the "
        f"scale, as in --rating likert:1..{last}, or 1..{high} if all are ratings."
    )


# ------------------------------------------------------------------------------------------------ twice in a table


@pytest.mark.parametrize(("option", "head", "doubled"), [
    ("people", "participant,sex,Sex", "sex"), ("people", "participant,ID,id", "id"),
    ("truth", "image,truth,Truth", "truth"), ("truth", "image,ground_truth,ground_truth", "ground_truth"),
])  # fmt: skip
def test_two_columns_of_one_name_in_a_second_table_are_refused(
    tmp_path: Path, option: str, head: str, doubled: str
) -> None:
    table = tmp_path / "table.csv"
    first = "p" if option == "people" else "i"
    table.write_text("\n".join([head, *(f"{first}{k},real,generated" for k in range(24))]), encoding="utf-8")
    with pytest.raises(AnalysisError) as refused:
        read(tmp_path, [f"{HEADER},x", *rows(lambda k, t, a: k)], form=Form(**{option: table}))  # type: ignore[arg-type]
    assert str(refused.value) == (
        f"table.csv, line 1: two columns are called {doubled} and differ: rename or remove one of them."
    )


@pytest.mark.parametrize(
    "name",
    [
        *("Lösung", "LÖSUNGEN", "Schlüssel", "clé", "Corrigé", "solution", "Musterlösung:"),
        *("Chiave", "soluzioni", "Risposte corrette", "Clave", "Solución", "respuestas correctas", "Verdad"),
    ],
)
def test_a_row_of_right_answers_is_no_person_in_german_and_french(tmp_path: Path, name: str) -> None:
    keys = [f"{name},i{k},{truth},{truth}" for k, truth in enumerate(("real", "generated"))]
    answers = read(tmp_path, [HEADER, *keys, "p,i0,real,generated", "p,i1,generated,generated"])
    assert answers.trials["answer"].eq(answers.trials["truth"]).tolist() == [False, True]
    assert answers.notes == (f"Left out: 2 answers of '{name}', all of them right: that is the key, not a person.",)


@pytest.mark.parametrize(
    ("truth", "answer", "words", "notes"),
    [
        ("is_real", "said_fake", ["real=1", "generated=0"], (
            "--words says that 1 in said_fake means real, where its name says generated: if it does, write --words "
            "answer.generated=1, and the like for other codes.",
        )),
        ("isFake", "is_fake_answer", ["real=1", "generated=0"], (
            "--words says that 1 in isfake means real, where its name says generated: if it does, write --words "
            "truth.generated=1, and the like for other codes.",
        )),
        ("is_fake", "said_fake", ["real=0", "generated=1"], ()),
        ("real_or_fake", "code", ["real=0", "generated=1"], ()),
        ("is_real", "said_fake", ["truth.real=1", "truth.generated=0", "answer.real=0", "answer.generated=1"], ()),
    ],
)  # fmt: skip
def test_codes_that_mean_the_reverse_of_their_columns_name_are_named(
    tmp_path: Path, truth: str, answer: str, words: list[str], notes: tuple[str, ...]
) -> None:
    lines = [f"participant,image,{truth},{answer}", "p,i1,1,1", "p,i2,0,1", "q,i1,1,0", "q,i2,0,1"]
    assert read(tmp_path, lines, form=Form(map=[f"truth={truth}", f"answer={answer}"], words=words)).notes == notes


@pytest.mark.parametrize(("last", "n"), [(9000, 1), (7999, 0)])
def test_times_that_only_increase_may_count_from_the_start(tmp_path: Path, last: int, n: int) -> None:
    times = [*range(1000, 8001, 1000), last]
    lines = [f"{who},i{k},real,real,{time}" for k, time in enumerate(times) for who in "pq"]
    notes = read(tmp_path, ["participant,image,truth,answer,response_time_ms", *lines]).notes
    assert notes == n * (
        "The response times of each participant increase from row to row: if they count from the start of the survey, "
        "take the differences, or leave them out; if the rows are sorted by them, they are right.",
    )


def test_files_of_one_content_are_named_once_by_their_folders(tmp_path: Path) -> None:
    for k in range(4):
        (tmp_path / f"s{k}").mkdir()
        (tmp_path / f"s{k}" / "consent.txt").write_text("agreed\nyes\n", encoding="utf-8")
        lines = ["participant,image,truth,answer", f"p{k},i1,real,real"]
        (tmp_path / f"s{k}" / "task.txt").write_text("\n".join(lines), encoding="utf-8")
    assert read_csv(tmp_path).notes == (
        "3 files (s1/consent.txt ... s3/consent.txt) have the same content as s0/consent.txt and are read once.",
        "Without judgements of images: s0/consent.txt.",
    )


@pytest.mark.parametrize(
    ("name", "columns", "left"),
    [
        ("R_3kL9qZ1", ("10:31", "10:31"), 6),
        ("a@lab.org", ("10:31", "10:31"), 6),
        ("R_3kL9qZ1", ("10:31", "11:07"), 8),  # judged again
        ("P02", ("10:31", "10:31"), 8),  # may be two people
    ],
)
def test_people_in_two_overlapping_exports_count_once(
    tmp_path: Path, name: str, columns: tuple[str, str], left: int
) -> None:
    for file, own, when in (("a", "p1", columns[0]), ("b", "p3", columns[1])):
        lines = ["participant,image,truth,answer,entered"]
        lines += [f"{who},i{k},{WORD[k]},real,{when}" for who in (own, name) for k in range(2)]
        (tmp_path / f"{file}.csv").write_text("\n".join(lines), encoding="utf-8")
    found = read_csv(tmp_path)
    assert len(found.trials) == left
    sentence = "Left out: 2 answers of 1 participant, which other files hold too."
    assert (sentence in found.notes) == (left == 6)
    if name == "P02":
        assert found.notes == (
            "The same names of 1 participant are in several files, with the same answers to the same images: each name "
            "counts as one person; remove copies of rows, and if different people have the same name, write the name "
            "of the file or site before theirs.",
        )
