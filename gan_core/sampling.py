"""Images from a trained generator: seeds, exact truncation, any count in bounded memory, latent interpolation."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from gan_core.experiments import Draw, TrainingError
from gan_core.networks import Generator, with_statistics
from gan_core.training.checkpoint import BEST, load_generators
from gan_core.training.data import to_pixels
from gan_core.training.run import Run
from glimpse.command_line import pasteable
from glimpse.files import atomic_file, atomic_folder, sha256_file
from glimpse.images import in_rows, sheet
from glimpse.imageset import ImageSet, ImageSetWriter
from glimpse.progress import progress
from glimpse.workspace import Workspace

STATISTICS_BATCHES, STATISTICS_SIZE = 4, 64  # latents from which batch statistics are estimated for a truncation
PREVIEW_ROWS, PREVIEW_COLUMNS = 8, 8
FIRST = Draw()
BATCH = 64  # images generated at once


def generator_file(run: Path) -> Path:
    """The generator of a run's folder, or the .safetensors file given. Raises TrainingError if a run has none yet."""
    path = run if run.suffix == ".safetensors" else run / BEST
    if path != run and not path.is_file():
        resume = pasteable(Workspace.around(run), "gan_core", "train", run.name, "--resume")
        raise TrainingError(f"The run in {run} has no generator yet: resume it with `{resume}`.")
    return path


def load_generator(run: Path, domain: str | None = None) -> tuple[nn.Module, Run]:
    """The generator (`eval` mode) of a run's folder or a .safetensors file, and the run.

    `domain` selects one of the two generators of a cyclic run by what it makes. Raises TrainingError for a file that
    Glimpse did not write; the generator raises it for output that is not finite, which uint8 would turn into an image.
    """
    weights = generator_file(run)
    generators, metadata = load_generators(weights)
    made_by = Run.from_json(metadata, str(weights))
    domain = domain or next(iter(generators))
    if domain not in generators:
        raise TrainingError(f"The run '{made_by.name}' makes {' and '.join(generators)}, not '{domain}'.")

    def refuse_broken(_: nn.Module, __: tuple[Any, ...], images: Tensor) -> None:
        if not torch.isfinite(images).all():
            raise TrainingError(
                f"The generator of the run '{made_by.name}' makes values that are not finite: its training "
                f"diverged. Train it again with --overwrite and a lower learning rate, --set lr=..."
            )

    generators[domain].register_forward_hook(refuse_broken)
    return generators[domain], made_by


def latents(count: int, z_dim: int, rng: torch.Generator, truncation: float | None = None) -> Tensor:
    """(count, z_dim) float32 from the standard normal, each component conditioned on |z| < truncation.

    Drawn by the inverse distribution function: the same distribution as rejection sampling, without the hundreds of
    retries that rejection needs at 0.01. A longer draw starts with the latents of a shorter one.
    """
    uniform = torch.rand(count, z_dim, generator=rng, dtype=torch.float64)
    if truncation is None:
        return torch.special.ndtri(uniform.clamp(1e-16, 1 - 1e-16)).float()
    span = math.erf(truncation / math.sqrt(2))  # of erf on (-t, t)
    z = math.sqrt(2) * torch.special.erfinv((2 * uniform - 1) * span)
    return z.clamp(-truncation, truncation).float()


def for_draw(generator: Generator, draw: Draw, device: str = "cpu") -> Generator:
    """The generator for a draw: for truncated latents its batch statistics are estimated again.

    Where batch norm follows the dense layer (setting `dense_norm`), it stretches short latents back to the usual
    length, and truncation changes little more than their direction.
    """
    generator = generator.to(device)
    if draw.truncation is None:
        return generator
    rng = torch.Generator().manual_seed(0)
    sizes = [STATISTICS_SIZE] * STATISTICS_BATCHES
    return with_statistics(generator, (latents(n, generator.z_dim, rng, draw.truncation).to(device) for n in sizes))


def _drawn_from(run: Path, draw: Draw, device: str) -> tuple[Generator, torch.Generator]:
    """A run's generator for a draw, and the random numbers of its latents. Raises TrainingError for a translator."""
    generator, made_by = load_generator(run)
    if not isinstance(generator, Generator):
        raise TrainingError(f"The run '{made_by.name}' translates images: it has no latents to draw by seed.")
    return for_draw(generator, draw, device), torch.Generator().manual_seed(draw.seed)


def generate(run: Path, count: int, draw: Draw = FIRST, device: str = "cpu") -> Iterator[NDArray[np.uint8]]:
    """`count` images as batches (b, H, W, 3) uint8. Raises TrainingError for a run that translates."""
    generator, rng = _drawn_from(run, draw, device)
    drawn = (min(BATCH, count - begin) for begin in range(0, count, BATCH))
    return (_made(generator, latents(size, generator.z_dim, rng, draw.truncation), device) for size in drawn)


@torch.no_grad()
def _made(generator: Generator, z: Tensor, device: str) -> NDArray[np.uint8]:
    return to_pixels(generator(z.to(device)))


def interpolate(run: Path, rows: int, steps: int, draw: Draw = FIRST, device: str = "cpu") -> NDArray[np.uint8]:
    """(rows, steps, H, W, 3) uint8: each row leads from its latent to the next row's, the last row back to the first.

    Along great circles, so that every latent in between has a typical length (Shoemake 1985).
    """
    generator, rng = _drawn_from(run, draw, device)
    ends = latents(rows, generator.z_dim, rng, draw.truncation)
    share = torch.arange(steps, dtype=torch.float32)[:, None] / steps
    walks = [_made(generator, _arc(a, b, share), device) for a, b in zip(ends, ends.roll(-1, 0), strict=True)]
    return np.stack(walks)


def _arc(a: Tensor, b: Tensor, share: Tensor) -> Tensor:
    """Points (steps, z) between two latents, at `share` (steps, 1) in [0, 1) of the angle."""
    cosine = torch.dot(a, b) / (a.norm() * b.norm())
    angle = torch.acos(cosine.clamp(-1, 1)).clamp(min=1e-4)
    return (torch.sin((1 - share) * angle) * a + torch.sin(share * angle) * b) / torch.sin(angle)


def sample_set(
    folder: Path, weights: Path, count: int, draw: Draw, device: str = "cpu", overwrite: bool = False,
    unfinished: str | None = None,
) -> tuple[ImageSet, bool]:  # fmt: skip
    """`count` images as an image set in `folder`; returns it and whether it is new.

    `unfinished`: how far an unfinished run has come, for the set's manifest. Raises GlimpseError if a different image
    set is there, unless `overwrite`.
    """
    _, run = load_generator(weights)
    made_from = {"run": run.name, "generator_sha256": sha256_file(weights), "count": count, **asdict(draw)}
    made_from |= {"unfinished": unfinished} if unfinished else {}
    if (existing := ImageSet.existing(folder, made_from, overwrite)) is not None:
        return existing, False
    batches = generate(weights, count, draw, device)  # refuses a translator before anything is written
    images = (image for batch in batches for image in batch)
    with atomic_folder(folder) as building:
        writer = ImageSetWriter(building, run.height, run.width)
        facts = {"source": run.name, "split": "train", "label": run.experiment.target}
        shown: list[NDArray[np.uint8]] = []
        for i, image in enumerate(progress(images, title=folder.name, unit="images", total=count)):
            identity = f"{run.name}-{draw.seed}-{i}"
            writer.add(image, {**facts, "image_id": identity, "group": identity})
            if i < PREVIEW_ROWS * PREVIEW_COLUMNS:
                shown.append(image)
        Image.fromarray(sheet(in_rows(shown, PREVIEW_COLUMNS), margin=2)).save(building / "preview.png")
        writer.finish(folder.name, source="sample", made_from=made_from)
    return ImageSet.load(folder), True


def write_interpolation(weights: Path, path: Path, rows: int, steps: int, draw: Draw, device: str = "cpu") -> None:
    """`interpolate` as an animated .gif, or as a .png grid with a row for each latent."""
    if path.suffix.lower() not in (".gif", ".png"):
        raise TrainingError(f"--interpolate {path}: name a .gif or a .png file.")
    pictures = interpolate(weights, rows, steps, draw, device)
    with atomic_file(path) as temporary:
        if path.suffix.lower() == ".png":
            Image.fromarray(sheet(list(pictures), margin=2)).save(temporary, "png")
            return
        frames = [Image.fromarray(picture) for picture in pictures.reshape(-1, *pictures.shape[2:])]
        frames[0].save(temporary, "gif", save_all=True, append_images=frames[1:], duration=60, loop=0)
