"""Ctrl-C (or SIGTERM) while a run trains: the first asks it to stop, the second stops the program at once."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any, Self


class Interrupts:
    """Within its `with` block the first signal sets `asked`, and the next one raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        with suppress(ValueError):  # signals are delivered to the main thread only
            self._before = {n: signal.signal(n, self._on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on_signal(self, number: int, frame: object) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
