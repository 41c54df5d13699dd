"""Memorisation: a calibrated test of whether the generator copied training images, which neighbours cannot show.

A copy is much nearer to one training image than to any other, once both are brought into the same position. So each
image is registered with its nearest training images, the distance to the nearest is divided by that to the nearest of
another group (neighbouring windows of one photo overlap), and the share of generated images whose ratio lies below the
1 % quantile of held-out real images is compared with that 1 %. The sharpness and contrast of held-out images are first
reduced to those of the generated ones.

The test recognises some kinds of copies only. Training images are copied in several ways and tested like generated
ones; the report says which of these copies the test recognises.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.figures import pictures
from analysis.figures.images import memorisation as draw
from analysis.images.copying.verdict import CopyTest, data_copying, descriptors
from analysis.images.distances import FloatArray
from analysis.images.features import extractor_key
from analysis.images.kid import kid_of_rows
from analysis.images.pairs import GENERATED, Pair, published_pairs
from analysis.images.runs import evaluated_runs
from analysis.numbers import listed, p_value, percent
from analysis.section import Context, Section, results

WORST = 6
RECOGNISED = 0.8  # smallest share of planted copies below the threshold with which a kind counts as recognised
HUB = 0.1  # a training image that is the nearest of at least this share of the generated images is named


# ------------------------------------------------------------------------------------------------ the section


def compute(context: Context) -> Section | None:
    """The test for each run, beside C_T, the KID gap, and pictures of the most similar pairs."""
    found, notes = evaluated_runs(context)
    section = Section("memorisation")
    curves, cells, summary, pairs, random, planted = {}, [], [], [], False, 0
    subjects: list[Pair] = [*found, *published_pairs(context)]
    tested = [run for run in subjects if len(set(run.groups(run.rows("train")).tolist())) >= 3]
    notes += [
        f"{run.name} was trained on fewer than three groups: memorisation cannot be tested."
        for run in subjects if run not in tested
    ]  # fmt: skip
    for run, result in results(section, context, tested, partial(of_pair, context=context), extractor_key(context)):
        verdict, kid, c_t = CopyTest(**result["verdict"]), result["kid"], result["c_t"]
        section.scores[run.name] = {
            **result["verdict"], "alarm": verdict.alarm, "kid": kid, "c_t": c_t if np.isfinite(c_t) else None
        }  # fmt: skip
        section.scores[run.name] |= {"recognised": result["recognised"], "hub_image": result["hub_image"],
                                     "hub_share": result["hub_share"]}  # fmt: skip
        section.sentences.append(_sentence(run.name, verdict, result))
        random, planted = random or result["extractor"] == "random", result["planted"]
        curves[run.name] = (result["held_out"], result["generated"], verdict.threshold)
        cells.append(result["cells"].assign(run=run.name))
        summary.append(
            {"run": run.name, "below": verdict.share, "low": verdict.low, "high": verdict.high, "p": verdict.p,
             "resolution": verdict.resolution, "held-out groups": verdict.groups, "C_T": c_t,
             "KID to training": kid["train"], "KID to test": kid["test"], "gap": kid["gap"]}
        )  # fmt: skip
        worst = result["worst_images"], result["worst_ratio"], result["worst_nearest"]
        pairs.append((run.name, partial(_draw_pairs, run, *worst)))
    section.sentences += notes
    if not section.scores:
        return section if notes else None
    section.sentences.append(_recognised([one["recognised"] for one in section.scores.values()], planted))
    section.figure("memorisation", partial(draw.memorisation, curves))
    for name, draw_pairs in pairs:
        section.figure(
            f"memorisation-pairs-{name}", draw_pairs, "pairs", run=name, worst=WORST, images=GENERATED
        )  # fmt: skip
    section.table("memorisation-summary", pd.DataFrame(summary), random=random)
    section.table("memorisation-cells", pd.concat(cells, ignore_index=True))
    section.explain(images=GENERATED, planted=planted)
    return section


def _sentence(name: str, verdict: CopyTest, result: Mapping[str, Any]) -> str:
    """The finding in a sentence, with the counts that the test compares."""
    excess = "more than expected by chance" if verdict.alarm else "no more than expected by chance"
    once = "counting those with the same nearest training image once, " if verdict.hub > 1 else ""
    found = (
        f"{name}: {percent(verdict.share)} of the generated images are nearer to one training image than 99 % of "
        f"held-out real images are; {once}that is {verdict.distinct} of {verdict.compared} against {verdict.expected} "
        f"of {verdict.groups} groups of held-out images, {excess} "
        f"(p {p_value(verdict.p)}; a share of copies below about {percent(verdict.resolution)} would go unseen)."
    )
    if result["hub_share"] >= HUB:
        found += (
            f" The training image {result['hub_image']} is the nearest of {percent(result['hub_share'], 0)} of all "
            "generated images: it was copied or it resembles everything, which this test cannot tell apart."
        )
    return found


def _recognised(shares: Sequence[Mapping[str, float]], planted: int) -> str:
    """The sentence on the planted copies that the test recognises and misses, over all runs."""
    known: list[str] = []
    missed: list[str] = []
    for kind in shares[0]:
        low, high = (end(one[kind] for one in shares) for end in (min, max))
        between = percent(low, 0) if low == high else f"{percent(low, 0)} to {percent(high, 0)}"
        (known if low >= RECOGNISED else missed).append(kind if low >= RECOGNISED else f"{between} of those {kind}")
    where = " in every run" if len(shares) > 1 else ""
    said = [f"at least {percent(RECOGNISED, 0)}{where} of those that are {listed(known)}"] if known else []
    said += [f"{'only ' if known else ''}{listed(missed)}, so that such copies may go unseen"] if missed else []
    return f"Of {planted} training images copied in each way on purpose, the test recognises {'; '.join(said)}."


def of_pair(run: Pair, context: Context) -> dict[str, Any]:
    """The test for copies of one pair, C_T, the kinds of copies it recognises and the worst images."""
    from analysis.images.copying.assess import PLANTED, Planted, assess, plant

    train_rows, test_rows = run.rows("train"), run.rows("test")
    train, test, images = run.real_images(train_rows), run.real_images(test_rows), run.generated_images(GENERATED)
    groups = run.groups(train_rows)
    found = assess(train, groups, test, run.groups(test_rows), images)
    real = {"images": run.inputs["images"], "index": run.inputs["index"], "size": run.inputs["size"], "each": PLANTED}
    planted = Planted(**context.cached("planted", real, lambda: vars(plant(train, groups, PLANTED))))
    images = images[: len(found.generated.ratio)]
    often = np.bincount(found.generated.nearest)
    hub = int(often.argmax())
    c_t, cells = float("nan"), pd.DataFrame(columns=["cell", "generated", "test", "z"])
    if len(found.test.distance) >= 2:
        c_t, cells = data_copying(
            descriptors(train), descriptors(test[found.of_test]), found.test.distance, descriptors(images),
            found.generated.distance, context.seed,
        )  # fmt: skip
    order = np.argsort(found.generated.ratio, kind="stable")
    _, first = np.unique(found.generated.nearest[order], return_index=True)  # each training image once
    worst = order[np.sort(first)[:WORST]]
    return {
        "recognised": planted.recognised(found.verdict.threshold), "planted": PLANTED,
        "hub_image": str(run.real.index["image_id"].iloc[int(train_rows[hub])]),
        "hub_share": float(often[hub] / len(images)), "extractor": run.extractor(context).name,
        "verdict": found.verdict.__dict__, "held_out": found.held_out, "generated": found.generated.ratio, "c_t": c_t,
        "cells": cells, "worst_images": images[worst], "worst_ratio": found.generated.ratio[worst],
        "worst_nearest": train_rows[found.generated.nearest[worst]], "kid": _kid_gap(run, context),
    }  # fmt: skip


def _kid_gap(run: Pair, context: Context) -> dict[str, float | None]:
    """KID of the generated images to training and to test images, and the latter minus the former.

    The difference is above zero if training images are imitated too closely. KID is unbiased for any number of images.
    """
    train, test = run.rows_used("train"), run.rows_used("test")
    n = min(len(test), len(train), GENERATED)
    if n < 2:
        return {"train": None, "test": None, "gap": None}
    extractor = run.extractor(context)
    generated = run.generated_features(extractor, context, min(run.scored, GENERATED)).values
    found = {}
    for side, rows in (("train", train), ("test", test)):
        found[side] = kid_of_rows(run.real_features(extractor, rows, context).values, generated, run.groups(rows))
    gap = None if None in found.values() else float(found["test"] - found["train"])  # type: ignore[operator]
    return {**found, "gap": gap}


def _draw_pairs(run: Pair, generated: NDArray[np.uint8], ratio: FloatArray, nearest: NDArray[np.intp]) -> Any:
    real = run.real_images(np.asarray(nearest, int))
    above = [(image, f"ratio {value:.2f}") for image, value in zip(generated, ratio, strict=True)]
    below = [(real[i], str(run.real.index["image_id"].iloc[int(row)])) for i, row in enumerate(nearest)]
    return pictures.gallery([("generated", above), ("nearest training image", below)])
