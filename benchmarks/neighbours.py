"""SSIM of pairs of 128 x 128 images on one thread, against scikit-image and pytorch-msssim in the same run.

    python -m benchmarks.neighbours [--queries 256] [--targets 8000]
    python -m benchmarks.neighbours --images healthy [--workspace W] [--queries 1000] [--targets 51023] [--checked 8]

Claimed: the exact search is at least 10 times as fast as scikit-image, with the shortlist at least 200 times, and the
shortlist loses no neighbour. With `--images`: how long the search takes at full size on all processors, images of a few
test groups among those of all other groups, and what the shortlist loses of an exhaustive search for some of them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.images.pairs import ResizedImages
from analysis.sections.images.neighbours import Neighbours, nearest, shortlist_recall
from glimpse.command_line import program
from glimpse.images import evenly
from glimpse.imageset import ImageSet
from glimpse.workspace import Workspace
from tests.analysis.pictures import textures

SIDE = 128


def rate(pairs: int, work: Callable[[], object], repeats: int = 2) -> float:
    """Pairs in a second of processor time (so that other work on the machine counts for nothing), the best of a few."""
    best = float("inf")
    for _ in range(repeats):
        begin = time.process_time()
        work()
        best = min(best, time.process_time() - begin)
    return pairs / best


def scikit_image(queries: NDArray[np.uint8], targets: NDArray[np.uint8]) -> None:
    from skimage.metrics import structural_similarity

    for query in queries:
        for target in targets:
            structural_similarity(
                query, target, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
                data_range=255,
            )  # fmt: skip


def pytorch_msssim(queries: NDArray[np.uint8], targets: NDArray[np.uint8]) -> None:
    from pytorch_msssim import ssim

    y = torch.from_numpy(targets).permute(0, 3, 1, 2).float()
    for query in queries:
        x = torch.from_numpy(query).permute(2, 0, 1).float().expand_as(y)
        ssim(x, y, data_range=255, size_average=False)


def at_full_size(workspace: Workspace, name: str, count: int, most: int | None, checked: int) -> None:
    """`count` images of a few test groups of an image set among `most` images of all its other groups."""
    images = ImageSet.load(workspace.existing("images", name))
    asked = images.where("test")[np.argsort(images.groups[images.where("test")], kind="stable")]
    last = images.groups[asked[min(count, len(asked)) - 1]]
    asked = asked[images.groups[asked] <= last]
    others = np.flatnonzero(~np.isin(images.groups, images.groups[asked]))
    targets = ResizedImages(images.images, evenly(others, most or len(others)), images.height, images.width)
    queries = images.images[evenly(asked, count)]
    begin = time.perf_counter()
    nearest(queries, targets, k=3)
    seconds = time.perf_counter() - begin
    pairs = len(queries) * len(targets)
    print(f"{len(queries):,} queries among {len(targets):,} images of {images.width} x {images.height}: "
          f"{seconds:,.0f} s ({1000 * seconds / pairs:.4f} ms a pair, {torch.get_num_threads()} threads)")  # fmt: skip
    few = evenly(queries, checked)
    begin = time.perf_counter()
    exact = nearest(few, targets, k=3, shortlist=None)
    print(f"{len(few)} of them compared with every image: {time.perf_counter() - begin:,.0f} s; the shortlist kept "
          f"{shortlist_recall(nearest(few, targets, k=3), exact):.3f} of their 3 nearest, "
          f"{shortlist_recall(nearest(few, targets, k=1), first(exact)):.3f} of their nearest")  # fmt: skip


def first(found: Neighbours) -> Neighbours:
    return Neighbours(found.indices[:, :1], found.scores[:, :1])


def main() -> None:
    parser = program("python -m benchmarks.neighbours", __doc__ or "")
    parser.add_argument("--queries", type=int, metavar="N", help="default: 256, or 1000 with --images")
    parser.add_argument("--targets", type=int, metavar="N", help="default: 8000, or all with --images")
    parser.add_argument("--images", metavar="SET", help="search this image set, at full size")
    parser.add_argument("--checked", type=int, default=8, metavar="N", help="of its queries, also exhaustively")
    args = parser.parse_args()
    if args.images:
        at_full_size(Workspace.at(args.workspace), args.images, args.queries or 1000, args.targets, args.checked)
        return
    args.queries, args.targets = args.queries or 256, args.targets or 8000
    torch.set_num_threads(1)
    drawn = textures(-(-args.targets // 8), seed=0, size=SIDE)
    turned = [np.rot90(image, turn, (1, 2)) for turn in range(4) for image in (drawn, drawn[:, ::-1])]
    targets = np.concatenate(turned)[: args.targets]
    queries = textures(args.queries, seed=10_000, size=SIDE)

    few = targets[:24]
    rates = {"scikit-image": rate(24 * 2, lambda: scikit_image(queries[:2], few))}
    rates["pytorch-msssim"] = rate(24 * 2, lambda: pytorch_msssim(queries[:2], few))
    some = targets[:192]
    rates["Glimpse, exact"] = rate(16 * len(some), lambda: nearest(queries[:16], some, k=3, shortlist=None))
    pairs = len(queries) * len(targets)
    rates["Glimpse, shortlist"] = rate(pairs, lambda: nearest(queries, targets, k=3), repeats=1)

    print(f"{SIDE} x {SIDE} RGB, one thread; {len(queries)} queries among {len(targets):,} images for the shortlist")
    print(f"{'':<20}{'pairs/s':>12}{'ms a pair':>12}{'times scikit-image':>20}")
    for name, value in rates.items():
        print(f"{name:<20}{value:>12,.0f}{1000 / value:>12.3f}{value / rates['scikit-image']:>20.1f}")
    checked = nearest(queries[:4], targets[:600], k=3, shortlist=None)
    recall = shortlist_recall(nearest(queries[:4], targets[:600], k=3), checked)
    print(f"shortlist's recall of the 3 nearest, 4 queries among 600 against an exhaustive search: {recall:.3f}")
    base = rates["scikit-image"]
    if rates["Glimpse, exact"] < 10 * base or rates["Glimpse, shortlist"] < 200 * base or recall < 1:
        sys.exit("a claim does not hold")


if __name__ == "__main__":
    main()
