"""The command line of study_app: each command adds its own parser, and heavy imports wait until it runs.

PYTHON_ARGCOMPLETE_OK
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from glimpse.command_line import Parser, program, run_command
from glimpse.files import GlimpseError
from glimpse.workspace import Workspace

# Modules with a function `add_commands(commands)`, in the order in which --help shows them.
COMMANDS = (
    "commands.load", "commands.preview", "commands.serve", "commands.link", "commands.status", "commands.simulate",
    "experimenter.export.data_set", "experimenter.accounts",
    "commands.reject", "commands.forget", "commands.backup", "commands.db",
)  # fmt: skip


def build_parser() -> Parser:
    parser = program(
        "study_app",
        "The survey: load stimulus sets into a study, serve it, watch it, export the answers.",
        epilog="The database is $DATABASE_URL, else study.db in the workspace: `load` creates it, every command "
        "migrates it.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for module in COMMANDS:
        importlib.import_module(f"study_app.{module}").add_commands(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    workspace = Workspace.at(args.workspace)

    def run() -> None:
        try:
            args.run(args, workspace)
        except GlimpseError:
            raise
        except Exception as error:
            from study_app.database import described

            if (sentence := described(error, workspace.database_url)) is None:
                raise
            raise sentence from None

    return run_command(run, workspace=workspace)


if __name__ == "__main__":
    sys.exit(main())
