"""The background of a photo that has no skin mask: backdrop, black corners, overexposed rims.

A pixel is background if its colour never occurs in skin and pixels of such colours connect it with the photo's border;
so a black object on the green cloth is background too. Texture and variance are not used: healthy skin is itself nearly
uniform, and a rule of variance would discard much of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

NEAR_BLACK = 45  # brightest channel at most: the corners of a dermatoscope's field, shadow without detail
NEAR_WHITE = 240  # darkest channel at least: paper, overexposed rims
SATURATED = 40  # levels that green or blue exceed red: in skin of any tone red is the brightest channel

RULES = ("near_black", "near_white", "saturated_green", "saturated_blue")


def skin_of(
    photo: NDArray[np.uint8], lesion: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """The skin (H, W) of an RGB photo (H, W, 3), and the number of pixels that each rule took from it.

    Pixels marked as `lesion` (H, W) are skin whatever their colour: melanomas can be black and touch the border.
    """
    red, green, blue = (np.ascontiguousarray(photo[..., channel]) for channel in range(3))
    cold = np.maximum(green, blue)
    brightest, darkest = np.maximum(red, cold), np.minimum(red, np.minimum(green, blue))
    saturated = (red <= 255 - SATURATED) & (cold >= np.minimum(red, 255 - SATURATED) + np.uint8(SATURATED))
    rules = {
        "near_black": brightest <= NEAR_BLACK,
        "near_white": darkest >= NEAR_WHITE,
        "saturated_green": saturated & (green >= blue) & (brightest > NEAR_BLACK),
        "saturated_blue": saturated & (green < blue) & (brightest > NEAR_BLACK),
    }
    odd = np.logical_or.reduce(list(rules.values()))
    region = touching_border(odd if lesion is None else odd & ~lesion)
    if region is None:
        return np.ones(photo.shape[:2], bool), dict.fromkeys(RULES, 0)
    return ~region, {rule: int(np.count_nonzero(mask & region)) for rule, mask in rules.items()}


def touching_border(mask: NDArray[np.bool_]) -> NDArray[np.bool_] | None:
    """The connected parts of a mask (H, W) that touch its border; None if there are none."""
    if not (mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()):
        return None
    labels, count = ndimage.label(mask)
    kept = np.zeros(count + 1, bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        kept[edge] = True
    kept[0] = False
    return kept[labels]
