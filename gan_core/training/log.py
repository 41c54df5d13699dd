"""What a run tells while it trains: log.jsonl, sample grids, TensorBoard, a progress bar."""

from __future__ import annotations

import json
import math
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glimpse.files import atomic_file
from glimpse.progress import progress

SHOWN = ("loss_g", "loss_d", "d_real_train", "d_real_test", "d_generated", "kid", "fid", "frechet")


class Record:
    """The written side of one run, from `images` on; what was logged beyond the checkpoint is forgotten."""

    def __init__(
        self, folder: Path, name: str, images: int, total: int, log_bytes: int, tensorboard: bool = True
    ) -> None:
        self.folder, self.name, self.total = folder, name, total
        self.log = open(folder / "log.jsonl", "ab")  # noqa: SIM115 (closed by close)
        self.log.truncate(log_bytes)
        self.bytes = log_bytes
        self.board: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=images if images else None)
        self.bar = progress(title=name, unit="images", total=total, done=images)

    def advance(self, images: int) -> None:
        self.bar.update(images)

    def tick(self, line: dict[str, Any], grid: NDArray[np.uint8]) -> None:
        """Append one line (JSON has no NaN: a value that is not a number becomes null) and the sample grid."""
        clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in line.items()}
        data = (json.dumps(clean, allow_nan=False) + "\n").encode()
        self.log.write(data)
        self.log.flush()
        os.fsync(self.log.fileno())
        self.bytes += len(data)
        images = line["images"]
        (self.folder / "samples").mkdir(exist_ok=True)
        with atomic_file(self.folder / "samples" / f"{images:09d}.png") as temporary:
            Image.fromarray(grid).save(temporary, format="png")
        if self.board is not None:
            for key, value in clean.items():
                if isinstance(value, int | float) and key != "images":
                    self.board.add_scalar(key, value, images)
            self.board.add_image("samples", grid, images, dataformats="HWC")
        now = {key: f"{clean[key]:.3g}" for key in SHOWN if clean.get(key) is not None}
        if "kid" in now and "extractor" in clean:
            now["features"] = str(clean["extractor"])
        self.bar.set_postfix(now, refresh=False)
        if self.bar.disable:
            rate = line["images_per_second"]
            left = (self.total - images) / rate if rate else 0.0
            scores = "  ".join(f"{key} {value}" for key, value in now.items())
            print(
                f"{self.name}: {images:,} of {self.total:,} images, {rate:.0f}/s, {duration(left)} left  {scores}",
                file=sys.stderr, flush=True,
            )  # fmt: skip

    def close(self) -> None:
        self.bar.close()
        self.log.close()
        if self.board is not None:
            self.board.close()


def grid_of(rows: list[NDArray[np.uint8]], gap: int = 2) -> NDArray[np.uint8]:
    """Rows (n, H, W, 3) to one picture with white gaps; rows may differ in length."""
    height, width = rows[0].shape[1:3]
    columns = max(len(row) for row in rows)
    picture = np.full((len(rows) * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            y, x = gap + i * (height + gap), gap + j * (width + gap)
            picture[y : y + height, x : x + width] = image
    return picture


def duration(seconds: float) -> str:
    """For people: '45 s', '12 min', '3.5 h', '2.1 days'."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
