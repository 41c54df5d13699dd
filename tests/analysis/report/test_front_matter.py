"""The page's methods: what was left out is said once, whether a rule or the reading of the file did it."""

from __future__ import annotations

from pathlib import Path

from analysis.answers.form import Form
from analysis.answers.read import read_csv
from analysis.report import front_matter
from analysis.section import Context
from glimpse.workspace import Workspace


def test_the_page_says_once_what_reading_left_out(tmp_path: Path) -> None:
    header = "participant,image,truth,answer,participant._is_bot\n"
    rows = ["a,i1.png,real,real,0", "a,i2.png,generated,real,0", "b,i1.png,real,real,1", ",,,,"]
    (tmp_path / "few.csv").write_text(header + "\n".join(rows))
    answers = read_csv(tmp_path / "few.csv", form=Form(layout="otree"))
    page = front_matter.page(Context(Workspace(tmp_path), responses=answers.trials), answers, [], [], {})
    said = " ".join(page.methods)
    assert "Left out: 1 blank row and 1 row of previews, tests, spam or bots." in said
    assert (said.count("eft out"), "Nothing was left out" in said) == (1, False)


def test_the_screen_names_everything_that_is_left_out_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    said = ("real", "unsure", "", "generated")
    rows = [f"p{p},i{k},{('real', 'generated')[k % 2]},{answer}" for p in range(3) for k, answer in enumerate(said)]
    path.write_text("\n".join(["participant,image,truth,answer", *rows]))
    answers = read_csv(path, ["image=i0", "image=i1", "image=i2"])
    assert front_matter.on_screen(answers) == [
        "Left out: 3 rows excluded by --where, 3 answers 'unsure' and 3 trials without an answer."
    ]
    whole = tmp_path / "whole.csv"
    whole.write_text("participant,image,truth,answer\na,x,real,real\na,y,generated,real\n")
    assert front_matter.on_screen(read_csv(whole)) == []


def test_an_answer_that_belongs_to_two_sets_is_one_trial_of_its_participant(tmp_path: Path) -> None:
    path = tmp_path / "answers.csv"
    rows = ["ann,a,,real,real", "ann,b,vae,generated,real", "ann,c,gan,generated,real", "bob,a,,real,real"]
    path.write_text("\n".join(["participant,image,source,truth,answer", *rows]))
    answers = read_csv(path)
    assert (answers.participants, answers.trials_each.to_dict()) == (2, {"ann": 3, "bob": 1})
    assert sorted(answers.shown.itertuples(index=False, name=None)) == [
        ("gan", "a", "real"), ("gan", "c", "generated"), ("vae", "a", "real"), ("vae", "b", "generated"),
    ]  # fmt: skip
