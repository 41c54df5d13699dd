"""Translation of patches and of photos of any size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from gan_core.cli import main
from gan_core.experiments import Settings
from gan_core.networks import Translator, initialise
from gan_core.training.run import Run
from gan_core.translating import LoadedTranslator, random_masks, translate
from glimpse.images import shrink, shrink_mask
from glimpse.imageset import ImageSet
from glimpse.workspace import Workspace
from tests.gan_core.tiny import TINY, make_domains, make_set, trained


def pixels(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def loaded(network: nn.Module, experiment: str = "cycle-eczema") -> LoadedTranslator:
    return LoadedTranslator(network.eval(), Run("run", experiment, "paper", 32, 32, Settings(), {}), "cpu")


def untrained() -> LoadedTranslator:
    network = Translator(3, 8)
    initialise(network, torch.Generator().manual_seed(0))
    return loaded(network)


@pytest.mark.parametrize("size", [(32, 32), (70, 101), (33, 32), (20, 50), (7, 5)])
def test_the_identity_leaves_a_photo_of_any_size_as_it_was(size: tuple[int, int]) -> None:
    photo = pixels(*size)
    assert np.array_equal(translate(untrained(), photo), photo)


def test_tiles_are_blended_without_a_seam() -> None:
    class TileNumber(nn.Module):
        """Each tile a brightness of its own: the worst case for seams."""

        def forward(self, x: Tensor) -> Tensor:
            return torch.linspace(-1, 1, len(x)).view(-1, 1, 1, 1).expand(-1, 3, *x.shape[2:])

    translator = loaded(TileNumber())
    after = translate(translator, pixels(32, 128)).astype(int)
    assert after.min() == 0
    assert after.max() == 255
    assert np.abs(np.diff(after, axis=1)).max() < 8, "a hard edge between these tiles would be 42 grey levels"


def test_a_mask_reaches_the_network_at_its_place() -> None:
    class ShowMask(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, 3:].expand(-1, 3, -1, -1) * 2 - 1

    translator = loaded(ShowMask(), "add-eczema")
    mask = (np.random.default_rng(0).random((80, 60)) < 0.5).astype(np.uint8)
    assert np.array_equal(translate(translator, pixels(80, 60), mask)[..., 0], mask * 255)


def test_results_are_clamped() -> None:
    class TooBright(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + 1.5

    translator = loaded(TooBright())
    assert translate(translator, np.full((32, 32, 3), 200, np.uint8)).min() == 255


def test_masks_are_lent_from_the_test_images_if_there_are_any(workspace: Workspace) -> None:
    held_out = make_set(workspace, "eczema", lesion=True)
    assert held_out.masks is not None
    lent = random_masks(held_out, 40, np.random.default_rng(0))
    known = {held_out.masks[row].tobytes() for row in held_out.where("test")}
    assert {mask.tobytes() for mask in lent} == known, "eight test images, drawn forty times"
    without = make_set(workspace, "other", test=0, lesion=True)
    assert random_masks(without, 3, np.random.default_rng(0)).shape == (3, 32, 32)


# ------------------------------------------------------------------------------------------ the command


def test_removal_is_scored_against_the_clean_versions(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    make_domains(workspace)
    trained(workspace, "remove-eczema", images=4)
    assert main(["translate", "remove-eczema"]) == 0
    assert "against the true skin: psnr inside" in capsys.readouterr().out
    folder = workspace.existing("images", "remove-eczema-translated")
    images, eczema = ImageSet.load(folder), ImageSet.load(workspace.existing("images", "eczema"))
    assert list(images.index["image_id"]) == list(eczema.index["image_id"][eczema.where("test")]), "the test images"
    assert set(images.index["label"]) == {"healthy"}
    scores = json.loads((folder / "manifest.json").read_text())["scores"]
    assert scores["untouched"]["psnr_inside"] < 25
    assert scores["untouched"]["psnr_outside"] is None, "equal outside the mask"
    sheet = np.asarray(Image.open(folder / "preview.png"))
    assert sheet.shape == (4 * 34 + 2, 6 * 34 + 2, 3), "two of the eight test images per row: before, mask, after"
    assert np.array_equal(sheet[2:34, 2:34], eczema.images[eczema.where("test")[0]])


def test_adding_borrows_masks_by_seed(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    make_domains(workspace)
    trained(workspace, "add-eczema", images=4)
    for name, seed in (("one", "0"), ("two", "0"), ("three", "1")):
        assert main(["translate", "add-eczema", "--name", name, "--seed", seed, "--count", "6"]) == 0
    one, two, three = (ImageSet.load(workspace.existing("images", name)) for name in ("one", "two", "three"))
    assert one.masks is not None
    assert len(one) == 6
    assert np.array_equal(one.images, two.images)
    assert not np.array_equal(one.masks, three.masks)  # type: ignore[arg-type]
    assert main(["translate", "add-eczema", "--name", "one", "--count", "6"]) == 0
    assert "already translated" in capsys.readouterr().out


def test_a_cyclic_run_goes_both_ways(workspace: Workspace) -> None:
    make_domains(workspace)
    trained(workspace, "cycle-eczema", images=4)
    assert main(["translate", "cycle-eczema"]) == 0
    assert main(["translate", "cycle-eczema", "--to", "healthy"]) == 0
    added, removed = (
        ImageSet.load(workspace.existing("images", f"cycle-eczema-translated{x}")) for x in ("", "-healthy")
    )
    assert added.index["image_id"][0].startswith("healthy-")
    assert removed.index["image_id"][0].startswith("eczema-")


def test_a_folder_of_photos_is_translated_file_by_file(workspace: Workspace, tmp_path: Path) -> None:
    make_domains(workspace)
    trained(workspace, "remove-eczema", images=4)
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    for folder in (photos, masks):
        folder.mkdir()
    for stem, size in (("a", (50, 70)), ("b", (40, 33))):
        Image.fromarray(pixels(*size)).save(photos / f"{stem}.png")
        Image.fromarray((pixels(*size)[..., 0] > 128).astype(np.uint8) * 255).save(masks / f"{stem}_mask.png")
    assert main(["translate", "remove-eczema", "--images", str(photos), "--masks", str(masks), "--name", "mine"]) == 0
    out = workspace.root / "translated" / "mine"
    assert sorted(p.name for p in out.iterdir()) == ["a.png", "b.png", "sheet"]
    with Image.open(out / "a.png") as image:
        assert image.size == (70, 50)


def photos_in(folder: Path, *stems: str) -> Path:
    folder.mkdir()
    for stem in stems:
        Image.fromarray(pixels(40, 40)).save(folder / f"{stem}.png")
    return folder


def test_a_result_of_photos_keeps_to_its_place_and_is_replaced_only_when_asked(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_domains(workspace)
    trained(workspace, "add-eczema", images=4)
    command = ["translate", "add-eczema", "--images", str(photos_in(tmp_path / "photos", "a"))]
    for name in ("../images/eczema", "../../escaped"):
        assert main([*command, "--name", name]) == 2
        assert "cannot be a name" in capsys.readouterr().err
    ImageSet.load(workspace.existing("images", "eczema"))
    assert main([*command, "--name", "mine"]) == 0
    kept = (workspace.root / "translated/mine/a.png").stat().st_mtime_ns
    assert main([*command, "--name", "mine", "--seed", "1"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert (workspace.root / "translated/mine/a.png").stat().st_mtime_ns == kept
    assert main([*command, "--name", "mine", "--overwrite"]) == 0


def test_a_photo_named_sheet_keeps_its_result_and_count_takes_the_first(workspace: Workspace, tmp_path: Path) -> None:
    make_domains(workspace)
    trained(workspace, "add-eczema", images=4)
    photos = photos_in(tmp_path / "photos", "sheet", "z")
    assert main(["translate", "add-eczema", "--images", str(photos), "--name", "one", "--count", "1"]) == 0
    out = workspace.root / "translated" / "one"
    assert sorted(p.name for p in out.iterdir()) == ["sheet", "sheet.png"]
    with Image.open(out / "sheet.png") as result:
        assert result.size == (40, 40)


def test_an_image_set_takes_precedence_over_a_folder_of_its_name(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_domains(workspace)
    trained(workspace, "add-eczema", images=4)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "eczema").mkdir()
    photos = photos_in(tmp_path / "photos", "a")
    assert main(["translate", "add-eczema", "--images", str(photos), "--mask-from", "eczema"]) == 0


def test_masks_for_removal_are_borrowed_only_when_asked(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_domains(workspace)
    trained(workspace, "remove-eczema", images=4)
    for images in (str(photos_in(tmp_path / "photos", "a")), "df"):  # neither has masks of its own
        assert main(["translate", "remove-eczema", "--images", images]) == 2
        assert "--mask-from" in capsys.readouterr().err
        assert main(["translate", "remove-eczema", "--images", images, "--mask-from", "eczema"]) == 0


def test_a_set_is_translated_and_scored_at_the_size_the_run_was_trained_at(workspace: Workspace) -> None:
    make_set(workspace, "healthy", size=(64, 64))
    eczema = make_set(workspace, "eczema", size=(64, 64), lesion=True)
    command = ["train", "remove-eczema", "--resolution", "32", "--device", "cpu"]
    assert main([*command, *(w for k, v in {**TINY, "images": 4}.items() for w in ("--set", f"{k}={v}"))]) == 0
    assert main(["translate", "remove-eczema"]) == 0
    after = ImageSet.load(workspace.existing("images", "remove-eczema-translated"))
    assert after.images.shape[1:] == (32, 32, 3)
    assert after.masks is not None
    row = eczema.where("test")[0]
    assert np.array_equal(after.masks[0], shrink_mask(eczema.masks[row], 32, 32))  # type: ignore[index]
    sheet = np.asarray(Image.open(after.folder / "preview.png"))
    assert np.array_equal(sheet[2:34, 2:34], shrink(eczema.images[row], 32, 32))
    assert after.manifest["scores"]["untouched"]["psnr_outside"] > 35, "the clean version is pixel-aligned"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--masks", "OTHER"], "goes with a folder of photos"),
        (["--images", "PHOTOS", "--masks", "EMPTY"], "There is no photo in"),
        (["--images", "PHOTOS", "--masks", "OTHER"], "a.png has no mask"),
        (["--images", "PHOTOS", "--masks", "WRONG"], "not as large as its photo"),
        (["--images", "eczema", "--mask-from", "healthy"], "no masks to lend"),
        (["--to", "eczema"], "makes healthy, not 'eczema'"),
        (["--images", "nothing"], "There is no image set 'nothing'"),
    ],
)
def test_bad_input_gets_one_sentence_and_leaves_nothing(
    workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    make_domains(workspace)
    trained(workspace, "remove-eczema", images=4)
    files: dict[str, Any] = {"PHOTOS": "a.png", "EMPTY": None, "OTHER": "c.png", "WRONG": "a_mask.png"}
    for name, file in files.items():
        (tmp_path / name).mkdir()
        if file:
            Image.new("L" if "mask" in file else "RGB", (9, 9) if name == "WRONG" else (40, 40)).save(
                tmp_path / name / file
            )
    before = workspace.names("images")
    capsys.readouterr()
    assert main(["translate", "remove-eczema", *(str(tmp_path / w) if w in files else w for w in words)]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1
    assert workspace.names("images") == before
    assert not list((workspace.root / "translated").glob("*"))
