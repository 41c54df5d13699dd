"""`python -m benchmarks.translation`: recipes for adding and removing eczema, compared at equal processor time.

As `benchmarks.recipes`, for the experiments that translate, on any workspace with the image sets healthy and eczema. At
every budget up to 250 held-out images are translated and scored. A translator starts as the identity, so the scores at
budget 0 are those of the untouched images.

- KID and Fréchet distance (ImageNet features) to held-out images of the other domain; accuracy of a classifier that
  tells both apart, cross-validated by photo (0.5: it cannot).
- Detail: how much of the input's fine detail is kept outside the mask (without masks, everywhere), 0 to 1.
- Removal from phantoms, which know the same skin without eczema: PSNR and SSIM against it inside and outside the mask,
  and how much of its fine detail the result has inside the mask.

    gan_core prepare phantom
    python -m benchmarks.translation --rows translation.jsonl --pictures DIR
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import nn

from analysis.images import extractors
from analysis.images.distances import Moments, frechet
from analysis.images.kid import Units
from analysis.sections.images.machine_observer import observe
from benchmarks.recipes import Pixels, Recipe, features_of, options, run
from gan_core.training.data import to_pixels, to_signed
from gan_core.training.loop import Training
from gan_core.training.schemes import with_mask
from glimpse.images import as_picture, evenly, sheet, shrink
from glimpse.imageset import ImageSet
from glimpse.psnr_ssim import TruthScore

NARROW = ["g_features=64", "d_features=32", "batch=16"]
RECIPES: dict[str, Recipe] = {
    "paper": ("paper", NARROW),
    "modern": ("modern", NARROW),
    # `modern` with one setting changed
    "batch-norm": ("modern", [*NARROW, "d_norm=true"]),
    "one-rate": ("modern", [*NARROW, "lr=2e-4", "d_lr=2e-4"]),
    "no-flips": ("modern", [*NARROW, "flips=false"]),
    "deconvolution": ("modern", [*NARROW, "upsampling=deconvolution"]),
    "no-average": ("modern", [*NARROW, "ema_images=0"]),
}
EXPERIMENTS = ("remove-eczema", "add-eczema", "cycle-eczema")
MOST = 250  # images translated, and compared with
SHOWN = 6  # pictures of each direction


def detail(result: Pixels, like: Pixels, where: NDArray[np.bool_]) -> float:
    """The share of the fine detail of `like` (n, H, W, 3) that `result` has, at the pixels `where` (n, H, W).

    Detail is what a Gaussian blur of 1 pixel takes away from the grey image; the coefficient is that of a regression.
    """
    fine, wanted = (
        (grey - gaussian_filter(grey, (0, 1, 1)))[where]
        for grey in (i.astype(np.float64).mean(3) for i in (result, like))
    )
    return float((fine * wanted).sum() / (wanted**2).sum())


@dataclass(frozen=True)
class Direction:
    """The held-out images that a generator translates, and those of the domain that it makes."""

    domain: str
    inputs: Pixels  # (n, H, W, 3)
    given: Pixels | None  # (n, H, W), the masks that it is given
    lesions: Pixels | None  # (n, H, W), the masks that the inputs have
    truth: Pixels | None  # (n, H, W, 3), the same skin without eczema
    groups: NDArray[np.str_]
    real: NDArray[np.float32]
    real_groups: NDArray[np.str_]


class OtherDomain:
    """Scores translators by held-out images of the domain that they make, and by the truth where it is known."""

    def __init__(self, training: Training, image_sets: Mapping[str, ImageSet]) -> None:
        self.extractor = extractors.load("imagenet")
        experiment, (height, width) = training.run.experiment, (training.run.height, training.run.width)
        self.directions = []
        for domain in experiment.makes:
            other = _other(experiment.domains, domain)
            source, target = training.domains[other], training.domains[domain]
            images, like = image_sets[other], image_sets[domain]
            some, others = (evenly(np.arange(len(d.test)), MOST) for d in (source, target))
            lesions = None if source.test_masks is None else source.test_masks.numpy()[some]
            truth = None
            if images.truth is not None and lesions is not None:
                truth = np.stack([shrink(images.truth[row], height, width) for row in images.where("test")[some]])
            given = lesions
            if experiment.masked == domain:  # each mask with many images, as in training
                masks = target.test_masks
                assert masks is not None
                given = masks.numpy()[np.random.default_rng(0).integers(0, len(masks), len(some))]
            self.directions.append(Direction(
                domain, source.test.numpy()[some], given if experiment.masked else None, lesions, truth,
                images.groups[images.where("test")[some]],
                features_of(self.extractor, target.test.numpy()[others]), like.groups[like.where("test")[others]],
            ))  # fmt: skip

    def __call__(self, training: Training, seed: int) -> tuple[list[dict[str, Any]], Pixels]:
        generators = training.usable_generators()
        rows, pictures = [], []
        for direction in self.directions:
            made = translated(generators[direction.domain], direction.inputs, direction.given)
            rows.append({"makes": direction.domain, **self.scores(direction, made)})
            shown = evenly(np.arange(len(made)), SHOWN)
            if direction.given is not None:
                between = [as_picture(mask) for mask in direction.given[shown]]
                pictures += list(zip(direction.inputs[shown], between, made[shown], strict=True))
            else:
                back = translated(
                    generators[_other(training.run.experiment.domains, direction.domain)], made[shown], None
                )
                pictures += list(zip(direction.inputs[shown], made[shown], back, strict=True))
        return rows, np.array(pictures)  # (rows, 3, H, W, 3)

    def scores(self, direction: Direction, made: Pixels) -> dict[str, Any]:
        found = features_of(self.extractor, made)
        units = Units.of(direction.real, found, direction.real_groups, direction.groups)
        observed = observe(
            {"features": np.concatenate([direction.real, found])},
            np.arange(len(direction.real) + len(found)) >= len(direction.real),
            np.concatenate([direction.real_groups, direction.groups]),
        )["observers"]["features"]
        mask = direction.given if direction.given is not None else direction.lesions
        outside = np.ones(made.shape[:3], bool) if mask is None else mask == 0
        scores = {
            "kid": float(units.kid(units.observed()[None])[0]),
            "frechet": frechet(Moments.of(direction.real), Moments.of(found)),
            "accuracy": observed["accuracy"], "detail_outside": detail(made, direction.inputs, outside),
        }  # fmt: skip
        if direction.truth is not None and direction.lesions is not None:
            truth = TruthScore()
            for one, wanted, lesion in zip(made, direction.truth, direction.lesions, strict=True):
                truth.add(one, wanted, lesion)
            scores |= {**truth.result(), "detail_inside": detail(made, direction.truth, direction.lesions > 0)}
        return scores


def _other(domains: Sequence[str], domain: str) -> str:
    return next(d for d in domains if d != domain)


@torch.no_grad()
def translated(generator: nn.Module, images: Pixels, masks: Pixels | None) -> Pixels:
    """Images (n, H, W, 3) translated by a generator, which is given the masks (n, H, W) if it takes any."""
    parts = []
    for i in range(0, len(images), 50):
        given = to_signed(torch.from_numpy(images[i : i + 50]))
        parts.append(
            to_pixels(generator(given if masks is None else with_mask(given, torch.from_numpy(masks[i : i + 50]))))
        )
    return np.concatenate(parts)


COLUMNS = {
    "kid": ("KID", ".3f"), "frechet": ("Fréchet distance", ".1f"), "accuracy": ("observer", ".2f"),
    "detail_outside": ("detail outside", ".2f"), "psnr_inside": ("PSNR inside", ".1f"),
    "psnr_outside": ("PSNR outside", ".1f"), "ssim_inside": ("SSIM inside", ".3f"),
    "ssim_outside": ("SSIM outside", ".3f"), "detail_inside": ("detail inside", ".2f"),
}  # fmt: skip


def table(rows: pd.DataFrame) -> str:
    """Markdown: medians over the seeds of each recipe, budget and direction."""
    shown = {key: how for key, how in COLUMNS.items() if key in rows}
    keys = ["experiment", "makes", "budget", "recipe"]
    by = rows.groupby(keys, sort=False)
    found = by[["images", *shown]].median().assign(seeds=by.size())
    lines = [
        "| experiment | makes | processor s | recipe | seeds | images | "
        + " | ".join(title for title, _ in shown.values()) + " |",
        "| --- | --- | ---: | --- |" + " ---: |" * (2 + len(shown)),
    ]  # fmt: skip
    for (experiment, makes, budget, recipe), row in found.sort_index(level=[0, 1, 2], sort_remaining=False).iterrows():
        values = ["" if np.isnan(row[key]) else format(row[key], how) for key, (_, how) in shown.items()]
        lines.append(
            f"| {experiment} | {makes} | {budget:g} | `{recipe}` | {row['seeds']:.0f} | {row['images']:,.0f} | "
            + " | ".join(values) + " |"
        )  # fmt: skip
    return "\n".join(lines)


def draw(rows: pd.DataFrame, states: Path, experiment: str) -> Pixels:
    """The last pictures of seed 0: rows of input, mask (or translation) and result (or reconstruction)."""
    of = rows[(rows["experiment"] == experiment) & (rows["seed"] == 0)]
    last = of.groupby("recipe", sort=False)["budget"].max()
    files = [states / f"{experiment}-{recipe}-0-{budget:g}.npy" for recipe, budget in last.items()]
    pictures = np.concatenate([np.load(file) for file in files], axis=1)
    return sheet([list(row) for row in pictures], margin=2)


def main(argv: Sequence[str] | None = None) -> None:
    parser = options("translation", __doc__ or "", RECIPES, EXPERIMENTS, [0, 40, 80, 120])
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="for each experiment EXPERIMENT.png, all recipes")
    args = parser.parse_args(argv)
    rows = run(args, RECIPES, OtherDomain)
    print(table(rows))
    if args.pictures:
        args.pictures.mkdir(parents=True, exist_ok=True)
        for experiment in args.experiments:
            picture = Image.fromarray(draw(rows, args.rows.with_suffix(""), experiment))
            picture.save(args.pictures / f"{experiment}.png")


if __name__ == "__main__":
    main()
