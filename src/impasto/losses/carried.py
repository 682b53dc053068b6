"""Unsteadiness as distance from the frame painted before, carried along by the motion (Ruder et al., 2016)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from impasto.losses.terms import Statistics


@dataclass(frozen=True)
class Carried:
    """Mean squared difference of pixels from those `before` (1, 3, H, W), each as sure as `trust` (1, 1, H, W)."""

    before: Tensor
    trust: Tensor

    def describe(self, features: Tensor, mask: Tensor | None = None) -> Statistics:
        return {"image": features}

    def prepare(self, statistics: Statistics) -> Statistics:
        return {}

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        return ((statistics["image"] - self.before).square() * self.trust).mean()
