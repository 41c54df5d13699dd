"""Random fields and strokes for all phantoms. Arrays are (H, W) float32; positions are in px unless stated."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.spatial import cKDTree

Field = NDArray[np.floating[Any]]  # float32 wherever there are many pixels
Line = tuple[NDArray[np.float64], float, float]  # points (K, 2) as x, y; width; strength 0-1


def enlarge(field: Field, shape: tuple[int, int]) -> Field:
    """Resample a field to another shape, bicubic; slowly varying fields are computed small and enlarged with it."""
    if field.shape == shape:
        return field
    image = Image.fromarray(np.asarray(field, np.float32))
    return np.array(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC), np.float32)


def cloud(rng: np.random.Generator, shape: tuple[int, int], size: float, octaves: int = 1) -> Field:
    """Smooth noise, mean 0 and SD about 1, whose blobs are `size` px; each octave halves the size and the weight.

    Several octaves give the 1/f² power spectrum that photos of skin have.
    """
    total, weight, power = np.zeros(shape, np.float32), 1.0, 0.0
    for _ in range(octaves):
        if size < 1.5:
            total += weight * rng.standard_normal(shape, np.float32)
        else:
            # Blobs as wide as one cell show the grid as a plaid; blurred cells of half the size do not.
            cell = size / 2 if size >= 6 else size
            grid = rng.standard_normal((int(shape[0] / cell) + 7, int(shape[1] / cell) + 7), np.float32)
            grid = gaussian_filter(grid, 1.0, mode="wrap") * 3.6 if size >= 6 else grid * 1.35  # SD 1 after bicubic
            left, top = rng.uniform(2, 3, 2)
            box = (left, top, left + shape[1] / cell, top + shape[0] / cell)
            image = Image.fromarray(grid.astype(np.float32))
            total += weight * np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC, box=box))
        power += weight**2
        size, weight = size / 2, weight / 2
    return total / np.float32(np.sqrt(power))


def furrows(rng: np.random.Generator, px_per_mm: float, size: int, spacing: float, stretch: float = 1.35) -> Field:
    """A seamless square tile of skin relief, `size` px wide: the depth (0-1) of the furrows.

    Primary furrows cross and enclose polygons `spacing` mm across, longer in x than in y by `stretch`; a finer net of
    secondary furrows lies within them.
    """
    tile = np.zeros((size, size), np.float32)
    x, y = np.meshgrid(np.arange(size, dtype=np.float32), np.arange(size, dtype=np.float32))
    width = size / px_per_mm
    for pitch, depth, sharpness in ((spacing, 1.0, 0.22), (spacing * 0.45, 0.45, 0.30)):
        columns, rows = max(3, round(width / (pitch * stretch))), max(3, round(width / pitch))
        i, j = np.meshgrid(np.arange(columns), np.arange(rows))
        centres = np.stack([i + 0.5 * (j % 2), j], -1).reshape(-1, 2) + rng.uniform(-0.42, 0.42, (columns * rows, 2))
        centres = np.mod(centres, (columns, rows))
        points = np.stack([x * (columns / size), y * (rows / size)], -1).reshape(-1, 2)
        near = cKDTree(centres, boxsize=(columns, rows)).query(np.mod(points, (columns, rows)), k=2)[0]
        border = (near[:, 1] - near[:, 0]).reshape(size, size).astype(np.float32)
        tile += np.float32(depth) * np.exp(-((border / sharpness) ** 2))
    return np.clip(tile, 0, 1.2)


def sample_tile(tile: Field, x: Field, y: Field) -> Field:
    """The values of the seamlessly repeated tile at px positions x, y of any shape."""
    return map_coordinates(tile, (y, x), order=1, mode="grid-wrap", output=np.float32)


def strokes(shape: tuple[int, int], lines: Iterable[Line], blur: float = 0.0) -> Field:
    """Anti-aliased lines, 0-1, stronger ones on top; points and widths in px."""
    fine = 2
    image = Image.new("L", (shape[1] * fine, shape[0] * fine))
    draw = ImageDraw.Draw(image)
    for points, width, strength in sorted(lines, key=lambda line: line[2]):
        fill = round(255 * min(1.0, strength * min(1.0, width * fine)))
        draw.line(
            [tuple(p) for p in (points * fine).tolist()], fill=fill, width=max(1, round(width * fine)), joint="curve"
        )
    field = np.asarray(image.reduce(fine), np.float32) / np.float32(255)
    return gaussian_filter(field, blur) if blur else field


def smooth_line(points: Sequence[Sequence[float]] | NDArray[np.float64], count: int = 24) -> NDArray[np.float64]:
    """A smooth line through a few points, (count, 2)."""
    from scipy.interpolate import PchipInterpolator

    knots = np.asarray(points, float)
    t = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(knots, axis=0).T))])
    return np.asarray(PchipInterpolator(t, knots)(np.linspace(0, t[-1], count)))


def dots(
    shape: tuple[int, int], centres: NDArray[np.float64], radii: NDArray[np.float64], heights: NDArray[np.float64]
) -> Field:
    """Round bumps (Gaussian, SD half the radius) at x, y px; where two overlap, the higher one counts."""
    field = np.zeros(shape, np.float32)
    for (x, y), radius, height in zip(centres, radii, heights, strict=True):
        reach = int(np.ceil(radius * 1.6)) + 1
        top, left = max(0, int(y) - reach), max(0, int(x) - reach)
        rows = np.arange(top, min(shape[0], int(y) + reach + 1), dtype=np.float32)[:, None]
        columns = np.arange(left, min(shape[1], int(x) + reach + 1), dtype=np.float32)[None]
        if rows.size and columns.size:
            bump = height * np.exp(-2 * ((rows - y) ** 2 + (columns - x) ** 2) / radius**2)
            part = field[top : top + rows.size, left : left + columns.size]
            np.maximum(part, bump, out=part)
    return field


def smoothstep(low: float, high: float, x: Field) -> Field:
    t = np.clip((x - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def bounding_box(where: NDArray[np.generic]) -> tuple[slice, slice]:
    """The smallest rectangle that contains all points that are set; one point if none is."""
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    if not len(rows):
        return slice(0, 1), slice(0, 1)
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
