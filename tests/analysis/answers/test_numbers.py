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
    assert times(tmp_path, "response_time_s", ["1.1", "950 ms"]) == pytest.approx([1100, 950]), (
        "a value's own unit counts"
    )


@pytest.mark.parametrize("column", ["rt", "response_time_s", "response_time_ms", "response_time_us"])
@pytest.mark.parametrize(
    "values",
    [
        ["00:00:02.345", "00:00:01.500"],
        ["0:02.345", "0:01,5"],
        ["2.345 s", "1500 ms"],
        ["2,345 s", "1,5 seconds"],
        ["2345 ms", "1,500 ms"],
        ["2345000 µs", "1.5 Sekunden"],
        ["1900-01-01 00:00:02.345", "1900-01-01 00:00:01.5"],
        ["12:00:02.345 AM", "12:00:01.5 AM"],
        ["0 days 00:00:02.345000", "0 days 00:00:01.500000"],
        ["PT2.345S", "P0DT0H0M1.5S"],
    ],
)
def test_durations_in_clock_text_or_with_a_unit_are_read(tmp_path: Path, column: str, values: list[str]) -> None:
    assert times(tmp_path, column, values) == pytest.approx([2345, 1500])
    notes = read_csv(tmp_path / "answers.csv").notes
    assert notes == ((f"Read under other names: response_time_ms from {column}.",) if column == "rt" else ())


@pytest.mark.parametrize(
    "values",
    [
        ["1762077000", "1762077004", "1762077009"],
        ["1762077000123", "1762077004123", "1762077009123"],
        ["1762077000123456", "1762077004123456", "1762077009123456"],
        ["1.762077e18", "1.762077004e18", "1.762077009e18"],
        ["45963.60567", "45963.60571", "45963.60577"],
        ["14:32:10", "14:32:14", "14:32:19"],
        ["2025-11-02 14:32:10", "2025-11-02 14:32:14", "NA"],
        ["02.11.2025 14:32", "02.11.2025 14:33", "02.11.2025 14:33"],
    ],
)
@pytest.mark.parametrize("column", ["rt", "response_time", "response_time_s", "response_time_ms"])
def test_points_in_time_are_not_response_times(tmp_path: Path, column: str, values: list[str]) -> None:
    assert np.isnan(times(tmp_path, column, values)).all()
    name = column if column[-2:] in ("_s", "ms") else "response_time_ms"
    assert read_csv(tmp_path / "answers.csv").notes[-1] == (
        f"{name} holds points in time, such as '{values[0]}', not response times, and is left out."
    )


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("rt", ["2345000", "1500000"]),  # µs, as in ms it would be more than half an hour
        ("rt", ["2345000000", "1500000000"]),
        ("rt (µs)", ["2345000", "1500000"]),
        ("response_time_us", ["2345000", "1500000"]),
        ("rt_ns", ["2345000000", "1500000000"]),
    ],
)
def test_shorter_units_are_read(tmp_path: Path, column: str, values: list[str]) -> None:
    assert times(tmp_path, column, values) == pytest.approx([2345, 1500])


def test_times_that_may_be_in_ms_or_in_shorter_units_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="the times in the column rt may be in ms or in us; give --map "):
        times(tmp_path, "rt", ["300000", "400000"])
    assert times(tmp_path, "rt", ["120000", "150000"]) == [120_000, 150_000], "0.1 s is too short, 2 minutes are not"


def test_a_unit_within_the_name_of_a_column_is_its_own(tmp_path: Path) -> None:
    lines = [HEADER + ",exposure_ms_planned", "p,i1,real,real,100 ms", "p,i2,real,real,1000ms"]
    answers = read_csv(written(tmp_path, lines))
    assert (answers.trials["exposure_ms_planned"].tolist(), answers.notes) == ([100, 1000], ())


def test_milliseconds_in_a_column_of_seconds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match=r"response_time_s is 3064.1 s, which looks like ms"):
        times(tmp_path, "response_time_s", ["3064.1"])
    with pytest.raises(AnalysisError, match=r"response_time_s is 3.0641e\+06 s, which looks like us"):
        times(tmp_path, "response_time_s", ["3064100"])


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


@pytest.mark.parametrize(
    ("column", "first", "second", "expected"),
    [
        ("response_time_s", ["1.25", "0.8"], ["2,195", "1,204"], [1250, 800, 2195, 1204]),
        ("response_time_ms", ["812.5", "900.25"], ["1.234,5", "812,5"], [812.5, 900.25, 1234.5, 812.5]),
        ("rt", ["1,25", "0,8"], ["2,195", "1,204"], [1250, 800, 2195, 1204]),
        ("rt (s)", ["1.25", "0.8"], ["2,195", "1,204"], [1250, 800, 2195, 1204]),
    ],
)
def test_each_file_has_its_number_format(
    tmp_path: Path, column: str, first: list[str], second: list[str], expected: list[float]
) -> None:
    for name, values in (("a", first), ("b", second)):
        lines = [f"{name};i{k};real;real;{value}" for k, value in enumerate(values)]
        written(tmp_path, [f"participant;image;truth;answer;{column}", *lines], f"{name}.csv")
    assert read_csv(tmp_path).trials["response_time_ms"].tolist() == pytest.approx(expected)


def test_a_file_that_does_not_tell_its_number_format_has_that_of_the_others(tmp_path: Path) -> None:
    lines = ["participant;image;truth;answer;exposure_ms_actual", "a;i1;real;real;20,125"]
    written(tmp_path, lines, "a.csv")
    written(tmp_path, [lines[0], "b;i1;real;real;19,5"], "b.csv")
    assert read_csv(tmp_path).trials["exposure_ms_actual"].tolist() == [20.125, 19.5]
