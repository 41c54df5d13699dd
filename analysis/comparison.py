"""Compare generators with the same real images: distances, copies, neighbours and a classifier, ranked by KID.

Each part calls the function of a section of the report (analysis.sections) on a pair of image sets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from analysis.cache import key_of
from analysis.figures import pictures
from analysis.images.features import extractor_key
from analysis.images.kid import Units, difference_in_kid
from analysis.images.pairs import FEWEST, GENERATED, SetPair
from analysis.images.runs import FRESH
from analysis.numbers import all_renamed, strict_json
from analysis.people.significance import holm
from analysis.section import AnalysisError, Context, OptionError
from analysis.sections.images import machine_observer, memorisation, neighbours, quality
from gan_core.device import pick_device
from gan_core.experiments import Draw
from gan_core.training.run import Run
from glimpse.command_line import counted, pasteable
from glimpse.files import GlimpseError, sha256_file
from glimpse.images import one_of_each, sheet
from glimpse.imageset import ImageSet
from glimpse.prepare.checks.differences import differences, digests
from glimpse.prepare.opening import named_before_folders, notes_on, open_alike
from glimpse.prepare.reading.pixels import Fit
from glimpse.progress import progress
from glimpse.runs.log import unfinished_at
from glimpse.workspace import OPENED, Workspace


@dataclass(frozen=True)
class Sides:
    """The images to compare, each the name of an image set, folder or run, and the size (width, height)."""

    real: str
    generated: Sequence[str]
    size: tuple[int, int] | None = None
    fit: Fit = "crop"
    skip_broken: bool = False


@dataclass(frozen=True)
class ComparisonResult:
    """The result of a comparison: rows in order of rank, differences in KID, sentences on the images."""

    rows: list[dict[str, Any]]
    differences: list[dict[str, Any]]
    warnings: list[str]
    pairs: list[SetPair]  # in the order of the rows
    facts: dict[str, Any]  # of the real images and the features
    names: dict[str, str]  # of the two distances, after the features

    def picture(self) -> Figure:
        """Generated images above the nearest real ones; those most like copies above the images they resemble."""
        shown: list[tuple[str, list[tuple[Any, str]]]] = []
        for row, pair in zip(self.rows, self.pairs, strict=True):
            found, worst = row["neighbours"], row["memorisation"]
            for title, images, places, words in (
                ("generated, above the nearest real image", found.get("queries"), found.get("ssim_rows"),
                 [f"SSIM {scores[0]:.2f}" for scores in found.get("ssim_scores", [])]),
                ("most like a copy, above the nearest real image", worst.get("worst_images"),
                 worst.get("worst_nearest"), [f"ratio {ratio:.2f}" for ratio in worst.get("worst_ratio", [])]),
            ):  # fmt: skip
                if images is not None and places is not None:
                    real = pair.real_images(np.asarray(places, int).reshape(len(images), -1)[:, 0])[:]
                    tiles = [
                        sheet([[image], [below]], background=(0, 0, 0, 0))
                        for image, below in zip(images, real, strict=True)
                    ]
                    shown.append((f"{pair.name}: {title}", list(zip(tiles, words, strict=True))))
        if not shown:
            raise AnalysisError("There is nothing to draw: the images are too few or too small for neighbours.")
        return pictures.gallery(shown)

    def scores(self) -> dict[str, Any]:
        """Every number as JSON values."""
        hidden = {"neighbours": ("queries",), "memorisation": ("held_out", "generated", "cells", "worst_images")}
        rows = [
            {key: strict_json({k: v for k, v in value.items() if k not in hidden.get(key, ())})
             if isinstance(value, dict) else value for key, value in row.items()}
            for row in self.rows
        ]  # fmt: skip
        numbers = all_renamed({"generated": rows, "differences": self.differences}, self.names)
        return {**self.facts, **numbers, "warnings": self.warnings}


def compare(context: Context, sides: Sides) -> ComparisonResult:
    """Every measure of each generated side. Raises GlimpseError for images that cannot be opened or compared."""
    real, pairs = opened(context, sides)
    extractor = pairs[0].extractor(context)
    against = len(pairs[0].rows_used(pairs[0].against))
    pool = sum(len(pairs[0].rows_used(split)) for split in ("train", "test"))
    at_most = quality.number_compared(against, min(pair.scored for pair in pairs), pool)
    if at_most < 2:
        raise AnalysisError(
            f"'{real.name}' holds {len(real)} images, and the smallest generated side "
            f"{min(len(pair.made) for pair in pairs)}: a comparison needs {FEWEST} real and 2 generated images."
        )
    hashes = context.once("digests", lambda: set(digests(real)))
    parts: dict[str, Callable[[SetPair], Mapping[str, Any]]] = {
        "quality": lambda pair: quality.of_pair(pair, context, at_most),
        "memorisation": partial(memorisation.of_pair, context=context),
        "machine_observer": lambda pair: machine_observer.of_pair(pair, context, at_most),
        "neighbours": lambda pair: neighbours.of_pair(pair, checked=False),
        "copies": lambda pair: {"exact": sum(digest in hashes for digest in digests(pair.made))},
    }
    rows = []
    with progress(title="comparing", unit="parts", total=len(parts) * len(pairs)) as bar:
        for pair in pairs:
            row: dict[str, Any] = {"name": pair.name, "images": len(pair.made), "sha256": pair.made_sha256}
            for name, part in parts.items():
                bar.set_postfix_str(f"{pair.name}: {name}")
                row[name] = _part(context, name, pair, part, at_most)
                bar.update()
            rows.append(row)
    order = sorted(range(len(rows)), key=lambda i: _order(rows[i]["quality"].get("kid")))
    rows, pairs = [{"rank": rank, **rows[i]} for rank, i in enumerate(order, 1)], [pairs[i] for i in order]
    facts = {
        "real": real.name, "images": len(real), "groups": len(set(real.groups)), "sha256": real.sha256,
        "against": pairs[0].against, "n": at_most, "height": real.height, "width": real.width,
        "extractor": extractor.name, "extractor_sha256": extractor.key, "distance": extractor.distance,
        "kernel_distance": extractor.kid, "seed": context.seed,
    }  # fmt: skip
    named = [replace(pair.made, name=pair.name) for pair in pairs]  # as in the table
    warnings = named_before_folders(context.workspace, [sides.real], ["images"])
    warnings += named_before_folders(context.workspace, sides.generated, ["runs", "images"])
    warnings += [
        f"{made.name}: its images come from an unfinished run ({at})." for made in named if (at := made.unfinished)
    ]
    warnings += [sentence for made in named for sentence in differences(real, made, sides.fit)]
    warnings += [sentence for images in (real, *named) for sentence in notes_on(images)]
    return ComparisonResult(rows, _differences(context, pairs, at_most), warnings, pairs, facts, extractor.names)


def opened(context: Context, sides: Sides) -> tuple[ImageSet, list[SetPair]]:
    """The pairs of the real images with each generated side, all at one size."""
    labels = [word.rstrip("/") for word in sides.generated]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise AnalysisError(f"{twice} is given twice: name each generator once.")
    words = [_named(context, word, real=i == 0) for i, word in enumerate((sides.real, *sides.generated))]
    real, *made = open_alike(context.workspace, words, sides.size, sides.fit, sides.skip_broken)
    if len(real) < FEWEST:
        raise AnalysisError(f"{sides.real} holds {counted(len(real), 'image')}: a comparison needs {FEWEST} real ones.")
    same = [word for word, images in zip(sides.generated, made, strict=True) if images.sha256 == real.sha256]
    if same:
        raise AnalysisError(f"{same[0]} holds the same images as {sides.real}: name two different sides.")
    pairs = [
        SetPair(real, context.device, context.seed, label, images) for label, images in zip(labels, made, strict=True)
    ]
    return real, pairs


def _named(context: Context, word: str, *, real: bool) -> str | ImageSet:
    """The name of an image set or folder; for a run, that of its images, which are drawn from fresh latents and kept.

    A name shared by a run and an image set means the image set on the real side and the run on the generated side.
    """
    workspace = context.workspace
    if word not in workspace.names("runs") or (real and word in workspace.names("images")):
        return word
    from gan_core.sampling import generator_file, sample_set

    folder = workspace.existing("runs", word)
    if Run.of(folder).experiment.source is not None:
        translate = pasteable(workspace, "gan_core", "translate", word)
        raise AnalysisError(f"The run '{word}' translates images: use `{translate}` and compare its image set.")
    weights, draw = generator_file(folder), Draw(FRESH + context.seed)
    key = key_of("drawn", {"generator": sha256_file(weights), "count": GENERATED, "seed": draw.seed})[:12]
    kept = Workspace(workspace.root / OPENED).new("images", f"{word[:50]}-{key}")
    at = unfinished_at(folder)
    return sample_set(kept, weights, GENERATED, draw, pick_device(context.device), overwrite=True, unfinished=at)[0]


def _part(
    context: Context, name: str, pair: SetPair, compute: Callable[[SetPair], Mapping[str, Any]], at_most: int
) -> dict[str, Any]:
    """The result of one part, from the cache if nothing has changed; if it has none, the reason in `note`."""
    inputs = {
        **pair.inputs, "real": pair.real.name, "seed": context.seed, "extractor": extractor_key(context),
        "at_most": at_most,
    }  # fmt: skip
    try:
        return context.cached(f"compare-{name}", inputs, lambda: compute(pair))
    except OptionError:
        raise
    except GlimpseError as error:
        return {"note": str(error)}


def _differences(context: Context, pairs: Sequence[SetPair], at_most: int) -> list[dict[str, Any]]:
    """The difference in KID of each pair of generators, given the same real images, with Holm-corrected p-values."""
    if len(pairs) < 2:
        return []
    real, groups, _, _ = quality.real_images(pairs[0], context)
    rows = one_of_each(groups, np.random.default_rng(context.seed))[:at_most]
    units = {}
    for pair in pairs:
        made = pair.generated_features(pair.extractor(context), context, at_most)
        units[pair.name] = Units.of(
            real.values[rows], made.values[:at_most], groups[rows], pair.generated_groups(at_most)
        )
    found: list[dict[str, Any]] = []
    for i, one in enumerate(pairs):
        for other in pairs[i + 1 :]:
            rng = np.random.default_rng(context.seed)
            value, interval, p = difference_in_kid(units[one.name], units[other.name], rng)
            low, high = interval or (None, None)
            found.append({"first": one.name, "second": other.name, "kid": value, "low": low, "high": high, "p": p})
    corrected = iter(holm([row["p"] for row in found if row["p"] is not None]))
    return [{**row, "p_holm": None if row["p"] is None else float(next(corrected))} for row in found]


def _order(kid: float | None) -> float:
    return np.inf if kid is None else kid
