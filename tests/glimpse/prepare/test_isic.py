"""ISIC: both namings, folders and zips, any label; a lesion is never on both sides."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse.imageset import ImageSetError
from glimpse.prepare.isic import LABELS, IsicOptions, prepare_isic
from glimpse.prepare.pipeline import Prepared
from glimpse.prepare.reading import tables
from glimpse.prepare.skin.hair import hairiness
from glimpse.workspace import Workspace
from tests.glimpse.prepare.photos import save, skin_photo

# image → label, lesion: one lesion with three photos, one with two
PHOTOS = {
    f"ISIC_{i:07}": (("DF" if i < 9 else "MEL"), lesion) for i, lesion in enumerate("aaabbcdefghijkl")
}  # fmt: skip


def prepare(workspace: Workspace, source: list[Path], label: list[str], **options: Any) -> list[Prepared]:
    return prepare_isic(workspace, IsicOptions(source=source, label=label, **{"overwrite": True, **options}))


def write_csv(path: Path, header: list[str], rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def ham10000(folder: Path) -> Path:
    """As HAM10000 comes: photos in one folder, one table."""
    for i, name in enumerate(PHOTOS):
        save(folder / "HAM10000_images" / f"{name}.jpg", skin_photo(i))
    rows: list[list[object]] = [[lesion, name, label.lower()] for name, (label, lesion) in PHOTOS.items()]
    write_csv(folder / "HAM10000_metadata.csv", ["lesion_id", "image_id", "dx"], rows)
    return folder


def challenge(folder: Path, *, groupings: bool = True) -> Path:
    """As the ISIC 2018 challenge comes: zips, one with the photos, one with the table."""
    photos = ham10000(folder / "other") / "HAM10000_images"
    with zipfile.ZipFile(folder / "ISIC2018_Task3_Training_Input.zip", "w") as archive:
        for photo in photos.iterdir():
            archive.write(photo, f"ISIC2018_Task3_Training_Input/{photo.name}")
        archive.writestr("ISIC2018_Task3_Training_Input/LICENSE.txt", "CC BY-NC 4.0")
    rows: list[list[object]] = [[name, *(float(of == label) for of in LABELS)] for name, (label, _) in PHOTOS.items()]
    truth = folder / "other" / "ISIC2018_Task3_Training_GroundTruth.csv"
    write_csv(truth, ["image", *LABELS], rows)
    with zipfile.ZipFile(folder / "ISIC2018_Task3_Training_GroundTruth.zip", "w") as archive:
        archive.write(truth, f"ISIC2018_Task3_Training_GroundTruth/{truth.name}")
    if groupings:
        lesions: list[list[object]] = [[name, lesion, "histopathology"] for name, (_, lesion) in PHOTOS.items()]
        header = ["image", "lesion_id", "diagnosis_confirm_type"]
        write_csv(folder / "ISIC2018_Task3_Training_LesionGroupings.csv", header, lesions)
    # The test photos of the challenge, which people keep in the same folder, do not count.
    write_csv(folder / "ISIC2018_Task3_Test_GroundTruth.csv", ["image", *LABELS], [["ISIC_9999999", *[0] * 5, 1, 0]])
    for left in sorted((folder / "other").rglob("*"), reverse=True):
        left.unlink() if left.is_file() else left.rmdir()
    return folder


@pytest.mark.parametrize("layout", [ham10000, challenge])
def test_both_namings_give_the_same_sets_split_by_lesion(tmp_path: Path, workspace: Workspace, layout: object) -> None:
    source = layout(tmp_path / "source")  # type: ignore[operator]
    df, mel = (p.images for p in prepare(workspace, [source], ["DF", "mel"], size=32, test=0.4))
    assert (df.name, len(df), mel.name, len(mel)) == ("df", 9, "mel", 6)
    assert df.images.shape == (9, 32, 32, 3)
    assert df.index["image_id"].tolist() == sorted(name for name, (label, _) in PHOTOS.items() if label == "DF")
    assert df.index["group"].tolist() == list("aaabbcdef")
    assert df.index.groupby("group")["split"].nunique().max() == 1
    assert set(df.index["split"]) == {"train", "test"}
    assert set(df.index["label"]) == {"DF"}
    assert "missing" not in df.manifest["left_out"]  # the test photos' table does not count


def test_where_no_table_names_the_lesions_the_split_says_that_it_may_leak(tmp_path: Path, workspace: Workspace) -> None:
    (df,) = prepare(workspace, [challenge(tmp_path, groupings=False)], ["DF"], size=32)
    assert df.images.index["group"].tolist() == df.images.index["image_id"].tolist()
    assert any("the split is by photo and may leak" in note for note in df.notes)
    assert any("ISIC2018_Task3_Training_LesionGroupings.csv" in note for note in df.notes)


def test_the_whole_photo_is_squeezed_or_its_square_is_cut(tmp_path: Path, workspace: Workspace) -> None:
    photo = skin_photo(0)
    photo[:, :8] = photo[:, -8:] = (255, 0, 0)  # what the centred square leaves out
    source = ham10000(tmp_path)
    save(source / "HAM10000_images" / "ISIC_0000008.jpg", photo)
    (whole,) = prepare(workspace, [source], ["DF"], size=48, name="whole")
    (square,) = prepare(workspace, [source], ["DF"], size=48, name="square", crop_square=True)
    red = [
        int((s.images.images[8, ..., 0].astype(int) - s.images.images[8, ..., 2] > 150).sum()) for s in (whole, square)
    ]
    assert red[0] > 400
    assert red[1] == 0


def test_running_it_again_keeps_the_set_until_something_changes(tmp_path: Path, workspace: Workspace) -> None:
    source = ham10000(tmp_path)
    (first,) = prepare(workspace, [source], ["DF"], size=32)
    (again,) = prepare(workspace, [source], ["DF"], size=32)
    assert (first.made, again.made) == (True, False)
    (sixteen,) = prepare(workspace, [source], ["DF"], size=16)
    assert sixteen.made
    save(source / "HAM10000_images" / "ISIC_0000000.jpg", skin_photo(99))
    (changed,) = prepare(workspace, [source], ["DF"], size=16)
    assert changed.made


def test_the_same_photos_and_options_give_the_same_bytes(tmp_path: Path, workspace: Workspace) -> None:
    source = ham10000(tmp_path / "source")
    folders = []
    for threads in (1, 3):
        elsewhere = Workspace.at(tmp_path / f"workspace{threads}")
        prepare(elsewhere, [source], ["DF"], size=32, threads=threads, licence="CC BY-NC 4.0")
        folders.append(elsewhere.existing("images", "df"))
    names = sorted(path.name for path in folders[0].iterdir())
    assert names == ["images.npy", "index.csv", "manifest.json", "preview.png"]
    for name in names:
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_exact_duplicates_are_dropped_and_look_alikes_reported(tmp_path: Path, workspace: Workspace) -> None:
    source = ham10000(tmp_path)
    photos = source / "HAM10000_images"
    (photos / "ISIC_0000007.jpg").write_bytes((photos / "ISIC_0000006.jpg").read_bytes())
    alike = skin_photo(3)
    for i in range(9):  # all of one kind, so that some stand on either side
        save(photos / f"ISIC_000000{i}.jpg", alike + np.uint8(i)) if i not in (6, 7) else None
    (df,) = prepare(workspace, [source], ["DF"], size=32, test=0.4)
    assert len(df.images) == 8
    duplicate = next(note for note in df.notes if "Exact duplicates" in note)
    assert "HAM10000_images/ISIC_0000007.jpg (same as HAM10000_images/ISIC_0000006.jpg)" in duplicate
    assert any("A training and a test photo look alike" in note for note in df.notes)
    assert df.images.manifest["near_duplicates_across_the_split"]


def test_kaggles_download_is_read_though_it_holds_everything_twice(
    tmp_path: Path, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = ham10000(tmp_path)
    shutil.copytree(source / "HAM10000_images", source / "ham10000_images")
    pixels = source / "hmnist_28_28_RGB.csv"
    write_csv(pixels, [f"pixel{i:04}" for i in range(2352)] + ["label"], [[0] * 2353])
    read_table = tables.read_table
    monkeypatch.setattr(
        tables, "read_table", lambda file, *more: read_table(file, *more) if file.place != pixels else 1 / 0
    )
    df, mel = prepare(workspace, [source], ["DF", "MEL"], size=32)
    assert (len(df.images), len(mel.images)) == (9, 6)
    assert len(df.images.manifest["left_out"]["duplicates"]) == 9
    assert df.images.manifest["left_out"]["duplicates"][0] == [
        "ham10000_images/ISIC_0000000.jpg", "HAM10000_images/ISIC_0000000.jpg"
    ]  # fmt: skip
    one, other = challenge(tmp_path / "one"), challenge(tmp_path / "two")
    (df,) = prepare(workspace, [one, other], ["DF"], size=24)  # one zip in two places: which, says the message
    assert "Input.zip (same as ISIC2018_Task3" in next(note for note in df.notes if "Exact duplicates" in note)
    save(source / "ham10000_images" / "ISIC_0000003.jpg", skin_photo(99))
    with pytest.raises(ImageSetError, match=r"ISIC_0000003\.jpg have the same name without ending: rename or remove"):
        prepare(workspace, [source], ["DF"], size=32)


def test_broken_photos_are_named_or_skipped_and_counted(tmp_path: Path, workspace: Workspace) -> None:
    source = ham10000(tmp_path)
    broken = source / "HAM10000_images" / "ISIC_0000004.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    with pytest.raises(ImageSetError, match=r"ISIC_0000004\.jpg cannot be read"):
        prepare(workspace, [source], ["DF"], size=32)
    assert workspace.names("images") == []
    (df,) = prepare(workspace, [source], ["DF"], size=32, skip_broken=True)
    assert len(df.images) == 8
    assert any(note.startswith("Skipped, because they cannot be read (1): ") for note in df.notes)


def test_all_lesions_can_stay_for_training(tmp_path: Path, workspace: Workspace) -> None:
    (df,) = prepare(workspace, [ham10000(tmp_path)], ["DF"], size=32, test=0)
    assert set(df.images.index["split"]) == {"train"}


def test_photos_of_the_table_that_are_not_there_are_listed(tmp_path: Path, workspace: Workspace) -> None:
    source = ham10000(tmp_path)
    (source / "HAM10000_images" / "ISIC_0000005.jpg").unlink()
    (df,) = prepare(workspace, [source], ["DF"], size=32)
    assert df.images.manifest["left_out"]["missing"] == ["ISIC_0000005"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"label": ["MELL"]},
            r"MELL is not among the labels in HAM10.*: did you mean 'MEL'\? .* DF \(9\), MEL \(6\)",
        ),
        ({"label": ["VASC"]}, r"None of the 15 photos is labelled VASC: they are labelled DF \(9\), MEL \(6\)"),
        ({"size": 64}, r"ISIC_0000000\.jpg gives 48x64 pixels, fewer than 64x64"),
        ({"test": 0.01}, r"leave one side empty"),
    ],
)
def test_errors_are_sentences(tmp_path: Path, workspace: Workspace, options: dict[str, object], sentence: str) -> None:
    arguments = {"label": ["DF"], "size": 32, **options}
    with pytest.raises(ImageSetError, match=sentence):
        prepare(workspace, [ham10000(tmp_path)], **arguments)  # type: ignore[arg-type]
    assert workspace.names("images") == []


def test_a_folder_without_a_table_of_diagnoses_is_refused(tmp_path: Path, workspace: Workspace) -> None:
    (ham10000(tmp_path) / "HAM10000_metadata.csv").unlink()
    with pytest.raises(ImageSetError, match=r"No table of diagnoses found: put HAM10000_metadata\.csv or"):
        prepare(workspace, [tmp_path], ["DF"])
    write_csv(tmp_path / "truth.csv", ["image", *LABELS], [["ISIC_0000000", "maybe", *[0] * 6]])
    with pytest.raises(ImageSetError, match=r"truth\.csv: ISIC_0000000 has under \w+ 'maybe': write 1 or 0"):
        prepare(workspace, [tmp_path], ["DF"])


def test_photos_that_the_tables_give_no_lesion_are_listed(tmp_path: Path, workspace: Workspace) -> None:
    source = challenge(tmp_path)
    header, *rows = (source / "ISIC2018_Task3_Training_LesionGroupings.csv").read_text().splitlines()
    known = [row for row in rows if "ISIC_0000002" not in row]
    (source / "ISIC2018_Task3_Training_LesionGroupings.csv").write_text("\n".join([header, *known]))
    (df,) = prepare(workspace, [source], ["DF"], size=32)
    assert df.images.manifest["left_out"]["ungrouped"] == ["ISIC_0000002"]
    known = [row for row in rows if row < "ISIC_0000009"]  # those of DF; none of MEL
    (source / "ISIC2018_Task3_Training_LesionGroupings.csv").write_text("\n".join([header, *known]))
    (mel,) = prepare(workspace, [source], ["MEL"], size=32)
    assert any("the split is by photo and may leak" in note for note in mel.notes)


# ------------------------------------------------------------------------------------------------ other tables


def photos(folder: Path, *names: str) -> Path:
    for i, name in enumerate(names):
        save(folder / f"{name}.jpg", skin_photo(i))
    return folder


def labelled(workspace: Workspace, source: Path, label: str, **options: Any) -> list[str]:
    """The photos of a label."""
    (one,) = prepare(workspace, [source], [label], size=16, test=0, **options)
    return one.images.index["image_id"].tolist()


@pytest.mark.parametrize("blank", ["0", "", "nan"])
def test_a_row_that_marks_no_class_has_no_diagnosis(tmp_path: Path, workspace: Workspace, blank: str) -> None:
    """Such a photo was once labelled melanoma, the first of the columns."""
    names = [f"ISIC_{i:07}" for i in range(5)]
    rows = [[1, *"000000", "0"], [0, "1", *"00000", "0"], [blank] * 8, [*[blank] * 7, "1"], [1, 1, *"00000", "0"]]
    write_csv(
        tmp_path / "truth.csv", ["image", *LABELS, "XYZ"], [[n, *row] for n, row in zip(names, rows, strict=True)]
    )
    source = photos(tmp_path, *names)
    assert labelled(workspace, source, "MEL") == names[:1]
    (naevi,) = prepare(workspace, [source], ["NV"], size=16, test=0)
    assert naevi.images.manifest["left_out"]["undiagnosed"] == [f"{name}.jpg" for name in names[2:]]
    assert any(note.startswith("Without a diagnosis in the table, so in no set (3): ") for note in naevi.notes)


def test_a_table_by_name_holds_the_labels_alone(tmp_path: Path, workspace: Workspace) -> None:
    source = photos(tmp_path / "photos", "A", "B", "C", "D")
    write_csv(source / "metadata.csv", ["image_id", "dx"], [[name, "nv"] for name in "ABCD"])
    write_csv(tmp_path / "mine.csv", ["image_id", "dx", "lesion_id"], [["A", "psoriasis", 1], ["B", "scc", 2]])
    assert labelled(workspace, source, "psoriasis", labels_csv=tmp_path / "mine.csv") == ["A"]
    (scc,) = prepare(workspace, [source], ["SCC"], size=16, test=0, labels_csv=tmp_path / "mine.csv")
    assert scc.images.manifest["left_out"]["not_in_table"] == ["C.jpg", "D.jpg"]
    write_csv(source / "other.csv", ["image_id", "dx"], [["A", "mel"]])
    with pytest.raises(ImageSetError, match=r"other\.csv gives A the diagnosis MEL, but another .*: .* --labels-csv"):
        prepare(workspace, [source], ["NV"], size=16)


def test_a_table_that_is_not_one_of_diagnoses_is_named_with_its_columns(tmp_path: Path, workspace: Workspace) -> None:
    source = photos(tmp_path, "A", "B")
    write_csv(tmp_path / "list.csv", ["picture", "what"], [["A", "mel"]])
    with pytest.raises(ImageSetError, match=r"No table of diagnoses found: .* list\.csv has the columns picture, what"):
        prepare(workspace, [source], ["MEL"])


def test_a_table_that_would_do_under_its_name_is_advised_and_an_empty_one_is_named(
    tmp_path: Path, workspace: Workspace
) -> None:
    source = photos(tmp_path / "photos", "A", "B")
    write_csv(source / "list.csv", ["picture", "what"], [["A", "mel"]])
    write_csv(source / "metadata.csv", ["file_name", "label"], [["A.jpg", "psoriasis"]])
    with pytest.raises(ImageSetError) as error:
        prepare(workspace, [source], ["psoriasis"])
    assert str(error.value) == (
        "No table of diagnoses found, but metadata.csv may be one, with the columns file_name, label: name it with "
        f"--labels-csv {source / 'metadata.csv'}."
    )
    write_csv(source / "metadata.csv", ["image_id", "dx"], [])
    with pytest.raises(ImageSetError, match=r"^metadata\.csv has no rows: fill it, or name another table"):
        prepare(workspace, [source], ["psoriasis"])


def test_several_sets_of_one_label_live_side_by_side(tmp_path: Path, workspace: Workspace) -> None:
    ours = ham10000(tmp_path / "ours")
    prepare(workspace, [ours], ["DF", "MEL"], size=16)
    prepare(workspace, [ours], ["DF", "MEL"], size=24, name="large", overwrite=False)
    assert workspace.names("images") == ["df", "large-df", "large-mel", "mel"]
    with pytest.raises(ImageSetError, match=r"'df' exists and was made from other .* with --overwrite"):
        prepare(workspace, [ours], ["DF"], size=24, overwrite=False)
    assert prepare(workspace, [ours], ["DF"], size=16, overwrite=False)[0].made is False


def test_labels_without_latin_letters_are_numbered_behind_the_name(tmp_path: Path, workspace: Workspace) -> None:
    source = photos(tmp_path, *"ABCD")
    write_csv(tmp_path / "a.csv", ["image_id", "dx"], [["A", "痣"], ["B", "痣"], ["C", "Nävus"], ["D", "Navus"]])
    with pytest.raises(ImageSetError, match=r"^'痣' cannot be turned into a name: choose one with --name\.$"):
        prepare(workspace, [source], ["痣"], size=16, test=0)
    sets = prepare(workspace, [source], ["Nävus", "痣"], size=16, test=0, name="skin")
    assert {one.images.name: list(one.images.index["image_id"]) for one in sets} == {
        "skin-navus": ["C"], "skin-class-2": ["A", "B"],
    }  # fmt: skip
    with pytest.raises(ImageSetError, match=r"^The labels NÄVUS and NAVUS would both make the set 'navus': rename one"):
        prepare(workspace, [source], ["Nävus", "Navus"], size=16, test=0)


# ------------------------------------------------------------------------------------------------ hair


def hairy(seed: int, hairs: int) -> np.ndarray:
    photo = skin_photo(seed, 150, 200)
    rng = np.random.default_rng(seed)
    for _ in range(hairs):
        start, slope = rng.integers(20, 130), rng.uniform(-0.4, 0.4)
        columns = np.arange(10, 190)
        rows = (start + slope * (columns - 100)).astype(int).clip(0, 149)
        photo[rows, columns] = (60, 45, 40)
    return photo


def test_more_hair_is_more_hair_and_smooth_skin_has_none() -> None:
    scores = [hairiness(hairy(1, hairs)) for hairs in (0, 2, 8)]
    assert scores[0] == 0
    assert scores[0] < scores[1] < scores[2]


def test_a_dark_round_lesion_is_not_hair() -> None:
    photo = skin_photo(2, 150, 200)
    rows, columns = np.mgrid[:150, :200]
    photo[(rows - 70) ** 2 + (columns - 90) ** 2 < 40**2] = (70, 40, 35)
    assert hairiness(photo) == 0


def test_the_hairiest_share_is_set_aside_and_listed(tmp_path: Path, workspace: Workspace) -> None:
    source = ham10000(tmp_path)
    for i in range(9):
        save(source / "HAM10000_images" / f"ISIC_000000{i}.jpg", hairy(i, 9 if i in (2, 5) else 0))
    (df,) = prepare(workspace, [source], ["DF"], size=32, drop_hairy=0.25)
    assert df.images.manifest["left_out"]["hairy"] == [f"HAM10000_images/ISIC_000000{i}.jpg" for i in (2, 5)]
    assert len(df.images) == 7
    with pytest.raises(ImageSetError, match="1 photo in 1 group aside for testing would leave one side empty"):
        prepare(workspace, [source], ["DF"], size=32, drop_hairy=0.99)


# ------------------------------------------------------------------------------------------------ real photos


@pytest.mark.parametrize(("label", "count"), [("DF", 115), pytest.param("MEL", 1113, marks=pytest.mark.slow)])
def test_the_papers_counts_of_real_lesions(real_data: Path, workspace: Workspace, label: str, count: int) -> None:
    (prepared,) = prepare(workspace, [real_data / "ham10000"], [label], size=64)
    assert len(prepared.images) == count
    assert prepared.images.index.groupby("group")["split"].nunique().max() == 1


@pytest.mark.parametrize(("ending", "name", "meta"), [(".json", "isic_id", "metadata"), ("", "name", "meta")])
def test_the_archives_descriptions_of_single_images_are_read(
    tmp_path: Path, workspace: Workspace, ending: str, name: str, meta: str
) -> None:
    for i, (image, (label, lesion)) in enumerate(PHOTOS.items()):
        save(tmp_path / "Images" / f"{image}.jpg", skin_photo(i))
        word = {"DF": "dermatofibroma", "MEL": "Melanoma in situ"}[label]
        described = {name: image, meta: {"clinical": {"diagnosis": word, "lesion_id": lesion, "age_approx": 50}}}
        (tmp_path / "Descriptions").mkdir(exist_ok=True)
        (tmp_path / "Descriptions" / f"{image}{ending}").write_text(json.dumps(described), "utf-8")
    (tmp_path / "package.json").write_text("[]", "utf-8")
    df, mel = prepare(workspace, [tmp_path], ["DF", "MEL"], size=32)
    assert (len(df.images), len(mel.images)) == (9, 6)
    assert df.images.manifest["counts"]["groups"] == 6
