"""Reading a large photo takes little memory beside its pixels."""

from __future__ import annotations

import io
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile
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


PEAK = """
import sys
from pathlib import Path
from glimpse.prepare.reading.pixels import Reading, read_photo

def peak():  # of this process, Pillow's memory included, kB
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])

data, small = (Path(name).read_bytes() for name in sys.argv[1:3])
read_photo(small, "small")  # loads what it needs
before = peak()
height, width, _ = read_photo(data, "large", Reading(window="auto" if sys.argv[3] == "auto" else None)).pixels.shape
print(1024 * (peak() - before) / (height * width))
"""


def _encoded(kind: str, side: int) -> bytes:
    pixels = np.kron(np.random.default_rng(0).integers(0, 255, (side // 50, side // 50, 3)), np.ones((50, 50, 1)))
    image, buffer = Image.fromarray(pixels.astype(np.uint8)), io.BytesIO()
    if kind == "16 bits in colour":
        tifffile.imwrite(buffer, (pixels * 200).astype(np.uint16), photometric="rgb")
    elif kind == "16 bits":
        Image.fromarray((pixels[..., 0] * 200).astype(np.uint16)).save(buffer, "PNG", compress_level=1)
    elif kind == "CMYK":
        image.convert("CMYK").save(buffer, "TIFF")
    else:
        image.convert(kind).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measured by Linux")
@pytest.mark.parametrize(
    ("kind", "bytes_per_pixel"), [("L", 6), ("RGBA", 11), ("CMYK", 10), ("16 bits", 10), ("16 bits in colour", 30)]
)
def test_no_kind_of_large_photo_takes_many_times_its_pixels(tmp_path: Path, kind: str, bytes_per_pixel: float) -> None:
    files = tmp_path / "large", tmp_path / "small"
    for file, side in zip(files, (3000, 100), strict=True):
        file.write_bytes(_encoded(kind, side))
    command = [sys.executable, "-c", PEAK, *map(str, files), "auto" if kind.startswith("16") else "none"]
    found = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert found < bytes_per_pixel
