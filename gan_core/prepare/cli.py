"""The `gan_core prepare` commands: their options; each loads what it needs when it runs."""

from __future__ import annotations

import argparse
from typing import Any


def add_commands(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add `prepare` and its kinds of source to gan_core's commands."""
    prepare = commands.add_parser("prepare", help="make image sets from photos", description=__doc__)
    prepare.add_subparsers(title="sources", metavar="SOURCE", required=True)
