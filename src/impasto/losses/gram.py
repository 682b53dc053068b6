"""Style as correlations between feature channels (Gatys et al., 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from impasto.losses.terms import Statistics, mean_of, weights_of


def second_moment(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean over positions of f fᵀ: (N, C, C) of `features` (N, C, H, W); the Gram matrix over the positions M.

    Where a `mask` (1, 1, H, W) is given, the mean is weighted by it.
    """
    flat = features.permute(0, 2, 3, 1).flatten(1, 2)
    if mask is None:
        return flat.mT @ flat / flat.shape[1]
    return flat.mT @ (flat * weights_of(mask).permute(0, 2, 3, 1).flatten(1, 2))


@dataclass(frozen=True)
class Gram:
    """Squared difference of Gram matrices G from the style's A, with N channels and M positions.

    `normalisation`: `gatys`, Σ (G − A)² / (4 N² M²), where each Gram matrix is taken over its own M, so that pictures
    of different sizes compare; `size`, the sum of squares of G / (N M) − A / (N M) (Johnson et al., 2016).
    `mean_weight` is λ in the term λ Σ (Ḡ − Ā)² of the channels' means, which the Gram matrix does not tell apart from
    their variance.
    """

    normalisation: Literal["gatys", "size"] = "gatys"
    mean_weight: float = 0.0

    def describe(self, features: Tensor, mask: Tensor | None = None) -> Statistics:
        statistics = {"moment": second_moment(features, mask)}
        if self.mean_weight:
            statistics["mean"] = mean_of(features, mask)
        return statistics

    def prepare(self, statistics: Statistics) -> Statistics:
        return statistics

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        channels = target["moment"].shape[-1]
        factor = 4 if self.normalisation == "gatys" else 1
        distance = (statistics["moment"] - target["moment"]).square().sum() / (factor * channels**2)
        if self.mean_weight:
            distance = distance + self.mean_weight * (statistics["mean"] - target["mean"]).square().sum()
        return distance
