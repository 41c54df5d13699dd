"""The layers of all skin in one picture, and the light that they reflect."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from glimpse.phantom.camera import Light
from glimpse.phantom.fields import Field
from glimpse.phantom.skin import reflect

LAMP = np.array([-0.42, -0.50, 0.76], np.float32)  # x right, y down, z to the camera: one large soft light, upper left
FILL = np.array([0.60, 0.30, 0.74], np.float32)


@dataclass(frozen=True)
class Skin:
    """Each layer (H, W): densities as in `skin`, heights in mm, weights 0-1."""

    melanin: Field
    blood: Field
    vein: Field
    relief: Field  # fine height
    form: Field  # light on the hand's form
    sheen: Field  # share of the lamp's light that the surface mirrors
    horn: Field  # nails, dry scale
    hair: Field
    cover: Field  # 1 on skin, 0 off it, soft over a pixel

    def crop(self, box: tuple[slice, slice]) -> Skin:
        return replace(self, **{f.name: getattr(self, f.name)[box] for f in fields(self)})

    def on(self, backdrop: Light, px_per_mm: float, hair_colour: NDArray[np.float32]) -> Light:
        """The linear light (H, W, 3) from the skin in front of its backdrop; the lamp shines across the relief."""
        light = backdrop.copy()
        facing = np.zeros_like(self.relief)  # slope towards the lamp
        facing[:-1, :-1] = (self.relief[:-1, :-1] - self.relief[:-1, 1:]) * LAMP[0]
        facing[:-1, :-1] += (self.relief[:-1, :-1] - self.relief[1:, :-1]) * LAMP[1]
        where = np.flatnonzero(self.cover > 0)
        melanin, blood, vein, relief, form, sheen, horn, hair, cover = (
            getattr(self, f.name).ravel()[where] for f in fields(self)
        )
        facing = facing.ravel()[where] * np.float32(px_per_mm / LAMP[2])
        hollow = np.minimum(relief, 0) * np.float32(3.5)  # little light finds its way out of a furrow
        skin = reflect(melanin, blood, vein, horn)
        skin *= (form * np.clip(1 + facing + hollow, 0.25, 1.7))[:, None]
        skin += (sheen * np.clip(1 + 5 * facing + 2 * hollow, 0, 4))[:, None]
        skin += hair[:, None] * (hair_colour * form[:, None] - skin)
        flat = light.reshape(-1, 3)
        behind = flat[where]
        flat[where] = behind + cover[:, None] * (skin - behind)
        return light


def shade(height: Field, per_mm: float) -> tuple[Field, Field]:
    """The light on a form and its sheen, from its height in mm on a grid of `per_mm` points per mm."""
    gy, gx = np.gradient(height * np.float32(per_mm))
    norm = 1 / np.sqrt(1 + gx * gx + gy * gy)
    total = np.float32(0.24) * norm
    for lamp, power in ((LAMP, 0.66), (FILL, 0.20)):
        towards = (-gx * lamp[0] - gy * lamp[1] + lamp[2]) * norm / np.float32(np.linalg.norm(lamp))
        total += np.float32(power) * np.clip((towards + 0.25) / 1.25, 0, 1)
    half = LAMP / np.linalg.norm(LAMP) + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    glance = np.clip((-gx * half[0] - gy * half[1] + half[2]) * norm, 0, 1)
    return np.asarray(total, np.float32), np.asarray(glance**18, np.float32)
