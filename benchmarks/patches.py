"""Time to cut patches, beside decoding the same files only and beside a plain sliding-window loop.

    python -m benchmarks.patches [--photos 48] [--threads N] [--folder DIR]

Photos have the paper's size (2304x3456) and yield its number of patches each (51,023 + 2,872 from 131 photos); their
pixels are skin colours with a camera's noise, saved as cameras of that size did (JPEG, 4:2:2, quality 96).
Three ways, on the same files:

    decode    Pillow decodes every photo and both masks, one after another, and does nothing with them
    loop      the same, then looks at the masks in every window in turn (NumPy), and saves the patches at the end
    prepare   `gan_core prepare patches`: hashes, duplicates, previews and both image sets on disk included

The claim: `prepare` takes at most 1.3 times as long as `decode`.

Then the exact area means of `glimpse.images.shrink` beside Pillow's BOX filter, which rounds between its two passes, on
a photo of 10 megapixels: processor time, and memory beside the photo. The claim: at most twice as long.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from glimpse.command_line import program
from glimpse.files import cores
from glimpse.images import shrink
from glimpse.prepare.patches import PatchOptions, prepare_patches
from glimpse.workspace import Workspace

WIDTH, HEIGHT, SIZE, STRIDE = 3456, 2304, 128, 64
CLAIM, CLAIM_OF_SHRINK = 1.3, 2.0
TEN_MEGAPIXELS = (2592, 3888)


def draw(folder: Path, count: int) -> None:
    """Photos of two hand-sized ellipses of skin on green, one with a patch of eczema, and their masks."""
    for kind in ("photos", "skin", "lesions"):
        (folder / kind).mkdir()
    for i in range(count):
        rng = np.random.default_rng(i)
        skin, lesion = Image.new("1", (WIDTH, HEIGHT)), Image.new("1", (WIDTH, HEIGHT))
        for left in (300, 1900):
            ImageDraw.Draw(skin).ellipse((left, 500, left + 1120, 500 + 1430), fill=1)
        x, y = rng.integers(600, 1000), rng.integers(800, 1300)
        ImageDraw.Draw(lesion).ellipse((x, y, x + 330, y + 300), fill=1)
        tone = np.asarray(Image.fromarray(rng.integers(-25, 25, (20, 30), np.int8).astype(np.float32)).resize(
            (WIDTH, HEIGHT), Image.Resampling.BICUBIC))  # fmt: skip
        colour = np.where(np.asarray(skin)[..., None], (196, 150, 128), (60, 150, 80)) + tone[..., None]
        colour = colour - np.asarray(lesion)[..., None] * np.array((10, 50, 45))
        grain = 4 * rng.standard_normal((HEIGHT, WIDTH, 3), np.float32)
        photo = (colour + grain).clip(0, 255).astype(np.uint8)
        Image.fromarray(photo).save(folder / "photos" / f"P{i:03}.jpg", quality=96, subsampling="4:2:2")
        skin.save(folder / "skin" / f"P{i:03}_hand.png")
        lesion.save(folder / "lesions" / f"P{i:03}_eczema.png")


def triples(folder: Path) -> list[tuple[Path, Path, Path]]:
    return list(zip(*(sorted((folder / kind).iterdir()) for kind in ("photos", "skin", "lesions")), strict=True))


def decode(folder: Path) -> None:
    for paths in triples(folder):
        for path in paths:
            with Image.open(path) as image:
                image.load()


def loop(folder: Path) -> int:
    """The plain sliding-window loop; returns the number of patches."""
    healthy, eczema = [], []
    for photo_path, skin_path, lesion_path in triples(folder):
        photo, skin, lesion = (np.array(Image.open(path)) for path in (photo_path, skin_path, lesion_path))
        for y in range(0, HEIGHT - SIZE + 1, STRIDE):
            for x in range(0, WIDTH - SIZE + 1, STRIDE):
                if skin[y : y + SIZE, x : x + SIZE].all():
                    share = lesion[y : y + SIZE, x : x + SIZE].mean()
                    if share == 0:
                        healthy.append(photo[y : y + SIZE, x : x + SIZE].copy())
                    elif 0.1 <= share <= 0.8:
                        eczema.append(photo[y : y + SIZE, x : x + SIZE].copy())
    np.save(folder / "healthy.npy", np.stack(healthy))
    np.save(folder / "eczema.npy", np.stack(eczema))
    return len(healthy) + len(eczema)


def prepare(folder: Path, threads: int | None) -> int:
    workspace = Workspace.at(folder / "workspace")
    sets = prepare_patches(
        workspace,
        PatchOptions(
            photos=[folder / "photos"],
            lesion_masks=[folder / "lesions"],
            skin_masks=[folder / "skin"],
            size=SIZE,
            stride=STRIDE,
            threads=threads or cores(),
        ),
    )
    return sum(len(one.images) for one in sets)


def timed(work: Callable[[], object]) -> tuple[float, float, object]:
    """Seconds on the clock, seconds of processor time over all threads, and the result."""
    start, processor = time.perf_counter(), time.process_time()
    result = work()
    return time.perf_counter() - start, time.process_time() - processor, result


def compare_shrinking(repeats: int = 9) -> None:
    """Print processor time of `shrink` and of BOX at three sizes, and the most memory that `shrink` takes."""
    pixels = np.random.default_rng(0).integers(0, 256, (*TEN_MEGAPIXELS, 3), np.uint8)
    photo, holds = Image.fromarray(pixels), True
    for size in (128, 256, 512):
        ways: tuple[Callable[[], object], ...] = (
            lambda size=size: shrink(pixels, size, size),  # type: ignore[misc]
            lambda size=size: photo.resize((size, size), Image.Resampling.BOX),  # type: ignore[misc]
        )
        rounds = [[timed(way)[1] for way in ways] for _ in range(repeats)]
        ours, box = (statistics.median(r[i] for r in rounds) for i in (0, 1))
        tracemalloc.start()
        ways[0]()
        memory = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
        holds &= ours <= CLAIM_OF_SHRINK * box
        print(
            f"10 megapixels to {size}x{size}: shrink {1e3 * ours:.1f} ms, BOX {1e3 * box:.1f} ms, {ours / box:.2f} x, "
            f"{memory:.0f} MiB beside the photo"
        )
    print(f"shrink <= {CLAIM_OF_SHRINK:g} x BOX: {'holds' if holds else 'does NOT hold'}")


def main() -> None:
    parser = program("python -m benchmarks.patches", __doc__ or "", workspace=False)
    parser.add_argument("--photos", type=int, default=48, metavar="N", help="photos to cut")
    parser.add_argument("--threads", type=int, metavar="N", help="of prepare (default: one a processor)")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="in turn; the median counts")
    parser.add_argument("--folder", metavar="DIR", help="for the files (default: the system's temporary folder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        draw(folder, args.photos)
        seconds: dict[str, list[tuple[float, float]]] = {"decode": [], "loop": [], "prepare": []}
        found: dict[str, object] = {}
        ways: dict[str, Callable[[], object]] = {
            "decode": lambda: decode(folder), "loop": lambda: loop(folder),
            "prepare": lambda: prepare(folder, args.threads),
        }  # fmt: skip
        for work in (ways["decode"], ways["prepare"]):  # once untimed, so that all find the files, and memory, at hand
            work()
        for repeat in range(args.repeats):
            for way, work in ways.items():
                if way == "loop" and repeat:
                    continue  # once shows enough
                # What an earlier run wrote goes first: memory that a virtual machine has never touched is slow to get.
                shutil.rmtree(folder / "workspace", ignore_errors=True)
                spent, busy, found[way] = timed(work)
                seconds[way].append((spent, busy))
    middle = {way: statistics.median(spent for spent, _ in pairs) for way, pairs in seconds.items()}
    assert found["loop"] == found["prepare"], found
    print(f"{args.photos} photos of {HEIGHT}x{WIDTH} with two masks each, {found['prepare']} patches of {SIZE}x{SIZE}")
    print(f"{platform.machine()}, {os.cpu_count()} processors; medians of {args.repeats}, taken in turn (loop: once)")
    for way, spent in middle.items():
        busy = statistics.median(busy for _, busy in seconds[way])
        print(f"{way:8} {spent:7.2f} s   {spent / middle['decode']:5.2f} x decode   {busy:7.2f} s of processor time")
    holds = middle["prepare"] <= CLAIM * middle["decode"]
    print(f"prepare <= {CLAIM} x decode: {'holds' if holds else 'does NOT hold'}")
    compare_shrinking()


if __name__ == "__main__":
    main()
