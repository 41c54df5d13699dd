"""Types of the options of `prepare`: they parse the words of a command line."""

from __future__ import annotations

import argparse
from pathlib import Path

OFF_GRID = 1.5  # shrinks JPEG's grid below detection, whatever its place (measured in docs/data.md)


def share(text: str) -> float:
    """A number from 0 to below 1, as an option's type."""
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share: it must be at least 0 and less than 1")
    return value


def positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value


def factor(text: str) -> float:
    """A factor to shrink by, at least 1. A name that follows an option without its factor is refused with a hint."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 1 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a factor of at least 1 (put names before this option)")
    return value


def number_or_auto(text: str) -> float | str:
    return text if text == "auto" else float(text)


def level(text: str) -> float:
    """`128`, a grey level, or `0.5`, a share of white, as a grey level."""
    value = float(text) * (255 if "." in text else 1)
    if not 0 < value <= 255:
        raise argparse.ArgumentTypeError(f"{text} is neither a level from 1 to 255 nor a share of white such as 0.5")
    return value


def height_and_width(text: str) -> tuple[int, int]:
    """`480x640`, in the order of arrays and of every size that is printed, as width and height.

    >>> height_and_width("480x640")
    (640, 480)
    """
    height, _, width = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) and int(height)):
        raise argparse.ArgumentTypeError(f"{text} is not a size like 480x640 (height x width)")
    return int(width), int(height)


def side_or_height_and_width(text: str) -> tuple[int, int]:
    """`256` or `480x640` (height x width), as width and height."""
    if text.isdigit() and int(text):
        return int(text), int(text)
    try:
        return height_and_width(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(f"{text} is not a size like 256 or 480x640 (height x width)") from None


def count_share_or_list(text: str) -> int | float | Path:
    """`52`, `0.4` or a file that lists photos."""
    try:
        return int(text) if text.isdigit() else share(text)
    except ValueError:
        return Path(text)
