"""Translation with a trained translator: images of any size by tiles, and rows of an image set with their masks.

A photo larger than the patch is covered by overlapping patches. Each is translated alone; they are blended with weights
that fall towards the edge of a patch, so that no seam shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from gan_core.experiments import TrainingError
from gan_core.networks import Translator
from gan_core.sampling import load_generator
from gan_core.training.data import size_at, to_pixels, to_signed
from glimpse.images import Pixels, shrink, shrink_mask
from glimpse.imageset import ImageSet

TILES_AT_ONCE = 16


@dataclass(frozen=True)
class LoadedTranslator:
    """A translator with the size it was trained at."""

    network: nn.Module
    metadata: dict[str, Any]
    needs_mask: bool
    device: str

    @property
    def height(self) -> int:
        return int(self.metadata["height"])

    @property
    def width(self) -> int:
        return int(self.metadata["width"])


def load_translator(run: Path, domain: str | None = None, device: str = "cpu") -> LoadedTranslator:
    """The translator of a run's folder or a .safetensors file; `domain` selects one of a cyclic run by what it makes.

    Raises TrainingError for a run that does not translate.
    """
    network, metadata = load_generator(run, domain)
    if not isinstance(network, Translator):
        raise TrainingError(f"The run '{metadata['name']}' is unconditional, so it cannot translate images.")
    return LoadedTranslator(network.to(device), metadata, network.channels == 4, device)


def random_masks(lender: ImageSet, count: int, rng: np.random.Generator) -> Pixels:
    """(count, H, W) masks of a set's test images (or training images, without any), drawn with replacement.

    Raises TrainingError for a set without masks.
    """
    if lender.masks is None:
        raise TrainingError(f"The image set '{lender.name}' has no masks to lend: name another with --mask-from.")
    rows = lender.where("test")
    rows = rows if len(rows) else lender.where("train")
    return np.stack([lender.masks[row] for row in rng.choice(rows, count)])


@torch.no_grad()
def translate(translator: LoadedTranslator, image: Pixels, mask: Pixels | None = None) -> Pixels:
    """(H, W, 3) uint8 of any size to the same size, clamped; `mask` (H, W) in {0, 1} if the translator needs one."""
    if translator.needs_mask and (mask is None or mask.shape != image.shape[:2]):
        raise TrainingError(
            f"The run '{translator.metadata['name']}' needs a mask of the image's size, "
            f"{image.shape[0]} x {image.shape[1]}: give one with --masks or --mask-from."
        )
    channels = [image, mask[..., None] * np.uint8(255)] if translator.needs_mask and mask is not None else [image]
    stacked = np.concatenate(channels, 2)  # (H, W, 3 or 4), the mask as 0 or 255
    height, width = image.shape[:2]
    below, right = max(0, translator.height - height), max(0, translator.width - width)
    if below or right:  # smaller than the patch: mirrored at the edge, cropped afterwards
        stacked = np.pad(stacked, ((0, below), (0, right), (0, 0)), "symmetric")
    return _tiled(translator, stacked)[:height, :width]


def _tiled(translator: LoadedTranslator, stacked: Pixels) -> Pixels:
    h, w = translator.height, translator.width
    corners = [(y, x) for y in _starts(stacked.shape[0], h) for x in _starts(stacked.shape[1], w)]
    if len(corners) == 1:
        return to_pixels(_forward(translator, stacked[None]))[0]
    total = np.zeros((*stacked.shape[:2], 3), np.float32)
    weight = np.zeros((*stacked.shape[:2], 1), np.float32)
    window = (_hill(h)[:, None] * _hill(w)[None, :])[..., None]  # (h, w, 1)
    for begin in range(0, len(corners), TILES_AT_ONCE):
        some = corners[begin : begin + TILES_AT_ONCE]
        after = _forward(translator, np.stack([stacked[y : y + h, x : x + w] for y, x in some]))
        for (y, x), tile in zip(some, after.permute(0, 2, 3, 1).cpu().numpy(), strict=True):
            total[y : y + h, x : x + w] += window * tile
            weight[y : y + h, x : x + w] += window
    return to_pixels(torch.from_numpy(total / weight).permute(2, 0, 1)[None])[0]


def _forward(translator: LoadedTranslator, tiles: Pixels) -> Tensor:
    """(b, h, w, 3 or 4) uint8 to (b, 3, h, w) in [-1, 1]."""
    x = torch.from_numpy(np.ascontiguousarray(tiles)).to(translator.device)
    given = to_signed(x[..., :3])
    if translator.needs_mask:
        given = torch.cat([given, (x[..., 3] > 0)[:, None].float()], 1)
    after: Tensor = translator.network(given)
    return after


def _starts(length: int, tile: int) -> list[int]:
    """First positions of tiles that overlap by half, the last one flush with the end."""
    return [*range(0, length - tile, max(1, tile // 2)), length - tile]


def _hill(length: int) -> NDArray[np.float32]:
    """Weights that are largest in the middle of a tile and positive at its edges."""
    return (np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2).astype(np.float32)


# ------------------------------------------------------------------------------------------ image sets


def translate_rows(
    translator: LoadedTranslator, images: ImageSet, rows: NDArray[np.intp], lender: ImageSet | None,
    rng: np.random.Generator,
) -> Iterator[tuple[Pixels, Pixels | None, Pixels]]:  # fmt: skip
    """Each of these images before translation, its mask if the translator needs one, and the image after translation.

    Images are shrunk to the height of the run's training; smaller ones keep their size. A `lender` lends masks at
    random; without one each image has its own mask. Raises TrainingError if there are no masks.
    """
    height, width = size_at(images, min(translator.height, images.height))
    lent = random_masks(lender, len(rows), rng) if translator.needs_mask and lender is not None else None
    if translator.needs_mask and lender is None and images.masks is None:
        raise TrainingError(f"The image set '{images.name}' has no masks: borrow some with --mask-from SET.")

    def triple(i: int, row: int) -> tuple[Pixels, Pixels | None, Pixels]:
        mask = None
        if lent is not None:
            mask = resized_mask(lent[i], height, width)
        elif translator.needs_mask and images.masks is not None:
            mask = shrink_mask(images.masks[row], height, width)
        before = shrink(images.images[row], height, width)
        return before, mask, translate(translator, before, mask)

    return (triple(i, row) for i, row in enumerate(rows))  # lazy, after the errors above


def resized_mask(mask: Pixels, height: int, width: int) -> Pixels:
    """A lent mask (H, W) at the size of an image: shrunk by area, or enlarged to the nearest pixel."""
    if mask.shape[0] >= height and mask.shape[1] >= width:
        return shrink_mask(mask, height, width)
    return np.asarray(Image.fromarray(mask).resize((width, height), Image.Resampling.NEAREST))
