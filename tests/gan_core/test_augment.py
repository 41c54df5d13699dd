"""Augmentation of the discriminator's images: the right set of changes, each image by itself."""

from __future__ import annotations

import pytest
import torch

from gan_core.augment import flip, translate_and_cut


@pytest.mark.parametrize(("shape", "views"), [((4, 4), 8), ((4, 6), 4)])
def test_flips_give_every_symmetry_that_keeps_the_shape(shape: tuple[int, int], views: int) -> None:
    image = torch.arange(float(shape[0] * shape[1])).view(1, 1, *shape).expand(256, 3, *shape)
    flipped = flip(image, torch.rand(256, 3, generator=torch.Generator().manual_seed(0)))
    assert flipped.shape == image.shape
    assert len({tuple(view.flatten().tolist()) for view in flipped}) == views
    assert torch.equal(flipped.flatten(1).sort().values, image.flatten(1).sort().values), "no pixel is lost"


def test_translation_and_cutout_are_what_the_numbers_say() -> None:
    generator = torch.Generator().manual_seed(1)
    images = torch.rand(16, 3, 16, 24, generator=generator) + 1  # no zeros of its own
    uniform = torch.rand(16, 4, generator=generator)
    changed = translate_and_cut(images, uniform)
    for image, after, u in zip(images, changed, uniform, strict=True):
        dy, dx = int(u[0] * 5) - 2, int(u[1] * 7) - 3  # up to an eighth: 2 of 16 rows, 3 of 24 columns
        cy, cx = int(u[2] * 16), int(u[3] * 24)
        for y in range(16):
            for x in range(24):
                inside = 0 <= y + dy < 16 and 0 <= x + dx < 24
                cut = cy - 4 <= y < cy + 4 and cx - 6 <= x < cx + 6
                expected = image[:, y + dy, x + dx] if inside and not cut else torch.zeros(3)
                assert torch.equal(after[:, y, x], expected)


def test_the_generator_learns_through_the_augmentation() -> None:
    images = torch.rand(2, 3, 16, 16, requires_grad=True)
    translate_and_cut(flip(images, torch.rand(2, 3)), torch.rand(2, 4)).sum().backward()
    assert images.grad is not None
    assert (images.grad != 0).any()
