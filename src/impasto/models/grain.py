"""Film grain for a photo: in what is quite flat, a network paints a regular weave."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

AMOUNT = 0.01
_SIDE = 1024


def grained(photo: Tensor, top: int = 0, left: int = 0) -> Tensor:
    """`photo` (1, 3, H, W), or the part of one that begins at `top` and `left`, with grain of a deviation of 0.01."""
    rows, columns = (
        torch.arange(start, start + length) % _SIDE for start, length in zip((top, left), photo.shape[-2:])
    )
    return photo + _grain()[rows][:, columns].to(photo.device)


@cache
def _grain() -> Tensor:
    return AMOUNT * torch.randn(_SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
