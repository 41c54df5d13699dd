"""The command line of study_app. Each part of it adds its own commands; nothing heavy is imported before one runs."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from glimpse.command_line import command_line, run_command
from glimpse.workspace import Workspace

# Modules with a function `add_commands(subparsers, common_parent)`, in the order in which --help shows them.
COMMANDS = (
    "commands.load", "commands.serve", "commands.status", "commands.simulate", "experimenter.export",
    "commands.forget", "commands.backup", "commands.db",
)  # fmt: skip


def build_parser() -> argparse.ArgumentParser:
    parser, common = command_line(
        "study_app",
        description="The survey: load stimulus sets into a study, serve it, watch it, take the answers out.",
        epilog="The database is $DATABASE_URL, else study.db in the workspace; commands create and migrate it.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        importlib.import_module(f"study_app.{module}").add_commands(commands, common)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    workspace = Workspace.at(args.workspace)
    return run_command(lambda: args.run(args, workspace), workspace=workspace)


if __name__ == "__main__":
    sys.exit(main())
