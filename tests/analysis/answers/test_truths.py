"""The truth of a second table is that of the image that was shown, wherever its file lay."""

from __future__ import annotations

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
    ("names", "known", "unknown"),
    [
        (["real/1.png", "ganB/2.png"], ["real/2.png", "real/1.png"], "ganB/2.png"),
        (["/srv/real/1.png", "/srv/ganB/2.png"], ["real/1.png", "ganA/2.png"], "/srv/ganB/2.png"),
        (["ganA/1.png"], ["real/1.png", "ganA/2.png"], "ganA/1.png"),
        (["real/2.png", "ganB/2.png"], ["2.png", "3.png"], "real/2.png"),
        (["a/2.png", "b/2.png"], ["real/2.png", "ganA/1.png"], "a/2.png"),
    ],
)
def test_the_file_of_that_name_in_another_folder_is_another_image(
    tmp_path: Path, names: list[str], known: list[str], unknown: str
) -> None:
    with pytest.raises(AnalysisError, match=rf"the image '{unknown}' is not in images.csv, or fits several there"):
        images_of(tmp_path, names, known)
