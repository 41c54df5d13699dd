"""Scoring a generator during training: against real training images, with latents of the run's own seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gan_core.training.data import Domain, to_pixels
from gan_core.training.run import Run

Pixels = NDArray[np.uint8]
Scorer = Callable[[Pixels], Mapping[str, Any]]  # generated images (n, H, W, 3) to at least `kid`
ScorerMaker = Callable[[Pixels], Scorer]  # real images (n, H, W, 3) to their scorer


def scorer_for(run: Run, domains: Mapping[str, Domain], make_scorer: ScorerMaker | None) -> Scorer | None:
    """A scorer against at most `score_images` training images; None for translation (section 3.2.4 of the paper)."""
    wanted = run.settings.score_images
    if make_scorer is None or not wanted or run.experiment.scheme != "unconditional":
        return None
    train = domains[run.experiment.target].train
    rng = torch.Generator().manual_seed(run.settings.seed)
    chosen = torch.randperm(len(train), generator=rng)[:wanted].sort().values
    return make_scorer(train[chosen.to(train.device)].cpu().numpy())


@torch.no_grad()
def score(scorer: Scorer, run: Run, generator: nn.Module, device: torch.device) -> dict[str, Any]:
    """The scores of `score_images` generated images, from the same latents at every tick."""
    settings = run.settings
    rng = torch.Generator().manual_seed(settings.seed + 30_000)
    pixels = []
    for begin in range(0, settings.score_images, settings.batch):
        count = min(settings.batch, settings.score_images - begin)
        latents = torch.randn(count, settings.z_dim, generator=rng).to(device)
        pixels.append(to_pixels(generator(latents)))
    return dict(scorer(np.concatenate(pixels)))
