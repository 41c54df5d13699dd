"""Random features: untrained convolutional networks, used if no weights are available.

With PyTorch's default initialisation such features carry no signal; these networks are He-initialised, with batch norm
calibrated on the training images.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

SEEDS = (0, 1, 2)  # a network each
WIDTHS = (16, 32, 64, 128, 256)
SIDE = 128
COMPONENTS = 16  # of each network; with 32 and 64 the distances between classes exceed their noise by less


class RandomNetwork(nn.Module):
    """A random convolutional network whose batch norm is calibrated on the training images.

    Features are the means of all maps at five scales, reduced to their leading principal components over the
    calibration images and whitened; otherwise brightness, which affects every map, would dominate. Half of the first
    filters have zero mean, so that features depend on fine grain as well as on brightness.
    """

    mean: torch.Tensor
    projection: torch.Tensor

    def __init__(self, seed: int, components: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        channels = 3
        for width in WIDTHS:
            convolution = nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=False)
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu", generator=generator)
            self.convolutions.append(convolution)
            self.norms.append(nn.BatchNorm2d(width, affine=False, momentum=1.0))  # statistics of one calibration batch
            channels = width
        first: Any = self.convolutions[0].weight.data
        first = first[WIDTHS[0] // 2 :]
        first -= first.mean((2, 3), keepdim=True)
        self.register_buffer("mean", torch.zeros(sum(WIDTHS)))
        self.register_buffer("projection", torch.zeros(sum(WIDTHS), components))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        whitened = (self.pooled(images) - self.mean) @ self.projection
        return torch.asinh(whitened)  # so that one outlier (a ruler, a black corner) cannot dominate the cubic kernel

    def pooled(self, images: torch.Tensor) -> torch.Tensor:
        x, means = images, []  # (B, 3, side, side) in [-1, 1]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = F.relu(norm(convolution(x)))
            means.append(x.mean((2, 3)))
        return torch.cat(means, 1)

    @torch.no_grad()
    def calibrate(self, images: torch.Tensor) -> None:
        self.train()
        self(images)
        self.eval()
        pooled = self.pooled(images).double()
        centred, sd = pooled - pooled.mean(0), pooled.std(0)
        scale = torch.where(sd > 1e-6, 1 / sd, torch.zeros_like(sd))  # a dead map stays at zero
        _, lengths, directions = torch.linalg.svd(centred * scale, full_matrices=False)
        count = self.projection.shape[1]
        deviation = (lengths[:count] / (len(pooled) - 1) ** 0.5).clamp_min(1e-3)
        self.mean.copy_(pooled.mean(0))
        self.projection.copy_(scale[:, None] * directions[:count].T / deviation)


def calibrated(calibration: NDArray[np.uint8], device: str) -> tuple[list[RandomNetwork], int, str]:
    """The networks, one per seed, calibrated on images (n, H, W, 3) uint8; the side of their input; their hash."""
    side = min(SIDE, max(calibration.shape[1:3]))
    components = min(COMPONENTS, max(2, len(calibration) // 4))
    networks = [RandomNetwork(seed, components).to(device) for seed in SEEDS]
    images = torch.from_numpy(np.ascontiguousarray(np.moveaxis(calibration, 3, 1))).to(device)
    for network in networks:
        network.calibrate(prepared(images, side))
    identity = hashlib.sha256(f"random 1 {WIDTHS} {components} {side} {SEEDS} {calibration.shape}".encode())
    identity.update(np.ascontiguousarray(calibration).data)
    return networks, side, identity.hexdigest()


def prepared(images: torch.Tensor, side: int) -> torch.Tensor:
    """(B, 3, H, W) uint8 to (B, 3, side, side) in [-1, 1]."""
    x = images.float() / 127.5 - 1
    if x.shape[2:] != (side, side):
        x = F.interpolate(x, (side, side), mode="bilinear", antialias=True, align_corners=False)
    return x
