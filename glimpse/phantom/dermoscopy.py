"""Dermoscopic photos: a lesion turned, shifted and magnified, with hair, gel bubbles and ruler marks in front.

Several photos can show one lesion, as in HAM10000.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

from glimpse.phantom.camera import Light, Pixels, draw_camera
from glimpse.phantom.fields import Field, Line, cloud, dots, smoothstep, strokes
from glimpse.phantom.lesion import FIELD_MM, Lesion
from glimpse.phantom.person import Person
from glimpse.phantom.skin import reflect

# Gel and crossed polarisers remove the gloss: browns look warmer than to the naked eye.
POLARISED = np.array([0.56, 1.00, 1.34], np.float32)
# The dermatoscope's lamp is bluish and rarely balanced: plain skin in HAM10000 has a median b* near 1, SD 8.
LAMP, LAMP_SD = np.array([0.90, 0.98, 1.52]), np.array([0.06, 0.03, 0.15])


def shoot(seed: int, lesion: Lesion, person: Person, width: int, height: int) -> Pixels:
    """Take one photo of the lesion."""
    rng = np.random.default_rng([seed, 4])
    mm = width / FIELD_MM
    turn, zoom = rng.uniform(0, 2 * np.pi), rng.uniform(0.72, 1.15)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) / zoom
    if rng.random() < 0.5:
        matrix = matrix[:, ::-1]
    centre = np.array([height / 2, width / 2]) + rng.normal(0, 0.05 * width, 2)
    side = lesion.melanin.shape[0]
    offset = np.array([side / 2, side / 2]) - matrix @ centre

    def seen(layer: Field) -> Field:
        return affine_transform(layer, matrix, offset, (height, width), np.float32, order=1, mode="reflect")

    melanin, blood, deep, white = (seen(a) for a in (lesion.melanin, lesion.blood, lesion.deep, lesion.white))
    light = reflect(melanin, blood, deep, np.zeros_like(deep), POLARISED)
    light += np.clip(white, 0, 1)[..., None] * (np.array([0.80, 0.66, 0.67], np.float32) - light)
    light *= np.float32(rng.uniform(0.62, 0.98) * (1 + 0.45 * min(person.melanin, 1.5)))  # exposure set for this skin
    light *= (1 + 0.05 * cloud(rng, (height, width), 0.6 * width))[..., None]
    _add_hair(rng, light, person, mm)
    _add_gel(rng, light, mm)
    _add_ruler(rng, light, mm)
    _add_vignette(rng, light)
    camera = draw_camera(rng, noise=0.018, blur=0.5)
    light *= (LAMP * np.exp(rng.normal(0, LAMP_SD))).astype(np.float32)
    return camera.develop(light, camera.grain((height, width)))


def _add_hair(rng: np.random.Generator, light: Light, person: Person, mm: float) -> None:
    height, width = light.shape[:2]
    count = _count(rng, 6, 40, none=0.45, many=0.2)
    comb, long = rng.uniform(0, 2 * np.pi), rng.uniform(2, 14) * mm
    lines: list[Line] = []
    for _ in range(count):
        heading, bend = comb + rng.normal(0, 0.6), rng.normal(0, 0.12)
        t = np.linspace(0, 1, 14)
        angles = heading + bend * 6 * t
        steps = np.stack([np.cos(angles), np.sin(angles)], -1) * long * rng.uniform(0.5, 1.2) / 14
        points = rng.uniform((0, 0), (width, height)) + np.cumsum(steps, 0)
        lines.append((points, rng.uniform(0.06, 0.11) * mm, rng.uniform(0.55, 1)))
    if lines:
        hair = strokes((height, width), lines)[..., None]
        shadow = gaussian_filter(hair[..., 0], 0.12 * mm)[..., None]
        dark = person.ita < 45 or rng.random() < 0.6
        colour = np.array([0.03, 0.02, 0.015] if dark else [0.20, 0.12, 0.06], np.float32)
        light *= 1 - 0.25 * shadow
        light += 0.9 * hair * (colour - light)


def _count(rng: np.random.Generator, few: int, most: int, *, none: float, many: float) -> int:
    """A random count: 0 with probability `none`, up to `most` with probability `many`, else below `few`."""
    chance = rng.random()
    return 0 if chance < none else int(rng.integers(few, most) if chance > 1 - many else rng.integers(1, few))


def _add_gel(rng: np.random.Generator, light: Light, mm: float) -> None:
    """Add bubbles in the contact gel, each a dark rim and a spot of light, and small glints."""
    height, width = light.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    for _ in range(_count(rng, 4, 14, none=0.65, many=0.1)):
        cx, cy, r = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(0.12, 0.7) * mm * rng.uniform(0.5, 1)
        distance = np.hypot(x - cx, y - cy)
        rim = np.exp(-np.square((distance - r) / (0.06 * mm + 0.5)))
        glint = np.exp(-(np.square(x - cx + 0.4 * r) + np.square(y - cy + 0.4 * r)) / np.square(0.22 * r + 0.5))
        light *= (1 - 0.22 * rim)[..., None]
        light += (0.5 * glint + 0.12 * np.roll(rim, 1, 0) * (y < cy))[..., None]
    if rng.random() < 0.3:
        middle, count = rng.uniform((0, 0), (width, height)), int(rng.integers(5, 40))
        places, size = middle + rng.normal(0, 1.5 * mm, (count, 2)), rng.uniform(0.05, 0.14, count) * mm + 0.6
        spots = dots((height, width), places, size, rng.uniform(0.2, 0.9, count))
        light += spots[..., None] * (0.95 - light)


def _add_ruler(rng: np.random.Generator, light: Light, mm: float) -> None:
    """Add the millimetre ticks of the dermatoscope's scale at an edge."""
    if rng.random() > 0.14:
        return
    height, width = light.shape[:2]
    start, turn = np.array([width * rng.uniform(0.7, 0.95), height * rng.uniform(0.0, 0.1)]), rng.uniform(-0.5, 0.9)
    lines: list[Line] = []
    for k in range(int(rng.integers(3, 9))):
        at = start + np.array([k * np.cos(turn), k * np.sin(turn)]) * mm * 0.9
        tick = np.array([[0, 0], [-np.sin(turn), np.cos(turn)]]) * mm * (1.0 if k % 5 else 1.5)
        lines.append((at + tick, 0.08 * mm, 0.85))
    light *= 1 - 0.85 * strokes((height, width), lines, 0.3)[..., None]


def _add_vignette(rng: np.random.Generator, light: Light) -> None:
    height, width = light.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot(x - width * rng.uniform(0.46, 0.54), y - height * rng.uniform(0.46, 0.54)) / width
    light *= (1 - np.float32(rng.uniform(0.1, 0.8)) * np.square(distance))[..., None]
    if rng.random() < 0.3:
        edge = rng.uniform(0.46, 0.60)
        light *= (0.006 + 0.994 * smoothstep(edge + 0.02, edge - rng.uniform(0.01, 0.05), distance))[..., None]
