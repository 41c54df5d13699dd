"""Small photos for the tests of `prepare`: noise in skin colours, masks, and functions that write them to files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def skin_photo(seed: int, height: int = 48, width: int = 64) -> NDArray[np.uint8]:
    """(height, width, 3): smooth random skin, different for each seed."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal((196, 150, 128), 14, (7, 9, 3))
    image = Image.fromarray(coarse.clip(60, 235).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    return (np.asarray(image) + rng.normal(0, 2, (height, width, 3))).clip(50, 238).astype(np.uint8)


def disc(height: int = 48, width: int = 64, y: float = 20, x: float = 24, radius: float = 9) -> NDArray[np.bool_]:
    """(height, width): a round lesion."""
    rows, columns = np.mgrid[:height, :width]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def save(path: Path, array: NDArray[np.generic]) -> Path:
    """Write pixels or a mask as the file type its name says; masks as 0 and 255."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    Image.fromarray(array).save(path)
    return path


def lay_down(folder: Path, count: int = 6, suffix: str = "_segmentation") -> tuple[Path, Path]:
    """`count` photos with one lesion each, and their masks; the two folders."""
    photos, masks = folder / "photos", folder / "masks"
    for i in range(count):
        save(photos / f"P{i}.png", skin_photo(i))
        save(masks / f"P{i}{suffix}.png", disc(y=16 + i, x=20 + 3 * i))
    return photos, masks
