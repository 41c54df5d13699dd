"""One process, or several started by `torchrun`: the share of a batch, and the average of gradients.

Every rank draws the random numbers of the whole batch and takes its slice; gradients are averaged after each backward
pass. So two ranks with half the batch each compute the same as one with the whole batch, and the rules of
DistributedDataParallel about forward passes and buffers do not apply.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

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


class _SumOverRanks(torch.autograd.Function):
    """The sum of a tensor over all ranks. Its gradient is the sum of theirs, and can be differentiated again."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return _SumOverRanks.apply(gradient)


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm by the statistics of the batch of all ranks, on any device, differentiable twice (for R1).

    nn.SyncBatchNorm does neither: it refuses a CPU, and its gradient has no derivative.
    """

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        world, wide = dist.get_world_size(), x.float()  # (b, c, H, W); statistics in single precision
        mean = _SumOverRanks.apply(wide.mean((0, 2, 3))) / world
        centred = wide - mean[:, None, None]
        variance = _SumOverRanks.apply(centred.square().mean((0, 2, 3))) / world
        if self.track_running_stats:
            self._remember(mean.detach(), variance.detach(), world * x.numel() // x.shape[1])
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics, with the unbiased variance, as nn.BatchNorm2d does."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / self.num_batches_tracked if self.momentum is None else torch.full_like(mean[0], self.momentum)
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (count / (count - 1)), share)


def share_batch_norm(network: nn.Module) -> None:
    """Replace every batch norm of a network with a `SharedBatchNorm` with the same weights and statistics."""
    for name, child in network.named_children():
        if isinstance(child, nn.BatchNorm2d):
            shared = SharedBatchNorm(child.num_features, child.eps, child.momentum)
            shared.load_state_dict(child.state_dict())
            setattr(network, name, shared)
        else:
            share_batch_norm(child)
