"""Every layer on one scale, so that the weights of losses mean the same for every encoder (Gatys et al., 2016).

The paper scales each filter to a mean activation of 1 over pictures of ImageNet. We have none at hand: each layer as
a whole is scaled to a mean square of 1 on one picture with the spectrum of natural ones (amplitude falling as 1/f).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from impasto.encoders.encoder import Encoder

_SIDE = 192


@torch.no_grad()
def normalise(encoder: Encoder) -> Encoder:
    """Scale `encoder`'s layers in place, undoing each below in the next above; what it sees stays the same."""
    rectified = [layer for layer in encoder.layers if layer.startswith("relu")]
    seen = encoder(natural_picture(), rectified)
    below = 1.0
    for layer in rectified:
        convolution = encoder.convolutions[f"conv{layer[4:]}"]
        assert isinstance(convolution, nn.Conv2d)
        assert convolution.bias is not None
        scale = 1 / max(float(seen[layer].square().mean().sqrt()), 1e-6)
        convolution.weight *= scale / below
        convolution.bias *= scale
        below = scale
    return encoder


def natural_picture() -> Tensor:
    """A picture (1, 3, 192, 192) in [0, 1] of coloured noise with natural power; always the same."""
    noise = torch.randn(3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(0))
    frequency = torch.fft.fftfreq(_SIDE).view(-1, 1).hypot(torch.fft.rfftfreq(_SIDE).view(1, -1)).clamp_min(1 / _SIDE)
    fields = torch.fft.irfft2(torch.fft.rfft2(noise) / frequency, s=(_SIDE, _SIDE))
    light, first, second = fields / fields.std((1, 2), keepdim=True)
    channels = torch.stack([light + 0.3 * first, light, light + 0.3 * second])
    return (0.45 + 0.22 * channels).clamp(0, 1)[None]
