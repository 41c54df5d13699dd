"""Unconditional generation, from latents alone: hands, healthy, eczema, df, mel (section 4.1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_core.training.data import Draws, to_pixels
from gan_core.training.schemes import Scheme

GRID_ROWS, GRID_COLUMNS = 4, 8


class Unconditional(Scheme):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        rng = torch.Generator().manual_seed(self.run.settings.seed + 2)
        latents = torch.randn(GRID_ROWS * GRID_COLUMNS, self.run.settings.z_dim, generator=rng)
        self.shown = latents.to(self.device)

    def inputs(self, draws: Draws, batch: int, shuffled: bool) -> dict[str, Tensor]:
        return {self.run.experiment.target: draws.normal(batch, self.run.settings.z_dim)}

    @torch.no_grad()
    def rows(self, generators: nn.ModuleDict) -> list[NDArray[np.uint8]]:
        pictures = to_pixels(generators[self.run.experiment.target](self.shown))
        return list(pictures.reshape(GRID_ROWS, GRID_COLUMNS, *pictures.shape[1:]))
