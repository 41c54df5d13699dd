"""Eczema added or removed inside a mask, the rest unchanged: add-eczema, remove-eczema (section 4.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gan_core.losses import relevancy_loss
from gan_core.training.data import Draws, Shuffle, to_pixels, to_signed
from gan_core.training.schemes import Scheme
from glimpse.images import evenly

SHOWN = 8  # images of a sample grid, from all through the set


class Targeted(Scheme):
    """One translator from the source domain to the target; its input is the image with the mask as fourth channel.

    Adding: each healthy patch gets a random eczema mask, so that one mask serves many patches; healthy patches are
    limited to the number of eczema patches. Removing: each eczema patch has its own mask; the discriminator sees all
    healthy patches.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        experiment = self.run.experiment
        assert experiment.source is not None
        source, target = self.domains[experiment.source], self.domains[experiment.target]
        self.target, self.source = experiment.target, source
        self.subset = seeded_subset(len(source.train), len(target.train), self.run.settings.seed).to(self.device)
        self.shuffles["source"] = Shuffle(len(self.subset), self.draws)
        self.own_masks = experiment.masked == experiment.source
        masks = (source if self.own_masks else target).train_masks
        assert masks is not None
        self.masks = masks
        side, side_masks = (source.test, source.test_masks) if len(source.test) else (source.train, source.train_masks)
        rows = evenly(np.arange(len(side)), SHOWN)
        shown = masks[evenly(np.arange(len(masks)), SHOWN)]
        if self.own_masks and side_masks is not None:
            shown = side_masks[rows]
        self.shown = with_mask(to_signed(side[rows]), shown[torch.arange(len(rows)) % len(shown)])

    def drawn_subsets(self) -> dict[str, list[int]]:
        return {self.source.name: self.subset.tolist()}

    def inputs(self, draws: Draws, batch: int, shuffled: bool) -> dict[str, Tensor]:
        places = self.shuffles["source"].next(batch) if shuffled else draws.below(batch, len(self.subset))
        rows = self.subset[places]
        masks = self.masks[rows if self.own_masks else draws.below(batch, len(self.masks))]
        return {self.target: with_mask(to_signed(self.source.train[rows]), masks)}

    def pairing_loss(self, inputs: Mapping[str, Tensor], generated: Mapping[str, Tensor]) -> Tensor:
        given = inputs[self.target]
        return self.run.settings.relevancy * relevancy_loss(given[:, :3], generated[self.target], given[:, 3:])

    @torch.no_grad()
    def rows(self, generators: nn.ModuleDict) -> list[NDArray[np.uint8]]:
        mask = self.shown[:, 3:].expand(-1, 3, -1, -1) * 2 - 1
        after = generators[self.target](self.shown)
        return [to_pixels(self.shown[:, :3]), to_pixels(mask), to_pixels(after)]


def with_mask(images: Tensor, masks: Tensor) -> Tensor:
    """Images (b, 3, H, W) and masks (b, H, W) in {0, 1} to (b, 4, H, W)."""
    return torch.cat([images, masks[:, None].float()], 1)


def seeded_subset(count: int, wanted: int, seed: int) -> Tensor:
    """At most `wanted` of `count` positions, sorted, drawn by a seed: 'the healthy set is truncated' (section 4.2)."""
    if count <= wanted:
        return torch.arange(count)
    rng = torch.Generator().manual_seed(seed)
    return torch.randperm(count, generator=rng)[:wanted].sort().values
