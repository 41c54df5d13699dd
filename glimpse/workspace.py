"""The workspace: where image sets, runs, stimulus sets, answers and reports live, and how they are read and written.

Everything here is written to a temporary name and renamed into place, so a killed command leaves the old thing or the
new thing, never half of one; everything read is checked against its schema and its SHA-256. Standard library only:
the survey host imports this module too.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

MAX_SEED = 2**32 - 1  # what NumPy, torch and scikit-learn all take
SCHEMA = 1
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class GlimpseError(Exception):
    """A sentence for the person at the keyboard: it names the offending thing and the remedy. Commands exit with 2."""


class WorkspaceError(GlimpseError):
    """A folder or file of the workspace is missing, unknown, damaged or cannot be written."""


# What each kind of folder is called in a sentence, the file that makes it one, and the command that makes it.
KINDS = {
    "images": ("image set", "manifest.json", "gan_core prepare"),
    "runs": ("run", "config.json", "gan_core train"),
    "stimuli": ("stimulus set", "manifest.json", "gan_core publish"),
}


@dataclass(frozen=True)
class Workspace:
    """The folder that holds everything: `--workspace DIR`, else `$GLIMPSE_WORKSPACE`, else `./workspace`."""

    root: Path

    @classmethod
    def at(cls, folder: str | os.PathLike[str] | None = None) -> Workspace:
        return cls(Path(folder or os.environ.get("GLIMPSE_WORKSPACE") or "workspace"))

    @property
    def features(self) -> Path:
        return self.root / "features"

    @property
    def report(self) -> Path:
        return self.root / "report"

    @property
    def database_url(self) -> str:
        """`$DATABASE_URL` if set, else the SQLite file of this workspace, whatever characters its path has."""
        return os.environ.get("DATABASE_URL") or f"sqlite:///{quote(str((self.root / 'study.db').resolve()))}"

    def names(self, kind: str) -> list[str]:
        """The finished things of a kind (`images`, `runs`, `stimuli`), sorted by name."""
        marker = KINDS[kind][1]
        return sorted(
            p.parent.name for p in (self.root / kind).glob(f"*/{marker}") if not p.parent.name.startswith(".")
        )

    def new(self, kind: str, name: str) -> Path:
        """The folder where `name` belongs, there or not. Raises WorkspaceError for a name that cannot be a folder."""
        if not NAME.fullmatch(name):
            raise WorkspaceError(
                f"{name!r} cannot be a name: use lower-case letters, digits, '-' and '_', at most 64 of them."
            )
        return self.root / kind / name

    def existing(self, kind: str, name: str) -> Path:
        """The folder of something that must be there. Raises WorkspaceError naming what there is and how to make it."""
        folder = self.new(kind, name)
        noun, marker, command = KINDS[kind]
        if not (folder / marker).is_file():
            there = ", ".join(self.names(kind))
            raise WorkspaceError(
                f"There is no {noun} '{name}' in {self.root / kind}"
                + (f" (there are: {there})." if there else " (it is empty).")
                + f" Make it with `{command}`."
            )
        return folder


# ------------------------------------------------------------------------------------------------ hashes and JSON


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """The hash of a JSON value, whatever the order of its keys."""
    return sha256_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def verify(path: Path, sha256: str) -> None:
    """Raises WorkspaceError unless the file is there and has this SHA-256."""
    if not path.is_file():
        raise WorkspaceError(f"{path} is missing, though the manifest beside it names it: make the set again.")
    if sha256_file(path) != sha256:
        raise WorkspaceError(
            f"{path} is not the file that its manifest describes (SHA-256 differs): make the set again."
        )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of the schema this version writes. Raises WorkspaceError naming the file otherwise."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise WorkspaceError(f"{path} is missing.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WorkspaceError(f"{path} is not readable as JSON ({error}): make it again.") from None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else None
        raise WorkspaceError(
            f"{path} has schema {found!r}, this version of Glimpse reads schema {SCHEMA}: "
            "use the version that wrote it, or make it again."
        )
    return value


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write `value` with its schema, sorted and indented so that two versions can be compared by eye."""
    with atomic_file(path) as temporary:
        temporary.write_text(
            json.dumps({"schema": SCHEMA, **value}, indent=1, ensure_ascii=False, allow_nan=False) + "\n", "utf-8"
        )


# ------------------------------------------------------------------------------------------------ all or nothing


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it is flushed to disk and renamed to `path`, else removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        flush(temporary)
        temporary.chmod(0o666 & ~_umask())
        os.replace(temporary, path)
        flush(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path` that no other process uses; it is removed in the end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for stale in path.parent.glob(f".{path.name}.*.building"):  # left by a command that was killed
        if not _alive(int(stale.name.split(".")[-2])):
            shutil.rmtree(stale, ignore_errors=True)
    temporary = path.parent / f".{path.name}.{os.getpid()}.building"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; on success it takes the place of `path` in one step, else it is removed."""
    with scratch_folder(path) as temporary:
        yield temporary
        for file in temporary.rglob("*"):
            flush(file)
        if path.exists():
            _exchange(temporary, path)
        else:
            os.rename(temporary, path)
        flush(path.parent)


def _exchange(one: Path, other: Path) -> None:
    """Swap two folders: in one system call where Linux offers it, else by three renames."""
    with contextlib.suppress(OSError, AttributeError):
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
        at_cwd, exchange = -100, 2
        if renameat2(at_cwd, os.fsencode(one.absolute()), at_cwd, os.fsencode(other.absolute()), exchange) == 0:
            return
    aside = other.with_name(f".{other.name}.{os.getpid()}.aside")
    os.rename(other, aside)
    os.rename(one, other)
    os.rename(aside, one)


def flush(path: Path) -> None:
    """Return when a file, or the names in a folder, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF):  # a file system that cannot flush a folder
            raise
    finally:
        os.close(descriptor)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


# ------------------------------------------------------------------------------------------------ commands


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
