"""The common part of every command line: `--workspace`, seeds, one sentence and exit code 2 for what goes wrong."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from glimpse.files import GlimpseError
from glimpse.workspace import Workspace

MAX_SEED = 2**32 - 1  # what NumPy, torch and scikit-learn all take


def command_line(prog: str, **about: str) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """A parser for a program of several commands, and a parent for each command: `--workspace` goes before or after."""
    words: dict[str, Any] = {
        "metavar": "DIR", "help": "where everything is kept (default: $GLIMPSE_WORKSPACE, else ./workspace)",
    }  # fmt: skip
    parser = argparse.ArgumentParser(prog=prog, **about)  # type: ignore[arg-type]
    parser.add_argument("--workspace", **words)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--workspace", default=argparse.SUPPRESS, **words)
    return parser, common


def run_command(
    command: Callable[[], int | None], stopped: str = "Stopped; nothing was lost.", workspace: Workspace | None = None
) -> int:
    """Run a command and turn what can go wrong into one sentence on stderr and an exit code (2; 130 for Ctrl-C).

    What the system says of no file by name, as of a full disk, is said of the `workspace`.
    """
    try:
        return command() or 0
    except GlimpseError as error:
        sentence = str(error)
    except KeyboardInterrupt:
        print(f"\n{stopped}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output, say `head`, has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0)
        if remedy is None:
            raise
        where = f"A file in the workspace {workspace.root}" if workspace else "A file"
        sentence = f"{error.filename or where}: {error.strerror}. {remedy}"
    print(f"error: {sentence}", file=sys.stderr)
    return 2


_REMEDIES = {
    errno.ENOSPC: "Free some space or choose another --workspace; what was there before is untouched.",
    errno.EDQUOT: "Free some space or choose another --workspace; what was there before is untouched.",
    errno.EFBIG: "Raise the limit of file sizes (ulimit -f) or choose a --workspace on another file system.",
    errno.EMFILE: "Raise the limit of open files, for example with ulimit -n 4096.",
    errno.EIO: "The disk or the network behind it fails: check it, or choose another --workspace.",
    errno.EACCES: "Choose a place that you may read and write, for example with --workspace.",
    errno.EPERM: "Choose a place that you may read and write, for example with --workspace.",
    errno.EROFS: "Choose a place that you may write, for example with --workspace.",
    errno.ENOTDIR: "A folder is needed where a file stands; choose another path, for example with --workspace.",
    errno.EISDIR: "A file is needed where a folder stands.",
    errno.ENOENT: "Check the path.",
    errno.EEXIST: "A file stands where a folder is needed; choose another path, for example with --workspace.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def seed(text: str) -> int:
    """The type of every `--seed`."""
    value = int(text)
    if not 0 <= value <= MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text} is no seed: it must be from 0 to {MAX_SEED}")
    return value


def nearest(word: str, words: Sequence[str]) -> str:
    """', did you mean X?' for the closest of `words`, or the list of them."""
    import difflib

    close = difflib.get_close_matches(word, words, n=1)
    return f"did you mean '{close[0]}'?" if close else f"choose from: {', '.join(words)}."
