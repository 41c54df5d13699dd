"""Files: hashes, JSON with a schema, files and folders written all or nothing. Standard library only.

Everything is written to a temporary name and renamed into place, so a killed command leaves the old version or the
new one, never half of one. Readers check the schema of JSON files, and the SHA-256 of the files that a manifest lists.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any

SCHEMA = 1


class GlimpseError(Exception):
    """An error in one sentence that names the offending thing and the remedy; commands print it and exit with 2."""


class WorkspaceError(GlimpseError):
    """A folder or file of the workspace is missing, unknown, damaged or cannot be written."""


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """The SHA-256 of a JSON value, independent of the order of its keys."""
    return sha256_bytes(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def verify(path: Path, sha256: str) -> None:
    """Raise WorkspaceError unless the file exists and has this SHA-256."""
    if not path.is_file():
        raise WorkspaceError(f"{path} is missing, though the manifest beside it names it: make the set again.")
    if sha256_file(path) != sha256:
        raise WorkspaceError(
            f"{path} is not the file that its manifest describes (SHA-256 differs): make the set again."
        )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises WorkspaceError if it is missing, damaged or has another schema than SCHEMA."""
    try:
        value = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise WorkspaceError(f"{path} is missing.") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WorkspaceError(f"{path} is not readable as JSON ({error}): make it again.") from None
    if not isinstance(value, dict) or value.get("schema") != SCHEMA:
        found = value.get("schema") if isinstance(value, dict) else None
        raise WorkspaceError(
            f"{path} has schema {found!r}, but this version of Glimpse reads schema {SCHEMA}: "
            "use the version that wrote it, or make it again."
        )
    return value


def write_json(path: Path, value: dict[str, Any]) -> None:
    """Write `value` with its schema, keys in their order, indented so that two versions can be compared by eye."""
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
    """Yield an empty folder beside `path` that no other process uses; it is removed afterwards."""
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


_written: ContextVar[list[Path] | None] = ContextVar("written", default=None)  # the folders of `all_or_none`


@contextlib.contextmanager
def all_or_none() -> Iterator[None]:
    """Undo every `atomic_folder` of the block if the block fails: new folders are deleted, replaced ones restored."""
    written: list[Path] = []
    token = _written.set(written)
    try:
        yield
    except BaseException:
        for path in reversed(written):
            shutil.rmtree(path, ignore_errors=True)
        raise
    finally:
        _written.reset(token)
        for path in written:
            _settle(path)


@contextlib.contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield an empty folder beside `path`; on success it replaces `path` in one step, else it is removed."""
    _settle(path)
    with scratch_folder(path) as temporary:
        yield temporary
        if not temporary.exists():  # the block removed it: `path` stays as it is
            return
        for file in temporary.rglob("*"):
            flush(file)
        if path.exists() and _exchange(temporary, path):
            os.rename(temporary, _aside(path))
        else:
            stand_aside(path)
            os.rename(temporary, path)
        if (written := _written.get()) is None:
            _settle(path)
        else:
            written.append(path)
        flush(path.parent)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one system call; False on systems without such a call (Linux has one)."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # TypeError: Windows has no library without a name
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
        at_cwd, exchange = -100, 2
        return bool(
            renameat2(at_cwd, os.fsencode(one.absolute()), at_cwd, os.fsencode(other.absolute()), exchange) == 0
        )
    return False


@contextlib.contextmanager
def replacing(folder: Path, *, until: str) -> Iterator[None]:
    """Replace a folder that is used while it is written: after the block, either the new or the old one exists.

    Within the block, `stand_aside(folder)` moves the old folder away. When the block ends, with or without an error,
    the old folder is deleted if the new one holds the file `until`, else restored. The same happens on entry, to
    clean up after a process that was killed.
    """
    _settle(folder, until)
    try:
        yield
    finally:
        _settle(folder, until)


def stand_aside(folder: Path) -> None:
    """Move a folder, if it exists, aside; `replacing` and `atomic_folder` restore it if its replacement fails."""
    if folder.exists():
        os.rename(folder, _aside(folder))


def _settle(folder: Path, until: str = "") -> None:
    """Delete the folder that stands aside if its replacement (with the file `until`) exists, else restore it."""
    aside = _aside(folder)
    if (folder / until).exists():
        shutil.rmtree(aside, ignore_errors=True)
    elif aside.exists():
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(aside, folder)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.aside")


def flush(path: Path) -> None:
    """Write a file's content, or a folder's entries, through to the disk."""
    if path.is_dir() and os.name == "nt":  # Windows opens no folder, and flushes a file only through a writable handle
        return
    descriptor = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EBADF):  # a file system that cannot flush a folder
            raise
    finally:
        os.close(descriptor)


def cores() -> int:
    """The number of processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _alive(pid: int) -> bool:
    if os.name == "nt":  # there, signal 0 is Ctrl-C: a folder left by a killed command stays
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
