"""Content as the direction of features, free of their magnitude (as in Zhang et al., ARF, 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from impasto.losses.terms import Statistics


@dataclass(frozen=True)
class Cosine:
    """Mean over positions of 1 − cos(F, P), between the feature vectors of the picture and of the photo."""

    def photo(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        return features

    def describe(self, features: Tensor, photo: Tensor, mask: Tensor | None = None) -> Statistics:
        cosine = F.cosine_similarity(features.float(), photo.float(), dim=1, eps=1e-6)
        return {"distance": (1 - cosine).mean((1, 2))}

    def compare(self, statistics: Statistics) -> Tensor:
        return statistics["distance"]
