"""The contact sheet of an image set: a look at what is in it, with mask contours as in the paper's Figure 1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image


def write_preview(folder: Path, name: str) -> None:
    """Write preview.png beside the finished arrays of an image set."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    index = pd.read_csv(folder / "index.csv", dtype=str, keep_default_na=False)
    chosen = spread(index["group"].to_numpy(), 24)
    columns = min(6, len(chosen))
    rows = -(-len(chosen) // columns)
    height, width = images.shape[1:3]
    sheet = np.full((rows * (height + 4) + 4, columns * (width + 4) + 4, 3), 255, np.uint8)
    for place, i in enumerate(chosen):
        y, x = 4 + place // columns * (height + 4), 4 + place % columns * (width + 4)
        sheet[y : y + height, x : x + width] = images[i]
    Image.fromarray(sheet).save(folder / "preview.png")


def spread(groups: NDArray[np.object_], count: int) -> list[int]:
    """Positions of at most `count` images, one a group while groups last, evenly through the set."""
    first = pd.Series(groups).groupby(groups, sort=False).cumcount().to_numpy()
    order = np.lexsort((np.arange(len(groups)), first))
    layer = order[: max(count, int((first == 0).sum()))]
    return sorted(layer[np.linspace(0, len(layer) - 1, min(count, len(layer))).astype(int)].tolist())
