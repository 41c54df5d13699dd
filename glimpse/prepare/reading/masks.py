"""Decoding of masks: from the bytes of a file to inside and outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glimpse.prepare.reading.decoding import deep_colour, deep_values, grey_values, open_image, upright, white_is_zero
from glimpse.prepare.reading.sources import UnfitFileError

SHADES = 256  # of a mask; one with more, or with a shade for every fourth pixel, is a lesion cut out of its photo


@dataclass(frozen=True)
class MaskReading:
    """Options for reading masks."""

    threshold: float | None = None  # grey level (0 to 255) from which a pixel is inside, where there are soft edges
    invert: bool = False  # the inside is drawn dark


def decode_mask(data: bytes, name: str, how: MaskReading | None = None) -> NDArray[np.bool_]:
    """(H, W) bool, True inside: the brighter of its two colours; a mask of one colour is empty if that is black.
    Transparent pixels count as black; if all colours are black, or those of a photo, the opaque pixels are inside.

    Raises UnfitFileError for more than two values without a threshold: a JPEG, or an anti-aliased edge, has no sharp
    outline to go by.
    """
    how = how or MaskReading()
    with open_image(data, name) as image:
        negative = white_is_zero(image)
        deep = deep_values(data, name) if image.mode == "RGB" and deep_colour(image, data) else None
        inside = _inside(upright(image), name, how.threshold, negative, deep)
    return ~inside if how.invert else inside


def _inside(
    mask: Image.Image, name: str, threshold: float | None, negative: bool, deep: NDArray[np.uint16] | None
) -> NDArray[np.bool_]:
    """The inside of a mask; of one with 16 bits per channel, `deep` holds the values (H, W, 3)."""
    if mask.mode == "1":
        return np.asarray(mask).view(np.uint8) > 0  # Pillow's own bool array has bytes of 255 in it
    if mask.mode == "P" or "A" in mask.mode:
        mask = _flat(mask)
    grey: NDArray[Any]
    if deep is not None:
        grey, values = deep, _two_colours(deep)
    elif mask.mode in ("RGB", "L"):
        colours = mask.getcolors(2)
        values = None if colours is None else [colour for _, colour in colours]
        grey = np.array(mask)
    else:  # 16 and 32 bits
        grey, _ = grey_values(mask, negative)
        values = list(np.unique(grey)) if grey.ndim == 2 else None
    if values is None or len(values) > 2:
        if threshold is None:
            raise UnfitFileError(
                name, "soft", f"{name} has more than two values: save masks as PNG with one value in, one out, or give "
                "--mask-threshold."
            )  # fmt: skip
        return _grey_levels(mask, grey) >= threshold
    brightest = max(values, key=_brightness)
    if not np.any(brightest):
        return np.zeros(grey.shape[:2], bool)
    equal = grey == np.asarray(brightest, grey.dtype)
    return equal if grey.ndim == 2 else equal.all(axis=2)


def _two_colours(deep: NDArray[np.uint16]) -> list[Any] | None:
    """The colours of an image (H, W, 3) that has at most two; None for others."""
    first = deep[0, 0]
    rest = deep[(deep != first).any(axis=2)]
    if not (rest == rest[:1]).all():
        return None
    return [tuple(colour.tolist()) for colour in (first, *rest[:1])]


def _flat(mask: Image.Image) -> Image.Image:
    """A mask with transparency over black; only its alpha channel if that leaves nothing but black, or a photo."""
    coloured = mask.convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", mask.size, "black"), coloured).convert("RGB")
    alpha = coloured.getchannel("A")
    low, high = alpha.getextrema()
    drawn = mask.size[0] * mask.size[1] - alpha.histogram()[0]
    black, photo = flat.getbbox() is None, flat.getcolors(max(2, min(SHADES, drawn // 4))) is None
    return alpha if low != high and (black or photo) else flat


def _grey_levels(mask: Image.Image, grey: NDArray[Any]) -> NDArray[Any]:
    """Levels from 0 to 255."""
    if grey.ndim == 3 or mask.mode == "L":
        return np.asarray(mask.convert("L"))
    return grey / (257 if mask.mode.startswith("I") else 1 / 255)  # 16 bits, or 0 to 1


def _brightness(colour: Any) -> float:
    """The brightness of a grey value, or of (red, green, blue) as in Pillow's conversion to grey (ITU-R 601-2 luma)."""
    return float(np.dot(colour, (0.299, 0.587, 0.114)) if isinstance(colour, tuple) else colour)


def covers_the_rim(mask: NDArray[np.bool_]) -> bool:
    """Whether nearly all of the border is inside, but not the whole mask, which suggests that the mask is inverted."""
    rim = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    return bool(rim.mean() > 0.95 and not mask.all())
