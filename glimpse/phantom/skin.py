"""Skin: the optics of its layers, the layers of all skin in one picture, and the light that they reflect.

Light that is reflected by skin has passed twice through melanin (epidermis) and haemoglobin (dermis); each layer
darkens channel c by exp(-density * absorption[c]). The absorption of melanin falls with wavelength, that of haemoglobin
peaks in green. The numbers below were chosen so that unaffected skin has the CIELAB colours of people's skin: L* 30-80,
a* 8-14, b* 10-15 for typology angles (ITA) from +65 to -60 degrees.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from glimpse.phantom.camera import Light
from glimpse.phantom.fields import Field

LAMP = np.array([-0.42, -0.50, 0.76], np.float32)  # x right, y down, z to the camera: one large soft light, upper left
FILL = np.array([0.60, 0.30, 0.74], np.float32)

DERMIS = np.array([0.18, 0.36, 0.60], np.float32)  # R, G, B optical density (natural log) of bloodless, white dermis
MELANIN = np.array([0.74, 1.00, 1.18], np.float32)
BLOOD = np.array([0.10, 1.00, 0.75], np.float32)
VEIN = np.array([1.00, 0.45, 0.20], np.float32)  # deep blood seen through scattering dermis: bluish
HORN = np.array([0.86, 0.80, 0.68], np.float32)  # dry scale: white with a touch of yellow
SURFACE = 0.022  # share of light that the surface itself reflects, colourless

# Melanin density that gives an ITA (degrees), at a blood density of 0.18; measured on the model above.
_ITA = np.array([-62.0, -46.0, -22.0, 2.0, 29.0, 46.5, 60.0, 66.5, 69.5, 72.5])
_DENSITY = np.array([3.0, 2.4, 1.8, 1.4, 1.0, 0.7, 0.4, 0.2, 0.1, 0.0])


def melanin_for(ita: float) -> float:
    """Melanin density of skin with individual typology angle `ita` in degrees."""
    return float(np.interp(ita, _ITA, _DENSITY))


def reflect(
    melanin: Field, blood: Field, vein: Field, horn: Field, absorption: NDArray[np.float32] = MELANIN
) -> NDArray[np.float32]:
    """The linear reflectance (..., 3) of skin with these densities, covered by `horn` (0-1).

    `absorption` is that of melanin, by channel.
    """
    light = np.empty((*melanin.shape, 3), np.float32)
    for c in range(3):
        density = melanin * absorption[c] + blood * BLOOD[c] + vein * VEIN[c] + DERMIS[c]
        channel = np.exp(-density) * np.float32(1 - SURFACE) + np.float32(SURFACE)
        light[..., c] = channel + horn * (HORN[c] - channel)
    return light


@dataclass(frozen=True)
class Skin:
    """Each layer (H, W): densities as in `reflect`, heights in mm, weights 0-1."""

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
