"""The device that a study is taken on: its measures from the device page, and whether the study can use it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from study_app.study import StudyFile

MEASURES = ("frame_ms", "width", "height", "pixel_ratio", "touch", "screen")
PHONE_PX = 600  # CSS pixels: the shorter side of the screen of a phone is below this
TOLERANCE = 1.02  # a screen of 60 Hz is measured at 59.9


def measured(form: Mapping[str, str]) -> dict[str, float]:
    """The measures in the device page's form; those that are no plausible numbers are left out."""
    return {name: value for name in MEASURES if (value := _number(form.get(name, ""))) is not None}


def _number(text: str) -> float | None:
    try:
        value = float(text[:20])
    except ValueError:
        return None
    return round(value, 3) if math.isfinite(value) and 0 <= value <= 100_000 else None


def kind(device: Mapping[str, Any]) -> str:
    """desktop, tablet or phone."""
    if not device.get("touch"):
        return "desktop"
    return "phone" if device.get("screen", 0) < PHONE_PX else "tablet"


def unsuitable(study: StudyFile, device: Mapping[str, Any] | None) -> str:
    """The reason why the study cannot be taken on this device: unmeasured, device, window or frames; "" for none."""
    if device is None or not study.needs_device:
        return ""
    if not all(name in device for name in ("touch", "width", "height", "frame_ms")):
        return "unmeasured"
    if kind(device) not in study.devices:
        return "device"
    width, height = study.min_window or (0, 0)
    if device["width"] < width or device["height"] < height:
        return "window"
    if study.min_frame_rate * device["frame_ms"] > 1000 * TOLERANCE:
        return "frames"
    return ""
