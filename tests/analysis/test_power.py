"""Planning: the power that simulation gives, and the command around it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import power
from analysis.people.simulation import Design, Truth, simulate

QUICK = ["--simulations", "20", "--participants", "20", "150"]


def test_more_people_give_more_power_and_ten_images_give_none_however_many() -> None:
    """DESIGN: with 10 images a class the power to say 'cannot tell' within ±.05 never rises above a trace."""
    truth = Truth()
    table = power.power_table(truth, Design(images=100), (25, 150), 60, 0.05)
    few, many = table["cannot_tell"]
    assert few < 0.4
    assert many > 0.8
    ten = power.power(truth, Design(600, images=10), 60, 0.05, np.random.default_rng(0))
    assert ten["cannot tell"] < 0.15


@pytest.mark.parametrize(("accuracy", "said"), [(0.451, "cannot tell"), (0.549, "cannot tell"), (0.551, "detectable")])
def test_the_claim_is_equivalence_within_the_bounds_and_detection_beyond(accuracy: float, said: str) -> None:
    assert power.claim(Truth().with_accuracy(accuracy), 0.05) == said


def test_the_size_needed_lies_where_the_curve_crosses() -> None:
    table = pd.DataFrame({"participants": [50, 100, 200], "cannot_tell": [0.4, 0.7, 0.9]})
    assert power.needed(table, "cannot_tell", 0.8) == 150
    assert power.needed(table, "cannot_tell", 0.3) == 50
    assert power.needed(table, "cannot_tell", 0.95) is None


def test_the_command_prints_a_table_and_draws_the_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert power.main([*QUICK, "--out", str(tmp_path / "plan")]) == 0
    said = capsys.readouterr().out
    assert "participants  cannot tell" in said
    assert "power" in said
    assert list(pd.read_csv(tmp_path / "plan" / "power.csv")["participants"]) == [20, 150]
    assert (tmp_path / "plan" / "power.svg").read_text("utf-8").lstrip().startswith("<?xml")


def test_a_pilot_gives_the_spreads_and_the_accuracy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answers = simulate(Truth(1.0, 0.1), Design(60), np.random.default_rng(1))
    word = np.array(["real", "generated"])
    pilot = pd.DataFrame(
        {
            "participant": answers.participant, "image": answers.image,
            "truth": word[answers.is_generated.astype(int)], "answer": word[answers.said_generated.astype(int)],
        }
    )  # fmt: skip
    pilot.to_csv(tmp_path / "pilot.csv", index=False)
    assert power.main([*QUICK, "--pilot", str(tmp_path / "pilot.csv")]) == 0
    said = capsys.readouterr().out
    assert "from 60 participants of the pilot" in said
    assert "'detectable'" in said
    assert power.main([*QUICK, "--pilot", str(tmp_path / "pilot.csv"), "--accuracy", "0.5"]) == 0
    assert "True accuracy 0.500" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--accuracy", "1.2"], "--accuracy 1.2"),
        (["--trials", "20", "--images", "10"], "a class has only 10 images"),
        (["--participants", "1"], "at least 2"),
        (["--pilot"], "holds no answers yet"),
    ],
)
def test_what_cannot_be_planned_gives_one_sentence(
    options: list[str],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.delenv("GLIMPSE_WORKSPACE", raising=False)
    assert power.main(options) == 2
    assert sentence in capsys.readouterr().err


def test_json_holds_what_the_table_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert power.main(QUICK) == 0
    said = capsys.readouterr().out
    assert power.main([*QUICK, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["participants"] for row in found["rows"]] == [20, 150]
    assert f"{found['rows'][0]['undecided']:.3f}" in said
    assert found["claim"] == "cannot tell"
    assert found["participants_needed"] is None or f" {found['participants_needed']} participants" in said
