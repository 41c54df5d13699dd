"""Drawn photos beside real ones: colour, power spectrum and gradients.

    python -m benchmarks.images.phantoms --real WORKSPACE --phantom WORKSPACE
        [--figure docs/images/phantoms-statistics.png]

Both workspaces hold image sets of the same names and sizes (prepared from real photos in one, `prepare phantom` in the
other); every set that is in both is compared. Prints a table; the figure shows curves only, no image.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse
from numpy.typing import NDArray
from skimage.color import rgb2lab

from analysis.figures.style import GENERATED, REAL, new_figure, styled
from glimpse.command_line import program
from glimpse.imageset import ImageSet
from glimpse.workspace import Workspace


class Statistics(NamedTuple):
    lab: NDArray[np.float64]  # (P, 3) CIELAB of some pixels
    power: NDArray[np.float64]  # mean power of L* by spatial frequency, cycles per image; index 0 is the mean
    gradients: NDArray[np.float64]  # density of |grad L*| over EDGES


EDGES = np.geomspace(0.05, 60, 40)


def statistics_of(images: NDArray[np.uint8]) -> Statistics:
    """The colours, power spectrum and gradients of images (N, H, W, 3)."""
    lab = rgb2lab(images)
    light = lab[..., 0] - lab[..., 0].mean((1, 2), keepdims=True)
    side = min(light.shape[1:])
    window = np.hanning(side)[:, None] * np.hanning(side)
    power = np.abs(np.fft.fftshift(np.fft.fft2(light[:, :side, :side] * window), (1, 2))) ** 2
    y, x = np.mgrid[-(side // 2) : side - side // 2, -(side // 2) : side - side // 2]
    ring = np.hypot(y, x).astype(int).ravel()
    radial = np.bincount(ring, power.mean(0).ravel())[: side // 2] / np.bincount(ring)[: side // 2]
    gradient = np.hypot(*np.gradient(light, axis=(1, 2)))
    return Statistics(lab.reshape(-1, 3)[::7], radial, np.histogram(gradient, EDGES, density=True)[0])


def compare(name: str, real: Statistics, phantom: Statistics) -> str:
    """One line of the table; slopes are of log power over log frequency (skin: about -2)."""
    cells = [f"{name:8}"]
    for one in (real, phantom):
        mean, sd = one.lab.mean(0), one.lab.std(0)
        k = np.arange(2, len(one.power))
        slope = np.polyfit(np.log(k), np.log(one.power[2:]), 1)[0]
        cells.append("  ".join(f"{m:5.1f} ± {s:4.1f}" for m, s in zip(mean, sd, strict=True)) + f"  {slope:5.2f}")
    return " | ".join(cells)


def figure(pairs: dict[str, tuple[Statistics, Statistics]]) -> Figure:
    """One row per set: a*-b* ellipses of one SD, power spectrum, gradient density."""
    drawing, axes = new_figure(9, 2.6 * len(pairs), nrows=len(pairs), ncols=3, squeeze=False)
    with styled():
        for (name, both), (colour, spectrum, edges) in zip(pairs.items(), axes, strict=True):
            for one, tint, label in zip(both, (REAL, GENERATED), ("real", "phantom"), strict=True):
                values, vectors = np.linalg.eigh(np.cov(one.lab[:, 1:].T))
                mean, tilt = one.lab[:, 1:].mean(0), np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
                wide, high = 2 * np.sqrt(values[1]), 2 * np.sqrt(values[0])
                colour.add_patch(Ellipse(tuple(mean), wide, high, angle=tilt, fill=False, color=tint, lw=1.5))
                colour.plot(*mean, "o", color=tint, label=label)
                spectrum.loglog(np.arange(1, len(one.power)), one.power[1:], color=tint)
                edges.semilogx(np.sqrt(EDGES[1:] * EDGES[:-1]), one.gradients * np.diff(EDGES), color=tint)
            colour.set(xlabel="a*", ylabel=f"{name}\nb*", xlim=(-5, 45), ylim=(-20, 40))
            spectrum.set(xlabel="cycles per image", ylabel="power of L*")
            edges.set(xlabel="gradient of L* a pixel", ylabel="share of pixels")
            colour.legend(frameon=False)
    return drawing


def some(folder: Path, most: int = 300) -> NDArray[np.uint8]:
    images = ImageSet.load(folder).images
    return images[np.unique(np.linspace(0, len(images) - 1, most).astype(int))]


if __name__ == "__main__":
    parser = program("python -m benchmarks.images.phantoms", __doc__ or "", workspace=False)
    parser.add_argument("--real", type=Path, required=True, metavar="DIR", help="workspace of real photos")
    parser.add_argument("--phantom", type=Path, required=True, metavar="DIR", help="workspace of drawn photos")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="write the curves there")
    args = parser.parse_args()
    real, phantom = Workspace(args.real), Workspace(args.phantom)
    both = sorted(set(real.names("images")) & set(phantom.names("images")))
    found = {
        n: (statistics_of(some(real.new("images", n))), statistics_of(some(phantom.new("images", n)))) for n in both
    }
    print(f"{'':8} | {'real: L*, a*, b*, slope':45} | phantom: L*, a*, b*, slope")
    for name, (one, other) in found.items():
        print(compare(name, one, other))
    if args.figure:
        figure(found).savefig(args.figure, dpi=110, transparent=False)
