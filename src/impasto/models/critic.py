"""Networks that tell paintings of a collection from what a network painted, place by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

_SLOPE = 0.2


class Critic(nn.Module):
    """What all critics have: `layers`, what they look at: layers of the encoder, or `image` for the picture itself."""

    layers: tuple[str, ...]

    def forward(self, seen: Mapping[str, Tensor]) -> list[Tensor]:
        """Verdicts (N, 1, H, W), the higher the more like the collection, for each view of N pictures."""
        raise NotImplementedError


class PatchCritic(Critic):
    """Each verdict is on 70x70 pixels (Isola et al., 2017), at one or several scales (Wang et al., 2018).

    Args:
        width: channels of the first convolution.
        scales: how many; each sees the picture at half the size of the one before.
        spectral: spectral normalisation (Miyato et al., 2018) in place of instance normalisation.
    """

    layers = ("image",)

    def __init__(self, width: int = 32, scales: int = 1, *, spectral: bool = False) -> None:
        super().__init__()
        self.views = nn.ModuleList([_patches(width, spectral) for _ in range(scales)])

    def forward(self, seen: Mapping[str, Tensor]) -> list[Tensor]:
        picture, verdicts = seen["image"], []
        for number, view in enumerate(self.views):
            picture = F.avg_pool2d(picture, 2) if number else picture
            verdicts.append(view(picture * 2 - 1))
        return verdicts


def _patches(width: int, spectral: bool) -> nn.Sequential:
    layers: list[nn.Module] = [_convolution(3, width, 4, 2, spectral), nn.LeakyReLU(_SLOPE)]
    for number in range(1, 4):
        before, after = width * 2 ** (number - 1), width * 2**number
        layers.append(_convolution(before, after, 4, 2 if number < 3 else 1, spectral))
        layers += [nn.LeakyReLU(_SLOPE)] if spectral else [nn.InstanceNorm2d(after), nn.LeakyReLU(_SLOPE)]
    return nn.Sequential(*layers, _convolution(8 * width, 1, 4, 1, spectral))


class FeatureCritic(Critic):
    """A small head on each of several layers of an encoder, which has learned to see already (Sauer et al., 2021).

    Args:
        channels: {layer: channels} of the encoder.
        width: channels of the heads.
        spectral: spectral normalisation.
    """

    def __init__(self, channels: Mapping[str, int], width: int = 64, *, spectral: bool = False) -> None:
        super().__init__()
        self.layers = tuple(channels)
        self.views = nn.ModuleDict(
            {
                layer: nn.Sequential(
                    _convolution(count, width, 1, 1, spectral),
                    nn.LeakyReLU(_SLOPE),
                    _convolution(width, width, 3, 1, spectral),
                    nn.LeakyReLU(_SLOPE),
                    _convolution(width, 1, 3, 1, spectral),
                )
                for layer, count in channels.items()
            }
        )
        for layer in channels:
            self.register_buffer(f"power_{layer}", torch.zeros(()))

    def forward(self, seen: Mapping[str, Tensor]) -> list[Tensor]:
        return [self.views[layer](seen[layer] / self._power(layer, seen[layer])) for layer in self.layers]

    def _power(self, layer: str, features: Tensor) -> Tensor:
        """The root of the mean square of the first features that came: layers differ in it a hundredfold."""
        power = cast(Tensor, getattr(self, f"power_{layer}"))
        if not power:
            power.copy_(features.detach().float().square().mean().sqrt())
        return power


def _convolution(channels: int, width: int, side: int, stride: int, spectral: bool) -> nn.Module:
    padding = {"padding": (side - 1) // 2, "padding_mode": "reflect"} if side > 1 else {}
    convolution = nn.Conv2d(channels, width, side, stride, **padding)  # type: ignore[arg-type]
    return spectral_norm(convolution) if spectral else convolution


class Projector(nn.Module):
    """Places in feature maps as unit vectors, for contrast (Park et al., 2020).

    Args:
        channels: of each map.
        width: of the vectors.
    """

    def __init__(self, channels: Sequence[int], width: int = 128) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            [nn.Sequential(nn.Linear(count, width), nn.ReLU(), nn.Linear(width, width)) for count in channels]
        )

    def forward(self, maps: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """(N, P, width) of each map (N, C, H, W) at `places` (P,), counted row by row."""
        return [
            F.normalize(head(features.flatten(2)[:, :, chosen].mT), dim=2)
            for head, features, chosen in zip(self.heads, maps, places, strict=True)
        ]
