"""`python -m benchmarks.recipes`: training recipes compared at equal processor time, on any experiment's image set.

Each recipe trains each experiment with each seed on one thread. At every budget of processor seconds it is scored on
1,000 fresh latents: KID against held-out images (by ImageNet and by random features) and against training images,
precision and recall, copies of training images, and the share of spectral power at periods of 2 and 4 pixels, which
shows the grid of a deconvolution. Scoring costs no budget. One JSON line a snapshot goes to `--rows FILE`; a stopped
benchmark resumes at the last snapshot. At the end: a Markdown table of medians over the seeds, and with `--figure FILE`
KID over processor time.

    gan_core prepare isic HAM10000 --label DF MEL --size 64
    python -m benchmarks.recipes --rows recipes.jsonl --figure recipes.svg
"""

from __future__ import annotations

import json
import os
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogLocator, NullFormatter
from numpy.typing import NDArray

from analysis.figures.pictures import WIDTH
from analysis.figures.style import MARKERS, PALETTE, new_figure, styled
from analysis.images import extractors
from analysis.images.copying.assess import assess
from analysis.images.distances import precision_recall
from analysis.images.extractors import Extractor
from analysis.images.features import batches, extract
from analysis.images.kid import kid
from benchmarks.__main__ import processor
from gan_core.experiments import Settings
from gan_core.sampling import latents
from gan_core.training.data import to_pixels
from gan_core.training.loop import Training
from gan_core.training.request import Request, describe_run, into_memory, open_domains
from glimpse.command_line import program
from glimpse.files import atomic_file
from glimpse.imageset import ImageSet
from glimpse.settings import parse_settings
from glimpse.workspace import Workspace

Pixels = NDArray[np.uint8]
NARROW = ["g_features=64", "d_features=16", "batch=16"]  # for a CPU: the paper's widths take days there
Recipe = tuple[str, list[str]]  # a preset, and settings that differ from it
RECIPES: dict[str, Recipe] = {
    "paper": ("paper", NARROW),
    "modern": ("modern", NARROW),
    # `modern` with one setting changed
    "paper-adam": ("modern", [*NARROW, "lr=5e-5", "beta1=0.9"]),
    "no-average": ("modern", [*NARROW, "ema_images=0"]),
    "nearest": ("modern", [*NARROW, "upsampling=nearest"]),
    "no-flips": ("modern", [*NARROW, "flips=false"]),
    "no-diffaugment": ("modern", [*NARROW, "diffaugment=0"]),
    "diffaugment-faster": ("modern", [*NARROW, "diffaugment=20000"]),
    "dense-norm": ("modern", [*NARROW, "dense_norm=true"]),
    "r1": ("modern", [*NARROW, "r1=0.1"]),
    "wider-d": ("modern", [*NARROW, "d_features=32"]),
    "wider-g": ("modern", [*NARROW, "g_features=128"]),
    "faster": ("modern", [*NARROW, "lr=4e-4"]),
}
GENERATED = 1_000  # images a score
MOST_REAL = 1_000
SAVE_EVERY = 60  # processor seconds


def grid_power(images: Pixels, period: int = 4) -> float:
    """Share of the spectral power (without the mean) of images (n, H, W, 3) in patterns that repeat after `period`
    pixels: at this period on an axis, and at its halves, thirds, ..."""
    grey = images.astype(np.float64).mean(3)
    height, width = (side - side % period for side in grey.shape[1:])
    grey = grey[:, :height, :width]
    power = np.abs(np.fft.fft2(grey - grey.mean((1, 2), keepdims=True))) ** 2
    grid = power[:, :: height // period, :: width // period].sum((1, 2))
    return float((grid / power.sum((1, 2))).mean())


class Judge(Protocol):
    """Scores the images that a training makes; has the image sets (by domain) that it learns from."""

    def __call__(self, training: Training, seed: int) -> tuple[list[dict[str, Any]], Pixels]:
        """The scores, one row for each domain that is made, and some of the images."""
        ...


class HeldOut:
    """Scores 1,000 images of an unconditional training by held-out images."""

    def __init__(self, training: Training, image_sets: Mapping[str, ImageSet]) -> None:
        target = training.run.experiment.target
        domain, images = training.domains[target], image_sets[target]
        self.train, self.test = domain.train.numpy(), domain.test.numpy()
        self.groups = {side: images.groups[images.where(side)] for side in ("train", "test")}
        self.extractors = {name: extractors.load(name, calibration=self.train) for name in ("imagenet", "random")}
        self.real = {
            (name, side): features_of(extractor, images[:MOST_REAL])
            for name, extractor in self.extractors.items()
            for side, images in (("train", self.train), ("test", self.test))
        }

    def __call__(self, training: Training, seed: int) -> tuple[list[dict[str, Any]], Pixels]:
        generated = samples(training, seed + 50_000)
        found = {name: features_of(extractor, generated) for name, extractor in self.extractors.items()}
        near = precision_recall(self.real["imagenet", "train"], found["imagenet"])
        copies = assess(self.train, self.groups["train"], self.test, self.groups["test"], generated).verdict
        scores = {
            "kid": kid(self.real["imagenet", "test"], found["imagenet"]),
            "kid_random": kid(self.real["random", "test"], found["random"]),
            "kid_train": kid(self.real["imagenet", "train"], found["imagenet"]),
            "precision": near["precision"], "recall": near["recall"],
            "copied": copies.share, "alarm": bool(copies.alarm), "grid": grid_power(generated),
        }  # fmt: skip
        return [scores], generated[:64]


def features_of(extractor: Extractor, images: Pixels) -> NDArray[np.float32]:
    return extract(extractor, batches(images), len(images)).values


def samples(training: Training, seed: int) -> Pixels:
    """`GENERATED` images of the run's generator, as it would be saved."""
    generator = training.usable_generators()[training.run.experiment.target]
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        parts = [to_pixels(generator(latents(100, training.run.settings.z_dim, rng))) for _ in range(GENERATED // 100)]
    return np.concatenate(parts)


@dataclass(frozen=True)
class Comparison:
    """Recipes that train at equal processor time, and their judge; finished rows and states are saved beside `rows`."""

    workspace: Workspace
    recipes: Mapping[str, Recipe]
    judge: Callable[[Training, Mapping[str, ImageSet]], Judge]
    budgets: Sequence[float]  # processor seconds
    rows: Path

    def measure(self, experiment: str, recipe: str, seed: int) -> None:
        """Train until the last budget, adding lines to `rows` at each that is not there."""
        facts = {"experiment": experiment, "recipe": recipe, "seed": seed}
        done = {row["budget"] for row in read(self.rows) if facts.items() <= row.items()}
        if done >= set(self.budgets):
            return
        preset, words = self.recipes[recipe]
        image_sets = open_domains(self.workspace, experiment, Request())
        chosen = {**parse_settings(words, Settings), "seed": seed, "images": 10**9}
        run = describe_run(experiment, experiment, image_sets, Request(preset, chosen))
        folder = self.rows.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        training = Training(run, into_memory(run, image_sets, torch.device("cpu")), folder, torch.device("cpu"))
        judge = self.judge(training, image_sets)
        machine = {"processor": processor(), "bf16": training.engine.bf16}
        state = folder / f"{experiment}-{recipe}-{seed}.pt"
        if state.is_file():
            saved = torch.load(state, weights_only=True)
            training.engine.load(saved["engine"])
            training.seconds = saved["seconds"]
        for budget in sorted(set(self.budgets)):
            if budget in done or budget < training.seconds:
                continue
            train_until(training, budget, state)
            loss_d = training.engine.gathered()["loss_d"]
            training.engine.new_tick()
            scores, pixels = judge(training, seed)
            np.save(folder / f"{experiment}-{recipe}-{seed}-{budget:g}.npy", pixels)
            made = {**facts, "budget": budget, "images": training.engine.images, "loss_d": loss_d, **machine}
            lines = "".join(json.dumps({**made, **row}) + "\n" for row in scores)
            with open(self.rows, "a") as file:
                file.write(lines)
            print(lines, end="", flush=True)
            save(training, state)


def train_until(training: Training, budget: float, state: Path) -> None:
    """Train until `budget` processor seconds in total, saving the state every minute."""
    began = time.process_time() - training.seconds
    kept = training.seconds
    while training.seconds < budget:
        training.engine.step()
        training.seconds = time.process_time() - began
        if training.seconds > kept + SAVE_EVERY:
            save(training, state)
            kept = training.seconds


def save(training: Training, state: Path) -> None:
    with atomic_file(state) as temporary:
        torch.save({"engine": training.engine.state(), "seconds": training.seconds}, temporary)


def read(rows: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in rows.read_text().splitlines()] if rows.is_file() else []


def table(rows: pd.DataFrame) -> str:
    """Markdown: medians over the seeds of each recipe at each budget, and KID's ratio to the first recipe's."""
    shown = ["kid", "kid_random", "kid_train", "precision", "recall", "copied", "grid", "images"]
    keys = ["experiment", "budget", "recipe"]
    found = rows.groupby(keys, sort=False)[shown].median()
    found["seeds"] = rows.groupby(keys, sort=False).size()
    found["alarms"] = rows.groupby(keys, sort=False)["alarm"].sum()
    first = found.xs(rows["recipe"].iloc[0], level="recipe")["kid"]
    lines = [
        "| experiment | processor s | recipe | seeds | images | KID, held out | × the first | KID, training | "
        "KID, random features | precision | recall | copies (alarms) | grid |",
        "| --- | ---: | --- |" + " ---: |" * 10,
    ]
    for (experiment, budget, recipe), row in found.sort_index(level=[0, 1], sort_remaining=False).iterrows():
        ratio = row["kid"] / first[experiment, budget]
        copies = f"{row['copied']:.1%} ({row['alarms']:.0f})"
        lines.append(
            f"| {experiment} | {budget:g} | `{recipe}` | {row['seeds']:.0f} | {row['images']:,.0f} | "
            f"{row['kid']:.3f} | {ratio:.2f} | {row['kid_train']:.3f} | {row['kid_random']:.3f} | "
            f"{row['precision']:.2f} | {row['recall']:.2f} | {copies} | {row['grid']:.4f} |"
        )
    return "\n".join(lines)


def draw(rows: pd.DataFrame) -> Figure:
    """KID over processor time: a panel for each experiment, a line for each recipe, a band from seed to seed."""
    experiments = list(dict.fromkeys(rows["experiment"]))
    with styled():
        figure, axes = new_figure(WIDTH, 3.0, ncols=len(experiments), squeeze=False, sharex=True, sharey=True)
        for ax, experiment in zip(axes[0], experiments, strict=True):
            for i, (recipe, of) in enumerate(rows[rows["experiment"] == experiment].groupby("recipe", sort=False)):
                by = of.groupby("budget")["kid"]
                colour, minutes = PALETTE[i % len(PALETTE)], by.median().index / 60
                ax.fill_between(minutes, by.min(), by.max(), color=colour, alpha=0.2, linewidth=0)
                ax.plot(
                    minutes, by.median(), color=colour, marker=MARKERS[i % len(MARKERS)], markersize=4, label=recipe
                )
            ax.set_title(experiment)
            ax.set_xscale("log")
            ax.set_yscale("log")
            ax.xaxis.set_major_locator(FixedLocator(sorted(rows["budget"].unique() / 60)))
            ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_formatter("{x:g}")
                axis.set_minor_formatter(NullFormatter())
            ax.set_xlabel("processor time in min")
        axes[0, 0].set_ylabel("KID against held-out images")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(labels)))
    return figure


def options(
    name: str, meaning: str, recipes: Mapping[str, Recipe], experiments: Sequence[str], budgets: Sequence[float]
) -> ArgumentParser:
    """The options that every comparison has; `run` takes them."""
    parser = program(f"python -m benchmarks.{name}", meaning)
    parser.add_argument("--experiments", nargs="+", default=list(experiments), metavar="EXPERIMENT")
    parser.add_argument("--recipes", nargs="+", default=["paper", "modern"], choices=list(recipes))
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--budgets", type=float, nargs="+", default=list(budgets), metavar="S", help="in s")
    parser.add_argument("--rows", type=Path, default=Path(f"{name}.jsonl"), metavar="FILE", help="one line a snapshot")
    return parser


def run(
    args: Namespace, recipes: Mapping[str, Recipe], judge: Callable[[Training, Mapping[str, ImageSet]], Judge]
) -> pd.DataFrame:
    """Measure what is not measured yet, and return the rows of the experiments, recipes and budgets asked for."""
    torch.set_num_threads(1)
    comparison = Comparison(Workspace.at(args.workspace), recipes, judge, args.budgets, args.rows)
    for seed in range(args.seeds):
        for experiment in args.experiments:
            for recipe in args.recipes:
                comparison.measure(experiment, recipe, seed)
    rows = pd.DataFrame(read(args.rows))
    asked = {"experiment": args.experiments, "recipe": args.recipes, "budget": args.budgets}
    return rows[rows[list(asked)].isin(asked).all(axis=1)]


def main(argv: Sequence[str] | None = None) -> None:
    parser = options("recipes", __doc__ or "", RECIPES, ["df", "mel"], [300, 1200, 3600, 7200])
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw KID over processor time: .svg, .png or .pdf")
    args = parser.parse_args(argv)
    rows = run(args, RECIPES, HeldOut)
    print(table(rows))
    if args.figure:
        draw(rows).savefig(args.figure, metadata={"Date": None} if args.figure.suffix == ".svg" else None)


if __name__ == "__main__":
    main()
