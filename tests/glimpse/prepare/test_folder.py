"""Folders of any images: one set, or one a class; and any image set or folder opened by one word."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gan_core.cli import main
from glimpse.imageset import ImageSet, ImageSetError
from glimpse.prepare import opening
from glimpse.prepare.folder import FolderOptions, prepare_folder
from glimpse.prepare.opening import open_alike
from glimpse.prepare.pipeline import Prepared
from glimpse.prepare.reading import pixels
from glimpse.workspace import Workspace
from tests.glimpse.prepare.photos import save, skin_photo


def prepare(workspace: Workspace, *source: Path, **options: Any) -> list[Prepared]:
    return prepare_folder(workspace, FolderOptions(source=source, threads=1, **{"overwrite": True, **options}))


def lay(folder: Path, count: int = 5, height: int = 24, width: int = 32, first: int = 0) -> Path:
    for i in range(first, first + count):
        save(folder / f"{i:03}.png", skin_photo(i, height, width))
    return folder


def test_a_folder_of_images_makes_a_set_of_its_name_and_size(tmp_path: Path, workspace: Workspace) -> None:
    (one,) = prepare(workspace, lay(tmp_path / "My photos"))
    assert (one.images.name, one.images.images.shape) == ("my-photos", (5, 24, 32, 3))
    assert np.array_equal(one.images.images[2], skin_photo(2, 24, 32))
    assert one.images.manifest["counts"]["test"] == 1
    assert one.images.manifest["options"]["size"] == "24x32", "height x width, as in --size and in every message"
    assert "may leak" in one.notes[0]
    assert not prepare(workspace, tmp_path / "My photos")[0].made


def test_icons_among_the_photos_are_reported_and_do_not_shrink_a_pair(tmp_path: Path, workspace: Workspace) -> None:
    folder = lay(tmp_path / "photos", 12)
    save(folder / "icon.png", skin_photo(50, 1, 1))
    (one,) = prepare(workspace, folder)
    assert any("1 of the 13 photos are less than half as large as the rest" in note for note in one.notes)
    with pytest.raises(ImageSetError, match=r"1 of the 13 images .* the smallest 1x1, and all.*--skip-broken"):
        open_alike(workspace, [str(folder)])
    assert len(open_alike(workspace, [str(folder)], (32, 24), skip_broken=True)[0]) == 12


def test_real_and_generated_images_side_by_side_are_no_set_but_classes_are(
    tmp_path: Path, workspace: Workspace
) -> None:
    for i in range(12):
        save(tmp_path / "mixed" / f"{i}_{'real' if i % 3 else 'fake'}.png", skin_photo(i, 24, 24))
        save(tmp_path / "apart" / f"{'ab'[i % 2]}" / f"{i}_{'real' if i % 2 else 'fake'}.png", skin_photo(i, 24, 24))
    with pytest.raises(
        ImageSetError, match=r"mixed holds .* \(4 fake, 8 real\): name one by a pattern, as .*\*fake\*'"
    ):
        prepare(workspace, tmp_path / "mixed")
    (one,) = prepare(workspace, tmp_path / "mixed" / "*_fake.png", name="fake")
    assert [len(one.images), *(len(each.images) for each in prepare(workspace, tmp_path / "apart"))] == [4, 6, 6]


def test_a_folder_for_each_photo_is_too_few_for_a_class(tmp_path: Path, workspace: Workspace) -> None:
    for i in range(6):
        lay(tmp_path / "people" / f"p{i}", 1, first=i)
    with pytest.raises(
        ImageSetError,
        match=r"^p0: Putting .* of 1 photo .* None of the 6 image sets was made or changed\. --name NAME makes one set "
        r"of all 6 folders\.$",
    ):
        prepare(workspace, tmp_path / "people")
    assert len(prepare(workspace, tmp_path / "people", name="people")[0].images) == 6


def test_a_folder_of_class_folders_makes_one_set_a_class_of_one_size(tmp_path: Path, workspace: Workspace) -> None:
    lay(tmp_path / "all" / "Basal cell", 4, 32, 32)
    lay(tmp_path / "all" / "naevi", 6, 40, 48, first=10)
    sets = {one.images.name: one.images for one in prepare(workspace, tmp_path / "all")}
    assert {name: images.images.shape for name, images in sets.items()} == {
        "basal-cell": (4, 32, 32, 3), "naevi": (6, 32, 32, 3),
    }  # fmt: skip
    assert set(sets["basal-cell"].index["label"]) == {"Basal cell"}
    (one,) = prepare(workspace, tmp_path / "all", name="together", label="skin")
    assert (len(one.images), set(one.images.index["label"])) == (10, {"skin"})


def test_classes_make_all_their_sets_or_none_and_the_class_at_fault_is_named(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in enumerate(("a", "b", "c")):
        lay(tmp_path / "all" / name, first=10 * number)
    before = [one.images.sha256 for one in prepare(workspace, tmp_path / "all")]
    (workspace.root / "images" / "b").rename(workspace.root / "images" / "kept-elsewhere")
    broken = tmp_path / "all" / "c" / "024.jpg"
    Image.fromarray(skin_photo(24, 24, 32)).save(broken)
    broken.with_suffix(".png").unlink()
    whole = broken.read_bytes()
    broken.write_bytes(whole[:-40])  # its header can be read
    with pytest.raises(ImageSetError, match=r"^c: .*024\.jpg cannot be read .* None of the 3 image sets was made"):
        prepare(workspace, tmp_path / "all", size=(16, 12))
    assert workspace.names("images") == ["a", "c", "kept-elsewhere"]
    there = [ImageSet.load(workspace.existing("images", name)) for name in ("a", "kept-elsewhere", "c")]
    assert [one.sha256 for one in there] == before
    assert not list((workspace.root / "images").glob(".*")), "nothing stands aside"
    broken.write_bytes(whole)
    assert [one.images.width for one in prepare(workspace, tmp_path / "all", size=(16, 12))] == [16, 16, 16]
    assert not list((workspace.root / "images").glob(".*"))
    lay(tmp_path / "all" / "d", count=1, first=50)
    monkeypatch.setattr(pixels, "read_photo", None)  # nothing is decoded before the split is known to be possible
    with pytest.raises(ImageSetError, match=r"^d: Putting 0\.2 .* of 1 photo in 1 group"):
        prepare(workspace, tmp_path / "all")


def test_classes_whose_sets_would_have_one_name_are_refused(tmp_path: Path, workspace: Workspace) -> None:
    lay(tmp_path / "all" / "a b", 2)
    lay(tmp_path / "all" / "A-b", 2, first=5)
    with pytest.raises(ImageSetError, match="both make the set 'a-b': rename one"):
        prepare(workspace, tmp_path / "all")


def test_several_places_make_one_set_only_under_a_name_that_is_given(tmp_path: Path, workspace: Workspace) -> None:
    real, fake = lay(tmp_path / "real"), lay(tmp_path / "fake", first=10)
    with pytest.raises(ImageSetError) as error:
        prepare(workspace, real, fake)
    assert str(error.value) == (
        f"The images in 2 sources ({real}, {fake}) would become one image set: name it with --name, or "
        "prepare each on its own."
    )
    (one,) = prepare(workspace, real, fake, name="all")
    assert (one.images.name, len(one.images)) == ("all", 10)


def test_several_zips_that_make_one_set_are_named(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "all").mkdir()
    for number, name in enumerate(("naevi", "scc")):
        folder = lay(tmp_path / name, first=10 * number)
        with zipfile.ZipFile(tmp_path / "all" / f"{name}.zip", "w") as archive:
            for path in folder.iterdir():
                archive.write(path, path.name)
    (one,) = prepare(workspace, tmp_path / "all")
    note = "Several zips make one set (naevi.zip, scc.zip): if they are classes, prepare each on its own."
    assert note in one.notes
    assert not any("zips" in note for note in prepare(workspace, tmp_path / "all" / "scc.zip")[0].notes)


def test_a_folder_goes_by_the_name_of_its_link(tmp_path: Path, workspace: Workspace) -> None:
    lay(tmp_path / "2024-05-01" / "photos")
    (tmp_path / "psoriasis").symlink_to(tmp_path / "2024-05-01" / "photos")
    (one,) = prepare(workspace, tmp_path / "psoriasis")
    assert (one.images.name, set(one.images.index["label"])) == ("psoriasis", {"psoriasis"})


def test_a_folder_without_a_latin_letter_in_its_name_is_opened(tmp_path: Path, workspace: Workspace) -> None:
    lay(tmp_path / "痣")
    (one,) = open_alike(workspace, [str(tmp_path / "痣")])
    assert (one.name, len(one)) == ("痣", 5)


def test_photos_of_one_name_in_several_folders_have_the_groups_of_their_paths(
    tmp_path: Path, workspace: Workspace
) -> None:
    for number, name in enumerate(("naevi", "scc")):
        lay(tmp_path / "all" / name, 4, first=0)
        save(tmp_path / "all" / name / "003.png", skin_photo(20 + number, 24, 32))
    table = tmp_path / "groups.csv"
    table.write_text(
        "file,group\n" + "".join(f"{c}\\{i:03}.png,{c}-{i // 2}\n" for c in ("naevi", "scc") for i in range(4))
    )
    for place in (tmp_path / "all", tmp_path / "all" / "scc"):
        scc = prepare(workspace, place, metadata=table)[-1].images
        assert dict(zip(scc.index["source"].str[-7:], scc.index["group"], strict=True)) == {
            "000.png": "scc-0", "001.png": "scc-0", "002.png": "scc-1", "003.png": "scc-1",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("folders", "sets"),
    [
        (("train", "test"), {"all": 2}),
        (("Training", "valid"), {"all": 2}),
        (("train", "val", "test"), {"all": 2}),
        (("train/a", "train/b", "test/a"), {"a": 2, "b": 0}),
        (("a/train", "a/test"), {"a": 2}),
        (("trainA", "trainB", "testA", "testB"), {"a": 2, "b": 2}),
    ],
)
def test_folders_called_train_and_test_split_the_photos(
    tmp_path: Path, workspace: Workspace, folders: tuple[str, ...], sets: dict[str, int]
) -> None:
    source = tmp_path / "all" / "a" / ".." if folders[0].startswith("a/") else tmp_path / "all"
    for number, folder in enumerate(folders):
        lay(tmp_path / "all" / folder, 2, 16, 16, first=2 * number)
    if folders[0].startswith("a/"):
        lay(tmp_path / "all" / "b" / "train", 2, 16, 16, first=10)
        sets = {**sets, "b": 0}
    made = prepare(workspace, source.resolve())
    assert {one.images.name: one.images.manifest["counts"]["test"] for one in made} == sets
    for one in made:
        held_out = one.images.index["source"].str.contains("test|valid" if "valid" in folders else "test")
        assert (held_out == (one.images.index["split"] == "test")).all()
    assert "split the photos" in " ".join(made[0].notes)


def test_a_class_without_photos_for_training_is_named_with_the_folder_to_fill(
    tmp_path: Path, workspace: Workspace
) -> None:
    for number, folder in enumerate(("train/a", "test/a", "test/b")):
        lay(tmp_path / "all" / folder, 2, 16, 16, first=2 * number)
    with pytest.raises(ImageSetError) as error:
        prepare(workspace, tmp_path / "all")
    assert str(error.value) == (
        "b: The image set 'b' would have no image on its train side (2 in all): put photos of it into the folder for "
        "training, or leave it out. None of the 2 image sets was made or changed."
    )


def test_what_contradicts_folders_called_train_and_test_is_refused(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, folder in enumerate(("train", "test")):
        lay(tmp_path / "all" / folder, 2, 16, 16, first=2 * number)
    assert main(["prepare", "folder", str(tmp_path / "all"), "--test-share", "0.5"]) == 2
    assert "leave out --test-share" in capsys.readouterr().err
    with pytest.raises(ImageSetError, match="Group '00' has photos in the folders for training and for testing"):
        prepare(workspace, tmp_path / "all", group_pattern=r"(00)\d$")


def test_classes_of_any_script_make_sets_and_what_is_said_is_said_once(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(tmp_path / "all" / "naevi", 3, 16, 16)
    lay(tmp_path / "all" / "меланома", 3, 16, 16, first=3)
    (tmp_path / "all" / "raw.dng").write_bytes(b"raw")
    assert main(["prepare", "folder", str(tmp_path / "all")]) == 0
    said = capsys.readouterr().out
    assert said.count("Not read, though they look like images or archives (1): 1 .dng") == 1
    assert "Next: gan_core train naevi all-class-2" in said
    images = ImageSet.load(workspace.existing("images", "all-class-2"))
    assert set(images.index["label"]) == {"меланома"}


def test_a_set_of_several_folders_needs_a_name(tmp_path: Path, workspace: Workspace) -> None:
    """Classes within classes, or a stray photo beside the folders of classes, would merge classes silently."""
    for i, folder in enumerate(("naevi/common", "naevi/blue", "mel")):
        lay(tmp_path / "all" / folder, 3, 16, 16, first=3 * i)
    said = [note for one in prepare(workspace, tmp_path / "all") for note in one.notes if "make one set (" in note]
    assert len(said) == 1
    assert said[0].startswith("Several folders make one set (naevi/blue, naevi/common): if they are classes,")
    assert "--group-pattern '(.+)/' keeps its photos" in said[0]
    grouped = prepare(workspace, tmp_path / "all", group_pattern="(.+)/", test=0)
    assert {one.images.name: sorted(set(one.images.groups)) for one in grouped} == {
        "mel": ["mel"], "naevi": ["naevi/blue", "naevi/common"],
    }  # fmt: skip
    lay(tmp_path / "all", 1, 16, 16, first=9)
    (one,) = prepare(workspace, tmp_path / "all")
    assert any("one set (the outermost, mel, naevi/blue, ...):" in note for note in one.notes)


def test_groups_by_pattern_or_table_stay_on_one_side(tmp_path: Path, workspace: Workspace) -> None:
    for i in range(12):
        save(tmp_path / "photos" / f"p{i // 3}_{i}.png", skin_photo(i, 16, 16))
    table = tmp_path / "people.csv"
    table.write_text("file,who\n" + "".join(f"p{i // 3}_{i}.png,person {i // 3}\n" for i in range(12)), "utf-8")
    for given in ({"group_pattern": r"(p\d)_"}, {"metadata": table, "group_column": "who"}):
        (one,) = prepare(workspace, tmp_path / "photos", test=0.25, **given)
        assert one.images.index.groupby("group")["split"].nunique().tolist() == [1] * 4
        assert one.images.manifest["counts"]["test"] == 3
        assert one.notes == ()
    with pytest.raises(ImageSetError, match="give one of them"):
        prepare(workspace, tmp_path / "photos", group_pattern="p", metadata=table)
    with pytest.raises(ImageSetError, match=r"--group-pattern '\(Q\\d\)' finds nothing in p0_0\.png"):  # as typed
        prepare(workspace, tmp_path / "photos", group_pattern=r"(Q\d)")


@pytest.mark.parametrize(
    ("fit", "expected"),
    [("crop", [[10, 20]]), ("stretch", [[5, 25]]), ("pad", [[0, 0], [5, 25], [0, 0]])],
)
def test_a_wide_image_is_cropped_padded_or_stretched(
    tmp_path: Path, workspace: Workspace, fit: str, expected: list[list[int]]
) -> None:
    # Columns of 0, 10, 20, 30: the centre holds 10 and 20, halves average to 5 and 25.
    wide = np.repeat(np.repeat(np.array([[0, 10, 20, 30]], np.uint8), 2, 0)[..., None], 3, 2)
    save(tmp_path / "wide" / "a.png", wide)
    height = {"crop": 1, "stretch": 1, "pad": 3}[fit]
    size = (2, height) if fit != "crop" else (2, 2)
    (wide_set,) = open_alike(workspace, [str(tmp_path / "wide")], size, fit)  # type: ignore[arg-type]
    images = wide_set.images[0, ..., 0]
    assert images[: len(expected)].tolist() == (expected if fit != "crop" else [[10, 20]])


def test_nothing_is_enlarged_and_a_size_that_is_too_large_names_the_image(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(tmp_path / "photos")
    words = ["prepare", "folder", str(tmp_path / "photos")]
    assert main([*words, "--size", "24x33"]) == 2
    assert "000.png gives 23x32 pixels, fewer than 24x33 (height x width)" in capsys.readouterr().err
    assert workspace.names("images") == []
    assert main([*words, "--size", "16x20"]) == 0
    assert "5 images of 16x20 (height x width), " in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main([*words, "--size", "big"])
    assert "is not a size like 256 or 480x640 (height x width)" in capsys.readouterr().err


# ------------------------------------------------------------------------------------------ SET|FOLDER


def test_a_word_is_an_image_set_or_else_a_folder(tmp_path: Path, workspace: Workspace) -> None:
    folder = lay(tmp_path / "photos")
    prepare(workspace, folder, name="mine", size=(16, 12))
    assert open_alike(workspace, ["mine"])[0].images.shape == (5, 12, 16, 3)
    (opened,) = open_alike(workspace, [str(folder)])
    assert (opened.name, opened.images.shape, set(opened.index["split"])) == ("photos", (5, 24, 32, 3), {"train"})
    assert workspace.names("images") == ["mine"], "what is only opened is not listed"
    with pytest.raises(ImageSetError, match=r"nothing is neither an image set of .* \(there are: mine\) nor a folder"):
        open_alike(workspace, ["nothing"])


def test_a_set_and_folders_open_alike_at_the_size_that_none_is_enlarged_to(
    tmp_path: Path, workspace: Workspace
) -> None:
    prepare(workspace, lay(tmp_path / "real", 6, 48, 64), name="real", test=0.5)
    folder = lay(tmp_path / "generated", 4, 20, 20, first=10)
    real, generated = open_alike(workspace, ["real", str(folder)])
    assert (real.images.shape, generated.images.shape) == ((6, 20, 20, 3), (4, 20, 20, 3))
    assert real.index.equals(ImageSet.load(workspace.existing("images", "real")).index)
    again = open_alike(workspace, ["real", str(folder)])
    assert [one.sha256 for one in again] == [real.sha256, generated.sha256]


def test_what_was_opened_is_opened_again_by_changed_code(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(workspace, lay(tmp_path / "real", 6), name="real", test=0.5)
    words = ["real", str(lay(tmp_path / "generated", 4, first=10))]
    before = open_alike(workspace, words, (16, 12))
    monkeypatch.setattr(opening.pixels, "fitted", lambda *args: np.full((12, 16, 3), 7, np.uint8))
    assert [one.sha256 for one in open_alike(workspace, words, (16, 12))] == [one.sha256 for one in before]
    monkeypatch.setattr(opening, "_read_by", lambda: {"code": "changed"})
    assert all((one.images[:] == 7).all() for one in open_alike(workspace, words, (16, 12)))


def test_copies_in_an_opened_folder_stay_and_changed_files_are_read_again(tmp_path: Path, workspace: Workspace) -> None:
    folder = lay(tmp_path / "generated", 3)
    save(folder / "copy.png", skin_photo(0, 24, 32))
    (before,) = open_alike(workspace, [str(folder)])
    assert len(before) == 4
    save(folder / "copy.png", skin_photo(9, 24, 32))
    (after,) = open_alike(workspace, [str(folder)])
    assert np.array_equal(after.images[3], skin_photo(9, 24, 32))


def test_a_broken_image_in_a_folder_is_named_or_skipped(tmp_path: Path, workspace: Workspace) -> None:
    folder = lay(tmp_path / "generated", 3)
    (folder / "bad.png").write_bytes(b"no image")
    with pytest.raises(ImageSetError, match=r"bad\.png cannot be read"):
        open_alike(workspace, [str(folder)])
    assert len(open_alike(workspace, [str(folder)], skip_broken=True)[0]) == 3
    for path in folder.glob("0*.png"):
        path.unlink()
    with pytest.raises(ImageSetError, match=r"No photo of 1 can be read \(first: bad\.png\)\.$"):
        open_alike(workspace, [str(folder)], skip_broken=True)


def test_a_photo_that_exif_turns_counts_as_it_is_shown(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "photos").mkdir()
    exif = Image.Exif()
    exif[274] = 6
    for name in ("a.jpg", "b.png", "c.tif"):
        Image.fromarray(skin_photo(len(name), 24, 32)).save(tmp_path / "photos" / name, exif=exif)
    assert open_alike(workspace, [str(tmp_path / "photos")])[0].images.shape == (3, 32, 24, 3)
