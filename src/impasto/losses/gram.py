"""Style as correlations between feature channels (Gatys et al., 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from impasto.losses.sums import moments
from impasto.losses.terms import Statistics, weights_of


def moments_of(features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Means of f (N, C) and of f fᵀ (N, C, C) over the places of `features` (N, C, H, W); the latter is the Gram matrix
    over the number of places.

    With `mask` (1, R, H, W), of one picture and weighted by each of its R parts in turn: (R, C) and (R, C, C).
    """
    return moments(features, None if mask is None else weights_of(mask)[0].flatten(1))


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
        mean, moment = moments_of(features, mask)
        return {"moment": moment, "mean": mean} if self.mean_weight else {"moment": moment}

    def prepare(self, statistics: Statistics) -> Statistics:
        return statistics

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        channels = target["moment"].shape[-1]
        factor = 4 if self.normalisation == "gatys" else 1
        distance = (statistics["moment"] - target["moment"]).square().sum((1, 2)) / (factor * channels**2)
        if self.mean_weight:
            distance = distance + self.mean_weight * (statistics["mean"] - target["mean"]).square().sum(1)
        return distance
