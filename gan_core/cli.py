"""The command line of gan_core: the composition root, where commands meet what they call.

Nothing heavy is imported before a command runs, so that `--help` is fast; only `train`, `sample`, `translate` and
`publish` load torch. This is also the only module of gan_core that imports analysis: it passes the scorer to training.

PYTHON_ARGCOMPLETE_OK
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_core.commands import generate
from gan_core.commands import train as training_command
from glimpse.command_line import Parser, program, run_command
from glimpse.phantom import command as phantom_command
from glimpse.prepare import commands as prepare_cli
from glimpse.publishing import command as publish_command
from glimpse.runs import command as runs_command
from glimpse.workspace import Workspace


def training_scorer(real: Any, seed: int, *, workspace: Workspace, device: str, weights: Path | None) -> Any:
    """KID and Fréchet distance to `real` (n, H, W, 3) uint8, on the features that the report uses by default."""
    from analysis.images.training_score import training_scorer

    scorer = training_scorer(real, seed=seed, features_dir=workspace.features, weights=weights, device=device)
    return lambda generated: {**scorer(generated), "extractor": scorer.extractor.name}


def build_parser() -> Parser:
    parser = program("gan_core", "From photos to published stimulus sets: prepare, train, sample, publish.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    phantom_command.add_command(prepare_cli.add_commands(commands))
    training_command.add_command(commands, training_scorer)
    runs_command.add_command(commands)
    generate.add_commands(commands)
    publish_command.add_command(commands, generate.add_runs, generate.publish_runs)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    args = build_parser().parse_args(argv)
    workspace = Workspace.at(args.workspace)
    return run_command(lambda: args.run(args, workspace), workspace=workspace)


if __name__ == "__main__":
    sys.exit(main())
