"""Style as the full distribution of features: the sliced Wasserstein distance (Heitz et al., 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.losses.terms import Statistics


@dataclass(frozen=True)
class SlicedWasserstein:
    """Mean squared difference of sorted projections on random directions.

    The distribution along each of `directions` unit vectors is described by `quantiles` of it, so that pictures of
    different sizes compare; `seed` fixes the directions.
    """

    directions: int = 64
    quantiles: int = 256
    seed: int = 0

    def describe(self, features: Tensor) -> Statistics:
        flat = features.flatten(2)
        generator = torch.Generator().manual_seed(self.seed)
        directions = torch.randn(self.directions, flat.shape[1], generator=generator)
        directions = (directions / directions.norm(dim=1, keepdim=True)).to(flat)
        ordered = (directions @ flat).sort(dim=2).values
        return {"quantiles": quantiles_of(ordered, self.quantiles)}

    def prepare(self, statistics: Statistics) -> Statistics:
        return statistics

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        return (statistics["quantiles"] - target["quantiles"]).square().mean()


def quantiles_of(ordered: Tensor, count: int) -> Tensor:
    """Means (N, D, count) of `count` equal shares of the values, from sorted values (N, D, M)."""
    mean = ordered.mean(2, keepdim=True)
    total = torch.nn.functional.pad((ordered - mean).cumsum(2), (1, 0))
    edges = torch.linspace(0, ordered.shape[2], count + 1, device=ordered.device, dtype=ordered.dtype)
    low = edges.floor().long().clamp_max(ordered.shape[2] - 1)
    at_edges = total[..., low] + (edges - low) * (total[..., low + 1] - total[..., low])
    return at_edges.diff(dim=2) * (count / ordered.shape[2]) + mean
