"""A preregistration is written before the survey, and the report says truly what it keeps of it."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis import power
from analysis.answers.form import Form
from analysis.answers.read import read_csv
from analysis.preregistration.kept import CHANGED, UNCHANGED, UNKNOWN, sentence, unchanged_parts
from analysis.preregistration.text import TESTS, read
from analysis.report import __main__ as report
from analysis.report.manuscript import BIBTEX, RIS, Texts
from analysis.section import Context
from analysis.sections.preregistration import found_here
from glimpse.files import sha256_bytes
from glimpse.workspace import Workspace

STUDY = """slug = "skin"
exposure_ms = [1500, 2500]
[trials]
count = 12
catch = 2
catch_wrong = 1
[[sets]]
name = "df"
"""
PLAN = ("--trials", "6", "--images", "20", "--simulations", "4", "--participants", "8", "--target", "0.01",
        "--accuracy", "0.8", "--bound", "0.1")  # fmt: skip


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan")
    (folder / "study.toml").write_text(STUDY)
    file = folder / "plan.md"
    assert power.main([*PLAN, "--preregister", str(file), "--study", str(folder / "study.toml")]) == 0
    return file


def test_a_number_between_two_simulated_sizes_is_registered_with_its_power(tmp_path: Path) -> None:
    """The default plan ended with a traceback: after the refinement the number is one that no row has."""
    sizes = (
        "--participants",
        "6",
        "10",
        "20",
        "40",
        "--target",
        "0.8",
        "--accuracy",
        "0.6",
        "--simulations",
        "10",
        "--seed",
        "1",
    )
    file = tmp_path / "plan.md"
    assert power.main([*sizes, "--preregister", str(file)]) == 0
    facts, _ = read(file)
    assert facts["accuracy"] == 0.6  # 0.6000000000000001 as computed from d'
    assert facts["participants"] == 19  # simulated: 6, 10, 18, 20 and 40
    assert abs(facts["power"] - 0.8) < 0.1


def here(**changes: Any) -> dict[str, Any]:
    """A survey that kept to the plan, but for the changes."""
    return {
        "bound": 0.1, "positive": "generated", "first_answer": "9999-01-01T00:00:00.000Z",
        "filters": (), "rating": "", "simulated": 0, "counts": {}, "excluded_for": {},
        "study_sha256": [sha256_bytes(STUDY.encode())], "participants": {"df": 8}, "finished": {"df": 8},
        "images": {"df": (20, 19)}, "trials": {"df": (6, 6)}, "each": {"df": [(6, 6)] * 8}, "tested": ["df"],
        "sets": [("df", "df")], "modes": ["fixed"], "planned": (1503.0, 2496.0), "measured": (1540.0, 2470.0),
    } | changes  # fmt: skip


def status(file: Path, **changes: Any) -> dict[str, str]:
    rows = unchanged_parts(*read(file), here(**changes))
    return {row["part"]: row["status"] for row in rows}


def test_it_says_design_number_bound_exclusions_stopping_rule_and_hash(registered: Path) -> None:
    text = registered.read_text("utf-8")
    for words in (
        "## Hypothesis\n\nPeople can tell", "6 real and 6 generated images", "20 real and 20 generated images per set",
        "with a probability of",
        "for 1500 to 2500 ms", "8 participants per set", "more than 1 of 2 attention trials", "## Stopping rule",
        "two-sided test against 50 %", "The bound is 0.1.", sha256_bytes(STUDY.encode()),
    ):  # fmt: skip
        assert words in text, words


def test_a_survey_that_kept_to_it_is_unchanged_in_every_part(registered: Path) -> None:
    assert set(status(registered).values()) == {UNCHANGED}


@pytest.mark.parametrize(("part", "change", "found"), [
    ("bound", {"bound": 0.05}, CHANGED), ("class of F1", {"positive": "real"}, CHANGED),
    ("exclusions", {"filters": ("age=30",)}, CHANGED), ("answers", {"rating": "rated:1..6"}, CHANGED),
    ("participants (stopping rule)", {"finished": {"df": 9}}, CHANGED),
    ("images", {"images": {"df": (21, 20)}}, CHANGED), ("images", {"images": {"df": (20, 10)}}, CHANGED),
    ("trials", {"each": {"df": [(6, 7)] * 8}}, CHANGED), ("trials", {"each": {"df": []}}, UNKNOWN),
    ("trials", {"each": {"df": [(6, 6)] * 5 + [(2, 2)] * 2 + [(40, 40)] * 2}}, CHANGED),  # whose median is 6 + 6
    ("exposure", {"planned": (3000.0, 3000.0), "measured": None}, CHANGED),
    ("exposure", {"planned": (2000.0, 2000.0)}, CHANGED), ("exposure", {"measured": (2950.0, 3050.0)}, CHANGED),
    ("exposure", {"modes": ["unlimited"], "planned": None, "measured": None}, CHANGED),
    ("exposure", {"planned": None, "measured": None}, UNKNOWN),
    ("sets", {"sets": [("df", "df"), ("mel", "mel")]}, CHANGED), ("sets", {"sets": [("mel", "mel")]}, CHANGED),
    ("sets", {"sets": [("all", "all")]}, UNKNOWN),
    ("written before the first answer", {"first_answer": "2020-01-01T00:00:00Z"}, CHANGED),
    ("written before the first answer", {"first_answer": ""}, UNKNOWN),
])  # fmt: skip
def test_each_change_of_the_plan_is_reported(registered: Path, part: str, change: dict[str, Any], found: str) -> None:
    parts = status(registered, **change)
    assert parts.pop(part) == found
    assert set(parts.values()) == {UNCHANGED}


def test_ratings_are_not_the_answers_of_a_plan_in_which_people_say_real_or_generated(registered: Path) -> None:
    facts, intact = read(registered)
    for rating, found in (("rated:1..6", "rated"), ("rated", "rated")):
        (row,) = [row for row in unchanged_parts(facts, intact, here(rating=rating))
                  if row["part"] == "answers"]  # fmt: skip
        assert (row["preregistered"], row["in_this_report"]) == (
            "real or generated", f"ratings in {found}, divided at the middle",
        )  # fmt: skip
    rated = {**facts, "study": {**facts["study"], "task": "rating"}}
    parts = unchanged_parts(rated, intact, here(rating="rated:1..6"))
    assert "answers" not in {row["part"] for row in parts}


@pytest.mark.parametrize(("hashes", "found"), [(["0" * 64], CHANGED), ([], UNKNOWN)])
def test_with_another_study_file_the_exclusions_by_its_rules_are_not_known(
    registered: Path, hashes: list[str], found: str
) -> None:
    parts = status(registered, study_sha256=hashes)
    assert (parts.pop("study file (SHA-256)"), parts.pop("exclusions")) == (found, UNKNOWN)
    assert set(parts.values()) == {UNCHANGED}


@pytest.mark.parametrize(("change", "said"), [
    ({"filters": ("age=30", "sex=f or sex=m")}, "only age=30; only sex=f or sex=m"),
    ({"simulated": 3}, "3 simulated participants scored"),
    ({"counts": {"halved_answers": 1}}, "1 answer 'unsure' counted as half right"),
    ({"excluded_for": {"attention": 4, "implausible": 1, "returned": 1, "pilot": 9}}, "none further"),
    ({"excluded_for": {"attention": 4, "rejected": 1}}, "1 participant is excluded as 'rejected'"),
    ({"counts": {"replaced_trials": 2}}, "2 trials replaced"),  # the study file has no spare ones
    ({"counts": {"screened_out_participants": 2, "unsure_answers": 5, "missing_answers": 7}}, "none further"),
])  # fmt: skip
def test_exclusions_other_than_the_registered_ones_are_changes_however_they_are_made(
    registered: Path, change: dict[str, Any], said: str
) -> None:
    """Only --where was compared: 'unsure' as half right, simulated and rejected participants were 'unchanged'."""
    rows = unchanged_parts(*read(registered), here(**change))
    (row,) = [row for row in rows if row["part"] == "exclusions"]
    assert (row["in_this_report"], row["status"]) == (said, UNCHANGED if said == "none further" else CHANGED)


def test_a_plan_says_what_becomes_of_answers_unsure_and_the_report_compares_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"participant": f"p{p}", "image": f"{truth}{i}", "truth": truth, "excluded": p == 7,
             "answer": "unsure" if i == 5 else "real" if (p + i) % 5 else "generated"}
            for p in range(8) for i in range(6) for truth in ("real", "generated")]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "a.csv", index=False)
    found = {}
    for planned in ("out", "half"):
        file = tmp_path / f"{planned}.md"
        assert power.main([*PLAN, "--unsure", planned, "--preregister", str(file)]) == 0
        for done in ("out", "half"):
            answers = read_csv(tmp_path / "a.csv", form=Form(unsure=done))
            context = Context(
                Workspace(tmp_path), responses=answers.trials, counts=answers.counts, excluded_for=answers.excluded_for
            )
            parts = unchanged_parts(*read(file), found_here(context))
            found[planned, done] = next(row for row in parts if row["part"] == "exclusions")
    excluded = "1 participant is excluded by another rule"
    assert {key: row["in_this_report"] for key, row in found.items()} == {
        ("out", "out"): excluded, ("half", "half"): excluded,
        ("out", "half"): f"14 answers 'unsure' counted as half right; {excluded}",
        ("half", "out"): f"14 answers 'unsure' left out; {excluded}",
    }  # fmt: skip
    assert found["half", "out"]["preregistered"] == "none, 'unsure' counts half"
    text = (tmp_path / "half.md").read_text("utf-8")
    assert "Answers 'unsure' are counted as half right and half wrong." in text


def test_a_planned_difference_names_both_accuracies(tmp_path: Path) -> None:
    """A set of 70 % right beside one of 80 % was registered as '-10.0 % higher'."""
    assert power.main([*PLAN, "--difference", "-0.1", "--preregister", str(tmp_path / "plan.md")]) == 0
    text = (tmp_path / "plan.md").read_text("utf-8")
    assert "if the true accuracy is 80.0\N{NARROW NO-BREAK SPACE}%, that of the other set is 70.0" in text


def test_the_plan_of_a_within_design_is_by_set(tmp_path: Path) -> None:
    """12 trials of two conditions that share their real images are 6 + 3 of each; the report found 6 + 6 'changed'."""
    study = STUDY.replace("exposure_ms = [1500, 2500]", 'design = "within"\ntask = "rating"')
    (tmp_path / "study.toml").write_text(f'{study}[[sets]]\nname = "mel"\n')
    words = [*PLAN, "--trials", "3", "--real-trials", "6", "--study", str(tmp_path / "study.toml")]
    assert power.main([*words, "--preregister", str(tmp_path / "plan.md")]) == 0
    text = (tmp_path / "plan.md").read_text("utf-8")
    for said in (
        "judges 6 real and 3 generated images per set, the real ones shared by all sets, one at a time and rates each",
        "Data collection ends when 8 participants who answer all sets have finished",
        "The simulation is of one set. The simulated test is not corrected for the 2 sets of the study; corrected, it",
    ):
        assert said in text
    kept = {name: [(6, 3)] * 8 for name in ("df", "mel")}
    rows = unchanged_parts(*read(tmp_path / "plan.md"), here(each=kept))
    assert [row["status"] for row in rows if row["part"].startswith("trials")] == [UNCHANGED, UNCHANGED]


def test_the_plan_of_a_difference_says_what_the_command_prints_of_its_simulation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command said that the sets share no images, the file that they share the real ones."""
    study = STUDY.replace("exposure_ms = [1500, 2500]", 'design = "within"')
    (tmp_path / "study.toml").write_text(f'{study}[[sets]]\nname = "mel"\n')
    words = [*PLAN, "--trials", "3", "--real-trials", "6", "--accuracy", "0.6", "--difference", "0.3"]
    words += ["--study", str(tmp_path / "study.toml"), "--preregister", str(tmp_path / "plan.md")]
    assert power.main(words) == 0
    said = (
        "The simulation is of two sets without shared images, and each person is as far above or below the average in "
        "both. As the sets of the study share their real images, the power is larger than that."
    )
    assert said in capsys.readouterr().out
    text = (tmp_path / "plan.md").read_text("utf-8")
    assert said in text
    assert "simulation of the whole survey" not in text


@pytest.mark.parametrize(("people", "said"), [("4", "This plan can hardly succeed"), ("400", "")])
def test_a_plan_with_little_power_is_registered_with_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], people: str, said: str
) -> None:
    """4 participants were registered with a probability of 0 % without a word."""
    words = ["--simulations", "10", "--participants", people, "--images", "300", "--json"]
    assert power.main([*words, "--preregister", str(tmp_path / "plan.md")]) == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("Warning")]
    text = (tmp_path / "plan.md").read_text("utf-8")
    assert len(warned) == ("This plan" in text) == bool(said)
    if said:
        assert warned[0].startswith(f"Warning: {people} participants find 'cannot tell' with a probability of 0")
        assert said in warned[0]
        assert said in text


@pytest.mark.parametrize(("old", "new", "change"), [
    ("8 participants per set have finished", "we like", {}), ('"bound": 0.1', '"bound": 0.2', {"bound": 0.2}),
])  # fmt: skip
def test_of_an_edited_file_nothing_is_called_unchanged(
    registered: Path, tmp_path: Path, old: str, new: str, change: dict[str, Any]
) -> None:
    """With another bound in the facts and the same as an option, 'bound' was 'preregistered and unchanged'."""
    edited = tmp_path / "edited.md"
    edited.write_text(registered.read_text("utf-8").replace(old, new), "utf-8")
    parts = status(edited, **change)
    assert parts.pop("text") == CHANGED
    assert set(parts.values()) == {UNKNOWN}
    rows = unchanged_parts(*read(edited), here(**change))
    said = sentence(rows)
    assert "Preregistered and unchanged: nothing." in said
    assert "Not known, because the file was edited after it was written: written before the first answer, " in said


def test_answers_left_out_as_registered_do_not_change_the_number_of_trials(registered: Path) -> None:
    some_missing = {"each": {"df": [(6, 6)] * 5 + [(6, 5)] * 3}}
    assert status(registered, **some_missing)["trials"] == CHANGED
    assert status(registered, **some_missing, counts={"missing_answers": 3})["trials"] == UNCHANGED
    assert status(registered, **some_missing, counts={"missing_answers": 2})["trials"] == CHANGED


def test_exposures_and_sets_that_the_answers_contradict_are_changes(registered: Path, tmp_path: Path) -> None:
    """Other sets and exposures than those registered were in no row."""
    rows = [{"participant": f"p{p}", "image": f"{truth}{i}", "truth": truth, "answer": "real" if (p + i) % 3 else truth,
             "set": "mel", "exposure_ms_planned": 3000, "exposure_ms_actual": 3000 + 3 * i, "state": "finished"}
            for p in range(8) for i in range(6 if p else 2) for truth in ("real", "generated")]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "a.csv", index=False)
    found = found_here(Context(Workspace(tmp_path), responses=read_csv(tmp_path / "a.csv").trials))
    parts = unchanged_parts(*read(registered), found)
    by = {row["part"]: (row["preregistered"], row["in_this_report"], row["status"]) for row in parts}
    assert by["exposure"] == ("1500 to 2500 ms", "3000 ms planned, 3000 to 3015 ms measured", CHANGED)
    assert by["sets"] == ("df", "mel", CHANGED)
    assert by["trials"] == ("6 real + 6 generated", "2 to 6 real + 2 to 6 generated", CHANGED)


def test_a_study_without_a_time_limit_is_compared_by_its_mode(registered: Path) -> None:
    facts, intact = read(registered)
    free = {**facts, "study": {**facts["study"], "mode": "unlimited"}}
    unlimited = {"modes": ["unlimited"], "planned": None, "measured": (900.0, 9000.0)}
    for change, found in (({}, CHANGED), (unlimited, UNCHANGED), (unlimited | {"modes": ["fixed"]}, UNKNOWN)):
        parts = unchanged_parts(free, intact, here(**change))
        assert [row["status"] for row in parts if row["part"] == "exposure"] == [found]


@pytest.mark.parametrize(("path", "value", "said"), [
    ("bound", None, "`bound` is missing, but must be a number of at least 0.001 and below 0.5"),
    ("bound", "0.05", '`bound` is "0.05", but must be'), ("claim", "foo", '`claim` is "foo", but must be one of'),
    ("claim", [], "`claim` is [], but must be one of"), ("trials", None, "`trials.real` is missing"),
    ("images", "a", "`images.real` is missing"), ("images", {"real": 0, "generated": 0}, "`images.real` is 0"),
    ("participants", True, "`participants` is true"), ("participants", 10**30, "a whole number from 1 to"),
    ("written", 5, "`written` is 5"), ("study", {"x": 1}, "`study.sha256` is missing"), ("study", [], "`study` is []"),
    ("power", float("nan"), "`power` is NaN"),
    ("study.exposure_ms", [500], "`study.exposure_ms` is [500]"), ("study.sets", [1], "`study.sets` is [1]"),
    ("study.spare", "2", '`study.spare` is "2"'), ("study.mode", "fast", '`study.mode` is "fast"'),
])  # fmt: skip
def test_a_fact_that_is_missing_or_not_valid_is_named_in_one_sentence(
    registered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], path: str, value: Any, said: str
) -> None:
    """Each was a traceback, or went into the report."""
    body, block = registered.read_text("utf-8").split("```json\n")
    facts = json.loads(block.removesuffix("\n```\n"))
    *above, key = path.split(".")
    (facts[above[0]] if above else facts)[key] = value
    (tmp_path / "plan.md").write_text(f"{body}```json\n{json.dumps(facts, indent=1)}\n```\n", "utf-8")
    (tmp_path / "a.csv").write_text("participant,image,truth,answer\na,x,real,real\n")
    words = ["--responses", tmp_path / "a.csv", "--preregistration", tmp_path / "plan.md", "--out", tmp_path / "out"]
    assert report.main([str(word) for word in words]) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert said in error
    assert "give the file that `python -m analysis.power` wrote, unchanged." in error


def test_edited_facts_are_noticed_and_a_version_with_other_words_is_not_an_edit(
    registered: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    edited = tmp_path / "edited.md"
    edited.write_text(registered.read_text("utf-8").replace('"participants": 8', '"participants": 9'), "utf-8")
    assert status(edited)["text"] == CHANGED
    monkeypatch.setattr("analysis.preregistration.text.TESTS", dict.fromkeys(TESTS, "a test in other words"))
    assert status(registered)["text"] == UNCHANGED


def test_a_hypothesis_that_these_answers_cannot_test_is_not_unchanged(registered: Path) -> None:
    facts, intact = read(registered)

    def hypothesis(claim: str, **changes: Any) -> tuple[str, str]:
        rows = unchanged_parts({**facts, "claim": claim}, intact, here(**changes))
        (row,) = [row for row in rows if row["part"] == "hypothesis"]
        return row["in_this_report"], row["status"]

    sets: dict[str, Any] = {
        name: {"a": each, "b": each}
        for name, each in (("participants", 8), ("finished", 8), ("images", (20, 19)), ("trials", (6, 6)),
                           ("each", [(6, 6)] * 8))
    }  # fmt: skip
    sets["tested"] = ["a", "b"]
    assert hypothesis("different") == ("not tested", CHANGED), "there is one set"
    assert hypothesis("different", **sets) == ("tested", UNCHANGED)
    assert hypothesis("detectable", tested=[]) == ("not tested", CHANGED)


@pytest.mark.parametrize(("people", "classes", "images", "tested"), [
    (8, ("real", "generated"), 6, ["all"]), (1, ("real", "generated"), 6, []), (8, ("real",), 6, []),
    (8, ("real", "generated"), 1, []),
])  # fmt: skip
def test_one_participant_class_or_image_tests_no_hypothesis(
    tmp_path: Path, people: int, classes: tuple[str, ...], images: int, tested: list[str]
) -> None:
    """The report of one participant said 'no test is possible', and the hypothesis was 'tested, unchanged'."""
    rows = [f"p{p},{kind}{i},{kind},{'real' if (p + i) % 3 else 'generated'}\n"
            for p in range(people) for i in range(images) for kind in classes]  # fmt: skip
    (tmp_path / "a.csv").write_text("participant,image,truth,answer\n" + "".join(rows))
    answers = read_csv(tmp_path / "a.csv")
    assert found_here(Context(Workspace(tmp_path), responses=answers.trials))["tested"] == tested


def test_a_report_without_its_tests_is_not_compared_with_a_plan(
    registered: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("participant,image,truth,answer\np,a,real,real\np,b,generated,real\n")
    words = ["--responses", tmp_path / "a.csv", "--preregistration", registered, "--skip", "survey"]
    assert report.main([str(word) for word in words]) == 2
    assert (
        "--skip survey: it tests the hypothesis of --preregistration; leave out one of the two."
        in capsys.readouterr().err
    )


def test_the_stopping_rule_counts_who_finished_also_those_whom_the_studys_rule_excludes(tmp_path: Path) -> None:
    """With two excluded as registered and one who stopped early, the report counted 'scored' for 'finished'."""
    rows = [{"participant": f"p{p}", "image": f"{truth}{i}", "truth": truth, "answer": "real" if (p + i) % 3 else truth,
             "set": "df", "excluded": p in (6, 7), "state": "working" if p == 8 else "finished"}
            for p in range(10) for i in range(4) for truth in ("real", "generated")]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "a.csv", index=False)
    answers = read_csv(tmp_path / "a.csv")
    assert answers.excluded == {"df": 2}
    found = found_here(Context(Workspace(tmp_path), responses=answers.trials, excluded=answers.excluded))
    assert (found["participants"], found["finished"]) == ({"df": 8}, {"df": 9})  # p8 is scored, p6 and p7 finished


def test_the_report_shows_it_and_its_texts_quote_the_reports_own_numbers(registered: Path, tmp_path: Path) -> None:
    rows = [f"p{p},{kind}{i},{kind},{'real' if (p + i) % 5 else 'generated'}\n"
            for p in range(8) for i in range(6) for kind in ("real", "generated")]  # fmt: skip
    (tmp_path / "a.csv").write_text("participant,image,truth,answer\n" + "".join(rows))
    out = tmp_path / "out"
    words = ["--responses", tmp_path / "a.csv", "--bound", "0.1", "--preregistration", registered, "--out", out]
    assert report.main([str(word) for word in words]) == 0
    scores = json.loads((out / "scores.json").read_text())
    parts = {row["part"]: row["status"] for row in scores["preregistration"]["parts"]}
    assert (parts["bound"], parts["participants (stopping rule)"], parts["written before the first answer"]) == (
        UNCHANGED, UNCHANGED, UNKNOWN,
    )  # fmt: skip
    page, methods = (out / "index.html").read_text("utf-8"), (out / "texts" / "methods.md").read_text("utf-8")
    assert "Preregistered and unchanged: text, hypothesis, bound" in page
    said = "Not preregistered, so exploratory: single images and the section 'Reliability and single images'."
    assert said in html.unescape(page)
    assert "8 participants judged 6 real and 6 generated images in 96 scored trials (12 each)" in methods
    accuracy = scores["survey"]["all"]["balanced_accuracy"]["mean"]
    assert f"right about {100 * accuracy:.1f}" in methods
    assert "[to be filled in]" in (out / "texts" / "checklist.md").read_text("utf-8")
    bib, ris = ((out / "texts" / f"references.{kind}").read_text("utf-8") for kind in ("bib", "ris"))
    assert bib.count("@") == ris.count("TY  - ") == ris.count("ER  - \n") == 2
    assert "doi         = {10.5281/zenodo.3873159}" in bib


def test_what_the_report_prints_beyond_the_plan_is_named_as_exploratory(registered: Path, tmp_path: Path) -> None:
    """Groups and questions were named alone, though the registered text names single images, trends and times, too."""
    rows = [{"participant": f"p{p}", "image": f"{name}{truth}{i}", "truth": truth, "set": name, "position": 2 * i + at,
             "answer": truth if (p + i) % 3 else "real", "response_time_s": 1 + 0.1 * ((p * 7 + i) % 9),
             "experience": ("little", "much")[p % 2]}
            for p in range(12) for i in range(6) for name in ("df", "mel")
            for at, truth in enumerate(("real", "generated"))]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "a.csv", index=False)
    words = ["--responses", tmp_path / "a.csv", "--preregistration", registered, "--group", "experience"]
    printed = {}
    for left_out in ("reliability", "participants"):
        out = tmp_path / left_out
        assert report.main([str(word) for word in (*words, "--skip", left_out, "--out", out)]) == 0
        page = html.unescape((out / "index.html").read_text("utf-8"))
        printed[left_out] = page.partition("so exploratory: ")[2].partition(".")[0]
    beside = "single images, trends, differences between sets"
    assert printed == {
        "reliability": f"the groups of 'experience', {beside} and response times",
        "participants": f"{beside}, response times and the section 'Reliability and single images'",
    }


def test_reference_managers_read_the_citations() -> None:
    bibtexparser = pytest.importorskip("bibtexparser", reason="pip install 'glimpse-study[test]'")
    rispy = pytest.importorskip("rispy", reason="pip install 'glimpse-study[test]'")
    files = Texts("", [], BIBTEX.format(version="1"), RIS.format(version="1")).files()
    library = bibtexparser.parse_string(files["references.bib"])
    assert not library.failed_blocks
    software, paper = (entry.fields_dict for entry in library.entries)
    assert software["author"].value == "{The Glimpse authors}"  # one name, not split into parts
    of_bib = (paper["doi"].value, paper["year"].value, paper["author"].value.split(" and "))
    program, report = rispy.loads(files["references.ris"])
    assert (program["type_of_reference"], report["type_of_reference"]) == ("COMP", "RPRT")
    assert (report["doi"], report["year"], report["authors"]) == of_bib


@pytest.mark.parametrize(("content", "said"), [("# a plan", "does not end with the facts"), (None, "cannot be read")])
def test_another_file_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    if content:
        (tmp_path / "plan.md").write_text(content)
    (tmp_path / "a.csv").write_text("participant,image,truth,answer\na,x,real,real\n")
    words = ["--responses", tmp_path / "a.csv", "--preregistration", tmp_path / "plan.md", "--out", tmp_path / "out"]
    assert report.main([str(word) for word in words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("options", "said"), [
    (("--study", "study.toml"), "--preregister FILE.md"),
    (("--study", "study.toml", "--preregister", "plan.md", "--trials", "5"), "shows 6 real and 6 generated"),
    (("--study", "pairs.toml", "--preregister", "plan.md"), 'it is not for `task = "pair"`'),
    (("--study", "stairs.toml", "--preregister", "plan.md"), 'it is not for `mode = "staircase"`'),
    (("--study", "study.toml", "--preregister", "plan.md", "--difference", "0.1"), "two sets that all people answer"),
    (("--study", "mode.toml", "--preregister", "plan.md"), '`mode` is "fast", but must be one of fixed, unlimited'),
    (("--study", "trials.toml", "--preregister", "plan.md"), "`trials` or `sets` cannot be read; correct the study"),
    (("--study", "exposure.toml", "--preregister", "plan.md"), "`exposure_ms` is 500, but must be two whole numbers"),
    (("--preregister", "plan.md", "--target", "0.999", "--accuracy", "0.5", "--participants", "4", "8"), "no size of"),
])  # fmt: skip
def test_a_plan_without_a_file_or_a_number_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: Any, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("study.toml").write_text(STUDY)
    Path("pairs.toml").write_text(f'task = "pair"\n{STUDY}')
    Path("stairs.toml").write_text(f'mode = "staircase"\n{STUDY}')
    Path("mode.toml").write_text(f'mode = "fast"\n{STUDY}')
    Path("trials.toml").write_text(STUDY.replace("count = 12", 'count = "twelve"'))
    Path("exposure.toml").write_text(STUDY.replace("[1500, 2500]", "500"))
    assert power.main([*PLAN, *options]) == 2
    assert said in capsys.readouterr().err
    assert not Path("plan.md").exists()
