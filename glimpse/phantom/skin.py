"""The optics of skin: layers of optical density over a bright dermis.

Light that is reflected by skin has passed twice through melanin (epidermis) and haemoglobin (dermis); each layer
darkens channel c by exp(-density * absorption[c]). The absorption of melanin falls with wavelength, that of haemoglobin
peaks in green. The numbers below were chosen so that unaffected skin has the CIELAB colours of people's skin: L* 30-80,
a* 8-14, b* 10-15 for typology angles (ITA) from +65 to -60 degrees.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from glimpse.phantom.fields import Field

DERMIS = np.array([0.18, 0.36, 0.60], np.float32)  # R, G, B optical density (natural log) of bloodless, white dermis
MELANIN = np.array([0.74, 1.00, 1.18], np.float32)
BLOOD = np.array([0.10, 1.00, 0.75], np.float32)
VEIN = np.array([1.00, 0.45, 0.20], np.float32)  # deep blood seen through scattering dermis: bluish
SURFACE = 0.022  # share of light that the surface itself reflects, colourless

# Melanin density that gives an ITA (degrees), at a blood density of 0.18; measured on the model above.
_ITA = np.array([-62.0, -46.0, -22.0, 2.0, 29.0, 46.5, 60.0, 66.5, 69.5, 72.5])
_DENSITY = np.array([3.0, 2.4, 1.8, 1.4, 1.0, 0.7, 0.4, 0.2, 0.1, 0.0])


def melanin_for(ita: float) -> float:
    """Melanin density of skin with individual typology angle `ita` in degrees."""
    return float(np.interp(ita, _ITA, _DENSITY))


HORN = np.array([0.86, 0.80, 0.68], np.float32)  # dry scale: white with a touch of yellow


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
