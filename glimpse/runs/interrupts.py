"""Ctrl-C (or SIGTERM) while a run trains: the first asks it to stop, the second stops the program at once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self, TypeVar

Result = TypeVar("Result")


class Interrupts:
    """Within its `with` block the first signal sets `asked`, and the next one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.asked = False
        self._ends = False  # whether the first signal ends what is done now
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        with suppress(ValueError):  # signals are delivered to the main thread only
            self._before = {n: signal.signal(n, self._on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def unless_asked(self, work: Callable[[], Result]) -> Result | None:
        """The result of some work that may be lost; None if a signal came before or during it, which ends it."""
        if self.asked:
            return None
        self._ends = True
        try:
            return work()
        except KeyboardInterrupt:
            return None
        finally:
            self._ends = False

    def _on_signal(self, number: int, frame: object) -> None:
        at_once, self.asked = self.asked or self._ends, True
        if at_once:
            raise KeyboardInterrupt
