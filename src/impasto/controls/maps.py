"""Maps of colours, as segmentation draws them: each colour is a region, and stray colours between them are none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from impasto.errors import PictureError

if TYPE_CHECKING:
    from torch import Tensor

MOST_COLORS = 32
NEAR = 48  # of 255: as far as JPEG and soft brushes carry a colour, and nearer than people choose two
_FLAT = 24
_FEWEST = 9
_STEP = 8


def colors_of(pixels: Tensor, name: str = "map") -> list[str]:
    """The colours (six hexadecimal digits) of a map (1, 3, H, W) in [0, 1] that fill places, the commonest first.

    Colours that only lie on edges, as resampling and soft brushes leave them, fill none: they are counted where all of
    3x3 pixels are alike.

    Raises:
        PictureError: it has more colours than regions can be.
    """
    import torch
    import torch.nn.functional as F

    levels = pixels[0] * 255
    spread = F.max_pool2d(levels[None], 3, 1) + F.max_pool2d(-levels[None], 3, 1)
    flat = levels[:, 1:-1, 1:-1][:, spread[0].amax(0) <= _FLAT]
    codes = (flat / _STEP).long()
    _, inverse, counts = torch.unique(
        (codes[0] << 16) + (codes[1] << 8) + codes[2], return_inverse=True, return_counts=True
    )
    sums = torch.zeros(len(counts), 3, dtype=torch.float64).index_add_(0, inverse, flat.T.double())
    chosen: list[Tensor] = []
    for at in counts.argsort(descending=True, stable=True).tolist():
        mean = sums[at] / counts[at]
        if counts[at] >= _FEWEST and all(float((mean - one).abs().max()) > NEAR for one in chosen):
            chosen.append(mean)
        if len(chosen) > MOST_COLORS:
            raise PictureError(
                f"{name} has more than {MOST_COLORS} colours that fill places; give a map of flat colours."
            )
    return ["".join(f"{round(float(value)):02x}" for value in color) for color in chosen]


def alike(color: str, others: Sequence[str]) -> str | None:
    """The one of `others` that is the same colour but for resampling, or None."""
    near = min(others, key=lambda one: _apart(one, color), default=None)
    return near if near and _apart(near, color) <= NEAR else None


def _apart(one: str, other: str) -> int:
    return max(abs(a - b) for a, b in zip(bytes.fromhex(one), bytes.fromhex(other)))


def places_of(pixels: Tensor, colors: Sequence[str], color: str) -> Tensor:
    """Where (1, 1, H, W) `color` is the nearest of `colors` in a map (1, 3, H, W): 0 or 1."""
    import torch

    known = torch.tensor([list(bytes.fromhex(one)) for one in colors], dtype=pixels.dtype) / 255
    best, nearest = torch.full_like(pixels[:, :1], 9.0), torch.zeros_like(pixels[:, :1])
    for number, one in enumerate(known):
        distance = (pixels - one.view(1, 3, 1, 1)).square().sum(1, keepdim=True)
        nearest = torch.where(distance < best, torch.full_like(nearest, number), nearest)
        best = torch.minimum(best, distance)
    return (nearest == colors.index(color)).to(pixels.dtype)
