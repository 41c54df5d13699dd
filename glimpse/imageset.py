"""Image sets, made by `prepare` and read by everything else: a folder of arrays with an index and a manifest.

    manifest.json  images.npy (uint8 N,H,W,3)  masks.npy (uint8 N,H,W in {0,1})  truth.npy (uint8 N,H,W,3)
    index.csv      preview.png

`group` in the index is the photo, person or lesion that an image comes from; no group is on both sides of the split.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
import pandas as pd
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from PIL import Image

from glimpse import reuse
from glimpse.files import GlimpseError, atomic_folder, flush, read_json, sha256_file, verify, write_json

INDEX_COLUMNS = ("image_id", "source", "group", "split", "label", "x", "y", "coverage")
ARRAYS = ("images", "masks", "truth")


class ImageSetError(GlimpseError):
    """An image set cannot be made from this source, or cannot be used for this purpose."""


@dataclass(frozen=True, eq=False)  # compared by identity: tables and arrays have no single truth value
class ImageSet:
    """An image set whose arrays are mapped from disk, read-only, so that 51,023 patches take no memory."""

    name: str
    folder: Path
    manifest: dict[str, Any]
    index: pd.DataFrame  # INDEX_COLUMNS, one row per image, in the order of the arrays
    images: NDArray[np.uint8]  # (N, H, W, 3)
    masks: NDArray[np.uint8] | None  # (N, H, W) in {0, 1}
    truth: NDArray[np.uint8] | None  # (N, H, W, 3): the same skin without its lesion

    @classmethod
    def load(cls, folder: Path, *, just_written: bool = False) -> ImageSet:
        """Read a set. Raises WorkspaceError, naming the file, for an unknown schema or a hash that does not match.

        `just_written` skips the check, for arrays that were hashed a moment ago.
        """
        manifest = read_json(folder / "manifest.json")
        for file, sha256 in manifest["files"].items():
            if not just_written:
                verify(folder / file, sha256)
        arrays = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r") if f"{name}.npy" in manifest["files"] else None
            for name in ARRAYS
        }
        index = pd.read_csv(
            folder / "index.csv", dtype={"image_id": str, "source": str, "group": str, "split": str, "label": str},
            keep_default_na=False, na_values={"x": [""], "y": [""], "coverage": [""]},
        )  # fmt: skip
        images = arrays["images"]
        assert images is not None
        return cls(folder.name, folder, manifest, index, images, arrays["masks"], arrays["truth"])

    def __len__(self) -> int:
        return len(self.images)

    @property
    def height(self) -> int:
        return int(self.images.shape[1])

    @property
    def width(self) -> int:
        return int(self.images.shape[2])

    def size_at(self, resolution: int | None) -> tuple[int, int]:
        """Height and width at `--resolution N` (the height). Raises ImageSetError if the set is smaller."""
        if resolution is None:
            return self.height, self.width
        if not 1 <= resolution <= self.height:
            raise ImageSetError(
                f"--resolution {resolution} is too large: the images of '{self.name}' are {self.height} pixels high, "
                "and are never enlarged."
            )
        return resolution, round(self.width * resolution / self.height)

    @property
    def sha256(self) -> str:
        """The identity of the pixels: the hash of images.npy."""
        return str(self.manifest["files"]["images.npy"])

    @property
    def unfinished(self) -> str | None:
        """The images that the unfinished run had seen which drew these, "204 of 2,000 images"; None of any others."""
        return self.manifest.get("made_from", {}).get("unfinished")

    @property
    def groups(self) -> NDArray[np.str_]:
        return self.index["group"].to_numpy(dtype=str)

    def where(self, split: str) -> NDArray[np.intp]:
        """The positions of the images of one side, `train` or `test`."""
        return np.flatnonzero(self.index["split"].to_numpy(dtype=str) == split)

    def facts(self) -> dict[str, Any]:
        """The entries on this image set in the configuration of a run: name, numbers of images, hashes."""
        files = self.manifest["files"]
        return {
            "name": self.name, "sha256": self.sha256,
            "train": len(self.where("train")), "test": len(self.where("test")),
            "files": {file: files[file] for file in ("index.csv", "masks.npy") if file in files},
        }  # fmt: skip

    @classmethod
    def existing(cls, folder: Path, made_from: Mapping[str, Any], overwrite: bool) -> ImageSet | None:
        """The image set in `folder`; None if there is none, or if it is to be replaced.

        Raises ImageSetError if it was made from something else.
        """
        refusal = ImageSetError(
            f"The image set '{folder.name}' exists and was made differently: give this one another --name, or replace "
            "it with --overwrite."
        )
        return reuse.existing(folder, {"made_from": dict(made_from)}, cls.load, refusal=refusal, overwrite=overwrite)

    def write_pngs(self, folder: Path, overwrite: bool) -> None:
        """Write every image as a PNG file named after its image_id, for other programs (`--png`). Raises ImageSetError
        if the folder is not empty; with `overwrite`, only if it holds other files.
        """
        names = [f"{image_id}.png" for image_id in self.index["image_id"]]
        there = refuse_full(folder, overwrite)
        if others := sorted(there - set(names)):
            raise ImageSetError(f"--png {folder} holds other files, like {others[0]}: name another folder.")
        with atomic_folder(folder) as building:
            for name, image in zip(names, self.images, strict=True):
                Image.fromarray(image).save(building / name)


def refuse_full(folder: Path, overwrite: bool) -> set[str]:
    """The names of the files in the folder of `--png`. Raises ImageSetError if there are any, unless `overwrite`."""
    if folder.exists() and not folder.is_dir():
        raise ImageSetError(f"--png {folder} is a file: name a folder.")
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if there and not overwrite:
        raise ImageSetError(f"--png {folder} is not empty: name another folder, or replace its files with --overwrite.")
    return there


def has_masks(folder: Path) -> bool:
    """Whether the image set in a folder has masks, according to its manifest."""
    return "masks.npy" in read_json(folder / "manifest.json")["files"]


class ImageSetWriter:
    """Streams images into the .npy files of a folder, such as one that `files.atomic_folder` yields.

    As a context manager it also closes its files after an error.
    """

    def __init__(self, folder: Path, height: int, width: int, *, masks: bool = False, truth: bool = False) -> None:
        self.folder = folder
        self._shapes: dict[str, tuple[int, ...]] = {"images": (height, width, 3)}
        if masks:
            self._shapes["masks"] = (height, width)
        if truth:
            self._shapes["truth"] = (height, width, 3)
        self._files: dict[str, BinaryIO] = {name: open(folder / f"{name}.npy", "wb+") for name in self._shapes}  # noqa: SIM115
        for name, file in self._files.items():
            _write_header(file, (0, *self._shapes[name]))
        self._index = open(folder / "index.csv", "w", newline="", encoding="utf-8")  # noqa: SIM115
        self._rows = csv.writer(self._index, lineterminator="\n")
        self._rows.writerow(INDEX_COLUMNS)
        self.splits: Counter[str] = Counter()  # images on each side
        self.group_splits: dict[str, str] = {}  # the side of each group
        self._hashes: dict[str, str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def count(self) -> int:
        return self.splits.total()

    def add(
        self,
        image: NDArray[np.uint8],
        row: Mapping[str, Any],
        mask: NDArray[np.uint8] | None = None,
        truth: NDArray[np.uint8] | None = None,
    ) -> None:
        """Append one image (H, W, 3) with its index row; raises ImageSetError if its group is on the other side."""
        self.extend(image[None], [row], None if mask is None else mask[None], None if truth is None else truth[None])

    def extend(
        self,
        images: NDArray[np.uint8],
        rows: Sequence[Mapping[str, Any]],
        masks: NDArray[np.uint8] | None = None,
        truth: NDArray[np.uint8] | None = None,
    ) -> None:
        """Append several images (K, H, W, 3), all or none, with one write per array: writing is slow."""
        sides = dict(self.group_splits)
        for row in rows:
            if row["split"] not in ("train", "test"):
                raise ImageSetError(
                    f"Image '{row['image_id']}' is in split '{row['split']}': it must be 'train' or 'test'."
                )
            if sides.setdefault(str(row["group"]), row["split"]) != row["split"]:
                raise ImageSetError(f"Group '{row['group']}' would be both in training and in test: split by group.")
        given = {"images": images, "masks": masks, "truth": truth}
        for name, array in given.items():
            shape = (len(rows), *self._shapes[name]) if name in self._shapes else None
            if shape is None if array is not None else shape is not None:
                raise ImageSetError(f"Give {name} for all images of a set or for none.")
            if array is not None and (array.shape != shape or array.dtype != np.uint8):
                raise ImageSetError(f"Image '{rows[0]['image_id']}' does not fit {name}.npy.")
        if masks is not None and masks.size and masks.max() > 1:
            raise ImageSetError(f"A mask of '{rows[0]['source']}' has values other than 0 and 1.")
        for name, array in given.items():
            if array is not None:
                self._files[name].write(np.ascontiguousarray(array).data)
        self._rows.writerows([row.get(column) for column in INDEX_COLUMNS] for row in rows)  # None is an empty cell
        self.splits.update(row["split"] for row in rows)
        self.group_splits = sides

    def close(self) -> None:
        """Complete the arrays and the index, so that they can be read."""
        self._index.close()
        for array, file in self._files.items():
            if not file.closed:
                file.seek(0)
                _write_header(file, (self.count, *self._shapes[array]))
                file.close()

    def hash_arrays(self) -> dict[str, str]:
        """Close the arrays, flush them to disk and hash them meanwhile (both take seconds per gigabyte)."""
        self.close()
        if self._hashes is None:
            paths = {f"{name}.npy": self.folder / f"{name}.npy" for name in self._shapes}
            with ThreadPoolExecutor(1) as pool:
                flushed = pool.map(flush, paths.values())
                self._hashes = {file: sha256_file(path) for file, path in paths.items()}
                list(flushed)
        return self._hashes

    def finish(self, name: str, **manifest: Any) -> None:
        """Complete the set with its manifest: `options`, `counts`, `licence`, ... and the hash of each file."""
        hashes = self.hash_arrays()
        others = (p.name for p in self.folder.iterdir() if p.suffix in (".csv", ".png"))
        hashes = {**hashes, **{file: sha256_file(self.folder / file) for file in others}}
        height, width, _ = self._shapes["images"]
        write_json(
            self.folder / "manifest.json",
            {
                "name": name, "count": self.count, "height": height, "width": width, **manifest,
                "files": dict(sorted(hashes.items())),
            },
        )  # fmt: skip


def _write_header(file: BinaryIO, shape: tuple[int, ...]) -> None:
    """Write a .npy header; NumPy pads it so that the first axis can grow without moving the data."""
    npy_format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
