"""Without skin masks: the backdrop goes, by colour and only from the border; skin of any tone stays."""

from __future__ import annotations

import numpy as np
import pytest

from glimpse.prepare.skin.background import RULES, skin_of
from tests.glimpse.prepare.photos import skin_photo

BACKDROPS = {
    "near_black": (12, 10, 14),
    "near_white": (250, 249, 246),
    "saturated_green": (30, 140, 60),
    "saturated_blue": (40, 70, 170),
}


@pytest.mark.parametrize("rule", RULES)
def test_a_backdrop_is_taken_away_and_counted_by_its_rule(rule: str) -> None:
    photo = skin_photo(0)
    photo[:, :20] = BACKDROPS[rule]
    skin, removed = skin_of(photo)
    assert not skin[:, :20].any()
    assert skin[:, 20:].all()
    assert removed == {**dict.fromkeys(RULES, 0), rule: 48 * 20}


@pytest.mark.parametrize("rule", RULES)
def test_objects_on_a_backdrop_are_not_skin_either(rule: str) -> None:
    photo = skin_photo(0)
    photo[:, :30] = BACKDROPS["saturated_green" if rule != "saturated_green" else "near_white"]
    photo[10:30, 8:24] = BACKDROPS[rule]
    skin, removed = skin_of(photo)
    assert not skin[:, :30].any()
    assert skin[:, 30:].all()
    assert removed[rule] == 20 * 16
    assert sum(removed.values()) == 48 * 30


@pytest.mark.parametrize("rule", RULES)
def test_the_same_colour_within_the_skin_stays(rule: str) -> None:
    photo = skin_photo(0)
    photo[10:30, 10:30] = BACKDROPS[rule]
    skin, removed = skin_of(photo)
    assert skin.all()
    assert sum(removed.values()) == 0


@pytest.mark.parametrize("tone", [(241, 214, 196), (205, 160, 135), (150, 104, 78), (92, 62, 48), (64, 44, 36)])
def test_skin_of_any_tone_stays_however_uniform(tone: tuple[int, int, int]) -> None:
    assert skin_of(np.full((20, 20, 3), tone, np.uint8))[0].all()


def test_bright_skin_under_violet_light_is_not_blue() -> None:
    assert skin_of(np.full((20, 20, 3), (240, 215, 255), np.uint8))[0].all()


def test_a_marked_lesion_is_skin_whatever_its_colour() -> None:
    photo, lesion = skin_photo(0), np.zeros((48, 64), bool)
    photo[:20, :20] = BACKDROPS["near_black"]
    lesion[:20, :20] = True
    assert skin_of(photo, lesion)[0].all()
    assert not skin_of(photo)[0].all()


def test_black_ends_at_45_and_any_side_of_the_photo_is_its_border() -> None:
    for side in (np.s_[:5, 9:30], np.s_[-5:, 9:30], np.s_[9:30, :5], np.s_[9:30, -5:]):
        for level, kept in ((45, False), (46, True)):
            photo = skin_photo(0)
            photo[side] = level
            assert skin_of(photo)[0][side].all() == kept
            assert skin_of(photo)[0][side].any() == kept
