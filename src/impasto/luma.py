"""The light of a picture, without its colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""What red, green and blue have of it (ITU-R BT.601)."""


def luma(pictures: Tensor) -> Tensor:
    """(N, 1, H, W) of `pictures` (N, 3, H, W), both in [0, 1]."""
    red, green, blue = pictures.split(1, 1)
    light: Tensor = LUMA[0] * red
    return light.add_(green, alpha=LUMA[1]).add_(blue, alpha=LUMA[2])
