"""The paper's equations, each one function, and R1. Logits (b,) and images (b, 3, H, W) in, scalars in float32 out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def generator_loss(generated: Tensor) -> Tensor:
    """Equation 1, first line, to be minimised: -E log D(G(z)), which does not saturate. Takes logits."""
    return F.softplus(-generated.float()).mean()


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Equation 1, second line, to be minimised: -E log D(x) - E log(1 - D(G(z))). Takes logits."""
    return F.softplus(-real.float()).mean() + F.softplus(generated.float()).mean()


def relevancy_loss(image: Tensor, translated: Tensor, mask: Tensor) -> Tensor:
    """Equation 2: mean squared change outside the mask (b, 1, H, W), over all pixels, images in [-1, 1]."""
    return ((1 - mask) * (image.float() - translated.float())).square().mean()


def cycle_loss(image: Tensor, reconstruction: Tensor) -> Tensor:
    """Equation 3: mean squared error between an image and its reconstruction by both translations."""
    return F.mse_loss(reconstruction.float(), image.float())


def gradient_penalty(real: Tensor, logits: Tensor) -> Tensor:
    """R1: E |grad D(x)|^2 / 2 on real images that require a gradient (Mescheder et al. 2018, equation 9)."""
    (gradient,) = torch.autograd.grad(logits.float().sum(), real, create_graph=True)
    return gradient.float().square().flatten(1).sum(1).mean() / 2
