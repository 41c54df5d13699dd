"""The commands that use a trained run: `sample`, `translate`, `publish`."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from gan_core.workspace import GlimpseError, Workspace, read_json


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    publish = commands.add_parser(
        "publish", parents=[common], help="make stimulus sets for the survey",
        description="Put real and generated images of a run into a stimulus set: real ones from the test split first, "
        "spread over groups, generated ones by seed, never selected.",
    )  # fmt: skip
    publish.add_argument("runs", nargs="*", metavar="RUN")
    publish.add_argument("--all", action="store_true", help="every finished run")
    publish.add_argument("--count", type=int, default=100, metavar="N", help="images of each class (default: 100)")
    publish.add_argument("--label", metavar="TEXT", help="what experimenters call the set (default: its name)")
    publish.add_argument("--truncation", type=float, metavar="T", help="keep each latent component below T")
    publish.add_argument("--seed", type=int, default=0, metavar="S")
    publish.add_argument("--jpeg-quality", type=int, metavar="Q", help="compress both classes alike before publishing")
    publish.add_argument("--overwrite", action="store_true", help="replace a stimulus set of that name")
    publish.set_defaults(run=publish_command)


def publish_command(args: argparse.Namespace, workspace: Workspace) -> int:
    from gan_core.publishing import Options, publish
    from gan_core.stimuli import StimulusError

    names = list(args.runs)
    if args.all:
        every = workspace.names("runs")
        finished = [n for n in every if read_json(workspace.existing("runs", n) / "config.json").get("finished")]
        for name in sorted(set(every) - set(finished)):
            print(f"{name}: not trained to its end, left out (`gan_core train {name} --resume` goes on with it).")
        names += [name for name in finished if name not in names]
    if not names:
        raise GlimpseError("Name the runs to publish, or take --all; `gan_core runs` lists them.")
    if args.count < 1:
        raise StimulusError(f"--count must be at least 1, not {args.count}.")
    if args.jpeg_quality is not None and not 1 <= args.jpeg_quality <= 100:
        raise StimulusError(f"--jpeg-quality goes from 1 to 100, not {args.jpeg_quality}.")
    options = Options(args.count, args.label, args.seed, args.truncation, args.jpeg_quality, args.overwrite)
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
