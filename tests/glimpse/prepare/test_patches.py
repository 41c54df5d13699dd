"""Patches: both sets from one pass, pixel for pixel those of the photos; nothing half-written stays."""

from __future__ import annotations

import contextlib
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from glimpse.imageset import ImageSet, ImageSetError
from glimpse.prepare.patches import PatchOptions, prepare_patches
from glimpse.prepare.pipeline import Prepared
from glimpse.prepare.reading import pixels
from glimpse.workspace import Workspace
from tests.glimpse.prepare.photos import disc, lay_down, save, skin_photo

SMALL = {"size": 16, "stride": 8}


def prepare(workspace: Workspace, photos: Path, lesions: Path, *others: Path, **options: Any) -> list[Prepared]:
    """`others` are the folders of skin masks and of truth."""
    more: dict[str, Any] = {key: [at] for key, at in zip(("skin_masks", "truth"), others, strict=False)}
    return prepare_patches(
        workspace, PatchOptions(photos=[photos], lesion_masks=[lesions], **more, **{"overwrite": True, **options})
    )


def test_each_patch_is_what_its_row_says(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    healthy, eczema = (p.images for p in prepare(workspace, photos, masks, **SMALL))
    assert (healthy.name, eczema.name) == ("healthy", "eczema")
    assert healthy.masks is None
    assert eczema.masks is not None
    for images in (healthy, eczema):
        for i, row in enumerate(images.index.itertuples()):
            number = int(row.group[1:])
            window = np.s_[int(row.y) : int(row.y) + 16, int(row.x) : int(row.x) + 16]
            lesion = disc(y=16 + number, x=20 + 3 * number)[window]
            np.testing.assert_array_equal(images.images[i], skin_photo(number)[window])
            assert row.coverage == pytest.approx(lesion.mean(), rel=1e-5)
            if images is healthy:
                assert not lesion.any()
            else:
                assert 0.1 <= lesion.mean() <= 0.8
                np.testing.assert_array_equal(eczema.masks[i], lesion)
    # Windows of all photos: 7 across, 5 down, in 6 photos; each went to one set or was counted.
    counts = healthy.manifest["counts"]
    left_out = sum(counts[f"windows_{why}"] for why in ("off_skin", "too_little", "too_much"))
    assert len(healthy) + len(eczema) + left_out == 6 * 35


def test_windows_reach_nowhere_beyond_the_skin_mask(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    for i in range(6):
        skin = np.zeros((48, 64), bool)
        skin[4:40, 10:60] = True
        save(tmp_path / "skin" / f"P{i}_hand.png", skin)
    for prepared in prepare(workspace, photos, masks, tmp_path / "skin", **SMALL):
        index = prepared.images.index
        assert index["x"].between(10, 60 - 16).all()
        assert index["y"].between(4, 40 - 16).all()


def test_without_skin_masks_the_backdrop_is_left_out_and_counted(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    for i in range(6):
        photo = skin_photo(i)
        photo[:, 48:] = (25, 150, 60)
        save(photos / f"P{i}.png", photo)
    healthy, _ = (p.images for p in prepare(workspace, photos, masks, **SMALL))
    assert (healthy.index["x"] <= 48 - 16).all()
    assert healthy.manifest["counts"]["pixels_saturated_green"] == 6 * 48 * 16
    assert healthy.manifest["counts"]["windows_off_skin"] == 6 * 5 * 2


def test_the_clean_version_of_each_eczema_patch_is_kept(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    for i in range(6):
        save(tmp_path / "clean" / f"P{i}.png", skin_photo(i))
        ill = skin_photo(i)
        ill[disc(y=16 + i, x=20 + 3 * i)] = (200, 60, 60)
        save(photos / f"P{i}.png", ill)
    healthy, eczema = (p.images for p in prepare(workspace, photos, masks, truth=[tmp_path / "clean"], **SMALL))
    assert healthy.truth is None
    assert eczema.truth is not None
    assert eczema.masks is not None
    outside = eczema.masks == 0
    np.testing.assert_array_equal(eczema.truth[outside], eczema.images[outside])
    assert (eczema.truth != eczema.images).any(axis=-1)[~outside].all()


def test_test_photos_are_a_count_a_share_or_a_list(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    (tmp_path / "held-out.txt").write_bytes("\ufeffP1\r\nP4.png\r\n".encode())
    for test_photos, expected in ((1, 1), (0.5, 3), (0.4, 2), (tmp_path / "held-out.txt", 2)):
        healthy = prepare(workspace, photos, masks, test=test_photos, **SMALL)[0].images
        testing = set(healthy.index.query("split == 'test'")["group"])
        assert len(testing) == expected
    assert testing == {"P1", "P4"}


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from("abcde"), min_size=6, max_size=6), st.floats(0.2, 0.7), st.integers(0, 99))
def test_no_group_is_on_both_sides(
    tmp_path_factory: pytest.TempPathFactory, lesions: list[str], share: float, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("groups")
    photos, masks = lay_down(folder)
    table = folder / "metadata.csv"
    table.write_text("image_id,lesion_id\n" + "".join(f"P{i},{lesion}\n" for i, lesion in enumerate(lesions)))
    with contextlib.suppress(ImageSetError):  # where all photos show one lesion there is no split
        prepare(Workspace.at(folder), photos, masks, test=share, metadata=table, seed=seed, **SMALL)
    loaded = [ImageSet.load(made) for made in (folder / "images").glob("[a-z]*")]
    assert loaded or len(set(lesions)) == 1
    sides = {(row.group, row.split) for images in loaded for row in images.index.itertuples()}
    assert len(sides) == (len(set(lesions)) if loaded else 0)


def test_files_without_a_counterpart_are_listed(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    (masks / "P2_segmentation.png").unlink()
    save(masks / "Q9_segmentation.png", disc())
    healthy, eczema = prepare(workspace, photos, masks, **SMALL)
    assert healthy.images.manifest["left_out"]["without_lesion"] == ["P2.png"]
    assert healthy.images.manifest["left_out"]["lesion_without_photo"] == ["Q9_segmentation.png"]
    assert [note.split(":")[1].split(".png")[0].strip() for note in eczema.notes[:2]] == ["Q9_segmentation", "P2"]


def test_whatever_lies_in_one_folder_is_used_by_its_word_or_listed(tmp_path: Path, workspace: Workspace) -> None:
    for i in range(4):
        save(tmp_path / "all" / f"I{i}.png", skin_photo(i))
        save(tmp_path / "all" / f"I{i}_lesion.png", disc())
        save(tmp_path / "all" / f"I{i}_skin.png", np.ones((48, 64), bool))
    save(tmp_path / "all" / "I0_mask.png", disc())
    folder = tmp_path / "all"
    healthy, eczema = (p.images for p in prepare(workspace, folder, folder, folder, **SMALL))
    assert set(healthy.index["source"]) == {f"I{i}.png" for i in range(4)}
    assert eczema.manifest["left_out"]["lesion_without_photo"] == ["I0_mask.png"]
    assert "without_skin" not in eczema.manifest["left_out"]


def test_a_photo_called_like_the_mask_of_another_is_cut_with_its_own(tmp_path: Path, workspace: Workspace) -> None:
    for i in range(4):
        for j, name in enumerate((f"pat{i}", f"pat{i}_lesion")):
            save(tmp_path / "photos" / f"{name}.jpg", skin_photo(2 * i + j))
            save(tmp_path / "masks" / f"{name}.png", disc(x=24 + 16 * j))
    _, eczema = (p.images for p in prepare(workspace, tmp_path / "photos", tmp_path / "masks", **SMALL))
    assert eczema.index["group"].nunique() == 8
    assert eczema.masks is not None
    for i, row in enumerate(eczema.index.itertuples()):
        window = np.s_[int(row.y) : int(row.y) + 16, int(row.x) : int(row.x) + 16]
        np.testing.assert_array_equal(eczema.masks[i], disc(x=24 + 16 * row.group.endswith("_lesion"))[window])


def test_a_single_photo_without_a_window_is_only_listed(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    save(masks / "P3_segmentation.png", np.ones((48, 64), bool))
    healthy, _ = prepare(workspace, photos, masks, **SMALL)
    assert healthy.images.manifest["left_out"]["no_window"] == ["P3.png"]


def test_where_no_window_fits_one_set_the_other_is_made_alone(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    for i in range(6):
        save(masks / f"P{i}_segmentation.png", np.zeros((48, 64), bool))
    (healthy,) = prepare(workspace, photos, masks, **SMALL)
    assert "No window fits 'eczema'" in " ".join(healthy.notes)
    assert workspace.names("images") == ["healthy"]
    (again,) = prepare(workspace, photos, masks, **SMALL)
    assert not again.made


def test_a_set_of_an_earlier_run_that_stays_is_named(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    prepare(workspace, photos, masks, **SMALL)
    (healthy,) = prepare(workspace, photos, masks, coverage=(0.999, 1.0), size=16, stride=16)
    assert "The existing image set 'eczema' is from an earlier run" in " ".join(healthy.notes)


def test_an_exact_duplicate_never_reaches_the_split(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    (photos / "P1.png").write_bytes((photos / "P0.png").read_bytes())  # the same bytes
    save(photos / "P5.bmp", skin_photo(4))  # the same pixels in another file type
    (photos / "P5.png").unlink()
    healthy, eczema = prepare(workspace, photos, masks, **SMALL)
    assert healthy.images.manifest["left_out"]["duplicates"] == [["P1.png", "P0.png"], ["P5.bmp", "P4.png"]]
    assert set(eczema.images.index["group"]) == {"P0", "P2", "P3", "P4"}


def test_the_same_bytes_come_out_whatever_the_threads(tmp_path: Path) -> None:
    photos, masks = lay_down(tmp_path)
    workspaces = [Workspace.at(tmp_path / f"with {threads}") for threads in (1, 4)]
    for threads, workspace in zip((1, 4), workspaces, strict=True):
        prepare(workspace, photos, masks, threads=threads, **SMALL)
    for name in ("healthy", "eczema"):
        one, four = (workspace.existing("images", name) for workspace in workspaces)
        assert {p.name: p.read_bytes() for p in one.iterdir()} == {p.name: p.read_bytes() for p in four.iterdir()}


@pytest.mark.parametrize("spoil", ["nothing", "duplicate", "broken photo", "broken skin", "sideways"])
def test_the_hashes_are_those_of_what_was_written_whatever_was_left_out(
    tmp_path: Path, workspace: Workspace, spoil: str
) -> None:
    photos, masks = lay_down(tmp_path)
    skin = tmp_path / "skin"
    for i in range(6):
        save(skin / f"P{i}_hand.png", np.ones((48, 64), bool))
        save(tmp_path / "clean" / f"P{i}.png", skin_photo(i))
    if spoil == "duplicate":
        save(photos / "P5.png", skin_photo(4))
        (photos / "P1.png").rename(photos / "P1.jpg")  # the same pixels and bytes, under names that say otherwise
        (photos / "P1.jpg").write_bytes((photos / "P0.png").read_bytes())
    elif spoil == "broken photo":
        (photos / "P3.png").write_bytes(b"no photo")
    elif spoil == "broken skin":
        (skin / "P3_hand.png").write_bytes(b"no mask")
    elif spoil == "sideways":
        exif = Image.Exif()
        exif[0x0112] = 6  # turn by 90 degrees clockwise to show
        Image.fromarray(np.ascontiguousarray(np.rot90(skin_photo(2)))).save(photos / "P2.png", exif=exif)
    made = prepare(workspace, photos, masks, skin, tmp_path / "clean", skip_broken=True, **SMALL)
    left = {"nothing": 6, "duplicate": 4, "sideways": 6}.get(spoil, 5)
    for images in (ImageSet.load(one.images.folder) for one in made):  # compares each file with its hash
        assert len(set(images.groups)) == left
        for i, row in enumerate(images.index.itertuples()):
            window = np.s_[int(row.y) : int(row.y) + 16, int(row.x) : int(row.x) + 16]
            np.testing.assert_array_equal(images.images[i], skin_photo(int(row.group[1:]))[window])


def test_running_it_again_touches_nothing(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, masks = lay_down(tmp_path)
    made = prepare(workspace, photos, masks, **SMALL)
    monkeypatch.setattr(pixels, "decode_photo", None)  # no photo may be decoded
    again = prepare(workspace, photos, masks, **SMALL)
    assert [(p.images.name, p.made) for p in made + again] == [
        ("healthy", True), ("eczema", True), ("healthy", False), ("eczema", False)
    ]  # fmt: skip
    monkeypatch.undo()
    (workspace.existing("images", "eczema") / "masks.npy").write_bytes(b"")  # a damaged set is made again
    assert [p.made for p in prepare(workspace, photos, masks, **SMALL)] == [True, True]


def test_memory_does_not_grow_with_the_number_of_photos(tmp_path: Path) -> None:
    peaks, sizes = [], []
    for count in (6, 30):
        for i in range(count):
            save(tmp_path / f"{count}" / f"P{i}.png", skin_photo(i, 192, 256))
            save(tmp_path / f"{count}" / f"P{i}_mask.png", disc(192, 256, 90, 120, 30))
        place, workspace = tmp_path / f"{count}", Workspace.at(tmp_path / f"workspace {count}")
        tracemalloc.start()
        prepared = prepare(workspace, place, place, size=32, stride=8, threads=2)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        sizes.append(sum(p.images.images.nbytes for p in prepared))
    assert sizes[1] > 5 * peaks[1]
    assert peaks[1] - peaks[0] < 0.1 * (sizes[1] - sizes[0]), "an index grows, and more photos may be in flight"


@pytest.mark.parametrize(
    ("spoil", "options", "sentence"),
    [
        ("size", {}, r"masks.P3_segmentation\.png is 48x32, but its photo P3\.png is 48x64 \(height x width\): it"),
        ("values", {}, r"masks.P3_segmentation\.png has more than two values"),
        ("broken", {}, r"P3\.png cannot be read .*--skip-broken"),
        ("broken mask", {}, r"masks.P3_segmentation\.png cannot be read"),
        ("", {"size": 49}, r"P0\.png is 48x64 \(height x width\), smaller than a window of 49"),
        ("", {"coverage": (0.999, 1.0), "size": 48, "test": 2}, r"No 48x48 window .* too little lesion"),
        ("", {"test": 0.01}, r"leave one side empty"),
        ("", {"test": 6}, r"leave one side empty"),
        ("one side", {"test": 1}, r"'eczema' would have no image on its test side"),
        ("", {"metadata": Path("nowhere.csv")}, r"nowhere\.csv does not exist: give a CSV file"),
        (
            "no partner",
            {},
            r"None of the 6 photos in .* has all its masks \(the first photo is P0\.png, the first "
            r"lesion mask Q1\.png\): a mask has its photo's name, .* or --mask-pattern says what both names share "
            r"\(perhaps --mask-pattern '\(\\d\+\)', which finds masks of 1\)\.$",
        ),
        (
            "no partner",
            {"mask_pattern": r"(\d+)_"},
            r"lesion mask Q1\.png\): --mask-pattern '\(\\d\+\)_' must find the "
            r"same part in the names of both \(perhaps --mask-pattern '\(\\d\+\)', which finds masks of 1\)\.$",
        ),
    ],
)
def test_errors_are_sentences_and_existing_sets_stay(
    tmp_path: Path, workspace: Workspace, spoil: str, options: dict[str, object], sentence: str
) -> None:
    photos, masks = lay_down(tmp_path)
    prepare(workspace, photos, masks, **SMALL)
    before = {p: p.read_bytes() for p in workspace.root.rglob("*") if p.is_file()}
    third = masks / "P3_segmentation.png"
    if spoil == "size":
        save(third, disc(48, 32))
    elif spoil == "values":
        save(third, skin_photo(0)[..., 0])
    elif spoil == "broken":
        (photos / "P3.png").write_bytes((photos / "P3.png").read_bytes()[:500])
    elif spoil == "broken mask":
        third.write_bytes(b"no mask")
    elif spoil == "one side":  # whichever photo is set aside, only P3 has lesions
        for i in set(range(6)) - {3}:
            save(masks / f"P{i}_segmentation.png", np.zeros((48, 64), bool))
        options = {**options, "seed": 1}
    elif spoil == "no partner":
        masks = tmp_path / "elsewhere"
        save(masks / "Q1.png", disc())
    arguments = {**SMALL, "stride": 4, **options}
    with pytest.raises(ImageSetError, match=sentence):
        prepare(workspace, photos, masks, **arguments)  # type: ignore[arg-type]
    assert {p: p.read_bytes() for p in workspace.root.rglob("*") if p.is_file()} == before


def test_the_split_counts_the_photos_that_can_be_read(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    for name in ("P1", "P3", "P4"):
        (photos / f"{name}.png").write_bytes((photos / f"{name}.png").read_bytes()[:500])
    for seed in range(6):
        index = prepare(workspace, photos, masks, skip_broken=True, seed=seed, **SMALL)[0].images.index
        assert index.groupby("split")["group"].nunique().to_dict() == {"test": 1, "train": 2}
    for name in ("P0", "P2", "P5"):
        (photos / f"{name}.png").write_bytes(name.encode())
    with pytest.raises(
        ImageSetError, match=r"None of the 6 photos can be used: they cannot be read \(6, first P0\.png\)"
    ):
        prepare(workspace, photos, masks, skip_broken=True, **SMALL)


def test_where_no_photo_can_be_used_each_reason_is_counted(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path, 3)
    soften(masks / "P0_segmentation.png")
    soften(masks / "P2_segmentation.png")
    save(masks / "P1_segmentation.png", disc(32, 32))
    reasons = (
        r"^None of the 3 photos can be used: the mask has more than two values \(--mask-threshold reads it\) "
        r"\(2, first P0_segmentation\.png\); photo and mask differ in size \(1, first P1_segmentation\.png\)\.$"
    )
    with pytest.raises(ImageSetError, match=reasons):
        prepare(workspace, photos, masks, skip_broken=True, **SMALL)


@pytest.mark.parametrize("name", ["P3.png", "P3_segmentation.png"])
def test_broken_files_are_skipped_and_counted_on_request(tmp_path: Path, workspace: Workspace, name: str) -> None:
    photos, masks = lay_down(tmp_path)
    folder = masks if "seg" in name else photos
    (folder / name).write_bytes((folder / name).read_bytes()[:60])
    healthy, eczema = prepare(workspace, photos, masks, skip_broken=True, **SMALL)
    assert "P3" not in set(healthy.images.index["group"])
    assert f"Skipped, because they cannot be read (1): {name}." in eczema.notes


# ------------------------------------------------------------------------------------------------ all kinds of masks


def soften(path: Path) -> None:
    Image.open(path).resize((128, 96), Image.Resampling.BICUBIC).resize((64, 48), Image.Resampling.BICUBIC).save(path)


def lesions_in(prepared: Prepared) -> NDArray[np.bool_]:
    """Whether each pixel of the patches is dark, as the lesions of `marked` are."""
    return np.asarray(prepared.images.images[..., 1] < 60)


def marked(folder: Path, count: int = 4) -> tuple[Path, Path]:
    """Photos whose lesions are dark, and their masks."""
    photos, masks = lay_down(folder, count)
    for i in range(count):
        photo = skin_photo(i)
        photo[disc(y=16 + i, x=20 + 3 * i)] = (90, 40, 40)
        save(photos / f"P{i}.png", photo)
    return photos, masks


def test_whatever_is_unfit_is_left_out_and_counted_by_reason(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path, 8)
    soften(masks / "P1_segmentation.png")
    save(masks / "P2_segmentation.png", disc(32, 32))
    (photos / "P3.png").write_bytes(b"no photo")
    save(photos / "P4.png", skin_photo(4, 12, 12))
    (photos / "IMG_9.dng").write_bytes(b"raw")
    eczema = prepare(workspace, photos, masks, skip_broken=True, **SMALL)[1]
    left_out = eczema.images.manifest["left_out"]
    assert (left_out["soft"], left_out["other_size"]) == (["P1_segmentation.png"], ["P2_segmentation.png"])
    assert (left_out["broken"], left_out["too_small"]) == (["P3.png"], ["P4.png"])
    assert eczema.images.manifest["not_read"] == {".dng": 1, ".png": 1}
    assert set(eczema.images.groups) == {"P0", "P5", "P6", "P7"}
    assert sum(note.startswith("Skipped, because") for note in eczema.notes) == 4
    assert any(note.startswith("Not read, though they look like images") and "1 .dng" in note for note in eczema.notes)


def test_soft_masks_are_read_by_a_threshold(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = marked(tmp_path)
    for mask in masks.iterdir():
        soften(mask)
    _, eczema = prepare(workspace, photos, masks, mask_threshold=128, **SMALL)
    assert (lesions_in(eczema) == (eczema.images.masks == 1)).mean() > 0.97


def test_inverted_masks_are_suspected_and_inverted_on_request(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = marked(tmp_path)
    for i, mask in enumerate(sorted(masks.iterdir())):
        save(mask, ~disc(y=16 + i, x=20 + 3 * i))
    note = "The lesion masks of nearly all photos cover the rim, so they are probably inverted"
    assert note in " ".join(prepare(workspace, photos, masks, **SMALL)[-1].notes)
    healthy, eczema = prepare(workspace, photos, masks, invert_masks=True, **SMALL)
    assert note not in " ".join(eczema.notes)
    assert not lesions_in(healthy).any()
    np.testing.assert_array_equal(lesions_in(eczema), eczema.images.masks == 1)


def test_inverted_masks_are_suspected_where_a_side_of_the_split_is_empty(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = marked(tmp_path)
    for i, mask in enumerate(sorted(masks.iterdir())):
        inverted = ~disc(y=16 + i, x=20 + 3 * i)
        inverted[2:46, 2:62] &= i > 0  # only the first photo has windows without lesion
        save(mask, inverted)
    with pytest.raises(ImageSetError, match=r"would have no image on its .* probably inverted \(--invert-masks\)\.$"):
        prepare(workspace, photos, masks, size=40, stride=4)


@pytest.mark.parametrize("kind", ["jpg", "tiff"])
@pytest.mark.parametrize("orientation", [3, 6])
def test_masks_drawn_on_unturned_photos_are_reported_and_turned_on_request(
    tmp_path: Path, workspace: Workspace, orientation: int, kind: str
) -> None:
    photos, masks = marked(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for path in sorted(photos.iterdir()):
        image = Image.open(path)
        image.save(
            path.with_suffix(f".{kind}"), exif=exif, **({"quality": 95, "subsampling": 0} if kind == "jpg" else {})
        )
        path.unlink()
    if orientation == 6:
        with pytest.raises(ImageSetError, match=r"is 48x64, but its photo .* is 64x48 \(.* give --unturned-masks"):
            prepare(workspace, photos, masks, **SMALL)
        reason = (
            r"the mask fits the photo before EXIF turns it \(--unturned-masks reads it\) \(4, first P0_segm.*\.png\)\.$"
        )
        with pytest.raises(ImageSetError, match=reason):
            prepare(workspace, photos, masks, skip_broken=True, **SMALL)
    else:
        assert "Turned by their EXIF orientation, unlike their masks" in " ".join(
            prepare(workspace, photos, masks, **SMALL)[-1].notes
        )
    healthy, eczema = prepare(workspace, photos, masks, unturned_masks=True, **SMALL)
    assert "Turned by their EXIF" not in " ".join(eczema.notes)
    assert lesions_in(healthy).mean() < 0.001
    assert (lesions_in(eczema) == (eczema.images.masks == 1)).mean() > 0.99


def test_a_pattern_names_the_masks(tmp_path: Path, workspace: Workspace) -> None:
    """As DRIVE's 21_training.tif and 21_manual1.gif, or CHASEDB1's Image_01L.jpg and Image_01L_1stHO.png."""
    photos, masks = marked(tmp_path)
    for i in range(4):
        (photos / f"P{i}.png").rename(photos / f"2{i}_training.png")
        Image.open(masks / f"P{i}_segmentation.png").save(masks / f"2{i}_manual1.gif")
        (masks / f"P{i}_segmentation.png").unlink()
    with pytest.raises(ImageSetError, match=r"None of the 4 photos .*'\(\\d\+\)', which finds masks of 4\)"):
        prepare(workspace, photos, masks, **SMALL)
    _, eczema = prepare(workspace, photos, masks, mask_pattern=r"^(\d+)_", **SMALL)
    np.testing.assert_array_equal(lesions_in(eczema), eczema.images.masks == 1)
    one = tmp_path / "one"
    one.mkdir()
    for i in range(4):  # in one folder, with the whole name of the photo
        (photos / f"2{i}_training.png").rename(one / f"I_{i}L.png")
        (masks / f"2{i}_manual1.gif").rename(one / f"I_{i}L_1stHO.gif")
    _, eczema = prepare(workspace, one, one, mask_pattern=r"(.+)_1stHO", **SMALL)
    np.testing.assert_array_equal(lesions_in(eczema), eczema.images.masks == 1)
    with pytest.raises(ImageSetError, match=r"--mask-pattern '\(' is not a regular expression"):
        prepare(workspace, one, one, mask_pattern="(", **SMALL)


def test_a_set_made_from_other_photos_is_replaced_on_request_alone(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path)
    prepare(workspace, photos, masks, **SMALL)
    before = {p: p.read_bytes() for p in workspace.root.rglob("*") if p.is_file()}
    save(photos / "P0.png", skin_photo(99))
    with pytest.raises(ImageSetError, match=r"The image set 'healthy' exists .* replace it with --overwrite"):
        prepare(workspace, photos, masks, overwrite=False, **SMALL)
    assert {p: p.read_bytes() for p in workspace.root.rglob("*") if p.is_file()} == before
    assert all(one.made for one in prepare(workspace, photos, masks, **SMALL))


def test_patches_keep_the_traits_of_the_photos_files_at_their_own_size(tmp_path: Path, workspace: Workspace) -> None:
    photos, masks = lay_down(tmp_path, 6)
    made = prepare_patches(workspace, PatchOptions(photos=[photos], lesion_masks=[masks], size=16, stride=8, threads=1))
    for one in made:
        traits = one.images.manifest["traits"]
        assert (traits["format"], traits["bits"], traits["width"], traits["height"]) == ({"PNG": 6}, {"8": 6}, 16, 16)
