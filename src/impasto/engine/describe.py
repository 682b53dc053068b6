"""Pictures of any size described in constant memory: statistics of tiles are averaged, as those of blends are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.engine.tiles import Means, tiles_of
from impasto.losses.terms import Statistics, Targets

_IN_TILES_BEYOND = 1 << 22
_AT_LEAST = 1 << 20
_TILE = 768

Describe = Callable[[Tensor, Tensor | None], Statistics]
Walk = Callable[[Tensor], Iterable[tuple[str, Tensor]]]


def described(
    picture: Tensor, reach: int | None, describe: Describe, walk: Walk, mask: Tensor | None = None, side: int = 0
) -> Targets:
    """{layer: statistics (1, ...)} of `picture` (1, 3, H, W); `walk` gives (layer, features) of a picture.

    `mask` (1, R, H, W) in [0, 1] says how much each place counts in each of R parts: {layer: statistics (R, ...)}. A
    large picture is described in tiles, of `side` pixels if that is said, where a pixel matters no more than `reach`
    pixels away and statistics are means over places.
    """
    if reach is None or picture.shape[-2] * picture.shape[-1] <= (
        max(side**2, _AT_LEAST) if side else _IN_TILES_BEYOND
    ):
        return {layer: describe(features, _at(mask, features)) for layer, features in walk(picture)}
    means = Means()
    for tile in tiles_of(picture.shape[-2], picture.shape[-1], side or _TILE, reach):
        window = (..., *tile.window)
        for layer, full in walk(picture[window]):
            features, _ = tile.of(full)
            if not features.shape[-2] * features.shape[-1]:
                continue
            weights = None if mask is None else tile.of(_at(mask[window], full))[0]
            whole = features.new_tensor([features.shape[-2] * features.shape[-1]], dtype=torch.float32)
            count = whole if weights is None else weights.sum((0, 2, 3))
            means.add(("", layer), describe(features, weights), count)
    return means.means()[""]


def _at(mask: Tensor | None, features: Tensor) -> Any:
    """The mask of a picture at the size of its features, in float32 at least."""
    dtype = torch.promote_types(features.dtype, torch.float32)
    return (
        mask
        if mask is None
        else F.adaptive_avg_pool2d(mask, (features.shape[2], features.shape[3])).to(features.device, dtype)
    )
