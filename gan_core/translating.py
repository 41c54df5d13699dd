"""Translation of images with a trained translator: one patch, an image set, or photos of any size by tiles.

A photo larger than the patch is covered by overlapping patches, each translated by itself, and blended with weights
that fall to the patch's edge, so that no seam shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_core.experiments import TrainingError
from gan_core.imageset import ImageSet
from gan_core.networks import Translator
from gan_core.sampling import load_generator
from gan_core.training.data import to_pixels, to_signed


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
    """From a run's folder or a .safetensors file; `domain`: what it makes, for a cyclic run.

    Raises TrainingError for a run that does not translate.
    """
    network, metadata = load_generator(run, domain)
    if not isinstance(network, Translator):
        raise TrainingError(f"The run '{metadata['name']}' makes images from nothing: use `gan_core sample` for it.")
    needs_mask = network.channels == 4
    return LoadedTranslator(network.to(device), metadata, needs_mask, device)


def random_masks(donors: ImageSet, count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """(count, H, W) masks of a set's test images (training images where there are none), drawn with repetition.

    Raises TrainingError for a set without masks.
    """
    if donors.masks is None:
        raise TrainingError(f"The image set '{donors.name}' has no masks to lend: name another with --mask-from.")
    rows = donors.where("test")
    rows = rows if len(rows) else donors.where("train")
    return np.stack([donors.masks[row] for row in rng.choice(rows, count)])


@torch.no_grad()
def translate(
    translator: LoadedTranslator, image: NDArray[np.uint8], mask: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8, with its mask (H, W) in {0, 1} where the translator needs one, to the same size, clamped."""
    x = to_signed(torch.from_numpy(np.array(image)[None]).to(translator.device))
    if translator.needs_mask:
        assert mask is not None
        x = torch.cat([x, torch.from_numpy(np.array(mask)[None, None]).to(translator.device).float()], 1)
    return to_pixels(_tiled(translator, x))[0]


def _tiled(translator: LoadedTranslator, x: Tensor) -> Tensor:
    height, width = x.shape[2:]
    if (height, width) == (translator.height, translator.width):
        result: Tensor = translator.network(x)
        return result
    raise TrainingError(
        f"The image is {height} x {width}, the translator works at {translator.height} x {translator.width}."
    )
