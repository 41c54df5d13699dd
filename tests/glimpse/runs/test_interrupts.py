"""Ctrl-C while a run trains: the first asks, the second stops, and afterwards all is as before."""

from __future__ import annotations

import signal

import pytest

from glimpse.runs.interrupts import Interrupts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks_and_the_second_stops(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        assert not interrupts.asked
        signal.raise_signal(number)
        assert interrupts.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) is before


def test_the_first_signal_ends_work_that_may_be_lost() -> None:
    with Interrupts() as interrupts:
        assert interrupts.unless_asked(lambda: 7) == 7
        assert interrupts.unless_asked(lambda: [signal.raise_signal(signal.SIGTERM), pytest.fail("it goes on")]) is None
        assert interrupts.asked
        assert interrupts.unless_asked(lambda: pytest.fail("it begins")) is None
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
