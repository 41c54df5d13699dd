"""One process, or several started by `torchrun`: the share of a batch, and the average of gradients.

Every rank draws the random numbers of the whole batch and takes its slice; gradients are averaged after each backward
pass. So two ranks with half the batch each compute what one computes with the whole, and the rules of
DistributedDataParallel about forward passes and buffers do not apply.
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
        """Join the processes that torchrun started; without torchrun, a single one."""
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
        """This rank's rows of a draw for the whole batch."""
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
        """Wait for all ranks."""
        if self.world > 1:
            dist.barrier()

    def leave(self) -> None:
        if self.world > 1 and dist.is_initialized():
            dist.destroy_process_group()
