"""Reuse of finished work: whether a folder with a manifest exists, made from the same inputs, options and code."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from glimpse.files import GlimpseError, read_json, sha256_bytes, sha256_json

Made = TypeVar("Made")


def existing(
    folder: Path,
    made_from: Mapping[str, Any],
    load: Callable[[Path], Made],
    *,
    refusal: GlimpseError | None = None,
    overwrite: bool = False,
) -> Made | None:
    """`load(folder)` if the manifest in `folder` states the same inputs; None if the folder has to be made.

    `made_from` holds the entries of the manifest to compare; a dotted key looks inside one (`"made_from.phantom"`).
    Tuples equal lists, as in JSON. A folder that is damaged or was made from other inputs is

    - made again without `refusal` (folders of images that `compare` or `publish` read before; image sets of `prepare`);
    - kept with `refusal`, which is raised for other inputs, while a damaged folder raises its own error (image sets and
      stimulus sets that other results may refer to). `overwrite` makes the folder again.
    """
    manifest = folder / "manifest.json"
    if overwrite or not manifest.is_file():
        return None
    try:
        found = read_json(manifest)
        wanted = json.loads(json.dumps(dict(made_from)))
        if all(_entry(found, key) == value for key, value in wanted.items()):
            return load(folder)
    except GlimpseError:
        if refusal is not None:
            raise
        return None
    if refusal is not None:
        raise refusal
    return None


def _entry(manifest: Any, key: str) -> Any:
    """The entry at a dotted key; None if there is none."""
    for part in key.split("."):
        manifest = manifest.get(part) if isinstance(manifest, dict) else None
    return manifest


def code_sha256(root: Path, packages: Sequence[str], without: Sequence[str] = ()) -> str:
    """Hash of the Python source of these packages below `root`, except for the folders `without` (as "package/folder").

    A cache whose names contain this hash never returns a result of an earlier version of the code.
    """
    files = {path.relative_to(root).as_posix(): path for package in packages for path in (root / package).rglob("*.py")}
    kept = sorted(name for name in files if not name.startswith(tuple(f"{folder}/" for folder in without)))
    return sha256_json({name: sha256_bytes(files[name].read_bytes()) for name in kept})
