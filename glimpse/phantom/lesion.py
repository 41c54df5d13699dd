"""Dermatofibroma and melanoma, as layers of optical density.

A lesion is a set of layers on a square canvas larger than a photo; `dermoscopy` takes photos of it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from glimpse.phantom.fields import Field, Line, cloud, dots, furrows, sample_tile, smooth_line, smoothstep, strokes
from glimpse.phantom.person import Person

FIELD_MM = 15.0  # width of what a photo shows
CANVAS = 1.3  # side of the canvas, in widths of a photo


@dataclass(frozen=True)
class Lesion:
    """The layers of the canvas, each (S, S): optical densities, and the weight 0-1 of white."""

    melanin: Field
    blood: Field
    deep: Field  # melanin deep in the dermis, which looks blue-grey by scattering
    white: Field  # scar, regression


def draw_lesion(seed: int, label: str, person: Person, width: int) -> Lesion:
    """Draw a lesion of `label` DF or MEL, for photos `width` px wide."""
    rng = np.random.default_rng([seed, 3])
    side = int(width * CANVAS)
    mm = width / FIELD_MM
    melanin, blood = _ground(rng, person, side, mm)
    layers = _dermatofibroma if label == "DF" else _melanoma
    return layers(rng, melanin, blood, mm)


def _ground(rng: np.random.Generator, person: Person, side: int, mm: float) -> tuple[Field, Field]:
    """The surrounding skin: finely mottled, with a faint net of furrows, sometimes freckles and small vessels."""
    shape = (side, side)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    net = sample_tile(furrows(rng, mm, int(10 * mm), rng.uniform(0.7, 1.1)), x, y)
    mottle = 0.06 * cloud(rng, shape, 2.5 * mm, 4) + 0.03 * cloud(rng, shape, 0.35 * mm, 2)
    melanin = person.melanin * (1 + mottle - 0.05 * net)
    if rng.random() < 0.25 + 0.5 * person.freckles:
        count = int(rng.integers(5, 40))
        size, much = rng.uniform(0.3, 1.1, count) * mm, rng.uniform(0.05, 0.25, count)
        freckles = dots(shape, rng.uniform(0, side, (count, 2)), size, much)
        melanin += freckles * np.clip(1 + 0.4 * cloud(rng, shape, 0.4 * mm, 2), 0, 2)
    mottle = 0.16 * cloud(rng, shape, 1.5 * mm, 4) + 0.10 * cloud(rng, shape, 0.25 * mm)
    blood = person.blood * rng.uniform(0.8, 2.0) * (1 + mottle)
    if rng.random() < 0.3:  # small vessels that branch as they wander
        blood += 0.25 * _vessels(rng, shape, mm, int(rng.integers(15, 70)))
    return np.asarray(melanin, np.float32), np.asarray(blood, np.float32)


def _vessels(rng: np.random.Generator, shape: tuple[int, int], mm: float, count: int) -> Field:
    lines: list[Line] = []
    for _ in range(count):
        steps = rng.normal(0, 0.35 * mm, (6, 2)) + rng.normal(0, 0.25 * mm, 2)
        points = smooth_line(rng.uniform(0, shape[0], 2) + np.cumsum(steps, 0), 16)
        lines.append((points, rng.uniform(0.05, 0.14) * mm, rng.uniform(0.3, 1.0)))
    return strokes(shape, lines, 0.06 * mm)


def _blob(
    rng: np.random.Generator, shape: tuple[int, int], mm: float, radius: float, lobes: int, rough: float
) -> Field:
    """A rough shape of several lobes: 1 at its centre, 0 on its border, negative outside."""
    y, x = (np.mgrid[: shape[0], : shape[1]].astype(np.float32) - np.float32(shape[0] / 2)) / np.float32(mm)
    field = np.full(shape, -9.0, np.float32)
    for k in range(lobes):
        off = np.zeros(2) if k == 0 else rng.normal(0, 0.55 * radius, 2)
        r = radius * (1.0 if k == 0 else rng.uniform(0.4, 0.85))
        turn, flat = rng.uniform(0, np.pi), rng.uniform(0.65, 1.0)
        u = (x - off[0]) * np.cos(turn) + (y - off[1]) * np.sin(turn)
        v = (y - off[1]) * np.cos(turn) - (x - off[0]) * np.sin(turn)
        lobe = (1 - np.hypot(u, v / flat) / r) * (r / radius)
        field = np.maximum(field, lobe) + 0.12 * np.exp(-np.square((field - lobe) / 0.15))
    edge = cloud(rng, shape, radius * 0.7 * mm, 2) + 0.45 * cloud(rng, shape, radius * 0.2 * mm, 3)
    return np.asarray(field + rough * edge, np.float32)


def _network(rng: np.random.Generator, shape: tuple[int, int], mm: float, pitch: float) -> Field:
    """A pigment network: 1 on the lines, 0 in the holes; spacing and width of the lines vary."""
    tile = furrows(rng, mm, int(9 * mm), pitch, stretch=1.1)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    bend = np.float32(0.16 * mm)
    net = sample_tile(tile, x + bend * cloud(rng, shape, 1.5 * mm), y + bend * cloud(rng, shape, 1.5 * mm))
    return gaussian_filter(net, 0.03 * mm) * np.clip(1 + 0.45 * cloud(rng, shape, 1.0 * mm, 2), 0.1, 2)


def _dermatofibroma(rng: np.random.Generator, melanin: Field, blood: Field, mm: float) -> Lesion:
    """A pale scar-like centre, about a third of the width, in a ring of delicate network that fades outwards."""
    shape = melanin.shape
    radius = rng.uniform(2.4, 5.0)
    field = _blob(rng, shape, mm, radius, 1, rng.uniform(0.05, 0.12))
    whole = smoothstep(-0.20, rng.uniform(0.35, 0.7), field)
    heart = rng.uniform(0.48, 0.72)
    scar = smoothstep(heart - 0.25, heart + 0.25, field + 0.09 * cloud(rng, shape, 0.9 * mm, 3))
    ring = whole * (1 - 0.85 * scar)
    uneven = np.clip(1 + 0.30 * cloud(rng, shape, 1.4 * mm, 4), 0.2, 2)
    brown = rng.uniform(0.15, 0.40) if rng.random() < 0.5 else rng.uniform(0.5, 1.0)
    net = _network(rng, shape, mm, rng.uniform(0.32, 0.48)) * smoothstep(-0.3, 0.4, field)
    melanin = melanin + np.float32(brown) * ring * (0.6 + 0.55 * net) * uneven
    pink = rng.uniform(0.25, 0.95) * (1.1 - brown)
    blood = blood + np.float32(pink) * (0.75 * ring + 0.45 * scar * whole) * np.clip(
        1 + 0.3 * cloud(rng, shape, mm, 4), 0, 2
    )
    blood += np.float32(rng.uniform(0, 0.15)) * np.exp(-np.square((field + 0.15) / 0.3))
    fibres: list[Line] = []
    for _ in range(int(rng.integers(10, 60))):
        turn, at = rng.uniform(0, 2 * np.pi), rng.normal(0, 0.24 * radius, 2) * mm + shape[0] / 2
        t = np.linspace(-0.5, 0.5, 5)[:, None] * rng.uniform(0.3, 1.3) * mm
        points = at + t * [np.cos(turn), np.sin(turn)] + rng.normal(0, 0.04 * mm, (5, 2))
        fibres.append((points, rng.uniform(0.03, 0.08) * mm, rng.uniform(0.2, 0.9)))
    shine = strokes(shape, fibres, 0.05 * mm) * scar
    white = rng.uniform(0.05, 0.28) * scar * np.clip(0.85 + 0.2 * cloud(rng, shape, 0.5 * mm, 3), 0, 1.3) + 0.22 * shine
    return Lesion(melanin, blood, np.zeros(shape, np.float32), np.clip(white, 0, 0.7).astype(np.float32))


def _melanoma(rng: np.random.Generator, melanin: Field, blood: Field, mm: float) -> Lesion:
    """Several lobes and colours: brown network, black blotches, red, a blue veil, white regression, dots, streaks."""
    shape = melanin.shape
    radius = rng.uniform(2.2, 5.2)
    field = _blob(rng, shape, mm, radius, int(rng.integers(2, 6)), rng.uniform(0.07, 0.17))
    abrupt = 0.06 + rng.uniform(0.1, 0.5) * smoothstep(-0.8, 0.8, cloud(rng, shape, 3 * mm))  # sharp here, fading there
    whole = np.clip((field + 0.02) / abrupt, 0, 1)
    whole = whole * whole * (3 - 2 * whole)

    def patch(size: float, low: float, high: float, inwards: float = 0.5) -> Field:
        return smoothstep(low, high, cloud(rng, shape, size * mm, 4) + np.float32(inwards) * field)

    grain = np.clip(1 + 0.28 * cloud(rng, shape, 0.45 * mm, 4), 0.2, 2)
    net = _network(rng, shape, mm, rng.uniform(0.26, 0.42))
    brown = rng.uniform(0.5, 1.4) * (0.6 + rng.uniform(0.1, 0.9) * net * patch(2.5, -0.8, 0.6))
    brown *= 0.6 + 0.8 * patch(2.5, -0.8, 0.9)
    dark = rng.uniform(0.3, 2.6) * patch(2.4, rng.uniform(-0.4, 0.7), rng.uniform(0.9, 1.5), 0.9)
    pigment = whole * (brown + dark) * grain
    globules = _inside(rng, field, -0.02, int(rng.integers(0, 90)))
    size = rng.uniform(0.08, 0.26, len(globules)) * mm
    pigment += dots(shape, globules, size, rng.uniform(0.2, 0.8, len(globules))) * smoothstep(-0.05, 0.1, field)
    if rng.random() < 0.4:
        pigment += _streaks(rng, field, mm) * rng.uniform(0.4, 1.0)
    blood = blood + whole * (rng.uniform(0.0, 0.35) + rng.uniform(0, 0.7) * patch(2.0, 0.0, 0.9))
    blood += np.float32(rng.uniform(0, 0.15)) * smoothstep(-0.5, 0.1, field)
    deep = np.float32(rng.uniform(0.2, 1.2) * (rng.random() < 0.6)) * whole * patch(2.4, 0.1, 1.2, 0.9)
    regress = whole * patch(2.2, 0.6, 1.7) * np.float32(rng.uniform(0.3, 0.9) * (rng.random() < 0.45))
    white = 0.35 * regress * np.clip(0.8 + 0.3 * cloud(rng, shape, 0.5 * mm, 3), 0, 1.2)
    if rng.random() < 0.5:
        blood += 0.3 * regress * _vessels(rng, shape, mm, 60)
    keep = 1 - 0.9 * regress
    return Lesion(melanin + pigment * keep, np.asarray(blood, np.float32), deep * keep, white)


def _inside(rng: np.random.Generator, field: Field, level: float, count: int) -> np.ndarray:
    places = np.flatnonzero(field > level)
    if not len(places) or not count:
        return np.zeros((0, 2))
    chosen = rng.choice(places, count)
    return np.stack([chosen % field.shape[1], chosen // field.shape[1]], -1).astype(float)


def _streaks(rng: np.random.Generator, field: Field, mm: float) -> Field:
    """Finger-like projections at one side of the border, pointing outwards."""
    gy, gx = np.gradient(gaussian_filter(field, 0.4 * mm))
    rim = np.flatnonzero(np.abs(field - 0.06) < 0.05)
    lines: list[Line] = []
    if len(rim):
        side = rng.uniform(0, 2 * np.pi)
        for place in rng.choice(rim, 140):
            r, c = divmod(int(place), field.shape[1])
            out = -np.array([gx[r, c], gy[r, c]])
            out /= np.linalg.norm(out) + 1e-6
            if out @ [np.cos(side), np.sin(side)] > 0.25:
                t = np.linspace(-0.3, 1, 5)[:, None] * rng.uniform(0.3, 0.8) * mm
                points = np.array([c, r]) + t * out + rng.normal(0, 0.04 * mm, (5, 2))
                lines.append((points, rng.uniform(0.07, 0.16) * mm, rng.uniform(0.4, 1)))
    return strokes(field.shape, lines, 0.05 * mm)
