"""Columns that contradict each other: told in a note that names the remedy, or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from analysis.answers.form import Form
from analysis.answers.read import read_csv
from analysis.answers.responses import Responses
from analysis.section import AnalysisError

HEADER = "participant,image,truth,answer"
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
        "--words, and which column is the answer."
    )
    half = read(tmp_path, [header, *rows(lambda k, t, a: int((t == a) == (k % 2 == 0)))])
    assert (half.notes, len(half.trials)) == ((note,), 24)
    assert not read(tmp_path, [header, *rows(lambda k, t, a: str(t == a).lower())]).notes
    with pytest.raises(AnalysisError, match=rf"^f.csv, line 2: the column {column.lower()} .* in 24 of 24 rows, so"):
        read(tmp_path, [header, *rows(lambda k, t, a: "no" if t == a else "yes")])


def test_times_out_and_columns_that_are_no_verdict_contradict_nothing(tmp_path: Path) -> None:
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
