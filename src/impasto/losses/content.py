"""Content as features of the photo (Gatys et al., 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from impasto.losses.terms import Statistics

Normalisation = Literal["gatys", "mean", "instance"]


def instance_normalised(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """`features` (N, C, H, W), each channel with mean 0 and deviation 1 over the picture, or in each region of `mask`.

    `mask` (1, R, H, W) sums to 1. A channel that hardly responds is not blown up: a thousandth of the whole's deviation
    is added to its own.
    """
    if mask is not None and mask.shape[1] > 1:
        return _normalised_in_regions(features, mask)
    mean = features.mean((2, 3), keepdim=True)
    deviation = features.std((2, 3), keepdim=True)
    return (features - mean) / (deviation + 1e-3 * features.detach().std((1, 2, 3), keepdim=True) + 1e-8)


def _normalised_in_regions(features: Tensor, mask: Tensor) -> Tensor:
    """`features` normalised by the mean and deviation of the regions that a place belongs to, in their proportions."""
    floor = 1e-3 * features.detach().std((1, 2, 3)) + 1e-8
    flat, shares = features[0].permute(1, 2, 0).flatten(0, 1), mask[0].flatten(1)
    weights = shares / shares.sum(1, keepdim=True).clamp_min(1e-9)
    mean = weights @ flat
    deviation = (weights @ flat.square() - mean.square()).clamp_min(1e-12).sqrt() + floor
    normalised = torch.addcmul(shares.T @ (-mean / deviation), flat, shares.T @ (1 / deviation))
    return normalised.T.view_as(features)


@dataclass(frozen=True)
class Content:
    """Squared difference of features F from the photo's P.

    `normalisation`: `gatys`, ½ Σ (F − P)²; `mean`, the mean of (F − P)²; `instance`, half the mean of (F − P)² after
    instance normalisation, which leaves mean and contrast of each channel to the style.
    """

    normalisation: Normalisation = "mean"

    def describe(self, features: Tensor, mask: Tensor | None = None) -> Statistics:
        return {"features": instance_normalised(features, mask) if self.normalisation == "instance" else features}

    def prepare(self, statistics: Statistics) -> Statistics:
        return statistics

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        squares = (statistics["features"] - target["features"]).square()
        if self.normalisation == "gatys":
            return squares.sum() / 2
        return squares.mean() if self.normalisation == "mean" else squares.mean() / 2


def content_distance(features: Mapping[str, Tensor], photo: Mapping[str, Tensor], layers: Sequence[str]) -> Tensor:
    """What a picture lost of the photo's shapes (), a mean over layers: 0 for the photo itself, about 1 for another."""
    loss = Content("instance")
    distances = [
        loss.compare(loss.describe(features[layer].float()), loss.describe(photo[layer].float())) for layer in layers
    ]
    return sum(distances[1:], start=distances[0]) / len(distances)
