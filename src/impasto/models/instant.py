"""Any content in any style in one pass.

The photo's relu4_1 takes on the mean and covariance of the style's (by optimal transport between Gaussians; Li et al.,
2017, whiten and colour to the same end), and the photo's relu3_1, stripped of its contrast, joins it one level up. From
there on every convolution is followed by instance normalisation, scaled and shifted as a small network reads from the
style's moments (Huang and Belongie, 2017; Ghiasi et al., 2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn

from impasto.models.stages import WHOLE, Canvas, Field, Stage, Style, steps_of

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

READER, BLOCKS = 128, 2  # of a new one

_FAINT = 0.05  # scale of a new block: at 0 its ReLU would pass no slope

ADAPTATION = "adaptation"

Description = Mapping[str, Mapping[str, Tensor]]


class Instant(nn.Module):
    """Output network and style reader.

    Args:
        channels: {layer: channels} of the encoder, for every layer of `STYLE_LAYERS`.
        widths: channels of the stages: two at relu4_1's resolution, two at relu3_1's, two at half, one at full.
        reader: width of the style reader.
        blocks: residual blocks at relu4_1's resolution; a new one changes next to nothing until it has learned to.
    """

    content_layers = ("relu3_1", "relu4_1")

    def __init__(
        self,
        channels: Mapping[str, int],
        widths: Sequence[int] = (128, 96, 96, 64, 48, 48, 16),
        reader: int = READER,
        blocks: int = 0,
    ) -> None:
        super().__init__()
        if not 0 <= blocks <= 32:
            raise ValueError(f"{blocks} blocks")
        self.architecture: dict[str, Any] = {
            "channels": dict(channels),
            "widths": list(widths),
            "reader": reader,
            "blocks": blocks,
        }
        inputs = [channels["relu4_1"], *widths[:-1]]
        inputs[2] += channels["relu3_1"]
        self.stages = nn.ModuleList(
            [Stage(*pair, enlarge=number in (4, 6)) for number, pair in enumerate(zip(inputs, widths))]
        )
        self.between = nn.ModuleList([Stage(widths[1], widths[1]) for _ in range(2 * blocks)])
        self.output = nn.Conv2d(widths[-1], 3, 3)
        self.reader = nn.Sequential(nn.Linear(2 * sum(channels[layer] for layer in STYLE_LAYERS), reader), nn.SiLU())
        self.heads = nn.ModuleList([nn.Linear(reader, 2 * width) for width in [*widths, *[widths[1]] * 2 * blocks]])
        for head in self.heads:
            assert isinstance(head, nn.Linear)
            nn.init.uniform_(head.weight, -0.035, 0.035)  # normal_ on the meta device loads a compiler
            nn.init.zeros_(head.bias)
        for head in self.heads[len(widths) + 1 :: 2]:
            assert isinstance(head, nn.Linear)
            nn.init.zeros_(head.weight)
            nn.init.constant_(head.bias[: widths[1]], _FAINT - 1)

    @property
    def code_length(self) -> int:
        """How many numbers it reads of a style: scales and shifts."""
        return sum(cast(nn.Linear, head).out_features for head in self.heads)

    @property
    def drawing(self) -> list[nn.Parameter]:
        """The weights of all that draws; the rest reads styles."""
        return [weight for part in (self.stages, self.between, self.output) for weight in part.parameters()]

    @property
    def drawing_length(self) -> int:
        """How many numbers these are: W."""
        return sum(weight.numel() for weight in self.drawing)

    @property
    def weights(self) -> Tensor:
        """The weights of all that draws (W,), one after the other."""
        return torch.cat([weight.detach().flatten() for weight in self.drawing])

    @torch.no_grad()
    def changed(self, change: Tensor) -> Instant:
        """A copy that draws by other weights: `change` (W,) is added to its own."""
        copy = deepcopy(self)
        for weight, part in zip(copy.drawing, change.split([weight.numel() for weight in copy.drawing])):
            weight.add_(part.view(weight.shape))
        return copy

    def style(self, description: Description) -> Style:
        """What `forward` needs of N styles: {layer: {"mean" (N, C), "moment" (N, C, C)}} for every style layer.

        An adaptation {"code": (N, code_length), "weights": (N, W)} to the styles is added to what it reads
        and to what draws, if there is one; the regions of a picture are drawn by the mean of what each adds.
        """
        seen = self.reader(moments(description))
        code, adaptation = torch.cat([head(seen) for head in self.heads], 1), description.get(ADAPTATION, {})
        if "code" in adaptation:
            code = code + adaptation["code"]
        change = adaptation["weights"].mean(0) if "weights" in adaptation else None
        parts = code[:, :, None, None].split([cast(nn.Linear, head).out_features for head in self.heads], 1)
        pairs = [part.chunk(2, 1) for part in parts]
        mean, moment = description["relu4_1"]["mean"], description["relu4_1"]["moment"]
        covariance = moment - mean.unsqueeze(2) * mean.unsqueeze(1)
        return Style([1 + scale for scale, _ in pairs], [shift for _, shift in pairs], (mean, covariance), change)

    def forward(self, content: Mapping[str, Tensor], style: Style) -> Tensor:
        """The painted picture (N, 3, H, W) in [0, 1].

        Args:
            content: features of the photo, whose sides are multiples of 8, at relu3_1 and relu4_1.
            style: of N styles.
        """
        return self.draw(content, style, WHOLE)

    def draw(self, content: Mapping[str, Field], style: Style, canvas: Canvas[Field]) -> Field:
        """The same, on any canvas."""
        if style.change is not None:
            return self.changed(style.change).draw(content, replace(style, change=None), canvas)
        assert style.gaussian is not None
        x = canvas.transported(content["relu4_1"], style.gaussian)
        steps = steps_of([*self.stages, *self.between], style)
        count = len(self.stages)
        for number, step in enumerate(steps[:count]):
            if number == 2:
                for first, second in zip(steps[count::2], steps[count + 1 :: 2]):
                    x = canvas.add(x, canvas.stage(canvas.stage(x, *first), *second))
                x = canvas.join(x, canvas.normalised(content["relu3_1"]))
            x = canvas.stage(x, *step)
        return canvas.colours(self.output, x)


def moments(description: Description) -> Tensor:
    """What the style reader reads of N styles (N, 2C): mean and deviation of each layer's channels, compressed."""
    parts = []
    for layer in STYLE_LAYERS:
        mean, moment = description[layer]["mean"], description[layer]["moment"]
        parts += [mean, (moment.diagonal(dim1=1, dim2=2) - mean.square()).clamp_min(1e-6).sqrt()]
    return torch.cat(parts, 1).clamp_min(0).add(1e-2).log()
