"""From one collection of pictures to another in one pass, learned without pairs: residual (Johnson et al., 2016; Zhu et
al., 2017) or U-Net (Isola et al., 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from impasto.models.stages import WHOLE, Canvas, Field, Stage, Style, steps_of, whole_for

Layout = Literal["residual", "unet"]


class Translator(nn.Module):
    """Stages as a painter's, but from the photo's own pixels: no encoder sees for it.

    Halving is by means of four, so that nothing finer than the new grid is left to alias; doubling is folded into the
    convolution that follows, which smooths it.

    Args:
        layout: `residual`, blocks at a quarter of the size; `unet`, four sizes and what is seen at each joins again.
        width: channels at full size.
        blocks: residual blocks; a U-Net has none.
    """

    content_layers = ("image",)

    def __init__(self, layout: Layout = "residual", width: int = 16, blocks: int = 6) -> None:
        super().__init__()
        if layout not in ("residual", "unet") or not (4 <= width <= 256 and 0 <= blocks <= 32):
            raise ValueError(f"layout {layout}, width {width}, {blocks} blocks")
        self.layout: Layout = layout
        self.width, self.blocks = width, blocks
        self.architecture: dict[str, Any] = {"layout": layout, "width": width, "blocks": blocks}
        w = width
        if layout == "residual":
            stages = [Stage(3, w), Stage(w, 2 * w), Stage(2 * w, 4 * w)]
            stages += [Stage(4 * w, 4 * w) for _ in range(2 * blocks)]
            stages += [Stage(4 * w, 2 * w, enlarge=True), Stage(2 * w, w, enlarge=True)]
        else:
            stages = [Stage(3, w), Stage(w, 2 * w), Stage(2 * w, 4 * w), Stage(4 * w, 8 * w), Stage(8 * w, 8 * w)]
            stages += [Stage(12 * w, 4 * w), Stage(6 * w, 2 * w), Stage(3 * w, w)]
        self.stages = nn.ModuleList(stages)
        self.output = nn.Conv2d(w, 3, 3)
        self.scales = nn.ParameterList([torch.empty(1, stage.width).uniform_(0.96, 1.04) for stage in stages])
        self.shifts = nn.ParameterList([torch.empty(1, stage.width).uniform_(-0.04, 0.04) for stage in stages])

    def style(self, weights: Tensor | None = None) -> Style:
        """The one that it has learned, of N pictures: `weights` (N, 1)."""
        count = 1 if weights is None else len(weights)
        scales, shifts = (
            [rows.expand(count, -1)[:, :, None, None] for rows in both] for both in (self.scales, self.shifts)
        )
        return Style(scales, shifts)

    @property
    def sketched(self) -> list[int]:
        """Channels of what `sketch` gives."""
        return [self.width, 2 * self.width, 4 * self.width]

    def sketch(self, content: Mapping[str, Tensor]) -> list[Tensor]:
        """What it sees of pictures (N, 3, H, W) at full, half and a quarter of the size."""
        return self._down(content["image"], self.style(), WHOLE)[:3]

    def forward(self, content: Mapping[str, Tensor], style: Style) -> Tensor:
        """The painted picture (N, 3, H, W) in [0, 1].

        Args:
            content: the photo, whose sides are multiples of 8, as `image`.
            style: that of `style()`.
        """
        return self.draw(content, style, whole_for(self))

    def draw(self, content: Mapping[str, Field], style: Style, canvas: Canvas[Field]) -> Field:
        """The same, on any canvas."""
        seen = self._down(content["image"], style, canvas)
        steps = steps_of(self.stages, style)
        x = seen.pop()
        if self.layout == "unet":
            x = canvas.stage(x, *steps[4])
            for step in steps[5:]:
                x = canvas.stage(canvas.join(x, seen.pop()), *step)
            return canvas.colours(self.output, x)
        x = canvas.unsettled(x)
        for number in range(3, 3 + 2 * self.blocks, 2):
            x = canvas.add(x, canvas.stage(canvas.stage(x, *steps[number]), *steps[number + 1]))
        for step in steps[-2:]:
            x = canvas.stage(x, *step)
        return canvas.colours(self.output, x)

    def _down(self, picture: Field, style: Style, canvas: Canvas[Field]) -> list[Field]:
        steps = steps_of(self.stages, style)[: 3 if self.layout == "residual" else 4]
        seen = [canvas.stage(picture, *steps[0])]
        for step in steps[1:]:
            seen.append(canvas.stage(canvas.halved(seen[-1]), *step))
        return seen
