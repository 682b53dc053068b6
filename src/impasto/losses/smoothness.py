"""Smoothness as total variation of the picture (Rudin et al., 1992; Mahendran and Vedaldi, 2015)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from impasto.losses.terms import Statistics


@dataclass(frozen=True)
class TotalVariation:
    """Mean of the absolute (`l1`) or squared (`l2`) differences between neighbouring pixels, across and down."""

    norm: Literal["l1", "l2"] = "l2"

    def describe(self, features: Tensor, mask: Tensor | None = None) -> Statistics:
        return {"image": features}

    def prepare(self, statistics: Statistics) -> Statistics:
        return {}

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        image = statistics["image"]
        across, down = image[..., :, 1:] - image[..., :, :-1], image[..., 1:, :] - image[..., :-1, :]
        if self.norm == "l1":
            return across.abs().mean() + down.abs().mean()
        return across.square().mean() + down.square().mean()
