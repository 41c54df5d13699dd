"""Phantoms: eczema changes nothing outside its mask, people have every tone, and one seed gives one set of bytes."""

from __future__ import annotations

import dataclasses
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import label
from skimage.color import rgb2lab

from glimpse.files import GlimpseError
from glimpse.phantom import drawing
from glimpse.phantom.dermoscopy import shoot
from glimpse.phantom.drawing import SCALES, prepare_phantom
from glimpse.phantom.hand import pose, surface
from glimpse.phantom.lesion import draw_lesion
from glimpse.phantom.person import draw_person
from glimpse.phantom.photo import HandPhoto, draw_hands
from glimpse.phantom.skin import melanin_for, reflect
from glimpse.workspace import Workspace

SIZE = {"width": 480, "height": 320}
TINY = drawing.Scale(
    pairs=5, hands=(32, 24), hands_size=(64, 48), eczema_photos=3, eczema_size=(384, 256), test_photos=1, patch=16,
    stride=12, lesions={"DF": (6, 5), "MEL": (6, 5)}, lesion_size=(48, 36), lesion_set=32,
)  # fmt: skip


@pytest.fixture(scope="module", params=[8, 4, 10])
def photo(request: pytest.FixtureRequest) -> HandPhoto:
    return draw_hands(request.param, draw_person(request.param), palm=False, eczema=True, **SIZE)


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCALES, "tiny", TINY)
    monkeypatch.setattr(drawing, "cores", lambda: 1)


# ------------------------------------------------------------------------------------------------ clean versions


def change(photo: HandPhoto) -> np.ndarray:
    """Grey levels by which a photo and its clean version differ, the largest of the three channels."""
    return np.abs(photo.picture.astype(int) - photo.clean).max(-1)


def test_the_mask_covers_every_pixel_that_the_eczema_changes(photo: HandPhoto) -> None:
    assert photo.eczema.any()
    assert change(photo)[photo.eczema == 0].max() == 0
    assert change(photo)[photo.eczema == 1].mean() > 3


def test_the_mask_cuts_nothing_off() -> None:
    """At its border the eczema has faded into the camera's noise, so no edge shows where the two are joined."""
    for seed in range(4):
        photo = draw_hands(seed, draw_person(seed), palm=False, eczema=True, **SIZE)
        mask = photo.eczema == 1
        rim = mask & ~(np.roll(mask, 1, 0) & np.roll(mask, -1, 0) & np.roll(mask, 1, 1) & np.roll(mask, -1, 1))
        inside = change(photo)[mask]
        assert np.median(change(photo)[rim]) < max(3.0, 0.4 * np.percentile(inside, 90))


def test_the_mask_is_on_skin_and_leaves_healthy_skin(photo: HandPhoto) -> None:
    assert not (photo.eczema & ~photo.skin & 1).any()
    assert photo.eczema.sum() < 0.6 * photo.skin.sum()


def test_a_photo_and_its_clean_version_share_light_and_noise() -> None:
    """Drawn without eczema, the same seed gives the clean version to the byte: nothing of it depends on the eczema."""
    without = draw_hands(8, draw_person(8), palm=False, eczema=False, **SIZE)
    assert np.array_equal(without.picture, draw_hands(8, draw_person(8), palm=False, eczema=True, **SIZE).clean)
    assert not without.eczema.any()


def test_eczema_is_redder_and_darker_than_the_skin_beneath_in_every_tone(photo: HandPhoto) -> None:
    ill, well = (rgb2lab(picture)[photo.eczema == 1].mean(0) for picture in (photo.picture, photo.clean))
    assert ill[0] < well[0] - 1  # L*
    assert ill[1] > well[1] + 0.2  # a*; in dark skin the redness reads as darkening


# ------------------------------------------------------------------------------------------------ people and hands


@pytest.mark.parametrize("ita", [-50, -30, 0, 20, 35, 50, 60])
def test_melanin_gives_the_typology_angle_that_was_asked_for(ita: float) -> None:
    """Against scikit-image's CIELAB: ITA = atan((L* - 50) / b*)."""
    nothing = np.zeros((1, 1), np.float32)
    light = reflect(nothing + melanin_for(ita), nothing + 0.18, nothing, nothing)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    lightness, _, yellow = rgb2lab(encoded)[0, 0]
    assert np.degrees(np.arctan2(lightness - 50, yellow)) == pytest.approx(ita, abs=4)


def test_people_have_every_tone_from_very_light_to_dark() -> None:
    angles = np.array([draw_person(seed).ita for seed in range(200)])
    shares = np.histogram(angles, [-90, -30, 10, 28, 41, 55, 90])[0] / len(angles)
    assert (shares > 0.06).all()


@pytest.mark.parametrize("palm", [False, True])
def test_a_hand_is_one_piece_of_skin_with_five_free_fingertips(palm: bool) -> None:
    y, x = np.mgrid[:280, :240].astype(np.float32)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        hand = pose(draw_person(seed), rng, right=True, palm=palm, origin=(120.0, 250.0), angle=0.05, px_per_mm=1.0)
        skin = surface(hand, x, y).outside < 0
        assert label(skin)[1] == 1
        tips = np.array([hand.pixels(finger.axis)[-1] for finger in hand.fingers])
        between = (tips[1:] + tips[:-1]) / 2
        columns, rows = np.concatenate([tips, between]).round().astype(int).T
        assert skin[rows, columns].tolist() == [True] * 5 + [False] * 4


def test_left_and_right_hands_turn_their_thumbs_to_each_other() -> None:
    person, rng = draw_person(0), np.random.default_rng(0)
    at = {"origin": (0.0, 0.0), "angle": 0.0, "px_per_mm": 1.0}
    for palm in (False, True):
        for right in (False, True):
            hand = pose(person, rng, right=right, palm=palm, **at)
            thumb = hand.pixels(hand.fingers[0].axis)[-1, 0]
            assert (thumb < 0) == (right != palm)  # backs: thumbs inwards; palms: thumbs outwards


def test_a_photo_of_the_front_shows_the_same_person_with_paler_palms() -> None:
    dark = dataclasses.replace(draw_person(4), sleeve=None)
    back, front = (draw_hands(1, dark, palm=palm, eczema=False, **SIZE) for palm in (False, True))
    assert rgb2lab(front.picture)[front.skin == 1][:, 0].mean() > rgb2lab(back.picture)[back.skin == 1][:, 0].mean() + 8


def test_a_sleeve_is_not_skin() -> None:
    person = draw_person(2)
    bare = draw_hands(2, dataclasses.replace(person, sleeve=None), palm=False, eczema=False, **SIZE)
    dressed = draw_hands(
        2, dataclasses.replace(person, sleeve=(0.02, 0.02, 0.4), cuff=-20), palm=False, eczema=False, **SIZE
    )
    assert dressed.skin.sum() < 0.9 * bare.skin.sum()
    hidden = (bare.skin == 1) & (dressed.skin == 0)
    assert (dressed.picture[hidden].mean(0).argmax()) == 2


# ------------------------------------------------------------------------------------------------ lesions


def test_melanomas_are_darker_and_more_colourful_than_dermatofibromas() -> None:
    spread = {}
    for kind in ("DF", "MEL"):
        photos = []
        for seed in range(12):
            person = draw_person(seed)
            photos.append(rgb2lab(shoot(seed, draw_lesion(seed, kind, person, 96), person, 96, 72))[24:48, 32:64])
        spread[kind] = (
            np.mean([p[..., 0].mean() for p in photos]),
            np.mean([p.reshape(-1, 3).std(0).sum() for p in photos]),
        )
    assert spread["MEL"][0] < spread["DF"][0] - 5
    assert spread["MEL"][1] > spread["DF"][1]


def test_two_photos_of_a_lesion_differ_but_show_the_same_lesion() -> None:
    person = draw_person(3)
    lesion = draw_lesion(3, "MEL", person, 96)
    one, other = (shoot(seed, lesion, person, 96, 72) for seed in (1, 2))
    assert not np.array_equal(one, other)
    assert np.array_equal(one, shoot(1, draw_lesion(3, "MEL", person, 96), person, 96, 72))


# ------------------------------------------------------------------------------------------------ the whole


def test_phantoms_make_all_five_sets_and_make_them_once(workspace: Workspace, tiny: None) -> None:
    made = prepare_phantom(workspace, "tiny", 5)
    assert [one.images.name for one in made] == list(drawing.SETS)
    assert all(one.made for one in made)
    sets = {one.images.name: one.images for one in made}
    assert [len(sets[name]) for name in ("hands", "df", "mel")] == [10, 6, 6]
    for images in sets.values():
        sides = images.index.groupby("group")["split"].nunique()
        assert (sides == 1).all()
        assert images.manifest["licence"] == drawing.LICENCE
    eczema = sets["eczema"]
    assert eczema.masks is not None
    assert eczema.truth is not None
    outside = eczema.masks[:] == 0
    assert np.array_equal(eczema.images[outside], eczema.truth[outside])
    assert not np.array_equal(eczema.images, eczema.truth)
    assert not any(one.made for one in prepare_phantom(workspace, "tiny", 5))
    assert not list(workspace.root.glob(".phantom*"))
    (workspace.existing("images", "mel") / "images.npy").write_bytes(b"")  # a damaged set is made again
    assert [one.images.name for one in prepare_phantom(workspace, "tiny", 5) if one.made] == ["mel"]


def test_one_seed_gives_the_same_bytes_on_any_number_of_processors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = dataclasses.replace(TINY, pairs=2, eczema_photos=1, lesions={"DF": (3, 2), "MEL": (3, 2)})

    def pixels(folder: str, seed: int, workers: int) -> dict[str, bytes]:
        todo = drawing.jobs(few, tmp_path / folder, seed)
        drawing.draw_all(todo, workers)
        return {
            p.relative_to(tmp_path / folder).as_posix(): p.read_bytes()
            for p in sorted((tmp_path / folder).rglob("*")) if p.is_file()
        }  # fmt: skip

    one = pixels("one", 1, 1)
    assert len(one) == 2 * 2 + 4 + 6 + 1
    assert pixels("two", 1, 2) == one
    other = pixels("other", 2, 1)
    assert all(other[name] != data for name, data in one.items() if not name.endswith(".csv"))


def test_an_interrupted_drawing_leaves_nothing(
    workspace: Workspace, tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = []

    def interrupt(job: drawing.Job) -> None:
        drawn.append(job)
        if len(drawn) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(drawing, "draw", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare_phantom(workspace, "tiny")
    assert workspace.names("images") == []
    assert not list(workspace.root.glob(".phantom*"))


def test_a_second_drawing_leaves_the_first_its_folder(
    workspace: Workspace, tiny: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what a killed command left goes; here another process, which sleeps, draws into the same workspace."""
    with subprocess.Popen(["sleep", "60"]) as other:
        theirs, dead = (workspace.root / f".phantom.{pid}.building" for pid in (other.pid, 2**22 + 1))
        for folder in (theirs, dead):
            folder.mkdir(parents=True)
        monkeypatch.setattr(drawing, "_prepare", lambda *_: [])
        prepare_phantom(workspace, "tiny")
        other.kill()
    assert list(workspace.root.glob(".phantom*")) == [theirs]


def test_the_paper_scale_has_the_papers_numbers(tmp_path: Path) -> None:
    todo = drawing.jobs(SCALES["paper"], tmp_path, 0)
    count = {kind: sum(job.kind == kind for job in todo) for kind in ("hands", "eczema", "DF", "MEL")}
    assert count == {"hands": 492, "eczema": 79 + 52, "DF": 115, "MEL": 1113}
    assert len({job.subject for job in todo if job.kind == "hands"}) == 246
    assert {job.size for job in todo if job.kind == "eczema"} == {(3456, 2304)}
    assert SCALES["paper"].test_photos == 52


def test_an_unknown_scale_is_named() -> None:
    with pytest.raises(GlimpseError, match=r"There is no scale 'huge': choose from demo, paper"):
        prepare_phantom(Workspace(Path("nowhere")), "huge")
