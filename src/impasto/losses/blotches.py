"""Blotches and halos: places that are alike in the photo and not in the painting."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_CELL, _STRIDE = 16, 8
_ALIKE = 0.03


def blotches(photos: Tensor, painted: Tensor) -> Tensor:
    """How much () colours differ in `painted` (N, 3, H, W) between places that are alike in `photos`, both in [0, 1].

    Places are overlapping cells of 16 pixels, alike by the distance between their means of colour and their contrasts.
    What is measured is the root of the mean squared difference of colour, weighed by likeness; a touch within a cell
    is not seen. Every pair of places counts, as in the affinities of Levin et al. (2008), near or far.
    """
    with torch.no_grad():
        colors = F.avg_pool2d(photos, _CELL, _STRIDE)
        contrast = (F.avg_pool2d(photos.square(), _CELL, _STRIDE) - colors.square()).mean(1, keepdim=True)
        seen = torch.cat([colors, contrast.clamp_min(0).sqrt()], 1).flatten(2).mT
        likeness = torch.cdist(seen, seen).square_().div_(-2 * _ALIKE**2).exp_()
        likeness /= likeness.sum((1, 2), keepdim=True)
    result = F.avg_pool2d(painted, _CELL, _STRIDE).flatten(2).mT
    power = (likeness.sum(2, keepdim=True) * result.square()).sum((1, 2))
    shared = (likeness @ result * result).sum((1, 2))
    return (2 * (power - shared)).clamp_min(1e-8).sqrt().mean()
