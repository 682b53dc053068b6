"""Grain: in what is quite flat, a network paints a regular weave, as the same input gives the same mark everywhere."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

AMOUNT = 0.01
_SIDE = 1024
_UNSETTLED = 1.0
_DETAIL = 3.0
PLANE = 256
_ROWS_APART, _COLUMNS_APART = 97, 61


def grained(photo: Tensor, top: int = 0, left: int = 0) -> Tensor:
    """`photo` (1, 3, H, W), or the part of one that begins at `top` and `left`, with grain of a deviation of 0.01."""
    rows, columns = (
        torch.arange(start, start + length) % _SIDE for start, length in zip((top, left), photo.shape[-2:])
    )
    return photo + _grain()[rows][:, columns].to(photo.device)


def unsettled(features: Tensor, top: int = 0, left: int = 0) -> Tensor:
    """Normalised `features` (N, C, H, W) with grain in each channel: much where they say little, hardly any in detail.

    `top` and `left` say where in the whole picture they begin.
    """
    channels, height, width = features.shape[1:]
    own = torch.arange(channels)[:, None]
    rows = (torch.arange(top, top + height) + _ROWS_APART * own) % PLANE
    columns = (torch.arange(left, left + width) + _COLUMNS_APART * own) % PLANE
    grain = _plane()[rows[:, :, None], columns[:, None, :]].to(features.device)
    return features + grain / (1 + _DETAIL * features.square().mean(1, keepdim=True))


@cache
def _grain() -> Tensor:
    return AMOUNT * torch.randn(_SIDE, _SIDE, generator=torch.Generator().manual_seed(0))


@cache
def _plane() -> Tensor:
    return _UNSETTLED * torch.randn(PLANE, PLANE, generator=torch.Generator().manual_seed(1))
