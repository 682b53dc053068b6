"""One style, or several and all between them, in one pass (Johnson et al., 2016; Dumoulin et al., 2017).

It starts from the encoder's relu3_1, stripped of each channel's contrast, so that it need not learn to see; what is left
to learn is to paint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from impasto.models.stages import WHOLE, Canvas, Field, Stage, Style


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
        self.scales = nn.ParameterList([1 + 0.02 * torch.randn(styles, stage.width) for stage in stages])
        self.shifts = nn.ParameterList([0.02 * torch.randn(styles, stage.width) for stage in stages])

    def style(self, weights: Tensor) -> Style:
        """What `forward` needs of N mixtures: `weights` (N, styles), whose rows sum to 1."""
        scales = [(weights @ rows)[:, :, None, None] for rows in self.scales]
        return Style(scales, [(weights @ rows)[:, :, None, None] for rows in self.shifts])

    def forward(self, content: Mapping[str, Field], style: Style, canvas: Canvas[Field] = WHOLE) -> Field:
        """The painted picture (N, 3, H, W) in [0, 1].

        Args:
            content: features of the photo, whose sides are multiples of 8, at relu3_1.
            style: of N mixtures.
        """
        steps = list(zip(self.stages, style.scales, style.shifts))
        detail = canvas.normalised(content["relu3_1"])
        x = canvas.stage(*_at(steps, 0, detail))
        for number in range(1, len(steps) - 3, 2):
            inner = canvas.stage(*_at(steps, number, x))
            x = canvas.add(x, canvas.stage(*_at(steps, number + 1, inner)))
        x = canvas.join(x, detail)
        for number in range(len(steps) - 3, len(steps)):
            x = canvas.stage(*_at(steps, number, x))
        return canvas.colours(self.output, x)


def _at(steps: Sequence[tuple[nn.Module, Tensor, Tensor]], number: int, x: Field) -> tuple[Stage, Field, Tensor, Tensor]:
    stage, scale, shift = steps[number]
    assert isinstance(stage, Stage)
    return stage, x, scale, shift
