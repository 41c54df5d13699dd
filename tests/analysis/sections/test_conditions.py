"""Generators judged by the same people: the ranking and the pairs in words, and where the section stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.answers.read import read_csv
from analysis.people.conditions import compare
from analysis.people.trials import Trials
from analysis.report import manuscript
from analysis.section import Context
from analysis.sections import conditions, survey
from benchmarks.people.conditions import Case, simulate
from glimpse.workspace import Workspace


def responses(d_primes: tuple[float, ...], people: int = 30, *, shared: bool = True) -> pd.DataFrame:
    """The answers of a simulated survey as the reader gives them; unless shared, each set has its own answers."""
    found = simulate(Case("test", d_primes, people=people, images=30), np.random.default_rng(4))
    frames, trial = [], 0
    for name, one in zip("ABC", found.values(), strict=False):
        frame = pd.DataFrame({"set": name, "participant": one.participant.astype(str), "image": one.image.astype(str)})
        frame = frame.assign(is_generated=one.is_generated, said_generated=one.said_generated, mode="fixed")
        real = int((~one.is_generated).sum())
        own = np.arange(len(one)) + trial
        trial += len(one)
        frame["trial"] = np.where(one.is_generated | (not shared), own, -1 - np.arange(len(one)))
        assert real
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def context(frame: pd.DataFrame, tmp_path: Path) -> Context:
    return Context(Workspace(tmp_path), responses=frame)


def test_the_sentences_say_who_fools_more_people_and_by_how_much(tmp_path: Path) -> None:
    section = conditions.compute(context(responses((2.0, 0.0)), tmp_path))
    assert section is not None
    ranked, paired = section.sentences
    assert ranked.startswith("By the share of their images that people took for real: B (")
    assert "of resamples B fools more people than A." in ranked
    assert "balanced accuracy A above B by" in paired
    assert "fooling rate B above A by" in paired
    assert section.tables["ranking"]["set"].tolist() == ["B", "A"]
    (row,) = section.tables["paired"].to_dict("records")
    assert row["balanced_accuracy"] == pytest.approx(-row["fooling_rate"] / 2)
    scores = section.scores["A, B"]
    assert (scores["n"], scores["ranking"][0]["place"]) == (30, 1)
    assert section.figures["conditions"]() is not None


def test_a_sentence_says_that_conditions_do_not_differ(tmp_path: Path) -> None:
    section = conditions.compute(context(responses((1.0, 1.0), people=12), tmp_path))
    assert section is not None
    assert section.sentences[1].endswith(
        "the two conditions do not measurably differ in balanced accuracy, d′ or fooling rate (tested at 5 %)."
    )


def test_a_measure_that_cannot_be_compared_is_not_said_to_be_alike() -> None:
    frame = responses((1.0, 1.0), people=12)
    frame.loc[(frame["set"] == "A") & frame["is_generated"], "said_generated"] = True
    coded = Trials.from_table(frame)
    found = compare({n: coded.where((frame["set"] == n).to_numpy()) for n in "AB"})
    said = conditions.sentences(found)[-1]
    note = found.pairs["d_prime"][0].difference.note
    assert note
    assert said.endswith(f". In d′ they cannot be compared: {note}.")
    assert "tested at 5 %)" in said


def test_sets_that_share_no_answers_are_compared_in_the_survey_alone(tmp_path: Path) -> None:
    apart, together = responses((1.0, 1.0), shared=False), responses((1.0, 1.0))
    assert conditions.compute(context(apart, tmp_path)) is None
    assert conditions.unrelated(apart)("A", "B")
    assert not conditions.unrelated(together)("A", "B")
    assert survey.significance.compare_sets({}, conditions.unrelated(together)) == []


def test_one_participant_is_too_few() -> None:
    frame = responses((1.0, 1.0), people=12)
    coded = Trials.from_table(frame)
    alone = {n: coded.where(((frame["set"] == n) & (frame["participant"] == "0")).to_numpy()) for n in "AB"}
    (said,) = conditions.sentences(compare(alone))
    assert said.endswith("too few answers for an interval (one participant: no interval for new participants).")


def test_texts_name_no_comparison_and_no_ranking_that_was_not_possible(tmp_path: Path) -> None:
    """Images of one generator are always caught, those of the other never: nothing has an interval."""
    lines = ["participant,image,truth,answer,source"]
    for who in range(12):
        lines += [f"{who},r{k},real,real," for k in range(8)]
        lines += [f"{who},a{k},generated,generated,A" for k in range(8)]
        lines += [f"{who},b{k},generated,real,B" for k in range(8)]
    (tmp_path / "answers.csv").write_text("\n".join(lines))
    answers = read_csv(tmp_path / "answers.csv")
    here = Context(Workspace(tmp_path), responses=answers.trials)
    sections = survey.compute(here), conditions.compute(here)
    assert sections[0] is not None
    assert sections[1] is not None
    texts = manuscript.texts(here, answers, {one.name: one.scores for one in sections if one}, "", "1")
    assert "Generators judged by the same people could not be compared." in texts.methods
    assert dict(texts.checklist)["Multiplicity"] == "No p-value to correct."
    said = " ".join([*sections[1].methods, sections[1].captions["ranking"]])
    assert not any(word in said for word in ("Holm", "Resamples", "resamples", "probit"))
