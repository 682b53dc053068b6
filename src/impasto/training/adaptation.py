"""The instant network adapts to a style for some steps (test-time adaptation).

It reads thousands of styles from their statistics, each only roughly. What it paints of the package's photos is judged
as in training, and the style's code alone learns from that; any photo can be painted by it then.
"""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.device import autocast
from impasto.encoders.encoder import Encoder
from impasto.losses.grid import grid_regularity
from impasto.losses.terms import Targets
from impasto.models.grain import grained
from impasto.models.instant import Instant
from impasto.models.stages import Style
from impasto.training.eyes import device_of
from impasto.training.pictures import Crops, shipped_photos
from impasto.training.task import CONTENT_LAYERS, distances, prepared

_SIDE = 256
_PACE = 0.07
_CONTENT_WEIGHT = 0.14


def adapted(
    network: Instant, own: Encoder, judge: Encoder, style: Style, wants: Targets, steps: int, *, bfloat16: bool
) -> Style:
    """The codes of N styles after some `steps`.

    Args:
        network: what paints by them.
        own: the encoder that it paints by.
        judge: the encoder that compares what it paints with the styles.
        style: their codes, as the network has read them.
        wants: {layer: statistics (N, ...)} of the styles, as the judge sees them.
        steps: how many.
        bfloat16: whether to compute in it.
    """
    device = device_of(own)

    def loss(photos: Tensor) -> Tensor:
        with torch.no_grad():
            seen, content = own(grained(photos), network.content_layers), judge(photos, CONTENT_LAYERS)
        painted = network(seen, style)
        style_distance, contents = distances(judge, painted, targets, content)
        return style_distance + _CONTENT_WEIGHT * contents.mean() + grid_regularity(painted.float())

    with torch.inference_mode(False), torch.enable_grad():
        style = _copied(style)
        targets = prepared({layer: {name: value.clone() for name, value in wants[layer].items()} for layer in wants})
        code = [factor.requires_grad_() for factor in (*style.scales, *style.shifts)]
        optimizer = torch.optim.Adam(code, _PACE, betas=(0.9, 0.99))
        crops = Crops([shipped_photos()], _SIDE, disturbed=0.0)
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = _PACE * (1 - step / steps) ** 0.5
            photos = crops.draw(len(code[0])).to(device, memory_format=torch.channels_last)
            with autocast(device, bfloat16=bfloat16):
                value = loss(photos)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        return _copied(style)


def _copied(style: Style) -> Style:
    scales, shifts = ([factor.detach().clone() for factor in factors] for factors in (style.scales, style.shifts))
    return Style(scales, shifts, style.gaussian and (style.gaussian[0].clone(), style.gaussian[1].clone()))
