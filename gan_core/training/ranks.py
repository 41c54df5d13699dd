"""One process or many: which share of a batch is ours, and how gradients meet. Started by `torchrun`, or alone.

Every rank draws the same random numbers for the whole batch and takes its slice, and gradients are averaged by hand
after each backward pass: so two ranks with half the batch each do what one does with the whole, and none of
DistributedDataParallel's rules about forward passes and buffers apply.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn


@dataclass(frozen=True)
class Ranks:
    """This process's rank, and the number of processes."""

    rank: int = 0
    world: int = 1
    local: int = 0

    @classmethod
    def join(cls, device: str) -> Ranks:
        """Join the group that torchrun started, or be alone."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return cls()
        ranks = cls(int(os.environ["RANK"]), world, int(os.environ.get("LOCAL_RANK", "0")))
        if not dist.is_initialized():
            if device == "cuda":
                torch.cuda.set_device(ranks.local)
            dist.init_process_group("nccl" if device == "cuda" else "gloo")
        return ranks

    @property
    def first(self) -> bool:
        return self.rank == 0

    def share(self, whole: Tensor) -> Tensor:
        """This rank's rows of what was drawn for the whole batch."""
        each = len(whole) // self.world
        return whole[self.rank * each : (self.rank + 1) * each]

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        if self.world == 1:
            return
        gradients = [p.grad for p in parameters if p.grad is not None]
        flat = torch.cat([g.reshape(-1) for g in gradients])
        dist.all_reduce(flat)
        flat /= self.world
        for gradient, averaged in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(averaged.view_as(gradient))

    def sum(self, values: Tensor) -> Tensor:
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def wait(self) -> None:
        """Until every rank is here."""
        if self.world > 1:
            dist.barrier()

    def leave(self) -> None:
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()
