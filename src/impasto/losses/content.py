"""Content as features of the photo (Gatys et al., 2016)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from impasto.losses.terms import Statistics

Normalisation = Literal["gatys", "mean", "instance"]


def instance_normalised(features: Tensor) -> Tensor:
    """`features` (N, C, H, W), each channel with mean 0 and deviation 1 over the picture.

    A channel that hardly responds is not blown up: a thousandth of the whole's deviation is added to its own.
    """
    mean = features.mean((2, 3), keepdim=True)
    deviation = features.std((2, 3), keepdim=True)
    return (features - mean) / (deviation + 1e-3 * features.detach().std((1, 2, 3), keepdim=True) + 1e-8)


@dataclass(frozen=True)
class Content:
    """Squared difference of features F from the photo's P.

    `normalisation`: `gatys`, ½ Σ (F − P)²; `mean`, the mean of (F − P)²; `instance`, half the mean of (F − P)² after
    instance normalisation, which leaves mean and contrast of each channel to the style.
    """

    normalisation: Normalisation = "mean"

    def describe(self, features: Tensor) -> Statistics:
        return {"features": instance_normalised(features) if self.normalisation == "instance" else features}

    def prepare(self, statistics: Statistics) -> Statistics:
        return statistics

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        squares = (statistics["features"] - target["features"]).square()
        if self.normalisation == "gatys":
            return squares.sum() / 2
        return squares.mean() if self.normalisation == "mean" else squares.mean() / 2
