"""Pictures of any size judged in stated memory, exactly: what they are judged by are means over places.

A first walk over the tiles gives the means, and how the loss depends on them; a second the gradient of each tile, with
as much around it as its features depend on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from impasto.losses.terms import PlaceLoss, Statistics, Targets, Term
from impasto.masks import Masks

STEP = 16
"""Tiles begin at multiples of it, so that pooling falls on the same pixels as in the whole."""

Slices = tuple[slice, slice]


class Slope(NamedTuple):
    """A loss, its named parts, and its gradient (1, 3, H, W)."""

    loss: float
    parts: dict[str, float]
    gradient: Tensor


@dataclass(frozen=True)
class Tile:
    """Part of a picture: `inner`, what it answers for, and `window`, that and what it depends on around it."""

    inner: Slices
    window: Slices

    @property
    def pixels(self) -> int:
        """How many are in the window."""
        height, width = (int(part.stop) - int(part.start) for part in self.window)
        return height * width

    def step(self, features: Tensor) -> int:
        """How many pixels of the window lie between two places of its `features`."""
        width, step = self.window[1].stop - self.window[1].start, 1
        while width // (2 * step) >= max(1, features.shape[3]):
            step *= 2
        return step

    def of(self, features: Tensor) -> tuple[Tensor, Slices]:
        """Of `features` (N, C, h, w) of the window those of the tile, and where in the whole picture's they lie."""
        step = self.step(features)
        at, places = [], []
        for inner, window, length in zip(self.inner, self.window, features.shape[2:]):
            first = (inner.start - window.start) // step
            last = min((inner.stop - window.start) // step, length)
            at.append(slice(first, last))
            places.append(slice(inner.start // step, inner.start // step + last - first))
        return features[..., at[0], at[1]], (places[0], places[1])


def tiles_of(height: int, width: int, side: int, reach: int) -> Iterator[Tile]:
    """Tiles of `side` pixels that cover a picture, each in a window with `reach` pixels around it."""
    reach = -(-reach // STEP) * STEP
    for top in range(0, height, side):
        for left in range(0, width, side):
            inner = slice(top, min(top + side, height)), slice(left, min(left + side, width))
            spans = [
                slice(max(0, part.start - reach), min(length, part.stop + reach))
                for part, length in zip(inner, (height, width))
            ]
            yield Tile(inner, (spans[0], spans[1]))


def window_pixels(side: int, reach: int) -> int:
    """Of the largest tile, and what is around it; what has no more is judged in one piece."""
    return (side + 2 * reach) ** 2


def overhead(height: int, width: int, side: int, reach: int) -> float:
    """How many times as long a picture takes to judge in tiles: they overlap, and are walked twice, once there only."""
    windows = sum(tile.pixels for tile in tiles_of(height, width, side, reach))
    return 4 / 3 * windows / (height * width)


class Means:
    """Statistics of a whole from those of its tiles, summed in float64, which not all devices know, on the CPU."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, str], Statistics] = {}
        self.places: dict[tuple[str, str], Tensor] = {}

    def add(self, of: tuple[str, str], statistics: Statistics, places: Tensor) -> None:
        """Statistics (R, ...) of a term and layer, of so many places (R,)."""
        self.device, count = places.device, places.cpu().double()
        self.places[of] = self.places[of] + count if of in self.sums else count
        own = self.sums.setdefault(of, {})
        for name, value in statistics.items():
            weighted = _along(count, value) * value.cpu().double()
            own[name] = own[name] + weighted if name in own else weighted

    def share(self, of: tuple[str, str], places: Tensor) -> Tensor:
        """Of all places of a term and layer, that of so many (R,)."""
        return (places.cpu() / self.places[of].clamp_min(1e-9)).float().to(places.device)

    def means(self) -> dict[str, Targets]:
        """{term: {layer: statistics}}."""
        result: dict[str, Targets] = {}
        for (term, layer), own in self.sums.items():
            places = self.places[term, layer].clamp_min(1e-9)
            means = {name: places if name == "places" else value / _along(places, value) for name, value in own.items()}
            result.setdefault(term, {})[layer] = {name: mean.float().to(self.device) for name, mean in means.items()}
        return result


def _along(count: Tensor, value: Tensor) -> Tensor:
    """`count` (R,) in the shape of statistics (R, ...)."""
    return count.view(-1, *[1] * (value.dim() - 1))


@dataclass(frozen=True)
class Sight:
    """How a picture of `size` (height, width) is seen and described, a tile of `side` pixels at a time.

    `see` gives (layer, features) of some pixels, which depend on no more than `reach` pixels around; `photo` is what
    `losses.terms.describe` says.
    """

    terms: Sequence[Term]
    see: Callable[[Tensor], Iterator[tuple[str, Tensor]]]
    size: tuple[int, int]
    side: int
    reach: int
    masks: Masks | None = None
    photo: Mapping[str, Targets] | None = None

    def tiles(self) -> Iterator[Tile]:
        """All that cover the picture."""
        return tiles_of(*self.size, self.side, self.reach)

    def describe(self, pixels: Tensor, tile: Tile) -> Iterator[tuple[Term, str, Statistics, Tensor]]:
        """Term, layer, statistics, and the places (R,) over which they are means, of the `pixels` of a window."""
        for layer, features, place, step in self.features(pixels, tile):
            own = self.masks and self.masks.at(self.size[0] // step, self.size[1] // step)
            for term in (term for term in self.terms if layer in term.layers):
                mask = term.mask_of(own)
                mask = mask if mask is None else mask[(..., *place)]
                places = features.new_full((1,), features.shape[2] * features.shape[3], dtype=torch.float32)
                if isinstance(term.loss, PlaceLoss):
                    assert self.photo is not None
                    theirs = self.photo[term.name][layer]["photo"][(..., *place)]
                    yield term, layer, term.loss.describe(features, theirs, mask), places
                else:
                    places = places if mask is None else mask.sum((0, 2, 3))
                    yield term, layer, term.loss.describe(features, mask), places

    def features(self, pixels: Tensor, tile: Tile) -> Iterator[tuple[str, Tensor, Slices, int]]:
        """Layer, features of the tile, where they lie in those of the picture, and how many pixels lie between two."""
        for layer, full in self.see(pixels):
            features, place = tile.of(full)
            if features.shape[2] * features.shape[3]:
                yield layer, features, place, tile.step(full)


def photo_in_tiles(photo: Tensor, sight: Sight) -> dict[str, Targets]:
    """What `losses.terms.describe` keeps of the photo (1, 3, H, W) itself; its features as float16."""
    means, kept = Means(), dict[str, Tensor]()
    places = {layer for term in sight.terms if isinstance(term.loss, PlaceLoss) for layer in term.layers}
    described = replace(sight, terms=[term for term in sight.terms if not isinstance(term.loss, PlaceLoss)])
    for tile in sight.tiles():
        pixels = photo[(..., *tile.window)]
        if described.terms:
            for term, layer, statistics, count in described.describe(pixels, tile):
                means.add((term.name, layer), statistics, count)
        for layer, features, place, step in sight.features(pixels, tile):
            if layer in places:
                if layer not in kept:
                    size = (1, features.shape[1], photo.shape[2] // step, photo.shape[3] // step)
                    kept[layer] = torch.empty(size, dtype=torch.float16, device=photo.device).contiguous(
                        memory_format=torch.channels_last
                    )
                kept[layer][(..., *place)] = features
    result = means.means()
    for term in sight.terms:
        if isinstance(term.loss, PlaceLoss):
            masks = {layer: sight.masks and sight.masks.at(*kept[layer].shape[2:]) for layer in term.layers}
            result[term.name] = {
                layer: {"photo": term.loss.photo(kept[layer], term.mask_of(masks[layer]))} for layer in term.layers
            }
    return result


def slope_in_tiles(
    image: Tensor, sight: Sight, judge: Callable[[Mapping[str, Targets]], tuple[Tensor, dict[str, float]]]
) -> Slope:
    """How `image` (1, 3, H, W) is judged; `judge` gives the loss of a whole."""
    means = Means()
    with torch.no_grad():
        for tile in sight.tiles():
            for term, layer, statistics, places in sight.describe(image[(..., *tile.window)], tile):
                means.add((term.name, layer), statistics, places)
    loss, parts, slopes = _slopes(means.means(), judge)
    gradient = torch.zeros_like(image)
    for tile in sight.tiles():
        part = image[(..., *tile.window)].detach().requires_grad_()
        with torch.enable_grad():
            linear = part.new_zeros(())
            for term, layer, statistics, places in sight.describe(part, tile):
                share = means.share((term.name, layer), places)
                for name, value in statistics.items():
                    slope = slopes.get((term.name, layer, name))
                    if slope is not None and value.requires_grad:
                        linear = linear + (_along(share, value) * slope * value).sum()
        if linear.requires_grad:
            gradient[(..., *tile.window)] += torch.autograd.grad(linear, part)[0]
    return Slope(loss, parts, gradient)


def _slopes(
    whole: Mapping[str, Targets], judge: Callable[[Mapping[str, Targets]], tuple[Tensor, dict[str, float]]]
) -> tuple[float, dict[str, float], dict[tuple[str, str, str], Tensor]]:
    """The loss, its parts, and its derivatives by {(term, layer, name): statistics}."""
    leaves = {
        (term, layer, name): value.requires_grad_()
        for term, layers in whole.items()
        for layer, named in layers.items()
        for name, value in named.items()
    }
    with torch.enable_grad():
        loss, parts = judge(whole)
    slopes = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    return float(loss.detach()), parts, {key: slope for key, slope in zip(leaves, slopes) if slope is not None}
