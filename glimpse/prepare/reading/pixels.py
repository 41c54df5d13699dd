"""Decoding of photos: every format and colour mode to 8-bit sRGB, upright, resampled by area."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from glimpse import images
from glimpse.prepare.reading import depth
from glimpse.prepare.reading.colour import ToSrgb, foreign_profile, png_gamma
from glimpse.prepare.reading.decoding import (
    deep_colour,
    deep_values,
    grey_values,
    open_image,
    orientation,
    pages,
    turned_by,
    upright,
    white_is_zero,
)
from glimpse.prepare.reading.dicom import decode_dicom, size_of_dicom
from glimpse.prepare.reading.sources import BrokenPhotoError, UnfitFileError, is_dicom

ROWS = 256  # of a strip
Fit = Literal["crop", "pad", "stretch"]  # how an image gets another ratio


@dataclass(frozen=True)
class Reading:
    """Options for reading photos."""

    window: depth.Window | None = None  # of values with more than 8 bits
    page: int | None = None  # of a TIFF stack, from 1


@dataclass(frozen=True)
class Photo:
    """A decoded photo."""

    pixels: NDArray[np.uint8]  # (H, W, 3) sRGB, upright
    orientation: int = 1  # in EXIF, by which the pixels were turned
    remarks: frozenset[str] = field(default_factory=frozenset)  # what the user should know; see pipeline.REMARKS


def decode_photo(data: bytes, name: str) -> NDArray[np.uint8]:
    """The pixels of `read_photo`."""
    return read_photo(data, name).pixels


def read_photo(data: bytes, name: str, how: Reading | None = None) -> Photo:
    """A photo in sRGB, turned as its EXIF orientation says.

    Transparent pixels become white, 16-bit values are scaled, an embedded colour profile (CMYK, Display P3, ...) is
    applied. Raises BrokenPhotoError naming the file.
    """
    how = how or Reading()
    if is_dicom(data):
        levels, small = decode_dicom(data, name, how.window)
        return Photo(levels, remarks=frozenset({"small_range"} if small else ()))
    with open_image(data, name, how.page) as image:
        if (plain := _plain_jpeg(data, image)) is not None:
            return Photo(plain)
        remarks = {"stack"} if how.page is None and pages(image) > 1 else set()
        turned = turned_by(image, data)
        negative = white_is_zero(image)
        shown, small, gamma = upright(image), False, png_gamma(image)
        if deep_colour(image, data):
            values = deep_values(data, name, how.page)
            if values is not None:
                shown, small = _of_deep(values, how.window, shown, gamma)
                gamma = None
            elif how.window is not None:
                raise BrokenPhotoError(name, "--window cannot read the way in which its 16 bits per channel are stored")
            else:
                remarks.add("deep_colour")
        if shown.mode.startswith(("I", "F")):
            shown, small = _of_grey(shown, name, how.window, negative, gamma)
            gamma = None
        levels = _in_srgb(shown, gamma)
        if small:
            remarks.add("small_range")
        return Photo(levels, turned, frozenset(remarks))


def _plain_jpeg(data: bytes, image: Image.Image) -> NDArray[np.uint8] | None:
    """(H, W, 3) of a JPEG that needs nothing but decoding, by the same libjpeg-turbo that Pillow has, but straight into
    an array, which takes half the time of going through Pillow. None for any other file, and for a damaged one, of
    which Pillow reports what is wrong."""
    if image.format != "JPEG" or image.mode not in ("RGB", "L") or orientation(image) != 1 or foreign_profile(image):
        return None
    try:
        plain: NDArray[np.uint8] = simplejpeg.decode_jpeg(data)
        return plain
    except ValueError:
        return None


def _of_grey(
    image: Image.Image, name: str, window: depth.Window | None, negative: bool, gamma: float | None
) -> tuple[Image.Image, bool]:
    """Grey values of 16 or 32 bits as an image of 8, and whether they use little of their range; a window is one of the
    values as stored, also of a negative's."""
    values, top = grey_values(image, negative)
    beyond = window is None and values.size and (values.min() < 0 or values.max() > top)
    if beyond or not (values.dtype.kind in "iu" or np.isfinite(values).all()):
        raise BrokenPhotoError(name, f"its values go beyond 0 to {top:g}; give their range with --window")
    if negative and isinstance(window, tuple):
        window = top - window[1], top - window[0]
    levels, small = depth.to_levels(values, window, (0, top), gamma)
    shown = Image.fromarray(levels)
    if profile := image.info.get("icc_profile"):
        shown.info["icc_profile"] = profile
    return shown, small


def _of_deep(
    values: NDArray[np.uint16], window: depth.Window | None, like: Image.Image, gamma: float | None
) -> tuple[Image.Image, bool]:
    """Colours of 16 bits as an image of 8, with the profile of `like`, and whether they use little of their range."""
    levels, small = depth.to_levels(values[..., :3], window, (0, 65535), gamma)
    shown = Image.fromarray(levels)
    if like.mode == "RGBA":
        shown.putalpha(Image.fromarray((values[..., 3] >> 8).astype(np.uint8)))
    shown.info.update(like.info)
    return shown, small


def _in_srgb(image: Image.Image, gamma: float | None) -> NDArray[np.uint8]:
    """(H, W, 3) in sRGB over white, in strips, since each of Pillow's steps would copy the whole image."""
    (width, height), colours = image.size, ToSrgb(foreign_profile(image), gamma)
    array = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, ROWS):
        array[top : top + ROWS] = np.asarray(_over_white(image.crop((0, top, width, min(top + ROWS, height))), colours))
    return array


def _over_white(image: Image.Image, colours: ToSrgb) -> Image.Image:
    if "transparency" in image.info:
        image = image.convert("LA" if image.mode == "L" else "RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    if image.mode not in ("LA", "La", "PA", "RGBa", "RGBA"):
        return colours.of(image)
    straight = image.convert("LA" if image.mode in ("LA", "La") else "RGBA")
    shown = colours.of(straight.convert("L" if straight.mode == "LA" else "RGB"))
    shown.putalpha(straight.getchannel("A"))
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), shown).convert("RGB")


# ------------------------------------------------------------------------------------------------ geometry


def size_of(data: bytes, name: str) -> tuple[int, int]:
    """Width and height of an image as it is shown, by its header. Raises BrokenPhotoError."""
    if is_dicom(data):
        return size_of_dicom(data, name)
    with open_image(data, name) as image:
        width, height = image.size
        turned = image.format != "TIFF" and orientation(image) in (5, 6, 7, 8)  # Pillow reports a TIFF as turned
        return (height, width) if turned else (width, height)


def common_size(sizes: Iterable[tuple[int, int]], at_most: int | None = None) -> tuple[int, int]:
    """The largest width and height, neither above `at_most`, that images of these sizes can all be shrunk to.

    Their proportions are kept where they agree (to 1 %); else it is a square.

    >>> common_size([(600, 450), (400, 300)]), common_size([(600, 450), (256, 256)])
    ((400, 300), (256, 256))
    """
    different = set(sizes)
    width, height = (min(side) for side in zip(*different, strict=True))
    ratios = [w / h for w, h in different]
    if max(ratios) > 1.01 * min(ratios):
        width = height = min(width, height)
    scale = min(1.0, (at_most or np.inf) / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def fitted(photo: NDArray[np.uint8], width: int, height: int, fit: Fit, name: str) -> NDArray[np.uint8]:
    """(H, W, 3) to (height, width, 3): its centre cut out, black bars added, or stretched to the ratio; then shrunk.

    Raises UnfitFileError for a photo smaller than that.
    """
    if fit == "crop":
        photo = crop_to_ratio(photo, width, height)
    if fit != "pad":
        return shrink_photo(photo, width, height, name)
    rows, columns = photo.shape[:2]
    scale = min(width / columns, height / rows)
    inner_width, inner_height = max(1, round(columns * scale)), max(1, round(rows * scale))
    inner = shrink_photo(photo, inner_width, inner_height, name)
    canvas = np.zeros((height, width, 3), np.uint8)
    top, left = (height - inner_height) // 2, (width - inner_width) // 2
    canvas[top : top + inner_height, left : left + inner_width] = inner
    return canvas


def crop_to_ratio(photo: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The largest centred part of (H, W, 3) with the ratio width:height."""
    rows, columns = photo.shape[:2]
    wanted_columns = min(columns, round(rows * width / height))
    wanted_rows = min(rows, round(columns * height / width))
    top, left = (rows - wanted_rows) // 2, (columns - wanted_columns) // 2
    return photo[top : top + wanted_rows, left : left + wanted_columns]


def shrink_photo(photo: NDArray[np.uint8], width: int, height: int, name: str) -> NDArray[np.uint8]:
    """(H, W, 3) to (height, width, 3); exact area means.

    Raises UnfitFileError for a photo smaller than that: enlarging would invent what is not in it.
    """
    rows, columns = photo.shape[:2]
    if rows < height or columns < width:
        raise UnfitFileError(
            name, "too_small", f"{name} gives {rows}x{columns} pixels, fewer than "
            f"{images.size_in_words(height, width)}: choose a smaller --size, or leave it out (--skip-broken)."
        )  # fmt: skip
    return images.shrink(photo, height, width)
