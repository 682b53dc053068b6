"""Sizes of pictures: fitting and resampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def fit(height: int, width: int, long_side: int) -> tuple[int, int]:
    """(height, width) of the same shape whose longer side is `long_side`."""
    scale = long_side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resample(image: Tensor, size: tuple[int, int]) -> Tensor:
    """`image` (N, C, H, W) at `size` (height, width): bicubic, anti-aliased on the way down."""
    import torch.nn.functional as F

    if image.shape[-2:] == size:
        return image
    return F.interpolate(image, size=size, mode="bicubic", antialias=True, align_corners=False)


def shift(image: Tensor, down: int, right: int) -> Tensor:
    """`image` (N, C, H, W) moved by a few pixels, mirrored at the edge that it leaves."""
    import torch.nn.functional as F

    height, width = image.shape[-2:]
    padded = F.pad(image, (max(right, 0), max(-right, 0), max(down, 0), max(-down, 0)), "reflect")
    return padded[..., max(-down, 0) : max(-down, 0) + height, max(-right, 0) : max(-right, 0) + width]
