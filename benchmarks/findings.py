"""`python -m benchmarks.findings`: the paper's findings, one by one, in the runs of a workspace and its report.

Prints a Markdown table: finding, whether it shows here, the numbers. It reads the runs `df` and `mel`, the report's
parts on overfitting and truncation, and the rows of `benchmarks.translation`; what is missing is left out.

- Tiling: the share of spectral power in patterns that repeat after 8 pixels, a cell of Table 1's dense grid at 64x64.
- Variability: the variance of ImageNet features, summed, as a share of that of the held-out images.
- 'Looks nearer': nearer by ImageNet features. No person was asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.images import extractors
from analysis.sections.images.neighbours import nearest
from benchmarks.recipes import Pixels, features_of, grid_power, read
from gan_core.experiments import Draw
from gan_core.sampling import generate
from glimpse.command_line import program
from glimpse.files import read_json
from glimpse.imageset import ImageSet
from glimpse.workspace import Workspace

CELL = 8  # pixels
DRAWN, QUERIES = 200, 100  # generated images
STEADY = 3  # budgets at the end over which the Fréchet distance may swing


@dataclass(frozen=True)
class Finding:
    """A sentence of the paper, whether the numbers agree (None: not measured), and the numbers."""

    paper: str
    section: str
    holds: bool | None
    numbers: str

    @property
    def row(self) -> str:
        verdict = {True: "yes", False: "no", None: "not measured"}[self.holds]
        return f"| {self.paper} ({self.section}) | {verdict} | {self.numbers} |"


def tiling_and_variability(real: dict[str, Pixels], made: dict[str, Pixels]) -> list[Finding]:
    """The findings on tiling and variability, from held-out and generated images (n, H, W, 3) of df and mel."""
    extractor = extractors.load("imagenet")
    spread = {}
    for name in made:
        drawn, held_out = (features_of(extractor, images[name]).var(0, ddof=1).sum() for images in (made, real))
        spread[name] = drawn / held_out
    tiles = {name: (grid_power(made[name], CELL), grid_power(real[name], CELL)) for name in made}
    return [
        Finding(
            "Images of DF and of MEL show tiling", "4.1.3", all(mine > 2 * theirs for mine, theirs in tiles.values()),
            "; ".join(f"{n}: {mine:.3f} of the power, real images {theirs:.3f}" for n, (mine, theirs) in tiles.items()),
        ),
        Finding(
            "Images of DF lack variability, MEL has far more", "4.1.3", bool(spread["df"] < 0.8 * spread["mel"]),
            "; ".join(f"{n}: {share:.2f} of the variance of real images" for n, share in spread.items()),
        ),
    ]  # fmt: skip


def nearer_by_ssim(queries: Pixels, train: Pixels, name: str) -> Finding:
    """Whether the nearest training image by SSIM of each generated one is nearer by features than that by MSE."""
    by = {measure: nearest(queries, train, by=measure).indices[:, 0] for measure in ("ssim", "mse")}
    extractor = extractors.load("imagenet")
    asked = features_of(extractor, queries)
    far = {m: np.linalg.norm(asked - features_of(extractor, train[rows]), axis=1) for m, rows in by.items()}
    differ = by["ssim"] != by["mse"]
    wins = int((far["ssim"] < far["mse"])[differ].sum())
    ratio = far["ssim"].mean() / far["mse"].mean()
    return Finding(
        "SSIM finds nearer training images than the mean squared error", "4.1.2", sign_test(wins, int(differ.sum())),
        f"{name}: of {differ.sum()} images with two different neighbours SSIM's is nearer in {wins}; mean distance "
        f"{ratio:.2f} times that of the other",
    )  # fmt: skip


def sign_test(wins: int, of: int) -> bool:
    """Whether `wins` out of `of` are more than chance (one-sided, 5 %)."""
    from scipy.stats import binomtest

    return bool(of and binomtest(wins, of, alternative="greater").pvalue < 0.05)


def overfitting(scores: dict[str, Any]) -> list[Finding]:
    """The findings on overfitting, from the report's end gaps: do they follow the number of images or the width?"""
    runs = pd.DataFrame(list(scores.values())).sort_values(["training_images", "d_features"])
    said = "; ".join(
        f"{r.run} ({r.training_images:,} images, width {r.d_features}) {r.gap:.2f} ({r.low:.2f} to {r.high:.2f})"
        for r in runs.itertuples()
    )  # fmt: skip
    few, many = runs.iloc[0], runs.iloc[-1]
    widths = [g["gap"].max() - g["gap"].min() for _, g in runs.groupby("training_images") if len(g) > 1]
    by_images = runs.groupby("d_features")["gap"].agg(lambda gaps: gaps.max() - gaps.min()).max()
    return [
        Finding("The discriminator overfits with few images and not with many", "4.1.2",
                bool(few["low"] > many["high"]), said),
        Finding("Overfitting follows the number of images, not the width", "4.1.2",
                bool(by_images > 2 * max(widths)) if widths else None,
                f"largest difference by images {by_images:.2f}, by width {max(widths):.2f}" if widths else ""),
    ]  # fmt: skip


def truncation(scores: dict[str, Any]) -> list[Finding]:
    """The finding on truncation, from the report's Table 3 of each run."""
    found = []
    for run, of in scores.items():
        (name,) = {key for key in of["thresholds"][0] if key == "fid" or key.endswith("frechet_distance")}
        curve = [(row["threshold"], row[name]) for row in of["thresholds"]]
        *truncated, (_, plain) = curve
        lowest = min(truncated, key=lambda one: one[1])
        found.append(Finding(
            "Truncation lowers FID down to a threshold, and raises it below", "Table 3",
            bool(lowest[1] < plain < truncated[0][1]),
            f"{run}: " + ", ".join(f"{'none' if t is None else f'{t:g}'} {value:.1f}" for t, value in curve),
        ))  # fmt: skip
    return found


def translation(rows: pd.DataFrame) -> list[Finding]:
    """The findings on translation, from the rows of `benchmarks.translation`, recipe `paper`, seed 0."""
    rows = rows[(rows["recipe"] == "paper") & (rows["seed"] == 0) & (rows["budget"] > 0)].sort_values("budget")
    by = {f"{experiment} (makes {makes})": of for (experiment, makes), of in rows.groupby(["experiment", "makes"])}
    kept = {name: of["detail_outside"].iloc[-1] for name, of in by.items()}
    swing = {name: (f := of["frechet"].iloc[-STEADY:]).max() / f.min() for name, of in by.items()}
    steady = {name: value for name, value in swing.items() if name.startswith("cycle")}
    swinging = {name: value for name, value in swing.items() if name not in steady}
    remove, add = (kept.get(name, np.nan) for name in ("remove-eczema (makes healthy)", "add-eczema (makes eczema)"))
    cycle = min((value for name, value in kept.items() if name.startswith("cycle")), default=np.nan)
    return [
        Finding("Removal loses fine detail, the cycle keeps it", "4.2.1, 4.3", compared(remove, 0.95 * cycle),
                f"detail of the skin outside lesions that is kept: removal {remove:.2f}, cycle {cycle:.2f} or more"),
        Finding("Addition loses less detail than removal", "4.2.2", compared(remove, add),
                f"addition {add:.2f}, removal {remove:.2f}"),
        Finding("FID swings in translation (600 to 1100), less so in the cycle", "4.2.1, 4.3",
                compared(*(float(np.maximum(1.2, max(one.values(), default=np.nan))) for one in (steady, swinging))),
                f"highest over lowest Fréchet distance at the last {STEADY} budgets: "
                + ", ".join(f"{name} {value:.2f}" for name, value in (swinging | steady).items())),
    ]  # fmt: skip


def measured(workspace: Workspace, rows: Path) -> list[Finding]:
    """The findings for which the data exist: the runs df and mel, the report, the rows."""
    found: list[Finding] = []
    runs = [name for name in ("df", "mel") if (workspace.root / "runs" / name).is_dir()]
    sets = {name: ImageSet.load(workspace.existing("images", name)) for name in runs}
    made = {n: np.concatenate(list(generate(workspace.existing("runs", n), DRAWN, Draw(50_000)))) for n in sets}
    if len(runs) == 2:
        found += tiling_and_variability({n: np.asarray(i.images[i.where("test")]) for n, i in sets.items()}, made)
    report = workspace.root / "report" / "scores.json"
    sections = read_json(report) if report.is_file() else {}
    for name, of in (("overfitting", overfitting), ("truncation", truncation)):
        if sections.get(name):
            found += of({run: one for run, one in sections[name].items() if isinstance(one, dict)})
    found += [nearer_by_ssim(made[n][:QUERIES], np.asarray(i.images[i.where("train")]), n) for n, i in sets.items()]
    if rows.is_file():
        found += translation(pd.DataFrame(read(rows)))
    return found


def compared(lower: float, higher: float) -> bool | None:
    """Whether one number is lower than another; None where one is missing."""
    return None if np.isnan([lower, higher]).any() else bool(lower < higher)


def main(argv: Sequence[str] | None = None) -> None:
    parser = program("python -m benchmarks.findings", __doc__ or "")
    parser.add_argument("--rows", type=Path, default=Path("translation.jsonl"), metavar="FILE")
    args = parser.parse_args(argv)
    found = measured(Workspace.at(args.workspace), args.rows)
    print("| finding | shows here | numbers |\n| --- | --- | --- |\n" + "\n".join(one.row for one in found))


if __name__ == "__main__":
    main()
