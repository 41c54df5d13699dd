"""The record that a run writes while it trains: log.jsonl, sample grids, TensorBoard, a progress bar."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glimpse.files import atomic_file
from glimpse.progress import duration, progress

REPORTED = ("loss_g", "loss_d", "d_real_train", "d_real_test", "d_generated")  # in the output, with the scores


def peak_memory_mb() -> float | None:
    """The most memory (MiB) that this process has held; None where Python lacks the module `resource` (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    scale = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / 2**20, 1)


class Record:
    """Writes the log of one run from `images` on; lines logged after the last checkpoint are dropped.

    `board`: TensorBoard's writer, as torch makes it.
    """

    def __init__(self, folder: Path, name: str, images: int, total: int, log_bytes: int, board: Any) -> None:
        self.folder, self.name, self.total = folder, name, total
        self.log = open(folder / "log.jsonl", "ab")  # noqa: SIM115 (closed by close)
        self.log.truncate(log_bytes)
        self.bytes = log_bytes
        self.board = board
        self.bar = progress(title=name, unit="images", total=total, done=images)
        self.began, self.before = time.perf_counter(), images

    def advance(self, images: int) -> None:
        self.bar.update(images)

    def tick(self, line: dict[str, Any], grid: NDArray[np.uint8]) -> None:
        """Append one line and save the sample grid. JSON has no NaN: such a value becomes null."""
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
        for key, value in clean.items():
            if isinstance(value, int | float) and key != "images":
                self.board.add_scalar(key, value, images)
        self.board.add_image("samples", grid, images, dataformats="HWC")
        chosen_by = clean.get("score")
        shown = (*REPORTED, *([chosen_by] if chosen_by else []))
        now = {key: f"{clean[key]:.3g}" for key in shown if clean.get(key) is not None}
        if chosen_by in now:
            self.bar.set_postfix_str(f"score {now[chosen_by]}", refresh=False)
        if self.bar.disable:
            rate = line["images_per_second"]
            taken = (time.perf_counter() - self.began) / max(1, images - self.before)  # with evaluation and saving
            left = duration(max(self.total - images, 0) * taken)  # the last batch may go beyond
            scores = "  ".join(f"{key} {value}" for key, value in now.items())
            print(
                f"{self.name}: {images:,} of {self.total:,} images, {rate:.0f}/s, {left} left  {scores}",
                file=sys.stderr, flush=True,
            )  # fmt: skip

    def close(self) -> None:
        self.bar.close()
        self.log.close()
        self.board.close()
