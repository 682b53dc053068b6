"""Style as the full distribution of features: the sliced Wasserstein distance (Heitz et al., 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.losses.terms import Statistics, weights_of


@dataclass(frozen=True)
class SlicedWasserstein:
    """Mean squared difference of sorted projections on random directions.

    The distribution along each of `directions` unit vectors is described by `quantiles` of it, so that pictures of
    different sizes compare; `seed` fixes the directions.
    """

    directions: int = 64
    quantiles: int = 256
    seed: int = 0

    def describe(self, features: Tensor, mask: Tensor | None = None) -> Statistics:
        flat = (features.float() if features.dtype == torch.bfloat16 else features).flatten(2)
        generator = torch.Generator().manual_seed(self.seed)
        directions = torch.randn(self.directions, flat.shape[1], generator=generator)
        directions = (directions / directions.norm(dim=1, keepdim=True)).to(flat)
        ordered, order = (directions @ flat).sort(dim=2)
        if mask is None:
            return {"quantiles": quantiles_of(ordered, self.quantiles)}
        weights = weights_of(mask).flatten(2).transpose(0, 1)
        parts = [part.expand_as(ordered).gather(2, order) for part in weights.split(1)]
        return {"quantiles": torch.cat([weighted_quantiles_of(ordered, part, self.quantiles) for part in parts])}

    def prepare(self, statistics: Statistics) -> Statistics:
        return statistics

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        return (statistics["quantiles"] - target["quantiles"]).square().mean((1, 2))


def quantiles_of(ordered: Tensor, count: int) -> Tensor:
    """Means (N, D, count) of `count` equal shares of the values, from sorted values (N, D, M)."""
    mean = ordered.mean(2, keepdim=True)
    total = torch.nn.functional.pad((ordered - mean).cumsum(2), (1, 0))
    edges = torch.linspace(0, ordered.shape[2], count + 1, device=ordered.device, dtype=ordered.dtype)
    low = edges.floor().long().clamp_max(ordered.shape[2] - 1)
    at_edges = total[..., low] + (edges - low) * (total[..., low + 1] - total[..., low])
    return at_edges.diff(dim=2) * (count / ordered.shape[2]) + mean


def weighted_quantiles_of(ordered: Tensor, weights: Tensor, count: int) -> Tensor:
    """The same where each value counts by its weight (N, D, M); weights sum to 1 along the last dimension."""
    mean = (ordered * weights).sum(2, keepdim=True)
    total = torch.nn.functional.pad(((ordered - mean) * weights).cumsum(2), (1, 0))
    reached = torch.nn.functional.pad(weights.cumsum(2), (1, 0))
    edges = torch.linspace(0, 1, count + 1, device=ordered.device, dtype=ordered.dtype).expand(*reached.shape[:2], -1)
    high = torch.searchsorted(reached, edges.contiguous()).clamp(1, ordered.shape[2])
    low = high - 1
    span = (reached.gather(2, high) - reached.gather(2, low)).clamp_min(1e-12)
    part = ((edges - reached.gather(2, low)) / span).clamp(0, 1)
    at_edges = total.gather(2, low) + part * (total.gather(2, high) - total.gather(2, low))
    return at_edges.diff(dim=2) * count + mean
