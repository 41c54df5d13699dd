"""Conversion of colours to sRGB: embedded profiles, Adobe RGB that only EXIF marks, and the gamma of a PNG."""

from __future__ import annotations

import contextlib
import io
import struct
from functools import cache, lru_cache
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

SRGB_GAMMA = 1 / 2.2  # as PNG writes it; a gAMA chunk within 0.02 of it is taken for sRGB
UNCALIBRATED = 0xFFFF  # EXIF's ColorSpace for "not sRGB"


def foreign_profile(image: Image.Image) -> ImageCms.ImageCmsProfile | None:
    """The colour profile to convert from: the embedded one, or Adobe RGB where EXIF marks it. None for sRGB."""
    profile = image.info.get("icc_profile")
    try:
        if profile:
            source, is_srgb = _profile(profile)
            return None if is_srgb else source
    except (ImageCms.PyCMSError, OSError):
        return None
    return _adobe_rgb() if _marked_adobe_rgb(image) else None


@lru_cache(16)
def _profile(data: bytes) -> tuple[ImageCms.ImageCmsProfile, bool]:
    """An embedded profile, and whether it is sRGB: called so, with a middle grey that stays one. 'Linear sRGB' has the
    name and the primaries, but another curve."""
    profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
    if "srgb" not in ImageCms.getProfileDescription(profile).lower():
        return profile, False
    grey = ToSrgb(profile, None).of(Image.new("RGB", (1, 1), (128, 128, 128)))
    return profile, all(abs(low - 128) < 8 for low, _ in cast(Any, grey.getextrema()))


def _marked_adobe_rgb(image: Image.Image) -> bool:
    """Cameras mark Adobe RGB without a profile, by DCF 2.0: ColorSpace uncalibrated, interoperability index R03."""
    try:
        exif = image.getexif()
        if exif.get_ifd(ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace) != UNCALIBRATED:
            return False
        index = exif.get_ifd(ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex)
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error):  # damaged EXIF data
        return False
    return str(index).strip("\0 ") == "R03"


class ToSrgb:
    """Converts colours to sRGB: by a profile that fits the image, else by the gamma of a PNG, if it has one."""

    def __init__(self, profile: ImageCms.ImageCmsProfile | None, gamma: float | None) -> None:
        self.profile, self.gamma = profile, gamma
        self.transform = cache(self._transform)  # of a mode, once for all strips of an image

    def _transform(self, mode: str) -> ImageCms.ImageCmsTransform | None:
        if self.profile is not None and mode in ("L", "RGB", "CMYK"):
            with contextlib.suppress(ImageCms.PyCMSError, OSError):
                return ImageCms.buildTransform(self.profile, ImageCms.createProfile("sRGB"), mode, "RGB")
        return None

    def of(self, image: Image.Image) -> Image.Image:
        """An image without alpha in sRGB."""
        if (transform := self.transform(image.mode)) is not None:
            with contextlib.suppress(ImageCms.PyCMSError, OSError):
                if (converted := ImageCms.applyTransform(image, transform)) is not None:
                    image = converted
        rgb = image if image.mode == "RGB" else image.convert("RGB")
        return rgb if self.gamma is None else Image.fromarray(from_gamma(np.asarray(rgb), self.gamma))


def png_gamma(image: Image.Image) -> float | None:
    """The gAMA entry of a PNG that is not sRGB's; None if a profile or an sRGB chunk takes precedence."""
    gamma = image.info.get("gamma")
    if image.format != "PNG" or not gamma or "icc_profile" in image.info or "srgb" in image.info:
        return None
    return None if abs(gamma - SRGB_GAMMA) < 0.02 else float(gamma)


def from_gamma(levels: NDArray[np.uint8], gamma: float) -> NDArray[np.uint8]:
    """8-bit levels that were encoded with a PNG's gamma, in sRGB's curve (PNG, third edition, 11.3.2.2)."""
    linear = (np.arange(256) / 255) ** (1 / gamma)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    table: NDArray[np.uint8] = (encoded * 255 + 0.5).astype(np.uint8)
    return table[levels]


@cache
def _adobe_rgb() -> ImageCms.ImageCmsProfile:
    """Adobe RGB (1998): its primaries, adapted to D50, and a gamma of 563/256."""
    primaries = {
        b"r": (0.60974, 0.31111, 0.01947), b"g": (0.20528, 0.62567, 0.06087), b"b": (0.14919, 0.06322, 0.74457)
    }  # fmt: skip
    return ImageCms.ImageCmsProfile(io.BytesIO(_matrix_profile(primaries, 563)))


def _matrix_profile(primaries: dict[bytes, tuple[float, float, float]], gamma_256ths: int) -> bytes:
    """An ICC profile, version 2, of three primaries (XYZ for D50) and one gamma."""

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    white = fixed(0.9642, 1, 0.8249)
    curve = b"curv" + struct.pack(">IIHH", 0, 1, gamma_256ths, 0)
    tags = {b"desc": b"desc" + struct.pack(">II", 0, 10) + b"Adobe RGB\0" + bytes(78), b"wtpt": b"XYZ \0\0\0\0" + white}
    for letter, xyz in primaries.items():
        tags |= {letter + b"XYZ": b"XYZ \0\0\0\0" + fixed(*xyz), letter + b"TRC": curve}
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", 128 + len(table + body), b"lcms", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + white
    return head.ljust(128, b"\0") + table + body
