"""Content as the direction of features, free of their magnitude (as in Zhang et al., ARF, 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from impasto.losses.terms import Statistics


@dataclass(frozen=True)
class Cosine:
    """Mean over positions of 1 − cos(F, P), between the feature vectors of the picture and of the photo."""

    def describe(self, features: Tensor, mask: Tensor | None = None) -> Statistics:
        return {"features": features}

    def prepare(self, statistics: Statistics) -> Statistics:
        return statistics

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        return (1 - F.cosine_similarity(statistics["features"], target["features"], dim=1, eps=1e-6)).mean()
