"""The common part of every command line: one parser class, shared options and types, commands that can be pasted.

Every program builds its parser here (`program`), so that all of them have `--version`, `--workspace` before or after
the command, completion, the same style of help, and errors of one line with exit code 2.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import shlex
import sys
import textwrap
from collections.abc import Callable, Container, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from glimpse import DISTRIBUTION, EXTRAS, missing_package
from glimpse.files import GlimpseError
from glimpse.workspace import Workspace

MAX_SEED = 2**32 - 1  # what NumPy, torch and scikit-learn all take

Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def program(prog: str, description: str, epilog: str = "", *, workspace: bool = True) -> Parser:
    """The parser of a program; `workspace=False` leaves out `--workspace`, for benchmarks that read none.

    Called by its installed script (glimpse-report), it is named so: `prog` may then find another package `analysis`.
    """
    called = Path(sys.argv[0]).stem
    parser = Parser(
        prog=called if called.startswith("glimpse-") else prog,
        description=description,
        epilog=epilog,
        workspace=workspace,
    )
    parser.version.help = "print the version and exit"
    if workspace:
        parser.set_defaults(workspace=None)  # subcommands set it only if it is given after them
    return parser


class Help(argparse.HelpFormatter):
    """Help in one style: a short usage line, defaults at the end, indented paragraphs kept as they are.

    Usage and option names are formatted here, so that every version of Python prints the same.
    """

    def __init__(self, prog: str, **sizes: Any) -> None:
        super().__init__(prog, **{"max_help_position": 30, **sizes})

    def _format_usage(self, usage: Any, actions: Iterable[argparse.Action], groups: Any, prefix: str | None) -> str:
        actions = [action for action in actions if action.help is not argparse.SUPPRESS]
        words = [self._format_args(a, a.dest).removesuffix(" ...") for a in actions if not a.option_strings]
        words += [f"{a.option_strings[0]} {self._value(a)}" for a in actions if a.option_strings and a.required]
        if any(a.option_strings and not a.required for a in actions):
            words.append("[options]")
        line = " ".join([("usage: " if prefix is None else prefix) + self._prog, *words])
        return "\n".join(textwrap.wrap(line, self._width, subsequent_indent="  ", break_on_hyphens=False)) + "\n\n"

    def _format_action_invocation(self, action: argparse.Action) -> str:
        if not action.option_strings:
            return super()._format_action_invocation(action)
        return " ".join(filter(None, [", ".join(action.option_strings), self._value(action)]))

    def _value(self, action: argparse.Action) -> str:
        return "" if action.nargs == 0 else self._format_args(action, action.dest.upper())

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        stated = isinstance(action.default, str | int | float) and not isinstance(action.default, bool)
        if stated and action.default not in ("", argparse.SUPPRESS) and "default" not in text:
            return f"{text} (default: %(default)s)"
        return text

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        """Wrap each paragraph; if it has indented lines (a table, an example), wrap each of its lines separately."""
        return "\n\n".join(
            "\n".join(map(self._row, paragraph.splitlines()))
            if paragraph.startswith("  ") or "\n  " in paragraph
            else textwrap.fill(" ".join(paragraph.split()), width)
            for paragraph in text.strip("\n").split("\n\n")
        )

    def _row(self, line: str) -> str:
        """Wrap a line of a table under its second column."""
        column = re.match(r" +\S+ +|", line)
        return textwrap.fill(line, self._width, subsequent_indent=" " * len(column[0] if column else ""))


class Parser(argparse.ArgumentParser):
    """argparse with `--workspace`, `Help`, completion, and errors that suggest the nearest word.

    Parsers of subcommands are of the same class, so each of them takes `--workspace` and `--version` too.
    """

    def __init__(self, *args: Any, workspace: bool = True, **about: Any) -> None:
        super().__init__(*args, **{"formatter_class": Help, **about})
        self.alone: dict[str, str] = {}  # option of two values: the word that may stand for both
        if workspace:
            self.add_argument(
                "--workspace", metavar="DIR", default=argparse.SUPPRESS,
                help="folder of all data (default: $GLIMPSE_WORKSPACE, else ./workspace)",
            )  # fmt: skip
        self.version = self.add_argument("--version", action=_Version, nargs=0, help=argparse.SUPPRESS)

    def add_argument(self, *flags: Any, names: str | Sequence[str] = (), **about: Any) -> argparse.Action:
        """Add an argument as argparse does. `names` completes its value: `images`, `runs`, `stimuli`, or a list."""
        action = super().add_argument(*flags, **about)
        if names:
            action.completer = lambda parsed_args, **_: (  # type: ignore[attr-defined]  # argcomplete reads it
                Workspace.at(getattr(parsed_args, "workspace", None)).names(names) if isinstance(names, str) else names
            )
        return action

    def add_device(self) -> None:
        self.add_argument(
            "--device", choices=("auto", "cpu", "cuda"), default="auto",
            help="where to compute; auto takes a GPU if there is one (default: auto)",
        )  # fmt: skip

    def add_seed(self, of: str) -> None:
        self.add_argument("--seed", type=seed, default=0, metavar="S", help=f"seed of {of}")

    def add_json(self) -> None:
        self.add_argument("--json", action="store_true", help="print JSON instead of text, for programs")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        if "_ARGCOMPLETE" in os.environ:  # set by the shell on Tab only
            import argcomplete

            argcomplete.autocomplete(self)
        return super().parse_args(args, namespace)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        for option, word in self.alone.items():
            args = _twice(option, word, sys.argv[1:] if args is None else args)
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self._subparsers is None:
            word = unknown[0].partition("=")[0]
            options = [option for option in self._option_string_actions if option.startswith("--")]
            remedy = f": {did_you_mean(word, options)}" if word.startswith("-") else ""
            self.error(f"unknown argument '{word}'{remedy}")
        return found, unknown

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            remedy = did_you_mean(str(value), [str(choice) for choice in action.choices])
            raise argparse.ArgumentError(action, f"'{value}' is unknown: {remedy}")

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"invalid (\w+) value: ('.*')$", _not_a_number, message, flags=re.DOTALL)
        stop = "" if message.endswith(("?", ".")) else "."
        self.exit(2, f"error: {message}{stop} See `{self.prog} --help`.\n")


def _not_a_number(found: re.Match[str]) -> str:
    """A reason in place of argparse's 'invalid positive value', which names the function that reads the value."""
    return f"{found[2]} is not a {'whole ' if found[1] in ('int', 'positive', 'seed') else ''}number"


def _twice(option: str, word: str, args: Sequence[str]) -> list[str]:
    """The arguments with the word repeated where it follows the option, for argparse, which counts the values.

    >>> _twice("--window", "auto", ["--window", "auto", "SRC"])
    ['--window', 'auto', 'auto', 'SRC']
    """
    written = [part for arg in args for part in ([option, word] if arg == f"{option}={word}" else [arg])]
    behind = [False, *(arg == option for arg in written[:-1])]
    return [part for arg, after in zip(written, behind, strict=True) for part in [arg] * (1 + (after and arg == word))]


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> None:
        print(f"{DISTRIBUTION} {version()}")
        parser.exit()


def version() -> str:
    """The version in the package's metadata: pyproject.toml is the only place that states it."""
    from importlib import metadata

    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "(not installed)"


def pasteable(workspace: Workspace, *words: str | Path) -> str:
    """A command to type next, quoted for the shell, with `--workspace` if the default is a different folder."""
    return shlex.join(map(str, words)) + workspace.option


def analysis_command(name: str) -> list[str]:
    """The words that run `report` or `power`, where the working directory has another `analysis` as well."""
    ours = Path(__file__).parents[1] / "analysis" / "__init__.py"
    theirs = [path for path in (Path("analysis.py"), Path("analysis/__init__.py")) if path.is_file()]
    if any(not path.samefile(ours) for path in theirs):
        return [f"glimpse-{name}"]
    return ["python", "-m", f"analysis.{name}"]


PAPER_SETS = frozenset({"hands", "healthy", "eczema", "df", "mel"})  # image sets of the paper's experiments


def next_step(workspace: Workspace, quote: str = "") -> str:
    """The command, between quotes, for the first step from photos to a survey that this workspace has not taken yet.

    On a survey host, words say before it where the stimulus sets must be copied.
    """
    load = f"{quote}{pasteable(workspace, 'study_app', 'load', '--all')}{quote}"
    if workspace.names("stimuli"):
        return load
    if not all(map(find_spec, EXTRAS["report"])):  # the base installation alone, which makes no sets
        return f"copy sets that were published elsewhere to {workspace.root.resolve() / 'stimuli'}, then {load}"
    return f"{quote}{_making(workspace)}{quote}"


def _making(workspace: Workspace) -> str:
    """The command for the next step to a stimulus set."""
    if workspace.names("runs"):
        return pasteable(workspace, "gan_core", "publish", "--all")
    if not (sets := workspace.names("images")):
        return pasteable(workspace, "gan_core", "prepare", "phantom")
    return train_command(workspace, sets)


def train_command(workspace: Workspace, sets: Sequence[str]) -> str:
    """The command that trains on these image sets; it needs no names if some are of the paper's experiments."""
    return pasteable(workspace, "gan_core", "train", *([] if PAPER_SETS & set(sets) else sets))


def aligned(rows: Sequence[Sequence[str]], left: Container[int] = (0,)) -> list[str]:
    """The lines of a table; the columns `left` are left-aligned, the others right-aligned.

    >>> aligned([("set", "people"), ("df", "8")])
    ['set  people', 'df        8']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if i in left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]  # fmt: skip


def run_command(
    command: Callable[[], int | None], stopped: str = "Stopped; nothing was lost.", workspace: Workspace | None = None
) -> int:
    """Run a command; turn an expected error into one sentence on stderr and exit code 2 (130 for Ctrl-C).

    A system error that names no file, such as a full disk, is reported for the `workspace`.
    """
    # Read when a library with OpenMP is loaded: threads that wait actively keep a shared core from those that work.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return command() or 0
    except GlimpseError as error:
        sentence = str(error)
    except ModuleNotFoundError as error:
        needed = missing_package(error.name)
        if needed is None:
            raise
        sentence = needed
    except KeyboardInterrupt:
        print(f"\n{stopped}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of the output, such as `head`, has exited
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
    errno.EIO: "The disk or the network drive has failed: check it, or choose another --workspace.",
    errno.EACCES: "Choose a folder that you may read and write, for example with --workspace.",
    errno.EPERM: "Choose a folder that you may read and write, for example with --workspace.",
    errno.EROFS: "Choose a folder that you may write, for example with --workspace.",
    errno.ENOTDIR: "A file is in the way of a folder: choose another path, for example with --workspace.",
    errno.EISDIR: "A folder is in the way of a file: choose another path.",
    errno.ENOENT: "Check the path.",
    errno.EEXIST: "A file is in the way of a folder: choose another path, for example with --workspace.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


def seed(text: str) -> int:
    """The type of every `--seed`."""
    value = int(text)
    if not 0 <= value <= MAX_SEED:
        raise argparse.ArgumentTypeError(f"{text} is not a valid seed: use 0 to {MAX_SEED}")
    return value


def counted(count: int, noun: str, plural: str = "") -> str:
    """A number with its noun.

    >>> counted(1, "row"), counted(1200, "row"), counted(2, "penny", "pence")
    ('1 row', '1,200 rows', '2 pence')
    """
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"


def in_range(option: str, value: int, least: int, most: int | None = None) -> int:
    """`value` if it is between the ends, which are included. Raises GlimpseError, naming the option.

    >>> in_range("--count", 0, least=1)
    Traceback (most recent call last):
    glimpse.files.GlimpseError: --count must be at least 1, not 0.
    """
    if value < least or (most is not None and value > most):
        ends = f"at least {least}" if most is None else f"from {least} to {most}"
        raise GlimpseError(f"{option} must be {ends}, not {value}.")
    return value


def did_you_mean(word: str, words: Sequence[str]) -> str:
    """ "did you mean 'X'?" for the closest of `words`, or "choose from: " and all of them."""
    import difflib

    by_case = {each.casefold().lstrip("-"): each for each in words}  # all options have dashes alike
    close = difflib.get_close_matches(word.casefold().lstrip("-"), by_case, n=1)
    return f"did you mean '{by_case[close[0]]}'?" if close else f"choose from: {', '.join(words)}."
