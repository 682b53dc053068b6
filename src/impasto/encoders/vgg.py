"""VGG-16 and VGG-19 (Simonyan and Zisserman, 2015) as tables of named layers, in the conventions of their files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from impasto.encoders import Convention, Pooling
from impasto.encoders.encoder import Architecture, Encoder, PaddingMode
from impasto.errors import WeightsError
from impasto.weights.fetch import require
from impasto.weights.files import read_weights


def _table(widths: tuple[int, ...], depths: tuple[int, ...]) -> dict[str, int]:
    return {
        f"{block}_{index}": width
        for block, (width, depth) in enumerate(zip(widths, depths), start=1)
        for index in range(1, depth + 1)
    }


VGG19 = Architecture("vgg19", _table((64, 128, 256, 512, 512), (2, 2, 4, 4, 4)))
VGG16 = Architecture("vgg16", _table((64, 128, 256, 512, 512), (2, 2, 3, 3, 3)))
ARCHITECTURES = {"vgg19": VGG19, "vgg16": VGG16}

_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CAFFE_MEAN = (123.68, 116.779, 103.939)


def load_vgg(
    name: Literal["vgg19", "vgg16"],
    weights: Path | None = None,
    *,
    pooling: Pooling = "max",
    convention: Convention = "auto",
    padding_mode: PaddingMode = "zeros",
) -> Encoder:
    """A VGG from `weights`, or from the published ones in the cache.

    The file may stop early: then the encoder has the layers that it reaches. `convention` is what the network expects
    as input: `torchvision`, RGB in [0, 1] normalised by ImageNet's mean and deviation; `caffe`, BGR in 0..255 less its
    mean; `caffe-rgb`, the same in RGB order; `auto` takes torchvision's for its key names (`features.0.weight`) and
    `caffe-rgb` for named layers (`conv1_1.weight`).

    Raises:
        WeightsError: no weights, damaged ones, or those of another network.
    """
    path = weights or require(name)
    state, _ = read_weights(path)
    if convention == "auto":
        convention = "torchvision" if any(key.startswith("features.") for key in state) else "caffe-rgb"
    architecture = ARCHITECTURES[name]
    state = _named(state, architecture)
    reached = replace(architecture.truncated(_convolutions(state)), padding_mode=padding_mode)
    if not reached.convolutions:
        raise WeightsError(f"{path} has no layer of {name}; give weights with keys like 'conv1_1.weight'.")
    return Encoder(reached, {**state, **_preprocess(convention)}, pooling)


def load_stack(weights: Path, *, pooling: Pooling = "max") -> Encoder:
    """A VGG-shaped network of any widths, with reflection padding: keys `convB_I.*` and a 1x1 `preprocess`.

    `compact` is one, and so is the 16 times smaller VGG-19 of Wang et al. (2020).

    Raises:
        WeightsError: damaged weights, or those of another kind of network.
    """
    state, _ = read_weights(weights)
    widths = {key: state[f"conv{key}.weight"].shape[0] for key in sorted(_convolutions(state), key=_order)}
    if not widths or "preprocess.weight" not in state:
        raise WeightsError(f"{weights} is no VGG-shaped encoder; expected keys like 'conv1_1.weight' and 'preprocess'.")
    return Encoder(Architecture(weights.stem, widths, "reflect"), state, pooling)


def _convolutions(state: Mapping[str, Tensor]) -> list[str]:
    return [match[1] for key in state if (match := re.fullmatch(r"conv(\d+_\d+)\.weight", key))]


def _order(key: str) -> tuple[int, ...]:
    return tuple(int(part) for part in key.split("_"))


def _named(state: Mapping[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
    """`state` with torchvision's positions (`features.5.weight`) replaced by names (`conv2_1.weight`)."""
    names = {f"features.{position}": layer for position, layer in enumerate(architecture.layers())}
    renamed = {}
    for key, value in state.items():
        stem, _, kind = key.rpartition(".")
        renamed[f"{names.get(stem, stem)}.{kind}"] = value
    return renamed


def _preprocess(convention: Convention) -> dict[str, Tensor]:
    if convention == "torchvision":
        deviation = torch.tensor(_IMAGENET_DEVIATION)
        matrix, shift = torch.diag(1 / deviation), -torch.tensor(_IMAGENET_MEAN) / deviation
    else:
        matrix, shift = torch.eye(3) * 255, -torch.tensor(_CAFFE_MEAN)
        if convention == "caffe":
            matrix, shift = matrix.flip(0), shift.flip(0)
    return {"preprocess.weight": matrix.view(3, 3, 1, 1), "preprocess.bias": shift}
