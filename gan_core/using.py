"""The commands that use a trained run: `sample`, `translate`, `publish`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from gan_core.experiments import TrainingError
from gan_core.workspace import GlimpseError, Workspace, read_json, seed


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    sample = commands.add_parser(
        "sample", parents=[common], help="draw images from a trained generator",
        description="Draw images by seed, straight into an image set; or a walk between latents as a picture.",
    )  # fmt: skip
    sample.add_argument("of", metavar="RUN")
    sample.add_argument("--count", type=int, default=100, metavar="N", help="how many (default: 100)")
    _drawing(sample)
    sample.add_argument("--name", metavar="SET", help="the image set's name (default: RUN-samples)")
    sample.add_argument("--interpolate", type=Path, metavar="FILE", help="instead: a walk, as .gif or as .png grid")
    sample.add_argument("--rows", type=int, default=6, metavar="N", help="latents that the walk visits (default: 6)")
    sample.add_argument("--steps", type=int, default=12, metavar="N", help="steps between two of them (default: 12)")
    sample.set_defaults(run=sample_command)

    translate = commands.add_parser(
        "translate", parents=[common], help="add or remove eczema with a trained translator",
        description="Translate an image set (by default the test images the run did not see) into a new one, or a "
        "folder of photos of any size into PNG files; with a sheet of before, mask and after.",
    )  # fmt: skip
    translate.add_argument("of", metavar="RUN")
    translate.add_argument("--images", metavar="SET|FOLDER", help="what to translate (default: the run's test images)")
    translate.add_argument(
        "--masks", "--mask-from", metavar="SET|FOLDER", help="where masks come from: an image set that lends its "
        "own at random, or a folder of files named like the photos (default: the images' own, else the eczema set)",
    )  # fmt: skip
    translate.add_argument("--to", metavar="DOMAIN", help="what to make, for a cyclic run: eczema (default) or healthy")
    translate.add_argument("--count", type=int, metavar="N", help="only the first N images")
    translate.add_argument("--name", metavar="SET", help="the result's name (default: RUN-translated)")
    translate.add_argument("--seed", type=seed, default=0, metavar="S", help="of lent masks")
    translate.add_argument("--overwrite", action="store_true", help="replace a result of that name")
    translate.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    translate.set_defaults(run=translate_command)

    publish = commands.add_parser(
        "publish", parents=[common], help="make stimulus sets for the survey",
        description="Put real and generated images of a run into a stimulus set: real ones from the test split first, "
        "spread over groups, generated ones by seed, never selected; two more of each for practice.",
    )  # fmt: skip
    publish.add_argument("runs", nargs="*", metavar="RUN")
    publish.add_argument("--all", action="store_true", help="every finished run")
    publish.add_argument("--count", type=int, default=100, metavar="N", help="images of each class (default: 100)")
    publish.add_argument("--label", metavar="TEXT", help="what experimenters call the set (default: its name)")
    publish.add_argument("--name", metavar="SET", help="the stimulus set's name (default: the run's)")
    publish.add_argument("--jpeg-quality", type=int, metavar="Q", help="compress both classes alike before publishing")
    _drawing(publish)
    publish.set_defaults(run=publish_command)


def _drawing(command: argparse.ArgumentParser) -> None:
    command.add_argument("--truncation", type=float, metavar="T", help="keep every component of the latents below T")
    command.add_argument(
        "--statistics", choices=("matched", "full"), default="matched", help="of batch norm: those of the truncated "
        "latents, or of the full normal distribution, with which truncation trades diversity for quality as in the "
        "paper's Table 3 (default: matched)",
    )  # fmt: skip
    command.add_argument("--seed", type=seed, default=0, metavar="S", help="of the latents (default: 0)")
    command.add_argument("--overwrite", action="store_true", help="replace a set of that name")
    command.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def sample_command(args: argparse.Namespace, workspace: Workspace) -> int:
    from gan_core.products import sample_set, walk
    from gan_core.training.command import pick_device

    device = pick_device(args.device)
    if args.interpolate:
        walk(
            workspace.existing("runs", args.of), args.interpolate, at_least(args.rows, "--rows", 2),
            at_least(args.steps, "--steps", 1), args.seed, args.truncation, device, args.statistics,
        )  # fmt: skip
        print(f"{args.of}: a walk between {args.rows} latents: {args.interpolate}")
        return 0
    name = args.name or f"{args.of}-samples"
    count = at_least(args.count, "--count", 1)
    images, new = sample_set(
        workspace, args.of, name, count, args.seed, args.truncation, device, args.overwrite, args.statistics
    )
    print(f"{name}: {'drew' if new else 'already there:'} {len(images):,} images of '{args.of}': {images.folder}")
    print(f"Look at {images.folder / 'preview.png'}. Next: gan_core publish {args.of}")
    return 0


def translate_command(args: argparse.Namespace, workspace: Workspace) -> int:
    from gan_core.imageset import ImageSet
    from gan_core.products import translate_photos, translate_set
    from gan_core.training.command import pick_device
    from gan_core.training.run import Run

    folder = workspace.existing("runs", args.of)
    run = Run.of(folder)
    experiment = run.experiment
    if experiment.source is None:
        raise TrainingError(f"The run '{args.of}' makes images from nothing: use `gan_core sample {args.of}`.")
    domain = args.to or experiment.target
    if domain not in experiment.makes:
        raise TrainingError(f"The run '{args.of}' makes {' or '.join(experiment.makes)}, not '{domain}'.")
    source = next(d for d in experiment.domains if d != domain)
    device = pick_device(args.device)
    name = args.name or f"{args.of}-translated" + (f"-{domain}" if args.to else "")
    if args.images and Path(args.images).exists() and args.images not in workspace.names("images"):
        masks = Path(args.masks) if args.masks and Path(args.masks).exists() else None
        lender = None if masks else _lender(workspace, args.masks, run)
        out = workspace.root / "translated" / name
        result = translate_photos(workspace, args.of, Path(args.images), masks, lender, domain, out, args.seed, device)
    else:
        images = ImageSet.load(workspace.existing("images", args.images or str(run.image_sets[source]["name"])))
        rows = images.where("test") if not args.images and len(images.where("test")) else _every(images)
        rows = rows[: at_least(args.count, "--count", 1)] if args.count is not None else rows
        own = args.masks is None and images.masks is not None and experiment.masked != domain
        lender = None if own or experiment.masked is None else _lender(workspace, args.masks, run)
        result = translate_set(
            workspace, args.of, images, name, domain, lender, rows, args.seed, device, args.overwrite
        )  # fmt: skip
    print(f"{name}: {'translated' if result.new else 'already translated:'} {result.count:,} images: {result.folder}")
    for kind, scores in result.scores.items():
        numbers = ", ".join(
            f"{key.replace('_', ' ')} {value:.4g}" for key, value in scores.items() if value is not None
        )
        print(f"  {kind}, against the true skin: {numbers}")
    return 0


def _every(images: Any) -> Any:
    import numpy as np

    return np.arange(len(images))


def _lender(workspace: Workspace, name: str | None, run: Any) -> Any:
    """The image set that lends masks: the one named, else the run's own; None where the run needs none."""
    from gan_core.imageset import ImageSet

    if run.experiment.masked is None:
        return None
    return ImageSet.load(workspace.existing("images", name or run.image_sets[run.experiment.masked]["name"]))


def publish_command(args: argparse.Namespace, workspace: Workspace) -> int:
    from gan_core.publishing import Options, publish
    from gan_core.stimuli import StimulusError
    from gan_core.training.command import pick_device

    names = list(args.runs)
    if args.all:
        every = workspace.names("runs")
        finished = [n for n in every if read_json(workspace.existing("runs", n) / "config.json").get("finished")]
        for name in sorted(set(every) - set(finished)):
            print(f"{name}: not trained to its end, left out (`gan_core train {name} --resume` goes on with it).")
        names += [name for name in finished if name not in names]
    if not names:
        raise GlimpseError("Name the runs to publish, or take --all; `gan_core runs` lists them.")
    if args.name and len(names) != 1:
        raise GlimpseError("--name is for one run: name that one.")
    if args.jpeg_quality is not None and not 1 <= args.jpeg_quality <= 100:
        raise StimulusError(f"--jpeg-quality goes from 1 to 100, not {args.jpeg_quality}.")
    options = Options(
        at_least(args.count, "--count", 1), args.label, args.seed, args.truncation, args.statistics,
        args.jpeg_quality, pick_device(args.device), args.overwrite, args.name,
    )  # fmt: skip
    published = []
    for name in names:
        for result in publish(workspace, name, options):
            verb = "published" if result.new else "already published"
            print(
                f"{result.stimuli.name}: {verb} {len(result.stimuli.of('real'))} real and "
                f"{len(result.stimuli.of('generated'))} generated images: {result.stimuli.folder}"
            )
            for warning in result.warnings:
                print(f"warning: {warning}", file=sys.stderr)
            published.append(result.stimuli.name)
    print(f"Next: study_app load {'--all' if args.all else ' '.join(published)}")
    return 0


def at_least(value: int, option: str, least: int) -> int:
    if value < least:
        raise GlimpseError(f"{option} must be at least {least}, not {value}.")
    return value
