"""A photograph of a pair of hands on green cloth, with and without eczema: same people, light, noise; pixel-aligned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from gan_core.prepare.phantom import eczema as disease
from gan_core.prepare.phantom.camera import Pixels, draw_camera, vignette
from gan_core.prepare.phantom.fields import (
    Field,
    Line,
    cloud,
    enlarge,
    furrows,
    sample_tile,
    smoothstep,
    strokes,
)
from gan_core.prepare.phantom.hand import Hand, Surface, pose, surface, veins
from gan_core.prepare.phantom.layers import Skin
from gan_core.prepare.phantom.person import Person
from gan_core.prepare.phantom.skin import reflect

LAMP = np.array([-0.35, -0.45, 0.82], np.float32)  # x right, y down, z towards the camera; one large soft light
FILL = np.array([0.6, 0.35, 0.72], np.float32)


@dataclass(frozen=True)
class HandPhoto:
    """What one press of the shutter leaves, and what is true of it."""

    picture: Pixels  # with the eczema, where there is any
    clean: Pixels  # the same hands without it: equal outside `eczema`
    skin: NDArray[np.uint8]  # (H, W) in {0, 1}
    eczema: NDArray[np.uint8]


def draw_hands(seed: int, person: Person, *, palm: bool, width: int, height: int, eczema: bool) -> HandPhoto:
    """Both hands of a person, in a frame about 400 mm wide."""
    rng = np.random.default_rng([seed, int(palm), 2])
    px_per_mm = width / 388
    hands = []
    for right in (False, True):
        side = 1 if right else -1
        origin = (width / 2 + side * (94 + rng.normal(0, 4)) * px_per_mm * (1 if not palm else 0.86),
                  height - (58 + rng.normal(0, 6)) * px_per_mm)  # fmt: skip
        angle = side * rng.normal(0.05 if not palm else -0.04, 0.05)
        hands.append(pose(person, rng, right=right, palm=palm, origin=origin, angle=angle, px_per_mm=px_per_mm))
    shape = (height, width)
    coarse = max(1, round(px_per_mm / 2))
    small = (height // coarse, width // coarse)
    x, y = np.meshgrid(
        (np.arange(small[1], dtype=np.float32) + 0.5) * (width / small[1]) - 0.5,
        (np.arange(small[0], dtype=np.float32) + 0.5) * (height / small[0]) - 0.5,
    )
    surfaces = [surface(hand, x, y) for hand in hands]
    skin = _lay_skin(rng, person, hands, surfaces, shape, px_per_mm)
    backdrop = _backdrop(rng, shape, surfaces, px_per_mm)
    camera = draw_camera(rng)
    fall = vignette(shape, rng.uniform(0.05, 0.16))
    grain = camera.grain(shape)
    clean = camera.develop(_expose(skin, backdrop, fall), grain)
    cover = (skin.cover > 0.5).astype(np.uint8)
    mask, picture = np.zeros_like(cover), clean
    if eczema:
        severe, mask = disease.severity(enlarge(disease.spread(rng, hands, shape, small), shape), skin.cover)
        box = _box(mask, margin=int(2 * px_per_mm) + 16)
        x, y = (
            enlarge(np.where(surfaces[0].outside < surfaces[1].outside, a, b), shape)[box]
            for a, b in ((surfaces[0].x, surfaces[1].x), (surfaces[0].y, surfaces[1].y))
        )
        ill = disease.inflame(skin.crop(box), severe[box], rng, px_per_mm, x, y)
        picture = clean.copy()
        seen = camera.develop(_expose(ill, backdrop[box], fall[box]), grain[box])
        picture[box] = np.where(mask[box][..., None] > 0, seen, clean[box])
    return HandPhoto(picture, clean, cover, mask)


def _box(mask: NDArray[np.uint8], margin: int) -> tuple[slice, slice]:
    """The rectangle around a mask, on the borders of JPEG's 8 x 8 blocks, so that a part is written as in the whole."""
    box = []
    for axis, size in ((1, mask.shape[0]), (0, mask.shape[1])):
        there = np.flatnonzero(mask.any(axis))
        low, high = (int(there[0]), int(there[-1]) + 1) if len(there) else (0, 8)
        box.append(slice(max(0, low - margin) // 8 * 8, min(size, -(-(high + margin) // 8) * 8)))
    return box[0], box[1]


def _lay_skin(rng: np.random.Generator, person: Person, hands: list[Hand], surfaces: list[Surface],
              shape: tuple[int, int], px_per_mm: float) -> Skin:  # fmt: skip
    palm = hands[0].palm
    first = surfaces[0].outside < surfaces[1].outside
    pick = lambda name: np.where(first, getattr(surfaces[0], name), getattr(surfaces[1], name))  # noqa: E731
    outside, joint, tip = (pick(n) for n in ("outside", "joint", "tip"))
    small = outside.shape
    grid = px_per_mm * small[0] / shape[0]  # px of the coarse grid per mm
    form = _shade(pick("height"), grid)
    mottle, mottle2 = cloud(rng, small, 14 * grid, 4), cloud(rng, small, 5 * grid, 3)
    melanin = person.melanin * (
        1 + 0.07 * mottle + (0.22 if not palm else 0.05) * joint * (0.6 if person.ita > 40 else 1.0)
    )
    blood = person.blood * (1 + 0.22 * mottle2 + 0.12 * cloud(rng, small, 30 * grid, 2) + 0.55 * joint + 0.5 * tip)
    if palm:
        melanin = 0.10 + 0.20 * melanin
        blood = blood * 1.25 + 0.05
    vein = np.zeros(small, np.float32)
    if not palm:
        lines: list[Line] = []
        for hand in hands:
            lines += [(p * small[0] / shape[0], w * small[0] / shape[0], s) for p, w, s in hand.lines(veins(hand, rng))]
        vein = strokes(small, lines, 0.9 * grid)
    melanin, blood = enlarge(melanin.astype(np.float32), shape), enlarge(blood.astype(np.float32), shape)
    x, y = enlarge(pick("x"), shape), enlarge(pick("y"), shape)
    tile = furrows(rng, px_per_mm, int(60 * px_per_mm), 0.95)
    warp = enlarge(cloud(rng, small, 9 * grid), shape)
    depth = sample_tile(tile, (x + warp) * px_per_mm, (y + warp) * px_per_mm)
    cover = smoothstep(0.6, -0.6, enlarge(outside, shape) * px_per_mm)
    return Skin(melanin, blood, enlarge(vein, shape) * np.float32(0.12 * person.lean), np.float32(-0.035) * depth,
                enlarge(form, shape), cover)  # fmt: skip


def _shade(height: Field, per_mm: float) -> Field:
    """Light on the large form, 0-1.2."""
    gy, gx = np.gradient(height * np.float32(per_mm))
    norm = 1 / np.sqrt(1 + gx * gx + gy * gy)
    total = np.zeros(height.shape, np.float32)
    for lamp, power in ((LAMP, 0.62), (FILL, 0.22)):
        towards = (-gx * lamp[0] - gy * lamp[1] + lamp[2]) * norm / np.float32(np.linalg.norm(lamp))
        total += np.float32(power) * np.clip((towards + 0.25) / 1.25, 0, 1)
    return total + np.float32(0.22) * norm


def _backdrop(
    rng: np.random.Generator, shape: tuple[int, int], surfaces: list[Surface], px_per_mm: float
) -> NDArray[np.float32]:
    outside = np.minimum(surfaces[0].outside, surfaces[1].outside)
    small = outside.shape
    grid = px_per_mm * small[0] / shape[0]
    shadow = gaussian_filter(smoothstep(1, -1, outside), (3 * grid, 3 * grid))
    shadow = np.roll(shadow, (int(3 * grid), int(2 * grid)), (0, 1))
    light = (1 - 0.55 * shadow) * (1 + 0.05 * cloud(rng, small, 60 * grid, 2))
    cloth = enlarge(light.astype(np.float32), shape) * (1 + 0.05 * cloud(rng, shape, 0.6 * px_per_mm, 2))
    return cloth[..., None] * np.array([0.035, 0.24, 0.085], np.float32) * np.float32(rng.uniform(0.85, 1.2))


def _expose(skin: Skin, backdrop: NDArray[np.float32], fall: Field) -> NDArray[np.float32]:
    slope = np.zeros_like(skin.relief)
    slope[1:, 1:] = skin.relief[1:, 1:] - skin.relief[:-1, :-1]
    light = reflect(skin.melanin, skin.blood, skin.vein, skin.scale)
    light *= (skin.light * (1 - 3.0 * slope + 2.2 * skin.relief))[..., None]
    return (backdrop + skin.cover[..., None] * (light - backdrop)) * fall[..., None]
