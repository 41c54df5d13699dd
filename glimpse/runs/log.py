"""The log of a run, `log.jsonl`: a line for each tick of its training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from glimpse.files import WorkspaceError, read_json


def so_far(folder: Path) -> tuple[int, float]:
    """The images that a run has been shown, and its seconds: at the last tick, or where it was stopped after that."""
    ticks = read_log(folder / "log.jsonl")[-1:]
    stopped = read_json(folder / "config.json").get("stopped")
    return max((found["images"], found["seconds"]) for found in [*ticks, stopped or {"images": 0, "seconds": 0.0}])


def unfinished_at(folder: Path) -> str | None:
    """The images of an unfinished run so far, such as "204 of 2,000 images"; None for a finished run."""
    config = read_json(folder / "config.json")
    if config.get("finished"):
        return None
    return f"{so_far(folder)[0]:,} of {config['settings']['images']:,} images"


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log.jsonl, without a last line that is incomplete: it is being written, or its writer was killed.

    Raises WorkspaceError for any other line that training does not write.
    """
    lines: list[dict[str, Any]] = []
    texts = path.read_bytes().splitlines() if path.is_file() else []
    for number, text in enumerate(texts, 1):
        try:
            line = json.loads(text)
            if not isinstance(line["images"], int):
                raise TypeError
        except (ValueError, TypeError, KeyError) as error:
            if number == len(texts) and isinstance(error, ValueError):
                break
            raise WorkspaceError(
                f"{path}, line {number}, is not a line of a training log: remove it, or train the run again."
            ) from None
        lines.append(line)
    return lines
