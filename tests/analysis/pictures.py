"""Small pictures whose likeness is known, for the tests of the metrics."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter


def textures(count: int, *, seed: int, grain: float = 0.8, size: int = 32) -> NDArray[np.uint8]:
    """Grained patches of various brightness and hue, (count, size, size, 3): one distribution for one `grain`."""
    rng = np.random.default_rng(seed)
    noise = gaussian_filter(rng.normal(size=(count, size, size, 3)), (0, grain, grain, 0))
    noise /= noise.std()
    tone = rng.normal((180, 140, 120), (20, 15, 15), size=(count, 1, 1, 3))
    spots = gaussian_filter(rng.normal(size=(count, size, size, 1)), (0, size / 8, size / 8, 0))
    return np.clip(tone + 15 * noise + 25 * spots / spots.std(), 0, 255).astype(np.uint8)
