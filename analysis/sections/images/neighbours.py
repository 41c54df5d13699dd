"""Figure 7: generated images beside their nearest training images, by SSIM, by mean squared error, and registered.

The pictures are those of the paper; `memorisation` tests for copies. The search is exact among the candidates of a
coarse pass, and the report says how often the coarse pass misses what an exhaustive search finds. For registered
neighbours, training images are also mirrored, turned, shifted and enlarged, and compared by the correlation of their
detail.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.figures.pictures import neighbour_pairs
from analysis.images.features import Images, checked_images
from analysis.images.pairs import Pair, published_pairs
from analysis.images.runs import evaluated_runs
from analysis.numbers import percent
from analysis.section import AnalysisError, Context, Section, results
from glimpse.images import evenly
from glimpse.progress import progress as progress_bar

SHORTLIST = 64
CANDIDATES = 8  # of the coarse pass, to be registered
MEASURES = {"ssim": "SSIM", "mse": "MSE", "registered": "r"}  # as the figure names them
QUERIES, NEIGHBOURS, DRAWN = 8, 3, 4
CHECKED_QUERIES, CHECKED_TARGETS = 4, 5000
CHECKED_PIXELS = CHECKED_TARGETS * 128 * 128  # fewer of larger images, so that it takes about ten seconds on one core


@dataclass(frozen=True)
class Neighbours:
    """The k nearest of some images for each query, nearest first."""

    indices: NDArray[np.intp]  # (queries, k)
    scores: NDArray[np.float64]  # (queries, k): SSIM, mean squared error, or correlation after registration


def nearest(
    queries: NDArray[np.uint8],
    targets: Images,
    k: int = 1,
    by: str = "ssim",
    *,
    shortlist: int | None = SHORTLIST,
    device: str = "cpu",
) -> Neighbours:
    """The k nearest of `targets` (n, H, W, 3) for each of `queries` (q, H, W, 3); memory does not grow with n.

    `by="ssim"`: exact among the `shortlist` best of a coarse pass, or among all with `shortlist=None`;
    `by="mse"`: exact; `by="registered"`: each target in the position in which it agrees best with the query, the best
    of a coarse pass. Raises AnalysisError when the images are not uint8 in colour, differ in size, or are fewer than k,
    and for another `by`.

    >>> targets = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    >>> mirrored = targets[2:, :, ::-1]
    >>> found = nearest(mirrored, targets, by="registered")
    >>> found.indices.tolist(), nearest(targets[:2], targets, by="mse").scores.tolist()
    ([[2]], [[0.0], [0.0]])
    """
    if by not in MEASURES:
        raise AnalysisError(f"There is no measure '{by}' of images: choose from {', '.join(MEASURES)}.")
    checked_images(queries, "The queries")
    checked_images(targets[:1], "The images to search")
    if queries.shape[1:] != targets.shape[1:]:
        raise AnalysisError(
            f"Images of {queries.shape[1:3]} and {targets.shape[1:3]} pixels cannot be compared: resize one side."
        )
    if not 1 <= k <= len(targets):
        raise AnalysisError(f"There are {len(targets)} images to choose {k} nearest from.")
    if by == "mse":
        return _by_mse(queries, targets, k)
    if by == "registered":
        return _registered(queries, targets, k)
    if shortlist is None or shortlist >= len(targets):
        return _exhaustive(queries, targets, k, device)
    candidates = _candidates(queries, targets, max(k, shortlist), device)
    return _among(queries, targets, candidates, k, device)


def shortlist_recall(found: Neighbours, exact: Neighbours) -> float:
    """The share of the true k nearest that the shortlist kept.

    >>> none = np.zeros((1, 2))
    >>> shortlist_recall(Neighbours(np.array([[4, 7]]), none), Neighbours(np.array([[7, 9]]), none))
    0.5
    """
    kept = [len(set(a) & set(b)) / len(b) for a, b in zip(found.indices, exact.indices, strict=True)]
    return float(np.mean(kept))


def _candidates(queries: NDArray[np.uint8], targets: Images, count: int, device: str) -> NDArray[np.intp]:
    """The best candidates by SSIM on a grid of windows, (q, count), best first."""
    from analysis.images.ssim import Windows, check_size, chunks, coarse

    check_size(queries)
    asked = [Windows.of(queries[rows], device) for rows in chunks(len(queries))]

    def scores(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        windows = Windows.of(images, device, second=True)
        return np.concatenate([coarse(part, windows).cpu().numpy() for part in asked])

    return _best_of_stream(scores, targets, len(queries), count)[0]


def _by_mse(queries: NDArray[np.uint8], targets: Images, k: int) -> Neighbours:
    from analysis.images.ssim import squared_errors

    def scores(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return -squared_errors(queries, images).astype(np.float32)

    candidates, _ = _best_of_stream(scores, targets, len(queries), min(len(targets), k + 4))
    indices = np.empty((len(queries), k), np.intp)
    values = np.empty((len(queries), k))
    for i, rows in enumerate(candidates):  # again in float64: the matrix product rounds where images are nearly equal
        errors = ((np.asarray(targets[np.sort(rows)], np.float64) - queries[i]) ** 2).mean((1, 2, 3))
        order = np.argsort(errors, kind="stable")[:k]
        indices[i], values[i] = np.sort(rows)[order], errors[order]
    return Neighbours(indices, values)


def _registered(queries: NDArray[np.uint8], targets: Images, k: int) -> Neighbours:
    from analysis.images.copying.grey import greys
    from analysis.images.copying.registration import search

    every = np.arange(len(targets))
    found = search(greys(queries), greys(targets), every, candidates=(max(k, CANDIDATES), 0))
    best = found.correlation.topk(k, 1)
    return Neighbours(found.rows.gather(1, best.indices).numpy().astype(np.intp), best.values.double().numpy())


def _best_of_stream(
    scores: Any, targets: Images, queries: int, count: int
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """The positions and values of the `count` highest scores over chunks of targets, (q, count), highest first."""
    from analysis.images.ssim import chunks

    best = np.full((queries, count), -np.inf, np.float32)
    rows = np.zeros((queries, count), np.intp)
    bar = progress_bar(title="comparing", unit="images", total=len(targets))
    with bar:
        for chunk in chunks(len(targets)):
            found = scores(np.asarray(targets[chunk]))
            values = np.concatenate([best, found], axis=1)
            places = np.concatenate([rows, np.broadcast_to(np.arange(chunk.start, chunk.stop), found.shape)], axis=1)
            top = np.argpartition(-values, count - 1, axis=1)[:, :count]
            best, rows = np.take_along_axis(values, top, 1), np.take_along_axis(places, top, 1)
            bar.update(chunk.stop - chunk.start)
    order = np.argsort(-best, axis=1, kind="stable")
    return np.take_along_axis(rows, order, 1), np.take_along_axis(best, order, 1)


def _among(
    queries: NDArray[np.uint8], targets: Images, candidates: NDArray[np.intp], k: int, device: str
) -> Neighbours:
    """The k best by exact SSIM among each query's candidates (q, c)."""
    from analysis.images.ssim import SsimImages, one_to_all

    indices, values = np.empty((len(queries), k), np.intp), np.empty((len(queries), k))
    for i, rows in enumerate(candidates):
        prepared = SsimImages.of(np.asarray(targets[np.sort(rows)]), device)
        exact = one_to_all(SsimImages.of(queries[i : i + 1], device), prepared).cpu().numpy()
        order = np.argsort(-exact, kind="stable")[:k]
        indices[i], values[i] = np.sort(rows)[order], exact[order]
    return Neighbours(indices, values)


def _exhaustive(queries: NDArray[np.uint8], targets: Images, k: int, device: str) -> Neighbours:
    import torch

    from analysis.images.ssim import SsimImages, chunks, ssim

    asked = [SsimImages.of(queries[i : i + 1], device) for i in range(len(queries))]

    def scores(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        blocks = [SsimImages.of(images[rows], device) for rows in chunks(len(images), 8)]
        values = [[ssim(query, block) for query in asked] for block in blocks]  # a block stays in the cache for all
        return np.concatenate([torch.stack(of_block).cpu().numpy() for of_block in values], axis=1)

    rows, values = _best_of_stream(scores, targets, len(queries), k)
    return Neighbours(rows, values.astype(np.float64))


# ------------------------------------------------------------------------------------------------ the section


def compute(context: Context) -> Section | None:
    """The first generated images of each run with their nearest training images under SSIM and MSE."""
    found, _ = evaluated_runs(context)
    section = Section("neighbours")
    rows = []
    subjects: list[Pair] = [*found, *published_pairs(context)]
    for run, result in results(section, context, subjects, of_pair, None):
        ids = run.real.index["image_id"].to_numpy(dtype=str)
        training = len(run.rows("train"))
        for by, measure in MEASURES.items():
            for (i, rank), place in np.ndenumerate(result[f"{by}_rows"]):
                rows.append(
                    {"run": run.name, "generated": i, "by": measure, "rank": rank + 1,
                     "training image": ids[place], "score": float(result[f"{by}_scores"][i, rank])}
                )  # fmt: skip
        section.scores[run.name] = {
            "shortlist": SHORTLIST, "shortlist_recall": result["recall"], "shortlist_recall_among": result["among"],
            "training_images": training, "mean_ssim_of_nearest": float(np.mean(result["ssim_scores"][:, 0])),
        }  # fmt: skip
        section.figure(
            f"neighbours-{run.name}", partial(_draw, run, result), "pairs", run=run.name, training=training,
            neighbours=NEIGHBOURS,
        )  # fmt: skip
    if not section.scores:
        return None
    section.table("neighbours", pd.DataFrame(rows))
    section.explain(
        scores=section.scores, shortlist=SHORTLIST, neighbours=NEIGHBOURS, checked=CHECKED_QUERIES,
        candidates=CANDIDATES,
        recall=percent(min(one["shortlist_recall"] for one in section.scores.values()), 0),
    )  # fmt: skip
    return section


def of_pair(run: Pair, checked: bool = True) -> dict[str, Any]:
    """Generated images, rows and scores of the nearest training images; with `checked` also the shortlist's recall."""
    queries, train = np.asarray(run.generated_images(QUERIES)[:]), run.rows("train")
    targets = run.real_images(train)
    result: dict[str, Any] = {"queries": queries}
    k = min(NEIGHBOURS, len(train))
    for by in MEASURES:
        neighbours = nearest(queries, targets, k, by, device=run.device)
        result[f"{by}_rows"], result[f"{by}_scores"] = train[neighbours.indices], neighbours.scores
    if not checked:
        return result
    few = run.real_images(evenly(train, min(CHECKED_TARGETS, CHECKED_PIXELS // (run.size[0] * run.size[1]))))
    asked = queries[:CHECKED_QUERIES]
    exact = nearest(asked, few, k, shortlist=None, device=run.device)
    result["recall"] = shortlist_recall(nearest(asked, few, k, device=run.device), exact)
    result["among"] = len(few)
    return result


def _draw(run: Pair, result: dict[str, Any]) -> Any:
    queries, blocks = result["queries"], []
    for by, name in MEASURES.items():
        pairs = [
            (queries[i], [(run.real_images(np.array([row]))[0], float(score))
                          for row, score in zip(result[f"{by}_rows"][i], result[f"{by}_scores"][i], strict=True)])
            for i in range(min(DRAWN, len(queries)))
        ]  # fmt: skip
        blocks.append((name, pairs))
    return neighbour_pairs(blocks)
