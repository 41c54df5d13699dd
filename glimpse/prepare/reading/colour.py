"""Conversion of colours to sRGB: embedded profiles, Adobe RGB that only EXIF marks, the gamma of a PNG, and code
points of PNG, HEIC and AVIF."""

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
SRGB_XY = ((0.3127, 0.329), (0.64, 0.33), (0.3, 0.6), (0.15, 0.06))  # white, red, green, blue
D50 = (0.9642, 1, 0.8249)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
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


def png_profile(image: Image.Image) -> bytes | None:
    """An ICC profile of the primaries in a PNG's cHRM entry, beside a gAMA entry; None for sRGB's, or without either.

    Nothing else must say what the colours are: a profile or an sRGB chunk takes precedence.
    """
    found, gamma = image.info.get("chromaticity"), image.info.get("gamma")
    if image.format != "PNG" or image.mode not in ("RGB", "RGBA", "P") or not (found and gamma) or "srgb" in image.info:
        return None
    xy = np.reshape(found, (4, 2))  # of white, red, green and blue
    if np.abs(xy - SRGB_XY).max() < 0.005 or (xy[:, 1] <= 0).any():
        return None
    xyz = np.stack([xy[:, 0] / xy[:, 1], np.ones(4), (1 - xy.sum(1)) / xy[:, 1]])
    if abs(np.linalg.det(xyz[:, 1:])) < 1e-3:  # primaries on one line
        return None
    cones = BRADFORD @ xyz[:, 1:] * np.linalg.solve(xyz[:, 1:], xyz[:, 0])
    adapted = np.linalg.solve(BRADFORD, cones * (BRADFORD @ D50 / (BRADFORD @ xyz[:, 0]))[:, None])
    red, green, blue = ((float(x), float(y), float(z)) for x, y, z in adapted.T)
    curve = _srgb_curve() if abs(gamma - SRGB_GAMMA) < 0.02 else (round(256 / gamma),)
    return _matrix_profile("primaries of a PNG", (red, green, blue), curve)


def in_srgb_curve(shares: NDArray[Any], gamma: float) -> NDArray[Any]:
    """Values from 0 to 1 that were encoded with a PNG's gamma, in sRGB's curve (PNG, third edition, 11.3.2.2)."""
    linear = shares ** (1 / gamma)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def from_gamma(levels: NDArray[np.uint8], gamma: float) -> NDArray[np.uint8]:
    """8-bit levels that were encoded with a PNG's gamma, in sRGB's curve."""
    table: NDArray[np.uint8] = (in_srgb_curve(np.arange(256) / 255, gamma) * 255 + 0.5).astype(np.uint8)
    return table[levels]


# Primaries in XYZ, adapted to D50, by their numbers in ITU-T H.273; Adobe RGB (1998) has none there.
Primaries = tuple[tuple[float, float, float], tuple[float, float, float], tuple[float, float, float]]
BT_709, BT_2020, DISPLAY_P3, LINEAR, HDR = 1, 9, 12, 8, (16, 18)
PRIMARIES: dict[int, tuple[str, Primaries]] = {
    BT_709: ("linear BT.709", ((0.43604, 0.22248, 0.01392), (0.38511, 0.71691, 0.09707), (0.14305, 0.06061, 0.71391))),
    BT_2020: ("BT.2020", ((0.67348, 0.27904, -0.00193), (0.16567, 0.67534, 0.02998), (0.12505, 0.04561, 0.79685))),
    DISPLAY_P3: ("Display P3", ((0.51512, 0.24119, -0.00105), (0.29198, 0.69224, 0.04188), (0.1571, 0.06657, 0.78407))),
}
ADOBE_RGB: Primaries = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))


def coded_profile(data: bytes) -> bytes | None:
    """An ICC profile of the colours that a PNG names in its chunk cICP, or a HEIC or AVIF file in its box nclx.

    Both give numbers of ITU-T H.273 in place of a profile. None for sRGB's and for unknown numbers. Raises ValueError
    for high dynamic range, which 8 bits of sRGB do not hold.
    """
    if data.startswith(b"\x89PNG"):
        at = data.find(b"cICP", 0, max(data.find(b"IDAT"), 0))
        codes = tuple(data[at + 4 : at + 6]) if at > 0 else ()
    else:
        at = data.find(b"colrnclx") if data[4:8] == b"ftyp" else -1
        codes = struct.unpack_from(">HH", data, at + 8) if 0 < at < len(data) - 12 else ()
    if len(codes) < 2:
        return None
    primaries, transfer = codes
    if transfer in HDR:
        raise ValueError("its colours are of high dynamic range (PQ or HLG); export it in sRGB")
    if primaries not in PRIMARIES or (primaries == BT_709 and transfer != LINEAR):
        return None
    return _matrix_profile(*PRIMARIES[primaries], (256,) if transfer == LINEAR else _srgb_curve())


@cache
def _srgb_curve() -> tuple[int, ...]:
    encoded = np.arange(1024) / 1023
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return tuple((linear * 65535).round().astype(int).tolist())


@cache
def _adobe_rgb() -> ImageCms.ImageCmsProfile:
    """Adobe RGB (1998): its primaries, and a gamma of 563/256."""
    return ImageCms.ImageCmsProfile(io.BytesIO(_matrix_profile("Adobe RGB", ADOBE_RGB, (563,))))


def _matrix_profile(name: str, primaries: Primaries, curve: tuple[int, ...]) -> bytes:
    """An ICC profile, version 2, of red, green and blue in XYZ for D50 and one curve: a gamma in 256ths, or a table."""

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    white = fixed(*D50)
    values = b"curv" + struct.pack(f">II{len(curve)}H", 0, len(curve), *curve)
    values += bytes(-len(values) % 4)
    description = b"desc" + struct.pack(">II", 0, len(name) + 1) + name.encode().ljust(84, b"\0")
    tags = {b"desc": description, b"wtpt": b"XYZ \0\0\0\0" + white}
    for letter, xyz in zip((b"r", b"g", b"b"), primaries, strict=True):
        tags |= {letter + b"XYZ": b"XYZ \0\0\0\0" + fixed(*xyz), letter + b"TRC": values}
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", 128 + len(table + body), b"lcms", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + white
    return head.ljust(128, b"\0") + table + body
