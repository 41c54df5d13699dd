"""Matching: masks are found by the names of their photos."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from glimpse.imageset import ImageSetError
from glimpse.prepare.reading.matching import by_stem, match_masks, without_masks
from glimpse.prepare.reading.sources import SourceFile
from glimpse.prepare.reading.tables import column_by_photo


def files(*names: str) -> list[SourceFile]:
    return [SourceFile(name, Path(name)) for name in names]


def test_two_photos_of_one_name_are_refused() -> None:
    with pytest.raises(ImageSetError, match=r"x/a\.jpg and y/a\.png have the same name"):
        by_stem(files("x/a.jpg", "y/a.png"))


@pytest.mark.parametrize("mask", ["P1.png", "P1_segmentation.png", "P1_mask.bmp", "P1-lesion-mask.png", "P1_Mask.png"])
def test_a_mask_is_known_by_its_photos_name(mask: str) -> None:
    photos = by_stem(files("P1.jpg", "P10.jpg"))
    assert {stem: m.name for stem, m in match_masks(photos, files(mask)).items()} == {"P1": mask}


def test_photos_and_masks_can_be_in_one_folder() -> None:
    together = files("P1.jpg", "P1_mask.png", "P2.jpg", "P2_mask.png", "left_hand.jpg", "left_hand_lesion.png")
    photos = without_masks(by_stem(together), together)
    assert sorted(photos) == ["P1", "P2", "left_hand"]
    matched = match_masks(photos, together)
    assert [matched[stem].name for stem in photos] == ["P1_mask.png", "P2_mask.png", "left_hand_lesion.png"]


def test_a_mask_of_exactly_the_photos_name_goes_first() -> None:
    """A photo may be called like the mask of another."""
    photos = by_stem(files("photos/pat0.jpg", "photos/pat0_lesion.jpg"))
    masks = files("masks/pat0_lesion.png", "masks/pat0.png")
    assert without_masks(photos, masks) == photos
    assert {stem: mask.name for stem, mask in match_masks(photos, masks).items()} == {
        "pat0": "masks/pat0.png", "pat0_lesion": "masks/pat0_lesion.png"
    }  # fmt: skip
    assert match_masks(by_stem(files("photos/pat0.jpg")), masks)["pat0"].name == "masks/pat0.png"


def test_each_role_takes_the_mask_with_its_word() -> None:
    photos = by_stem(files("I0.jpg", "I1.jpg"))
    masks = files("I0_lesion.png", "I0_skin_mask.png", "I0_mask.png", "I1_Hand.png")
    taken = [{s: m.name for s, m in match_masks(photos, masks, role).items()} for role in ("lesion", "skin", "truth")]
    assert taken == [
        {"I0": "I0_lesion.png"}, {"I0": "I0_skin_mask.png", "I1": "I1_Hand.png"}, {"I0": "I0_mask.png"}
    ]  # fmt: skip


def test_names_match_however_their_accents_are_written(tmp_path: Path) -> None:
    apart, one = unicodedata.normalize("NFD", "Händé"), unicodedata.normalize("NFC", "Händé")
    photos = by_stem(files(f"{apart}.jpg"))
    assert list(match_masks(photos, files(f"{one}_mask.png"))) == list(photos) == [one]
    (tmp_path / "table.csv").write_text(f"photo,lesion_id\n{apart}.jpg,L1\n", "utf-8")
    assert column_by_photo(tmp_path / "table.csv", "lesion_id", photos) == {one: "L1"}


def test_two_masks_of_one_photo_are_refused() -> None:
    with pytest.raises(ImageSetError, match=r"P1\.jpg has two masks, P1_mask\.png and P1_seg\.png"):
        match_masks(by_stem(files("P1.jpg")), files("P1_mask.png", "P1_seg.png"))
