"""Grain: in what is quite flat, a network paints a regular weave, as the same input gives the same mark everywhere."""

from __future__ import annotations

from functools import cache, lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

AMOUNT = 0.01
_SIDE = 1024
_DETAIL = 3.0
_VARIATION = 0.03  # of what was tried by eye, 0.01 to 0.06: another picture, in which nothing is out of place
_SPOT = 8
PLANE = 256
_ROWS_APART, _COLUMNS_APART = 97, 61

_GRAIN = torch.randn(PLANE, PLANE, generator=torch.Generator().manual_seed(1), device="cpu")
_remembered: dict[tuple[object, ...], Tensor] = {}


def grained(photo: Tensor, top: int = 0, left: int = 0) -> Tensor:
    """`photo` (1, 3, H, W), or the part of one that begins at `top` and `left`, with grain of a deviation of 0.01."""
    rows, columns = _places(photo, top, left)
    return photo + _grain()[rows][:, columns].to(photo.device)


def varied(photo: Tensor, seed: int, top: int = 0, left: int = 0) -> Tensor:
    """`photo` (1, 3, H, W), or the part of one that begins at `top` and `left`, in the variation `seed`; 0: as it is.

    Soft spots of colour, as broad as a stroke, change which marks a network makes and where.
    """
    if not seed:
        return photo
    rows, columns = _places(photo, top, left)
    return (photo + _spots(seed)[:, rows][:, :, columns].to(photo.device)).clamp(0, 1)


def _places(photo: Tensor, top: int, left: int) -> tuple[Tensor, Tensor]:
    """The rows and columns of a plane of grain that lie on this part of a photo."""
    height, width = photo.shape[-2:]
    return torch.arange(top, top + height) % _SIDE, torch.arange(left, left + width) % _SIDE


def unsettled(features: Tensor, top: int = 0, left: int = 0) -> Tensor:
    """Normalised `features` (N, C, H, W) with grain in each channel: much where they say little, hardly any in detail.

    `top` and `left` say where in the whole picture they begin.
    """
    place = (*features.shape[1:], top, left)
    known = (*place, str(features.device))
    grain = _remembered.get(known) if type(place[1]) is int else _grain_at(*place)  # while exported, sizes are symbols
    if grain is None:
        grain = _grain_at(*place).to(features.device)
        _remembered.clear()
        _remembered[known] = grain
    return torch.addcdiv(features, grain, 1 + _DETAIL * features.square().mean(1, keepdim=True))


@torch.inference_mode(False)
def _grain_at(channels: int, height: int, width: int, top: int, left: int) -> Tensor:
    """(1, C, H, W) in channels-last order: each channel sees another part of the same plane."""
    own = torch.arange(channels)
    rows = (torch.arange(top, top + height)[:, None] + _ROWS_APART * own) % PLANE
    columns = (torch.arange(left, left + width)[:, None] + _COLUMNS_APART * own) % PLANE
    return _GRAIN[rows[:, None], columns[None]].permute(2, 0, 1)[None]


@lru_cache(maxsize=2)
def _spots(seed: int) -> Tensor:
    """(3, 1024, 1024) that can be repeated in every direction."""
    coarse = torch.randn(1, 3, _SIDE // _SPOT, _SIDE // _SPOT, generator=torch.Generator().manual_seed(seed))
    margin = 2
    padded = F.pad(coarse, (margin,) * 4, "circular")
    fine = F.interpolate(padded, scale_factor=float(_SPOT), mode="bicubic", align_corners=False)
    inner = slice(margin * _SPOT, margin * _SPOT + _SIDE)
    return _VARIATION * fine[0, :, inner, inner]


@cache
def _grain() -> Tensor:
    return AMOUNT * torch.randn(_SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
