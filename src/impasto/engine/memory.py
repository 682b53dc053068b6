"""How much memory a descent takes, before it starts, and the tiles in which it takes no more than it may."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from impasto.encoders.encoder import LARGE, Architecture
from impasto.engine.tiles import STEP

WHOLE = 0
LARGEST_TILE, SMALLEST_TILE = 1024, 128
_FIXED = 420e6
_PICTURES = 110
_MASKS = 40
_GRADIENTS, _GRADIENTS_IN_STRIPS = 3, 1.3


@dataclass(frozen=True)
class Footprint:
    """Bytes that a descent takes: `fixed`, for each pixel of the picture, and for each that is judged at once.

    `kept`: for each pixel in tiles, besides, of the photo's features. `in_strips` is `judged` where so many pixels are
    judged at once that the encoder takes its first layers strip by strip. `reach`: how many pixels around a tile are
    judged with it.
    """

    fixed: float
    picture: float
    kept: float
    judged: float
    in_strips: float
    reach: int

    def peak(self, pixels: int, side: int = WHOLE) -> float:
        """Bytes for a picture of so many pixels, in tiles of `side` or in one piece."""
        window = (side + 2 * self.reach) ** 2
        judged, kept = (pixels, 0.0) if side == WHOLE or pixels <= window else (window, self.kept)
        each = self.in_strips if judged > LARGE else self.judged
        return self.fixed + (self.picture + kept) * pixels + each * judged

    def side(self, pixels: int, budget: float) -> int | None:
        """The side of the largest tiles with which it fits into `budget`; 0 in one piece, None if not at all."""
        if self.peak(pixels) <= budget:
            return WHOLE
        sides = range(LARGEST_TILE, SMALLEST_TILE - 1, -4 * STEP)
        return next((side for side in sides if self.peak(pixels, side) <= budget), None)

    def least(self, pixels: int) -> float:
        """Bytes below which it cannot be done."""
        return min(self.peak(pixels), self.peak(pixels, SMALLEST_TILE))

    def most_pixels(self, budget: float) -> int:
        """Of the largest picture that fits."""
        window = self.judged * (SMALLEST_TILE + 2 * self.reach) ** 2
        return max(0, int((budget - self.fixed - window) / (self.picture + self.kept)))


def footprint(
    architecture: Architecture, layers: Iterable[str], content: Iterable[str], reach: int, regions: int, value: int
) -> Footprint:
    """What a descent on features of `layers` takes, of which the photo's `content` layers are kept.

    Each of `regions`, where there are any, has masks of all sizes; features take `value` bytes each, the photo's two
    in tiles. Each convolution keeps its output until the gradient has passed, each pooling eight bytes for every value,
    and on the way back several gradients of the widest layer are alive at once.
    """
    layers, content, names = {*layers}, {*content}, architecture.layers()
    deepest = max(names.index(layer) for layer in layers)
    judged = in_strips = widest = photo = 0.0
    channels, area, stripped = 3, 1.0, False
    for name, following in zip(names[: deepest + 1], [*names[1:], ""]):
        if name.startswith("conv"):
            channels = architecture.convolutions[name[4:]]
            widest = max(widest, value * area * channels)
        elif name.startswith("relu"):
            judged += value * area * channels
            stripped = following.startswith("pool") and name not in layers
            in_strips += 0 if stripped else value * area * channels
        else:
            area /= 4
            judged += 8 * area * channels
            in_strips += value * area * channels if stripped else 8 * area * channels
        if name in content:
            photo += 2 * area * channels
    return Footprint(
        _FIXED,
        _PICTURES + _MASKS * regions,
        photo,
        judged + _GRADIENTS * widest,
        in_strips + _GRADIENTS_IN_STRIPS * widest,
        reach,
    )
