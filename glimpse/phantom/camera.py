"""From linear light to the file a camera writes: optics, sensor noise, tone curve, JPEG."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from glimpse.images import Pixels, through_jpeg

Light = NDArray[np.float32]  # (H, W, 3) linear

_LEVELS = 8192


@dataclass(frozen=True)
class Camera:
    """The settings of one shot. `seed` determines the noise, so two scenes taken by one Camera have the same noise."""

    seed: int
    exposure: float
    balance: tuple[float, float, float]  # white balance, off by a few per cent
    blur: float  # px, SD
    sharpen: float
    noise: float  # SD of a pixel at full signal, as a share of it; grows with the square root of the signal
    quality: int  # of the JPEG, which is written 4:4:4

    def grain(self, shape: tuple[int, int]) -> Light:
        """The sensor noise of this shot, (H, W, 3), SD 1."""
        return np.random.default_rng(self.seed).standard_normal((*shape, 3), np.float32)

    def develop(self, light: Light, grain: Light) -> Pixels:
        """Turn (H, W, 3) linear light and its grain into sRGB bytes, as decoded from the camera's JPEG."""
        picture = np.empty(light.shape, np.uint8)
        table = _tone_curve()
        for c in range(3):
            signal = light[..., c] * np.float32(self.exposure * self.balance[c])
            signal += grain[..., c] * np.float32(self.noise) * np.sqrt(np.clip(signal, 0.002, 1))
            signal = gaussian_filter(signal, self.blur, truncate=3)
            signal += np.float32(self.sharpen) * (signal - gaussian_filter(signal, self.blur * 2, truncate=2))
            index = np.clip(signal * np.float32(_LEVELS - 1), 0, _LEVELS - 1).astype(np.uint16)
            picture[..., c] = table[index]
        return through_jpeg(picture, self.quality)


def draw_camera(rng: np.random.Generator, *, noise: float = 0.02, blur: float = 0.75) -> Camera:
    balance = 1 + rng.normal(0, 0.03, 3)
    return Camera(
        seed=int(rng.integers(2**31)), exposure=float(rng.uniform(1.2, 1.38)),
        balance=(float(balance[0]), 1.0, float(balance[2])), blur=blur * float(rng.uniform(0.9, 1.15)),
        sharpen=float(rng.uniform(0.25, 0.6)), noise=noise * float(rng.uniform(0.7, 1.3)),
        quality=int(rng.integers(90, 96)),
    )  # fmt: skip


def vignette(shape: tuple[int, int], strength: float) -> NDArray[np.float32]:
    """The falloff of light towards the corners, (H, W), 1 in the centre."""
    y, x = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None], np.linspace(-1, 1, shape[1], dtype=np.float32)[None]
    return np.asarray(1 - np.float32(strength) * (x * x + y * y) / 2, np.float32)


def _tone_curve() -> NDArray[np.uint8]:
    """The sRGB curve with the gentle shoulder that cameras add, as a table over linear light."""
    x = np.linspace(0, 1, _LEVELS)
    x = x * 1.06 / (1 + 0.06 * x * x)
    encoded = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(x, 1 / 2.4) - 0.055)
    return np.clip(np.rint(encoded * 255), 0, 255).astype(np.uint8)
