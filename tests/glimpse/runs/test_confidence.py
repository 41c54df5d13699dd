"""The discriminator's state from the log, with what to change and the flag on a choice made while it was saturated."""

from __future__ import annotations

from typing import Any

import pytest

from glimpse.runs.confidence import chosen_when_saturated, confidence

SETTINGS = {"d_features": 64, "lr": 2e-4}


def line(images: int, real: float, generated: float, **more: Any) -> dict[str, Any]:
    return {"images": images, "d_real_train": real, "d_generated": generated, "d_accuracy": 0.9, **more}


@pytest.mark.parametrize(
    ("pairs", "state", "advice"),
    [
        ([(0.51, 0.49)] * 4, "at chance", "d_features=128"),
        ([(0.99, 0.01)] * 4, "overconfident", "d_features=32"),
        ([(0.9, 0.1), (0.5, 0.4), (0.9, 0.1), (0.5, 0.5)], "inconsistent", "lr=0.0001"),
        ([(0.7, 0.4)] * 4, "in balance", None),
    ],
)
def test_the_state_says_what_to_change(pairs: list[tuple[float, float]], state: str, advice: str | None) -> None:
    lines = [line(75 + 5 * i, *pair) for i, pair in enumerate(pairs)]
    found = confidence(lines)
    assert found is not None
    assert found.state == state
    assert (advice in found.sentence(SETTINGS)) if advice else not found.advice(SETTINGS)


def test_only_the_last_quarter_is_judged_and_the_numbers_are_exact() -> None:
    lines = [line(10, 0.99, 0.01), line(74, 0.99, 0.01), line(75, 0.8, 0.5), line(90, 0.9, 0.5), line(100, 0.9, 0.4)]
    found = confidence(lines)
    assert found is not None
    assert found.separation == pytest.approx(0.4)  # 0.3, 0.4, 0.5
    assert found.between_ticks == pytest.approx(0.1)  # with n - 1
    assert found.accuracy == pytest.approx(0.9)
    assert found.sentence(SETTINGS) == (
        "the discriminator is in balance: D(real) - D(generated) 0.40 (between ticks ±0.10) lies between 0.05 (chance) "
        "and 0.9 (saturated); accuracy 0.90."
    )
    two = confidence(lines[-2:])
    assert two is not None
    assert two.between_ticks is None, "two ticks do not say how steady it is"


def test_the_last_quarter_ends_at_the_last_evaluated_tick() -> None:
    found = confidence([line(50, 0.9, 0.1), line(60, 0.8, 0.5), line(80, 0.9, 0.5), {"images": 110}])
    assert found is not None
    assert found.separation == pytest.approx(0.35)  # from image 60 on: 0.3 and 0.4


def test_a_log_without_an_evaluated_tick_has_no_state() -> None:
    assert confidence([]) is None
    assert confidence([{"images": 5, "d_real_train": None, "d_generated": None}]) is None


def test_a_best_tick_is_flagged_only_if_the_discriminator_was_saturated_at_it() -> None:
    calm, sure = line(1, 0.6, 0.4, score="kid", kid=2.0), line(2, 0.99, 0.01, score="kid", kid=1.0)
    assert chosen_when_saturated([calm, sure])
    assert not chosen_when_saturated([calm | {"kid": 0.5}, sure])
    assert not chosen_when_saturated([sure | {"score": "random_feature_kid", "random_feature_kid": 1.0}, calm]), (
        "other extractors cannot be compared"
    )
    assert not chosen_when_saturated([line(1, 0.99, 0.01)])
    assert not chosen_when_saturated([line(1, 0.9, 0.0, score="kid", kid=1.0)]), "only above 0.9"
