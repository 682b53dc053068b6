"""Pictures of any size described in constant memory: statistics of tiles are averaged, as those of blends are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.losses.terms import Statistics, Targets

LARGE = 1 << 22
_TILE = 768

Describe = Callable[[Tensor, Tensor | None], Statistics]
See = Callable[[Tensor], Iterable[tuple[str, Tensor]]]


def described(picture: Tensor, encoder: Encoder, describe: Describe, see: See, mask: Tensor | None = None) -> Targets:
    """{layer: statistics (1, ...)} of `picture` (1, 3, H, W); `see` gives (layer, features) of a picture by `encoder`.

    `mask` (1, R, H, W) in [0, 1] says how much each place counts in each of R parts: {layer: statistics (R, ...)}. What
    averages over places is the same as in one piece; quantiles are nearly so.
    """
    if picture.shape[-2] * picture.shape[-1] <= LARGE:
        return {layer: describe(features, _at(mask, features)) for layer, features in see(picture)}
    sums: Targets = {}
    places: dict[str, Tensor] = {}
    for window, inner in _tiles(picture, encoder):
        part = picture[..., window[0], window[1]]
        for layer, full in see(part):
            step = 2 ** int(math.log2(part.shape[-1] / full.shape[-1]))
            rows, columns = (slice(side.start // step, side.stop // step) for side in inner)
            features = full[..., rows, columns]
            weights = None if mask is None else _at(mask[..., window[0], window[1]], full)[..., rows, columns]
            if not features.shape[-2] * features.shape[-1]:
                continue
            whole = features.new_tensor([features.shape[-2] * features.shape[-1]])
            count = whole if weights is None else weights.sum((0, 2, 3))
            places[layer] = places[layer] + count if layer in places else count
            own = sums.setdefault(layer, {})
            for name, value in describe(features, weights).items():
                weighted = _along(count, value) * value
                own[name] = own[name] + weighted if name in own else weighted
    return {
        layer: {name: value / _along(places[layer].clamp_min(1e-9), value) for name, value in own.items()}
        for layer, own in sums.items()
    }


def _along(count: Tensor, value: Tensor) -> Tensor:
    """`count` (R,) in the shape of statistics (R, ...)."""
    return count.view(-1, *[1] * (value.dim() - 1))


def _at(mask: Tensor | None, features: Tensor) -> Any:
    """The mask of a picture at the size of its features."""
    return mask if mask is None else F.adaptive_avg_pool2d(mask, (features.shape[2], features.shape[3])).to(features)


def _tiles(picture: Tensor, encoder: Encoder) -> Iterator[tuple[tuple[slice, slice], tuple[slice, slice]]]:
    """(where a tile lies with as much around it as its features depend on, where the tile lies in that)."""
    reach = encoder.reach
    for top in range(0, picture.shape[-2], _TILE):
        for left in range(0, picture.shape[-1], _TILE):
            spans, inner = [], []
            for start, side in ((top, picture.shape[-2]), (left, picture.shape[-1])):
                first, last = max(0, start - reach), min(side, start + _TILE + reach)
                spans.append(slice(first, last))
                inner.append(slice(start - first, min(side, start + _TILE) - first))
            yield (spans[0], spans[1]), (inner[0], inner[1])
