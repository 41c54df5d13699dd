"""The sections on participants and reliability: in words, in numbers, and what they refuse."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.answers import people as known
from analysis.answers.read import read_csv
from analysis.answers.responses import Responses
from analysis.people.population.simulation import Truth
from analysis.report import __main__ as report
from analysis.report import manuscript
from analysis.section import Context, OptionError, Section
from analysis.sections import participants, reliability, survey
from benchmarks.people.groups import Case, simulate
from glimpse.workspace import Workspace


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Responses:
    """Answers of 15 experts with d' 3 and 25 lay people with d' 0.5, as a CSV file; one lay person states no group."""
    trials, group, age = simulate(
        Case("", (15, 25), (3.0, 0.5), images=12, trials=10, sd_image=0.3), np.random.default_rng(0)
    )
    words = np.array(["real", "generated"])
    frame = pd.DataFrame({"participant": [f"p{p:02}" for p in trials.participant], "image": trials.image})
    frame["truth"], frame["answer"] = words[trials.is_generated.astype(int)], words[trials.said_generated.astype(int)]
    frame["Training"] = np.array(["expert", "lay"])[group][trials.participant]
    frame.loc[frame["participant"] == "p39", "Training"] = ""
    frame["age"] = (40 + 10 * age[trials.participant, 0]).round()
    frame["coffee"] = np.where(trials.participant % 2 == 0, "tea", "coffee")
    frame["email"] = "x" + frame["participant"]
    path = tmp_path_factory.mktemp("groups") / "answers.csv"
    frame.to_csv(path, index=False)
    return read_csv(path)


def context(answers: Responses, tmp_path: Path, **options: Any) -> Context:
    return Context(
        Workspace(tmp_path), responses=answers.trials, people=answers.people, asked=answers.asked,
        **options,
    )  # fmt: skip


def test_properties_that_people_share_are_questions_and_ids_are_not(answers: Responses) -> None:
    assert answers.asked == ("training", "age", "coffee")
    assert "email" in answers.people
    assert answers.people.loc["p39", "training"] is None or pd.isna(answers.people.loc["p39", "training"])


@pytest.mark.parametrize(
    ("asked", "tables"),
    [(("training",), "groups"), (("coffee",), "questions"), (("training", "coffee"), "groups and table of questions")],
)
def test_the_checklist_names_tables_that_the_report_has(
    answers: Responses, tmp_path: Path, asked: tuple[str, ...], tables: str
) -> None:
    """A question whose groups are compared is in the table of groups, and in no table of questions."""
    here = replace(context(answers, tmp_path, group="Training"), asked=asked)
    rows = dict(manuscript.texts(here, answers, {}, "", "1").checklist)
    assert rows["Who they were"] == f"Asked: {' and '.join(asked)}; the counts are in the table of {tables}."


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (["none", "some", "None", "NA"], ["none", "some", "None", None]),
        (["none", "keine", "nil", "no"], ["none", "keine", "nil", "no"]),
        (["none", "2", "3.5", "4"], [None, "2", "3.5", "4"]),
    ],
)
def test_none_is_an_answer_among_words_and_missing_among_numbers(given: list[str], kept: list[str | None]) -> None:
    rows = pd.DataFrame({"participant": list("abcd"), "training": given})
    found = known.attributes(rows, rows["participant"])["training"]
    assert [None if pd.isna(value) else value for value in found] == kept


def test_only_the_questionnaire_of_our_own_survey_is_asked() -> None:
    rows = pd.DataFrame(
        {"participant": ["a", "b", "c"], "language": ["de", "de", "fr"], "vision": ["good", "bad", None]}
    )
    rows["questionnaire"] = ['{"vision": "good"}', '{"vision": "bad"}', "{}"]
    people = known.attributes(rows, rows["participant"])
    assert list(people) == ["language", "vision"]
    assert known.asked(rows, people) == ("vision",)


@pytest.fixture(scope="module")
def section(answers: Responses, tmp_path_factory: pytest.TempPathFactory) -> Section:
    found = participants.compute(
        context(answers, tmp_path_factory.mktemp("section"), group="Training", covariates=("age",))
    )
    assert found is not None
    return found


def test_the_sentences_say_which_group_is_better_and_by_how_much(section: Section) -> None:
    scores = section.scores["all"]
    assert section.sentences[0].startswith("Balanced accuracy by `Training`: expert ")
    assert "15 participants; lay " in section.sentences[0]
    for sentence, measure in zip(section.sentences[1:4], ("balanced accuracy", "adjusted", "d′"), strict=True):
        assert sentence.startswith(f"In {measure}")
        assert "expert above lay by" in sentence
    (pair,) = scores["pairs"]
    assert pair["balanced_accuracy"] == pytest.approx(
        scores["groups"][0]["balanced_accuracy"] - scores["groups"][1]["balanced_accuracy"]
    )
    assert f"{100 * pair['balanced_accuracy']:.1f} percentage points" in section.sentences[1]
    true = Truth(3.0, 0.1, 0.6, 0.3, 0.3).accuracy - Truth(0.5, 0.1, 0.6, 0.3, 0.3).accuracy
    assert pair["balanced_accuracy_low"] < true < pair["balanced_accuracy_high"]
    assert section.figures["groups"]() is not None


def test_answers_to_questions_come_with_a_warning_on_their_number(section: Section) -> None:
    said = section.sentences[-1]
    assert said.startswith("Of 2 answers to questions")
    assert "by chance alone" in said
    rows = {row["question"]: row for row in section.scores["all"]["questions"]}
    assert (rows["age"]["answer"], rows["coffee"]["answer"]) == ("per SD", "tea")
    for row in rows.values():
        assert abs(row["pooled"]) <= abs(row["difference"])
        assert row["p"] <= row["p_holm"]
    assert section.figures["question-effects-1"]() is not None


def test_images_judged_once_are_listed_in_the_table_alone() -> None:
    seen = pd.DataFrame({"image": ["a", "b", "c"], "seen": [1, 1, 2]})
    assert survey.worth_showing(seen)["image"].tolist() == ["c"]
    assert survey.worth_showing(seen.assign(seen=[1, 3, 2]))["image"].tolist() == ["a", "b", "c"]


def test_participants_without_a_group_are_counted(answers: Responses, tmp_path: Path) -> None:
    found = context(answers, tmp_path, group="training")
    participants.compute(found)
    assert found.notices == ["1 participant without an answer in 'training' is in no group."]


def test_staircases_alone_are_not_compared_by_group_and_the_report_says_so(answers: Responses, tmp_path: Path) -> None:
    found = context(replace(answers, trials=answers.trials.assign(mode="staircase")), tmp_path, group="training")
    assert [section.compute(found) for section in (participants, reliability, survey)] == [None, None, None]
    assert found.notices == ["No groups are compared: no image was shown alone, for a fixed time or without a limit."]


@pytest.mark.parametrize(("options", "said"), [
    ({"group": "trainin"}, "did you mean 'training'?"), ({"group": "email"}, "40 different values"),
    ({"group": "age"}, "A quantity is a --covariate"), ({"covariates": ("age",)}, "with --group"),
    ({"group": "answer"}, "one value per participant"), ({"group": "training", "covariates": ("ag",)}, "'age'"),
])  # fmt: skip
def test_a_column_without_groups_is_refused(
    answers: Responses, tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(OptionError, match=r".") as error:
        participants.compute(context(answers, tmp_path, **options))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("option", "values", "said"),
    [
        ("--group g", ["a"] * 9, "participants who can be scored have fewer than two values; leave it out."),
        (
            "--covariate g",
            ["3"] * 9,
            "participants who can be scored have fewer than two values; leave it out.",
        ),
        ("--group g", list("123456789"), "it has 9 different values; groups are 2 to 8. A quantity is a --covariate."),
        ("--covariate g", list("abcdefghi"), "it has 9 different values; groups are 2 to 8. Numbers may have any"),
    ],
)
def test_groups_differ_and_are_few(option: str, values: list[str], said: str) -> None:
    with pytest.raises(OptionError, match=f"^{option}: {re.escape(said)}"):
        known.group_names(pd.Series(values), option)


def test_a_comparison_of_groups_names_the_pairs_that_were_tested(answers: Responses, tmp_path: Path) -> None:
    """With a single person in the third group it said 'Holm-corrected over 3 pairs' of one pair's own p."""
    people = answers.people.copy()
    people.loc["p39", "training"] = "nurse"
    found = participants.compute(replace(context(answers, tmp_path, group="training"), people=people))
    assert found is not None
    pairs = found.scores["all"]["pairs"]
    assert [pair["balanced_accuracy_p"] == pair["balanced_accuracy_p_holm"] for pair in pairs] == [True] * 3
    assert [pair["balanced_accuracy_p"] is None for pair in pairs] == [False, True, True]
    for measure in ("balanced accuracy", "d′"):
        assert any(said.startswith(f"In {measure} these groups differ (tested at 5 %; 2 could not be tested): expert "
                                   "above lay") for said in found.sentences)  # fmt: skip


@pytest.mark.parametrize(
    ("covariate", "made", "said"),
    [
        ("age", True, "Groups (training) were compared, adjusted for age, with Holm's correction over all pairs."),
        ("twin", False, "Groups (training) were compared with Holm's correction over all pairs; they could not be "
                        "adjusted for twin."),
    ],
)  # fmt: skip
def test_the_methods_name_an_adjustment_only_where_one_was_possible(
    answers: Responses, tmp_path: Path, covariate: str, made: bool, said: str
) -> None:
    """The covariate twin tells the groups apart completely."""
    people = answers.people.assign(twin=answers.people["training"].map({"expert": "1", "lay": "2"}))
    here = context(answers, tmp_path, group="training", covariates=(covariate,))
    found = participants.compute(replace(here, people=people))
    assert found is not None
    assert said in manuscript.texts(here, answers, {"participants": found.scores}, "", "1").methods
    assert any("linear regression on group" in text for text in found.methods) == made
    assert ("at equal values of the covariates" in found.captions["groups"]) == made


def test_texts_name_no_comparison_of_groups_that_was_not_possible(answers: Responses, tmp_path: Path) -> None:
    people = answers.people.assign(training=None)
    people.loc[["p00", "p20"], "training"] = ["expert", "lay"]
    here = context(answers, tmp_path, group="training")
    found = participants.compute(replace(here, people=people, asked=()))
    assert found is not None
    texts = manuscript.texts(here, answers, {"participants": found.scores}, "", "1")
    assert "Groups (training) could not be compared." in texts.methods
    assert not any("Holm" in text for text in found.methods)


def test_reliability_agreement_and_images_are_in_words_and_numbers(answers: Responses, tmp_path: Path) -> None:
    found = reliability.compute(context(answers, tmp_path))
    assert found is not None
    first, second, third = found.sentences
    one = found.scores["all"]
    assert first.startswith("Reliability of scores")
    assert f"participants {one['reliability']['participants']['icc_mean']['value']:.2f}" in first
    assert f"{one['agreement']['all']['alpha']:.2f}" in second
    assert f"of {len(one['items'])} images" in third
    assert found.tables["items"]["image"].iloc[0] == one["items"][0]["image"]
    assert found.figures["item-curves-1"]() is not None
    assert list(found.tables["reliability"]["of"]) == ["participants", "real images", "generated images"]


def test_an_image_that_a_third_of_ability_did_not_judge_has_a_note(answers: Responses, tmp_path: Path) -> None:
    lay = answers.people["training"] != "expert"
    unseen = answers.trials["image"].eq("0") & answers.trials["participant"].isin(answers.people.index[lay])
    found = reliability.compute(Context(Workspace(tmp_path), responses=answers.trials[~unseen]))
    assert found is not None
    notes = {one["image"]: (one["right_low"] is None or np.isnan(one["right_low"]), one.get("note"))
             for one in found.scores["all"]["items"]}  # fmt: skip
    assert notes.pop("0") == (True, "no participant of that third of ability judged this image")
    assert set(notes.values()) == {(False, None)}


def test_one_participant_has_no_reliability_but_the_section_is_written(answers: Responses, tmp_path: Path) -> None:
    alone = answers.trials[answers.trials["participant"] == "p00"]
    found = reliability.compute(Context(Workspace(tmp_path), responses=alone))
    assert found is not None
    of = found.scores["all"]["reliability"]["participants"]
    assert of["icc_mean"]["value"] is None
    assert of["split_half"]["note"]
    assert found.sentences == []


@pytest.mark.parametrize(
    "option", [["--group", "nothing"], ["--group", "email"], ["--covariate", "no", "--group", "no"]]
)
def test_an_unusable_column_is_refused_before_anything_is_written(
    answers: Responses, tmp_path: Path, option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    rows = answers.trials[["participant", "image", "truth", "answer"]].assign(email="x" + answers.trials["participant"])
    rows.to_csv(tmp_path / "answers.csv", index=False)
    out = tmp_path / "out"
    assert report.main(["--responses", str(tmp_path / "answers.csv"), "--out", str(out), *option]) == 2
    assert " ".join(option[:2]) in capsys.readouterr().err
    assert not out.exists()
