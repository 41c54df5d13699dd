"""Planning: the power that simulation gives, and the command around it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis import planning, power
from analysis.people import significance
from analysis.people.population import mixed
from analysis.people.population.simulation import Design, Truth, simulate

QUICK = ["--simulations", "20", "--participants", "20", "150"]


def test_more_people_give_more_power_and_ten_images_give_none_however_many() -> None:
    """With 10 images per class the power to say 'cannot tell' within ±.05 never rises above a trace."""
    plan = planning.Plan(planning.always(Truth()), Design(images=100), "cannot tell")
    few, many = planning.power_table(plan, (25, 150), 60)["cannot_tell"]
    assert few < 0.4
    assert many > 0.8
    ten = planning.power(replace(plan, design=Design(images=10)), 600, 60, np.random.default_rng(0))
    assert ten["cannot tell"] < 0.15


@pytest.mark.parametrize(("accuracy", "said"), [(0.451, "cannot tell"), (0.549, "cannot tell"), (0.551, "detectable")])
def test_the_claim_is_equivalence_within_the_bounds_and_detection_beyond(accuracy: float, said: str) -> None:
    assert planning.claim(Truth().with_accuracy(accuracy), 0.05) == said


def test_the_size_needed_lies_where_the_curve_crosses() -> None:
    table = pd.DataFrame({"participants": [50, 100, 200], "cannot_tell": [0.4, 0.7, 0.9]})
    assert planning.needed(table, "cannot tell", 0.8) == 150
    assert planning.needed(table, "cannot tell", 0.3) == 50
    assert planning.needed(table, "cannot tell", 0.95) is None


def test_the_command_prints_a_table_and_draws_the_curve(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert power.main([*QUICK, "--out", str(tmp_path / "plan")]) == 0
    said = capsys.readouterr().out
    assert "participants  cannot tell" in said
    assert "power" in said
    assert list(pd.read_csv(tmp_path / "plan" / "power.csv")["participants"])[-1] == 150
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
    assert "assurance (power averaged over what the pilot leaves open)" in said
    assert power.main([*QUICK, "--pilot", str(tmp_path / "pilot.csv"), "--accuracy", "0.5"]) == 0
    assert "True accuracy 0.500" in capsys.readouterr().out


def test_participants_of_a_studys_pilot_are_planned_from_and_simulated_ones_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people, images = np.repeat(np.arange(12), 40), np.tile(np.arange(40), 12)
    truth = np.array(["real", "generated"])[images % 2]
    said = np.where(np.random.default_rng(0).random(480) < 0.7, truth, truth[::-1])
    frame = pd.DataFrame({"participant": people, "image": images, "truth": truth, "answer": said})
    frame = frame.assign(excluded=1, excluded_for=np.where(people < 11, "pilot", "implausible"), simulated=0)
    frame.to_csv(tmp_path / "answers.csv", index=False)
    assert power.main([*QUICK, "--pilot", str(tmp_path / "answers.csv")]) == 0
    assert "from 11 participants of the pilot" in capsys.readouterr().out
    frame.assign(excluded=0, simulated=1).to_csv(tmp_path / "answers.csv", index=False)
    assert power.main([*QUICK, "--pilot", str(tmp_path / "answers.csv")]) == 2
    assert "--pilot: all participants are simulated, so that the answers say nothing" in capsys.readouterr().err


def test_assurance_averages_over_what_a_small_pilot_leaves_open() -> None:
    """Draws of the population scatter as widely as the pilot's standard errors, about its estimates."""
    model = mixed.fit(simulate(Truth(1.0, 0.1), Design(20), np.random.default_rng(2)))
    draw, rng = planning.uncertain(model), np.random.default_rng(3)
    truths = [draw(rng) for _ in range(400)]
    d_prime = np.array([truth.d_prime for truth in truths])
    assert model.spreads is not None
    assert d_prime.mean() == pytest.approx(model.d_prime.value, abs=0.05)
    assert d_prime.std() == pytest.approx(model.d_prime.se, rel=0.15)
    log_sd = np.log([truth.sd_criterion for truth in truths])
    assert log_sd.std() == pytest.approx(np.sqrt(model.spreads.covariance[0, 0]), rel=0.15)
    assert planning.uncertain(model, 0.6)(rng).accuracy == pytest.approx(0.6)


def test_a_difference_between_two_sets_is_planned_for(capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--simulations", "20", "--participants", "4", "40", "--accuracy", "0.55", "--difference", "0.2"]
    assert power.main(few) == 0
    said = capsys.readouterr().out
    assert "participants  different  undecided" in said
    assert "find a difference of 0.2 with 80% power" in said
    assert "two sets without shared images, and each person is as far above or below the average in both." in said
    assert "Where sets share their real images, the power is larger than that." in said


def test_shared_real_images_give_more_power_for_a_difference() -> None:
    """The plan says that the power of two sets is larger where they share their real images."""
    truth = planning.PUBLISHED.with_accuracy(0.6)
    plan = planning.Plan(planning.always(truth), Design(images=100), "different", difference=0.08)
    apart = planning.power(plan, 30, 80, np.random.default_rng(0))["different"]
    rng, found = np.random.default_rng(1), 0
    for _ in range(80):
        # one survey with 200 generated images, of which every other one belongs to the second set, is more often right
        # in it by as much as gives the same difference in balanced accuracy
        answers = simulate(truth, Design(30, images=200, trials=20, real_images=100, real_trials=10), rng)
        second = answers.is_generated & (answers.image % 2 == 1)
        missed = second & ~answers.said_generated
        rate = 2 * 0.08 / (1 - truth.hit_rate)
        said = answers.said_generated | (missed & (rng.random(len(answers)) < rate))
        both = replace(answers, said_generated=said)
        one, two = both.where(~second), both.where(second | ~answers.is_generated)
        (pair,) = significance.compare_sets({"one": one, "two": two})
        found += pair.p is not None and pair.p < 0.05
    assert found / 80 > apart + 0.15


def test_the_assumptions_are_given_beside_the_number(capsys: pytest.CaptureFixture[str]) -> None:
    assert power.main(["--simulations", "10", "--participants", "40", "--accuracy", "0.7"]) == 0
    said = capsys.readouterr().out
    assert "At most 40 participants find 'detectable' with 80% power." in said
    assert "no lapses" in said
    assert "With the smallest spreads of published surveys" in said


def test_too_few_participants_are_not_said_to_be_too_few_images(capsys: pytest.CaptureFixture[str]) -> None:
    assert power.main(["--simulations", "10", "--participants", "4"]) == 0
    assert "try more participants; if they no longer help, use more images" in capsys.readouterr().out


def test_the_luckiest_simulation_does_not_set_the_size() -> None:
    table = pd.DataFrame({"participants": [50, 100, 150, 200], "cannot_tell": [0.5, 0.84, 0.7, 0.9]})
    assert planning.needed(table, "cannot tell", 0.8) == 162  # 0.77 at 100 and 150, 0.9 at 200


def test_a_size_simulated_four_times_as_often_counts_four_times() -> None:
    """0.73 at 50 and 100, 0.9 at 150; with equal weights 0.775 at 50, above the target."""
    table = pd.DataFrame({"participants": [50, 100, 150], "cannot_tell": [0.85, 0.7, 0.9]})
    assert planning.needed(table, "cannot tell", 0.75) == 50
    table["simulations"] = [400, 1600, 400]
    assert planning.needed(table, "cannot tell", 0.75) == 106  # 100 + 50 * 0.02 / 0.17


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--real-trials", "20", "--images", "10", "--trials", "5"],
            "--real-trials 20: there are only 10 real images to draw from; raise --images or lower --real-trials.",
        ),
        (["--real-images", "1"], "there is only 1 real image to draw from; raise --real-images or lower --trials."),
        (["--set", "foo"], "--set: used only for a pilot; add --pilot FILE.csv."),
        (["--where", "a=b"], "--where: used only for a pilot; add --pilot FILE.csv."),
        (["--map", "truth=kind"], "--map: used only for the file of a pilot; name it with --pilot FILE.csv."),
        (["--pilot", "--rating", "score"], "--rating: used only for the file of a pilot; name it with"),
        (["--unsure", "half"], "--unsure: used only for the file of a pilot or a preregistration; add"),
        (["--positive", "real"], "--positive: used only for a preregistration; name the file to write with"),
        (["--difference", "0.7"], "--difference 0.7"),
        (["--accuracy", "1.2"], "--accuracy 1.2"),
        (
            ["--accuracy", "0.3", "--difference", "-0.4"],
            "the other set's accuracy would be -0.1, from 0.3; it must be from",
        ),
        (["--accuracy", "0.95", "--difference", "0.1"], "the other set's accuracy would be 1.05, from 0.95"),
        (
            ["--trials", "20", "--images", "10"],
            "--trials 20: there are only 10 real images to draw from; raise --images",
        ),
        (
            ["--trials", "20", "--images", "10", "--real-images", "40"],
            "only 10 generated images to draw from; raise --im",
        ),
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
    assert {20, 150} <= {row["participants"] for row in found["rows"]}
    assert f"{found['rows'][0]['undecided']:.3f}" in said
    assert found["claim"] == "cannot tell"
    assert found["participants_needed"] is None or f" {found['participants_needed']} participants" in said
