"""Style as mean and deviation of each feature channel (Li et al., 2017; Huang and Belongie, 2017)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from impasto.losses.terms import Statistics, mean_of


@dataclass(frozen=True)
class Moments:
    """Σ (μ − μ_s)² + Σ (σ − σ_s)² over the channels.

    `normalisation`: `sum`, as written; `mean`, divided by the number of channels; `relative`, divided by
    Σ (μ_s² + σ_s²).
    """

    normalisation: Literal["sum", "mean", "relative"] = "sum"

    def describe(self, features: Tensor, mask: Tensor | None = None) -> Statistics:
        features = features.float() if features.dtype == torch.bfloat16 else features
        return {"mean": mean_of(features, mask), "square": mean_of(features.square(), mask)}

    def prepare(self, statistics: Statistics) -> Statistics:
        return statistics

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        distance = (statistics["mean"] - target["mean"]).square() + (deviation(statistics) - deviation(target)).square()
        if self.normalisation == "relative":
            return distance.sum(1) / target["square"].sum(1).clamp_min(1e-12)
        return distance.sum(1) if self.normalisation == "sum" else distance.mean(1)


def deviation(statistics: Statistics) -> Tensor:
    """Standard deviation (N, C) from the mean and the mean square."""
    variance = statistics["square"] - statistics["mean"].square()
    return variance.clamp_min(1e-10).sqrt()
