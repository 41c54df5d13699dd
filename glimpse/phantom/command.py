"""`gan_core prepare phantom`: drawn photos, prepared like anybody's."""

from __future__ import annotations

import argparse
from typing import Any

from glimpse.command_line import seed
from glimpse.prepare.commands import tell
from glimpse.workspace import Workspace


def add_command(kinds: Any, common: argparse.ArgumentParser) -> None:
    """Add `phantom` to the sources of `gan_core prepare`."""
    phantom = kinds.add_parser(
        "phantom",
        parents=[common],
        help="drawn stand-ins for all of it",
        description="Draw photos of hands, eczema and lesions, and prepare them as if they were photos.",
    )
    phantom.add_argument("--scale", choices=("demo", "paper"), default="demo", help="default: %(default)s")
    phantom.add_argument("--seed", type=seed, default=0, metavar="N", help="default: %(default)s")
    phantom.set_defaults(run=_run)


def _run(args: argparse.Namespace, workspace: Workspace) -> None:
    from glimpse.phantom.studio import prepare_phantom

    tell(prepare_phantom(workspace, args.scale, args.seed))
