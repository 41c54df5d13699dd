"""Pixels: whatever the file's colour mode, orientation or size, the right RGB comes out."""

from __future__ import annotations

import io
import struct
import zlib
from functools import partial

import numpy as np
import pillow_heif
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngImageFile

from glimpse.imageset import ImageSetError
from glimpse.prepare.checks.traits import traits_of
from glimpse.prepare.reading import depth
from glimpse.prepare.reading.decoding import orientation_of
from glimpse.prepare.reading.masks import MaskReading, decode_mask
from glimpse.prepare.reading.pixels import Reading, crop_to_ratio, decode_photo, read_photo, shrink_photo, size_of
from glimpse.prepare.reading.sources import BrokenPhotoError, UnfitFileError
from tests.glimpse.prepare.photos import disc, skin_photo


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


GREY = np.arange(256, dtype=np.uint8).reshape(16, 16)
GREY_AS_RGB = np.repeat(GREY[..., None], 3, axis=2)


def test_grey_stays_grey() -> None:
    np.testing.assert_array_equal(decode_photo(encoded(Image.fromarray(GREY)), "a.png"), GREY_AS_RGB)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bits_are_scaled_not_cut_off(kind: str) -> None:
    image = Image.fromarray(GREY.astype(np.uint16) * np.uint16(257))
    np.testing.assert_array_equal(decode_photo(encoded(image, kind), "a"), GREY_AS_RGB)


def deep_png(pixels: NDArray[np.uint16]) -> bytes:
    """A PNG with 16 bits a channel in colour, which Pillow cannot write; each pixel the difference from that before."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = pixels.astype(">u2").view(np.uint8).reshape(height, -1)
    rows[:, 2 * channels :] -= rows[:, : -2 * channels].copy()
    data = zlib.compress(b"".join(b"\1" + row.tobytes() for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def deep_tiff(pixels: NDArray[np.uint16], **options: object) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, pixels, photometric="rgb", **options)
    return buffer.getvalue()


DEEP = {
    "png": deep_png,
    "tiff": deep_tiff,
    "big-endian tiff": partial(deep_tiff, byteorder=">"),
    "compressed tiff": partial(deep_tiff, compression="zlib", predictor=True),
    "planes of a tiff": lambda pixels: deep_tiff(np.moveaxis(pixels, 2, 0), planarconfig="separate"),
    "big-endian planes": lambda pixels: deep_tiff(np.moveaxis(pixels, 2, 0), planarconfig="separate", byteorder=">"),
    "turned tiff": lambda pixels: deep_tiff(np.rot90(pixels), extratags=[(274, 3, 1, 6, True)]),
}


@pytest.mark.parametrize("kind", DEEP)
def test_16_bits_in_colour_are_read_whole_and_take_a_window(kind: str) -> None:
    encode, photo = DEEP[kind], skin_photo(1)
    read = read_photo(encode(photo.astype(np.uint16) * np.uint16(257)), "a")
    np.testing.assert_array_equal(read.pixels, photo)
    assert not read.remarks
    low = photo + np.uint16(1000)  # without its lower bytes, a photo of one or two levels
    assert read_photo(encode(low), "a").remarks == {"small_range"}
    np.testing.assert_array_equal(read_photo(encode(low), "a", Reading(window=(1000, 1255))).pixels, photo)


def test_transparent_pixels_of_16_bits_become_white() -> None:
    pixels = np.zeros((16, 16, 4), np.uint16)
    pixels[:8] = (1000, 1100, 1255, 65535)
    read = read_photo(deep_png(pixels), "a", Reading(window=(1000, 1255))).pixels
    assert read[0, 0].tolist() == [0, 100, 255]
    assert read[8, 0].tolist() == [255, 255, 255]


def test_grey_with_alpha_of_16_bits_is_read_whole_and_takes_a_window() -> None:
    values = np.repeat(np.array([0, 1024, 2048, 4095], np.uint16), 64).reshape(16, 16)
    data = deep_png(np.dstack([values, np.tile(np.repeat(np.array([65535, 0], np.uint16), 8), (16, 1))]))
    assert read_photo(data, "a").remarks == {"small_range"}
    read = read_photo(data, "a", Reading(window=(0, 4095)))
    assert read.pixels[::4, 0].tolist() == [[level] * 3 for level in (0, 64, 128, 255)]
    assert (read.pixels[:, 8:] == 255).all(), "what is transparent becomes white"
    assert not read.remarks


@pytest.mark.parametrize(
    ("window", "levels", "remarks"),
    [(None, [16, 8, 0], {"small_range"}), ((61440, 65535), [255, 127, 0], set()), ("auto", [255, 127, 0], set())],
)
def test_a_tiff_whose_white_is_zero_is_not_a_negative(
    window: depth.Window | None, levels: list[int], remarks: set[str]
) -> None:
    """X-ray films are stored so. A window is one of the stored values, as in DICOM's MONOCHROME1."""
    buffer, values = io.BytesIO(), np.repeat(np.array([61440, 63488, 65535], np.uint16), 64)
    tifffile.imwrite(buffer, values.reshape(12, 16), photometric="miniswhite")
    photo = read_photo(buffer.getvalue(), "a.tif", Reading(window=window))
    assert photo.pixels[::4, 0, 0].tolist() == levels
    assert photo.remarks == remarks


def test_16_bits_a_channel_that_cannot_be_windowed_are_reported() -> None:
    data = b"P6 16 16 65535\n" + bytes(16 * 16 * 6)
    assert read_photo(data, "a.ppm").remarks == {"deep_colour"}
    with pytest.raises(BrokenPhotoError, match="--window cannot read the way in which its 16 bits"):
        read_photo(data, "a.ppm", Reading(window="auto"))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_plain_jpeg_has_pillows_pixels(mode: str, subsampling: int) -> None:
    """They are decoded past Pillow, for speed."""
    data = io.BytesIO()
    Image.fromarray(skin_photo(3)).convert(mode).save(data, "jpeg", quality=90, subsampling=subsampling)
    np.testing.assert_array_equal(decode_photo(data.getvalue(), "photo"), np.asarray(Image.open(data).convert("RGB")))


def test_a_palette_is_looked_up() -> None:
    photo = np.asarray(Image.fromarray(skin_photo(0)).quantize(64).convert("RGB"))
    data = encoded(Image.fromarray(skin_photo(0)).quantize(64))
    np.testing.assert_array_equal(decode_photo(data, "a.png"), photo)


def test_transparent_pixels_become_white() -> None:
    rgba = np.dstack([skin_photo(0), disc() * np.uint8(255)])
    decoded = decode_photo(encoded(Image.fromarray(rgba)), "a.png")
    np.testing.assert_array_equal(decoded[disc()], skin_photo(0)[disc()])
    assert (decoded[~disc()] == 255).all()


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_a_transparent_colour_becomes_white_too(mode: str) -> None:
    image = Image.new(mode, (4, 4), 0 if mode != "RGB" else (0, 0, 0))
    data = encoded(image, transparency=0 if mode != "RGB" else (0, 0, 0))
    assert (decode_photo(data, "a.png") == 255).all()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_has_the_colours_it_was_made_from(kind: str) -> None:
    photo = skin_photo(0)
    data = encoded(Image.fromarray(photo).convert("CMYK"), kind)
    difference = decode_photo(data, "a").astype(int) - photo
    assert np.abs(difference).mean() < 4
    assert abs(difference.mean()) < 2


def test_an_embedded_profile_is_applied() -> None:
    lab_free = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ"))
    photo = Image.fromarray(skin_photo(0))
    assert (decode_photo(encoded(photo, icc_profile=ImageCms.ImageCmsProfile(
        ImageCms.createProfile("sRGB")).tobytes()), "a.png") == skin_photo(0)).all()  # fmt: skip
    # A profile that does not fit the image is left aside instead of failing.
    assert (decode_photo(encoded(photo, icc_profile=lab_free.tobytes()), "a.png") == skin_photo(0)).all()


def test_linear_srgb_is_converted_although_its_name_says_srgb() -> None:
    """As GIMP and darktable export it: sRGB's name and primaries, but values in proportion to light."""
    data = encoded(Image.fromarray(GREY_AS_RGB), icc_profile=profile(b"RGB ", 1, b"Linear sRGB"))
    decoded = decode_photo(data, "a.png")[..., 0].ravel()
    linear = np.arange(256) / 255
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(decoded - expected).max() <= 2


def profile(space: bytes, gamma: float = 1.8, name: bytes = b"test") -> bytes:
    """An ICC profile, version 2, of wide primaries (ProPhoto's), or of grey ("RGB " or "GRAY")."""

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    white = (0.9642, 1, 0.8249)
    curve = b"curv" + struct.pack(">IIHH", 0, 1, round(gamma * 256), 0)
    tags = {
        b"desc": b"desc" + struct.pack(">II", 0, len(name) + 1) + name.ljust(84, b"\0"),
        b"wtpt": b"XYZ \0\0\0\0" + fixed(*white),
    }
    if space == b"RGB ":
        primaries = ((0.7977, 0.2880, 0), (0.1352, 0.7119, 0), (0.0313, 0.0001, 0.8249))
        for letter, xyz in zip((b"r", b"g", b"b"), primaries, strict=True):
            tags |= {letter + b"XYZ": b"XYZ \0\0\0\0" + fixed(*xyz), letter + b"TRC": curve}
    else:
        tags[b"kTRC"] = curve
    table, body = struct.pack(">I", len(tags)), b""
    for tag, data in tags.items():
        table += tag + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", 128 + len(table + body), b"lcms", 0x02100000, b"mntr", space, b"XYZ ")
    head += struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + fixed(*white)
    return head.ljust(128, b"\0") + table + body


def in_srgb(photo: NDArray[np.uint8]) -> NDArray[np.float64]:
    """ProPhoto's primaries with gamma 1.8 in sRGB, by the formulas: both matrices, then sRGB's curve."""
    wide = np.array([[0.7977, 0.1352, 0.0313], [0.2880, 0.7119, 0.0001], [0, 0, 0.8249]])
    from_d50 = np.array(
        [[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]]
    )  # Lindbloom, sRGB adapted to D50
    linear = ((photo / 255) ** 1.8 @ (from_d50 @ wide).T).clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "I;16", "RGB key", "L key"])
def test_an_embedded_profile_is_applied_in_every_mode(mode: str) -> None:
    mode, _, key = mode.partition(" ")
    rgb = Image.fromarray(skin_photo(0))
    options: dict[str, object] = {"transparency": (0, 255, 0) if mode == "RGB" else 1} if key else {}
    if mode in ("L", "LA", "I;16"):
        grey = np.asarray(rgb.convert("L"))
        plain = np.repeat(grey[..., None], 3, 2)
        image = Image.fromarray(grey.astype(np.uint16) * np.uint16(257) if mode == "I;16" else grey)
        image = image.convert(mode) if mode == "LA" else image
        icc = profile(b"GRAY")
    else:
        image, icc = rgb.quantize(64) if mode == "P" else rgb.convert(mode), profile(b"RGB ")
        plain = np.asarray(image.convert("RGB"))
    decoded = decode_photo(encoded(image, icc_profile=icc, **options), "a.png").astype(float)
    assert np.abs(decoded - in_srgb(plain)).mean() < 1
    assert np.abs(decoded - plain).mean() > 5  # levels by which the colours were off


def stored(upright: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The pixels as a camera stores them: the inverse of what the orientation asks for (EXIF 2.3, tag 0x0112)."""
    turns = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.swapaxes(0, 1),
        6: np.rot90(upright), 7: np.rot90(upright, 2).swapaxes(0, 1), 8: np.rot90(upright, -1),
    }  # fmt: skip
    return np.ascontiguousarray(turns[orientation])


# Pillow turns a TIFF while it loads it, libheif a HEIC; the others are left to the reader.
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "TIFF LZW", "WEBP", "AVIF", "HEIF", "MPO"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_photo_stands_upright_in_every_format(kind: str, orientation: int) -> None:
    pillow_heif.register_heif_opener()
    upright = np.full((48, 32, 3), 128, np.uint8)
    upright[:16, :16], upright[:16, 16:], upright[32:, :16] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(stored(upright, orientation))
    kind, _, packed = kind.partition(" ")
    options: dict[str, object] = {"compression": "tiff_lzw"} if packed else {} if kind == "TIFF" else {"quality": 95}
    data = encoded(image, kind, exif=exif.tobytes() if kind == "HEIF" else exif, **options)
    photo = read_photo(data, "a")
    assert photo.pixels.shape == upright.shape
    assert np.abs(photo.pixels.astype(int) - upright).mean() < 8
    assert photo.orientation == orientation


def png_with(data: bytes, chunk: bytes, content: bytes, behind: bytes) -> bytes:
    """A PNG with one more chunk, before its first chunk of this kind."""
    at = data.index(behind) - 4
    crc = struct.pack(">I", zlib.crc32(chunk + content))
    return data[:at] + struct.pack(">I", len(content)) + chunk + content + crc + data[at:]


TURNED_BY_6 = Image.Exif()
TURNED_BY_6[0x0112] = 6
XMP = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
STATED = {
    "eXIf": (b"eXIf", TURNED_BY_6.tobytes().removeprefix(b"Exif\0\0")),
    "a profile in text": (b"tEXt", b"Raw profile type exif\0\nexif\n26\n" + TURNED_BY_6.tobytes().hex().encode()),
    "XMP": (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP),
}


@pytest.mark.parametrize("before", [b"IDAT", b"IEND"])
@pytest.mark.parametrize("kind", STATED)
def test_a_png_states_its_orientation_before_its_pixels_or_behind_them(kind: str, before: bytes) -> None:
    upright = skin_photo(0)
    plain = encoded(Image.fromarray(stored(upright, 6)))
    photo = read_photo(png_with(plain, *STATED[kind], before), "a.png")
    assert (photo.orientation, read_photo(plain, "a.png").orientation) == (6, 1)
    np.testing.assert_array_equal(photo.pixels, upright)


def test_the_pixels_of_a_png_are_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow decodes all of them to look for EXIF data: sizes, traits and masks took a decoding more each."""
    data = png_with(encoded(Image.fromarray(skin_photo(0))), b"tEXt", b"date:create\0today", b"IEND")
    decoded: list[object] = []
    load_end = PngImageFile.load_end
    monkeypatch.setattr(PngImageFile, "load_end", lambda image: (decoded.append(image), load_end(image))[1])
    assert (size_of(data, "a.png"), orientation_of(data, "a.png")) == (skin_photo(0).shape[1::-1], 1)
    traits_of(data, "a.png", skin_photo(0), measure=True)
    assert not decoded
    read_photo(data, "a.png")
    assert len(decoded) == 1


def test_a_heic_that_only_exif_calls_turned_is_not_turned_and_not_said_to_be() -> None:
    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 3
    data = encoded(Image.fromarray(skin_photo(0)), "HEIF", exif=exif, quality=-1, chroma=444)
    assert b"irot" not in data, "pillow-heif writes no rotation of the container for this argument"
    photo = read_photo(data, "a.heic")
    assert np.abs(photo.pixels.astype(int) - skin_photo(0)).mean() < 1
    assert photo.orientation == 1 == orientation_of(data, "a.heic")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_a_mask_stands_upright_too(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(stored(disc() * np.uint8(255), orientation)), kind, exif=exif)
    np.testing.assert_array_equal(decode_mask(data, "m"), disc())


def test_damaged_exif_data_do_not_spoil_a_whole_photo() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    data = encoded(Image.fromarray(skin_photo(0)), "JPEG", exif=exif)
    damaged = data.replace(b"\x01\x0f\x00\x02", b"\x01\x00\x00\x02", 1)  # a text where a number belongs
    assert damaged != data
    np.testing.assert_array_equal(decode_photo(damaged, "a.jpg"), decode_photo(data, "a.jpg"))


def test_adobe_rgb_is_known_by_its_exif_alone() -> None:
    """As Canon's and Nikon's cameras write it (DCF 2.0): no profile, ColorSpace 65535, interoperability index R03."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    photo = skin_photo(0)
    decoded = decode_photo(encoded(Image.fromarray(photo), "PNG", exif=exif.tobytes()), "a.png").astype(float)
    linear = (photo / 255) ** (563 / 256)  # Adobe RGB (1998), 4.3.5 and 4.3.4.1; sRGB's matrix is of IEC 61966-2-1
    to_xyz = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
    to_srgb = np.array([[3.24045, -1.53714, -0.49853], [-0.96927, 1.87601, 0.04156], [0.05564, -0.20403, 1.05723]])
    srgb = (linear @ (to_srgb @ to_xyz).T).clip(0, 1)
    expected = 255 * np.where(srgb <= 0.0031308, 12.92 * srgb, 1.055 * srgb ** (1 / 2.4) - 0.055)
    assert np.abs(decoded - expected).mean() < 1
    assert np.abs(photo - expected).mean() > 3


def in_display_p3(photo: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """sRGB pixels in Display P3, by the published matrix (CSS Color 4); both have one curve."""
    linear = np.where(photo <= 10.31475, photo / 3294.6, ((photo / 255 + 0.055) / 1.055) ** 2.4)
    p3 = linear @ np.array([[0.82246, 0.17754, 0], [0.03319, 0.96681, 0], [0.01708, 0.0724, 0.91052]]).T
    return (255 * np.where(p3 <= 0.0031308, 12.92 * p3, 1.055 * p3 ** (1 / 2.4) - 0.055)).round().astype(np.uint8)


def coded(photo: NDArray[np.uint8], kind: str, primaries: int, transfer: int) -> bytes:
    """A PNG or HEIC file that names its colours by numbers of ITU-T H.273, without a profile."""
    buffer = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(Image.fromarray(photo)).save(
            buffer, quality=-1, chroma=444, color_primaries=primaries, transfer_characteristics=transfer,
            matrix_coefficients=6, full_range_flag=1,
        )  # fmt: skip
        return buffer.getvalue()
    data, chunk = encoded(Image.fromarray(photo)), b"cICP" + bytes([primaries, transfer, 0, 1])
    return data[:33] + struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]


@pytest.mark.parametrize("kind", ["PNG", "HEIC"])
def test_display_p3_is_known_by_its_numbers_alone(kind: str) -> None:
    photo, p3 = skin_photo(0), in_display_p3(skin_photo(0))
    assert np.abs(photo.astype(int) - p3).mean() > 3
    assert np.abs(decode_photo(coded(p3, kind, 12, 13), "a").astype(int) - photo).mean() < 1
    assert np.abs(decode_photo(coded(photo, kind, 1, 13), "a").astype(int) - photo).mean() < 1


@pytest.mark.parametrize(("primaries", "transfer"), [(1, 1), (2, 2), (22, 13)])  # BT.709, unspecified, not one of ours
def test_other_numbers_of_colours_change_nothing(primaries: int, transfer: int) -> None:
    data = coded(skin_photo(0), "PNG", primaries, transfer)
    np.testing.assert_array_equal(decode_photo(data, "a.png"), skin_photo(0))


@pytest.mark.parametrize("kind", ["PNG", "HEIC"])
@pytest.mark.parametrize("transfer", [16, 18])
def test_high_dynamic_range_is_refused_by_name(kind: str, transfer: int) -> None:
    with pytest.raises(
        BrokenPhotoError, match=r"a cannot be read \(its colours are of high dynamic range .*; export it"
    ):
        decode_photo(coded(skin_photo(0), kind, 9, transfer), "a")


@pytest.mark.parametrize(("gamma", "changes"), [(1.0, True), (0.45455, False), (1 / 1.8, True)])
def test_the_gamma_of_a_png_is_applied(gamma: float, changes: bool) -> None:
    data = encoded(Image.fromarray(GREY_AS_RGB))
    chunk = b"gAMA" + struct.pack(">I", round(gamma * 100_000))
    chunk = struct.pack(">I", 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    decoded = decode_photo(data[:33] + chunk + data[33:], "a.png").astype(float)  # behind the header
    linear = (GREY_AS_RGB / 255) ** (1 / gamma)
    expected = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(decoded - (expected if changes else GREY_AS_RGB)).max() <= 1


@pytest.mark.parametrize("colour", [False, True])
def test_the_gamma_of_a_png_is_applied_to_all_16_bits(colour: bool) -> None:
    """In 8 bits, linear light has a single step from 0 to 13 of sRGB."""
    values = np.tile(np.array([0, 20, 128, 256, 1000, 65535], np.uint16), (2, 1))
    data = deep_png(np.repeat(values[..., None], 3, 2)) if colour else encoded(Image.fromarray(values))
    decoded = decode_photo(data[:33] + chunk(b"gAMA", 1) + data[33:], "a.png")
    np.testing.assert_array_equal(decoded[0], [[level] * 3 for level in (0, 1, 6, 13, 33, 255)])


def chunk(kind: bytes, *values: float) -> bytes:
    """A PNG chunk of numbers in units of 1/100000."""
    body = kind + struct.pack(f">{len(values)}I", *(round(value * 100_000) for value in values))
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


P3, SRGB = (0.68, 0.32, 0.265, 0.69, 0.15, 0.06), (0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # red, green, blue


@pytest.mark.parametrize(
    ("primaries", "gamma", "more", "changes"),
    [
        (P3, 0.45455, b"", True),
        (P3, None, b"", False),  # primaries without a curve mean nothing
        (P3, 0.45455, b"\0\0\0\1sRGB\0\xae\xce\x1c\xe9", False),
        (SRGB, 0.45455, b"", False),
        ((0.3, 0.3, 0.3, 0.3, 0.3, 0.3), 0.45455, b"", False),  # damaged: no colours
        ((0.64, 0, 0.3, 0, 0.15, 0), 0.45455, b"", False),
    ],
)
def test_the_primaries_of_a_png_are_those_of_its_colours(
    primaries: tuple[float, ...], gamma: float | None, more: bytes, changes: bool
) -> None:
    photo = skin_photo(3, 12, 16)
    data = encoded(Image.fromarray(photo))
    chunks = chunk(b"cHRM", 0.3127, 0.329, *primaries) + (chunk(b"gAMA", gamma) if gamma else b"") + more
    decoded = decode_photo(data[:33] + chunks + data[33:], "a.png").astype(int)
    expected = decode_photo(coded(photo, "PNG", 12, 13), "a.png") if changes else photo
    assert np.abs(decoded - expected).max() <= 1
    assert changes == (np.abs(decoded - photo).max() > 3)


# ------------------------------------------------------------------------------------------------ more than 8 bits


@pytest.mark.parametrize(("kind", "channels"), [(np.float64, 1), (np.float32, 3), (np.uint32, 3)])
def test_a_tiff_of_values_that_are_not_read_gets_its_remedy(kind: type, channels: int) -> None:
    buffer = io.BytesIO()
    photometric = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(buffer, np.zeros((16, 16, channels), kind).squeeze(), photometric=photometric)
    sentence = (
        r"^a\.tif cannot be read \(its kind of TIFF is not supported; save it with 8 or 16 bits a channel\): repair"
    )
    with pytest.raises(BrokenPhotoError, match=sentence):
        read_photo(buffer.getvalue(), "a.tif")


def test_unsigned_values_of_32_bits_take_a_window_over_their_whole_range() -> None:
    values, buffer = np.repeat(np.array([0, 2**30, 2**31, 2**32 - 1], np.uint32), 64).reshape(16, 16), io.BytesIO()
    tifffile.imwrite(buffer, values)
    with pytest.raises(BrokenPhotoError, match="its values go beyond 0 to 65535; give their range with --window"):
        read_photo(buffer.getvalue(), "a.tif")
    photo = read_photo(buffer.getvalue(), "a.tif", Reading(window=(0, 2**32 - 1)))
    assert photo.pixels[::4, 0, 0].tolist() == [0, 64, 128, 255]


@pytest.mark.parametrize(
    ("window", "levels", "remarks"),
    [
        (None, [0, 4, 8, 16], {"small_range"}),
        ((0, 4095), [0, 64, 128, 255], set()),
        ((1024, 2048), [0, 0, 255, 255], set()),
        ("auto", [0, 64, 128, 255], set()),
    ],
)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_12_bits_in_16_need_a_window(kind: str, window: depth.Window, levels: list[int], remarks: set[str]) -> None:
    values = np.repeat(np.array([0, 1024, 2048, 4095], np.uint16), 64).reshape(16, 16)
    photo = read_photo(encoded(Image.fromarray(values), kind), "a", Reading(window=window))
    assert photo.pixels[::4, 0, 0].tolist() == levels
    assert photo.remarks == remarks


def test_a_small_range_is_measured_from_the_lowest_value_of_the_type() -> None:
    for value, small in ((-30_000, True), (1000, False)):  # of 65,535 levels the darkest 2768, and 33,768
        assert depth.to_levels(np.full((4, 4), value, np.int16), None, (-32_768, 32_767))[1] == small


@pytest.mark.parametrize("window", [None, "auto", (300, 40_000)])
def test_16_bits_by_a_table_are_the_levels_of_every_value(window: depth.Window | None) -> None:
    values = np.random.default_rng(0).integers(0, 50_000, (301, 997), np.uint16)
    found, expected = (depth.to_levels(some, window, (0, 65535)) for some in (values, values.astype(np.int32)))
    np.testing.assert_array_equal(found[0], expected[0])
    assert found[1] is expected[1] is False


def test_a_hot_pixel_does_not_darken_an_automatic_window() -> None:
    values = np.linspace(0, 4095, 10_000).round().astype(np.uint16).reshape(100, 100)
    values[50, 50] = 65535
    photo = read_photo(encoded(Image.fromarray(values)), "a", Reading(window="auto"))
    assert abs(photo.pixels.mean() - 127.5) < 1


def test_of_a_stack_the_first_page_is_used_with_a_note_or_another_by_number() -> None:
    first, second = (Image.fromarray(skin_photo(seed)) for seed in (1, 2))
    data = encoded(first, "TIFF", save_all=True, append_images=[second])
    photo = read_photo(data, "a.tif")
    np.testing.assert_array_equal(photo.pixels, skin_photo(1))
    assert photo.remarks == {"stack"}
    photo = read_photo(data, "a.tif", Reading(page=2))
    np.testing.assert_array_equal(photo.pixels, skin_photo(2))
    assert photo.remarks == set()
    with pytest.raises(BrokenPhotoError, match=r"a\.tif cannot be read \(it has no page 3, only 2\)"):
        read_photo(data, "a.tif", Reading(page=3))


@pytest.mark.parametrize("damage", [lambda d: d[: len(d) // 2], lambda d: b"no image", lambda d: b""])
def test_a_broken_photo_is_named(damage: object) -> None:
    data = encoded(Image.fromarray(skin_photo(0)), "JPEG")
    with pytest.raises(BrokenPhotoError, match=r"hand\.jpg cannot be read .*--skip-broken"):
        decode_photo(damage(data), "hand.jpg")  # type: ignore[operator]


# ------------------------------------------------------------------------------------------------ masks


@pytest.mark.parametrize(
    "image",
    [
        Image.fromarray(disc()),  # 1 bit
        Image.fromarray(disc() * np.uint8(255)),
        Image.fromarray(disc() * np.uint8(1)),
        Image.fromarray(disc() * np.uint8(100) + np.uint8(7)),
        Image.fromarray(disc() * np.uint16(65535)),
        Image.fromarray(disc() * np.uint8(255)).convert("RGB"),
        Image.fromarray(disc() * np.uint8(255)).convert("RGBA"),
        Image.fromarray(disc() * np.uint8(255)).convert("P"),
        Image.fromarray(np.stack([np.full(disc().shape, 255, np.uint8), disc() * np.uint8(255)], -1)),
    ],
    ids=["1", "L255", "L1", "L107", "16", "RGB", "RGBA", "P", "opaque"],
)
def test_a_mask_is_the_brighter_of_two_colours(image: Image.Image) -> None:
    mask = decode_mask(encoded(image), "m.png")
    np.testing.assert_array_equal(mask, disc())
    assert set(np.unique(mask.view(np.uint8))) == {0, 1}  # bytes, too: they become masks.npy


@pytest.mark.parametrize(
    ("outside", "inside"),
    [((68, 1, 84), (33, 255, 255)), ((255, 0, 0), (0, 255, 0)), ((0, 0, 255), (200, 0, 0)), ((9, 9, 9), (10, 10, 10))],
)
@pytest.mark.parametrize("mode", ["RGB", "P", "RGBA"])
def test_of_two_colours_the_brighter_is_not_the_redder(
    outside: tuple[int, ...], inside: tuple[int, ...], mode: str
) -> None:
    for lesion in (disc(), disc(y=0, x=0)):  # whichever colour comes first
        image = Image.fromarray(lesion.astype(np.uint8), "P")
        image.putpalette([*outside, *inside])
        mask = decode_mask(encoded(image if mode == "P" else image.convert(mode)), "m.png")
        np.testing.assert_array_equal(mask, lesion)


@pytest.mark.parametrize("white", [1, 255, 65535])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite", "rgb"])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_a_mask_in_a_tiff_is_as_bright_as_a_photo_in_it(kind: type, photometric: str, white: int) -> None:
    """Values are stored from 0 to `white`; those of miniswhite are shown from white to black."""
    if (kind == np.uint8 and white > 255) or (kind == np.float32 and photometric == "rgb"):
        return  # no such file
    lesion = disc() if photometric != "miniswhite" else ~disc()
    values = (lesion * white).astype(kind)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.dstack([values] * 3) if photometric == "rgb" else values, photometric=photometric)
    np.testing.assert_array_equal(decode_mask(buffer.getvalue(), "m.tif"), disc())
    if white == np.iinfo(kind).max if kind != np.float32 else white == 1:
        shown = read_photo(buffer.getvalue(), "m.tif").pixels[..., 0]
        np.testing.assert_array_equal(shown, disc() * np.uint8(255))


@pytest.mark.parametrize(("value", "inside"), [(0, False), (1, True), (255, True)])
def test_a_mask_of_one_colour_is_empty_if_that_is_black(value: int, inside: bool) -> None:
    mask = decode_mask(encoded(Image.fromarray(np.full((4, 5), value, np.uint8))), "m.png")
    assert mask.shape == (4, 5)
    assert (mask == inside).all()


@pytest.mark.parametrize("ink", [(0, 0, 0), (255, 255, 255)])
def test_a_mask_may_be_drawn_in_its_alpha_channel_alone(ink: tuple[int, int, int]) -> None:
    drawn = np.dstack([np.broadcast_to(np.array(ink, np.uint8), (*disc().shape, 3)), disc() * np.uint8(255)])
    np.testing.assert_array_equal(decode_mask(encoded(Image.fromarray(drawn)), "m.png"), disc())


@pytest.mark.parametrize("how", [MaskReading(), MaskReading(threshold=128)])
def test_of_a_lesion_that_is_cut_out_of_its_photo_the_opaque_pixels_are_inside(how: MaskReading) -> None:
    cut_out = np.dstack([skin_photo(1, *disc().shape), disc() * np.uint8(255)])
    np.testing.assert_array_equal(decode_mask(encoded(Image.fromarray(cut_out)), "m.png", how), disc())


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 50}), ("PNG", {})])
def test_a_threshold_reads_masks_with_soft_edges(kind: str, options: dict[str, object]) -> None:
    mask = disc(96, 128, 40, 48, 18)
    image = Image.fromarray(mask * np.uint8(255))
    soft = image if kind == "JPEG" else image.resize((256, 192)).resize((128, 96), Image.Resampling.BICUBIC)
    data = encoded(soft, kind, **options)
    with pytest.raises(UnfitFileError, match=r"more than two values: .* or give --mask-threshold"):
        decode_mask(data, "m")
    assert (decode_mask(data, "m", MaskReading(threshold=128)) != mask).mean() < 0.005
    assert (decode_mask(data, "m", MaskReading(threshold=128, invert=True)) == mask).mean() < 0.005
    few = encoded(Image.fromarray(disc() * np.uint8(1)))  # of two values the brighter is inside, whatever the threshold
    np.testing.assert_array_equal(decode_mask(few, "m", MaskReading(threshold=128)), disc())


@pytest.mark.parametrize("image", [Image.fromarray(GREY), Image.fromarray(GREY_AS_RGB), Image.fromarray(GREY * 257.0)])
def test_a_mask_with_more_than_two_values_is_named(image: Image.Image) -> None:
    with pytest.raises(ImageSetError, match=r"m\.tiff has more than two values: save masks as PNG"):
        decode_mask(encoded(image, "TIFF"), "m.tiff")


# ------------------------------------------------------------------------------------------------ geometry


def area_mean(photo: NDArray[np.uint8], y: int, x: int, height: int, width: int) -> NDArray[np.float64]:
    """The mean over the area of one pixel of a (height, width) picture, by weights of the pixels it overlaps."""

    def overlap(index: int, parts: int, length: int) -> NDArray[np.float64]:
        starts = np.arange(length)
        low, high = index * length / parts, (index + 1) * length / parts
        return np.clip(np.minimum(starts + 1, high) - np.maximum(starts, low), 0, None)

    weights = np.outer(overlap(y, height, photo.shape[0]), overlap(x, width, photo.shape[1]))
    return (photo * weights[..., None]).sum((0, 1)) / weights.sum()


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 9), st.integers(0, 9), st.integers(0, 2**32 - 1))
def test_each_small_pixel_is_the_mean_of_the_area_it_covers(h: int, w: int, dh: int, dw: int, seed: int) -> None:
    photo = np.random.default_rng(seed).integers(0, 256, (h + dh, w + dw, 3), dtype=np.uint8)
    small = shrink_photo(photo, w, h, "a.png")
    expected = [[area_mean(photo, y, x, h, w) for x in range(w)] for y in range(h)]
    assert small.shape == (h, w, 3)
    assert np.abs(small - np.array(expected)).max() <= 0.5 + 1e-6


def test_a_photo_is_never_enlarged() -> None:
    with pytest.raises(ImageSetError, match=r"a\.jpg gives 48x64 pixels, fewer than 48x128 \(height x width\): choose"):
        shrink_photo(skin_photo(0), 128, 48, "a.jpg")


@pytest.mark.parametrize(
    ("shape", "cut"), [((48, 64), (48, 64)), ((48, 100), (48, 64)), ((100, 64), (48, 64)), ((2304, 3456), (2304, 3072))]
)
def test_the_centre_is_cropped_to_four_by_three(shape: tuple[int, int], cut: tuple[int, int]) -> None:
    photo = np.zeros((*shape, 3), np.uint8)
    photo[shape[0] // 2, shape[1] // 2] = 1
    part = crop_to_ratio(photo, 4, 3)
    assert part.shape[:2] == cut
    assert part[cut[0] // 2, cut[1] // 2].tolist() == [1, 1, 1]
