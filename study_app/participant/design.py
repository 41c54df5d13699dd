"""The design of the experiment: allotted set, images, order and exposures. Pure.

Every function takes plain values and a `numpy.random.Generator`; there is no database, clock or browser. A participant
sees the exposures but must not learn which images are real, so exposures come from another stream than images
and order: computing one back from what the page is told reveals nothing about the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from study_app.participant.answer import Answered

ACTIVE_MINUTES = 30  # a participant seen this recently counts as active
IDLE_MINUTES = 5  # a participant without an answer holds a place for so long: entering alone must not fill a study


@dataclass(frozen=True)
class PlannedTrial:
    """One trial before it is given: the class, which image of that class, and the exposure (ms, whole)."""

    kind: str  # scored | catch
    truth: str  # real | generated
    index: int  # into the images of this kind and truth
    exposure_ms: float | None
    beside: int | None = None  # in a pair: the index of its real image; `truth` is that of the first image


def stream() -> Generator:
    """A new stream of random numbers, independent of all others: 128 bits from the operating system, stored nowhere."""
    return np.random.default_rng()


def choose_set(taken: Sequence[int], quotas: Sequence[int | None], rng: Generator) -> int | None:
    """The index of the set with the fewest finished and recently active participants, ties at random.

    A set that has reached its quota is left out; None when all have.
    """
    open_sets = [i for i, (n, quota) in enumerate(zip(taken, quotas, strict=True)) if quota is None or n < quota]
    if not open_sets:
        return None
    fewest = min(taken[i] for i in open_sets)
    return int(rng.choice([i for i in open_sets if taken[i] == fewest]))


def draw_images(shown: Sequence[int], count: int, rng: Generator) -> list[int]:
    """`count` different images, those shown least often first and ties at random, so that counts differ by at most one.

    Raises ValueError when there are fewer than `count` images.
    """
    if count > len(shown):
        raise ValueError(f"{count} images are asked for, but there are {len(shown)}")
    order = np.lexsort((rng.random(len(shown)), np.asarray(shown)))
    return [int(i) for i in order[:count]]


def draw_evenly(shown: Sequence[int], conditions: Sequence[str], count: int, rng: Generator) -> list[int]:
    """`draw_images` from each condition: as many of each, or one more from some that are chosen at random.

    `conditions[i]` is the condition of image i.

    >>> drawn = draw_evenly([0] * 6, ["a"] * 3 + ["b"] * 3, 5, np.random.default_rng(0))
    >>> len(drawn), sorted([sum(i < 3 for i in drawn), sum(i >= 3 for i in drawn)])
    (5, [2, 3])
    """
    names = sorted(set(conditions))
    more = set(rng.permutation(len(names))[: count % len(names)].tolist()) if names else set()
    drawn: list[int] = []
    for k, name in enumerate(names):
        mine = [i for i, condition in enumerate(conditions) if condition == name]
        wanted = count // len(names) + (k in more)
        drawn += [mine[i] for i in draw_images([shown[i] for i in mine], wanted, rng)]
    return drawn


def exposures(count: int, low_ms: int, high_ms: int, rng: Generator) -> list[int]:
    """`count` exposures uniform over the whole milliseconds of [low_ms, high_ms]."""
    return [int(ms) for ms in rng.integers(low_ms, high_ms + 1, count)]


def plan(
    *, count: int, real_share: float, shown_real: Sequence[int], shown_generated: Sequence[int],
    exposure_ms: tuple[int, int] | None, rng: Generator, times_rng: Generator,
    catch: int = 0, catch_truths: Sequence[str] = (), conditions: Sequence[str] = (),
    pairs: bool = False,
) -> list[PlannedTrial]:  # fmt: skip
    """The trials of one participant in random order.

    `shown_real[i]`, `shown_generated[i]`: how often each image was shown to others. `exposure_ms` None leaves the
    exposures open. `catch` attention trials, drawn from images of the truths `catch_truths`, are spread over the
    sequence at random. `conditions`: the condition of each generated image; the trials are shared evenly among them
    (None: there is one). In `pairs` each trial has a generated image, or an attention image, and a real one, which
    comes first in `real_share` of the trials. `rng` draws images and order, `times_rng` the exposures: two independent
    streams.
    """
    real = 0 if pairs else round(count * real_share)
    drawn = [("scored", "real", i) for i in draw_images(shown_real, real, rng)]
    generated = draw_evenly(shown_generated, conditions or [""] * len(shown_generated), count - real, rng)
    drawn += [("scored", "generated", i) for i in generated]
    drawn += [("catch", catch_truths[i], i) for i in draw_images([0] * len(catch_truths), catch, rng)]
    times: Sequence[float | None] = (
        [None] * len(drawn) if exposure_ms is None else exposures(len(drawn), *exposure_ms, times_rng)
    )
    beside: Sequence[int | None] = [None] * len(drawn)
    if pairs:
        beside = rng.permutation(draw_images(shown_real, len(drawn), rng)).tolist()
        first = rng.permutation(np.arange(len(drawn)) < round(len(drawn) * real_share))
        drawn = [(kind, "real" if real else truth, i) for (kind, truth, i), real in zip(drawn, first, strict=True)]
    return [
        PlannedTrial(drawn[i][0], drawn[i][1], drawn[i][2], time, beside[i])
        for i, time in zip(rng.permutation(len(drawn)), times, strict=True)
    ]


HASTY_MS, SLOW_MS = 150, 60_000  # responses outside this range are flagged as implausible


def trial_flags(answered: Answered, *, planned_ms: float | None, begun: int) -> set[str]:
    """Quality flags of a trial. Flagged trials are kept; the analyst decides.

    Against the planned exposure rounded to whole frames: `frame-off` by a frame or more, `exposure-wrong` by more than
    two, or where the page was hidden. `exposure-unverified`: no frame shows when the image came or went, so that the
    exposure may be off by a frame or more. `begun`: how often a page started this trial.
    """
    flags = set()
    for exposure_ms in (answered.exposure_ms, answered.second_exposure_ms):
        if planned_ms is None or exposure_ms is None:
            continue
        frame_ms = answered.frame_ms
        off_ms = abs(exposure_ms - max(1, round(planned_ms / frame_ms)) * frame_ms)
        flags |= {"frame-off"} if off_ms > 0.75 * frame_ms else set()
        flags |= {"exposure-wrong"} if off_ms > 2 * frame_ms else set()
    if answered.uncertain_ms > 0.75 * answered.frame_ms:
        flags.add("exposure-unverified")
    if answered.resized:
        flags.add("resized")
    if answered.fullscreen is False:
        flags.add("not-fullscreen")
    if answered.dropped_frames:
        flags.add("dropped-frames")
    if answered.focus_lost:
        flags |= {"focus-lost", "exposure-wrong"}
    if answered.response_time_ms is None:
        flags.add("missed")
    elif answered.response_time_ms < HASTY_MS or max(answered.response_time_ms, answered.exposure_ms) > SLOW_MS:
        flags.add("implausible-time")
    if begun > 1:
        flags.add("shown-again")
    return flags


CLOCK_MS = 100  # by which the server's and the browser's measure of a trial may differ


@dataclass(frozen=True)
class Observed:
    """A trial as the server saw it, regardless of what the page reports."""

    fetched: bool  # its image was sent
    begun: int  # how often a page announced its start
    elapsed_ms: float | None  # from the answer before it, or its image's first sending if later; None: unknown


def implausible_flags(
    observed: Observed, answered: Answered, *, planned_ms: float | None, fixation_ms: float
) -> set[str]:
    """Flags of a trial that contradicts what the server saw: `not-fetched`, `not-begun`, `too-fast`.

    `too-fast`: the answer came sooner than the fixation and the exposure, or the response time that it states, allow.

    >>> answered = Answered(1, "real", 2000.0, 1500.0, dropped_frames=0, focus_lost=False)
    >>> for elapsed_ms in (0.0, 2399.0, 2400.0):  # of 500 + 2000 ms, as two clocks measure them
    ...     implausible_flags(Observed(True, 1, elapsed_ms), answered, planned_ms=2000.0, fixation_ms=500.0)
    {'too-fast'}
    {'too-fast'}
    set()
    """
    flags = set()
    if not observed.fetched:
        flags.add("not-fetched")
    if not observed.begun:
        flags.add("not-begun")
    needed_ms = fixation_ms + max(planned_ms or 0, answered.response_time_ms or 0) - CLOCK_MS
    if observed.elapsed_ms is not None and 0 <= observed.elapsed_ms < needed_ms:  # below 0: the clock was set back
        flags.add("too-fast")
    return flags
