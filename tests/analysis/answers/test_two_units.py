"""Files that answer on two scales or in two units are refused, those whose people only differ are not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from analysis.answers.form import Form
from analysis.answers.read import read_csv
from analysis.section import AnalysisError


def rated(folder: Path, name: str, points: Sequence[int]) -> Path:
    path = folder / name
    lines = [f"{name}{k % 2},i{k},{('real', 'generated')[k % 2]},{point}" for k, point in enumerate(points)]
    path.write_text("\n".join(["participant,image,truth,sure", *lines]), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("first", "second", "ranges"),
    [
        ([0, 1, 2, 4], [1, 3, 4, 5], "0 to 4 in a.csv but from 1 to 5 in b.csv: {}0..5"),
        ([-2, 0, 1, 2], [1, 3, 4, 5], "-2 to 2 in a.csv but from 1 to 5 in b.csv: {}-2..5"),
        ([1, 2, 4, 5], [0, 30, 55, 100], "1 to 5 in a.csv but from 0 to 100 in b.csv: {}0..100"),
    ],
)
def test_files_with_ratings_on_two_scales_are_refused(
    tmp_path: Path, first: list[int], second: list[int], ranges: str
) -> None:
    files = [rated(tmp_path, "a.csv", first), rated(tmp_path, "b.csv", second)]
    with pytest.raises(AnalysisError) as error:
        read_csv(files, form=Form(rating="sure"))
    remedy = "if that is one scale, state it with --rating sure:"
    assert str(error.value) == (
        f"The ratings in sure run from {ranges.format(remedy)}, else report on each file separately."
    )
    assert len(read_csv(files, form=Form(rating="sure:-2..100")).trials) > 6


@pytest.mark.parametrize(
    ("first", "second", "middle"),
    [
        ([1, 2, 4, 5], [2, 3, 4, 5], 3),
        ([1, 2, 3, 4], [2, 3, 4, 5], 3),
        ([0, 1, 4, 5], [1, 2, 3, 4], 2.5),
        ([-4, -3, -1, 0], [-4, -3, -2, 0], -2),
    ],
)
def test_files_whose_people_do_not_use_an_end_of_the_scale_are_read(
    tmp_path: Path, first: list[int], second: list[int], middle: float
) -> None:
    files = [rated(tmp_path, "a.csv", first), rated(tmp_path, "b.csv", second)]
    stated = "sure:-4..0" if middle < 0 else "sure"
    answers = read_csv(files, form=Form(rating=stated))
    assert answers.trials["said_generated"].sum() == sum(point > middle for point in first + second)


def test_files_whose_people_all_avoid_an_end_are_refused_unless_the_scale_is_stated(tmp_path: Path) -> None:
    for name, high in (("a", 5), ("b", 7)):
        lines = [f"{name}{k % 4},i{k},{('real', 'generated')[k % 2]},{1 + k % high}" for k in range(40)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["participant,image,truth,sure", *lines]), encoding="utf-8")
    with pytest.raises(AnalysisError) as error:
        read_csv(tmp_path, form=Form(rating="sure"))
    assert str(error.value) == (
        "The ratings in sure run from 1 to 5 in a.csv but from 1 to 7 in b.csv: if that is one scale, state it with "
        "--rating sure:1..7, else report on each file separately."
    )
    assert read_csv(tmp_path, form=Form(rating="sure:1..7")).trials["said_generated"].sum() == 8 + 16


def test_participants_with_the_same_numbers_in_several_files_are_named(tmp_path: Path) -> None:
    for name, first in (("bern", ""), ("basel", ""), ("bern", "s"), ("basel", "s")):
        lines = [f"{first}{k % 4 + 1},{name}{k},{('real', 'generated')[k % 2]},real" for k in range(8)]
        (tmp_path / f"{name}.csv").write_text("\n".join([TIMED[:-1], *lines]), encoding="utf-8")
        notes = read_csv(tmp_path).notes
        if name == "basel":
            assert notes == (() if first else (NUMBERED,))


NUMBERED = (
    "The same numbers of 4 participants are in several files: each number counts as one person; if the files are of "
    "different people, write the name of the file or site before theirs."
)
TIMED = "participant,image,truth,answer,"


@pytest.mark.parametrize("column", ["rt", "response_time_ms", "response_time_s"])
def test_times_in_s_in_one_file_and_in_ms_in_another_are_refused(tmp_path: Path, column: str) -> None:
    times = {"a.csv": [0.9, 1.2, 1.5], "b.csv": [800, 1100, 1900, 1300]}
    for name, values in times.items():
        lines = [f"{name},i{k},real,real,{value}" for k, value in enumerate(values)]
        (tmp_path / name).write_text("\n".join([TIMED + column, *lines]), encoding="utf-8")
    read_as = "response_time_ms" if column == "rt" else column
    with pytest.raises(AnalysisError) as error:
        read_csv(tmp_path)
    assert str(error.value) == (
        f"The median of {read_as} is 1.2 in a.csv but 1200 in b.csv: if one is in s and the other in ms, write both in "
        "one unit, or name the column of each file by its unit (response_time_s or response_time_ms)."
    )


def timed(folder: Path, times: Mapping[str, Sequence[float]]) -> Path:
    path = folder / "times.csv"
    lines = [f"{person},i{k},real,real,{value}" for person, values in times.items() for k, value in enumerate(values)]
    path.write_text("\n".join([TIMED + "rt", *lines]), encoding="utf-8")
    return path


def test_times_of_people_in_two_units_are_refused_and_slow_people_are_not(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"response_time_ms is 1\.2 in p0 but 1200 in p1: if one is in s"):
        read_csv(timed(tmp_path, {"p0": [0.9, 1.2, 1.5], "p1": [800, 1200, 1500]}))
    slow = read_csv(timed(tmp_path, {"p0": [300, 400, 500], "p1": [30_000, 40_000]}))
    assert slow.trials["response_time_ms"].max() == 40_000
