"""Equations 1 to 3 and the gradient penalty against what one computes by hand."""

from __future__ import annotations

import math

import pytest
import torch

from gan_core.losses import cycle_loss, discriminator_loss, generator_loss, gradient_penalty, relevancy_loss


def test_equation_1() -> None:
    real, generated = torch.tensor([2.0, -1.0]), torch.tensor([0.5, 0.0])
    d = torch.sigmoid
    by_hand = -d(real).log().mean() - (1 - d(generated)).log().mean()
    assert discriminator_loss(real, generated).item() == pytest.approx(by_hand.item(), rel=1e-6)
    assert generator_loss(generated).item() == pytest.approx(-d(generated).log().mean().item(), rel=1e-6)


def test_the_generators_loss_does_not_saturate_where_it_is_rejected() -> None:
    logits = torch.tensor([-30.0], requires_grad=True)
    generator_loss(logits).backward()
    assert logits.grad is not None
    assert logits.grad.item() == pytest.approx(-1.0)


def test_losses_are_finite_at_any_confidence() -> None:
    sure = torch.tensor([1e4, -1e4])
    assert math.isfinite(discriminator_loss(-sure, sure).item())
    assert math.isfinite(generator_loss(sure).item())


def test_equation_2_counts_changes_outside_the_mask_over_all_pixels() -> None:
    image = torch.zeros(1, 3, 4, 4)
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    inside, outside = image.clone(), image.clone()
    inside[..., :2] += 0.5
    outside[..., 2:] += 0.5
    assert relevancy_loss(image, inside, mask).item() == 0
    assert relevancy_loss(image, outside, mask).item() == pytest.approx(0.25 / 2)


def test_equation_3() -> None:
    assert cycle_loss(torch.zeros(2, 3, 2, 2), torch.full((2, 3, 2, 2), 0.5)).item() == pytest.approx(0.25)


def test_the_penalty_of_a_linear_discriminator_is_half_its_squared_weights() -> None:
    weights = torch.randn(12)
    images = torch.randn(5, 3, 2, 2, requires_grad=True)
    logits = images.flatten(1) @ weights
    assert gradient_penalty(images, logits).item() == pytest.approx((weights.square().sum() / 2).item(), rel=1e-5)
