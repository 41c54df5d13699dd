"""`python -m docs.commands`: write docs/commands.md, the `--help` of every command. A test keeps it up to date."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from glimpse.files import atomic_file

PAGE = Path(__file__).with_suffix(".md")
PROGRAMS = ("gan_core.cli", "study_app.cli", "analysis.report.__main__", "analysis.compare", "analysis.power")
WIDTH = 100

INTRODUCTION = """# Commands

The complete `--help` of every command, written by `python -m docs.commands`.

- `--workspace DIR` goes before or after the command. Without it, `$GLIMPSE_WORKSPACE` is the workspace, else
  `./workspace`.
- An error is one line on stderr, with exit code 2. Ctrl-C ends a command with exit code 130 and loses nothing.
- Long work shows a progress bar on a terminal, and none in a log file.
- A command ends with the next one to type, ready to paste.

Completion on Tab, of commands, options and the names in the workspace, for bash (zsh: `autoload -U bashcompinit &&
bashcompinit` first):

    eval "$(register-python-argcomplete gan_core study_app)"

In the file `~/.bashrc` the line works in every shell. `activate-global-python-argcomplete` completes `python -m
analysis.report`, `python -m analysis.compare` and `python -m analysis.power` too.
"""


def page() -> str:
    """The whole page. argparse reads the width from $COLUMNS, which is set while the help is formatted."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(WIDTH + 2)
    try:
        helps = [section for name in PROGRAMS for section in _sections(import_module(name).build_parser(), 2)]
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    return "\n".join([INTRODUCTION, *helps])


def _sections(parser: argparse.ArgumentParser, level: int) -> Iterator[str]:
    yield f"{'#' * level} {parser.prog.removeprefix('python -m ')}\n\n```text\n{parser.format_help().rstrip()}\n```\n"
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from _sections(child, min(level + 1, 4))


if __name__ == "__main__":
    with atomic_file(PAGE) as temporary:
        temporary.write_text(page(), encoding="utf-8")
