"""A small encoder from a large one in closed form: prune its channels, then regress what is left.

Layer by layer from the bottom: choose the teacher's channels that best reconstruct all the others linearly (greedy
column selection on the second moments of the features), fit the 3x3 kernel and bias that predict those channels'
pre-activations from the student's own features below (ridge regression on sampled patches; negative responses need
only stay negative, after Zhang et al., 2016), then scale each channel to a mean square of 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.encoders.encoder import Architecture, Encoder

_CHUNK = 8
_RELU_ROUNDS = 4


@dataclass(frozen=True)
class Teacher:
    """Encoders to learn from; each layer comes from the first that has it."""

    encoders: Sequence[Encoder]

    def __call__(self, image: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
        features: dict[str, Tensor] = {}
        for encoder in self.encoders:
            mine = [layer for layer in layers if layer not in features and layer in encoder.layers]
            if mine:
                features |= encoder(image, mine)
        return features


@dataclass(frozen=True)
class Fitted:
    """One layer of the student: which teacher channels it imitates, and how well (share of variance explained)."""

    key: str
    channels: list[int]
    explained: float


def prune_and_regress(
    teacher: Teacher,
    crops: Tensor,
    widths: Mapping[str, int],
    *,
    ridge: float = 1e-4,
    patches: int = 1200,
    seed: int = 0,
) -> Iterator[tuple[Fitted, dict[str, Tensor]]]:
    """Yield each layer as it is fitted, with the student's weights so far.

    `crops` (N, 3, S, S) in [0, 1]; `widths` {`"1_1"`: channels, ...}; `patches` per crop and layer.
    """
    generator = torch.Generator().manual_seed(seed)
    moments = _second_moments(teacher, crops, list(widths))
    state = {"preprocess.weight": torch.eye(3).view(3, 3, 1, 1), "preprocess.bias": torch.full((3,), -0.45)}
    features, block = crops + state["preprocess.bias"].view(1, 3, 1, 1), "1"
    for key, width in widths.items():
        if key.split("_")[0] != block:
            features, block = F.max_pool2d(features, 2), key.split("_")[0]
        channels = select_channels(moments[key], width)
        side = features.shape[-1]
        positions = torch.randperm(side * side, generator=generator)[: min(patches, side * side)]
        target = _targets(teacher, crops, f"conv{key}", channels, positions)
        weight, bias, explained = _regress(_patches(features, positions), target, ridge)
        weight = weight.view(len(channels), features.shape[1], 3, 3)
        features = _apply(features, weight, bias)
        scale = features.square().mean((0, 2, 3)).sqrt().clamp_min(1e-6)
        features /= scale.view(1, -1, 1, 1)
        state[f"conv{key}.weight"], state[f"conv{key}.bias"] = weight / scale.view(-1, 1, 1, 1), bias / scale
        yield Fitted(key, channels, explained), state


def select_channels(moment: Tensor, count: int) -> list[int]:
    """The channels, `count` at most, that explain most of all others: greedy on second moments (C, C), deflated each.

    Stops early where nothing is left to explain, as with channels that never respond.
    """
    residual, chosen = moment.double().clone(), list[int]()
    floor = 1e-6 * residual.diagonal().mean()
    while len(chosen) < count:
        diagonal = residual.diagonal()
        gain = torch.where(diagonal > floor, residual.square().sum(0) / diagonal.clamp_min(floor), 0)
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        chosen.append(best)
        residual = residual - torch.outer(residual[:, best], residual[:, best]) / residual[best, best]
    return sorted(chosen)


@torch.no_grad()
def _second_moments(teacher: Teacher, crops: Tensor, keys: Sequence[str]) -> dict[str, Tensor]:
    moments: dict[str, Tensor] = {}
    for chunk in crops.split(_CHUNK):
        features = teacher(chunk, [f"relu{key}" for key in keys])
        for key in keys:
            flat = features[f"relu{key}"].transpose(0, 1).flatten(1)
            moments[key] = moments.get(key, torch.zeros(())) + flat @ flat.T
    return moments


@torch.no_grad()
def _targets(teacher: Teacher, crops: Tensor, layer: str, channels: list[int], positions: Tensor) -> Tensor:
    """The teacher's pre-activations (N · positions, channels)."""
    rows = [
        teacher(chunk, [layer])[layer][:, channels].flatten(2)[..., positions].transpose(1, 2).flatten(0, 1)
        for chunk in crops.split(_CHUNK)
    ]
    return torch.cat(rows)


def _patches(features: Tensor, positions: Tensor) -> Tensor:
    """3x3 patches (N · positions, 9 C + 1), the last column 1."""
    rows = [F.unfold(F.pad(picture, (1, 1, 1, 1), "reflect"), 3)[0][:, positions].T for picture in features.split(1)]
    patches = torch.cat(rows)
    return torch.cat([patches, torch.ones(len(patches), 1)], 1)


def _regress(patches: Tensor, target: Tensor, ridge: float) -> tuple[Tensor, Tensor, float]:
    """Kernel (C_out, 9 C_in), bias (C_out,) and the share of the variance of ReLU(target) that they explain."""
    gram = (patches.T @ patches).double()
    gram += torch.eye(len(gram), dtype=torch.float64) * gram.diagonal()[:-1].mean() * ridge
    factor = torch.linalg.cholesky(gram)
    wanted = target
    for _ in range(_RELU_ROUNDS):
        solution = torch.cholesky_solve((patches.T @ wanted).double(), factor).float()
        predicted = patches @ solution
        wanted = torch.where(target < 0, predicted.clamp_max(0), target)
    seen = target.relu()
    explained = 1 - (predicted.relu() - seen).square().sum() / (seen - seen.mean(0)).square().sum()
    return solution[:-1].T.contiguous(), solution[-1], float(explained)


@torch.no_grad()
def _apply(features: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return torch.cat(
        [F.conv2d(F.pad(chunk, (1, 1, 1, 1), "reflect"), weight, bias).relu_() for chunk in features.split(_CHUNK)]
    )


def student_of(state: Mapping[str, Tensor]) -> Encoder:
    """The encoder made of the layers in `state`."""
    widths = {key[4:-7]: value.shape[0] for key, value in state.items() if key.startswith("conv") and "weight" in key}
    return Encoder(Architecture("compact", widths, "reflect"), state)
