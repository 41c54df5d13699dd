"""Images as arrays: exact area shrinking, the JPEG round trip, contact sheets, tiles, samples spread over a set."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import gcd
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glimpse.files import GlimpseError

Item = TypeVar("Item")
Pixels = NDArray[np.uint8]  # (H, W, 3), or (H, W) for a mask, or a batch of either

TILES_AT_ONCE = 16
STRIP = 2**18  # source values, and row sums, held at once: they stay in the processor's cache


def size_in_words(height: int, width: int) -> str:
    """A size in pixels: height x width, as in `--size` and in arrays. The order is stated if the sides differ.

    >>> size_in_words(64, 64), size_in_words(48, 64)
    ('64x64', '48x64 (height x width)')
    """
    return f"{height}x{width}" + (" (height x width)" if height != width else "")


def read(file: Path | io.BytesIO) -> NDArray[np.uint8]:
    """The image (H, W, 3) in a file that Glimpse wrote; `glimpse.prepare.reading` decodes files of any other origin."""
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB"))


def shrink(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Shrink (H, W, 3) uint8 to (height, width, 3): each pixel is the exact mean of the area it covers.

    Computed in integers, halves rounded up; nothing aliases. Raises GlimpseError for a smaller image: images are never
    enlarged.

    >>> shrink(np.array([[[0], [100], [200]]], np.uint8), 1, 2)[0, :, 0]  # 2/3 of 0 and 1/3 of 100, and its mirror
    array([ 33, 167], dtype=uint8)
    """
    rows, columns = image.shape[:2]
    if (rows, columns) == (height, width):
        return image
    total = _area_sums(image, height, width)
    area = (rows // gcd(rows, height)) * (columns // gcd(columns, width))  # the sum of the weights of one pixel
    return ((2 * total + area) // (2 * area)).astype(np.uint8)


def shrink_mask(mask: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Shrink a mask (H, W) in {0, 1} to (height, width) in {0, 1}: 1 where at least half of a pixel's area is set.

    >>> shrink_mask(np.array([[1, 0, 0], [1, 0, 0]], np.uint8), 1, 2)  # 2/3 and 0 of each pixel's area are set
    array([[1, 0]], dtype=uint8)
    """
    return shrink(mask[..., None], height, width)[..., 0]


def resized_mask(mask: Pixels, height: int, width: int) -> Pixels:
    """A mask (H, W) in {0, 1} at the size of an image: shrunk by area, or enlarged to the nearest pixel.

    >>> resized_mask(np.array([[1, 0]], np.uint8), 1, 4)
    array([[1, 1, 0, 0]], dtype=uint8)
    """
    if mask.shape[0] >= height and mask.shape[1] >= width:
        return shrink_mask(mask, height, width)
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))


def as_picture(mask: Pixels) -> Pixels:
    """A mask (H, W) in {0, 1} in black and white, (H, W, 3).

    >>> as_picture(np.array([[0, 1]], np.uint8)).tolist()
    [[[0, 0, 0], [255, 255, 255]]]
    """
    return np.repeat(mask[..., None] * np.uint8(255), 3, 2)


def _area_sums(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.int64]:
    """Sums of the image weighted by integer overlaps, (height, width, C): over rows, then over columns."""
    rows, columns, channels = image.shape
    if rows < height or columns < width:
        raise GlimpseError(
            f"An image of {rows}x{columns} pixels cannot be shrunk to {size_in_words(height, width)}: choose a smaller "
            "size."
        )
    across, row = _overlaps(columns, width), columns * channels
    sums = np.empty((height, width, channels), np.int64)
    # Integers below 2**24, exact in float32, for photos of up to 65,792 rows.
    narrow = np.float32 if rows <= 65_792 else np.float64
    cells = max(1, STRIP // row)
    step = max(1, min(STRIP // row, 4 * -(-rows // height)))
    for top in range(0, height, cells):
        bottom = min(top + cells, height)
        reduced = np.zeros((bottom - top, row), narrow)  # over rows, before columns
        end = -(-bottom * rows // height)
        for first in range(top * rows // height, end, step):
            last = min(first + step, end)
            low, high = max(top, first * height // rows), min(bottom, -(-last * height // rows))
            weights = _overlap(np.arange(low, high)[:, None], np.arange(first, last), rows, height).astype(narrow)
            reduced[low - top : high - top] += weights @ image[first:last].reshape(last - first, row).astype(narrow)
        by_column = reduced.reshape(bottom - top, columns, channels).transpose(1, 0, 2).reshape(columns, -1)
        part = (across @ by_column).reshape(width, bottom - top, channels)
        sums[top:bottom] = part.swapaxes(0, 1)
    return sums


def _overlap(cells: NDArray[Any], pixels: NDArray[Any], length: int, count: int) -> NDArray[Any]:
    """The overlap of some of `count` cells with some of `length` source pixels, in integers; every cell has one sum."""
    common = gcd(length, count)
    pixel, cell = count // common, length // common  # the widths of a source pixel and of a cell in common units
    ends = np.minimum((cells + 1) * cell, (pixels + 1) * pixel)
    return np.maximum(ends - np.maximum(cells * cell, pixels * pixel), 0)


@lru_cache(64)  # photos of one set have few sizes
def _overlaps(length: int, count: int) -> Any:
    """`_overlap` of all `count` cells with all source pixels, (count, length) sparse."""
    from scipy import sparse

    cells = np.repeat(np.arange(count), [-(-(i + 1) * length // count) - i * length // count for i in range(count)])
    firsts = np.flatnonzero(np.r_[True, np.diff(cells) > 0])
    pixels = np.arange(len(cells)) - firsts[cells] + cells * length // count
    return sparse.csr_array(
        (_overlap(cells, pixels, length, count).astype(np.float64), (cells, pixels)), (count, length)
    )


def through_jpeg(pixels: NDArray[np.uint8], quality: int | None) -> NDArray[np.uint8]:
    """Compress (H, W, 3) as JPEG without chroma subsampling and decode it; `quality` None leaves it unchanged.

    >>> through_jpeg(np.full((8, 8, 3), 200, np.uint8), 90).shape
    (8, 8, 3)
    """
    if quality is None:
        return pixels
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "jpeg", quality=quality, subsampling=0)
    return read(buffer)


def sheet(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    *,
    gap: int = 2,
    margin: int = 0,
    background: Sequence[int] = (255, 255, 255),
    at_most: int | None = None,
) -> NDArray[np.uint8]:
    """Rows of images (H, W, 3) on one contact sheet: (height, width, 3), or 4 channels if `background` has four.

    Every cell has the size of the largest image; smaller ones are centred. Rows may differ in length (an array
    (n, H, W, 3) is a row too; `in_rows` breaks a list into rows). Images are `gap` pixels apart, with `margin` pixels
    around the sheet. Images whose longer side exceeds `at_most` are shrunk to it first. On a transparent `background`
    such as `(0, 0, 0, 0)` the images stay opaque.

    >>> black = np.zeros((1, 1, 3), np.uint8)
    >>> sheet([[black, black], [black]], gap=1)[..., 0]
    array([[  0, 255,   0],
           [255, 255, 255],
           [  0, 255, 255]], dtype=uint8)
    """
    if at_most is not None:
        rows = [[thumbnail(image, at_most, at_most) for image in row] for row in rows]
    height = max(image.shape[0] for row in rows for image in row)
    width = max(image.shape[1] for row in rows for image in row)
    columns = max(len(row) for row in rows)
    size = (len(rows) * (height + gap) - gap + 2 * margin, columns * (width + gap) - gap + 2 * margin)
    canvas = np.full((*size, len(background)), background, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            y = margin + i * (height + gap) + (height - image.shape[0]) // 2
            x = margin + j * (width + gap) + (width - image.shape[1]) // 2
            cell = canvas[y : y + image.shape[0], x : x + image.shape[1]]
            cell[..., :3] = image
            cell[..., 3:] = 255
    return canvas


def in_rows(items: Sequence[Item], columns: int) -> list[Sequence[Item]]:
    """Break a list into rows of `columns` items; the last row may be shorter.

    >>> in_rows([1, 2, 3], 2)
    [[1, 2], [3]]
    """
    return [items[i : i + columns] for i in range(0, len(items), columns)]


def thumbnail(image: NDArray[np.uint8], widest: int, tallest: int) -> NDArray[np.uint8]:
    """The image, shrunk in proportion to at most `widest` by `tallest` pixels.

    >>> thumbnail(np.zeros((30, 60, 3), np.uint8), widest=40, tallest=10).shape
    (10, 20, 3)
    """
    height, width = image.shape[:2]
    scale = min(1.0, widest / width, tallest / height)
    return shrink(image, max(1, round(height * scale)), max(1, round(width * scale)))


def by_tiles(
    image: Pixels, height: int, width: int, change: Callable[[Pixels], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """An image (H, W, C) of any size, changed tile by tile: `change` takes (b, height, width, C) to (b, ..., 3).

    Tiles overlap by half and are blended with weights that fall towards their edges, so that no seam shows. An image
    smaller than a tile is mirrored at its edge and cropped afterwards. Returns (H, W, 3).

    >>> blended = by_tiles(np.full((5, 9, 3), 7, np.uint8), 4, 4, lambda tiles: tiles.astype(np.float32))
    >>> blended.shape, round(float(blended.max()), 4)
    ((5, 9, 3), 7.0)
    """
    whole, (below, right) = image.shape[:2], (max(0, height - image.shape[0]), max(0, width - image.shape[1]))
    image = np.pad(image, ((0, below), (0, right), (0, 0)), "symmetric")
    corners = [(y, x) for y in _starts(image.shape[0], height) for x in _starts(image.shape[1], width)]
    if len(corners) == 1:
        return change(image[None])[0][: whole[0], : whole[1]]
    window = (_hill(height)[:, None] * _hill(width)[None, :])[..., None]  # (height, width, 1)
    total, weight = np.zeros((*image.shape[:2], 3), np.float32), np.zeros((*image.shape[:2], 1), np.float32)
    for begin in range(0, len(corners), TILES_AT_ONCE):
        some = corners[begin : begin + TILES_AT_ONCE]
        changed = change(np.stack([image[y : y + height, x : x + width] for y, x in some]))
        for (y, x), tile in zip(some, changed, strict=True):
            total[y : y + height, x : x + width] += window * tile
            weight[y : y + height, x : x + width] += window
    return np.divide(total, weight, dtype=np.float32)[: whole[0], : whole[1]]


def _starts(length: int, tile: int) -> list[int]:
    """First positions of tiles that overlap by half, the last one flush with the end."""
    return [*range(0, length - tile, max(1, tile // 2)), length - tile]


def _hill(length: int) -> NDArray[np.float32]:
    """Weights that are largest in the middle of a tile and positive at its edges."""
    return (np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2).astype(np.float32)


def evenly(images: Any, count: int) -> NDArray[Any]:
    """At most `count` of the images, evenly spaced through the set.

    >>> evenly(np.arange(9), 3)
    array([0, 4, 8])
    """
    return np.asarray(images[np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).astype(int))])


def one_of_each(groups: NDArray[Any], rng: np.random.Generator) -> NDArray[np.intp]:
    """All positions in a random order in which the first image of each group precedes any group's second, and so on.

    >>> groups = np.array(["a", "a", "a", "b"])
    >>> sorted(groups[one_of_each(groups, np.random.default_rng(0))[:2]].tolist())
    ['a', 'b']
    """
    order = rng.permutation(len(groups))
    _, codes = np.unique(groups[order], return_inverse=True)
    by_group = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    turn = np.empty(len(groups), np.intp)
    turn[by_group] = np.arange(len(groups)) - np.repeat(np.cumsum(counts) - counts, counts)
    return order[np.argsort(turn, kind="stable")]
