"""The raw events of the page during a trial, as static/trial/events.js sends them with the answer. Pure."""

from __future__ import annotations

import math
import re
from typing import Any

MOST, LONGEST_MS = 200, 1e9
NAME, DETAIL = re.compile("[a-z]{1,20}"), re.compile(r"[\w-]{0,24}", re.ASCII)


def read_events(given: Any) -> list[list[Any]]:
    """The valid events, each as [ms from the onset of the image, name, detail]; anything else is left out.

    >>> read_events([[-420.5, "keydown", "KeyF"], ["late", "keydown", "KeyJ"]])
    [[-420.5, 'keydown', 'KeyF']]
    """
    return [list(one) for one in given[:MOST] if _is_event(one)] if isinstance(given, list) else []


def _is_event(one: Any) -> bool:
    if not isinstance(one, list) or len(one) != 3:
        return False
    at_ms, name, detail = one
    if isinstance(at_ms, bool) or not isinstance(at_ms, int | float) or not abs(at_ms) < LONGEST_MS:
        return False
    worded = isinstance(name, str) and isinstance(detail, str)
    return math.isfinite(at_ms) and worded and bool(NAME.fullmatch(name) and DETAIL.fullmatch(detail))
