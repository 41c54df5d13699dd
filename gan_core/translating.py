"""Translation with a trained translator: patches, or photos of any size by tiles, and how close they come to the truth.

A photo larger than the patch is covered by overlapping patches, each translated by itself, and blended with weights
that fall to the patch's edge, so that no seam shows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from gan_core.experiments import TrainingError
from gan_core.networks import Translator
from gan_core.sampling import load_generator
from gan_core.training.data import to_pixels, to_signed
from glimpse.imageset import ImageSet

Pixels = NDArray[np.uint8]
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
    """From a run's folder or a .safetensors file; `domain`: what it makes, for a cyclic run.

    Raises TrainingError for a run that does not translate.
    """
    network, metadata = load_generator(run, domain)
    if not isinstance(network, Translator):
        raise TrainingError(f"The run '{metadata['name']}' makes images from nothing: use `gan_core sample` for it.")
    return LoadedTranslator(network.to(device), metadata, network.channels == 4, device)


def random_masks(donors: ImageSet, count: int, rng: np.random.Generator) -> Pixels:
    """(count, H, W) masks of a set's test images (training images where there are none), drawn with repetition.

    Raises TrainingError for a set without masks.
    """
    if donors.masks is None:
        raise TrainingError(f"The image set '{donors.name}' has no masks to lend: name another with --mask-from.")
    rows = donors.where("test")
    rows = rows if len(rows) else donors.where("train")
    return np.stack([donors.masks[row] for row in rng.choice(rows, count)])


@torch.no_grad()
def translate(translator: LoadedTranslator, image: Pixels, mask: Pixels | None = None) -> Pixels:
    """(H, W, 3) uint8 of any size, with its mask (H, W) in {0, 1} where one is needed, to the same size, clamped."""
    if translator.needs_mask and (mask is None or mask.shape != image.shape[:2]):
        raise TrainingError(
            f"The run '{translator.metadata['name']}' needs a mask of the image's size, "
            f"{image.shape[0]} x {image.shape[1]}: give one with --masks or --mask-from."
        )
    channels = [image, mask[..., None] * np.uint8(255)] if translator.needs_mask and mask is not None else [image]
    stacked = np.concatenate(channels, 2)  # (H, W, 3 or 4), the mask as 0 or 255
    height, width = image.shape[:2]
    below, right = max(0, translator.height - height), max(0, translator.width - width)
    if below or right:  # smaller than the patch: mirrored at the edge, cut off again
        stacked = np.pad(stacked, ((0, below), (0, right), (0, 0)), "symmetric")
    return _tiled(translator, stacked)[:height, :width]


def _tiled(translator: LoadedTranslator, stacked: Pixels) -> Pixels:
    h, w = translator.height, translator.width
    places = [(y, x) for y in _starts(stacked.shape[0], h) for x in _starts(stacked.shape[1], w)]
    if len(places) == 1:
        return to_pixels(_forward(translator, stacked[None]))[0]
    total = np.zeros((*stacked.shape[:2], 3), np.float32)
    weight = np.zeros((*stacked.shape[:2], 1), np.float32)
    window = (_hill(h)[:, None] * _hill(w)[None, :])[..., None]  # (h, w, 1)
    for begin in range(0, len(places), TILES_AT_ONCE):
        some = places[begin : begin + TILES_AT_ONCE]
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
    """Where tiles begin so that each point lies in two, the last flush with the end."""
    return [*range(0, length - tile, max(1, tile // 2)), length - tile]


def _hill(length: int) -> NDArray[np.float32]:
    """Weights that rise to the middle of a tile and fall again, never quite to zero."""
    return (np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2).astype(np.float32)


# ------------------------------------------------------------------------------------------ against the truth


@dataclass
class TruthScore:
    """PSNR and SSIM, inside and outside the mask, of images against the true skin; pooled over all pixels given."""

    sums: dict[str, float] = field(default_factory=dict)

    def add(self, image: Pixels, truth: Pixels, mask: Pixels) -> None:
        error = (image.astype(np.float64) - truth) ** 2
        similar = ssim_map(image, truth)
        for where, chosen in (("inside", mask > 0), ("outside", mask == 0)):
            for name, value in (
                ("pixels", chosen.sum()),
                ("error", error[chosen].sum() / 3),
                ("ssim", similar[chosen].sum()),
            ):
                self.sums[f"{name}_{where}"] = self.sums.get(f"{name}_{where}", 0.0) + float(value)

    def result(self) -> dict[str, float | None]:
        """`psnr_inside` and `psnr_outside` in dB, `ssim_inside`, `ssim_outside`; None where there is no such pixel, or
        no error at all."""
        found: dict[str, float | None] = {}
        for where in ("inside", "outside"):
            pixels, error = self.sums.get(f"pixels_{where}", 0.0), self.sums.get(f"error_{where}", 0.0)
            found[f"psnr_{where}"] = 10 * float(np.log10(255**2 * pixels / error)) if pixels and error else None
            found[f"ssim_{where}"] = self.sums[f"ssim_{where}"] / pixels if pixels else None
        return found


def ssim_map(one: Pixels, other: Pixels) -> NDArray[np.float64]:
    """(H, W) structural similarity (Wang et al. 2004, Gaussian window, sigma 1.5), mean of the colour channels."""
    a, b = one.astype(np.float64), other.astype(np.float64)

    def blur(values: NDArray[np.float64]) -> NDArray[np.float64]:
        blurred: NDArray[np.float64] = gaussian_filter(values, (1.5, 1.5, 0), truncate=3.5)
        return blurred

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, both = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    similar = ((2 * mean_a * mean_b + c1) * (2 * both + c2)) / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))
    return np.asarray(similar.mean(2))
