"""Image sets: written as a stream, read back as written, refused when damaged."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from glimpse.files import WorkspaceError
from glimpse.imageset import ImageSet, ImageSetError, ImageSetWriter


def pixels(*shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def row(name: str, group: str = "g", split: str = "train") -> dict[str, object]:
    return {"image_id": name, "source": f"{name}.jpg", "group": group, "split": split, "label": "df"}


def write(folder: Path, images: NDArray[np.uint8], **arrays: NDArray[np.uint8]) -> ImageSet:
    folder.mkdir()
    with ImageSetWriter(folder, *images.shape[1:3], masks="masks" in arrays, truth="truth" in arrays) as writer:
        for i, image in enumerate(images):
            mask, truth = (arrays[a][i] if a in arrays else None for a in ("masks", "truth"))
            writer.add(image, row(f"00{i}", group=str(i), split="test" if i else "train"), mask, truth)
        writer.finish(folder.name)
    return ImageSet.load(folder)


def test_an_image_set_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    images, truth = pixels(5, 6, 4, 3), pixels(5, 6, 4, 3)[::-1]
    masks = images[..., 0] % 2
    loaded = write(tmp_path / "set", images, masks=masks, truth=truth)
    assert loaded.masks is not None
    assert loaded.truth is not None
    np.testing.assert_array_equal(loaded.images, images)
    np.testing.assert_array_equal(loaded.masks, masks)
    np.testing.assert_array_equal(loaded.truth, truth)
    assert (len(loaded), loaded.height, loaded.width) == (5, 6, 4)
    assert loaded.index["image_id"].tolist() == ["000", "001", "002", "003", "004"]  # names stay text
    assert loaded.where("test").tolist() == [1, 2, 3, 4]


def test_a_set_without_masks_has_none(tmp_path: Path) -> None:
    loaded = write(tmp_path / "set", pixels(2, 4, 4, 3))
    assert loaded.masks is None
    assert loaded.truth is None


def test_the_images_cost_no_memory_and_cannot_be_changed(tmp_path: Path) -> None:
    loaded = write(tmp_path / "set", pixels(2, 4, 4, 3))
    assert isinstance(loaded.images, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        loaded.images[0] = 0


def test_a_group_is_never_on_both_sides(tmp_path: Path) -> None:
    with ImageSetWriter(tmp_path, 4, 4) as writer:
        writer.add(pixels(4, 4, 3), row("a", group="lesion 7", split="train"))
        with pytest.raises(ImageSetError, match="'lesion 7' would be both in training and in test"):
            writer.add(pixels(4, 4, 3), row("b", group="lesion 7", split="test"))


def test_of_several_images_all_are_written_or_none(tmp_path: Path) -> None:
    with ImageSetWriter(tmp_path, 4, 4) as writer:
        with pytest.raises(ImageSetError, match="both in training and in test"):
            writer.extend(pixels(2, 4, 4, 3), [row("a"), row("b", split="test")])
        writer.extend(pixels(2, 4, 4, 3), [row("a", split="test"), row("b", split="test")])
        writer.finish("set")
    assert len(ImageSet.load(tmp_path)) == 2


def test_a_side_is_training_or_test(tmp_path: Path) -> None:
    with ImageSetWriter(tmp_path, 4, 4) as writer, pytest.raises(ImageSetError, match="'validation'"):
        writer.add(pixels(4, 4, 3), row("a", split="validation"))


@pytest.mark.parametrize(
    ("image", "mask", "sentence"),
    [
        (pixels(4, 5, 3), np.zeros((4, 4), np.uint8), "'a' does not fit images"),
        (pixels(4, 4, 3).astype(np.float32), np.zeros((4, 4), np.uint8), "'a' does not fit images"),
        (pixels(4, 4, 3), np.zeros((4, 5), np.uint8), "'a' does not fit masks"),
        (pixels(4, 4, 3), None, "masks for all images of a set or for none"),
        (pixels(4, 4, 3), np.full((4, 4), 255, np.uint8), "values other than 0 and 1"),
    ],
)
def test_an_image_that_does_not_fit_is_refused(
    tmp_path: Path, image: NDArray[np.uint8], mask: NDArray[np.uint8], sentence: str
) -> None:
    with ImageSetWriter(tmp_path, 4, 4, masks=True) as writer:
        with pytest.raises(ImageSetError, match=sentence):
            writer.add(image, row("a"), mask)
        assert writer.count == 0


@pytest.mark.parametrize("file", ["images.npy", "index.csv"])
def test_a_changed_file_is_named(tmp_path: Path, file: str) -> None:
    write(tmp_path / "set", pixels(2, 4, 4, 3))
    path = tmp_path / "set" / file
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WorkspaceError, match=rf"{file} is not the file that its manifest describes"):
        ImageSet.load(tmp_path / "set")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "set", pixels(2, 4, 4, 3))
    (tmp_path / "set" / "images.npy").unlink()
    with pytest.raises(WorkspaceError, match=r"images.npy is missing"):
        ImageSet.load(tmp_path / "set")


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "set", pixels(2, 4, 4, 3))
    path = tmp_path / "set" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema": 2}))
    with pytest.raises(WorkspaceError, match=r"manifest.json has schema 2"):
        ImageSet.load(tmp_path / "set")
