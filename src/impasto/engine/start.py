"""The first picture that the optimiser sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Start = Literal["content", "noise", "color", "instant"]
PlainStart = Literal["content", "noise", "color"]


def first_image(start: PlainStart, content: Tensor, style: Tensor, seed: int) -> Tensor:
    """The picture (1, 3, H, W) in [0, 1] to start from, of the size of `content`.

    `content`, the photo; `noise`, grey with white noise; `color`, the photo's light and shade in the mean and spread of
    the style's colours.
    """
    if start == "content":
        return content.clone()
    if start == "noise":
        import torch

        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(content.shape, generator=generator).to(content)
        return (0.5 + 0.15 * noise).clamp(0, 1)
    mean, spread = content.mean((2, 3), keepdim=True), content.std((2, 3), keepdim=True)
    wanted, spread_wanted = style.mean((2, 3), keepdim=True), style.std((2, 3), keepdim=True)
    return ((content - mean) / (spread + 1e-4) * spread_wanted + wanted).clamp(0, 1)
