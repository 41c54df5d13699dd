"""Duplicates: a second copy of a photo is dropped, look-alikes across the split are reported."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from glimpse.prepare.checks.duplicates import NEAR_BITS, Lookalikes, _hashes, _Marks, fingerprint
from tests.glimpse.prepare.photos import disc, skin_photo


def alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    seen = Lookalikes()
    assert not seen.is_duplicate("one", "train", fingerprint(one))
    assert not seen.is_duplicate("other", "test", fingerprint(other))
    return seen.across_the_split() == [("one", "other")]


def saved_again(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return Image.open(buffer)


@pytest.mark.parametrize(
    "copy",
    [
        saved_again,
        lambda image: image.resize((150, 112), Image.Resampling.LANCZOS),
        lambda image: ImageEnhance.Brightness(image).enhance(1.1),
        lambda image: image.crop((2, 1, image.width - 2, image.height - 1)),
        lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: image.transpose(Image.Transpose.ROTATE_90),
        lambda image: image.transpose(Image.Transpose.ROTATE_180),
        lambda image: image.transpose(Image.Transpose.TRANSVERSE),
        lambda image: image.crop((0, 0, round(0.9 * image.width), round(0.9 * image.height))),
        lambda image: image.transpose(Image.Transpose.FLIP_TOP_BOTTOM).crop((10, 7, 190, 142)),
        lambda image: image.crop((15, 4, 195, 139)),
    ],
    ids=[
        "saved as JPEG",
        "smaller",
        "brighter",
        "cropped",
        "mirrored",
        "turned",
        "upside down",
        "transverse",
        "corner cut",
        "mirrored and cropped",
        "cropped to 90 % off the grid",
    ],
)
def test_copies_look_alike(copy: object) -> None:
    for seed in range(5):
        photo = skin_photo(seed, 150, 200)
        copied = np.asarray(copy(Image.fromarray(photo)))  # type: ignore[operator]
        assert alike(photo, copied)
        assert alike(copied, photo)  # whichever of the two is in training


def test_different_photos_do_not() -> None:
    photos = [skin_photo(seed, 150, 200) for seed in range(6)]
    assert not any(alike(a, b) for i, a in enumerate(photos) for b in photos[:i])


@pytest.mark.parametrize("brightness", [40, 120])
def test_photos_of_one_kind_through_one_lens_are_not_alike(brightness: int) -> None:
    """As retinas, whose layout, rim and bright disc are the same on every photo; only the vessels differ."""
    lens, disk = disc(150, 200, 75, 100, 70), disc(150, 200, 75, 130, 8)
    columns = np.arange(30, 170)
    photos = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        photo = rng.normal((brightness, brightness / 2, 12), 2, (150, 200, 3)).clip(0, 255).astype(np.uint8)
        for bend, slope in zip(rng.normal(0, 0.005, 9), rng.normal(0, 0.6, 9), strict=True):  # vessels, from the disc
            rows = (75 + slope * (columns - 130) + bend * (columns - 130) ** 2).clip(0, 147).astype(int)
            for width in range(2):
                photo[rows + width, columns] = (0.6 * brightness, 8, 5)
        photo[disk] = (2 * brightness, 2 * brightness - 10, brightness / 2)
        photo[~lens] = 0
        photos.append(photo)
    assert not any(alike(a, b) for i, a in enumerate(photos) for b in photos[:i])
    assert all(alike(photo, photo[:, ::-1]) for photo in photos)
    assert all(alike(photo, photo[7:142, 12:192]) for photo in photos)


def hands(seed: int) -> NDArray[np.uint8]:
    """Two hands on a cloth, laid out as on every photo of a study; the fingers lie a little elsewhere in each."""
    rng, rows, columns = np.random.default_rng(seed), *np.mgrid[:150, :200]
    skin = np.zeros((150, 200), bool)
    for middle in (50, 150):
        skin |= (np.abs(columns - middle) < 24) & (rows > 75)
        for finger in range(-2, 3):
            at, tip, lean = (
                middle + 10 * finger + rng.normal(0, 0.7),
                25 + 5 * abs(finger) + rng.normal(0, 1),
                finger / 12,
            )
            skin |= (np.abs(columns - at - lean * (75 - rows)) < 4) & (rows > tip) & (rows < 80)
    photo = np.where(skin[..., None], (205, 160, 140), (40, 140, 80)) + rng.normal(0, 3, (150, 200, 3))
    return photo.clip(0, 255).astype(np.uint8)


def test_hands_laid_out_alike_are_not_alike() -> None:
    """Two of these 120 pairs may look alike by chance at 64 pixels; all 14 whose outlines fit were once reported."""
    photos = [hands(seed) for seed in range(20, 36)]
    assert sum(alike(a, b) for i, a in enumerate(photos) for b in photos[:i]) <= 2
    assert all(alike(photo, photo[::-1, 5:195][3:147]) for photo in photos)


def test_two_round_spots_are_not_alike_for_being_round() -> None:
    brown, ochre = np.empty((2, 150, 200, 3), np.uint8)
    brown[:] = ochre[:] = (220, 170, 150)
    brown[disc(150, 200, 75, 100, 32)] = (120, 60, 50)
    ochre[disc(150, 200, 75, 100, 32)] = (180, 110, 30)
    hashes = [_hashes(fingerprint(photo).detail)[0] for photo in (brown, ochre)]
    assert np.bitwise_count(hashes[0] ^ hashes[1]) <= NEAR_BITS  # for the hash they are the same
    assert not alike(brown, ochre)


def test_an_exact_duplicate_is_reported_once_with_the_one_that_stays() -> None:
    seen = Lookalikes()
    assert not seen.is_duplicate("a.png", "train", fingerprint(skin_photo(0)))
    assert seen.is_duplicate("copy.bmp", "test", fingerprint(skin_photo(0)))
    assert not seen.is_duplicate("b.png", "test", fingerprint(skin_photo(1)))
    assert seen.duplicates == [("copy.bmp", "a.png")]
    assert seen.across_the_split() == []


def test_one_grey_level_in_one_pixel_makes_it_another_photo() -> None:
    changed = skin_photo(0)
    changed[3, 4, 1] += 1
    assert fingerprint(changed).pixels != fingerprint(skin_photo(0)).pixels


def test_look_alikes_are_reported_only_across_the_split() -> None:
    seen = Lookalikes()
    for name, split, brightness in (("a", "train", 0), ("b", "train", 1), ("c", "test", 2)):
        seen.is_duplicate(name, split, fingerprint(skin_photo(0) + np.uint8(brightness)))
    assert seen.across_the_split() == [("a", "c"), ("b", "c")]


def test_many_photos_at_once_give_the_pairs_that_each_pair_alone_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glimpse.prepare.checks.duplicates.AT_ONCE", 4)
    photos = [skin_photo(seed, 96, 128) for seed in range(6)]
    copies = [photo[::-1] for photo in photos[:2]] + [photo[2:90, 4:121] for photo in photos[2:4]]
    training = {f"photo {i}": photo for i, photo in enumerate(photos)}
    testing = {f"copy {i}": copy for i, copy in enumerate([*copies, skin_photo(20, 96, 128)])}
    together = Lookalikes()
    for side, some in (("train", training), ("test", testing)):
        for name, photo in some.items():
            assert not together.is_duplicate(name, side, fingerprint(photo))
    one_by_one = [(t, c) for t, photo in training.items() for c, copy in testing.items() if alike(photo, copy)]
    assert together.across_the_split() == sorted(one_by_one)
    assert len(one_by_one) >= 4


def test_near_hashes_are_those_that_comparing_bit_by_bit_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glimpse.prepare.checks.duplicates.AT_ONCE", 4)
    found = _Marks([(str(seed), fingerprint(skin_photo(seed, 64, 64))) for seed in range(30)])
    wanted = int(found.hashes[17, 3])
    for bit in range(9):
        wanted ^= 1 << 7 * bit
    bits = [[(int(one) ^ wanted).bit_count() for one in row] for row in found.hashes]
    plain = [(i, *divmod(row.index(min(row)), 8)) for i, row in enumerate(bits) if min(row) <= NEAR_BITS]
    assert [tuple(row) for row in found.near(np.uint64(wanted)).tolist()] == plain
    assert 17 in [i for i, _, _ in plain]
