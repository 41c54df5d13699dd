"""Augmentations of the discriminator's input, real and generated, that do not leak into the generated images.

DiffAugment (Zhao et al. 2020): translation by up to an eighth and a cutout of half the side; colour is left alone,
since in skin it is diagnostic. Flips: the symmetries of the rectangle. The caller draws the random numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def translate_and_cut(images: Tensor, uniform: Tensor) -> Tensor:
    """Images (b, 3, H, W) shifted and cut out where `uniform` (b, 4) in [0, 1) says; zeros (mid-grey) come in."""
    b, _, height, width = images.shape
    shift_y, shift_x = height // 8, width // 8
    rows = torch.arange(height, device=images.device)[None, :]  # (1, H)
    columns = torch.arange(width, device=images.device)[None, :]
    dy = (uniform[:, :1] * (2 * shift_y + 1)).long() - shift_y  # (b, 1)
    dx = (uniform[:, 1:2] * (2 * shift_x + 1)).long() - shift_x
    padded = F.pad(images, (shift_x, shift_x, shift_y, shift_y))
    batch = torch.arange(b, device=images.device)[:, None, None]
    from_rows, from_columns = (rows + shift_y + dy)[:, :, None], (columns + shift_x + dx)[:, None, :]
    shifted = padded.permute(0, 2, 3, 1)[batch, from_rows, from_columns].permute(0, 3, 1, 2)
    centre_y, centre_x = (uniform[:, 2:3] * height).long(), (uniform[:, 3:4] * width).long()
    inside_y = (rows - centre_y + height // 4).div(height // 2, rounding_mode="floor") == 0  # (b, H)
    inside_x = (columns - centre_x + width // 4).div(width // 2, rounding_mode="floor") == 0
    keep = ~(inside_y[:, :, None] & inside_x[:, None, :])
    return shifted * keep[:, None].to(shifted.dtype)


def flip(images: Tensor, uniform: Tensor) -> Tensor:
    """Each image mirrored, upended and, where it is square, transposed with probability one half; `uniform` (b, 3)."""
    coin = (uniform < 0.5)[:, :, None, None, None]  # (b, 3, 1, 1, 1)
    images = torch.where(coin[:, 0], images.flip(3), images)
    images = torch.where(coin[:, 1], images.flip(2), images)
    if images.shape[2] == images.shape[3]:
        images = torch.where(coin[:, 2], images.transpose(2, 3), images)
    return images
