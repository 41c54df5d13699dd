"""The networks of section 3.2: generator, image translator, two-scale discriminator.

Where the paper is silent, the choices are those of docs/method.md. All but one dense layer are
convolutional. They take any size of `experiments.grid_and_stages`, also non-square, and images in [-1, 1]. Images and
logits are fp32 also in mixed precision: bf16 has fewer levels near 1 than a byte.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from gan_core.experiments import grid_and_stages

Network = TypeVar("Network", bound=nn.Module)
DENSE_FEATURES = 64  # Table 1
SLOPE = 0.2  # of LeakyReLU, as in DCGAN


def _act() -> nn.Module:
    return nn.LeakyReLU(SLOPE, inplace=True)


class Doubling(nn.Conv2d):
    """Doubling by repeated pixels and a 3x3 convolution, without the grid that a deconvolution leaves.

    Computed as the deconvolution that is equal to both (kernel 4, stride 2), in less than half of the operations.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3, 1, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel = self.weight.flip(2, 3)  # (outputs, inputs, 3, 3)
        kernel = F.pad(kernel, (0, 1)) + F.pad(kernel, (1, 0))
        kernel = F.pad(kernel, (0, 0, 0, 1)) + F.pad(kernel, (0, 0, 1, 0))  # (outputs, inputs, 4, 4)
        return F.conv_transpose2d(x, kernel.transpose(0, 1), stride=2, padding=1)


def _up(inputs: int, outputs: int, upsampling: str) -> list[nn.Module]:
    """Twice the size. A deconvolution whose kernel 4 divides by stride 2 lets every output pixel see as many inputs,
    and still leaves a faint grid; repeated pixels and a convolution leave none (Odena et al. 2016)."""
    if upsampling == "nearest":
        grow: nn.Module = Doubling(inputs, outputs)
    else:
        grow = nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False)
    return [grow, nn.BatchNorm2d(outputs), _act()]


class Generator(nn.Module):
    """Latents (b, z_dim) to images (b, 3, H, W) in [-1, 1]: section 3.2.1, Table 1.

    `features`: maps of the first deconvolution's output (Table 2), halved at each stage.
    `refine`: an unstrided convolution after each deconvolution, for hands. `dense_norm`: batch norm and LeakyReLU after
    the dense layer; the paper has them after convolutions only, so that a short latent stays short (Table 3).
    """

    def __init__(
        self, height: int, width: int, features: int, z_dim: int = 100, refine: bool = False, dense_norm: bool = False,
        upsampling: str = "deconvolution",
    ) -> None:  # fmt: skip
        super().__init__()
        self.rows, self.columns, stages = grid_and_stages(height, width)
        self.z_dim = z_dim
        self.dense = nn.Linear(z_dim, self.rows * self.columns * DENSE_FEATURES, bias=not dense_norm)
        self.dense_norm = nn.Sequential(nn.BatchNorm2d(DENSE_FEATURES), _act()) if dense_norm else nn.Identity()
        layers: list[nn.Module] = []
        inputs = DENSE_FEATURES
        for stage in range(stages):
            outputs = max(1, features >> stage)
            layers += _up(inputs, outputs, upsampling)
            if refine:
                layers += [nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), _act()]
            inputs = outputs
        self.stages = nn.Sequential(*layers)
        self.to_rgb = nn.Conv2d(inputs, 3, 3, 1, 1)

    def forward(self, z: Tensor) -> Tensor:
        x = self.dense(z).view(-1, DENSE_FEATURES, self.rows, self.columns)  # (b, 64, h, w)
        return torch.tanh(self.to_rgb(self.stages(self.dense_norm(x))).float())


class Residual(nn.Module):
    """He et al. 2015, two 3x3 convolutions."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(features, features, 3, 1, 1, bias=False), nn.BatchNorm2d(features), _act(),
            nn.Conv2d(features, features, 3, 1, 1, bias=False), nn.BatchNorm2d(features),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class Translator(nn.Module):
    """Images, with a mask as fourth channel if there is one, (b, 3 or 4, H, W) to images (b, 3, H, W): section 3.2.2.

    A U-Net with skip concatenation that makes a residual; `features` are those of the bottleneck at a quarter of the
    size, where four residual blocks work. It starts as the identity. The output is not clamped: x + tanh(r).
    """

    def __init__(self, channels: int, features: int, upsampling: str = "deconvolution") -> None:
        super().__init__()
        half, quarter = features // 2, features // 4
        self.stem = nn.Sequential(nn.Conv2d(channels, quarter, 3, 1, 1, bias=False), nn.BatchNorm2d(quarter), _act())
        self.down1 = nn.Sequential(nn.Conv2d(quarter, half, 4, 2, 1, bias=False), nn.BatchNorm2d(half), _act())
        self.down2 = nn.Sequential(nn.Conv2d(half, features, 4, 2, 1, bias=False), nn.BatchNorm2d(features), _act())
        self.blocks = nn.Sequential(*(Residual(features) for _ in range(4)))
        self.up1 = nn.Sequential(*_up(features, half, upsampling))
        self.up2 = nn.Sequential(*_up(2 * half, quarter, upsampling))
        self.to_residual = nn.Conv2d(2 * quarter, 3, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        full = self.stem(x)  # (b, F/4, H, W)
        middle = self.down1(full)  # (b, F/2, H/2, W/2)
        y = self.blocks(self.down2(middle))  # (b, F, H/4, W/4)
        y = self.up2(torch.cat([self.up1(y), middle], 1))
        return x[:, :3] + torch.tanh(self.to_residual(torch.cat([y, full], 1)).float())


class Discriminator(nn.Module):
    """Images (b, 3, H, W) to logits (b,): two unshared scales, averaged (Wang et al. 2017; section 3.2.3).

    `normed`: batch norm after all but the first convolution, as in the paper; else `initialise` follows He et al. 2015.
    """

    def __init__(self, height: int, width: int, features: int, normed: bool = True) -> None:
        super().__init__()
        self.normed = normed
        stages = grid_and_stages(height, width)[2]
        self.whole = _scale(height, width, features, stages, normed)
        self.halved = _scale((height + 1) // 2, (width + 1) // 2, features, stages, normed)

    def forward(self, images: Tensor) -> Tensor:
        half_size = F.avg_pool2d(images, 3, 2, 1, count_include_pad=False)
        return (self.whole(images) + self.halved(half_size)).squeeze(1).float() / 2


def _scale(height: int, width: int, features: int, stages: int, with_norm: bool) -> nn.Sequential:
    """`stages` strided convolutions, features doubled at each, then one neuron. Batch norm not on the first."""
    layers: list[nn.Module] = []
    inputs = 3
    for stage in range(stages):
        outputs = features << stage
        normed = with_norm and stage > 0
        layers.append(nn.Conv2d(inputs, outputs, 4, 2, 1, bias=not normed))
        layers += [nn.BatchNorm2d(outputs), _act()] if normed else [_act()]
        inputs, height, width = outputs, height // 2, width // 2
    layers += [nn.Flatten(), nn.Linear(inputs * height * width, 1)]
    return nn.Sequential(*layers)


def initialise(network: nn.Module, rng: torch.Generator) -> None:
    """Weights from N(0, 0.02), biases 0, a translator's last convolution 0. A discriminator without batch norm would be
    blind with weights so small: its activations keep their scale (He et al. 2015)."""
    he = isinstance(network, Discriminator) and not network.normed
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            if he:
                nn.init.kaiming_normal_(module.weight, SLOPE, generator=rng)
            else:
                nn.init.normal_(module.weight, 0.0, 0.02, generator=rng)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    if isinstance(network, Translator):
        nn.init.zeros_(network.to_residual.weight)


def with_statistics(network: Network, inputs: Iterable[Tensor]) -> Network:
    """A copy in `eval` mode whose batch norms hold the average of the statistics over these batches of inputs."""
    network = copy.deepcopy(network)
    update_bn(inputs, network)
    return network.eval()
