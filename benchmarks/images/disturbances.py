"""Every distance under growing disturbance, like figure 3 of Heusel et al. 2017: a figure and a table.

    python -m benchmarks.images.disturbances --images healthy --other eczema --out docs/images/disturbances.svg

One image of each group of `--images` is used, at most 200 a side. One side stands for the real images; the other is
disturbed: blurred, made noisy, saved as JPEG, swirled, erased in part, cropped, its tiles shuffled, or replaced in part
by images of `--other`. With `--generated`, a quarter, a half and three quarters are images of a generator instead, and
nothing else is disturbed: generators of falling quality, in a known order. The table gives the KID at each level and
the first level that a permutation test detects.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from analysis.figures.pictures import WIDTH
from analysis.figures.style import MARKERS, PALETTE, new_figure, styled
from analysis.images import extractors
from analysis.images.distances import frechet_distance, precision_recall
from analysis.images.features import batches, extract
from analysis.images.kid import Units, kid, permutation_p
from glimpse.command_line import program
from glimpse.images import evenly, through_jpeg
from glimpse.imageset import ImageSet
from glimpse.workspace import Workspace

Images = NDArray[np.uint8]
Disturbance = Callable[[Images, int], Images]  # of images, at a level
LEVELS = (0, 1, 2, 3)
IMAGES = 200


def blurred(images: Images, level: int) -> Images:
    return gaussian_filter(images.astype(np.float32), (0, level, level, 0)).round().astype(np.uint8)


def noisy(images: Images, level: int) -> Images:
    noise = np.random.default_rng(level).normal(0, 8 * level, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def swirled(images: Images, level: int) -> Images:
    """Turned about the centre by up to twice `level` radians, less towards the edge."""
    height, width = images.shape[1:3]
    y, x = np.mgrid[:height, :width].astype(float)
    y, x = y - (height - 1) / 2, x - (width - 1) / 2
    angle = 2 * level * np.exp(-np.hypot(y, x) / (0.35 * min(height, width)))
    places = [
        y * np.cos(angle) + x * np.sin(angle) + (height - 1) / 2,
        x * np.cos(angle) - y * np.sin(angle) + (width - 1) / 2,
    ]
    turned = [[map_coordinates(image[..., c], places, order=1, mode="reflect") for c in range(3)] for image in images]
    return np.moveaxis(np.asarray(turned, np.uint8), 1, 3)


def compressed(images: Images, level: int) -> Images:
    """Through JPEG at quality 60, 30 or 10."""
    return np.stack([through_jpeg(image, (60, 30, 10)[level - 1]) for image in images])


def erased(images: Images, level: int) -> Images:
    """A grey rectangle over 5 % of each image at level 1, 10 % and 15 % above it, anywhere."""
    rng, done = np.random.default_rng(level), images.copy()
    height, width = (round(side * np.sqrt(0.05 * level)) for side in images.shape[1:3])
    for image in done:
        top, left = (
            rng.integers(0, whole - part + 1) for whole, part in zip(image.shape, (height, width), strict=False)
        )
        image[top : top + height, left : left + width] = 128
    return done


def shuffled(images: Images, level: int) -> Images:
    """The tiles of a grid of 2, 4 or 8 a side in random order; sides that do not divide are cropped."""
    rng, tiles = np.random.default_rng(level), 2**level
    height, width = (side // tiles for side in images.shape[1:3])
    done = images[:, : height * tiles, : width * tiles]
    grid = (
        done.reshape(len(done), tiles, height, tiles, width, 3).swapaxes(2, 3).reshape(len(done), -1, height, width, 3)
    )
    grid = np.stack([image[rng.permutation(tiles * tiles)] for image in grid])
    return grid.reshape(len(done), tiles, tiles, height, width, 3).swapaxes(2, 3).reshape(done.shape)


def cropped(images: Images, level: int) -> Images:
    """The middle, of 85, 70 or 55 % of each side, enlarged to the old size."""
    height, width = images.shape[1:3]
    y, x = round(height * 0.075 * level), round(width * 0.075 * level)
    middle = [Image.fromarray(image[y : height - y, x : width - x]) for image in images]
    return np.stack([np.asarray(image.resize((width, height), Image.Resampling.BICUBIC)) for image in middle])


def contaminated(other: Images) -> Disturbance:
    """A quarter, a half or three quarters replaced by images of `other`."""

    def replace(images: Images, level: int) -> Images:
        count = min(len(other), len(images) * level // 4)
        return np.concatenate([images[: len(images) - count], other[:count]])

    return replace


DISTURBANCES: dict[str, Disturbance] = {
    "blur": blurred, "noise": noisy, "JPEG": compressed, "swirl": swirled, "erased": erased, "shuffled": shuffled,
    "crop": cropped,
}  # fmt: skip


def curves(
    real: Images, held_out: Images, kinds: Mapping[str, Disturbance], names: Sequence[str] = ("random",),
    weights: Path | None = None,
) -> pd.DataFrame:  # fmt: skip
    """All distances between `real` and the disturbed `held_out`: disturbance, level, extractor, distance, value."""
    return pd.DataFrame(_rows(real, held_out, kinds, names, weights))


def _rows(
    real: Images, held_out: Images, kinds: Mapping[str, Disturbance], names: Sequence[str], weights: Path | None
) -> Iterator[dict[str, object]]:
    for name in names:
        extractor = extractors.load(name, calibration=real, weights=weights)
        x = extract(extractor, batches(real), len(real))
        untouched = extract(extractor, batches(held_out), len(held_out))
        for kind, disturb in kinds.items():
            for level in LEVELS:
                images = disturb(held_out, level) if level else held_out
                y = extract(extractor, batches(images), len(images)) if level else untouched
                values = {
                    "Fréchet distance": frechet_distance(x, y), "KID": kid(x.values, y.values),
                    "1 − coverage": 1 - precision_recall(x.values, y.values)["coverage"],
                    "p": permutation_p(Units.of(x.values, y.values, None, None), np.random.default_rng(0), 199),
                }  # fmt: skip
                for distance, value in values.items():
                    yield {"disturbance": kind, "level": level, "extractor": name, "distance": distance, "value": value}


def draw(frame: pd.DataFrame) -> Figure:
    """Every distance under growing disturbance, each divided by its own largest value (Heusel et al. 2017, figure 3).

    Columns: disturbance, level, extractor, distance, value.
    """
    kinds = list(dict.fromkeys(frame["disturbance"]))
    extractors = list(dict.fromkeys(frame["extractor"]))
    with styled():
        figure, axes = new_figure(
            WIDTH, 1.9 * len(extractors) + 0.6, nrows=len(extractors), ncols=len(kinds), squeeze=False, sharey=True
        )
        for row, (line, extractor) in enumerate(zip(axes, extractors, strict=True)):
            for ax, kind in zip(line, kinds, strict=True):
                rows = frame[(frame["extractor"] == extractor) & (frame["disturbance"] == kind)]
                rows = rows[rows["distance"] != "p"]
                for i, (distance, curve) in enumerate(rows.groupby("distance", sort=False)):
                    largest = curve["value"].abs().max() or 1.0
                    ax.plot(
                        curve["level"], curve["value"] / largest, color=PALETTE[i],
                        marker=MARKERS[i], markersize=4, label=distance,
                    )  # fmt: skip
                ax.set_title(kind.replace(" ", "\n") if row == 0 else "")
                ax.set_xticks(sorted(set(rows["level"])))
                ax.set_xlabel("level" if row == len(extractors) - 1 else "")
            line[0].set_ylabel(f"{extractor},\nshare of the largest")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def table(frame: pd.DataFrame) -> pd.DataFrame:
    """For each extractor and disturbance: KID by level, whether it rises at every step, first level with p < 0.05."""
    values = frame.pivot_table(
        index=["extractor", "disturbance"], columns=["distance", "level"], values="value", sort=False
    )
    found = values["KID"].copy()
    found["rises"] = (found.diff(axis=1).iloc[:, 1:] > 0).all(axis=1)
    found["seen from"] = [
        next((level for level in LEVELS[1:] if p[level] < 0.05), None) for _, p in values["p"].iterrows()
    ]
    return found


def main() -> None:
    parser = program("python -m benchmarks.images.disturbances", __doc__ or "")
    parser.add_argument("--images", default="healthy", metavar="SET", help="image set to disturb")
    parser.add_argument("--other", default="eczema", metavar="SET", help="image set that replaces a part")
    parser.add_argument("--generated", metavar="SET", help="image set of a generator that replaces a part, alone")
    parser.add_argument(
        "--extractors", nargs="+", default=["imagenet", "random"], metavar="NAME",
        help="default: imagenet random",
    )  # fmt: skip
    parser.add_argument("--weights", type=Path, metavar="FILE", help="weights of the one extractor named")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also draw a figure: .svg, .png or .pdf")
    args = parser.parse_args()
    workspace = Workspace.at(args.workspace)
    images, other = (
        ImageSet.load(workspace.existing("images", name)) for name in (args.images, args.generated or args.other)
    )
    rows = np.random.default_rng(0).permutation(np.unique(images.groups, return_index=True)[1])
    halves = [np.asarray(images.images[np.sort(half)]) for half in (rows[0::2][:IMAGES], rows[1::2][:IMAGES])]
    replaced = contaminated(evenly(other.images, IMAGES))
    kinds = {"generated": replaced} if args.generated else {**DISTURBANCES, "another class": replaced}
    frame = curves(*halves, kinds, args.extractors, args.weights)
    if args.out:
        draw(frame).savefig(args.out, metadata={"Date": None} if args.out.suffix == ".svg" else None)
    print(f"{images.folder}: {len(halves[0])} against {len(halves[1])} images, one of each group")
    print(table(frame).to_string())


if __name__ == "__main__":
    main()
