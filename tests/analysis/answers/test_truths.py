"""A second table gives the truth of the image that was shown, in whichever folder its file was."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analysis.answers.form import Form
from analysis.answers.read import read_csv
from analysis.section import AnalysisError


def images_of(folder: Path, names: list[str], known: list[str]) -> list[str]:
    """The images of answers to `names`, by a table that knows others; `known`: the first is real."""
    (folder / "answers.csv").write_text("\n".join(["participant,image,answer", *(f"p,{n},real" for n in names)]))
    kinds = ["real", *["generated"] * (len(known) - 1)]
    rows = [f"{image},{kind}" for image, kind in zip(known, kinds, strict=True)]
    (folder / "images.csv").write_text("\n".join(["image,truth", *rows]))
    return read_csv(folder / "answers.csv", form=Form(truth=folder / "images.csv")).trials["image"].tolist()


@pytest.mark.parametrize(
    ("names", "known", "found"),
    [
        (["/srv/exp/img/1.png", "/srv/exp/img/2.png"], ["1.png", "2.png"], ["1.png", "2.png"]),
        (["https://host/img/1.png", "C:\\study\\img\\2.png"], ["1.png", "2.png"], ["1.png", "2.png"]),
        (
            ["https://host/a%201.png?v=3", "http://host/see.php?of=img/2.png"],
            ["a 1.png", "2.png"],
            ["a 1.png", "2.png"],
        ),
        (["/a/img/2.png", "D:\\b\\img\\2.png"], ["1.png", "2.png"], ["2.png"] * 2),  # two machines
        (["1.png", "2.png"], ["real/1.png", "ganA/2.png"], ["real/1.png", "ganA/2.png"]),
        (["/home/a/img/1.png", "/home/a/img/2"], ["D:/img/1.png", "D:/img/2.png"], ["D:/img/1.png", "D:/img/2.png"]),
        (["/a/stim/1.png", "/a/stim/2.png"], ["D:/img/1.png", "D:/img/2.png"], ["D:/img/1.png", "D:/img/2.png"]),
        (["stim/1.png", "stim/2.png"], ["real/1.png", "ganA/2.png"], ["real/1.png", "ganA/2.png"]),
        (["Real/1.png", "ganA/2.png"], ["real/1.png", "ganA/2.png"], ["real/1.png", "ganA/2.png"]),
        (
            ["./real/1.png", "..\\ganA/2.png", "2.png"],
            ["real/1.png", "ganA/2.png"],
            ["real/1.png", *["ganA/2.png"] * 2],
        ),
    ],
)
def test_paths_of_another_machine_do_not_matter(
    tmp_path: Path, names: list[str], known: list[str], found: list[str]
) -> None:
    assert images_of(tmp_path, names, known) == found


@pytest.mark.parametrize(
    ("names", "known", "reason"),
    [
        (
            ["real/1.png", "ganB/2.png"],
            ["real/2.png", "real/1.png"],
            "line 3: the image 'ganB/2.png' is not in images.csv, which has 'real/2.png' (1 row",
        ),
        (
            ["/srv/real/1.png", "/srv/ganB/2.png"],
            ["real/1.png", "ganA/2.png"],
            "line 3: the image '/srv/ganB/2.png' is not in images.csv, which has 'ganA/2.png' (1 row",
        ),
        (
            ["ganA/1.png"],
            ["real/1.png", "ganA/2.png"],
            "line 2: the image 'ganA/1.png' is not in images.csv, which has 'real/1.png' (1 row",
        ),
        (
            ["real/2.png", "ganB/2.png"],
            ["2.png", "3.png"],
            "line 2: the image 'real/2.png' and 'ganB/2.png' would both be '2.png' of images.csv (2 rows",
        ),
        (
            ["a/2.png", "b/2.png"],
            ["real/2.png", "ganA/1.png"],
            "line 2: the image 'a/2.png' and 'b/2.png' would both be 'real/2.png' of images.csv (2 rows",
        ),
        (["7.png"], ["real/1.png"], "line 2: the image '7.png' is not in images.csv (1 row"),
        (["g.PNG"], ["g.png", "G.png"], "line 2: the image 'g.PNG' may be 'g.png' or 'G.png' of images.csv (1 row"),
    ],
)
def test_the_file_of_that_name_in_another_folder_is_another_image(
    tmp_path: Path, names: list[str], known: list[str], reason: str
) -> None:
    with pytest.raises(AnalysisError, match=re.escape(reason)):
        images_of(tmp_path, names, known)


def test_the_case_of_a_name_matters_only_if_several_images_differ_in_it(tmp_path: Path) -> None:
    assert images_of(tmp_path, ["G3.PNG", "Real/R1.jpg"], ["g3.png", "real/r1.jpg"]) == ["g3.png", "real/r1.jpg"]
    assert images_of(tmp_path, ["a.png", "A.png"], ["A.png", "a.png"]) == ["a.png", "A.png"]


def test_an_image_that_a_list_does_not_show_is_not_a_missing_answer(tmp_path: Path) -> None:
    """Two wide lists, each with images of its own: an empty cell is an answer not given, a lacking column is not."""
    (tmp_path / "a.csv").write_text("subject,1.png,2.png\np1,real,generated\np2,real,\n")
    (tmp_path / "b.csv").write_text("subject,2.png,3.png\np3,real,generated\n")
    (tmp_path / "images.csv").write_text("image,truth\n1.png,real\n2.png,generated\n3.png,real\n")
    answers = read_csv(
        [tmp_path / "a.csv", tmp_path / "b.csv"], form=Form(layout="wide", truth=tmp_path / "images.csv")
    )
    trials = answers.trials.sort_values(["participant", "image"])
    assert trials[["participant", "image", "answer"]].to_numpy().tolist() == [
        ["p1", "1.png", "real"],
        ["p1", "2.png", "generated"],
        ["p2", "1.png", "real"],
        ["p3", "2.png", "real"],
        ["p3", "3.png", "generated"],
    ]
    assert answers.counts["missing_answers"] == 1


@pytest.mark.parametrize("column", ["{}_answer", "answer_{}", "{}_resp", "rating_{}", "{}_choice"])
def test_columns_may_say_that_they_are_answers_to_an_image(tmp_path: Path, column: str) -> None:
    names = [column.format(image) for image in ("a", "b", "a_answer_2")]
    (tmp_path / "a.csv").write_text(f"participant,{','.join(names)},a_rt\np1,real,generated,real,812\n")
    (tmp_path / "images.csv").write_text("image,truth\na.png,real\nb.png,real\na_answer_2.png,generated\n")
    found = read_csv(tmp_path / "a.csv", form=Form(layout="wide", truth=tmp_path / "images.csv")).trials
    assert dict(zip(found["image"], found["answer"], strict=True)) == {
        "a.png": "real", "b.png": "generated", "a_answer_2.png": "real",
    }  # fmt: skip


def test_several_files_lack_a_column_that_one_file_lacks(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"participant,image,answer\n{name},1.png,real\n")
    with pytest.raises(AnalysisError, match=r"^2 files \(a.csv ... b.csv\) lack the column truth"):
        read_csv([tmp_path])
    with pytest.raises(AnalysisError, match=r"^a.csv lacks the column truth"):
        read_csv([tmp_path / "a.csv"])


def test_another_truth_in_the_answers_is_told_and_that_of_the_table_counts(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("image,truth\n1.png,real\n2.png,generated\n3.png,generated\n")
    (tmp_path / "a.csv").write_text(
        "participant,image,truth,answer\np,1.png,real,real\np,2.png,Real,real\np,3.png,,generated\n"
    )
    answers = read_csv(tmp_path / "a.csv", form=Form(truth=tmp_path / "images.csv"))
    assert answers.trials["truth"].tolist() == ["real", "generated", "generated"]
    assert answers.notes == (
        "In 1 of 3 rows, first on a.csv, line 3, the answers have another truth than images.csv, which counts.",
    )


def test_a_table_of_images_in_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("image,truth\n1.png,real\n2.png,generated\n")
    (tmp_path / "a.csv").write_text("participant,image,answer\np,1.png,real\np,2.png,real\n")
    with pytest.raises(AnalysisError, match=r"^a.csv, line 2: the column truth is empty; give images.csv as --truth.$"):
        read_csv(tmp_path)
    assert len(read_csv(tmp_path, form=Form(truth=tmp_path / "images.csv")).trials) == 2


def test_folders_that_contradict_the_table_of_truths_are_refused_or_named(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("image,truth\n1.png,real\n2.png,real\n3.png,generated\n")
    (tmp_path / "a.csv").write_text(
        "participant,image,answer\np,real/1.png,real\np,generated/2.png,real\np,generated/3.png,real\n"
    )
    answers = read_csv(tmp_path / "a.csv", form=Form(truth=tmp_path / "images.csv"))
    assert answers.trials["truth"].tolist() == ["real", "real", "generated"]
    assert answers.notes == (
        "In 1 of 3 rows, first on a.csv, line 3, the answers have another truth than images.csv, which counts.",
    )


def test_an_image_without_a_truth_in_the_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_text("image,truth\n1.png,\n2.png,generated\n")
    (tmp_path / "a.csv").write_text("participant,image,answer\np,1.png,real\np,2.png,real\n")
    with pytest.raises(AnalysisError) as refused:
        read_csv(tmp_path / "a.csv", form=Form(truth=tmp_path / "images.csv"))
    assert str(refused.value) == (
        "a.csv, line 2: the image '1.png' has no truth in images.csv (1 row like it); add it."
    )


def test_numbers_that_a_gap_made_fractions_are_the_images_of_the_table(tmp_path: Path) -> None:
    assert images_of(tmp_path, ["1.0", "2.0"], ["1", "2"]) == ["1", "2"]
    assert images_of(tmp_path, ["1", "2"], ["1.0", "2.0"]) == ["1.0", "2.0"]


def test_images_named_with_the_escapes_of_a_page_are_found(tmp_path: Path) -> None:
    """A browser writes a space as %20."""
    (tmp_path / "truth.csv").write_text("image,truth\nscan 1.png,real\nscan 2.png,generated\n", encoding="utf-8")
    path = tmp_path / "answers.csv"
    path.write_text("participant,image,answer\np,img/scan%201.png,real\np,img/scan%202.png,real\n", encoding="utf-8")
    found = read_csv(path, form=Form(truth=tmp_path / "truth.csv")).trials
    assert found[["image", "truth"]].to_numpy().tolist() == [["scan 1.png", "real"], ["scan 2.png", "generated"]]
