"""How far each generator's images are from real ones it never saw, beside what real images score among themselves."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.distances import (
    BIASED_BELOW,
    Units,
    frechet_distance,
    inception_score,
    permutation_p,
    precision_recall,
    subsampling_interval,
)
from analysis.features import Features
from analysis.figures import quality as draw
from analysis.material import GENERATED, Imitation, imitations
from analysis.parts import Context, Part

PERMUTATIONS = 999
DRAWS = 20  # of real images against real images
REAL_AT_MOST = 4000


def by_group(groups: NDArray[Any], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`count` positions, whole groups in random order, the last one cut."""
    order = rng.permutation(np.unique(groups))
    rank = {group: i for i, group in enumerate(order.tolist())}
    return np.argsort([rank[group] for group in groups.tolist()], kind="stable")[:count]


def two_halves(groups: NDArray[Any], count: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Two samples of at most `count` images that share no group."""
    order = by_group(groups, len(groups), rng)
    edge = count
    while edge < len(order) and groups[order[edge]] == groups[order[edge - 1]]:
        edge += 1  # the group that the first sample cuts belongs to neither beyond it
    return order[:count], order[edge : edge + count]


def compare(
    real: Features,
    groups: NDArray[Any],
    generated: Features,
    pool: Features,
    pool_groups: NDArray[Any],
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """All distances between `real` (of `groups`) and `generated`, at equal numbers of images on both sides.

    `pool` holds all real images, from which real is compared with real at the same number, by group.
    Returns JSON values; what cannot be had is None.
    """
    rng = np.random.default_rng(seed)
    n = min(len(real), len(generated), len(pool) // 2, BIASED_BELOW)
    rows = by_group(groups, n, rng)
    x, x_groups, y = real.take(rows), groups[rows], generated.take(np.arange(n))
    units = Units.of(x.values, y.values, x_groups, None)
    result: dict[str, Any] = {"n": n, "real_groups": units.groups[0], "biased": n < BIASED_BELOW}
    several = units.groups[0] > 1
    result["kid"] = float(units.kid(units.observed()[None])[0]) if several else None
    result["kid_p"] = permutation_p(units, rng, permutations) if several else None
    interval = subsampling_interval(units, rng)
    result["kid_low"], result["kid_high"] = interval if interval else (None, None)
    result["frechet"] = frechet_distance(x, y)
    result |= precision_recall(x.values, y.values, x_groups) if n > 3 and units.groups[0] > 4 else {}
    if y.logits is not None and x.logits is not None:
        result["inception_score"] = inception_score(y.logits)
        result["inception_score_real"] = inception_score(x.logits)
    among: list[dict[str, float]] = []
    for _ in range(draws if n <= 500 else max(4, draws // 4)):
        first, second = two_halves(pool_groups, n, rng)
        if len(second) < n:
            continue
        a, b = pool.take(first), pool.take(second)
        both = Units.of(a.values, b.values, pool_groups[first], pool_groups[second])
        if min(both.groups) < 2:
            continue
        found = {"kid": float(both.kid(both.observed()[None])[0]), "frechet": frechet_distance(a, b)}
        if n > 3 and min(both.groups) > 4:
            found |= precision_recall(a.values, b.values, pool_groups[first])
        among.append(found)
    for key in among[0] if among else ():
        values = [one[key] for one in among]
        result[f"real_{key}"] = float(np.mean(values))
        result[f"real_{key}_low"], result[f"real_{key}_high"] = (float(v) for v in np.quantile(values, [0.025, 0.975]))
    return result


def compute(context: Context) -> Part | None:
    """Distances of every unconditional run to its test images (training images where none were held out)."""
    found, notes = imitations(context)
    if not found:
        return Part("quality", "Distances to real images", {}, notes) if notes else None
    scores: dict[str, Any] = {}
    sentences, rows = [], []
    distance, sizes = "", set()
    for run in found:
        against = "test" if len(run.rows("test")) >= 2 else "train"
        extractor = run.extractor(context)
        distance = extractor.distance
        result = context.cached(
            "quality", {**run.inputs, "extractor": extractor.key, "size": run.size, "seed": context.seed},
            partial(_of_run, run, context, against),
        )  # fmt: skip
        scores[run.name] = {"extractor": extractor.name, "distance": distance, "against": against, **result}
        rows.append({"run": run.name, "against": against, **result})
        sentences.append(_sentence(run.name, against, distance, result))
        if extractor.side not in run.size:
            sizes.add(f"{run.size[0]} x {run.size[1]} images are resized to {extractor.side} x {extractor.side}")
    frame = pd.DataFrame(rows)
    columns = [
        "run", "against", "n", "real_groups", "kid", "kid_low", "kid_high", "kid_p", "real_kid", "frechet",
        "real_frechet", "precision", "recall", "density", "coverage", "real_coverage", "inception_score",
        "inception_score_real",
    ]  # fmt: skip
    drawn = pd.DataFrame(
        {"run": frame["run"], "kid": frame["kid"].astype(float), "low": frame["kid_low"].astype(float),
         "high": frame["kid_high"].astype(float), "real_low": frame.get("real_kid_low", np.nan),
         "real_high": frame.get("real_kid_high", np.nan)}
    )  # fmt: skip
    return Part(
        name="quality", title="Distances to real images", scores=scores, sentences=sentences + notes,
        tables={"quality": frame[[c for c in columns if c in frame]]},
        figures={"quality": partial(draw.distances, drawn)},
        captions={
            "quality": "KID of generated against real images with its 95 % interval; the band is what real images of "
            f"other groups score against each other at the same number. `frechet` is the {distance}"
            + (f", biased below {BIASED_BELOW} images." if frame["biased"].any() else ".")
        },
        methods=[
            f"Distances: {GENERATED:,} images of each run from fresh latents against its test images, at equal numbers "
            "and by group: KID without pairs of one group, its p-value from permuting whole groups, its interval from "
            f"half-samples of the groups; the {distance} and precision, recall, density and coverage beside real "
            "against real. The generator is the best by KID against the training images while training."
            + "".join(f" {size[0].upper() + size[1:]}." for size in sorted(sizes))
            + (" No published weights were at hand: these numbers are not FIDs and compare with nothing elsewhere."
               if distance.startswith("random") else "")
        ],
    )  # fmt: skip


def _of_run(run: Imitation, context: Context, against: str) -> dict[str, Any]:
    extractor = run.extractor(context)
    rng = np.random.default_rng(context.seed)
    test, train = run.rows("test"), run.rows("train")
    train = np.sort(rng.permutation(train)[: max(REAL_AT_MOST - len(test), BIASED_BELOW)])
    pool_rows = np.concatenate([test, train])
    pool = run.real_features(extractor, pool_rows, context)
    side = np.arange(len(pool_rows)) < len(test) if against == "test" else np.arange(len(pool_rows)) >= len(test)
    real_rows = np.flatnonzero(side)
    groups = run.groups(pool_rows)
    generated = run.generated_features(extractor, context)
    return compare(pool.take(real_rows), groups[real_rows], generated, pool, groups, context.seed)


def _sentence(name: str, against: str, distance: str, found: dict[str, Any]) -> str:
    held_out = "test images" if against == "test" else "its training images (none were held out)"
    biased = f", biased at n = {found['n']}" if found["biased"] else ""
    real = f", real against real {found['real_frechet']:.4g}" if "real_frechet" in found else ""
    kid = "no KID, as all real images come from one group"
    if found["kid"] is not None:
        between = "" if found["kid_low"] is None else f" ({found['kid_low']:.3g} to {found['kid_high']:.3g})"
        verdict = "differ from" if found["kid_p"] < 0.05 else "are not told from"
        kid = (
            f"the generated images {verdict} {held_out} of {found['real_groups']} groups: "
            f"KID {found['kid']:.3g}{between}, p = {found['kid_p']:.3f}"
        )
    return f"{name}: {kid}; {distance} {found['frechet']:.4g}{biased}{real}."
