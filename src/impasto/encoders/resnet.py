"""ResNet-18, 34 and 50 (He et al., 2016) in torchvision's files, with smoothed activations (Wang et al., 2021).

What residual networks see is peaked: few channels at few places say almost everything, and pictures made by it are bad.
A softmax over all channels and places makes it as even as what VGG sees.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.encoders.encoder import Encoder, Values
from impasto.errors import UnknownName, WeightsError
from impasto.weights.fetch import require
from impasto.weights.files import read_weights

ResNetName = Literal["resnet18", "resnet34", "resnet50"]

_BLOCKS: dict[str, tuple[int, ...]] = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
}
_WIDTHS = (64, 128, 256, 512)
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NORM_EPSILON = 1e-5


def smoothed(features: Tensor) -> Tensor:
    """The softmax of `features` (N, C, H, W) over all channels and places of a picture, times how many there are.

    Its mean is 1, whatever the size of the picture.
    """
    flat = features.flatten(1).float()
    return (flat.softmax(1) * flat.shape[1]).view_as(features).contiguous(memory_format=torch.channels_last)


class ResNet(Encoder):
    """Layers by name: `conv1` after the first convolution, `layer1_1` to `layer4_3` after each residual block.

    Args:
        name: of the network.
        state: torchvision's tensors.

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, name: ResNetName, state: Mapping[str, Tensor]) -> None:
        nn.Module.__init__(self)
        self.name: ResNetName = name
        self.convolutions = nn.ModuleDict()
        self.blocks = [
            (f"layer{stage + 1}_{number + 1}", f"layer{stage + 1}.{number}", 2 if stage and not number else 1)
            for stage, count in enumerate(_BLOCKS[name])
            for number in range(count)
        ]
        self._add("conv1", "bn1", state, 3, 64, side=7)
        channels = 64
        for layer, prefix, _ in self.blocks:
            width = _WIDTHS[int(layer[5]) - 1]
            out = 4 * width if name == "resnet50" else width
            sizes = [(1, channels, width), (3, width, width), (1, width, out)] if name == "resnet50" else []
            for number, (side, before, after) in enumerate(sizes or [(3, channels, width), (3, width, width)], 1):
                self._add(f"{prefix}.conv{number}", f"{prefix}.bn{number}", state, before, after, side=side)
            if f"{prefix}.downsample.0.weight" in state or channels != out:
                self._add(f"{prefix}.downsample.0", f"{prefix}.downsample.1", state, channels, out, side=1)
            channels = out
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("deviation", torch.tensor(_DEVIATION).view(1, 3, 1, 1))
        self.eval().requires_grad_(False)

    def _add(self, key: str, norm: str, state: Mapping[str, Tensor], before: int, after: int, *, side: int) -> None:
        """A convolution with the normalisation after it folded into its weights."""
        names = [f"{key}.weight", *(f"{norm}.{part}" for part in ("weight", "bias", "running_mean", "running_var"))]
        shapes = [(after, before, side, side), *[(after,)] * 4]
        for name, shape in zip(names, shapes):
            if name not in state:
                raise WeightsError(f"The weights for {self.name} lack {name!r}; give torchvision's complete file.")
            if tuple(state[name].shape) != shape:
                raise WeightsError(
                    f"The weights for {self.name} have {name!r} of shape {tuple(state[name].shape)}, expected {shape}; "
                    "give weights of the same architecture."
                )
            if not bool(state[name].isfinite().all()):
                raise WeightsError(f"The weights for {self.name} have NaN or infinity in {name!r}; fetch them again.")
        weight, scale, shift, mean, variance = (state[name].float() for name in names)
        factor = scale / (variance + _NORM_EPSILON).sqrt()
        convolution = nn.Conv2d(before, after, side, padding=side // 2)
        assert convolution.bias is not None
        convolution.weight.data.copy_(weight * factor.view(-1, 1, 1, 1))
        convolution.bias.data.copy_(shift - mean * factor)
        self.convolutions[key.replace(".", "_")] = convolution

    @property
    def layers(self) -> list[str]:
        return ["conv1", *(layer for layer, _, _ in self.blocks)]

    def check(self, layers: Iterable[str]) -> None:
        for layer in layers:
            if layer not in self.layers:
                raise UnknownName(f"layer of the {self.name} encoder", layer, self.layers)

    def walk(self, image: Tensor, layers: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        wanted = set(layers)
        self.check(wanted - {"image"})
        if "image" in wanted:
            yield "image", image
            wanted.remove("image")
        if not wanted:
            return
        x = F.relu(self._convolved("conv1", (image - self.mean) / self.deviation, stride=2))
        if "conv1" in wanted:
            wanted.remove("conv1")
            yield "conv1", smoothed(x)
        x = F.max_pool2d(x, 3, 2, 1)
        for layer, prefix, stride in self.blocks:
            if not wanted:
                return
            x = self._block(prefix, x, stride)
            if layer in wanted:
                wanted.remove(layer)
                yield layer, smoothed(x)

    def _block(self, prefix: str, x: Tensor, stride: int) -> Tensor:
        deep = self.name == "resnet50"
        inner = F.relu(self._convolved(f"{prefix}.conv1", x, stride=1 if deep else stride))
        inner = self._convolved(f"{prefix}.conv2", inner, stride=stride if deep else 1)
        if deep:
            inner = self._convolved(f"{prefix}.conv3", F.relu(inner))
        shortcut = f"{prefix}.downsample.0"
        if shortcut.replace(".", "_") in self.convolutions:
            x = self._convolved(shortcut, x, stride=stride)
        return F.relu(inner + x)

    def _convolved(self, key: str, x: Tensor, *, stride: int = 1) -> Tensor:
        convolution = self.convolutions[key.replace(".", "_")]
        assert isinstance(convolution, nn.Conv2d)
        return F.conv2d(x, convolution.weight, convolution.bias, stride, convolution.padding)

    @property
    def reach(self) -> None:
        """None: the smoothed activations depend on all pixels."""

    def values(self, layers: Iterable[str], content: Iterable[str]) -> Values:
        deepest, kept = max(self.layers.index(layer) for layer in layers), 0.0
        for layer in self.layers[: deepest + 1]:
            stage = 0 if layer == "conv1" else int(layer[5])
            width, area = (64, 1 / 4) if not stage else (_WIDTHS[stage - 1], 1 / 4 ** (stage + 1))
            kept += area * width * (2 if not stage else 12 if self.name == "resnet50" else 6)
        smooth = kept + 2 * 64 / 4
        return Values(smooth, smooth, 8 * 64 / 16, 8 * 64 / 16, 64 / 4, 0.0)


def load_resnet(name: ResNetName, weights: Path | None = None) -> ResNet:
    """A residual network from `weights`, or from the published ones in the cache.

    Raises:
        WeightsError: no weights, damaged ones, or those of another network.
    """
    state, _ = read_weights(weights or require(name))
    return ResNet(name, state)
