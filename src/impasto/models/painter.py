"""One style, or several and all between them, in one pass (Johnson et al., 2016; Dumoulin et al., 2017).

It starts from the encoder's relu3_1, stripped of each channel's contrast, so that it need not learn to see, but only to
paint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from impasto.models.stages import Canvas, Field, Stage, Style, steps_of, whole_for

WIDTHS = (64, 64, 32, 16)


class Painter(nn.Module):
    """Conditional instance normalisation: a row of scales and shifts for each style and size, shared convolutions.

    Args:
        channels: {"relu3_1": channels} of the encoder.
        styles: how many.
        widths: channels at an eighth, a quarter, half and full resolution.
        blocks: residual blocks at an eighth.
        sizes: long sides of pictures for which it has learned each style, rising: strokes grow with the picture.
    """

    content_layers = ("relu3_1",)

    def __init__(
        self,
        channels: Mapping[str, int],
        styles: int,
        widths: Sequence[int] = WIDTHS,
        blocks: int = 3,
        sizes: Sequence[int] = (512,),
    ) -> None:
        super().__init__()
        if not 0 <= blocks <= 32:
            raise ValueError(f"{blocks} blocks")
        if not sizes or list(sizes) != sorted({*sizes}) or not min(sizes) >= 64:
            raise ValueError(f"sizes {sizes}")
        self.styles: int = styles
        self.blocks: int = blocks
        self.sizes = tuple(sizes)
        self.architecture: dict[str, Any] = {
            "channels": {"relu3_1": channels["relu3_1"]},
            "styles": styles,
            "widths": list(widths),
            "blocks": blocks,
            "sizes": list(sizes),
        }
        detail = channels["relu3_1"]
        deep, quarter, half, full = widths
        stages = [
            Stage(detail, deep, stride=2),
            *[Stage(deep, deep) for _ in range(2 * blocks)],
            Stage(deep + detail, quarter),
            Stage(quarter, half, enlarge=True),
            Stage(half, full, enlarge=True),
        ]
        self.stages = nn.ModuleList(stages)
        self.output = nn.Conv2d(full, 3, 3)
        rows = styles * len(sizes)
        self.scales = nn.ParameterList([torch.empty(rows, stage.width).uniform_(0.96, 1.04) for stage in stages])
        self.shifts = nn.ParameterList([torch.empty(rows, stage.width).uniform_(-0.04, 0.04) for stage in stages])

    def style(self, weights: Tensor, size: int = 512) -> Style:
        """What `forward` needs of N mixtures: `weights` (N, styles), whose rows sum to 1.

        `size` is the long side of the whole picture; between two that it has learned, it mixes them.
        """
        return self.mixed(mixture_at(size, self.sizes, weights))

    def mixed(self, weights: Tensor) -> Style:
        """The same of `weights` (N, styles x sizes): for each style, each size in turn."""
        scales = [(weights @ rows)[:, :, None, None] for rows in self.scales]
        return Style(scales, [(weights @ rows)[:, :, None, None] for rows in self.shifts])

    def forward(self, content: Mapping[str, Tensor], style: Style) -> Tensor:
        """The painted picture (N, 3, H, W) in [0, 1].

        Args:
            content: features of the photo, whose sides are multiples of 8, at relu3_1.
            style: of N mixtures.
        """
        return self.draw(content, style, whole_for(self))

    def draw(self, content: Mapping[str, Field], style: Style, canvas: Canvas[Field]) -> Field:
        """The same, on any canvas."""
        steps = steps_of(self.stages, style)
        detail = canvas.unsettled(canvas.normalised(content["relu3_1"]))
        x = canvas.stage(detail, *steps[0])
        for number in range(1, len(steps) - 3, 2):
            inner = canvas.stage(x, *steps[number])
            x = canvas.add(x, canvas.stage(inner, *steps[number + 1]))
        x = canvas.join(x, detail)
        for step in steps[-3:]:
            x = canvas.stage(x, *step)
        return canvas.colours(self.output, x)


def mixture_at(size: int, sizes: Sequence[int], weights: Tensor) -> Tensor:
    """`weights` (N, styles) shared out to each style at each of `sizes` (N, styles x sizes), for a picture of `size`.

    Shares are linear in the size's logarithm; beyond the last one, it alone counts.
    """
    place = math.log2(min(max(size, sizes[0]), sizes[-1]))
    known = [math.log2(each) for each in sizes]
    shares = [0.0] * len(sizes)
    upper = next(number for number, each in enumerate(known) if place <= each)
    lower = max(0, upper - 1)
    share = (place - known[lower]) / (known[upper] - known[lower]) if upper else 1.0
    shares[lower] += 1 - share
    shares[upper] += share
    return (weights.unsqueeze(2) * weights.new_tensor(shares)).flatten(1)
