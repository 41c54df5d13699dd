"""Image sets and runs small enough to train in a test: 32 x 32 pixels, a few dozen images, networks of a few maps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gan_core.training.loop import Training
from gan_core.training.observe import scorer_for
from gan_core.training.request import Request, describe_run, into_memory, open_domains
from gan_core.training.run import Run
from glimpse.files import atomic_folder, stand_aside
from glimpse.imageset import ImageSet, ImageSetWriter
from glimpse.workspace import Workspace

CPU = torch.device("cpu")
TINY: dict[str, Any] = {
    "images": 32, "epochs": 0, "batch": 4, "tick_images": 16, "g_features": 8, "d_features": 4, "z_dim": 6,
    "score_images": 8, "score_ticks": 1, "observe_batches": 2, "lr": 1e-3,
}  # fmt: skip


def tiny_options(**chosen: Any) -> list[str]:
    """A tiny run as options of `gan_core train`; without scores, which take several times as long as its training."""
    settings = {**TINY, "score_images": 0, **chosen}
    return [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]


def make_set(
    workspace: Workspace, name: str, train: int = 16, test: int = 8, size: tuple[int, int] = (32, 32),
    lesion: bool = False, per_group: int = 2, suffix: str = ".png",
) -> ImageSet:  # fmt: skip
    """Smooth skin-coloured images; with `lesion` a reddened disc with its mask and its clean version."""
    rng = np.random.default_rng(sum(map(ord, name)))
    height, width = size
    rows, columns = np.mgrid[:height, :width]
    with atomic_folder(workspace.new("images", name)) as folder:
        writer = ImageSetWriter(folder, height, width, masks=lesion, truth=lesion)
        for i in range(train + test):
            skin = np.array([200, 150, 130]) + rng.normal(0, 20, 3) + rng.normal(0, 3, (height, width, 3))
            disc = (rows - rng.uniform(10, 22)) ** 2 + (columns - rng.uniform(10, 22)) ** 2 < 49
            clean = skin.clip(0, 255).astype(np.uint8)
            sick = (skin - disc[..., None] * np.array([10, 60, 60])).clip(0, 255).astype(np.uint8)
            side, number = ("train", i) if i < train else ("test", i - train)
            row = {
                "image_id": f"{name}-{i}", "source": f"photo-{i}{suffix}", "group": f"{side}-{number // per_group}",
                "split": side, "label": name,
            }  # fmt: skip
            if lesion:
                writer.add(sick, row, disc.astype(np.uint8), clean)
            else:
                writer.add(clean, row)
        writer.finish(name)
    return ImageSet.load(workspace.existing("images", name))


def make_domains(workspace: Workspace) -> None:
    """The image sets that all eight experiments need."""
    make_set(workspace, "healthy", train=24)
    make_set(workspace, "eczema", lesion=True)
    for name in ("df", "mel"):
        make_set(workspace, name)
    make_set(workspace, "hands", size=(32, 48))


def tiny_training(
    workspace: Workspace, experiment: str, name: str | None = None, scorer: Any = None, preset: str = "paper",
    **chosen: Any,
) -> Training:  # fmt: skip
    """A run ready to go, its folder begun; in fp32 unless asked, also where the processor computes in bf16."""
    request = Request(preset, {**TINY, "bf16": False, **chosen})
    images = open_domains(workspace, experiment, request)
    run = describe_run(name or experiment, experiment, images, request)
    return training_of(workspace, run, images, scorer)


def training_of(
    workspace: Workspace, run: Run, images: Mapping[str, ImageSet], scorer: Any = None, fresh: bool = True
) -> Training:
    folder = workspace.new("runs", run.name)
    training = Training(run, into_memory(run, images, CPU), folder, CPU)
    training.scorer = scorer and scorer_for(run, training.domains, lambda real, seed: scorer(real))
    if fresh:
        stand_aside(folder)
        run.write(folder, subsets=training.engine.scheme.drawn_subsets(), made_with={})
    return training


def trained(workspace: Workspace, experiment: str, **chosen: Any) -> Path:
    """A finished run's folder."""
    training = tiny_training(workspace, experiment, **chosen)
    assert training.go()
    training.run.write(training.folder, finished={"images": training.engine.images})
    return training.folder


def tensors_of(value: Any, name: str = "") -> Iterator[tuple[str, torch.Tensor]]:
    """Every tensor of a nested state with its path."""
    if isinstance(value, torch.Tensor):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from tensors_of(inner, f"{name}.{key}" if name else str(key))
