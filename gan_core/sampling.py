"""Images from a trained generator: seeds, truncation drawn exactly, any count in bounded memory, interpolation.

A `generator.safetensors` is all it takes; a run's folder stands for the one in it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_core.experiments import TrainingError
from gan_core.networks import Generator, with_statistics
from gan_core.training.checkpoint import BEST, load_generators
from gan_core.training.data import to_pixels

Statistics = Literal["matched", "full"]  # batch norm's: of the truncated latents, or of the full normal distribution
STATISTICS_BATCHES, STATISTICS_SIZE = 8, 64  # latents from which batch statistics are estimated for a truncation


def generator_file(run: Path) -> Path:
    """Of a run's folder, or a .safetensors file itself. Raises TrainingError where there is no generator yet."""
    path = run if run.suffix == ".safetensors" else run / BEST
    if path != run and not path.is_file():
        raise TrainingError(f"There is no generator in {run} yet: go on with `gan_core train {run.name} --resume`.")
    return path


def load_generator(run: Path, domain: str | None = None) -> tuple[nn.Module, dict[str, Any]]:
    """The generator (`eval` mode) in a run's folder or a .safetensors file, and its metadata.

    `domain`: which of the two of a cyclic run, by what it makes. Raises TrainingError for a file not of ours, and where
    the generator is used, if what it makes is not finite: as uint8 that would pass for an image.
    """
    generators, metadata = load_generators(generator_file(run))
    domain = domain or next(iter(generators))
    if domain not in generators:
        raise TrainingError(f"The run '{metadata['name']}' makes {' and '.join(generators)}, not '{domain}'.")

    def refuse_broken(_: nn.Module, __: tuple[Any, ...], made: Tensor) -> None:
        if not torch.isfinite(made).all():
            raise TrainingError(
                f"The generator of the run '{metadata['name']}' makes values that are not finite: it diverged while it "
                f"was trained. Train it again with --overwrite and a lower learning rate, --set lr=..."
            )

    generators[domain].register_forward_hook(refuse_broken)
    return generators[domain], metadata


def latents(count: int, z_dim: int, rng: torch.Generator, truncation: float | None = None) -> Tensor:
    """(count, z_dim) float32 from the standard normal, each component conditioned on |z| < truncation.

    By the inverse of the distribution function: the law of 'resample until it is below' without the hundreds of
    rounds that would take at 0.01. The first latents of a longer draw are those of a shorter one.
    """
    uniform = torch.rand(count, z_dim, generator=rng, dtype=torch.float64)
    if truncation is None:
        return torch.special.ndtri(uniform.clamp(1e-16, 1 - 1e-16)).float()
    if not truncation > 0:
        raise TrainingError(f"--truncation must be above 0, not {truncation}: for example 0.5.")
    span = math.erf(truncation / math.sqrt(2))  # of erf on (-t, t)
    z = math.sqrt(2) * torch.special.erfinv((2 * uniform - 1) * span)
    return z.clamp(-truncation, truncation).float()


def prepared(
    generator: nn.Module, truncation: float | None, device: str = "cpu", statistics: Statistics = "matched"
) -> nn.Module:
    """The generator with the batch statistics that its latents have: re-estimated where they are truncated.

    The first batch norm follows the dense layer, which has no bias; with matched statistics it stretches short latents
    to the length that all have, and truncation changes hardly more than the latents' direction. With `full` statistics,
    those of the latents it was trained with, short latents give images near the mean one: the trade of diversity for
    quality that the paper's Table 3 describes.
    """
    generator = generator.to(device)
    if truncation is None or statistics == "full":
        return generator
    rng = torch.Generator().manual_seed(0)
    z_dim = _latent_size(generator)
    batches = (latents(STATISTICS_SIZE, z_dim, rng, truncation).to(device) for _ in range(STATISTICS_BATCHES))
    return with_statistics(generator, batches)


def generate(
    run: Path, count: int, seed: int = 0, truncation: float | None = None, device: str = "cpu", batch: int = 64,
    statistics: Statistics = "matched",
) -> Iterator[NDArray[np.uint8]]:  # fmt: skip
    """`count` images by seed, as batches (b, H, W, 3) uint8. Raises TrainingError for a run that translates."""
    generator, metadata = load_generator(run)
    if not isinstance(generator, Generator):
        raise TrainingError(f"The run '{metadata['name']}' translates images: use `gan_core translate` for it.")
    return _generate(prepared(generator, truncation, device, statistics), count, seed, truncation, device, batch)


@torch.no_grad()
def interpolate(
    run: Path, rows: int, steps: int, seed: int = 0, truncation: float | None = None, device: str = "cpu",
    statistics: Statistics = "matched",
) -> NDArray[np.uint8]:  # fmt: skip
    """(rows, steps, H, W, 3) uint8: along each row from one latent to the next row's, the last back to the first.

    On the great circle between them, so that every latent on the way is as long as latents are (Shoemake 1985).
    """
    generator, metadata = load_generator(run)
    if not isinstance(generator, Generator):
        raise TrainingError(f"The run '{metadata['name']}' translates images and has no latents to walk between.")
    generator = prepared(generator, truncation, device, statistics)
    ends = latents(rows, _latent_size(generator), torch.Generator().manual_seed(seed), truncation)
    way = torch.arange(steps, dtype=torch.float32)[:, None] / steps
    pictures = [to_pixels(generator(_arc(a, b, way).to(device))) for a, b in zip(ends, ends.roll(-1, 0), strict=True)]
    return np.stack(pictures)


def _arc(a: Tensor, b: Tensor, way: Tensor) -> Tensor:
    """Points (steps, z) at `way` (steps, 1) in [0, 1) between two latents."""
    cosine = torch.dot(a, b) / (a.norm() * b.norm())
    angle = torch.acos(cosine.clamp(-1, 1)).clamp(min=1e-4)
    return (torch.sin((1 - way) * angle) * a + torch.sin(way * angle) * b) / torch.sin(angle)


@torch.no_grad()
def _generate(
    generator: nn.Module, count: int, seed: int, truncation: float | None, device: str, batch: int
) -> Iterator[NDArray[np.uint8]]:
    rng = torch.Generator().manual_seed(seed)
    for begin in range(0, count, batch):
        z = latents(min(batch, count - begin), _latent_size(generator), rng, truncation)
        yield to_pixels(generator(z.to(device)))


def _latent_size(generator: nn.Module) -> int:
    assert isinstance(generator, Generator)
    return generator.z_dim
