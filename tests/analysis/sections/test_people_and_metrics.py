"""People and metrics side by side: rank correlations, realism, and one table for each answered set."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import stats

from analysis.images import better
from analysis.numbers import as_field
from analysis.people import dependence, image_rates, significance
from analysis.people.population.simulation import Design, Truth, simulate
from analysis.people.trials import Trials
from analysis.report.__main__ import main as report
from analysis.report.page import FORMATS
from analysis.section import template
from analysis.sections import SECTIONS, people_and_metrics, survey_in_words
from analysis.sections.people_and_metrics import nearest_distance, rank_correlation, realism, set_table, with_machine
from gan_core.cli import main as gan_core
from glimpse.workspace import Workspace
from study_app.cli import main as study_app
from tests.analysis.pictures import textures


def test_a_rank_correlation_is_scipys_and_its_interval_holds_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    law = stats.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]])
    truth = 6 / np.pi * np.arcsin(0.5 / 2)  # Spearman's rho of a bivariate normal with correlation 0.5
    held = 0
    for _ in range(400):
        x, y = law.rvs(60, random_state=rng).T
        found = rank_correlation(x, y)
        assert found["rho"] == pytest.approx(stats.spearmanr(x, y).statistic)
        held += found["ci95"][0] <= truth <= found["ci95"][1]
    assert 0.92 <= held / 400 <= 0.98


def test_the_interval_of_a_rank_correlation_is_that_of_bonett_and_wright() -> None:
    """30 ranks with blocks of 13, 8 and 2 reversed: the squared differences sum to 728 + 168 + 2 = 898."""
    y = np.concatenate([np.arange(13)[::-1], np.arange(13, 21)[::-1], [22, 21], np.arange(23, 30)])
    found = rank_correlation(np.arange(30), y)
    rho = 1 - 6 * 898 / (30 * (30**2 - 1))
    half = 1.959964 * np.sqrt((1 + rho**2 / 2) / (30 - 3))
    assert found["rho"] == pytest.approx(rho, abs=1e-12)
    assert found["ci95"] == pytest.approx([np.tanh(np.arctanh(rho) - half), np.tanh(np.arctanh(rho) + half)], abs=1e-9)


def test_too_few_pairs_and_constant_sides_have_no_correlation_but_a_reason() -> None:
    assert "fewer than" in rank_correlation([1, 2, np.nan, 4, 5], [1, 2, 3, 4, np.nan])["note"]
    assert "does not vary" in rank_correlation(np.ones(9), np.arange(9))["note"]


def test_realism_is_above_one_among_real_images_and_falls_with_distance_from_them() -> None:
    rng = np.random.default_rng(0)
    real = rng.normal(size=(200, 4))
    inside, outside, far = (realism(real, np.full((1, 4), x))[0] for x in (0.0, 4.0, 12.0))
    assert inside > 1 > outside > far
    brute = max(
        np.sort(np.linalg.norm(real - r, axis=1))[3] / np.linalg.norm(r - 4.0)
        for r in real
        if np.sort(np.linalg.norm(real - r, axis=1))[3]
        <= np.median([np.sort(np.linalg.norm(real - q, axis=1))[3] for q in real])
    )
    assert outside == pytest.approx(brute)


def test_the_nearest_image_is_the_nearest() -> None:
    assert nearest_distance(np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[3.0, 0.0], [0.0, 0.1]])) == pytest.approx(
        [3.0, 0.1]
    )


def test_each_answered_set_is_shown_beside_the_metrics_of_its_run() -> None:
    survey = {"cycle-add": {"accuracy": {"mean": 0.6}, "d_prime": {"population": 0.5}, "f1": {"mean": 0.55}}}
    parts = {"quality": {"cycle": {"kid": 0.1, "frechet": 7.0}}, "memorisation": {"other": {"share": 0.5}}}
    row = set_table(survey, {"cycle-add": {"run": "cycle"}}, parts).iloc[0]
    assert (row["accuracy"], row["kid"], row["frechet"]) == (0.6, 0.1, 7.0)
    assert "memorised_share" not in row, "another run's number is not this run's"


def assert_on_the_page(workspace: Workspace, rows: list[dict[str, Any]], kid: str) -> None:
    """Each row's accuracy and kernel distance stand in its line of the table."""
    page = (workspace.report / "index.html").read_text()
    _, _, table = page.partition("People and metrics side by side, set by set")
    for row in rows:
        line = re.search(rf"<tr>\s*<t[dh][^>]*>{row['set']}</t[dh]>(.*?)</tr>", table, re.DOTALL)
        assert line
        assert f"{row['accuracy']:.3f}" in line[1]
        assert f"{abs(row[kid]):.3f}" in line[1]


def test_each_of_several_published_generators_has_answers_and_metrics_in_one_row(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis.report.page.FORMATS", {"svg": FORMATS["svg"]})
    unread = set(SECTIONS) - {"summary", "joined", "survey", "neighbours", "quality", "machine_observer"}
    words = []
    for seed, (name, count, grain) in enumerate((("real", 40, 0.8), ("like it", 14, 0.8), ("unlike", 14, 2.0))):
        (tmp_path / name).mkdir()
        for i, image in enumerate(textures(count, seed=seed, grain=grain, size=32)):
            Image.fromarray(image).save(tmp_path / name / f"{i:02}.png")
        words += ["--generated" if seed else "--real", str(tmp_path / name)]
    assert gan_core(["publish", *words, "--name", "foreign", "--count", "20"]) == 0
    assert study_app(["load", "foreign"]) == 0
    assert study_app(["simulate", "--participants", "4", "--seed", "1"]) == 0
    assert report(["--include-simulated", "--extractor", "random", *(f"--skip={section}" for section in unread)]) == 0
    scores = json.loads((workspace.report / "scores.json").read_text())
    kid = as_field("random-feature KID")
    conditions = ["foreign like it", "foreign unlike"]
    assert [row["set"] for row in scores["joined"]["sets"]] == conditions
    for row in scores["joined"]["sets"]:
        name = row["set"]
        assert row["accuracy"] == scores["survey"][name]["accuracy"]["mean"]
        assert row[kid] == scores["quality"][name][kid] == scores["summary"][name][kid]
        observers = scores["machine_observer"][name]["observers"]
        assert (
            row["machine_accuracy"]
            == scores["summary"][name]["machine_accuracy"]
            == observers[better(observers)]["accuracy"]
        )
        assert scores["machine_observer"][name]["images"] == 20 + 10, "all real images, those of one generator"
    assert list(scores["summary"]) == list(scores["machine_observer"]) == list(scores["quality"]) == conditions
    measured = pd.read_csv(workspace.report / "tables" / "images-and-metrics.csv")
    assert measured.groupby(["set", "truth"])["image"].nunique().to_dict() == {
        (name, truth): count for name in conditions for truth, count in (("generated", 10), ("real", 20))
    }
    assert (workspace.report / "figures" / "neighbours-foreign-like-it.svg").is_file()
    assert_on_the_page(workspace, scores["joined"]["sets"], kid)


def test_generators_of_a_within_design_meet_their_metrics_however_they_are_spread_over_sets(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("analysis.report.page.FORMATS", {"svg": FORMATS["svg"]})
    unread = set(SECTIONS) - {"summary", "joined", "survey", "conditions", "quality", "machine_observer"}
    for seed, (name, count) in enumerate((("real", 40), ("a", 14), ("b", 14), ("c", 26))):
        (tmp_path / name).mkdir()
        for i, image in enumerate(textures(count, seed=seed, grain=0.8 + seed / 2, size=32)):
            Image.fromarray(image).save(tmp_path / name / f"{i:02}.png")
    for name, generated in (("two", ["a", "b"]), ("one", ["c"])):
        words = [word for one in generated for word in ("--generated", str(tmp_path / one))]
        assert gan_core(["publish", "--real", str(tmp_path / "real"), *words, "--name", name, "--count", "20"]) == 0
    path = tmp_path / "study.toml"
    path.write_text(
        'slug = "s"\ndesign = "within"\nsets = [{ name = "two" }, { name = "one" }]\n[trials]\ncount = 24\n'
    )
    assert study_app(["load", str(path)]) == 0
    assert study_app(["simulate", "--participants", "4", "--seed", "1"]) == 0
    connection = sqlite3.connect(workspace.root / "study.db")
    rows = connection.execute("SELECT participant, source, COUNT(*) FROM responses GROUP BY participant, source")
    conditions = ["one", "two a", "two b"]
    shares: dict[str, dict[str, int]] = {}
    for participant, source, count in rows:
        shares.setdefault(participant, {})[source] = count
    assert list(shares.values()) == [{"": 12, **dict.fromkeys(conditions, 4)}] * 4
    cells = "SELECT AVG(answer = truth) FROM responses WHERE source IN ('', 'two a', 'two b') GROUP BY participant"
    right = [share for (share,) in connection.execute(cells)]
    connection.close()
    capsys.readouterr()
    assert study_app(["status", "--include-simulated", "--json"]) == 0
    status = json.loads(capsys.readouterr().out)[1]["sets"]
    assert [one["name"] for one in status] == ["two", "one"]
    assert status[0]["accuracy"]["mean"] == pytest.approx(np.mean(right)), "of both generators and the real images"
    assert report(["--include-simulated", "--extractor", "random", *(f"--skip={section}" for section in unread)]) == 0
    scores = json.loads((workspace.report / "scores.json").read_text())
    kid = as_field("random-feature KID")
    assert sorted(row["set"] for row in scores["joined"]["sets"]) == conditions
    for row in scores["joined"]["sets"]:
        name = row["set"]
        assert row["accuracy"] == scores["survey"][name]["accuracy"]["mean"]
        assert row[kid] == scores["quality"][name][kid]
        found = scores["machine_observer"][name]["observers"]
        assert row["machine_accuracy"] == found[better(found)]["accuracy"]
    assert_on_the_page(workspace, scores["joined"]["sets"], kid)


def test_the_caption_says_in_which_direction_each_measure_agrees_with_people() -> None:
    caption = template("joined").texts["metrics-by-image"].render(random=False)
    falling, _, rising = " ".join(caption.split()).partition(", and rise with ")
    assert "realism score and the discriminator's output" in falling
    assert rising == "the distance to the nearest training image and the machine observer's probability."


def test_the_machine_observer_on_features_is_preferred_to_that_on_pixels() -> None:
    judged = pd.DataFrame(
        {"set": ["a"], "stimulus": ["s"], "generated by pixels": [0.1], "generated by x features": [0.9]}
    )
    by_image = pd.DataFrame({"set": ["a"], "image": ["s"], "rate": [0.5]})
    assert with_machine(by_image, {"machine-observer-images": judged})["machine"].tolist() == [0.9]


# ------------------------------------------------------------------------------------------------ single images


def test_rates_of_images_are_shrunk_towards_their_class_and_less_so_the_more_people_saw_them() -> None:
    rows = [("few", True, True)] * 2 + [("many", True, True)] * 200
    rows += [(f"other{i}", True, i % 2 == 0) for i in range(40) for _ in range(20)]
    frame = pd.DataFrame(rows, columns=["image", "is_generated", "said_generated"])
    found = image_rates.rates(frame).set_index("image")["rate"]
    assert 0.5 < found["few"] < found["many"] < 1


def test_images_that_differ_by_chance_alone_are_shrunk_to_one_rate() -> None:
    truth = Truth(sd_image=0.0, sd_d_prime=0.0, sd_criterion=0.0)
    t = simulate(truth, Design(participants=300, images=50), np.random.default_rng(1))
    frame = pd.DataFrame({"image": t.image, "is_generated": t.is_generated, "said_generated": t.said_generated})
    raw = frame.groupby("image")["said_generated"].mean()
    shrunk = image_rates.rates(frame)["rate"]
    assert shrunk.std() < 0.2 * raw.std()


# ------------------------------------------------------------------------------------------------ trends, exclusions


def _answers(slope: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Positions, and whether right: the chance of a right answer rises by `slope` a trial."""
    position = np.tile(np.arange(1, 21), 200)
    return position, rng.random(len(position)) < 0.6 + slope * (position - 10.5)


def test_learning_is_found_where_it_is_and_only_there() -> None:
    rng = np.random.default_rng(0)
    for truth in (0.01, 0.0):
        position, right = _answers(truth, rng)
        generated = rng.random(len(position)) < 0.5
        t = Trials.from_labels(
            generated == right, generated, np.repeat(np.arange(200), 20), rng.integers(0, 100, len(position))
        )
        found = dependence.slope(position.astype(float), t)
        assert found.ci95 is not None
        assert found.ci95[0] <= truth <= found.ci95[1]
        assert (found.ci95[0] > 0) == (truth > 0)


def test_able_people_who_are_slow_do_not_make_slowness_look_able() -> None:
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(200), 20)
    able = who % 2 == 0
    right = rng.random(len(who)) < np.where(able, 0.9, 0.5)
    seconds = np.where(able, 3.0, 1.0) + rng.normal(0, 0.2, len(who))
    generated = rng.random(len(who)) < 0.5
    t = Trials.from_labels(generated == right, generated, who, rng.integers(0, 100, len(who)))
    found = dependence.slope(seconds, t)
    assert found.ci95 is not None
    assert found.ci95[0] <= 0 <= found.ci95[1]


def test_a_quantity_that_belongs_to_few_images_raises_no_more_false_alarms_than_it_says() -> None:
    """15 images per class, each with an exposure of its own: with the images as equal clusters it was one in ten."""
    rng, alarms = np.random.default_rng(0), 0
    for _ in range(300):
        t = simulate(Truth(1.0, sd_image=0.64), Design(40, images=15, trials=10), rng)
        exposure = rng.normal(2, 0.3, 30)[t.image] + rng.normal(0, 0.1, len(t))
        alarms += (dependence.slope_p(dependence.slope(exposure, t)) or 1) < 0.05
    assert alarms <= stats.binom.ppf(0.99, 300, 0.05)


def test_a_slope_that_one_image_of_a_class_determines_has_no_interval() -> None:
    generated, image = np.tile([True, True, True, False, False, False], 4), np.tile([0, 1, 2, 3, 3, 3], 4)
    said = np.tile([True, False, True, True, False, False], 4)
    t = Trials.from_labels(said, generated, np.repeat(np.arange(4), 6), image)
    found = dependence.slope(np.tile([0.0, 1, 2, 0, 1, 2], 4), t)
    assert found.value == pytest.approx(0.25)  # of no slope and one of 1/2
    assert found.ci95 is None
    assert found.note == "varies in one participant or one image of a class alone: no interval"


def test_every_exclusion_leaves_out_what_it_names_and_nothing_else() -> None:
    frame = pd.DataFrame(
        {
            "participant": ["a", "a", "b", "b"], "said_generated": [True, True, True, False],
            "exposure_ms_planned": [2000.0, 2000, 2000, 2000], "exposure_ms_actual": [2000.0, 2100, 2000, 2000],
            "response_time_ms": [2050.0, 2900, 2900, 2900], "focus_lost": [False, False, True, False],
            "flags": ["", "exposure", "", ""], "failed_catch": [False, False, True, True],
            "finished": [True, True, True, True], "is_generated": [True, False, True, False],
            "one_answer": [True, True, False, False],
        }
    )  # fmt: skip
    found = dependence.exclusions(frame)
    assert found["exposure off by more than 50 ms"].tolist() == [False, True, False, False]
    assert found["answered within 200 ms"].tolist() == [True, False, False, False]
    assert found["focus lost"].tolist() == [False, False, True, False]
    assert found["people who failed an attention trial"].tolist() == [False, False, True, True]
    assert found["people who gave one answer throughout"].tolist() == [True, True, False, False]
    assert not found["people who stopped early"].any()
    assert found["all of these"].all()


@pytest.mark.parametrize("reports", [6, pytest.param(150, marks=pytest.mark.slow)])
def test_where_nothing_has_an_effect_one_report_in_twenty_says_that_something_has(reports: int) -> None:
    """Nine sets, two trends each; the intervals, one by one, would let two reports in three say something false."""
    rng, sets, people = np.random.default_rng(3), 9, 30
    naive, told = 0, 0
    for _ in range(reports):
        trends = {}
        for name in map(str, range(sets)):
            t = simulate(Truth(0.8), Design(people, images=40), rng)
            rows = pd.DataFrame({"position": rng.permuted(np.tile(np.arange(1.0, 21), (people, 1)), axis=1).ravel()})
            rows = rows.assign(exposure_ms_actual=np.nan, response_time_ms=1000 * rng.lognormal(0.5, 0.4, len(rows)))
            trends[name] = dependence.slopes(rows, t)
        table = dependence.stacked(dependence.corrected(trends))
        naive += bool((table["low"] * table["high"] > 0).any())
        blank = pd.DataFrame()
        said = survey_in_words.sentences({}, {"comparisons": blank, "exclusions": blank, "trends": table})
        told += not any("does not measurably change" in sentence for sentence in said)
    assert naive / reports > 0.4
    assert stats.binom.interval(0.99, reports, 0.05)[1] >= told


def test_correlations_are_corrected_over_all_that_are_looked_at() -> None:
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"set": np.repeat(list("abcd"), 60), "truth": "generated", "rate": rng.random(240)})
    found = people_and_metrics.correlate(frame.assign(realism=rng.random(240), machine=frame["rate"] + rng.random(240)))
    assert found["p_holm"].tolist() == significance.holm(found["p"].tolist())
    (said,) = people_and_metrics.in_words(found)
    assert said.count("machine") == 4
    assert "Holm-corrected over 8 correlations" in said
    assert "realism" not in said


def test_only_measures_whose_corrected_test_passes_are_said_to_go_with_answers() -> None:
    columns = ["set", "truth", "measure", "n", "rho", "p_holm", "low", "high"]
    rows = [
        ("df", "generated", "realism", 50, -0.4, 0.01, -0.6, -0.2),
        ("df", "generated", "machine", 50, 0.1, 0.4, -0.2, 0.4),
        ("df", "real", "machine", 50, 0.5, 0.01, 0.3, 0.7),
    ]
    (said,) = people_and_metrics.in_words(pd.DataFrame(rows, columns=columns))
    assert "correlates with: realism score in df (ρ = −0.40, 95 % interval −0.60 to −0.20); Holm" in said
    (said,) = people_and_metrics.in_words(pd.DataFrame([(*rows[0][:4], None, None, None, None)], columns=columns))
    assert said == "No correlation of a measure with how often generated images were called generated can be tested."
