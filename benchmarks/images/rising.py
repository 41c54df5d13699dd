"""Generators of rising quality: does the KID by each extractor fall from snapshot to snapshot of one training?

    python -m benchmarks.recipes --budgets 45 90 300 --rows recipes.jsonl
    python -m benchmarks.images.rising recipes

The folder holds the images that `benchmarks.recipes` keeps of each snapshot, EXPERIMENT-RECIPE-SEED-SECONDS.npy, 64
each. They are compared with the held-out images of the experiment's image set. Every snapshot after the first is
compared with the one before it: the difference in KID as a share of the earlier KID, with its p-value from half-samples
that share their real images. At the end: the steps in which the KID fell, and in which it fell with p < 0.05.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.images import extractors
from analysis.images.features import batches, extract
from analysis.images.kid import Units, difference_in_kid
from analysis.numbers import LEVEL
from glimpse.command_line import program
from glimpse.files import GlimpseError
from glimpse.imageset import ImageSet
from glimpse.workspace import Workspace

Pixels = NDArray[np.uint8]


def snapshots(folders: Sequence[Path]) -> dict[tuple[str, str, int], dict[float, Path]]:
    """The files of each training (experiment, recipe, seed) by its processor seconds, in the order of these."""
    found: dict[tuple[str, str, int], dict[float, Path]] = defaultdict(dict)
    for path in (path for folder in folders for path in folder.glob("*-*-*-*.npy")):
        name, seed, seconds = path.stem.rsplit("-", 2)
        experiment, recipe = name.split("-", 1)
        found[experiment, recipe, int(seed)][float(seconds)] = path
    return {key: dict(sorted(found[key].items())) for key in sorted(found)}


def steps(real: Pixels, groups: NDArray[np.str_], shown: dict[float, Pixels], name: str, train: Pixels) -> pd.DataFrame:
    """The KID of each snapshot (n, H, W, 3) by the extractor `name`, calibrated on `train`, its fall since the last.

    Columns: seconds, extractor, kid, fall (a share of the last KID; below zero where it rose), p.
    """
    extractor = extractors.load(name, calibration=train)
    x = extract(extractor, batches(real), len(real)).values
    rows: list[dict[str, object]] = []
    before: Units | None = None
    for seconds, images in shown.items():
        y = extract(extractor, batches(images), len(images)).values
        units = Units.of(x, y, groups, None)
        value, fall, p = float(units.kid(units.observed()[None])[0]), np.nan, None
        if before is not None:
            difference, _, p = difference_in_kid(before, units, np.random.default_rng(0))
            fall = difference / (value + difference)
        rows.append(
            {"seconds": seconds, "extractor": name, "kid": value, "fall": fall, "p": np.nan if p is None else p}
        )
        before = units
    return pd.DataFrame(rows, columns=["seconds", "extractor", "kid", "fall", "p"])


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """By extractor: the number of steps, those in which the KID fell or rose, and those with p < 0.05."""
    later = found.dropna(subset="fall")
    fell, clear = later["fall"] > 0, later["p"] < LEVEL
    counts = {"steps": fell | ~fell, "fell": fell, "fell, p < 0.05": fell & clear, "rose, p < 0.05": ~fell & clear}
    return pd.DataFrame({name: where.groupby(later["extractor"]).sum() for name, where in counts.items()})


def main(argv: Sequence[str] | None = None) -> None:
    parser = program("python -m benchmarks.images.rising", __doc__ or "")
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="snapshots of benchmarks.recipes")
    parser.add_argument("--extractors", nargs="+", default=["imagenet", "random"], metavar="NAME")
    args = parser.parse_args(argv)
    workspace, tables = Workspace.at(args.workspace), []
    for (experiment, recipe, seed), paths in snapshots(args.folders).items():
        if len(paths) < 2:
            continue
        images = ImageSet.load(workspace.existing("images", experiment))
        train, test = (np.asarray(images.images[images.where(side)]) for side in ("train", "test"))
        shown = {seconds: np.load(path) for seconds, path in paths.items()}
        for name in args.extractors:
            found = steps(test, images.groups[images.where("test")], shown, name, train)
            tables.append(found.assign(training=f"{experiment} {recipe} {seed}"))
    if not tables:
        raise GlimpseError(f"{args.folders[0]} has no two snapshots of one training: run benchmarks.recipes first.")
    frame = pd.concat(tables)
    print(frame.set_index(["training", "extractor", "seconds"]).to_string(float_format="{:.3f}".format))
    print(summary(frame).to_string())


if __name__ == "__main__":
    main()
