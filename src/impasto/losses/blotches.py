"""Blotches and halos: places that are alike in the photo and not in the painting."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_CELL, _STRIDE = 16, 8
_ALIKE = 0.03


def blotches(photos: Tensor, painted: Tensor) -> Tensor:
    """How much () colours differ in `painted` (N, 3, H, W) between places that are alike in `photos`, both in [0, 1].

    Places are overlapping cells of 16 pixels: larger than a touch, which is not seen, and smaller than a halo. Their
    affinities, near or far, are Gaussian in the distance between mean colours and contrasts (Shi and Malik, 2000), with
    a deviation of 0.03, about that of a sky. What is measured is the root of the mean squared difference of colour,
    weighed by affinity.
    """
    return torch.stack([_between(*pair) for pair in zip(photos.split(1), painted.split(1))]).mean()


def _between(photo: Tensor, painted: Tensor) -> Tensor:
    """The same () for one picture. The pairs' matrix is gone when it returns: its gradient needs one product of it."""
    colors = F.avg_pool2d(painted, _CELL, _STRIDE).flatten(2)[0].T
    colors = colors - colors.detach().mean(0)
    with torch.no_grad():
        seen = _seen(photo)
        affinities = torch.cdist(seen, seen, compute_mode="donot_use_mm_for_euclid_dist")
        affinities.square_().div_(-2 * _ALIKE**2).exp_()
        affinities /= affinities.sum()
        degrees, pulled = affinities.sum(1, keepdim=True), affinities @ colors
    shared = pulled * (2 * colors - colors.detach())  # of pulled * colors, the value and the gradient
    return (2 * (degrees * colors.square() - shared).sum()).clamp_min(1e-8).sqrt()


def _seen(photo: Tensor) -> Tensor:
    """(places, 4): mean colour and contrast of each."""
    colors = F.avg_pool2d(photo, _CELL, _STRIDE)
    variance = (F.avg_pool2d(photo.square(), _CELL, _STRIDE) - colors.square()).mean(1, keepdim=True)
    return torch.cat([colors, variance.clamp_min(0).sqrt()], 1).flatten(2)[0].T
