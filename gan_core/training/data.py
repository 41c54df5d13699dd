"""Training data: images resident on the device as uint8, and every random draw, whose state can be saved.

51,023 patches of 128 x 128 take 2.5 GB: they stay on the GPU, where batches are picked, scaled and augmented.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gan_core.training.ranks import Ranks
from glimpse.images import shrink, shrink_mask
from glimpse.imageset import ImageSet


def to_signed(images: Tensor) -> Tensor:
    """(b, H, W, 3) uint8 to (b, 3, H, W) float32 in [-1, 1], channels last in memory."""
    return images.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def to_pixels(images: Tensor) -> NDArray[np.uint8]:
    """(b, 3, H, W) in [-1, 1], clamped, to (b, H, W, 3) uint8 on the host."""
    levels = images.float().clamp(-1, 1).add(1.0).mul(127.5).round().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy())


@dataclass(frozen=True)
class Domain:
    """One image set in memory: its training and test images (n, H, W, 3) uint8, and their masks (n, H, W)."""

    train: Tensor
    test: Tensor
    train_masks: Tensor | None
    test_masks: Tensor | None

    @classmethod
    def load(cls, images: ImageSet, height: int, width: int, device: torch.device) -> Domain:
        def resident(array: NDArray[np.uint8], side: str) -> Tensor:
            rows = images.where(side)
            resized = np.empty((len(rows), height, width, *array.shape[3:]), np.uint8)
            for target, row in enumerate(rows):
                resized[target] = (shrink if array.ndim == 4 else shrink_mask)(array[row], height, width)
            return torch.from_numpy(resized).to(device)

        sides = ("train", "test")
        masks = [None if images.masks is None else resident(images.masks, side) for side in sides]
        return cls(*(resident(images.images, side) for side in sides), *masks)


def seeded_subset(count: int, wanted: int, seed: int) -> Tensor:
    """At most `wanted` of `count` positions, sorted, drawn by a seed."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))[:wanted].sort().values


class Draws:
    """The random numbers of a run, from one generator on the device; each draw covers the batch of all ranks."""

    def __init__(self, seed: int, device: torch.device, ranks: Ranks) -> None:
        self.rng = torch.Generator(device)
        self.rng.manual_seed(seed)
        self.device, self.ranks = device, ranks

    def normal(self, batch: int, size: int) -> Tensor:
        return self.ranks.share(torch.randn(batch, size, generator=self.rng, device=self.device))

    def uniform(self, batch: int, size: int) -> Tensor:
        return self.ranks.share(torch.rand(batch, size, generator=self.rng, device=self.device))

    def below(self, batch: int, count: int) -> Tensor:
        return self.ranks.share(torch.randint(count, (batch,), generator=self.rng, device=self.device))

    def load(self, state: Tensor, seed: int) -> bool:
        """Continue from a saved state of the generator. False if another kind of device saved it: the states of CPU and
        CUDA differ in size, so the random numbers start again from `seed`."""
        state = state.cpu()
        if alike := len(state) == len(self.rng.get_state()):
            self.rng.set_state(state)
        else:
            self.rng.manual_seed(seed)
        return alike

    def order(self, count: int) -> Tensor:
        return torch.randperm(count, generator=self.rng, device=self.device)


class Shuffle:
    """An endless random order of the positions 0 to count - 1: each comes once per pass."""

    def __init__(self, count: int, draws: Draws) -> None:
        self.count, self.draws = count, draws
        self.order, self.position = draws.order(count), 0

    def next(self, batch: int) -> Tensor:
        """This rank's share of the next `batch` positions; a batch may reach into the next pass."""
        parts = []
        while batch:
            if self.position == self.count:
                self.order, self.position = self.draws.order(self.count), 0
            taken = min(batch, self.count - self.position)
            parts.append(self.order[self.position : self.position + taken])
            self.position, batch = self.position + taken, batch - taken
        return self.draws.ranks.share(torch.cat(parts))

    def state(self) -> dict[str, Any]:
        return {"order": self.order.clone(), "position": self.position}

    def load(self, state: dict[str, Any]) -> None:
        self.order, self.position = state["order"].to(self.draws.device), state["position"]
