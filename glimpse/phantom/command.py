"""`gan_core prepare phantom`: drawn photos, prepared like real ones."""

from __future__ import annotations

import argparse

from glimpse.command_line import Commands
from glimpse.prepare.commands import print_prepared
from glimpse.workspace import Workspace


def add_command(kinds: Commands) -> None:
    """Add `phantom` to the sources of `gan_core prepare`."""
    phantom = kinds.add_parser(
        "phantom", help="drawn stand-ins for photos",
        description="Draw photos of hands, eczema and lesions, and prepare them like real photos.",
    )  # fmt: skip
    phantom.add_argument("--scale", choices=("demo", "paper"), default="demo", help="how many and how large")
    phantom.add_seed("the drawing")
    phantom.add_argument("--overwrite", action="store_true", help="replace image sets of the same names")
    phantom.add_json()
    phantom.set_defaults(run=_run)


def _run(args: argparse.Namespace, workspace: Workspace) -> None:
    from glimpse.phantom.drawing import prepare_phantom

    print_prepared(prepare_phantom(workspace, args.scale, args.seed, overwrite=args.overwrite), args, workspace)
