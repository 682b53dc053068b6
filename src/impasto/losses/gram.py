"""Style as correlations between feature channels (Gatys et al., 2015)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from impasto.losses.terms import Statistics, weights_of

_VALUES = 1 << 18


def second_moment(features: Tensor) -> Tensor:
    """Mean over positions of f fᵀ: (N, C, C) of `features` (N, C, H, W); the Gram matrix over the positions M."""
    flat = features.permute(0, 2, 3, 1).flatten(1, 2)
    return flat.mT @ flat / flat.shape[1]


def moments_of(features: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Means of f (N, C) and of f fᵀ (N, C, C) over the positions of `features` (N, C, H, W).

    With `mask` (1, R, H, W), of one picture and weighted by each of its R parts in turn: (R, C) and (R, C, C).
    """
    if mask is None:
        return features.mean((2, 3)), second_moment(features)
    return _moments_of_parts(features[0].permute(1, 2, 0).flatten(0, 1), weights_of(mask)[0].flatten(1))


class _MomentsOfParts(torch.autograd.Function):
    """A few positions at a time, so that no weighted copy of the features is ever made whole or kept."""

    @staticmethod
    def forward(ctx: Any, flat: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(flat, weights)
        moment = flat.new_zeros(len(weights), flat.shape[1], flat.shape[1])
        for some, own in _some(flat, weights):
            moment += some.mT @ (some * own.unsqueeze(2))
        return weights @ flat, moment

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        flat, weights = ctx.saved_tensors
        slopes = gradients[1] + gradients[1].mT
        result = [
            torch.baddbmm(gradients[0].unsqueeze(1), some.expand(len(weights), -1, -1), slopes)
            .mul_(own.unsqueeze(2))
            .sum(0)
            for some, own in _some(flat, weights)
        ]
        return torch.cat(result), None


_moments_of_parts: Callable[..., tuple[Tensor, Tensor]] = _MomentsOfParts.apply


def _some(flat: Tensor, weights: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Positions that fit into a processor's cache: (n, C) and their weights (R, n)."""
    count = len(flat) if flat.is_cuda else max(1, _VALUES // (flat.shape[1] * (1 + len(weights))))
    return zip(flat.split(count), weights.split(count, 1))


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
        if mask is not None:
            mean, moment = moments_of(features, mask)
            return {"moment": moment, "mean": mean} if self.mean_weight else {"moment": moment}
        statistics = {"moment": second_moment(features)}
        if self.mean_weight:
            statistics["mean"] = features.mean((2, 3))
        return statistics

    def prepare(self, statistics: Statistics) -> Statistics:
        return statistics

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        channels = target["moment"].shape[-1]
        factor = 4 if self.normalisation == "gatys" else 1
        distance = (statistics["moment"] - target["moment"]).square().sum((1, 2)) / (factor * channels**2)
        if self.mean_weight:
            distance = distance + self.mean_weight * (statistics["mean"] - target["mean"]).square().sum(1)
        return distance
