"""The commands that use a trained run: `sample`, `translate`, and the part of `publish` for runs."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_core.device import fast_device
from gan_core.experiments import EXPERIMENTS, Draw, TrainingError
from gan_core.training.run import Run
from glimpse.command_line import Commands, Parser, in_range, pasteable
from glimpse.files import GlimpseError, all_or_none
from glimpse.runs.log import unfinished_at
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from glimpse.publishing.rules import Publication, Published


def add_commands(commands: Commands) -> None:
    sample = commands.add_parser(
        "sample", help="draw images from a trained generator",
        description="Draw images by seed into an image set, or draw a walk between latents as a picture. The results "
        "of a FILE are named after its experiment.",
    )  # fmt: skip
    sample.add_argument("of", metavar="RUN|FILE", names="runs", help="a run, or a generator.safetensors file")
    sample.add_argument("--count", type=int, default=100, metavar="N", help="number of images")
    _drawing(sample)
    sample.add_seed("the latents")
    sample.add_argument("--overwrite", action="store_true", help="replace a set of the same name")
    sample.add_argument("--name", metavar="SET", help="name of the image set (default: RUN-samples)")
    sample.add_argument("--png", type=Path, metavar="FOLDER", help="also write PNG files, for other programs")
    sample.add_argument(
        "--interpolate", type=Path, metavar="FILE", help="draw a walk instead, as an animation (.gif) or a grid (.png)"
    )
    sample.add_argument("--rows", type=int, default=6, metavar="N", help="latents that the walk visits")
    sample.add_argument("--steps", type=int, default=12, metavar="N", help="steps between two latents")
    sample.set_defaults(run=sample_command)

    translate = commands.add_parser(
        "translate", help="translate images with a trained translator",
        description="Translate an image set (by default the run's test images) into a new image set, or a folder of "
        "photos of any size into PNG files; a contact sheet shows before, mask and after.",
    )  # fmt: skip
    translate.add_argument("of", metavar="RUN|FILE", names="runs", help="a run, or a generator.safetensors file")
    translate.add_argument(
        "--images", metavar="SET|FOLDER", names="images", help="images to translate (default: the run's test images)"
    )
    translate.add_argument(
        "--masks", "--mask-from", metavar="SET|FOLDER", names="images",
        help="masks to use: an image set whose masks are lent at random, or, for a folder of photos, a folder of files "
        "with the same names (default: the target's where it has masks, as to add eczema, else the images' own)",
    )  # fmt: skip
    translate.add_argument("--to", metavar="DOMAIN", help="domain to make, for a cyclic run (default: its target)")
    translate.add_argument("--count", type=int, metavar="N", help="translate the first N images (default: all)")
    translate.add_argument("--name", metavar="SET", help="name of the result (default: RUN-translated)")
    translate.add_seed("the choice of lent masks")
    translate.add_argument("--overwrite", action="store_true", help="replace a result of the same name")
    translate.add_device()
    translate.set_defaults(run=translate_command)


def add_runs(publish: Parser) -> None:
    """The options of `gan_core publish` for runs; `publish_runs` publishes them."""
    publish.add_argument("runs", nargs="*", metavar="RUN", names="runs", help="runs to publish")
    publish.add_argument("--all", action="store_true", help="publish every finished run")
    publish.add_argument(
        "--unfinished", action="store_true",
        help="also publish unfinished runs, and images drawn from them; the report says so",
    )  # fmt: skip
    _drawing(publish)


def _drawing(command: Parser) -> None:
    command.add_argument("--truncation", type=float, metavar="T", help="draw latents from |z| < T (default: off)")
    command.add_device()


def sample_command(args: argparse.Namespace, workspace: Workspace) -> int:
    from gan_core.publishing import pasteable_for
    from gan_core.sampling import sample_set, write_interpolation
    from glimpse.imageset import refuse_full

    weights, of, run, unfinished = _trained(workspace, args.of)
    if run.experiment.source is not None:
        translate = pasteable(workspace, "gan_core", "translate", args.of)
        raise TrainingError(f"The run '{of}' translates images: use `{translate}`.")
    draw, device = Draw(args.seed, args.truncation), fast_device(args.device)
    if args.interpolate:
        rows, steps = in_range("--rows", args.rows, 2), in_range("--steps", args.steps, 1)
        write_interpolation(weights, args.interpolate, rows, steps, draw, device)
        print(f"{of}: a walk between {rows} latents: {args.interpolate}")
        return 0
    folder = workspace.new("images", args.name or f"{of}-samples")
    count = in_range("--count", args.count, 1)
    if args.png:
        refuse_full(args.png, args.overwrite)  # before anything is drawn
    with all_or_none():
        images, new = sample_set(folder, weights, count, draw, device, args.overwrite, unfinished)
        if args.png:
            images.write_pngs(args.png, args.overwrite)
    print(f"{images.name}: {'drew' if new else 'already there:'} {len(images):,} images of '{of}': {images.folder}")
    if args.png:
        print(f"Wrote {len(images):,} PNG files: {args.png}")
    following = f" Next: {pasteable_for(workspace, [of])}" if of == args.of else ""
    print(f"Look at {shlex.quote(str(images.folder / 'preview.png'))}.{following}")
    return 0


def translate_command(args: argparse.Namespace, workspace: Workspace) -> int:
    from gan_core.translating import Translation, translate_photos, translate_set
    from glimpse.prepare.reading.matching import with_masks
    from glimpse.prepare.reading.sources import find_photos

    weights, of, run, unfinished = _trained(workspace, args.of)
    experiment = run.experiment
    if experiment.source is None:
        sample = pasteable(workspace, "gan_core", "sample", args.of)
        raise TrainingError(f"The run '{of}' is unconditional: use `{sample}`.")
    domain = args.to or experiment.target
    name = args.name or f"{of}-translated" + (f"-{domain}" if args.to else "")
    if args.count is not None:
        in_range("--count", args.count, 1)
    photos, masks = _folder(workspace, args.images), _folder(workspace, args.masks)
    if masks and not photos:
        raise TrainingError(
            f"--masks {args.masks}: a folder of masks goes with a folder of photos (--images FOLDER); an image set has "
            "its own masks or borrows another set's: --mask-from SET."
        )
    lender = None if masks else _lender(workspace, args.masks, run, domain)
    translation = Translation(weights, domain, lender, args.seed, fast_device(args.device), unfinished)
    if photos:
        folder = workspace.new("translated", name)
        files = find_photos([masks], workspace) if masks else []
        found = with_masks(find_photos([photos], workspace), files, args.count)
        result = translate_photos(translation, found, folder, args.overwrite)
    else:
        images, rows = _rows_to_translate(workspace, args.images, run, domain)
        folder = workspace.new("images", name)
        result = translate_set(translation, images, rows[: args.count], folder, args.overwrite)
    print(f"{name}: {'translated' if result.new else 'already translated:'} {result.count:,} images: {result.folder}")
    for kind, scores in result.scores.items():
        numbers = [f"{key.replace('_', ' ')} {value:.4g}" for key, value in scores.items() if value is not None]
        print(f"  {kind}, against the true skin: {', '.join(numbers)}")
    return 0


def _rows_to_translate(workspace: Workspace, name: str | None, run: Run, domain: str) -> tuple[Any, Any]:
    """The image set `name` with all its rows; without a name, the run's own with its test images, if it has any."""
    import numpy as np

    from glimpse.imageset import ImageSet

    source = str(run.experiment.source_of(domain))
    images = ImageSet.load(workspace.existing("images", name or run.image_sets[source]["name"]))
    test = images.where("test")
    return images, test if name is None and len(test) else np.arange(len(images))


def _trained(workspace: Workspace, word: str) -> tuple[Path, str, Run, str | None]:
    """The generator file for a run's name or a path, the name for its results, its run, and how far an unfinished run
    has come, with a warning."""
    from gan_core.sampling import generator_file, load_generator

    alone = word.endswith(".safetensors")
    weights = Path(word) if alone else generator_file(workspace.existing("runs", word))
    _, run = load_generator(weights)
    named = run.experiment_name if run.experiment_name in EXPERIMENTS else run.name
    unfinished = None if alone else unfinished_at(workspace.existing("runs", word))
    if unfinished:
        print(f"warning: the run '{word}' is unfinished ({unfinished}).", file=sys.stderr)
    return weights, named if alone else word, run, unfinished


def _folder(workspace: Workspace, word: str | None) -> Path | None:
    """The folder or zip that a word names, or None; an image set of the same name takes precedence."""
    from glimpse.prepare.reading.sources import is_there

    return Path(word) if word and word not in workspace.names("images") and is_there(Path(word)) else None


def _lender(workspace: Workspace, name: str | None, run: Run, domain: str) -> Any:
    """The image set that lends masks: `name`, or for adding eczema the run's own; None if the images have their own.

    Removal uses the image's own mask; masks are borrowed only on request.
    """
    from glimpse.imageset import ImageSet

    if name is None and (lender := run.experiment.lender(domain)):
        name = run.image_sets[lender]["name"]
    return ImageSet.load(workspace.existing("images", name)) if name and run.experiment.masked else None


def publish_runs(args: argparse.Namespace, workspace: Workspace, options: Publication) -> Iterator[Published]:
    from gan_core.publishing import publish

    names = list(dict.fromkeys(args.runs))
    if args.all:
        every = workspace.names("runs")
        included = [n for n in every if args.unfinished or Run.is_finished(workspace.existing("runs", n))]
        for name in sorted(set(every) - set(included)):
            again = pasteable(workspace, "gan_core", "train", name, "--resume")
            print(f"{name}: unfinished, left out; resume it with: {again}")
        names += [name for name in included if name not in names]
    if not names:
        raise GlimpseError("Name the runs to publish, or use --all; `gan_core runs` lists them.")
    if args.name and len(names) != 1:
        raise GlimpseError("--name is for one run: name that one.")
    device = fast_device(args.device)
    for name in names:
        yield from publish(workspace, name, options, args.truncation, device, args.unfinished)
