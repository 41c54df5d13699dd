"""The section on ratings: shown where there are ratings, with null and a note where they do not suffice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.answers.form import Form
from analysis.answers.read import read_csv
from analysis.answers.responses import Responses
from analysis.report import manuscript
from analysis.section import AnalysisError, Context, Section
from analysis.sections.tasks.ratings import compute
from benchmarks.people.ratings import CASES
from glimpse.workspace import Workspace


def answers(tmp_path: Path, frame: pd.DataFrame, form: Form) -> Responses:
    frame.to_csv(tmp_path / "answers.csv", index=False)
    return read_csv(tmp_path / "answers.csv", form=form)


def section_of(tmp_path: Path, found: Responses) -> Section | None:
    return compute(Context(Workspace(tmp_path), responses=found.trials, unsure=found.unsure))


def survey(case: int = 3, name: str = "a") -> pd.DataFrame:
    rating, trials = CASES[case].draw(np.random.default_rng(4))
    truth = np.where(trials.is_generated, "generated", "real")
    return pd.DataFrame({"participant": [f"p{code}" for code in trials.participant], "truth": truth, "set": name,
                         "image": [f"{name}{code}" for code in trials.image], "rating": rating + 1})  # fmt: skip


def without_nulls_unnoted(found: Any) -> None:
    if isinstance(found, dict):
        assert "note" in found or all(value is not None for value in found.values()), found
        for value in found.values():
            without_nulls_unnoted(value)
    if isinstance(found, list):
        for value in found:
            without_nulls_unnoted(value)


def test_answers_without_ratings_have_no_section(tmp_path: Path) -> None:
    frame = survey()
    frame["answer"] = np.where(frame.pop("rating") > 3, "generated", "real")
    assert section_of(tmp_path, answers(tmp_path, frame, Form())) is None


def test_two_sets_of_ratings_have_areas_curves_and_their_difference(tmp_path: Path) -> None:
    found = answers(tmp_path, pd.concat([survey(), survey(4, "b")]), Form(rating="rating:1..6"))
    section = section_of(tmp_path, found)
    assert section is not None
    one = section.scores["a"]
    assert (one["participants"], one["trials"]) == (8, 640)
    assert one["auc"]["ci95"][0] < one["auc"]["mean"] < one["auc"]["ci95"][1]
    assert one["compared_with"][0]["difference"] == pytest.approx(
        one["auc"]["mean"] - section.scores["b"]["auc"]["mean"]
    )
    assert set(section.figures) == {"roc", "calibration"}
    assert set(section.tables) == {"areas", "confidence", "area-differences", "rated-participants"}
    assert any("of pairs (area under the ROC curve" in sentence for sentence in section.sentences)
    without_nulls_unnoted(section.scores)
    for draw in section.figures.values():
        assert draw().axes


def test_ratings_of_the_two_ends_alone_claim_no_confidence(tmp_path: Path) -> None:
    """All are as sure: the answers are right or wrong, but no rating is surer than another."""
    frame = survey()
    found = answers(tmp_path, frame.assign(rating=np.where(frame["rating"] > 3, 6, 1)), Form(rating="rating:1..6"))
    section = section_of(tmp_path, found)
    assert section is not None
    assert len(section.sentences) == 1
    assert "of pairs (area under the ROC curve" in section.sentences[0]
    assert "surer" not in section.sentences[0]


def test_the_methods_paragraph_says_that_images_were_rated(tmp_path: Path) -> None:
    frame = survey()
    rated = answers(tmp_path, frame, Form(rating="rating:1..6"))
    frame["answer"] = np.where(frame["rating"] > 3, "generated", "real")
    said = answers(tmp_path, frame.drop(columns="rating"), Form())
    context = Context(Workspace(tmp_path))
    assert ", saying of each image, with a rating, whether it " in manuscript.texts(context, rated, {}, "", "1").methods
    assert ", saying of each image whether it " in manuscript.texts(context, said, {}, "", "1").methods


def test_the_middle_of_the_scale_is_rated_though_it_is_not_an_answer(tmp_path: Path) -> None:
    frame = survey().assign(rating=lambda f: np.minimum(f["rating"], 5))
    found = answers(tmp_path, frame, Form(rating="rating:1..5"))
    middle = int((frame["rating"] == 3).sum())
    assert found.counts["unsure_answers"] == middle
    assert len(found.trials) == len(frame) - middle
    assert found.unsure is not None
    assert (found.unsure["rating"] == 3).all()
    section = section_of(tmp_path, found)
    assert section is not None
    assert section.scores["a"]["trials"] == len(frame)
    assert section.scores["a"]["confidence"]["answers"] == len(frame) - middle


def test_confidence_beside_an_answer_is_a_rating(tmp_path: Path) -> None:
    frame = survey()
    frame["answer"] = np.where(frame["rating"] > 3, "generated", "real")
    frame["sure"] = np.where(frame["rating"] > 3, frame["rating"] - 3, 4 - frame["rating"])
    by_confidence = section_of(tmp_path, answers(tmp_path, frame.drop(columns="rating"), Form(confidence="sure:1..3")))
    by_rating = section_of(tmp_path, answers(tmp_path, frame.drop(columns="answer"), Form(rating="rating:1..6")))
    assert by_confidence is not None
    assert by_rating is not None
    for key in ("auc", "zroc_slope", "d_a"):
        assert by_confidence.scores["a"][key]["ci95"] == pytest.approx(by_rating.scores["a"][key]["ci95"])


@pytest.mark.parametrize(
    ("form", "reason"),
    [(Form(confidence="sure"), "--confidence sure: .* no column sure"),
     (Form(confidence="rating:1..1"), "two different ends"),
     (Form(rating="rating", confidence="rating"), "not both")],
)  # fmt: skip
def test_a_confidence_that_cannot_be_read_is_refused_in_a_sentence(tmp_path: Path, form: Form, reason: str) -> None:
    with pytest.raises(AnalysisError, match=reason):
        answers(tmp_path, survey().assign(answer="real"), form)


@pytest.mark.parametrize(
    "rows",
    [lambda f: f[f["participant"] == "p0"], lambda f: f[f["truth"] == "real"], lambda f: f.head(1).assign(rating=5),
     lambda f: f.assign(rating=np.where(f["truth"] == "real", 1, 6)), lambda f: f.assign(rating=6)],
    ids=["one participant", "one class", "one answer", "faultless", "all alike"],
)  # fmt: skip
def test_few_and_odd_ratings_are_reported_with_nulls_and_notes(tmp_path: Path, rows: Any) -> None:
    section = section_of(tmp_path, answers(tmp_path, rows(survey()), Form(rating="rating:1..6")))
    assert section is not None
    without_nulls_unnoted(section.scores)
    assert section.sentences
    for draw in section.figures.values():
        assert draw().axes
