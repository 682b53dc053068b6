"""How much memory a descent takes, before it starts, and the tiles in which it takes no more than it may."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from impasto.encoders.encoder import IN_STRIPS_BEYOND, Encoder
from impasto.engine.tiles import STEP, window_pixels

IN_ONE_PIECE = 0
LARGEST_TILE, SMALLEST_TILE = 1024, 128

# Bytes of the process; for each pixel of the picture, and of each region; gradients of the widest layer at once. With
# these, what `benchmarks/estimate.py` measures on an AMD EPYC is met within a quarter.
_FIXED = 420e6
_PICTURES = 110
_MASKS = 40
_GRADIENTS, _GRADIENTS_IN_STRIPS = 3, 1.3
_ORDERED, _ORDERED_REGION = 1500, 450  # five layers along 64 directions; 900x900 pixels, none and two regions


@dataclass(frozen=True)
class Footprint:
    """Bytes that a descent takes: `fixed`, for each pixel of the picture, and for each that is judged at once.

    `kept`: for each pixel in tiles, besides, of the photo's features. `in_strips` is `judged` where so many pixels are
    judged at once that the encoder takes its first layers strip by strip. `reach`: how many pixels around a tile are
    judged with it; None where there can be no tiles.
    """

    fixed: float
    picture: float
    kept: float
    judged: float
    in_strips: float
    reach: int | None

    def peak(self, pixels: int, side: int = IN_ONE_PIECE) -> float:
        """Bytes for a picture of so many pixels, in tiles of `side` or in one piece."""
        window = window_pixels(side, self.reach or 0)
        judged, kept = (pixels, 0.0) if side == IN_ONE_PIECE or pixels <= window else (window, self.kept)
        each = self.in_strips if judged > IN_STRIPS_BEYOND else self.judged
        return self.fixed + (self.picture + kept) * pixels + each * judged

    def side(self, pixels: int, budget: float) -> int | None:
        """The side of the largest tiles with which it fits into `budget`; 0 in one piece, None if not at all."""
        if self.peak(pixels) <= budget:
            return IN_ONE_PIECE
        if self.reach is None:
            return None
        sides = range(LARGEST_TILE, SMALLEST_TILE - 1, -4 * STEP)
        return next((side for side in sides if self.peak(pixels, side) <= budget), None)

    def least(self, pixels: int) -> float:
        """Bytes below which it cannot be done."""
        return self.peak(pixels) if self.reach is None else min(self.peak(pixels), self.peak(pixels, SMALLEST_TILE))

    def most_pixels(self, budget: float) -> int:
        """Of the largest picture that fits."""
        whole = (budget - self.fixed) / (self.picture + self.judged)
        if self.reach is None:
            return max(0, int(whole))
        window = self.judged * window_pixels(SMALLEST_TILE, self.reach)
        return max(0, int((budget - self.fixed - window) / (self.picture + self.kept)))


def footprint(
    encoder: Encoder, layers: Iterable[str], content: Iterable[str], regions: int, value: int, *, ordered: bool = False
) -> Footprint:
    """What a descent on features of `layers` takes, of which the photo's `content` layers are kept.

    Each of `regions`, where there are any, has masks of all sizes; features take `value` bytes each, the photo's two
    in tiles, indices eight. On the way back several gradients of the widest layer are alive at once. Where the style
    loss puts features in `ordered` rows, these count, and all must be seen at once.
    """
    values = encoder.values(layers, content)
    rows = _ORDERED + _ORDERED_REGION * regions if ordered else 0
    return Footprint(
        fixed=_FIXED,
        picture=_PICTURES + _MASKS * regions,
        kept=2 * values.photo,
        judged=value * (values.kept + _GRADIENTS * values.widest) + 8 * values.indices + rows,
        in_strips=value * (values.kept_in_strips + _GRADIENTS_IN_STRIPS * values.widest)
        + 8 * values.indices_in_strips
        + rows,
        reach=None if ordered else encoder.reach,
    )
