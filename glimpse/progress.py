"""The progress bar of long work: count, time and ETA on stderr; silent where stderr is not a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

FORMAT = "{desc} {percentage:3.0f}% |{bar:16}| {n_fmt}/{total_fmt} {unit} [{elapsed}<{remaining}{postfix}]"
TITLE = 20  # characters of a title that are shown


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
