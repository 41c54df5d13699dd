"""The command `gan_core publish`, for pairs of image sets or folders; gan_core passes in a function for runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from glimpse.command_line import Commands, Parser, in_range, pasteable
from glimpse.files import GlimpseError, all_or_none
from glimpse.prepare.commands import add_fit
from glimpse.prepare.option_types import OFF_GRID, factor, side_or_height_and_width
from glimpse.workspace import Workspace

if TYPE_CHECKING:
    from glimpse.publishing.rules import Publication, Published

    PublishRuns = Callable[[argparse.Namespace, Workspace, Publication], Iterator[Published]]


def add_command(commands: Commands, add_runs: Callable[[Parser], None], publish_runs: PublishRuns) -> None:
    """Add `publish`: `add_runs` adds its options for runs, `publish_runs` publishes the runs that they name."""
    publish = commands.add_parser(
        "publish", help="make stimulus sets for the survey",
        description="Put real and generated images of a run, or of any image sets or folders, into a stimulus set: "
        "real images from the test split first, spread over groups; generated images by seed, never selected; two more "
        "of each class for practice. Images of a pair go through the same steps to one size; warnings name "
        "remaining differences that are not content.",
    )  # fmt: skip
    add_runs(publish)
    publish.add_argument(
        "--real", metavar="SET|FOLDER", names="images",
        help="real images, in place of a run; here and elsewhere a pattern can stand for a folder: 'images/*_real.png'",
    )  # fmt: skip
    publish.add_argument(
        "--generated", action="append", default=[], metavar="SET|FOLDER", names="images",
        help="generated images, in place of a run; repeatable: several generators share the class evenly",
    )  # fmt: skip
    publish.add_argument(
        "--size", type=side_or_height_and_width, metavar="N|HxW",
        help="size of the images of --real and --generated (default: the largest that needs no enlargement, at "
        "most 640)",
    )  # fmt: skip
    add_fit(publish)
    publish.add_argument("--skip-broken", action="store_true", help="skip unreadable files of folders")
    publish.add_argument(
        "--allow-copies", action="store_true", help="publish generated images that are exact copies of real ones too"
    )
    publish.add_argument("--count", type=int, default=100, metavar="N", help="images per class")
    publish.add_argument("--label", metavar="TEXT", help="title of the set for experimenters (default: its name)")
    publish.add_argument(
        "--name", metavar="SET", help="name of the stimulus set (default: the run's or the generated images')"
    )
    publish.add_argument(
        "--off-grid", type=factor, nargs="?", const=OFF_GRID, metavar="FACTOR",
        help="hide traces of compression: cut every image of both classes at a random place of JPEG's 8-pixel grid, "
        f"then shrink it by FACTOR (default: off; without a number {OFF_GRID:g})",
    )  # fmt: skip
    publish.add_argument(
        "--jpeg-quality", type=int, metavar="Q", help="JPEG quality, 1 to 100, applied to both classes (default: off)"
    )
    publish.add_seed("the order of the images and of the latents")
    publish.add_argument("--overwrite", action="store_true", help="replace a set of the same name")
    publish.set_defaults(run=lambda args, workspace: publish_command(args, workspace, publish_runs))


def publish_command(args: argparse.Namespace, workspace: Workspace, publish_runs: PublishRuns) -> None:
    from glimpse.publishing.pairs import PublishedPair, publish_pair
    from glimpse.publishing.rules import Publication

    if args.jpeg_quality is not None:
        in_range("--jpeg-quality", args.jpeg_quality, 1, 100)
    options = Publication(
        in_range("--count", args.count, 1), args.label, args.seed, args.off_grid, args.jpeg_quality, args.overwrite,
        args.name,
    )  # fmt: skip
    if args.real is None and not args.generated:
        results = publish_runs(args, workspace, options)
    elif args.runs or args.all or not args.real or not args.generated:
        raise GlimpseError(
            "Name runs to publish, or a pair of image sets or folders: `gan_core publish --real SET --generated SET`."
        )
    elif args.truncation is not None:
        raise GlimpseError("--truncation is for images drawn from a run: leave it out.")
    else:
        pair = PublishedPair(
            real=args.real, generated=args.generated, size=args.size, fit=args.fit, skip_broken=args.skip_broken,
            allow_copies=args.allow_copies, unfinished=args.unfinished,
        )  # fmt: skip
        results = iter([publish_pair(workspace, pair, options)])
    made: list[Published] = []
    try:
        with all_or_none():
            for result in results:
                made.append(result)
    except GlimpseError as error:
        raise GlimpseError(f"{error} Nothing was published.") if made else error from None
    published = []
    for result in made:
        verb = "published" if result.new else "already published"
        print(
            f"{result.stimuli.name}: {verb} {len(result.stimuli.of('real'))} real and "
            f"{len(result.stimuli.of('generated'))} generated images: {result.stimuli.folder}"
        )
        for warning in result.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        published.append(result.stimuli.name)
    print(f"Next: {pasteable(workspace, 'study_app', 'load', *(['--all'] if args.all else published))}")
