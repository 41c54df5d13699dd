"""Photos of a pair of hands on green cloth, with and without eczema: same person, light and noise, pixel-aligned."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift

from glimpse.phantom import eczema as disease
from glimpse.phantom.camera import Light, Pixels, draw_camera, vignette
from glimpse.phantom.fields import Field, Line, bounding_box, cloud, enlarge, furrows, sample_tile, smoothstep, strokes
from glimpse.phantom.hand import Hand, Surface, pose, surface, veins
from glimpse.phantom.hand_details import add_details, add_freckles, add_hair
from glimpse.phantom.person import Person
from glimpse.phantom.skin import Skin, shade

FIELD_MM = 348.0  # width of what the photo shows


@dataclass(frozen=True)
class HandPhoto:
    """One photo with its ground truth."""

    picture: Pixels  # with eczema, if the hands have any
    clean: Pixels  # the same hands without it: equal outside `eczema`
    skin: NDArray[np.uint8]  # (H, W) in {0, 1}
    eczema: NDArray[np.uint8]


def draw_hands(seed: int, person: Person, *, palm: bool, width: int, height: int, eczema: bool) -> HandPhoto:
    """Photograph both hands of a person, from the back or the front."""
    rng = np.random.default_rng([seed, int(palm), 2])
    px_per_mm = width / FIELD_MM
    hands = []
    for right in (False, True):
        side = 1 if right else -1
        away = (87 if not palm else 78) + rng.normal(0, 2)
        up = 25 + rng.normal(0, 4) + (height / px_per_mm - 232) * 0.6
        origin = (width / 2 + side * away * px_per_mm, height - up * px_per_mm)
        angle = side * rng.normal(0.05 if not palm else -0.04, 0.05)
        hands.append(pose(person, rng, right=right, palm=palm, origin=origin, angle=angle, px_per_mm=px_per_mm))
    shape = (height, width)
    ground = _surface_of_both(hands, shape, px_per_mm)
    skin = _skin_layers(rng, person, hands, ground, shape, px_per_mm)
    for hand in hands:
        add_details(rng, hand, skin)
        if not palm:
            add_freckles(rng, hand, skin)
            add_hair(rng, hand, skin)
    backdrop = _backdrop(rng, shape, ground)
    if person.sleeve:
        _add_sleeves(rng, person, ground, skin, backdrop)
    camera = draw_camera(rng, noise=0.022, blur=0.65)
    backdrop *= np.float32(rng.uniform(0.9, 1.15))
    fall = vignette(shape, rng.uniform(0.05, 0.16))[..., None]
    hair_colour = _hair_colour(rng, person)
    grain = camera.grain(shape)

    def expose(skin: Skin, box: tuple[slice, slice]) -> Pixels:
        return camera.develop(skin.on(backdrop[box], px_per_mm, hair_colour) * fall[box], grain[box])

    picture = clean = expose(skin, (slice(None), slice(None)))
    cover = (skin.cover > 0.5).astype(np.uint8)
    mask = np.zeros_like(cover)
    if eczema:
        field = enlarge(disease.extent(rng, hands, shape, ground.x.shape), shape)
        severe, mask = disease.severity(field, skin.cover, px_per_mm)
        box = _blocks_around(mask, margin=int(2 * px_per_mm) + 16)
        x, y = enlarge(ground.x, shape)[box], enlarge(ground.y, shape)[box]
        ill = disease.inflame(skin.crop(box), severe[box], rng, px_per_mm, x, y)
        picture = clean.copy()
        picture[box] = np.where(mask[box][..., None] > 0, expose(ill, box), clean[box])
    return HandPhoto(picture, clean, cover, mask)


def _surface_of_both(hands: list[Hand], shape: tuple[int, int], px_per_mm: float) -> Surface:
    """The slowly varying fields of both hands on a coarse grid: at each point those of the nearer hand."""
    coarse = max(1, round(px_per_mm / 1.6))
    small = (shape[0] // coarse, shape[1] // coarse)
    x, y = np.meshgrid(
        (np.arange(small[1], dtype=np.float32) + 0.5) * np.float32(shape[1] / small[1]) - np.float32(0.5),
        (np.arange(small[0], dtype=np.float32) + 0.5) * np.float32(shape[0] / small[0]) - np.float32(0.5),
    )
    one, other = (surface(hand, x, y) for hand in hands)
    nearer = one.outside < other.outside
    picked = {f.name: np.where(nearer, getattr(one, f.name), getattr(other, f.name)) for f in fields(Surface)[:-1]}
    return Surface(**picked, per_mm=px_per_mm * small[0] / shape[0])


def _skin_layers(rng: np.random.Generator, person: Person, hands: list[Hand], ground: Surface, shape: tuple[int, int],
                 px_per_mm: float) -> Skin:  # fmt: skip
    """The layers of both hands, without what `hand_details` adds."""
    palm, small, mm = hands[0].palm, ground.x.shape, ground.per_mm
    vein: Field = np.zeros(small, np.float32)
    if not palm:
        ratio, lines = small[0] / shape[0], list[Line]()
        for hand in hands:
            lines += [(points * ratio, width * ratio, much) for points, width, much in hand.lines(veins(rng))]
        vein = strokes(small, lines, 0.8 * mm) * (1 - ground.finger)
    height = ground.height + np.float32(0.9 * person.lean) * vein
    form, sheen = shade(height, mm)
    slow = cloud(rng, small, 35 * mm, 3)
    melanin: Field = person.melanin * (1 + 0.05 * slow + (0.20 if not palm else 0.0) * ground.joint)
    blood: Field = person.blood * (1 + 0.14 * cloud(rng, small, 26 * mm, 3) + 0.45 * ground.joint + 0.55 * ground.tip)
    if palm:  # pale except at the wrist
        melanin += smoothstep(-45, 22, ground.y) * (0.10 + 0.17 * melanin - melanin)
        blood = blood * 1.3 + 0.10 * np.exp(-np.square((ground.y - 84) / 9)) * (1 - ground.finger)
    melanin, blood = enlarge(melanin.astype(np.float32), shape), enlarge(blood.astype(np.float32), shape)
    fine = cloud(rng, shape, 2.8 * px_per_mm, 4)
    melanin *= 1 + np.float32(0.05) * fine
    blood *= 1 + np.float32(0.14) * cloud(rng, shape, 1.6 * px_per_mm, 3) - np.float32(0.05) * fine
    cover = smoothstep(0.7, -0.7, enlarge(ground.outside, shape) * np.float32(px_per_mm))
    warp = cloud(rng, small, 12 * mm)
    x, y = (enlarge(v.astype(np.float32), shape) for v in (ground.x + 1.5 * warp, ground.y - 1.2 * warp))
    tile = furrows(rng, px_per_mm, int(45 * px_per_mm), rng.uniform(0.75, 1.05))
    on, depth = cover > 0, np.zeros(shape, np.float32)
    depth[on] = sample_tile(tile, x[on] * np.float32(px_per_mm), y[on] * np.float32(px_per_mm))
    uneven = (1 + 0.35 * cloud(rng, small, 10 * mm, 2)) * (1 + 0.7 * ground.joint) * (1 - 0.35 * ground.finger)
    relief = (
        -depth
        * np.clip(enlarge(uneven, shape), 0.2, 2.5)
        * np.float32((0.022 + 0.034 * person.age) * (0.4 if palm else 1.0))
    )
    relief += np.float32(0.006) * cloud(rng, shape, 0.5 * px_per_mm, 2)
    oil = 0.035 * rng.uniform(0.3, 1.2) * (1 + 0.5 * cloud(rng, small, 8 * mm, 3))
    return Skin(
        melanin, blood, enlarge(vein, shape) * np.float32(0.26 * person.lean / (1 + person.melanin)), relief,
        enlarge(form, shape), enlarge(np.clip(oil, 0, 1) * sheen, shape),
        np.zeros(shape, np.float32), np.zeros(shape, np.float32),
        cover,
    )  # fmt: skip


def _backdrop(rng: np.random.Generator, shape: tuple[int, int], ground: Surface) -> Light:
    """Green cloth in even light, with the soft shadow of the hands."""
    mm, small = ground.per_mm, ground.x.shape
    on = smoothstep(1, -1, ground.outside)
    shadow = 0.35 * gaussian_filter(on, 1.6 * mm) + 0.4 * gaussian_filter(on, 7 * mm)
    shadow = shift(shadow, (4 * mm, 3 * mm), order=1, mode="nearest")
    light = (1 - 0.8 * shadow) * (1 + 0.04 * cloud(rng, small, 80 * mm, 2) + 0.02 * cloud(rng, small, 12 * mm, 3))
    weave = 1 + 0.045 * cloud(rng, shape, 0.45 * mm * shape[0] / small[0], 2)
    green = np.array([0.030, 0.215, 0.085], np.float32) * rng.uniform(0.9, 1.1, 3).astype(np.float32)
    return np.asarray((enlarge(light.astype(np.float32), shape) * weave)[..., None] * green, np.float32)


def _add_sleeves(rng: np.random.Generator, person: Person, ground: Surface, skin: Skin, backdrop: Light) -> None:
    """Cover the forearms below the cuff with cloth, in place: on the skin and on the backdrop."""
    shape, mm, small = skin.cover.shape, ground.per_mm, ground.x.shape
    full = mm * shape[0] / small[0]
    edge = ground.y + person.cuff + 5 * np.square(ground.x / 34) + 0.7 * cloud(rng, small, 15 * mm)
    half = 34.5 * person.breadth + 0.055 * np.clip(-ground.y, 0, 200) + 1.2 * cloud(rng, small, 20 * mm)
    outside = np.maximum(edge, np.abs(ground.x) - half)
    cloth = smoothstep(0.6, -0.6, enlarge(outside.astype(np.float32), shape) * np.float32(full))
    dome = 20 * np.sqrt(np.clip(1 - np.square(ground.x / (half + 1)), 0, 1)) + 1.1 * cloud(rng, small, 16 * mm, 3)
    form = enlarge(shade(gaussian_filter(dome, mm), mm)[0], shape)
    x, y = enlarge(ground.x, shape), enlarge(ground.y, shape)
    ribs = np.where(y > -person.cuff - 26, 0.16 * np.sin(x * np.float32(2 * np.pi / 2.6)), 0.0)
    knit = 1 + ribs + 0.10 * cloud(rng, shape, 0.5 * full, 2)
    colour = np.array(person.sleeve, np.float32)
    fabric = (form * knit)[..., None] * colour
    backdrop += cloth[..., None] * (fabric - backdrop)
    shadow = smoothstep(2.5, 0.0, enlarge(edge.astype(np.float32), shape)) * (1 - cloth)
    skin.form[:] *= 1 - np.float32(0.45) * shadow
    skin.cover[:] *= 1 - cloth


def _hair_colour(rng: np.random.Generator, person: Person) -> NDArray[np.float32]:
    fair = person.ita > 40 and rng.random() < 0.5
    return np.array([0.33, 0.21, 0.10] if fair else [0.035, 0.022, 0.015], np.float32)


def _blocks_around(mask: NDArray[np.uint8], margin: int) -> tuple[slice, slice]:
    """The rectangle around a mask, aligned to JPEG's 8 x 8 blocks, so that it compresses as in the whole photo."""
    rows, columns = (
        slice(max(0, box.start - margin) // 8 * 8, min(size, -(-(box.stop + margin) // 8) * 8))
        for box, size in zip(bounding_box(mask), mask.shape, strict=True)
    )
    return rows, columns
