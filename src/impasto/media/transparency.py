"""Colour for pixels that nobody sees, so that no fringe of it shows at the edge of those that are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def fill_transparent(pixels: Tensor, alpha: Tensor) -> Tensor:
    """`pixels` (1, 3, H, W) with transparent ones coloured smoothly from the nearest visible ones.

    A pyramid of alpha-weighted averages: each level fills the holes that the finer one left. `alpha` (1, 1, H, W).
    """
    import torch.nn.functional as F

    if max(alpha.shape[-2:]) < 2 or bool((alpha > 0).all()):
        return pixels
    weight = F.avg_pool2d(alpha, 2, ceil_mode=True, count_include_pad=False)
    colour = F.avg_pool2d(pixels * alpha, 2, ceil_mode=True, count_include_pad=False) / weight.clamp_min(1e-6)
    coarse = fill_transparent(colour, (weight * 4).clamp(max=1) * (weight > 0))
    behind = F.interpolate(coarse, size=pixels.shape[-2:], mode="bilinear", align_corners=False)
    visible = alpha.gt(0).to(pixels.dtype)
    return pixels * visible + behind * (1 - visible)
