"""Which sizes a picture is painted at, coarse to fine, and how many steps each gets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from impasto.media.geometry import fit

COARSEST = 128
SMALLEST_SIDE = 32


@dataclass(frozen=True)
class Scale:
    """One size of the pyramid, in pixels, and its steps; `fraction` is its long side over the finest one's."""

    height: int
    width: int
    steps: int
    fraction: float

    @property
    def cost(self) -> float:
        """Work relative to other scales: pixels times steps."""
        return float(self.height * self.width * self.steps)


def style_side(height: int, width: int) -> int:
    """The long side at which styles are looked at for a result of this size; of a panorama, twice its short side."""
    return min(max(height, width), 2 * min(height, width))


def plan_scales(height: int, width: int, steps: Sequence[int], *, pyramid: bool = True) -> list[Scale]:
    """Sizes that double up to (height, width), from a long side near 128.

    `steps` belong to long sides of about 128, 256, 512, ...; each size beyond them gets half the steps of the one
    before. A size with 0 steps is left out; the last one gets the steps of the next instead. Without `pyramid` the only
    size is the last and gets the last of `steps`.
    """
    long_side = max(height, width)
    octaves = max(0, round(math.log2(long_side / COARSEST))) if pyramid else 0
    first = len(steps) - 1 if not pyramid else 0
    scales = []
    for octave in range(octaves + 1):
        fraction = 0.5 ** (octaves - octave)
        h, w = fit(height, width, round(long_side * fraction)) if fraction < 1 else (height, width)
        if min(h, w) < SMALLEST_SIDE and fraction < 1:
            continue
        own = min(octave + first, len(steps) - 1)
        if steps[own] == 0 and fraction < 1:
            continue
        beyond = max(0, octave + first - own)
        count = max(1, next(step for step in steps[own:] if step) >> beyond)
        scales.append(Scale(h, w, count, fraction))
    return scales
