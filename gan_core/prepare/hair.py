"""How much hair lies across a dermoscopic photo: dark, thin, long lines, found as DullRazor finds them.

Lee, Ng, Gallagher, Coldman, McLean 1997: the grey-level closing by line segments fills in what is dark and thinner
than the segment across its own direction; what it filled is hair. The net of a mole's pigment is thin and dark too,
but its meshes are short, so only connected pieces of some length count.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

SIDE = 192  # pixels of the longer side while measuring; a hair is then about 1 to 3 of them wide
LINE = 9  # pixels of the closing segments: wider than a hair, shorter than a lesion
DEPTH = 14  # grey levels that a hair is darker than the skin beside it
LENGTH = 28  # pixels that a piece must extend to be hair: longer than the meshes of a pigment net


def hairiness(photo: NDArray[np.uint8]) -> float:
    """The share of an RGB photo (H, W, 3) uint8 that hair covers, 0 to 1."""
    image = Image.fromarray(photo).convert("L")
    scale = SIDE / max(image.size)
    if scale < 1:
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BOX)
    grey = np.asarray(image, np.int16)
    closed = np.max([ndimage.grey_closing(grey, footprint=line) for line in _lines()], axis=0)
    pieces, _ = ndimage.label(closed - grey > DEPTH, structure=np.ones((3, 3)))
    area = 0
    for number, box in enumerate(ndimage.find_objects(pieces), start=1):
        height, width = (edge.stop - edge.start for edge in box)
        pixels = int((pieces[box] == number).sum())
        if np.hypot(height, width) >= LENGTH and pixels < 0.35 * height * width + 3 * LENGTH:
            area += pixels
    return area / grey.size


def _lines() -> list[NDArray[np.bool_]]:
    """Segments of LINE pixels in four directions."""
    row = np.zeros((LINE, LINE), bool)
    row[LINE // 2] = True
    diagonal = np.eye(LINE, dtype=bool)
    return [row, row.T, diagonal, diagonal[::-1]]
