"""Seeing: a picture becomes a dictionary of named features."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.device import padded
from impasto.encoders import POOLINGS, Pooling
from impasto.errors import UnknownName, WeightsError

PaddingMode = Literal["zeros", "reflect"]


IN_STRIPS_BEYOND = 1 << 20
_STRIP = 64


@dataclass(frozen=True)
class Architecture:
    """A VGG-shaped stack of 3x3 convolutions, each followed by ReLU, with 2x2 pooling between blocks.

    `convolutions` maps `"1_1"`, `"1_2"`, `"2_1"`, ... to their output channels, in order; the number before the
    underscore is the block.
    """

    name: str
    convolutions: Mapping[str, int]
    padding_mode: PaddingMode = "zeros"

    def layers(self) -> list[str]:
        """Every name that `Encoder.forward` understands, from the shallowest to the deepest."""
        names: list[str] = []
        previous = None
        for key in self.convolutions:
            block = key.split("_")[0]
            if previous not in (None, block):
                names.append(f"pool{previous}")
            names += [f"conv{key}", f"relu{key}"]
            previous = block
        return names

    def truncated(self, available: Iterable[str]) -> Architecture:
        """The same stack, cut before the first convolution that is not in `available`."""
        present = set(available)
        kept: dict[str, int] = {}
        for key, width in self.convolutions.items():
            if key not in present:
                break
            kept[key] = width
        return Architecture(self.name, kept, self.padding_mode)


class Values(NamedTuple):
    """Numbers to a pixel that a gradient keeps: of features, and in all of the index of each maximum; of the widest
    layer; and of the photo's content layers. `in_strips` where the first layers are taken strip by strip."""

    kept: float
    kept_in_strips: float
    indices: float
    indices_in_strips: float
    widest: float
    photo: float


class Encoder(nn.Module):
    """A frozen convolutional encoder, after VGG (Simonyan and Zisserman, 2015).

    Args:
        architecture: names and widths of the convolutions.
        state: `convB_I.weight` (out, in, 3, 3) and `convB_I.bias` (out,) for every convolution; `preprocess.weight`
            (3, 3, 1, 1) and `preprocess.bias` (3,), the map from RGB in [0, 1] to the first convolution's input.
        pooling: `max`, as published; `average` (Gatys et al., 2016); `l2` (Hénaff and Simoncelli, 2016).

    Raises:
        WeightsError: a tensor is missing or has another shape.
    """

    def __init__(self, architecture: Architecture, state: Mapping[str, Tensor], pooling: Pooling = "max") -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise UnknownName("pooling", pooling, POOLINGS)
        self.architecture = architecture
        self.pooling = pooling
        self.convolutions = nn.ModuleDict()
        channels = 3
        for key, width in architecture.convolutions.items():
            self.convolutions[f"conv{key}"] = nn.Conv2d(
                channels, width, 3, padding=1, padding_mode=architecture.padding_mode
            )
            channels = width
        self.preprocess = nn.Conv2d(3, 3, 1)
        for name, module in [("preprocess", self.preprocess), *self.convolutions.items()]:
            assert isinstance(module, nn.Conv2d)
            _fill(module.weight, f"{name}.weight", state, architecture.name)
            _fill(module.bias, f"{name}.bias", state, architecture.name)
        self.eval().requires_grad_(False)

    def state(self) -> dict[str, Tensor]:
        """A copy of the weights, as they are given."""
        return {key.removeprefix("convolutions."): value.detach().clone() for key, value in self.state_dict().items()}

    def frozen(self) -> Encoder:
        """A copy that does not learn."""
        return Encoder(self.architecture, self.state(), self.pooling)

    @property
    def layers(self) -> list[str]:
        """The layers that these weights reach, from the shallowest to the deepest."""
        return self.architecture.layers()

    @property
    def reach(self) -> int | None:
        """How many pixels away, at most, a pixel matters to the deepest layer, in whole steps of that layer; None where
        all pixels matter everywhere, so that no picture can be seen in tiles."""
        pixels, step = 0, 1
        for name in self.layers:
            if name.startswith("conv"):
                pixels += step
            elif name.startswith("pool"):
                step *= 2
        return -(-pixels // step) * step

    def values(self, layers: Iterable[str], content: Iterable[str]) -> Values:
        """What is kept of a picture to find its gradient, if it is judged by `layers`, `content` among them."""
        layers, content, names = {*layers}, {*content}, self.layers
        kept, in_strips, indices, indices_in_strips, widest, photo = [0.0] * 6
        channels, area, stripped = 3, 1.0, False
        for name, following in zip(names[: max(map(names.index, layers)) + 1], [*names[1:], ""]):
            if name.startswith("conv"):
                channels = self.architecture.convolutions[name[4:]]
                widest = max(widest, area * channels)
            elif name.startswith("relu"):
                kept += area * channels
                stripped = following.startswith("pool") and name not in layers
                in_strips += 0 if stripped else area * channels
            else:
                area /= 4
                indices += area * channels
                indices_in_strips += 0 if stripped else area * channels
                in_strips += area * channels if stripped else 0
            photo += area * channels if name in content else 0
        return Values(kept, in_strips, indices, indices_in_strips, widest, photo)

    def check(self, layers: Iterable[str]) -> None:
        """Raise `UnknownName` for a layer that this encoder does not have."""
        known = self.layers
        for layer in layers:
            if layer not in known:
                raise UnknownName(f"layer of the {self.architecture.name} encoder", layer, known)

    def forward(self, image: Tensor, layers: Iterable[str]) -> dict[str, Tensor]:
        """Features of `image` (N, 3, H, W), RGB in [0, 1], at each of `layers`: {layer: (N, C, H', W')}.

        Runs no further than the deepest layer asked for; `image` is the picture itself.

        Raises:
            UnknownName: a layer that these weights do not have.
        """
        return dict(self.walk(image, layers))

    def walk(self, image: Tensor, layers: Iterable[str]) -> Iterator[tuple[str, Tensor]]:
        """The same, one (layer, features) after the other.

        What is computed from a layer before the next is asked for comes late on the gradient's way back, so that fewer
        gradients wait in memory.
        """
        wanted = set(layers)
        self.check(wanted - {"image"})
        if "image" in wanted:
            yield "image", image
            wanted.remove("image")
        x = self.preprocess(image)
        large = image.shape[-2] * image.shape[-1] > IN_STRIPS_BEYOND
        for name, following in zip(self.layers, [*self.layers[1:], ""]):
            if not wanted:
                return
            kind, key = name[:4], name[4:]
            if kind == "relu":
                pooled = large and following.startswith("pool") and name not in wanted
                x = self._convolve_rectify(f"conv{key}", x, pooled=pooled)
            elif kind == "pool" and not pooled:
                x = _pool(x, self.pooling)
            if name in wanted:
                wanted.remove(name)
                yield name, self.convolutions[name](x) if kind == "conv" else x

    def _convolve_rectify(self, name: str, x: Tensor, *, pooled: bool) -> Tensor:
        """The layer after convolution `name`; if `pooled`, the one after the pooling that follows."""
        convolution = self.convolutions[name]
        assert isinstance(convolution, nn.Conv2d)
        reflect = convolution.padding_mode == "reflect"
        if convolution.weight.requires_grad:
            result = F.relu(convolution(x), inplace=True)
            return _pool(result, self.pooling) if pooled else result
        if pooled:
            return _in_strips(x, convolution.weight, convolution.bias, reflect, self.pooling)
        return _convolve_rectify(x, convolution.weight, convolution.bias, reflect)


class _FrozenConvolveRectify(torch.autograd.Function):
    """ReLU of a 3x3 convolution by fixed weights.

    Unlike the two modules in a row it keeps nothing but its output for the way back: half the memory of a picture's
    gradient.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, reflect: bool) -> Tensor:
        larger = padded(x, (1, 1, 1, 1), "reflect") if reflect else x
        y = F.conv2d(larger, weight, bias, padding=0 if reflect else 1).relu_()
        ctx.save_for_backward(y, weight)
        ctx.reflect = reflect
        return y

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        y, weight = ctx.saved_tensors
        (gradient,) = gradients
        gradient = torch.ops.aten.threshold_backward(gradient, y, 0)
        if not ctx.reflect:
            return F.conv_transpose2d(gradient, weight.to(y.dtype), padding=1), None, None, None
        larger = F.conv_transpose2d(gradient, weight.to(y.dtype))
        for rows in (larger, larger.mT):
            rows[..., 2, :] += rows[..., 0, :]
            rows[..., -3, :] += rows[..., -1, :]
        return larger[..., 1:-1, 1:-1], None, None, None


class _FrozenStrips(torch.autograd.Function):
    """ReLU of a 3x3 convolution by fixed weights, pooled, strip by strip.

    What lies between input and pooled output never exists as a whole, neither on the way there nor on the way back,
    where it is computed again.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, reflect: bool, pooling: Pooling) -> Tensor:
        ctx.save_for_backward(x, weight, bias)
        ctx.how = reflect, pooling
        strips = [
            _strip(x[:, :, rows], edges, weight, bias, reflect, pooling) for rows, edges, _ in _strips(x.shape[2])
        ]
        return torch.cat(strips, 2)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        x, weight, bias = ctx.saved_tensors
        result = torch.zeros_like(x)
        for rows, edges, pooled_rows in _strips(x.shape[2]):
            part = x[:, :, rows].detach().requires_grad_()
            with torch.enable_grad():
                pooled = _strip(part, edges, weight.to(x.dtype), bias.to(x.dtype), *ctx.how)
            gradient = gradients[0][:, :, pooled_rows].to(pooled.dtype)
            result[:, :, rows] += torch.autograd.grad(pooled, part, gradient)[0]
        return result, None, None, None, None


_convolve_rectify: Callable[..., Tensor] = _FrozenConvolveRectify.apply
_in_strips: Callable[..., Tensor] = _FrozenStrips.apply


def _strips(height: int) -> Iterator[tuple[slice, tuple[bool, bool], slice]]:
    """(input rows with one more at inner edges, whether the strip is at the picture's top and bottom, pooled rows)."""
    for top in range(0, height, _STRIP):
        bottom = min(top + _STRIP, height)
        if bottom - top > 1:
            edges = top == 0, bottom >= height - 1
            end = height if edges[1] else bottom + 1
            yield slice(max(0, top - 1), end), edges, slice(top // 2, bottom // 2)
        if bottom >= height - 1:
            return


def _strip(
    x: Tensor, edges: tuple[bool, bool], weight: Tensor, bias: Tensor, reflect: bool, pooling: Pooling
) -> Tensor:
    larger = padded(x, (1, 1, *map(int, edges)), "reflect" if reflect else "constant")
    return _pool(F.relu(F.conv2d(larger, weight, bias), inplace=True), pooling)


def _fill(parameter: Tensor | None, key: str, state: Mapping[str, Tensor], name: str) -> None:
    assert parameter is not None
    if key not in state:
        raise WeightsError(f"The weights for {name} lack {key!r}; give a complete file.")
    if state[key].shape != parameter.shape:
        raise WeightsError(
            f"The weights for {name} have {key!r} of shape {tuple(state[key].shape)}, expected "
            f"{tuple(parameter.shape)}; give weights of the same architecture."
        )
    if not bool(state[key].isfinite().all()):
        raise WeightsError(f"The weights for {name} have NaN or infinity in {key!r}; fetch or train them again.")
    parameter.data.copy_(state[key])


def _pool(x: Tensor, pooling: Pooling) -> Tensor:
    if pooling == "max":
        return F.max_pool2d(x, 2)
    if pooling == "average":
        return F.avg_pool2d(x, 2)
    return F.avg_pool2d(x.square(), 2).add(1e-12).sqrt()
