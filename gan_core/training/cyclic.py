"""Two translations without masks, each the inverse of the other: cycle-eczema (section 4.3, CycleGAN)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_core.losses import cycle_loss
from gan_core.training.data import Draws, Shuffle, to_pixels, to_signed
from gan_core.training.schemes import Scheme
from gan_core.training.targeted import SHOWN, seeded_subset
from glimpse.images import evenly


class Cyclic(Scheme):
    """Two translators, each given images of the other's domain; the larger domain's inputs are truncated as in 4.2."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        one, other = sorted(self.generators)
        self.other = {one: other, other: one}
        smallest = min(len(self.domains[name].train) for name in self.other)
        self.subsets = {
            name: seeded_subset(len(self.domains[name].train), smallest, self.run.settings.seed).to(self.device)
            for name in self.other
        }
        for name in self.other:
            self.shuffles[f"into {name}"] = Shuffle(smallest, self.draws)
        self.shown = {}
        for name, other in self.other.items():
            images = self.domains[other].test if len(self.domains[other].test) else self.domains[other].train
            self.shown[name] = to_signed(images[evenly(np.arange(len(images)), SHOWN)])

    def drawn_subsets(self) -> dict[str, list[int]]:
        return {name: subset.tolist() for name, subset in self.subsets.items()}

    def inputs(self, draws: Draws, batch: int, shuffled: bool) -> dict[str, Tensor]:
        given = {}
        for name, other in self.other.items():
            subset = self.subsets[other]
            places = self.shuffles[f"into {name}"].next(batch) if shuffled else draws.below(batch, len(subset))
            given[name] = to_signed(self.domains[other].train[subset[places]])
        return given

    def pairing_loss(self, inputs: Mapping[str, Tensor], generated: Mapping[str, Tensor]) -> Tensor:
        losses = [
            cycle_loss(inputs[name], self.generators[other](generated[name])) for name, other in self.other.items()
        ]
        return self.run.settings.cycle * (losses[0] + losses[1])

    @torch.no_grad()
    def rows(self, generators: nn.ModuleDict) -> list[NDArray[np.uint8]]:
        rows = []
        for name, other in self.other.items():
            there = generators[name](self.shown[name])
            rows += [to_pixels(self.shown[name]), to_pixels(there), to_pixels(generators[other](there))]
        return rows
