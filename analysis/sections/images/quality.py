"""Distances of generated images from held-out real ones, beside those of real images from each other."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.figures.images import quality as draw
from analysis.images import BLIND
from analysis.images.distances import BIASED_BELOW, NEIGHBOURS, frechet_distance, inception_score, precision_recall
from analysis.images.features import Features, extractor_key
from analysis.images.kid import INTERVAL_FROM, Units, permutation_p, subsampling_interval
from analysis.images.pairs import GENERATED, Pair, published_pairs
from analysis.images.runs import evaluated_runs
from analysis.images.translation import Direction, directions, translated_features
from analysis.numbers import p_value, signed
from analysis.section import AnalysisError, Context, Section, results
from glimpse.images import one_of_each, size_in_words

PERMUTATIONS = 999
DRAWS = 20  # of real images against real images
COLUMNS = (
    "run", "against", "n", "real_groups", "kid", "kid_low", "kid_high", "kid_p", "real_kid", "frechet", "real_frechet",
    *(f"{side}{measure}" for measure in ("precision", "recall", "density", "coverage") for side in ("", "real_")),
    "inception_score", "inception_score_real",
)  # fmt: skip
TRANSLATION = ("run", "n", *(
    f"{measure}{side}"
    for measure, sides in (
        ("kid", ("", "_untouched")), ("frechet", ("", "_untouched")),
        *((f"{m}_{w}", ("_translated", "_untouched")) for w in ("inside", "outside") for m in ("psnr", "ssim")),
    )
    for side in sides
))  # fmt: skip


def two_samples(
    groups: NDArray[Any], count: int, rng: np.random.Generator, most: tuple[int, int]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Two samples of at most `count` images that share no group, from `most` groups per side if these hold so many.

    >>> groups = np.array(["a", "a", "b", "c", "d"])
    >>> first, second = two_samples(groups, 2, np.random.default_rng(0), most=(2, 2))
    >>> len(first), len(second), set(groups[first]) & set(groups[second])
    (2, 2, set())
    """
    names, sizes = np.unique(groups, return_counts=True)
    sides: tuple[list[Any], list[Any]] = [], []
    held = [0, 0]
    for i in rng.permutation(len(names)):
        wanting = [side for side in (0, 1) if held[side] < count or len(sides[side]) < most[side]]
        if not wanting:
            break
        side = min(wanting, key=lambda which: held[which])
        sides[side].append(names[i])
        held[side] += sizes[i]
    first, second = (np.flatnonzero(np.isin(groups, side)) for side in sides)
    return tuple(rows[one_of_each(groups[rows], rng)[:count]] for rows in (first, second))  # type: ignore[return-value]


def number_compared(real: int, generated: int, pool: int, at_most: int = BIASED_BELOW) -> int:
    """The number of images to compare on each side, so that as many real images can be compared with real ones.

    >>> number_compared(real=115, generated=1000, pool=200)
    100
    """
    return min(real, generated, pool // 2, at_most)


def compare(
    real: Features,
    groups: NDArray[Any],
    generated: Features,
    pool: Features,
    pool_groups: NDArray[Any],
    seed: int = 0,
    permutations: int = PERMUTATIONS,
    draws: int = DRAWS,
    generated_groups: NDArray[Any] | None = None,
    at_most: int = BIASED_BELOW,
) -> dict[str, Any]:
    """All distances between `real` (of `groups`) and `generated`, at equal numbers (`at_most`) on both sides.

    `pool` holds all real images, from which real ones are compared with real ones at the same number, by group. Each
    generated image is its own group unless `generated_groups` names the photos that they were translated from.
    Returns JSON values; a missing one is None, with the reason in `note`.
    Raises AnalysisError for fewer than two images per side.

    >>> rng = np.random.default_rng(0)
    >>> real, generated = (Features(rng.normal(mean, 1, (40, 8))) for mean in (0, 1))
    >>> found = compare(real, np.arange(40), generated, real, np.arange(40), permutations=99, draws=9)
    >>> found["n"], found["kid_p"], found["kid_low"] > 0, found["kid"] > found["real_kid_high"]
    (20, 0.01, True, True)
    """
    rng = np.random.default_rng(seed)
    n = number_compared(len(real), len(generated), len(pool), at_most)
    if n < 2:
        raise AnalysisError(
            f"{len(real)} real images to compare with (of {len(pool)}) and {len(generated)} generated ones are too "
            "few: each side needs two, and real against real as many again."
        )
    rows = one_of_each(groups, rng)[:n]
    x, x_groups, y = real.take(rows), groups[rows], generated.take(np.arange(n))
    y_groups = None if generated_groups is None else generated_groups[:n]
    units = Units.of(x.values, y.values, x_groups, y_groups)
    result: dict[str, Any] = {"n": n, "real_groups": units.group_counts[0], "biased": n < BIASED_BELOW}
    fewest = min(units.group_counts)
    result["kid"] = float(units.kid(units.observed()[None])[0]) if fewest > 1 else None
    result["kid_p"] = permutation_p(units, rng, permutations) if units.testable else None
    interval = subsampling_interval(units, rng)
    result["kid_low"], result["kid_high"] = interval if interval else (None, None)
    result["frechet"] = frechet_distance(x, y)
    result |= precision_recall(x.values, y.values, x_groups, y_groups) if fewest > NEIGHBOURS else {}
    if y.logits is not None and x.logits is not None:
        result["inception_score"] = inception_score(y.logits)
        result["inception_score_real"] = inception_score(x.logits)
    reasons = [] if fewest > 1 else ["no kernel distance, as all real images come from one group"]
    reasons += [] if units.testable else [f"no p-value, as {fewest} groups per side are too few"]
    reasons += [] if interval else [f"no interval, as {fewest} groups per side are fewer than {INTERVAL_FROM}"]
    note = {"note": "; ".join(reasons)} if reasons else {}
    return {**result, **real_against_real(pool, pool_groups, n, units.group_counts, rng, draws), **note}


def real_against_real(
    pool: Features, groups: NDArray[Any], n: int, most: tuple[int, int], rng: np.random.Generator, draws: int = DRAWS
) -> dict[str, float]:
    """Mean and 95 % range of each distance between n and n real images of other groups: `real_kid`, `real_kid_low`, ...

    Each side has as many groups as in the comparison that this is a reference for (`most`), or as many more as hold n
    images. Empty if there are no two such samples.

    >>> pool = Features(np.random.default_rng(0).normal(0, 1, (40, 8)))
    >>> found = real_against_real(pool, np.arange(40), 20, (20, 20), np.random.default_rng(0))
    >>> found["real_kid_low"] < 0 < found["real_kid_high"]  # unbiased
    True
    """
    among: list[dict[str, float]] = []
    for _ in range(draws if n <= 500 else draws // 4):
        first, second = two_samples(groups, n, rng, most)
        if min(len(first), len(second)) < n:
            continue
        a, b = pool.take(first), pool.take(second)
        both = Units.of(a.values, b.values, groups[first], groups[second])
        if min(both.group_counts) < 2:
            continue
        found = {"kid": float(both.kid(both.observed()[None])[0]), "frechet": frechet_distance(a, b)}
        if min(both.group_counts) > NEIGHBOURS:
            found |= precision_recall(a.values, b.values, groups[first], groups[second])
        among.append(found)
    result = {}
    for key in {key: None for one in among for key in one}:  # some draws hold too few groups for precision and recall
        values = [one[key] for one in among if key in one]
        result[f"real_{key}"] = float(np.mean(values))
        result[f"real_{key}_low"], result[f"real_{key}_high"] = (float(v) for v in np.quantile(values, [0.025, 0.975]))
    return result


def compute(context: Context) -> Section | None:
    """Distances of every run and translation to real test images (to training images if none were held out)."""
    imitating, notes = evaluated_runs(context)
    section = Section("quality")
    rows: list[dict[str, Any]] = []
    sizes: set[str] = set()
    distance = kernel = ""
    found: list[Pair | Direction] = [*imitating, *published_pairs(context), *directions(context)]
    for one, result in results(section, context, found, partial(_of, context=context), extractor_key(context)):
        side, measured = result["side"], result["measured"]
        height, width = one.size
        distance, kernel, against = measured["distance"], measured["kernel_distance"], measured["against"]
        section.scores[one.name] = measured
        rows.append({"run": one.name, **measured})
        section.sentences.append(_sentence(one.name, against, distance, measured))
        if side and (height, width) != (side, side):
            sizes.add(f"Images of {size_in_words(height, width)} are resized to {side}x{side}.")
    section.sentences += notes
    if not rows:
        return section if notes else None
    frame = pd.DataFrame(rows)
    translated = frame[frame["kid_untouched"].notna()] if "kid_untouched" in frame else frame[:0]
    drawn = pd.DataFrame(
        {"run": frame["run"], "kid": frame["kid"].astype(float), "low": frame["kid_low"].astype(float),
         "high": frame["kid_high"].astype(float), "real_low": frame.get("real_kid_low", np.nan),
         "real_high": frame.get("real_kid_high", np.nan), "untouched": frame.get("kid_untouched", np.nan)}
    )  # fmt: skip
    random = distance.startswith("random")
    facts: Any = {"distance": distance, "kernel_distance": kernel, "biased_below": BIASED_BELOW, "random": random}
    section.figure("quality", partial(draw.distances, drawn, kernel), biased=bool(frame["biased"].any()), **facts)
    section.table("quality", frame[[c for c in COLUMNS if c in frame]])
    section.table("translation", translated[[c for c in TRANSLATION if c in frame]].dropna(axis=1, how="all"))
    section.explain(
        interval_from=INTERVAL_FROM, generated=GENERATED, sizes=sorted(sizes), translated=len(translated) > 0, **facts,
    )  # fmt: skip
    return section


def _of(one: Pair | Direction, context: Context) -> dict[str, Any]:
    """The distances of one subject with their names, and the side length to which the extractor resizes images."""
    pair = one if isinstance(one, Pair) else one.target
    extractor = pair.extractor(context)
    found = of_pair(one, context) if isinstance(one, Pair) else _of_direction(one, context)
    named = {
        "extractor": extractor.name,
        "distance": extractor.distance,
        "kernel_distance": extractor.kid,
        "against": pair.against,
    }
    return {"measured": {**named, **found}, "side": extractor.side}


def of_pair(pair: Pair, context: Context, at_most: int = BIASED_BELOW) -> dict[str, Any]:
    """All distances of the generated images of a pair to its real ones, at most `at_most` of each: see `compare`."""
    real, groups, pool, pool_groups = real_images(pair, context)
    count = min(pair.scored, max(GENERATED, len(real)))
    generated = pair.generated_features(pair.extractor(context), context, count)
    own = pair.generated_groups(count)
    return compare(real, groups, generated, pool, pool_groups, context.seed, generated_groups=own, at_most=at_most)


def _of_direction(direction: Direction, context: Context) -> dict[str, Any]:
    real, groups, pool, pool_groups = real_images(direction.target, context)
    found = translated_features(direction, context)
    both = partial(compare, real, groups, pool=pool, pool_groups=pool_groups, seed=context.seed,
                   generated_groups=found.groups)  # fmt: skip
    untouched = both(generated=found.untouched, permutations=0, draws=0)
    beside = {f"{key}_untouched": untouched[key] for key in ("kid", "frechet")}
    result = {**both(generated=found.made), **beside, **found.truth}
    absent = [key for key, value in found.truth.items() if value is None]
    if absent:
        why = f"no {' or '.join(absent)}, as there is no such pixel or no error in any"
        result["note"] = "; ".join(filter(None, [result.get("note"), why]))
    return result


def real_images(pair: Pair, context: Context) -> tuple[Features, NDArray[Any], Features, NDArray[Any]]:
    """Features and groups of the real images to compare with, then of all real images."""
    test, train = pair.rows_used("test"), pair.rows_used("train")
    rows = np.concatenate([test, train])
    pool, groups = pair.real_features(pair.extractor(context), rows, context), pair.groups(rows)
    side = np.flatnonzero((np.arange(len(rows)) < len(test)) == (pair.against == "test"))
    return pool.take(side), groups[side], pool, groups


def _sentence(name: str, against: str, distance: str, found: dict[str, Any]) -> str:
    held_out = "test images" if against == "test" else "its training images (none were held out)"
    biased = f", biased at n = {found['n']}" if found["biased"] else ""
    blind = f"; {BLIND}" if found.get("extractor") == "random" else ""
    real = f", real against real {signed(found['real_frechet'], '.4g')}" if "real_frechet" in found else ""
    kid = f"no {found['kernel_distance']}, as all real images come from one group"
    if found["kid"] is not None:
        value = f"{found['kernel_distance']} {signed(found['kid'], '.3g')}"
        if found["kid_p"] is None:
            kid = f"{value} to {held_out} of {found['real_groups']} groups, too few for a test"
        else:
            between = " (too few groups for an interval)"
            if found["kid_low"] is not None:
                between = f" ({signed(found['kid_low'], '.3g')} to {signed(found['kid_high'], '.3g')})"
            verdict = "differ from" if found["kid_p"] < 0.05 else "are not distinguishable from"
            kid = (
                f"the generated images {verdict} {held_out} of {found['real_groups']} groups: "
                f"{value}{between}, p {p_value(found['kid_p'])}"
            )
        if found.get("kid_untouched") is not None:
            kid += f" (untouched, {signed(found['kid_untouched'], '.3g')})"
    return f"{name}: {kid}; {distance} {signed(found['frechet'], '.4g')}{biased}{real}{blind}."
