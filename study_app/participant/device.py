"""The device that a study is taken on: its measures from the device page, and whether the study can use it. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from study_app.definition.study import StudyFile

MEASURES = ("frame_ms", "width", "height", "pixel_ratio", "touch", "screen", "card")
CARD_MM = 85.6  # the longer side of a bank card (ISO/IEC 7810, ID-1)
PX_PER_MM = (1.0, 20.0)  # CSS pixels: beyond these the card was not measured
PHONE_PX = 600  # CSS pixels: the shorter side of the screen of a phone is below this
TOLERANCE = 1.02  # a screen of 60 Hz is measured at 59.9


def measured(form: Mapping[str, str]) -> dict[str, float]:
    """The measures in the device page's form; implausible ones are left out.

    The size of the bank card is replaced by `px_per_mm`: CSS pixels at the stated `pixel_ratio`.
    """
    found = {name: value for name in MEASURES if (value := _number(form.get(name, ""))) is not None}
    px_per_mm = found.pop("card", 0) / CARD_MM
    if PX_PER_MM[0] <= px_per_mm <= PX_PER_MM[1]:
        found["px_per_mm"] = round(px_per_mm, 4)
    return found


def physical_size(
    width: float | None, pixel_ratio: float | None, measures: Mapping[str, float] | None, distance_cm: float | None
) -> dict[str, float]:
    """The width of an image on the screen: `image_mm`, and `image_degrees` of visual angle at a viewing distance.

    `width` and `pixel_ratio` are of its trial, `measures` the device's. Without a calibration there is neither.

    >>> physical_size(360, 1, {"px_per_mm": 4.0, "pixel_ratio": 1}, 60)
    {'image_mm': 90.0, 'image_degrees': 8.578}
    """
    if not width or not measures or "px_per_mm" not in measures:
        return {}
    ratio = measures.get("pixel_ratio", 1)
    zoom = pixel_ratio / ratio if pixel_ratio and ratio else 1  # the page may have been zoomed since
    mm = width * zoom / measures["px_per_mm"]
    if distance_cm is None:
        return {"image_mm": round(mm, 3)}
    return {"image_mm": round(mm, 3), "image_degrees": round(math.degrees(2 * math.atan(mm / 20 / distance_cm)), 3)}


def _number(text: str) -> float | None:
    try:
        value = float(text[:20])
    except ValueError:
        return None
    return round(value, 3) if math.isfinite(value) and 0 <= value <= 100_000 else None


def kind(device: Mapping[str, Any]) -> str:
    """desktop, tablet or phone.

    >>> kind({"touch": 1.0, "screen": 600.0}), kind({"touch": 1.0, "screen": 599.0})
    ('tablet', 'phone')
    """
    if not device.get("touch"):
        return "desktop"
    return "phone" if device.get("screen", 0) < PHONE_PX else "tablet"


def unsuitable(study: StudyFile, device: Mapping[str, Any] | None) -> str:
    """The reason why the study cannot be taken on this device: unmeasured, device, window or frames; "" for none.

    >>> screen = {"touch": 0.0, "width": 1280, "height": 800, "frame_ms": 17.0}  # 2 % more than 60 frames a second take
    >>> unsuitable(StudyFile(slug="a", sets=(), min_frame_rate=60), screen)
    ''
    """
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
