"""SSIM of pairs of 128 x 128 images on one thread, against scikit-image and pytorch-msssim in the same run.

    python -m benchmarks.neighbours [--queries 256] [--targets 8000]

Claimed: the exact search is at least 10 times as fast as scikit-image, with the shortlist at least 200 times, and the
shortlist loses no neighbour.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from analysis.neighbours import nearest, shortlist_recall
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=256)
    parser.add_argument("--targets", type=int, default=8000)
    args = parser.parse_args()
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
