"""Decoding of photos and masks: every colour mode to 8-bit sRGB, upright, cropped and shrunk by area."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from glimpse import images
from glimpse.imageset import ImageSetError
from glimpse.prepare.sources import BrokenPhotoError

Fit = Literal["crop", "pad", "stretch"]  # how an image gets another ratio
TURN = Image.Transpose
# What shows a photo upright, by its EXIF orientation. ImageOps.exif_transpose would also rewrite the EXIF data, and
# fail where these are damaged but the photo is intact.
TURNS = {
    2: TURN.FLIP_LEFT_RIGHT, 3: TURN.ROTATE_180, 4: TURN.FLIP_TOP_BOTTOM, 5: TURN.TRANSPOSE,
    6: TURN.ROTATE_270, 7: TURN.TRANSVERSE, 8: TURN.ROTATE_90,
}  # fmt: skip


def decode_photo(data: bytes, name: str) -> NDArray[np.uint8]:
    """Decode a photo to (H, W, 3) uint8 sRGB, turned upright by its EXIF orientation.

    Transparent pixels become white, 16-bit values are scaled, and an embedded colour profile (CMYK, Display P3, ...) is
    applied. Raises BrokenPhotoError naming the file.
    """
    with _opened(data, name) as image:
        if (plain := _plain_jpeg(data, image)) is not None:
            return plain
        return np.asarray(_to_rgb(_upright(image), name))


def _plain_jpeg(data: bytes, image: Image.Image) -> NDArray[np.uint8] | None:
    """(H, W, 3) of a JPEG that only needs decoding: straight into an array, in half the time that Pillow takes.

    Both use libjpeg-turbo, so the pixels are the same. None for other files, and for damaged ones: Pillow reports them.
    """
    if (
        image.format != "JPEG"
        or image.mode not in ("RGB", "L")
        or _orientation(image) in TURNS
        or _foreign_profile(image)
    ):
        return None
    try:
        plain: NDArray[np.uint8] = simplejpeg.decode_jpeg(data)
        return plain
    except ValueError:
        return None


def decode_mask(data: bytes, name: str) -> NDArray[np.bool_]:
    """Decode a mask to (H, W) bool, True where it has the brighter of its two colours.

    A mask of one colour is empty if that is black, else full; transparent pixels are black. Raises ImageSetError for
    more than two values: JPEG compression and anti-aliasing leave no sharp outline.
    """
    with _opened(data, name) as image:
        mask = _upright(image)
        if mask.mode == "1":
            return np.asarray(mask).view(np.uint8) > 0  # Pillow's own bool array has bytes of 255 in it
        if mask.mode == "P" or "A" in mask.mode:
            black = Image.new("RGBA", mask.size, "black")
            mask = Image.alpha_composite(black, mask.convert("RGBA")).convert("RGB")
        if mask.mode in ("RGB", "L"):
            colours = mask.getcolors(2)
            values = None if colours is None else [colour for _, colour in colours]
            grey = np.array(mask)
        else:  # 16 and 32 bits
            grey = np.array(mask)
            values = list(np.unique(grey)) if grey.ndim == 2 else None
        if values is None or len(values) > 2:
            raise ImageSetError(f"{name} has more than two values: save masks as PNG with one value in, one out.")
        inside = max(values, key=_brightness)
        if not np.any(inside):
            return np.zeros(grey.shape[:2], bool)
        equal = grey == np.asarray(inside, grey.dtype)
        return equal if grey.ndim == 2 else equal.all(axis=2)


def _brightness(colour: Any) -> float:
    """The brightness of a grey value or of (red, green, blue), as in Pillow (ITU-R 601-2 luma)."""
    return float(np.dot(colour, (0.299, 0.587, 0.114)) if isinstance(colour, tuple) else colour)


@contextlib.contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """Open an image; any error of Pillow, also one while its pixels are loaded, becomes a BrokenPhotoError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # users need no warning of odd EXIF tags and very large photos
        try:
            with Image.open(io.BytesIO(data)) as image:
                yield image
        except ImageSetError:
            raise
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            reason = "not an image" if isinstance(error, Image.UnidentifiedImageError) else str(error)
            raise BrokenPhotoError(name, reason) from None


def _upright(image: Image.Image) -> Image.Image:
    """The image turned upright by its EXIF orientation; not copied if it is upright already."""
    turn = TURNS.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> Any:
    return image.getexif().get(ExifTags.Base.Orientation, 1)


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    profile = _foreign_profile(image)
    if image.mode.startswith(("I", "F")):
        values = np.array(image).astype(np.float64)
        top = 65535.0 if image.mode.startswith("I") else 1.0
        if values.size and (values.min() < 0 or values.max() > top or not np.isfinite(values).all()):
            raise BrokenPhotoError(name, f"its values go beyond 0 to {top:g}")
        return _managed(Image.fromarray((values / top * 255 + 0.5).astype(np.uint8)), profile)
    if "transparency" in image.info:
        image = image.convert("LA" if image.mode == "L" else "RGBA")
    elif image.mode == "P":
        image = image.convert("RGB")
    if image.mode in ("LA", "La", "PA", "RGBa", "RGBA"):
        straight = image.convert("LA" if image.mode in ("LA", "La") else "RGBA")
        colours = _managed(straight.convert("L" if straight.mode == "LA" else "RGB"), profile)
        colours.putalpha(straight.getchannel("A"))
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), colours).convert("RGB")
    return _managed(image, profile)


def _managed(image: Image.Image, profile: ImageCms.ImageCmsProfile | None) -> Image.Image:
    """An image without alpha in sRGB: converted by its `profile` if that fits its mode, else taken to be sRGB."""
    if profile is not None and image.mode in ("L", "RGB", "CMYK"):
        with contextlib.suppress(ImageCms.PyCMSError, OSError):
            managed = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if managed is not None:
                return managed
    return image if image.mode == "RGB" else image.convert("RGB")


def _foreign_profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The embedded colour profile, unless it is sRGB or cannot be read."""
    profile = image.info.get("icc_profile")
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile)) if profile else None
        return None if source is None or "srgb" in ImageCms.getProfileDescription(source).lower() else source
    except (ImageCms.PyCMSError, OSError):
        return None


# ------------------------------------------------------------------------------------------------ geometry


def size_of(data: bytes, name: str) -> tuple[int, int]:
    """Width and height of an image as it is shown, by its header. Raises BrokenPhotoError."""
    with _opened(data, name) as image:
        width, height = image.size
        turned = image.format != "TIFF" and _orientation(image) in (5, 6, 7, 8)  # Pillow reports a TIFF as turned
        return (height, width) if turned else (width, height)


def common_size(sizes: Iterable[tuple[int, int]]) -> tuple[int, int]:
    """The largest width and height that images of these sizes (width, height) can all be shrunk to.

    Their proportions are kept where they agree (to 1 %); else it is a square.

    >>> common_size([(600, 450), (400, 300)]), common_size([(600, 450), (256, 256)])
    ((400, 300), (256, 256))
    """
    different = set(sizes)
    width, height = (min(side) for side in zip(*different, strict=True))
    ratios = [w / h for w, h in different]
    return (width, height) if max(ratios) <= 1.01 * min(ratios) else (min(width, height), min(width, height))


def fitted(photo: NDArray[np.uint8], width: int, height: int, fit: Fit, name: str) -> NDArray[np.uint8]:
    """(H, W, 3) to (height, width, 3): its centre cut out, black bars added, or stretched to the ratio; then shrunk.

    Raises ImageSetError for a photo smaller than that.
    """
    if fit == "crop":
        photo = crop_to_ratio(photo, width, height)
    if fit != "pad":
        return shrink(photo, width, height, name)
    rows, columns = photo.shape[:2]
    scale = min(width / columns, height / rows)
    inner_width, inner_height = max(1, round(columns * scale)), max(1, round(rows * scale))
    inner = shrink(photo, inner_width, inner_height, name)
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


def shrink(photo: NDArray[np.uint8], width: int, height: int, name: str) -> NDArray[np.uint8]:
    """Shrink (H, W, 3) to (height, width, 3) by exact area means.

    Raises ImageSetError for a smaller photo: photos are never enlarged.
    """
    rows, columns = photo.shape[:2]
    if rows < height or columns < width:
        raise ImageSetError(
            f"{name} gives {columns}x{rows} pixels, fewer than {width}x{height}: choose a smaller --size, or leave it "
            "out."
        )
    return images.shrink(photo, height, width)
