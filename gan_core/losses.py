"""The paper's equations, each one function, and R1. Logits (b,) and images (b, 3, H, W) in, scalars in float32 out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def generator_loss(generated: Tensor) -> Tensor:
    """Equation 1, first line, to be minimised: -E log D(G(z)), which does not saturate. Takes logits.

    >>> round(float(generator_loss(torch.zeros(4))), 4)  # log 2
    0.6931
    """
    return F.softplus(-generated.float()).mean()


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Equation 1, second line, to be minimised: -E log D(x) - E log(1 - D(G(z))). Takes logits.

    >>> round(float(discriminator_loss(torch.zeros(4), torch.zeros(4))), 4)  # 2 log 2
    1.3863
    """
    return F.softplus(-real.float()).mean() + F.softplus(generated.float()).mean()


def relevancy_loss(image: Tensor, translated: Tensor, mask: Tensor) -> Tensor:
    """Equation 2: mean squared change outside the mask (b, 1, H, W), over all pixels, images in [-1, 1].

    >>> mask = torch.tensor([[[[0.0, 1.0]]]])
    >>> float(relevancy_loss(torch.zeros(1, 3, 1, 2), torch.ones(1, 3, 1, 2), mask))  # one of two pixels counts
    0.5
    """
    return ((1 - mask) * (image.float() - translated.float())).square().mean()


def cycle_loss(image: Tensor, reconstruction: Tensor) -> Tensor:
    """Equation 3: mean squared error between an image and its reconstruction by both translations.

    >>> float(cycle_loss(torch.zeros(1, 3, 2, 2), torch.full((1, 3, 2, 2), 0.5)))
    0.25
    """
    return F.mse_loss(reconstruction.float(), image.float())


def gradient_penalty(real: Tensor, logits: Tensor) -> Tensor:
    """R1: E |grad D(x)|^2 / 2 on real images that require a gradient (Mescheder et al. 2018, equation 9).

    >>> real = torch.zeros(1, 3, 1, 1, requires_grad=True)
    >>> float(gradient_penalty(real, 2 * real.sum().reshape(1)).detach())  # three gradients of 2: (4 + 4 + 4) / 2
    6.0
    """
    (gradient,) = torch.autograd.grad(logits.float().sum(), real, create_graph=True)
    return gradient.float().square().flatten(1).sum(1).mean() / 2
