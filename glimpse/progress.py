"""The progress bar of long work: count, time and ETA on stderr, silent where stderr is not a terminal; durations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

FORMAT = "{desc} {percentage:3.0f}% |{bar:16}| {n_fmt}/{total_fmt} {unit} [{elapsed}<{remaining}{postfix}]"
TITLE = 15  # characters of a title that are shown


def progress(
    items: Iterable[Any] | None = None, *, title: str, unit: str, total: int | None = None, done: int = 0,
    shown: bool = True,
) -> Any:  # fmt: skip
    """A tqdm bar over `items`, or one to `update` by hand; `unit` is a plural, `done` items count from the start.

    A full bar is removed, so that only a command's closing message remains.
    """
    from tqdm import tqdm

    short = title if len(title) <= TITLE else f"{title[: TITLE - 1]}…"
    return tqdm(
        items, desc=short, unit=unit, total=total, initial=done, disable=None if shown else True, leave=False,
        unit_scale=(total or 0) >= 10_000, bar_format=FORMAT, dynamic_ncols=True,
    )  # fmt: skip


def duration(seconds: float) -> str:
    """A readable duration.

    >>> [duration(seconds) for seconds in (89, 90, 5399, 5400, 172799, 172800)]
    ['89 s', '2 min', '90 min', '1.5 h', '48.0 h', '2.0 days']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86400:.1f} days"
