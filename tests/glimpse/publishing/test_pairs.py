"""Stimulus sets of any two image sets or folders: the same steps for both, and every other difference reported."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from gan_core.cli import main
from glimpse.prepare.checks.traits import fine_detail, grey_middle, power_by_ring
from glimpse.stimuli import StimulusSet
from glimpse.workspace import Workspace
from tests.gan_core.tiny import make_set
from tests.glimpse.prepare.photos import skin_photo


def lay(folder: Path, count: int = 8, first: int = 0, size: tuple[int, int] = (32, 32), **how: object) -> str:
    """`count` different images of `size` (height, width), as PNG or as `suffix` says."""
    folder.mkdir(parents=True, exist_ok=True)
    suffix = how.pop("suffix", ".png")
    for i in range(first, first + count):
        Image.fromarray(skin_photo(i, *size)).save(folder / f"{i:03}{suffix}", **how)
    return str(folder)


def publish(real: str, *generated: str, more: tuple[str, ...] = ()) -> int:
    words = [word for one in generated for word in ("--generated", one)]
    return main(["publish", "--real", real, *words, "--name", "pair", "--count", "5", *more])


def published(workspace: Workspace) -> StimulusSet:
    return StimulusSet.load(workspace.existing("stimuli", "pair"))


def test_two_folders_make_a_stimulus_set_whose_pixels_are_the_files(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    real, generated = lay(tmp_path / "real"), lay(tmp_path / "fake", first=20)
    assert publish(real, generated) == 0
    shown = capsys.readouterr()
    assert shown.err == "", "nothing differs but the content"
    assert "study_app load pair" in shown.out
    stimuli = published(workspace)
    assert [len(stimuli.of(t, practice=p)) for t in ("real", "generated") for p in (False, True)] == [5, 2, 5, 2]
    for stimulus in stimuli.stimuli:
        number = int(stimulus.origin["image_id"])
        assert (stimulus.truth == "generated") == (number >= 20)
        assert stimulus.origin["image_set"] == ("fake" if number >= 20 else "real")
        assert np.array_equal(np.asarray(Image.open(stimuli.folder / stimulus.file)), skin_photo(number, 32, 32))
    assert publish(real, generated) == 0
    assert "already published" in capsys.readouterr().out
    assert workspace.names("images") == []


def test_a_set_of_the_workspace_and_a_folder_meet_at_one_size(tmp_path: Path, workspace: Workspace) -> None:
    make_set(workspace, "df", train=6, test=4, size=(48, 48))
    assert publish("df", lay(tmp_path / "fake")) == 0
    stimuli = published(workspace)
    assert (stimuli.height, stimuli.width) == (32, 32)
    assert sum(s.origin["split"] == "test" for s in stimuli.of("real")) == 4, "test images come first"
    assert publish("df", lay(tmp_path / "fake"), more=("--size", "16x24", "--overwrite")) == 0
    assert (published(workspace).height, published(workspace).width) == (16, 24)


def test_several_generators_share_the_class_evenly(tmp_path: Path, workspace: Workspace) -> None:
    real, one, other = lay(tmp_path / "real"), lay(tmp_path / "one", 4, 20), lay(tmp_path / "other", 4, 40)
    assert publish(real, one, other) == 0
    sources = [s.origin["image_set"] for s in published(workspace).stimuli if s.truth == "generated"]
    assert sorted(sources) == ["one"] * 4 + ["other"] * 3


def test_generators_in_folders_of_one_name_are_told_apart_by_their_paths(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    real = lay(tmp_path / "real")
    one, other = lay(tmp_path / "one" / "samples", 4, 20), lay(tmp_path / "other" / "samples", 4, 40)
    assert publish(real, one, other) == 0
    assert list(published(workspace).conditions()) == [f"pair {one}", f"pair {other}"]
    assert publish(real, one, f"{one}/") == 2
    assert f"{one}/ holds the same images as {one}: name each generator once" in capsys.readouterr().err


def test_patterns_take_both_sides_from_one_folder(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """As pytorch-CycleGAN-and-pix2pix writes its results."""
    for first, kind in enumerate(("real_A", "fake_B", "real_B")):
        lay(tmp_path / "images", first=20 * first, suffix=f"_{kind}.png")
    real, generated = (str(tmp_path / "images" / f"*_{kind}.png") for kind in ("real_B", "fake_B"))
    assert publish(real, generated) == 0
    for stimulus in published(workspace).stimuli:
        number = int(stimulus.origin["image_id"][:3])
        assert number // 20 == (2 if stimulus.truth == "real" else 1)
    assert publish(real, str(tmp_path / "images")) == 2
    assert (
        f"{tmp_path}/images holds images of several kinds, by their names (8 fake_B, 8 real_A, 8 real_B): name one by "
        f"a pattern, as in '{tmp_path}/images/**/*fake_B*'."
    ) in capsys.readouterr().err
    assert publish(real, generated.replace("B", "C")) == 2
    assert "*_fake_C.png is not a folder of images: check the name." in capsys.readouterr().err


def test_too_few_images_name_the_largest_count(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish(lay(tmp_path / "real", 8), lay(tmp_path / "fake", 6, 20)) == 2
    assert "the 6 generated images: use --count 4." in capsys.readouterr().err
    assert workspace.names("stimuli") == []


def test_exact_copies_are_refused_unless_allowed_and_near_copies_are_reported(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    real, generated = lay(tmp_path / "real", size=(64, 64)), lay(tmp_path / "fake", 6, 20, size=(64, 64))
    Image.fromarray(skin_photo(3, 64, 64)).save(tmp_path / "fake" / "stolen.bmp")
    assert publish(real, generated) == 2
    assert "exact copies of real ones (1): stolen.bmp is 003.png" in capsys.readouterr().err
    assert workspace.names("stimuli") == []
    assert publish(real, generated, more=("--allow-copies",)) == 0
    assert "stolen.bmp is 003.png" in capsys.readouterr().err
    near = skin_photo(3, 64, 64).astype(int) + 2
    Image.fromarray(near.clip(0, 255).astype(np.uint8)).save(tmp_path / "fake" / "stolen.bmp")
    assert publish(real, generated, more=("--overwrite",)) == 0
    found = "look like a real one (1): fake/stolen.bmp like 003.png. Looked for among all 7 generated images; 1 of them"
    assert found in capsys.readouterr().err


def test_near_copies_are_looked_for_beyond_the_images_that_are_shown(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, generated = lay(tmp_path / "real", size=(64, 64)), lay(tmp_path / "fake", 12, 20, size=(64, 64))
    assert publish(real, generated) == 0
    shown = {one.origin["image_id"] for one in published(workspace).of("generated")}
    unseen = min(f"{i:03}" for i in range(20, 32) if f"{i:03}" not in shown)
    near = np.clip(skin_photo(3, 64, 64).astype(int) + 2, 0, 255).astype(np.uint8)
    Image.fromarray(near).save(tmp_path / "fake" / f"{unseen}.png")
    practised = {one.origin["image_id"] for one in published(workspace).of("generated", practice=True)}
    assert publish(real, generated, more=("--overwrite",)) == 0
    places = f"{int(unseen in practised)} of them in the stimulus set"
    found = f"(1): fake/{unseen}.png like 003.png. Looked for among all 12 generated images; {places}"
    assert found in capsys.readouterr().err
    monkeypatch.setattr("glimpse.publishing.pairs.SOUGHT", 7)
    assert publish(real, generated, more=("--overwrite",)) == 0
    assert "look like a real one" not in capsys.readouterr().err, "only those of the set, which come first"


def test_repeats_and_unread_files_among_the_generated_are_reported(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    real, generated = lay(tmp_path / "real"), lay(tmp_path / "fake", 6, 20)
    Image.fromarray(skin_photo(20, 32, 32)).save(tmp_path / "fake" / "again.png")
    (tmp_path / "fake" / "0.jxl").write_bytes(b"\xff\x0a")
    assert publish(real, generated) == 0
    said = capsys.readouterr().err
    assert "fake: 1 of the 7 generated images repeats another one exactly" in said
    assert "fake: not read, though they look like images or archives: 1 .jxl" in said


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"suffix": ".jpg", "quality": 50}, "file format: PNG 100% (real), JPEG 100% (generated)"),
        ({"suffix": ".jpg", "quality": 50}, "or with --jpeg-quality 50 or less"),
        (
            {"size": (128, 128)},
            "original size: 64x64, shrunk 1.00 times (real), 128x128, shrunk 2.00 times (generated)",
        ),
        ({"size": (64, 80)}, "proportions (width to height): 1.00:1 (real), 1.25:1 (generated)"),
    ],
)
def test_a_difference_that_is_not_content_is_reported_with_numbers(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str], how: dict[str, object], sentence: str
) -> None:
    real, generated = (
        lay(tmp_path / "real", size=(64, 64)),
        lay(tmp_path / "fake", first=20, **{"size": (64, 64), **how}),
    )
    assert publish(real, generated) == 0
    assert sentence in capsys.readouterr().err
    warnings = published(workspace).made_from["warnings"]
    assert any(sentence in warning for warning in warnings)
    assert sum("--jpeg-quality" in warning for warning in warnings) == (how.get("suffix") == ".jpg"), "advised once"


def test_jpeg_history_inside_png_and_an_enlargement_are_found_on_the_pixels(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    real = lay(tmp_path / "real", size=(64, 64))
    lay(tmp_path / "lossy", first=20, size=(64, 64), suffix=".jpg", quality=50)
    (tmp_path / "png").mkdir()
    (tmp_path / "large").mkdir()
    for i in range(20, 28):
        Image.open(tmp_path / "lossy" / f"{i:03}.jpg").save(tmp_path / "png" / f"{i:03}.png")
        small = Image.fromarray(skin_photo(i, 32, 32))
        small.resize((64, 64), Image.Resampling.BICUBIC).save(tmp_path / "large" / f"{i:03}.png")
    assert publish(real, str(tmp_path / "png")) == 0
    told = capsys.readouterr().err
    assert "real and png differ in JPEG blocks" in told
    advised = re.search(r"or with --jpeg-quality (\d+) or less", told)
    assert advised
    assert int(advised[1]) <= 55, "no file states the quality of 50, but the blocks do"
    assert "file format" not in told
    assert publish(real, str(tmp_path / "large"), more=("--overwrite",)) == 0
    assert "fine detail: the generated images have" in capsys.readouterr().err


def drawn(number: int, side: int = 128) -> Image.Image:
    """Smooth shapes: above 0.7 of the highest frequency there is only the rounding to whole levels."""
    noise = np.random.default_rng(number).normal(140, 30, (side, side, 3)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1.2))


def enlarged(number: int, how: Image.Resampling = Image.Resampling.BICUBIC, by: float = 2) -> Image.Image:
    return drawn(number, round(128 / by)).resize((128, 128), how)


def noisy(number: int) -> Image.Image:
    levels = drawn(number) + np.random.default_rng(number + 1).normal(0, 3, (128, 128, 3))
    return Image.fromarray(levels.clip(0, 255).round().astype(np.uint8))


def compressed(number: int) -> Image.Image:
    buffer = io.BytesIO()
    drawn(number).save(buffer, "jpeg", quality=40)
    return Image.open(buffer)


LESS, MORE = (
    "fine detail: the generated images have T times less",
    "fine detail: the generated images have T times more",
)


@pytest.mark.parametrize(
    ("real", "generated", "sentences"),
    [
        (drawn, drawn, []),
        (drawn, enlarged, [LESS]),
        (enlarged, drawn, [MORE]),
        (drawn, partial(enlarged, how=Image.Resampling.BILINEAR, by=1.5), [LESS]),
        (drawn, noisy, [MORE]),
        (drawn, compressed, ["JPEG blocks"]),  # whose steps have power at all frequencies
        (compressed, drawn, ["JPEG blocks"]),
        (
            drawn,
            partial(enlarged, how=Image.Resampling.NEAREST),
            ["repeated pixels: 0% R the real 50% R the generated"],
        ),
        (
            partial(enlarged, how=Image.Resampling.NEAREST),
            drawn,
            ["repeated pixels: 50% R the real 0% R the generated"],
        ),
    ],
)
def test_smooth_images_are_said_to_be_enlarged_only_where_they_are(
    tmp_path: Path,
    workspace: Workspace,
    real: Callable[[int], Image.Image],
    generated: Callable[[int], Image.Image],
    sentences: list[str],
) -> None:
    for name, make, first in (("real", real, 0), ("fake", generated, 100)):
        (tmp_path / name).mkdir()
        for i in range(first, first + 8):
            make(i).save(tmp_path / name / f"{i}.png")
    assert publish(str(tmp_path / "real"), str(tmp_path / "fake")) == 0
    warnings = published(workspace).made_from["warnings"]
    found = [re.sub(r"[\d.]+ times", "T times", w.removeprefix("real and fake differ in ")) for w in warnings]
    repeated = re.compile(
        r"repeated pixels: (\d+%) of the rows .* of the real images .*, (\d+%) of those of the generated"
    )
    found = [repeated.sub(r"repeated pixels: \1 R the real \2 R the generated", sentence) for sentence in found]
    assert len(found) == len(sentences), found
    assert all(one.startswith(start) for one, start in zip(found, sentences, strict=True)), found


def test_fine_detail_of_real_photos_is_that_of_the_table(real_data: Path) -> None:
    """The row of docs/data.md: 100 photos of HAM10000, halved by area, and enlarged again."""
    with ZipFile(real_data / "ham10000" / "HAM10000_images_200x150.zip") as photos:
        names = sorted(name for name in photos.namelist() if name.endswith(".jpg"))[::20][:100]
        halves = [Image.open(io.BytesIO(photos.read(name))).convert("RGB").reduce(2) for name in names]

    def power(images: list[Image.Image]) -> NDArray[np.float64]:
        rings = [power_by_ring(grey_middle(np.asarray(image))) for image in images]
        return np.asarray(np.median([ring for ring in rings if ring is not None], axis=0))

    def again(by: float) -> list[Image.Image]:
        grown = [image.resize((round(100 * by), round(75 * by)), Image.Resampling.BICUBIC) for image in halves]
        return [image.crop((0, 0, 100, 75)) for image in grown]

    details = fine_detail(
        power(halves[::2]), power(halves[1::2]), power(again(1.25)), power(again(1.5)), power(again(2))
    )
    assert details is not None
    assert [round(d) for d in details] == [33, 42, 15, 9, 3]


def test_grey_images_beside_ones_in_colour_are_reported(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    """Grey pixels count, in RGB and after JPEG too; here in eight files of eight, then in two."""
    real = lay(tmp_path / "real", size=(64, 64), suffix=".jpg", quality=90)
    generated = lay(tmp_path / "fake", first=20, size=(64, 64), suffix=".jpg", quality=90)
    for n, told in ((8, "100%"), (2, "25%")):
        for path in sorted((tmp_path / "fake").iterdir())[:n]:
            grey = Image.fromarray(skin_photo(int(path.stem), 64, 64)).convert("L").convert("RGB")
            grey.save(path, quality=90)
        for path in sorted((tmp_path / "fake").iterdir())[n:]:
            Image.fromarray(skin_photo(int(path.stem), 64, 64)).save(path, quality=90)
        assert publish(real, generated, more=("--overwrite",)) == 0
        sentence = (
            f"real and fake differ in colour: 0% of the real images and {told} of the generated ones are grey. Use"
        )
        assert sentence in capsys.readouterr().err
    for path in (tmp_path / "real").iterdir():
        Image.open(path).convert("L").save(path)
    for path in (tmp_path / "fake").iterdir():
        Image.open(path).convert("L").save(path)
    assert publish(real, generated, more=("--overwrite",)) == 0
    assert "in colour" not in capsys.readouterr().err


def test_the_last_compression_is_the_same_for_both(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    real = lay(tmp_path / "real", suffix=".jpg", quality=95)
    assert publish(real, lay(tmp_path / "fake", first=20), more=("--jpeg-quality", "60")) == 0
    assert "file format" not in capsys.readouterr().err
    stimulus = published(workspace).of("generated")[0]
    pixels = np.asarray(Image.open(published(workspace).folder / stimulus.file))
    assert not np.array_equal(pixels, skin_photo(int(stimulus.origin["image_id"]), 32, 32))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--real", "a"], "a pair of image sets or folders"),
        (["--generated", "a"], "a pair of image sets or folders"),
        (["run", "--real", "a", "--generated", "b"], "a pair of image sets or folders"),
        (["--real", "a", "--generated", "b", "--truncation", "1"], "drawn from a run"),
        (["--real", "nowhere", "--generated", "b"], "nowhere is not a folder of images"),
    ],
)
def test_half_a_pair_or_a_wrong_word_is_refused(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main(["publish", *words]) == 2
    assert sentence in capsys.readouterr().err


def test_publishing_a_pair_loads_no_torch(tmp_path: Path, workspace: Workspace) -> None:
    words = ["publish", "--real", lay(tmp_path / "a"), "--generated", lay(tmp_path / "b", first=20), "--count", "5"]
    code = f"import sys; from gan_core.cli import main; main({json.dumps(words)}); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert workspace.names("stimuli") == ["b"]


def test_the_grid_of_jpeg_is_reported_and_off_grid_hides_it(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    lay(tmp_path / "photos", 60, size=(64, 64), suffix=".jpg", quality=60)
    for side, first, shift in (("kept", 0, 0), ("shifted", 30, 3)):
        (tmp_path / side).mkdir()
        for i in range(first, first + 30):
            photo = Image.open(tmp_path / "photos" / f"{i:03}.jpg")
            photo.crop((shift, shift, shift + 56, shift + 56)).save(tmp_path / side / f"{i:03}.png")
    words = ["--real", str(tmp_path / "kept"), "--generated", str(tmp_path / "shifted"), "--name", "pair"]
    assert main(["publish", *words, "--count", "28"]) == 0
    said = capsys.readouterr().err
    assert "the grid of 8 pixels tells real from generated images" in said
    assert "reaches AUC 1.00 (95 % interval 0.8" in said
    assert "1.5 times to 33x33 before the last compression, the grid reaches AUC 0." in said
    assert any("grid of 8" in warning for warning in published(workspace).made_from["warnings"])
    assert main(["publish", *words, "--count", "28", "--off-grid", "--overwrite"]) == 0
    assert capsys.readouterr().err == ""
    assert (published(workspace).height, published(workspace).width) == (33, 33)
    with pytest.raises(SystemExit):
        main(["publish", *words, "--off-grid", "pair"])
    assert "put names before this option" in capsys.readouterr().err


def test_warnings_name_a_folder_as_its_owner_wrote_it(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    real, generated = lay(tmp_path / "Real Hände"), lay(tmp_path / "genA", first=50, size=(64, 64))
    publish_args = ["publish", "--real", real, "--generated", generated, "--count", "2"]
    assert main([*publish_args, "--workspace", str(workspace.root)]) == 0
    assert "Real Hände and genA differ in original size" in " ".join(capsys.readouterr().err.split())
    assert workspace.names("stimuli") == ["gena"]


def test_what_opening_a_folder_left_out_or_may_show_wrongly_is_reported(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    real, generated = lay(tmp_path / "real"), lay(tmp_path / "fake", first=20)
    folder = tmp_path / "fake"
    Image.fromarray(skin_photo(5, 8, 8)).save(folder / "icon.png")
    twelve_bits = np.asarray(Image.fromarray(skin_photo(6, 32, 32)).convert("L")).astype(np.uint16) * 16
    Image.fromarray(twelve_bits).save(folder / "twelve.png")
    pages = [Image.fromarray(skin_photo(i, 32, 32)) for i in (50, 51)]
    pages[0].save(folder / "stack.tif", save_all=True, append_images=pages[1:])
    expected = [
        "fake: skipped, because they are smaller than the images of the set (1): icon.png.",
        "fake: nearly black, since their values fill less than an eighth of the range (--window LOW HIGH or --window "
        "auto spreads them) (1): twelve.png. `gan_core prepare folder` has this option: name its image set here.",
        "fake: only the first page of several is used (--page N takes another) (1): stack.tif. `gan_core prepare "
        "folder` has this option: name its image set here.",
    ]
    for _ in range(2):  # the second time the folder's images are cached
        assert publish(real, generated, more=("--size", "32", "--skip-broken")) == 0
        said = [line.removeprefix("warning: ") for line in capsys.readouterr().err.splitlines()]
        assert [line for line in said if line.startswith("fake: ")] == expected


def test_a_name_of_a_set_and_of_a_folder_means_the_set_with_a_warning(
    tmp_path: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_set(workspace, "df", train=6, test=4, size=(32, 32))
    generated = lay(tmp_path / "fake", first=20)
    lay(tmp_path / "df", first=40)
    monkeypatch.chdir(tmp_path)
    assert publish("df", generated) == 0
    warning = "warning: df: this is the image set of that name; write ./df for the folder."
    assert warning in capsys.readouterr().err.splitlines()
    monkeypatch.chdir(workspace.root / "images")  # the folder is the set
    assert publish("df", generated) == 0
    shown = capsys.readouterr()
    assert "already published" in shown.out
    assert warning not in shown.err.splitlines()
    monkeypatch.chdir(tmp_path)
    assert publish("./df", generated, more=("--overwrite",)) == 0
    assert warning not in capsys.readouterr().err.splitlines()
