"""Opening image files: every format that `prepare` reads, upright, with limits on what is unpacked."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import warnings
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile, ImageOps

from glimpse.imageset import ImageSetError
from glimpse.prepare.reading.colour import coded_profile, png_profile
from glimpse.prepare.reading.sources import BrokenPhotoError

TIFF_BITS, TIFF_PHOTOMETRIC, TIFF_SIGN = 258, 262, 339  # tags: BitsPerSample, PhotometricInterpretation, SampleFormat
DEEP = re.compile("(RGB[AX]?|[RGBA]);16[LBN]")  # raw modes of 16 bits per channel, of whole pixels or of planes
EXIF_ENTRIES = {"exif", "Raw profile type exif"}  # Pillow's names for EXIF data in a PNG
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")  # of an ISO media file, at byte 8


@contextlib.contextmanager
def open_image(data: bytes, name: str, page: int | None = None) -> Iterator[Image.Image]:
    """The image, opened at a page (from 1; None is the first).

    Every error of Pillow, also one raised later when pixels are loaded, becomes a BrokenPhotoError.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings of odd EXIF tags and very large photos do not help the user
        try:
            if is_heif(data):
                _know_heif()
            with Image.open(io.BytesIO(data)) as image:
                if "icc_profile" not in image.info and (profile := coded_profile(data) or png_profile(image)):
                    image.info["icc_profile"] = profile
                if image.format == "PNG" and not EXIF_ENTRIES & image.info.keys() and not _more_behind_pixels(data):
                    image.info["exif"] = b""  # otherwise Pillow decodes all pixels to look for EXIF data behind them
                if page is not None and page > 1:
                    _turn_to(image, page, name)
                yield image
        except ImageSetError:
            raise
        except (OSError, SyntaxError, ValueError, EOFError, RuntimeError, Image.DecompressionBombError) as error:
            reason = _unknown(data) if isinstance(error, Image.UnidentifiedImageError) else str(error)
            raise BrokenPhotoError(name, reason) from None


def _more_behind_pixels(data: bytes) -> bool:
    """Whether a PNG may state its orientation behind its pixels: it has EXIF data or XMP there, or is cut off."""
    at, pixels = 8, False
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        text = data.startswith((b"Raw profile type exif\0", b"XML:com.adobe.xmp\0"), at + 8)
        if kind == b"IEND" or (pixels and (kind == b"eXIf" or text)):
            return bool(kind != b"IEND")
        pixels |= kind == b"IDAT"
        at += length + 12
    return True


def _unknown(data: bytes) -> str:
    if data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return "its kind of TIFF is not supported; save it with 8 or 16 bits a channel"
    return "not an image in a supported format"


def is_heif(data: bytes) -> bool:
    return data[4:8] == b"ftyp" and data[8:12] in HEIF_BRANDS


@cache
def _know_heif() -> None:
    """Register HEIC and HEIF with Pillow, on the first such file: loading the library takes time."""
    import pillow_heif

    pillow_heif.register_heif_opener()


def pages(image: Image.Image) -> int:
    """The number of images in a TIFF stack or an animation; 1 for the previews that phones add to a JPEG."""
    return 1 if image.format == "MPO" else getattr(image, "n_frames", 1)


def _turn_to(image: Image.Image, page: int, name: str) -> None:
    if page > pages(image):
        raise BrokenPhotoError(name, f"it has no page {page}, only {pages(image)}")
    image.seek(page - 1)


def deep_colour(image: Image.Image, data: bytes) -> bool:
    """Whether the file has 16 bits per channel in colour, which Pillow opens as 8 bits."""
    if image.format == "PNG":
        return data[24] == 16 and image.mode in ("RGB", "RGBA")  # the bit depth in its header
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(TIFF_BITS, ())
        return image.mode in ("RGB", "RGBA", "RGBX", "CMYK") and max(bits, default=8) > 8
    return image.format == "PPM" and image.mode == "RGB" and data.split(maxsplit=4)[3:4] == [b"65535"]


def _raw_mode(args: Any) -> tuple[str, tuple[Any, ...]]:
    """The mode that Pillow's decoder unpacks, and its other arguments; a decoder of one argument takes it bare."""
    return (args, ()) if isinstance(args, str) else (str(args[0]), tuple(args[1:]))


def _joined(mode: str, rest: tuple[Any, ...]) -> Any:
    return (mode, *rest) if rest else mode


def deep_values(data: bytes, name: str, page: int | None = None) -> NDArray[np.uint16] | None:
    """The values (H, W, 3 or 4) of 16 bits per channel in colour, or of grey with alpha, upright; None if Pillow
    stores them in another way.

    Pillow unpacks one byte of each value, the higher one. With the order of the bytes exchanged it unpacks the other.
    All four bytes of grey with alpha are unpacked at once.
    """
    values: NDArray[np.uint16] | None = None
    for exchanged in ("LBN", "BLB"):
        with open_image(data, name, page) as image:
            assert isinstance(image, ImageFile.ImageFile)
            found = [_raw_mode(tile.args) for tile in image.tile]
            if [mode for mode, _ in found] == ["LA;16B"]:
                image.tile = [image.tile[0]._replace(args="RGBA")]
                pairs = np.asarray(upright(image)).astype(np.uint16)
                return pairs[..., [0, 0, 0, 2]] * np.uint16(256) + pairs[..., [1, 1, 1, 3]]
            if image.format == "TIFF":  # planes of 16 bits that are not compressed Pillow unpacks as if they had 8
                order = "B" if data.startswith(b"MM") else "L"
                found = [(f"{mode};16{order}" if len(mode) == 1 else mode, rest) for mode, rest in found]
            if not found or not all(DEEP.fullmatch(mode) for mode, _ in found):
                return None
            image.tile = [
                tile._replace(args=_joined(mode[:-1] + exchanged["LBN".index(mode[-1])], rest))
                for tile, (mode, rest) in zip(image.tile, found, strict=True)
            ]
            half = np.asarray(upright(image))
        if values is None:
            values = half.astype(np.uint16)
            values <<= 8
        else:
            values |= half
    return values


def white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF's grey values of 16 bits or more run from white to black, which Pillow turns at 8 bits only."""
    return image.mode.startswith(("I", "F")) and getattr(image, "tag_v2", {}).get(TIFF_PHOTOMETRIC) == 0


def grey_values(image: Image.Image, negative: bool) -> tuple[NDArray[Any], float]:
    """Values (H, W) of 16 or 32 bits, from black to white, and the value of white; `negative` as `white_is_zero`."""
    values, white = np.array(image), 65535.0 if image.mode.startswith("I") else 1.0
    if (
        image.format == "TIFF"
        and values.dtype == np.int32
        and getattr(image, "tag_v2", {}).get(TIFF_SIGN, (1,))[0] == 1
    ):
        values = values.view(np.uint32)  # Pillow has no unsigned 32 bits
    return (white - values).astype(values.dtype) if negative else values, white


def orientation(image: Image.Image) -> int:
    """The EXIF orientation that the pixels still need, 1 to 8. Pillow and libheif turn TIFF and HEIC on loading."""
    value = image.getexif().get(ExifTags.Base.Orientation, 1)
    return value if value in range(1, 9) else 1


def turned_by(image: Image.Image, data: bytes) -> int:
    """The EXIF orientation, 1 to 8, that makes the pixels as stored upright. A HEIC is turned by its container (boxes
    irot and imir), which an EXIF orientation repeats; without these boxes it is shown as stored, whatever EXIF says."""
    if (noted := image.info.get("original_orientation")) is None:
        return orientation(image)
    return int(noted) if b"irot" in data or b"imir" in data else 1


def upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF orientation says."""
    image.load()  # before its orientation is read: loading a TIFF turns it
    if orientation(image) == 1:
        return image
    # With these entries exif_transpose would rewrite the EXIF data, and fail where they are damaged.
    for key in ("exif", "Raw profile type exif", "XML:com.adobe.xmp", "xmp"):
        image.info.pop(key, None)
    return ImageOps.exif_transpose(image)


def orientation_of(data: bytes, name: str) -> int:
    """The EXIF orientation of a file, 1 to 8. Raises BrokenPhotoError."""
    with open_image(data, name) as image:
        return turned_by(image, data)


def turned(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """An array (H, W, ...) as an EXIF orientation says.

    >>> turned(np.array([[1, 2], [3, 4]]), 6)  # by 90 degrees clockwise
    array([[3, 1],
           [4, 2]])
    """
    upright = {
        2: array[:, ::-1], 3: array[::-1, ::-1], 4: array[::-1], 5: array.swapaxes(0, 1), 6: np.rot90(array, -1),
        7: np.rot90(array, 2).swapaxes(0, 1), 8: np.rot90(array),
    }.get(orientation, array)  # fmt: skip
    return np.ascontiguousarray(upright)
