"""`python -m analysis.compare`: compare one or several generators with the same real images.

Each side is an image set, a folder of images or a run; no workspace is needed. The generators are ranked by KID, with
intervals, p-values and Holm-corrected differences, beside every other measure of the report.

PYTHON_ARGCOMPLETE_OK
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import EXTRACTORS
from analysis.images import BLIND, better
from glimpse.command_line import Parser, aligned, program, run_command
from glimpse.files import GlimpseError, atomic_file
from glimpse.prepare.commands import add_fit
from glimpse.prepare.option_types import side_or_height_and_width
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from analysis.comparison import ComparisonResult

PICTURES = (".png", ".pdf", ".svg")


def build_parser() -> Parser:
    parser = program(
        "python -m analysis.compare",
        "Compare generated images with real ones, each an image set, a folder of images or a run: KID with p-value and "
        "interval, Fréchet distance, precision, recall, density, coverage, a test for copies, a classifier, and the "
        "nearest real images as a picture. Several generators are ranked by KID. No workspace is needed: without one, "
        "images and features are kept in ~/.cache/glimpse ($XDG_CACHE_HOME).",
    )
    add = parser.add_argument
    add("real", metavar="REAL", names="images", help="real images: an image set, a folder or a run")
    add("generated", metavar="GENERATED", nargs="+", names="runs",
        help="generated images: a run, an image set or a folder, each one generator")  # fmt: skip
    add("--size", type=side_or_height_and_width, metavar="N|HxW",
        help="size at which all are compared (default: the largest that needs no enlargement)")  # fmt: skip
    add_fit(parser)
    add("--skip-broken", action="store_true", help="skip unreadable files of folders")
    add("--extractor", default="auto", metavar="NAME", names=("auto", *EXTRACTORS),
        help=f"features for distances: {', '.join(EXTRACTORS)}, or your own function as module:function, from images "
        "(N, H, W, 3) uint8 to features (N, d); auto takes the first of the three with weights")  # fmt: skip
    add("--weights", metavar="FILE", type=Path, help="Inception's weights, if they cannot be downloaded")
    add("--out", metavar="FILE", type=Path, help="draw the nearest neighbours as a picture (.png, .pdf or .svg)")
    parser.add_seed("all resampling and of a run's latents")
    parser.add_json()
    parser.add_device()
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    return run_command(lambda: run(args), "Stopped; what was computed is kept.")


def run(args: argparse.Namespace) -> int:
    if args.out and args.out.suffix.lower() not in PICTURES:
        raise GlimpseError(f"--out {args.out}: name a file that ends in {', '.join(PICTURES[:-1])} or {PICTURES[-1]}.")
    import torch  # noqa: F401  # else pandas, which a smaller extra installs too, would be named as missing

    from analysis import comparison
    from analysis.images.extractors import check_extractor
    from analysis.section import Context

    check_extractor(args.extractor, args.weights)
    workspace = workspace_or_cache(args.workspace)
    context = Context(
        workspace, seed=args.seed, extractor=args.extractor, weights=args.weights, device=args.device,
        cache=workspace.root / "compared",
    )  # fmt: skip
    sides = comparison.Sides(args.real, args.generated, args.size, args.fit, args.skip_broken)
    found = comparison.compare(context, sides)
    if args.out:
        write_picture(found, args.out)
    if args.json:
        print(json.dumps({**found.scores(), "picture": str(args.out) if args.out else None}, indent=1))
        return 0
    print("\n".join(in_words(found)))
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    picture = f"Picture of the nearest real images: {args.out}." if args.out else "--out FILE.png draws neighbours."
    print(f"\n{picture} Images and features are kept in {workspace.root}.")
    return 0


def workspace_or_cache(named: str | None) -> Workspace:
    """The workspace if there is one, else the user's cache folder.

    Raises GlimpseError if a workspace is named and does not exist.
    """
    workspace = Workspace.at(named)
    if workspace.root.is_dir():
        return workspace
    if named or os.environ.get("GLIMPSE_WORKSPACE"):
        origin = Workspace.origin(named)
        remedy = "unset it" if origin.startswith("$") else "leave it out"
        raise GlimpseError(
            f"There is no workspace at {workspace.root}: correct {origin}, or {remedy}, since none is needed."
        )
    return Workspace(Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "glimpse")


def write_picture(found: ComparisonResult, path: Path) -> None:
    figure = found.picture()
    with atomic_file(path) as temporary:
        figure.savefig(
            temporary,
            format=path.suffix[1:].lower(),
            dpi=200,
            transparent=False,
            facecolor="white",
            bbox_inches="tight",
        )


# ------------------------------------------------------------------------------------------------ in words


def in_words(found: ComparisonResult) -> list[str]:
    """The lines to print: a table with a row per generator, the differences, and the limits of the numbers."""
    from glimpse.command_line import counted
    from glimpse.images import size_in_words

    facts, rows = found.facts, found.rows
    side = {
        "test": "its held-out test images",
        "train": "none held out: at most half of them are compared with the generated images, the rest with that half",
    }[facts["against"]]
    lines = [
        f"Real: {facts['real']}, {facts['images']:,} images of {facts['groups']:,} groups ({side}). All images at "
        f"{size_in_words(facts['height'], facts['width'])} pixels; {facts['n']:,} of each side for distances, features "
        f"{facts['extractor']}.",
        "",
        *aligned([_header(facts), *map(_cells, rows), _real_cells(rows[0]["quality"])], left=(1,)),
        "",
        f"The {facts['kernel_distance']} has its 95 % interval and permutation p; Fréchet is the {facts['distance']}; "
        "copies: share of generated images nearer to one real image than 99 % of real ones are "
        f"(1 % expected) and p; machine: accuracy of a cross-validated classifier (chance 50 %).",
    ]  # fmt: skip
    if facts["extractor"] == "random":
        lines.append(f"{BLIND[0].upper()}{BLIND[1:]}.")
    if rows[0]["quality"].get("biased"):
        lines.append(f"At n = {facts['n']:,} the Fréchet distance is biased: read it beside real against real only.")
    for row in rows:
        notes = [part["note"] for part in row.values() if isinstance(part, dict) and part.get("note")]
        lines += [f"{row['name']}: {note.rstrip('.')}." for note in notes]
        if row["copies"].get("exact"):
            exact = counted(row["copies"]["exact"], "exact copy", "exact copies")
            lines.append(f"{row['name']}: {exact} of real images.")
    if found.differences:
        count = len(found.differences)
        corrected = f" (p-values Holm-corrected over {count})" if count > 1 else ""
        lines += ["", f"Differences in {facts['kernel_distance']}{corrected}:"]
        lines += aligned([_difference_cells(row) for row in found.differences])
        lines.append(_verdict(found))
    return lines


def _header(facts: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        "", "generated", "images", facts["kernel_distance"], "95 % interval", "p", "Fréchet", *MANIFOLD, "copies", "p",
        "machine",
    )  # fmt: skip


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    quality, copies, machine = row["quality"], row["memorisation"].get("verdict"), row["machine_observer"]
    observers = {key: one for key, one in machine.items() if key != "note"}
    return (
        str(row["rank"]), row["name"], f"{row['images']:,}", _number(quality.get("kid")),
        _interval(quality.get("kid_low"), quality.get("kid_high")), _p(quality.get("kid_p")),
        _number(quality.get("frechet"), 4), *(_share(quality.get(key)) for key in MANIFOLD),
        f"{copies['share']:.1%}" if copies else "-", _p(copies["p"]) if copies else "-",
        f"{observers[better(observers)]['accuracy']:.0%}" if observers else "-",
    )  # fmt: skip


MANIFOLD = ("precision", "recall", "density", "coverage")


def _real_cells(quality: Mapping[str, Any]) -> tuple[str, ...]:
    return (
        "", "real against real", "", _number(quality.get("real_kid")),
        _interval(quality.get("real_kid_low"), quality.get("real_kid_high")), "",
        _number(quality.get("real_frechet"), 4),
        *(_share(quality.get(f"real_{key}")) for key in MANIFOLD), "", "", "",
    )  # fmt: skip


def _difference_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    between = _interval(row["low"], row["high"])
    return f"{row['first']} - {row['second']}", _number(row["kid"]), between, f"p {_p(row['p_holm'])}"


def _verdict(found: ComparisonResult) -> str:
    """A sentence on the generators that are not distinguishable from the best."""
    from analysis.numbers import LEVEL

    best, kernel = found.rows[0]["name"], found.facts["kernel_distance"]
    tied = [
        row["second"] for row in found.differences
        if row["first"] == best and (row["p_holm"] is None or row["p_holm"] >= LEVEL)
    ]  # fmt: skip
    if tied:
        return f"{best} has the lowest {kernel}, but is not distinguishable from {', '.join(tied)} at 5 %."
    return f"{best} has the lowest {kernel}, distinguishably from every other at 5 %."


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:#.{digits}g}" if abs(value) >= 0.001 else f"{value:.1e}"


def _interval(low: float | None, high: float | None) -> str:
    return "-" if low is None else f"{_number(low)} to {_number(high)}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _p(value: float | None) -> str:
    """A p-value as in the report: one below 5 % is never shown as 0.050.

    >>> _p(0.0496), _p(0.0004), _p(None)
    ('0.0496', '< 0.001', '-')
    """
    from analysis.numbers import p_value

    return "-" if value is None else p_value(value, equals="")


if __name__ == "__main__":
    sys.exit(main())
