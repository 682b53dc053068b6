"""Small stand-ins that behave like the real thing."""

from __future__ import annotations

import torch

from impasto.encoders.encoder import Architecture, Encoder


def tiny_encoder(**widths: int) -> Encoder:
    """A random VGG-shaped encoder, the same each time; by default `1_1: 4, 1_2: 4, 2_1: 6`."""
    table = widths or {"1_1": 4, "1_2": 4, "2_1": 6}
    generator = torch.Generator().manual_seed(0)
    state = {"preprocess.weight": torch.eye(3).view(3, 3, 1, 1), "preprocess.bias": torch.full((3,), -0.5)}
    channels = 3
    for key, width in table.items():
        state[f"conv{key}.weight"] = torch.randn(width, channels, 3, 3, generator=generator) / (3 * channels**0.5)
        state[f"conv{key}.bias"] = torch.randn(width, generator=generator) * 0.1
        channels = width
    return Encoder(Architecture("tiny", table, "reflect"), state)


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    """A smooth random picture (1, 3, H, W) in [0, 1]."""
    coarse = torch.rand(1, 3, 5, 5, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic").clamp(0, 1)
