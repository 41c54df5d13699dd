"""The number format of a column is found, or the column refused; values in another unit or none are named."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from analysis.answers.read import read_csv
from analysis.section import AnalysisError

HEADER = "participant,image,truth,answer"


def written(folder: Path, lines: list[str], name: str = "answers.csv") -> Path:
    path = folder / name
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def times(folder: Path, column: str, values: list[str]) -> list[float]:
    lines = [f"participant;image;truth;answer;{column}", *(f"p;i{i};real;real;{v}" for i, v in enumerate(values))]
    return [float(v) for v in read_csv(written(folder, lines)).trials["response_time_ms"]]


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("response_time_ms", ["3,328", "696"], [3328, 696]),
        ("response_time_ms", ["3.328", "696"], [3328, 696]),
        ("response_time_ms", ["1.234,5", "2.345"], [1234.5, 2345]),
        ("response_time_ms", ["1'234", "2 345"], [1234, 2345]),
        ("response_time_s", ["3,328", "2,284"], [3328, 2284]),
        ("response_time_s", ["3.328", "2.284"], [3328, 2284]),
        ("response_time_s", ["1,25", "3,328"], [1250, 3328]),
        ("response_time_s", ["3,328", "2"], [3328, 2000]),
        ("response_time_ms", ["2,405", "729", "2"], [2405, 729, 2]),
    ],
)
def test_the_number_format_is_that_of_the_column(
    tmp_path: Path, column: str, values: list[str], expected: list[float]
) -> None:
    assert times(tmp_path, column, values) == pytest.approx(expected)


def test_an_ambiguous_number_is_refused_with_its_line_and_value(tmp_path: Path) -> None:
    lines = [HEADER.replace(",", ";") + ";exposure_ms_actual", "a;i1;real;real;20,125"]
    with pytest.raises(AnalysisError, match=r"answers.csv, line 2: '20,125' .* may be 20.125 or 20125"):
        read_csv(written(tmp_path, lines))


@pytest.mark.parametrize("value", ["2,405", "2.405"])
def test_a_group_of_thousands_beside_whole_numbers_below_a_thousand_is_not_a_decimal(
    tmp_path: Path, value: str
) -> None:
    with pytest.raises(AnalysisError, match=rf"answers.csv, line 3: '{value}' .* may be 2.405 or 2405"):
        times(tmp_path, "response_time_s", ["729", value, "3" + value[1:], "2"])


@pytest.mark.parametrize(
    ("column", "values", "sentence"),
    [
        (
            "response_time_s",
            ["1.5", "729", "2", "1210", "3.5", "100"],
            "2 values .* above 100 s, .* line 3: 729; .* ms",
        ),
        ("response_time_ms", ["950", "1.25", "1210", "0", "20"], "1 value .* below 20 ms, .* line 3: 1.25; .* it .* s"),
    ],
)
def test_single_times_that_may_be_in_another_unit_are_named(
    tmp_path: Path, column: str, values: list[str], sentence: str
) -> None:
    lines = [f"{HEADER},{column}", *(f"p,i{i},real,real,{v}" for i, v in enumerate(values))]
    (note,) = read_csv(written(tmp_path, lines)).notes
    assert re.match(sentence, note)


def test_a_unit_behind_a_number_is_that_of_its_column(tmp_path: Path) -> None:
    assert times(tmp_path, "response_time_ms", ["950 ms", "1.200ms", "1.300,5 msec"]) == [950, 1200, 1300.5]
    assert times(tmp_path, "response_time_s", ["0.95 s", "1.2sec"]) == [950, 1200]
    assert np.isnan(times(tmp_path, "response_time_s", ["1.1", "950 ms"])[1]), "another unit is no number of this one"


def test_a_unit_within_the_name_of_a_column_is_its_own(tmp_path: Path) -> None:
    lines = [HEADER + ",exposure_ms_planned", "p,i1,real,real,100 ms", "p,i2,real,real,1000ms"]
    answers = read_csv(written(tmp_path, lines))
    assert (answers.trials["exposure_ms_planned"].tolist(), answers.notes) == ([100, 1000], ())


def test_milliseconds_in_a_column_of_seconds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"response_time_s is 3064.1 s, which looks like ms"):
        times(tmp_path, "response_time_s", ["3064.1"])


@pytest.mark.parametrize(
    ("column", "value", "median"),
    [
        ("response_time_ms", "1_498_000", "1,498,000 ms"),  # microseconds
        ("exposure_ms_planned", "2.5", "2.5 ms"),  # seconds
        ("response_time_s", "0.002", "0.002 s"),
    ],
)
def test_a_column_that_is_hardly_in_its_unit_is_reported(tmp_path: Path, column: str, value: str, median: str) -> None:
    lines = [f"{HEADER},{column}", f"p,i1,real,real,{value}", f"p,i2,real,real,{value}"]
    unit = median[-2:].strip()
    assert read_csv(written(tmp_path, lines)).notes == (
        f"The median of {column} is {median}: if it has another unit, convert it to {unit}.",
    )


def test_values_that_are_not_numbers_are_counted(tmp_path: Path) -> None:
    answers = read_csv(written(tmp_path, [HEADER + ",response_time_s", "a,i1,real,real,soon", "b,i1,real,real,2.5"]))
    assert "1 value of response_time_s is not a number" in answers.notes[0]
    assert "line 2: 'soon'" in answers.notes[0]
