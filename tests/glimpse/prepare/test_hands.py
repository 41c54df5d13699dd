"""Hands: 4:3 without distortion, upright, split by person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from glimpse.imageset import ImageSetError
from glimpse.prepare.hands import HandsOptions, person_of, prepare_hands
from glimpse.prepare.pipeline import Prepared
from glimpse.workspace import Workspace
from tests.glimpse.prepare.photos import save, skin_photo

SMALL = (64, 48)


def prepare(workspace: Workspace, *source: Path, **options: Any) -> Prepared:
    return prepare_hands(workspace, HandsOptions(source=source, **{"overwrite": True, **options}))


def pairs(folder: Path, people: int = 5) -> Path:
    for person in range(people):
        for side in ("front", "back"):
            save(folder / f"{person:03}_{side}.jpg", skin_photo(2 * person + (side == "back"), 96, 160))
    return folder


@pytest.mark.parametrize(
    ("name", "person"),
    [
        ("017_front.jpg", "017"), ("017_back.jpg", "017"), ("017Back.png", "017"), ("anna-palmar.jpg", "anna"),
        ("anna/front.jpg", "anna"), ("anna.f.jpg", "anna"), ("IMG_0001.jpg", "IMG_0001"), ("front.jpg", "front"),
    ],
)  # fmt: skip
def test_the_person_is_the_name_without_the_side(name: str, person: str) -> None:
    assert person_of(name) == person


@pytest.mark.parametrize(
    ("pattern", "person"),
    [
        (r"S(\d+)", "07"),
        (r"S\d+", "S07"),
        (r"(?P<who>\d+)-x", "12"),
        ("^[^_]+", "S07"),
        ("^(P)?(S)", "S"),
        ("^P(.+)|S(..)", "07"),
    ],
)
def test_a_pattern_finds_the_person(pattern: str, person: str) -> None:
    assert person_of("S07_12-x.jpg", pattern) == person


@pytest.mark.parametrize(
    ("pattern", "sentence"),
    [
        ("(", "not a regular expression"),
        ("Q", "finds no person in a.jpg"),
        ("^(P)?", "finds no person"),
        ("P*", "finds no person"),
    ],
)
def test_a_pattern_that_finds_no_person_is_refused(pattern: str, sentence: str) -> None:
    with pytest.raises(ImageSetError, match=sentence):
        person_of("a.jpg", pattern)


def test_both_photos_of_a_person_stay_on_one_side(tmp_path: Path, workspace: Workspace) -> None:
    hands = prepare(workspace, pairs(tmp_path), size=SMALL, test=0.4).images
    assert hands.images.shape == (10, 48, 64, 3)
    assert hands.index.groupby("group")["split"].nunique().max() == 1
    assert hands.index["group"].value_counts().tolist() == [2] * 5
    assert hands.index.query("split == 'test'")["group"].nunique() == 2


def test_a_table_can_name_the_people(tmp_path: Path, workspace: Workspace) -> None:
    photos = pairs(tmp_path / "photos")
    rows = [f"{photo.name},{'anna' if photo.name < '003' else 'ben'}" for photo in photos.iterdir()]
    (tmp_path / "people.csv").write_text("file,person\n" + "\n".join(rows))
    hands = prepare(workspace, photos, size=SMALL, people=tmp_path / "people.csv", test=0.4).images
    assert dict(hands.index["group"].value_counts()) == {"anna": 6, "ben": 4}
    (tmp_path / "people.csv").write_text("file,person\n" + "\n".join(rows[1:]))
    with pytest.raises(ImageSetError, match=r"people\.csv names no person for .*\(1 in all\)"):
        prepare(workspace, photos, size=SMALL, people=tmp_path / "people.csv")


def test_photos_with_the_same_name_are_refused(tmp_path: Path, workspace: Workspace) -> None:
    one, other = (pairs(tmp_path / session, people=2) for session in ("monday", "tuesday"))
    with pytest.raises(ImageSetError, match=r"monday.000_back\.jpg and .*tuesday.000_back\.jpg have the same name"):
        prepare(workspace, one, other, size=SMALL)
    (tmp_path / "people.csv").write_text("file,person\nmonday/000_back.jpg,anna\ntuesday/000_back.jpg,ben\n")
    with pytest.raises(ImageSetError, match=r"monday.000_back\.jpg and .*tuesday.000_back\.jpg have the same name"):
        prepare(workspace, tmp_path, size=SMALL, people=tmp_path / "people.csv")


def test_without_known_persons_the_split_says_that_it_may_leak(tmp_path: Path, workspace: Workspace) -> None:
    for i in range(6):
        save(tmp_path / f"IMG_{i}.jpg", skin_photo(i))
    prepared = prepare(workspace, tmp_path, size=SMALL)
    assert any("may leak: name the people with --person-pattern or --people" in note for note in prepared.notes)


def test_the_split_counts_the_photos_that_can_be_read(tmp_path: Path, workspace: Workspace) -> None:
    pairs(tmp_path)
    for broken in (f"00{person}_{side}.jpg" for person in (1, 2, 3) for side in ("front", "back")):
        (tmp_path / broken).write_bytes((tmp_path / broken).read_bytes()[:400] + broken.encode())
    for seed in range(6):
        hands = prepare(workspace, tmp_path, size=SMALL, skip_broken=True, seed=seed, test=0.4).images
        assert set(hands.index["split"]) == {"train", "test"}
        assert len(hands.manifest["left_out"]["broken"]) == 6


def test_the_centre_is_kept_upright_and_undistorted(tmp_path: Path, workspace: Workspace) -> None:
    for i in range(4):
        # A sideways photo of 96x192; upright it is 192x96. The square in its middle stays a square in the middle.
        upright = np.full((96, 192, 3), 200, np.uint8)
        upright[36:60, 84:108] = (30, 60, 90)
        upright[:, :32] = upright[:, -32:] = (0, 200, 0)  # what 4:3 leaves out
        upright[0, 0] = i
        exif = Image.Exif()
        exif[0x0112] = 6  # turn by 90 degrees clockwise to show
        Image.fromarray(np.ascontiguousarray(np.rot90(upright))).save(tmp_path / f"{i}.png", exif=exif)
    hands = prepare(workspace, tmp_path, size=SMALL).images
    expected = np.full((48, 64, 3), 200, np.uint8)
    expected[18:30, 26:38] = (30, 60, 90)
    np.testing.assert_array_equal(hands.images[0], expected)


def test_running_it_again_keeps_the_set(tmp_path: Path, workspace: Workspace) -> None:
    pairs(tmp_path)
    made = [prepare(workspace, tmp_path, size=SMALL, person_pattern=p).made for p in (None, None, r".+")]
    assert made == [True, False, True]


def test_hands_of_the_papers_size_are_not_made_from_smaller_photos(tmp_path: Path, workspace: Workspace) -> None:
    with pytest.raises(ImageSetError, match=r"000_back\.jpg gives 96x128 pixels, fewer than 480x640 \(height"):
        prepare(workspace, pairs(tmp_path))
    assert workspace.names("images") == []
