"""An answer to a trial, read from the JSON of POST /p/TOKEN/answer. Pure: values in, values out."""

from __future__ import annotations

import math
import string
from dataclasses import dataclass
from typing import Any

from study_app.definition.study import RATINGS, SURENESS, StudyFile
from study_app.orm import storable

LONGEST_WHY = 1000  # characters
LONGEST_MS = 1e12  # longer times are stored as this, so that sums of squares stay finite
FRAME_MS = 1000 / 60  # assumed where the browser did not measure its own frame period
DEVICES = ("key", "mouse", "touch", "pen", "other")
WORD = string.ascii_letters + string.digits


@dataclass(frozen=True)
class Answered:
    """One answer as the page measured it; the fields are described in docs/survey.md."""

    trial: int  # position, from 1
    answer: str  # real | generated | missed
    exposure_ms: float
    response_time_ms: float | None  # from the onset of the image; None: missed
    dropped_frames: int
    focus_lost: bool
    rating: int | None = None  # 1 (definitely real) to 6 (definitely generated)
    confidence: int | None = None  # 1 (guessed) to 4 (sure)
    second_exposure_ms: float | None = None  # of the second image of a pair that came one after the other
    why: str | None = None  # what decided it, in words
    why_x: float | None = None  # or where it is, in pixels of the image
    why_y: float | None = None
    frame_ms: float = FRAME_MS
    by: str | None = "other"  # key | mouse | touch | pen | other
    early_presses: int = 0
    view: str = ""  # the page that showed the trial
    uncertain_ms: float = 0  # by how much the exposure may be off
    scheduled: bool = True  # the compositor changed the image; False: the page itself
    resized: bool = False  # the window was, during the exposure
    image_width: float | None = None  # CSS pixels, as shown
    image_height: float | None = None
    pixel_ratio: float | None = None  # the screen's pixels per CSS pixel
    fullscreen: bool | None = None  # from the fixation to the end of the exposure; None: not asked for

    @classmethod
    def read(cls, body: dict[str, Any], study: StudyFile) -> Answered | None:
        """The answer; None if a field that the study asks for is missing or has a wrong type.

        A rating above the middle is the answer 'generated'. Implausible times are not refused.
        """
        answer = str(body.get("answer"))
        missed = answer == "missed" and study.answer_ms is not None
        rates, tells = study.task == "rating" and not missed, study.confidence and not missed
        rating = _step(body.get("rating"), len(RATINGS)) if rates else None
        confidence = _step(body.get("confidence"), len(SURENESS)) if tells else None
        if rating is not None:
            answer = "generated" if rating > len(RATINGS) / 2 else "real"
        second = _number(body.get("second_exposure_ms")) if study.in_sequence else None
        why = storable(str(body.get("why") or ""), LONGEST_WHY) if study.why == "text" else ""
        point = [_number(body.get(key)) if study.why == "click" else None for key in ("why_x", "why_y")]
        trial, dropped = whole(body.get("trial")), whole(body.get("dropped_frames"))
        exposure, response = _number(body.get("exposure_ms")), _number(body.get("response_time_ms"))
        if (
            trial is None or trial < 1
            or not (missed or answer in ("real", "generated"))
            or (rates and rating is None)
            or (tells and confidence is None)
            or (study.in_sequence and second is None)
            or exposure is None or (response is None and not missed)
            or dropped is None or dropped < 0
            or not isinstance(body.get("focus_lost"), bool)
        ):  # fmt: skip
            return None
        frame_ms = _number(body.get("frame_ms"))
        return cls(
            trial=trial, answer=answer, rating=rating, confidence=confidence, exposure_ms=exposure,
            second_exposure_ms=second, why=why or None, why_x=point[0], why_y=point[1],
            response_time_ms=None if missed else response, dropped_frames=min(dropped, 2**31 - 1),
            focus_lost=body["focus_lost"],
            frame_ms=frame_ms if frame_ms and 2 <= frame_ms <= 100 else FRAME_MS,
            by=None if missed else body["by"] if body.get("by") in DEVICES else "other",
            early_presses=max(0, min(whole(body.get("early_presses")) or 0, 1000)), view=view_of(body),
            uncertain_ms=_number(body.get("uncertain_ms")) or 0, scheduled=body.get("scheduled") is not False,
            resized=body.get("resized") is True, image_width=_number(body.get("image_width")),
            image_height=_number(body.get("image_height")), pixel_ratio=_number(body.get("pixel_ratio")),
            fullscreen=body.get("fullscreen") is True if study.fullscreen else None,
        )  # fmt: skip


def view_of(body: dict[str, Any]) -> str:
    """The page's random name (letters and digits), which tells a repeated request of one page from another page's."""
    return "".join(character for character in str(body.get("view", ""))[:16] if character in WORD)


def whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _step(value: Any, most: int) -> int | None:
    """A step of a scale from 1."""
    step = whole(value)
    return step if step is not None and 1 <= step <= most else None


def _number(value: Any) -> float | None:
    """A finite number, at least 0; at most LONGEST_MS."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return min(number, LONGEST_MS) if math.isfinite(number) and number >= 0 else None
