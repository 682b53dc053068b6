"""One style, or several and all between them, in one pass (Johnson et al., 2016; Dumoulin et al., 2017).

It starts from the encoder's relu3_1, stripped of each channel's contrast, so that it need not learn to see, but only to
paint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from impasto.models.stages import Canvas, Field, Stage, Style, steps_of, whole_for


class Painter(nn.Module):
    """Conditional instance normalisation: a row of scales and shifts for each style, shared convolutions.

    Args:
        channels: {"relu3_1": channels} of the encoder.
        styles: how many.
        widths: channels at an eighth, a quarter, half and full resolution.
        blocks: residual blocks at an eighth.
    """

    content_layers = ("relu3_1",)

    def __init__(
        self, channels: Mapping[str, int], styles: int, widths: Sequence[int] = (64, 64, 32, 16), blocks: int = 3
    ) -> None:
        super().__init__()
        if not 0 <= blocks <= 32:
            raise ValueError(f"{blocks} blocks")
        self.styles: int = styles
        self.blocks: int = blocks
        self.architecture: dict[str, Any] = {
            "channels": {"relu3_1": channels["relu3_1"]},
            "styles": styles,
            "widths": list(widths),
            "blocks": blocks,
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
        self.scales = nn.ParameterList([torch.empty(styles, stage.width).uniform_(0.96, 1.04) for stage in stages])
        self.shifts = nn.ParameterList([torch.empty(styles, stage.width).uniform_(-0.04, 0.04) for stage in stages])

    def style(self, weights: Tensor) -> Style:
        """What `forward` needs of N mixtures: `weights` (N, styles), whose rows sum to 1."""
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
