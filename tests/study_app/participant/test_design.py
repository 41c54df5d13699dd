"""The design of the experiment: balance of sets and images, exposures, order and flags."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from study_app.definition.study import StudyFile
from study_app.participant import design
from study_app.participant.answer import Answered


def test_the_set_with_the_fewest_people_is_chosen_ties_at_random() -> None:
    rng = np.random.default_rng(0)
    assert {design.choose_set([3, 1, 2], [None] * 3, rng) for _ in range(20)} == {1}
    assert Counter(design.choose_set([1, 1, 2], [None] * 3, rng) for _ in range(400))[0] == pytest.approx(200, abs=50)


def test_a_full_set_is_left_out_and_when_all_are_full_no_one_enters() -> None:
    rng = np.random.default_rng(0)
    assert design.choose_set([1, 5], [1, None], rng) == 1
    assert design.choose_set([1, 5], [1, 5], rng) is None


@settings(deadline=None)
@given(images=st.integers(10, 40), people=st.integers(1, 30), seed=st.integers(0, 2**31))
def test_every_image_is_shown_equally_often_to_within_one(images: int, people: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    shown = [0] * images
    for _ in range(people):
        drawn = design.draw_images(shown, 10, rng)
        assert len(set(drawn)) == 10
        for i in drawn:
            shown[i] += 1
    assert max(shown) - min(shown) <= 1


def test_more_images_than_there_are_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="11 images are asked for, but there are 10"):
        design.draw_images([0] * 10, 11, np.random.default_rng(0))


def test_exposures_are_uniform_over_the_range_with_both_ends() -> None:
    drawn = design.exposures(20_000, 2000, 3000, np.random.default_rng(0))
    assert (min(drawn), max(drawn)) == (2000, 3000)
    assert stats.kstest(drawn, "uniform", (2000, 1000)).pvalue > 0.01


def plan(seed: int, **options: object) -> list[design.PlannedTrial]:
    return design.plan(
        **{
            "count": 20, "real_share": 0.5, "shown_real": [0] * 30, "shown_generated": [0] * 30,
            "exposure_ms": (2000, 3000), "rng": np.random.default_rng(seed),
            "times_rng": np.random.default_rng([seed, 1]), **options,
        }  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_participant_sees_ten_of_each_class_in_random_order() -> None:
    first = Counter()
    for seed in range(400):
        trials = plan(seed)
        assert Counter(trial.truth for trial in trials) == {"real": 10, "generated": 10}
        assert len({(trial.truth, trial.index) for trial in trials}) == 20
        first[trials[0].truth] += 1
    assert first["real"] == pytest.approx(200, abs=50)


def test_the_share_of_real_images_and_attention_trials_are_as_asked() -> None:
    trials = plan(0, real_share=0.25, catch=2, catch_truths=["generated", "generated", "real"])
    assert Counter((trial.kind, trial.truth) for trial in trials if trial.kind == "scored") == {
        ("scored", "real"): 5, ("scored", "generated"): 15,
    }  # fmt: skip
    assert sum(trial.kind == "catch" for trial in trials) == 2
    assert all(trial.exposure_ms is None for trial in plan(0, exposure_ms=None))
    many = plan(0, count=100, real_share=0.29, shown_real=[0] * 40, shown_generated=[0] * 80)
    assert sum(trial.truth == "real" for trial in many) == 29, "100 * 0.29 is 28.999... in floating point"


FRAME = 1000 / 60


@pytest.mark.parametrize(
    ("changed", "flags"),
    [
        ({}, set()),
        ({"exposure_ms": 2506.0}, set()),  # rounded to frames
        ({"exposure_ms": 2500 + FRAME}, {"frame-off"}),
        ({"exposure_ms": 2500 - 2.5 * FRAME}, {"frame-off", "exposure-wrong"}),
        ({"focus_lost": True}, {"focus-lost", "exposure-wrong"}),
        ({"dropped_frames": 1}, {"dropped-frames"}),
        ({"uncertain_ms": 0.7 * FRAME}, set()),
        ({"uncertain_ms": 0.8 * FRAME}, {"exposure-unverified"}),
        ({"resized": True}, {"resized"}),
        ({"response_time_ms": 80.0}, {"implausible-time"}),
        ({"response_time_ms": 90_000.0}, {"implausible-time"}),
        ({"begun": 2}, {"shown-again"}),
        ({"planned_ms": None, "exposure_ms": 9000.0}, set()),  # no limit was planned
    ],
)
def test_what_went_wrong_in_a_trial_is_flagged(changed: dict[str, object], flags: set[str]) -> None:
    shown = {"planned_ms": 2500.0, "begun": 1}
    answered = Answered(
        trial=1, answer="real", exposure_ms=2500.0, response_time_ms=3000.0, dropped_frames=0, focus_lost=False
    )
    shown |= {key: changed[key] for key in shown.keys() & changed}
    answered = replace(answered, **{key: value for key, value in changed.items() if key not in shown})
    assert design.trial_flags(answered, **shown) == flags


def test_images_shown_equally_often_are_drawn_at_random() -> None:
    rng = np.random.default_rng(0)
    drawn = Counter(design.draw_images([1, 0, 0, 0], 1, rng)[0] for _ in range(600))
    assert drawn.keys() == {1, 2, 3}
    assert min(drawn.values()) > 150


def test_each_condition_has_the_additional_image_equally_often() -> None:
    """Four images of three conditions: one of them gives two, in a third of the draws each."""
    rng = np.random.default_rng(0)
    drawn = [design.draw_evenly([0] * 6, list("aabbcc"), 4, rng) for _ in range(600)]
    twice = Counter(max(range(3), key=lambda k, one=one: sum(i // 2 == k for i in one)) for one in drawn)
    assert twice.keys() == {0, 1, 2}
    assert min(twice.values()) > 150


@pytest.mark.parametrize(
    ("planned_ms", "exposure_ms", "flags"),
    [
        (2500.0, 2500 + 0.7 * FRAME, set()),
        (2500.0, 2500 + 0.8 * FRAME, {"frame-off"}),
        (2500.0, 2500 + 1.9 * FRAME, {"frame-off"}),
        (2500.0, 2500 + 2.1 * FRAME, {"frame-off", "exposure-wrong"}),
        (2506.0, 2500 - 0.7 * FRAME, set()),  # 150.4 frames: 150 are planned
        (2510.0, 151.7 * FRAME, set()),  # 150.6 frames: 151
        (5.0, FRAME, set()),  # at least one frame is shown
        (None, 60_001.0, {"implausible-time"}),
    ],
)
def test_an_exposure_is_flagged_from_three_quarters_of_a_frame_and_wrong_from_two(
    planned_ms: float | None, exposure_ms: float, flags: set[str]
) -> None:
    answered = Answered(1, "real", exposure_ms, response_time_ms=3000.0, dropped_frames=0, focus_lost=False)
    assert design.trial_flags(answered, planned_ms=planned_ms, begun=1) == flags


@pytest.mark.parametrize(("measured", "used"), [(1.9, FRAME), (2, 2), (100, 100), (100.1, FRAME), (None, FRAME)])
def test_an_impossible_frame_period_is_not_believed(measured: float | None, used: float) -> None:
    body = {"trial": 1, "answer": "real", "exposure_ms": 1, "response_time_ms": 1, "dropped_frames": 0,
            "focus_lost": False, "frame_ms": measured}  # fmt: skip
    answered = Answered.read(body, StudyFile("a", ()))
    assert answered is not None
    assert answered.frame_ms == used
