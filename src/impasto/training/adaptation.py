"""The instant network adapts to a style for some steps (test-time adaptation).

It reads thousands of styles from their statistics, each only roughly. What it paints of the package's photos is judged
as in training, and the style's code and the weights that draw learn from that; any photo can be painted by them then.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.device import autocast, deterministic
from impasto.encoders.encoder import Encoder
from impasto.losses.grid import grid_regularity
from impasto.losses.terms import Targets
from impasto.models.grain import grained
from impasto.models.instant import ADAPTATION, Instant
from impasto.training.eyes import device_of
from impasto.training.pictures import Crops, shipped_photos
from impasto.training.task import CONTENT_LAYERS, distances, prepared

_SIDE, _PHOTOS = 256, 8  # twice as many, or other ones at each step, come no nearer
_CODE_PACE, _WEIGHTS_PACE = 0.07, 0.001
_CONTENT_WEIGHT = 0.6


def adapt(
    network: Instant, own: Encoder, judge: Encoder, known: Targets, wants: Targets, steps: int, *, bfloat16: bool
) -> dict[str, Tensor]:
    """What is added to the code (1, K) of a style, as the network reads it, and to the weights (1, W) that draw.

    The same on the same machine with the same number of threads; with another, in its last digits not.

    Args:
        network: what paints by it.
        own: the encoder that the network paints by.
        judge: the encoder that compares what it paints with the style.
        known: {layer: statistics (1, ...)} of the style, as the network's encoder sees it.
        wants: the same, as the judge sees it.
        steps: how many; 20 do most.
        bfloat16: whether to compute in it.
    """
    device = device_of(own)
    with torch.inference_mode(False), torch.enable_grad(), deterministic():
        known, target = _copied(known), prepared(_copied(wants))
        code = torch.zeros(1, network.code_length, device=device, requires_grad=True)
        learner = deepcopy(network).requires_grad_(False)
        for weight in learner.drawing:
            weight.requires_grad_()
        groups = [{"params": [code], "pace": _CODE_PACE}, {"params": learner.drawing, "pace": _WEIGHTS_PACE}]
        optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
        with autocast(device, bfloat16=bfloat16):
            photos = [_Photo.of(crop, network, own, judge) for crop in _crops(min(steps, _PHOTOS), device)]
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = group["pace"] * (1 - step / steps) ** 0.5
            photo, style = photos[step % len(photos)], learner.style({**known, ADAPTATION: {"code": code}})
            with autocast(device, bfloat16=bfloat16):
                painted = learner(photo.seen, style)
                style_distance, contents = distances(judge, painted, target, photo.content)
                loss = style_distance + _CONTENT_WEIGHT * contents.mean() + grid_regularity(painted.float())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return {"code": code.detach(), "weights": (learner.weights - network.weights)[None]}


@dataclass(frozen=True)
class _Photo:
    """A crop, as the network and as the judge see it: {layer: features (1, ...)}."""

    seen: dict[str, Tensor]
    content: dict[str, Tensor]

    @staticmethod
    @torch.no_grad()
    def of(crop: Tensor, network: Instant, own: Encoder, judge: Encoder) -> _Photo:
        return _Photo(own(grained(crop), network.content_layers), judge(crop, CONTENT_LAYERS))


def _crops(count: int, device: torch.device) -> Iterator[Tensor]:
    for crop in Crops([shipped_photos()], _SIDE, disturbed=0.0).draw(count).split(1):
        yield crop.to(device, memory_format=torch.channels_last)


def _copied(described: Targets) -> Targets:
    return {layer: {name: value.clone() for name, value in named.items()} for layer, named in described.items()}
