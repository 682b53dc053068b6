"""A collection's manner: the statistics of its pictures as if they were one, and how far results are from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, cast

import torch
from torch import Tensor, nn

from impasto.encoders.encoder import Encoder
from impasto.losses.terms import Targets
from impasto.models.instant import STYLE_LAYERS
from impasto.models.painter import Painter
from impasto.models.translator import Translator
from impasto.training.styles import STYLE

Generator: TypeAlias = Painter | Translator


def paint(network: nn.Module, encoder: Encoder, pictures: Tensor) -> Tensor:
    """`pictures` (N, 3, S, S) by a network of one style."""
    assert isinstance(network, Generator)
    return painted_from(network, encoder(pictures, network.content_layers))


def painted_from(network: Generator, seen: Mapping[str, Tensor]) -> Tensor:
    """The same, from what it needs to see of pictures."""
    first = seen[network.content_layers[0]]
    painted: Tensor = network(seen, network.style(torch.ones(len(first), 1, device=first.device)))
    return painted


def pooled(features: Mapping[str, Tensor]) -> Targets:
    """Statistics (1, ...) of several pictures as if they were one."""
    described = {layer: STYLE.describe(features[layer].float()) for layer in STYLE_LAYERS}
    return {
        layer: {name: rows.mean(0, keepdim=True) for name, rows in named.items()} for layer, named in described.items()
    }


class Memory(nn.Module):
    """Statistics of results over many steps: no few crops need all colours and textures of a collection.

    Args:
        like: statistics (1, ...) of the shapes that are to be remembered.
        keeping: share of what is remembered that a step keeps, from 0 to below 1.
    """

    steps: Tensor

    def __init__(self, like: Targets, keeping: float) -> None:
        super().__init__()
        self.keeping = keeping
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))
        for layer in STYLE_LAYERS:
            for name in ("mean", "moment"):
                self.register_buffer(f"{layer}_{name}", torch.zeros_like(like[layer][name]))

    def joined(self, now: Targets) -> Targets:
        """What is remembered with `now` in it; gradients pass as if it were `now` alone."""
        keeping = min(self.keeping, float(self.steps / (self.steps + 1)))
        self.steps += 1
        return {
            layer: {name: self._remembered(f"{layer}_{name}", rows, keeping) for name, rows in named.items()}
            for layer, named in now.items()
        }

    def _remembered(self, name: str, now: Tensor, keeping: float) -> Tensor:
        memory = cast(Tensor, getattr(self, name))
        memory.lerp_(now.detach(), 1 - keeping)
        return memory.clone() + (now - now.detach())


def manner_distance(statistics: Targets, collection: Targets) -> Tensor:
    """Mean over layers () of the distance between what is pooled and a collection's prepared statistics."""
    distances = [STYLE.compare(statistics[layer], collection[layer]) for layer in STYLE_LAYERS]
    return torch.cat(distances).mean()


@torch.no_grad()
def described(encoder: Encoder, crops: Tensor) -> Targets:
    """Prepared statistics (1, ...) of all of `crops` (N, 3, S, S) as if they were one picture."""
    parts = [pooled(encoder(some, STYLE_LAYERS)) for some in crops.split(8)]
    return {
        layer: STYLE.prepare(
            {name: torch.cat([part[layer][name] for part in parts]).mean(0, keepdim=True) for name in named}
        )
        for layer, named in parts[0].items()
    }
