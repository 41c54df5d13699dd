"""Reading a large photo takes little memory beside its pixels."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
from PIL import Image

from glimpse.prepare.reading.pixels import read_photo


def test_a_png_is_read_with_one_copy_of_its_pixels_beside_pillows() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (4000, 1001, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    data = buffer.getvalue()
    read_photo(data, "photo.png")  # loads what Pillow needs
    tracemalloc.start()
    found = read_photo(data, "photo.png").pixels
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(found, pixels)
    assert peak < 1.5 * pixels.nbytes, "the array, and strips"
