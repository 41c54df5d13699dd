"""Eczema of the hands: confluent soft-edged redness, papules, scale, scratches, thickened relief.

`extent` places the lesions and `severity` grades them (0-1, and exactly 0 off the lesions). `inflame` changes the
skin's layers there and nowhere else, so that a photo and its clean version are equal outside the mask.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, label

from glimpse.phantom.fields import Field, Line, cloud, dots, furrows, sample_tile, smoothstep, strokes
from glimpse.phantom.hand import Hand
from glimpse.phantom.skin import Skin

# Predilection sites: x, y (mm in the hand's frame), SD about them, weight; knuckles, webs, sides of fingers, wrist.
BACK = ((-25, 90, 7, 3), (-4, 94, 7, 3), (15, 90, 7, 3), (31, 80, 6, 2), (-12, 104, 4, 3), (7, 104, 4, 2),
        (24, 98, 4, 2), (-34, 62, 7, 2), (0, 60, 20, 3), (0, -6, 14, 4), (-22, 22, 10, 2), (24, 30, 8, 2),
        (0, -40, 15, 2))  # fmt: skip
PALM = ((-22, 30, 9, 3), (20, 30, 9, 3), (4, 84, 16, 3), (0, 55, 12, 3), (0, -8, 10, 2))


def extent(rng: np.random.Generator, hands: list[Hand], shape: tuple[int, int], small: tuple[int, int]) -> Field:
    """The extent of the lesions around the predilection sites: a field of shape `small`, above 0 on lesions."""
    ratio = small[0] / shape[0]
    grid = hands[0].px_per_mm * ratio
    x, y = np.meshgrid(np.arange(small[1], dtype=np.float32), np.arange(small[0], dtype=np.float32))
    field = np.full(small, -1.0, np.float32)
    burden = rng.gamma(1.0, 0.36)
    for hand in hands:
        sites = np.array(PALM if hand.palm else BACK, float)
        finger = [one for one in hand.fingers if rng.random() < 0.12 * burden]
        centres = [(*one.axis[int(rng.integers(2, 8))], 6.0) for one in finger]
        many = min(len(sites), max(int(hand is hands[0]), int(rng.poisson(burden))))
        chosen = rng.choice(len(sites), many, replace=False, p=sites[:, 3] / sites[:, 3].sum())
        for sx, sy, stray, _ in sites[chosen]:
            reach = rng.uniform(3.5, 9.0)
            for _ in range(int(rng.integers(2, 6))):
                centres.append((sx + rng.normal(0, stray), sy + rng.normal(0, stray), reach * rng.uniform(0.6, 1.2)))
        for cx, cy, radius in centres:
            (px, py), stretch = hand.pixels(np.array([[cx, cy]]))[0] * ratio, rng.uniform(0.7, 1.4)
            distance = np.hypot((x - px) * np.float32(stretch), (y - py) / np.float32(stretch)) / np.float32(grid)
            field = np.maximum(field, 1 - distance / np.float32(radius))
    return field + np.float32(0.24) * cloud(rng, small, 8 * grid, 4) * (field > -1)


def severity(field: Field, skin: Field, px_per_mm: float) -> tuple[Field, NDArray[np.uint8]]:
    """The severity (0-1) of the field at full size, and the mask that a careful annotator would draw around it."""
    parts, _ = label(binary_fill_holes((field > 0) & (skin > 0.5)))
    sizes = np.bincount(parts.ravel(), minlength=2)
    sizes[0] = 0
    inside = (sizes >= min(sizes.max(), 2 * px_per_mm**2))[parts] & (parts > 0)  # no specks below 2 mm²
    mask = inside.astype(np.uint8)
    return smoothstep(-0.02, 0.8, field) * mask * skin, mask


def inflame(skin: Skin, severe: Field, rng: np.random.Generator, px_per_mm: float, x: Field, y: Field) -> Skin:
    """The same skin with eczema; `x`, `y` (mm) are the positions at which the thickened relief is sampled."""
    shape = severe.shape
    chronic = rng.uniform(0, 1)  # from fresh, red and papular to old, thick, brownish and dry
    patchy = cloud(rng, shape, 2.5 * px_per_mm, 4)
    worse = severe * np.clip(0.8 + 0.25 * patchy, 0.2, 1.5)
    blood = skin.blood + np.float32(rng.uniform(0.40, 0.85) * (1 - 0.35 * chronic)) * worse
    darker = rng.uniform(0.02, 0.08) + 0.10 * chronic + 0.05 * min(float(skin.melanin.max()), 2.0)
    melanin = skin.melanin + np.float32(darker) * worse
    points = _scatter(rng, severe, per_mm2=rng.uniform(0.02, 0.16) * (1.2 - chronic), px_per_mm=px_per_mm)
    size = rng.uniform(0.5, 1.0, len(points)) * px_per_mm
    papule = dots(shape, points, size, rng.uniform(0.4, 1.0, len(points))) * smoothstep(0.0, 0.4, severe)
    blood += np.float32(0.28) * papule
    tile, on, coarse = furrows(rng, px_per_mm, int(30 * px_per_mm), 1.6), severe > 0, np.zeros(shape, np.float32)
    coarse[on] = sample_tile(tile, x[on] * np.float32(px_per_mm), y[on] * np.float32(px_per_mm))
    relief = skin.relief * (1 + np.float32(0.9 * chronic) * severe) - np.float32(0.05 * chronic) * coarse * severe
    relief += np.float32(0.12) * papule
    marks = strokes(shape, _scratches(rng, severe, px_per_mm), 0.10 * px_per_mm) * smoothstep(0.05, 0.5, severe)
    blood += np.float32(0.9) * marks
    melanin += np.float32(0.25) * marks
    relief -= np.float32(0.03) * marks
    dry = smoothstep(0.1, 1.4, cloud(rng, shape, 4.0 * px_per_mm, 3) + np.float32(rng.uniform(-0.6, 0.6)))
    flake = smoothstep(-0.3, 0.7, cloud(rng, shape, 0.9 * px_per_mm, 3)) * (1 - 0.7 * np.clip(coarse, 0, 1))
    scale = np.float32(rng.uniform(0.05, 0.34)) * dry * flake * smoothstep(0.2, 0.8, severe)
    relief += np.float32(0.03) * scale
    return replace(skin, melanin=melanin, blood=blood, relief=relief, horn=np.maximum(skin.horn, scale))


def _scatter(rng: np.random.Generator, severe: Field, per_mm2: float, px_per_mm: float) -> NDArray[np.float64]:
    """Points x, y on the lesion, denser where it is more severe."""
    total = float(severe.sum()) / px_per_mm**2 * per_mm2
    places = np.flatnonzero(severe > 0.1)
    if not len(places):
        return np.zeros((0, 2))
    tries = rng.choice(places, max(1, int(total * 2)))
    tries = tries[rng.random(len(tries)) < severe.ravel()[tries]]
    return np.stack([tries % severe.shape[1], tries // severe.shape[1]], -1).astype(float)


def _scratches(rng: np.random.Generator, severe: Field, px_per_mm: float) -> list[Line]:
    lines: list[Line] = []
    for px, py in _scatter(rng, severe, rng.uniform(0.0, 0.012), px_per_mm):
        turn, long = rng.uniform(0, np.pi), rng.uniform(2, 8) * px_per_mm
        along = np.array([np.cos(turn), np.sin(turn)])
        for k in range(int(rng.integers(1, 4))):
            start = np.array([px, py]) + k * 1.3 * px_per_mm * along[::-1] * (1, -1) + rng.normal(0, 0.8 * px_per_mm, 2)
            t = np.linspace(0, 1, 7)[:, None]
            points = start + along * t * long * rng.uniform(0.5, 1) + rng.normal(0, 0.08 * px_per_mm, (7, 2))
            lines.append((points, rng.uniform(0.15, 0.4) * px_per_mm, rng.uniform(0.4, 1.0)))
    return lines
