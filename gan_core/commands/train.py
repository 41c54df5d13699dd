"""The command `gan_core train`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from gan_core.device import fast_device
from gan_core.experiments import (
    EXPERIMENTS,
    PRESETS,
    Settings,
    TrainingError,
    check_name,
    experiment_named,
    translation_name,
)
from glimpse.command_line import Commands, pasteable
from glimpse.settings import describe_settings, parse_settings
from glimpse.workspace import Workspace


def add_command(commands: Commands, make_scorer: Callable[..., Any]) -> None:
    """Add `train` to gan_core's commands; `make_scorer` is `training_scorer` of cli.py."""
    train = commands.add_parser(
        "train", help="train generators",
        description="Train experiments; without a name, every experiment whose image sets exist. Any other image set "
        "is trained by the recipe of the lesions, with a batch for its size. Running it again resumes unfinished runs "
        "and skips finished ones.",
        epilog="presets:\n" + "\n".join(f"  {k:<16}{p.meaning}" for k, p in PRESETS.items())
        + "\n\nsettings (--set NAME=VALUE):\n" + describe_settings(Settings),
    )  # fmt: skip
    train.add_argument(
        "experiments", nargs="*", metavar="EXPERIMENT|SET", names=list(EXPERIMENTS),
        help=", ".join(EXPERIMENTS) + ", or any image set",
    )  # fmt: skip
    train.add_argument(
        "--from", metavar="SET", dest="source", names="images",
        help="with --to: train a translator from this image set, inside masks where one of the two has masks (the "
        "first if both), else in both directions",
    )  # fmt: skip
    train.add_argument("--to", metavar="SET", names="images", help="image set that --from is translated to")
    train.add_argument("--preset", choices=list(PRESETS), help="see the presets below (default: paper)")
    train.add_argument("--resolution", type=int, metavar="N", help="height in pixels to shrink to (default: the set's)")
    train.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", dest="settings",
        help="change one of the settings below; repeatable",
    )  # fmt: skip
    train.add_argument(
        "--images", action="append", default=[], metavar="[DOMAIN=]SET", names="images",
        help="train on this image set (default: the one named after the experiment); for translation name the domain, "
        "as in --images healthy=SET; repeatable",
    )  # fmt: skip
    train.add_argument("--name", metavar="RUN", help="name of the run (default: EXPERIMENT, SET or FROM-to-TO)")
    train.add_argument("--resume", action="store_true", help="resume runs as they are; --set may change images and lr")
    train.add_argument("--overwrite", action="store_true", help="train again from the start, replacing the run")
    train.add_argument(
        "--shipped", action="store_true",
        help="train nothing: install the phantoms' generators that come with Glimpse, as runs",
    )  # fmt: skip
    train.add_device()
    train.add_argument(
        "--weights", type=Path, metavar="FILE",
        help="Inception's weights, to score by during training (default: as in the report)",
    )  # fmt: skip
    train.set_defaults(run=lambda args, workspace: train_command(args, workspace, make_scorer))


def train_command(args: argparse.Namespace, workspace: Workspace, make_scorer: Callable[..., Any]) -> int:
    from gan_core.training.ranks import Ranks
    from gan_core.training.request import Request, experiments_with_images
    from gan_core.training.run import Run
    from gan_core.training.session import Session

    chosen = parse_settings(args.settings, Settings)
    if args.name:
        workspace.new("runs", args.name)
    translation = _translation(workspace, args)
    run_name = args.name or (f"{args.source}-to-{args.to}" if translation else "")
    if args.name and not translation and len(args.experiments) != 1:
        raise TrainingError("--name needs exactly one experiment: name it.")
    image_sets = _image_sets(args.images, args.experiments)
    if args.shipped:
        return _install(args, workspace)
    if args.resume:  # runs are named here, not experiments
        names = [run_name] if run_name else args.experiments or workspace.names("runs")
        runs = {name: Run.of(workspace.existing("runs", name)).experiment_name for name in names}
    elif translation:
        runs = {run_name: translation}
    else:
        experiments = args.experiments or experiments_with_images(workspace, image_sets)
        runs = {args.name or name: check_name(name, workspace.names("images")) for name in experiments}
    request = Request(args.preset, chosen, args.resolution, image_sets, args.resume, args.overwrite)
    device = fast_device(args.device)
    ranks = Ranks.join(device)
    scorer = partial(make_scorer, workspace=workspace, device=device, weights=args.weights)
    session = Session(workspace, request, device, ranks, scorer)
    try:
        for number, (name, experiment) in enumerate(runs.items(), 1):
            if ranks.first and len(runs) > 1:
                print(f"{name}: run {number} of {len(runs)}", flush=True)
            if not session.train(experiment, name):
                return 130
    finally:
        ranks.leave()
    if ranks.first:
        from gan_core.publishing import pasteable_for

        print(f"Next: {pasteable_for(workspace, list(runs))}")
    return 0


def _install(args: argparse.Namespace, workspace: Workspace) -> int:
    from glimpse.runs.shipped import install

    if args.settings or args.images or args.source or args.to or args.name or args.preset or args.resume:
        raise TrainingError("--shipped trains nothing: give it experiments, or none for all, and no other option.")
    names = args.experiments or list(EXPERIMENTS)
    install(workspace, names, args.overwrite)
    print(f"Next: {pasteable(workspace, 'gan_core', 'publish', *names)}")
    return 0


def _translation(workspace: Workspace, args: argparse.Namespace) -> str | None:
    """The experiment of `--from` and `--to`, None without them. Raises GlimpseError unless both are image sets."""
    from glimpse.imageset import has_masks

    if args.source is None and args.to is None:
        return None
    if not (args.source and args.to) or args.experiments or args.images:
        raise TrainingError("--from and --to name two image sets, without an experiment or --images beside them.")
    if args.source == args.to:
        raise TrainingError(f"--from and --to both name '{args.to}': a translation needs two image sets.")
    folders = {name: workspace.existing("images", name) for name in (args.source, args.to)}
    masked = [name for name, folder in folders.items() if has_masks(folder)]
    return translation_name(args.source, args.to, masked[0] if masked else None)


def _image_sets(words: list[str], experiments: list[str]) -> dict[str, str]:
    """Image sets by domain, from `--images SET` or `--images DOMAIN=SET`."""
    sets = {}
    for word in words:
        domain, equals, name = word.rpartition("=")
        if not equals:
            if len(experiments) != 1 or experiment_named(experiments[0]).source:
                raise TrainingError(f"--images {word}: name its domain, as in --images healthy={word}.")
            domain = experiment_named(experiments[0]).target
        sets[domain] = name
    return sets
