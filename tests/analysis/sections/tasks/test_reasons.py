"""The section on reasons: words that several people used, and points on the images that they lie on."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from analysis.answers.read import read_csv
from analysis.section import Context, Section
from analysis.sections.tasks.reasons import compute
from glimpse.workspace import Workspace
from tests.study_app.conftest import publish


def section_of(workspace: Workspace, frame: pd.DataFrame) -> Section | None:
    path = workspace.root / "answers.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False)
    return compute(Context(workspace, responses=read_csv(path).trials))


def answers(rows: list[tuple[str, str, str, str]], **columns: object) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["participant", "image", "truth", "answer"])
    return frame.assign(set="a", **columns)


def test_answers_without_reasons_have_no_section(tmp_path: Path) -> None:
    rows = [("p", "x", "real", "real"), ("p", "y", "generated", "real")]
    assert section_of(Workspace(tmp_path), answers(rows)) is None
    assert section_of(Workspace(tmp_path), answers(rows, why="", why_x=None, why_y=None)) is None


def test_a_word_counts_once_an_answer_and_a_single_persons_words_are_not_shown(tmp_path: Path) -> None:
    rows = [("p", "x", "real", "real"), ("p", "y", "generated", "real"), ("q", "x", "real", "generated"),
            ("q", "y", "generated", "generated")]  # fmt: skip
    why = ["The hair, the Hair!", "secretive", "no HAIR there", ""]
    section = section_of(Workspace(tmp_path), answers(rows, why=why))
    assert section is not None
    assert section.scores["a"]["words"] == [
        {"word": "hair", "answers": 2, "participants": 2, "said_generated": 0.5, "right": 0.5}
    ]
    assert section.scores["a"]["with_words"] == 3
    assert "used by most people: 'hair' (2 participants)." in section.sentences[0]
    assert "secretive" not in str(section)


def test_the_point_of_a_pair_lies_on_the_image_taken_for_generated(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    stimuli = publish(workspace, "a")
    real, generated = (stimuli.of(truth)[0].id for truth in ("real", "generated"))
    rows = [("p", real, "real", "real"), ("q", generated, "generated", "real"), ("r", real, "real", "real")]
    frame = answers(rows, task="pair", second_stimulus=[generated, real, generated], why_x=[2, 5, 4], why_y=[3, 5, 3])
    section = section_of(workspace, frame)
    assert section is not None
    points = section.tables["reasons-points"].set_index("image")
    assert points.loc[generated, ["truth", "points", "x", "y", "distance"]].to_list() == ["generated", 2, 3, 3, 1]
    assert points.loc[real, ["truth", "points"]].to_list() == ["real", 1]
    assert section.captions["reasons-a"].startswith("a: the image with the most points")
    (figure,) = section.figures.values()
    (drawn,) = [ax for ax in figure().axes if ax.axison]
    assert drawn.collections[0].get_offsets().tolist() == [[2, 3], [4, 3]]
    assert section.scores["a"]["with_a_point"] == pytest.approx(3)
