"""What of a teacher's features can be read off a student's: by the best linear map between them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.training.prune_and_regress import Teacher


@torch.no_grad()
def linear_heads(
    teacher: Teacher, encoder: Encoder, crops: Tensor, layers: Sequence[str]
) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
    """For each layer the map (C + 1, D) from the encoder's features to the teacher's, and both: (rows, C + 1), the
    last 1, (rows, D).

    `crops` (N, 3, S, S), RGB in [0, 1].
    """
    heads = {}
    for layer, (x, y) in _rows_of_both(teacher, encoder, crops, layers).items():
        gram = (x.T @ x).double() + 1e-4 * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
        heads[layer] = torch.linalg.solve(gram, (x.T @ y).double()).float(), x, y
    return heads


def _rows_of_both(
    teacher: Teacher, encoder: Encoder, crops: Tensor, layers: Sequence[str]
) -> dict[str, tuple[Tensor, Tensor]]:
    seen, wanted = _rows(encoder, crops, layers), _rows(teacher, crops, layers)
    return {layer: (F.pad(seen[layer], (0, 1), value=1.0), wanted[layer]) for layer in layers}


def _rows(encoder: Encoder | Teacher, crops: Tensor, layers: Sequence[str]) -> dict[str, Tensor]:
    """Features at many places, {layer: (rows, C)}."""
    rows: dict[str, list[Tensor]] = {layer: [] for layer in layers}
    for chunk in crops.split(8):
        for layer, features in encoder(chunk, layers).items():
            every = 7 if layer.startswith(("relu1", "relu2")) else 1
            rows[layer].append(features.transpose(0, 1).flatten(1)[:, ::every].T.contiguous())
    return {layer: torch.cat(parts) for layer, parts in rows.items()}


def weigh_channels(encoder: Encoder, teacher: Teacher, crops: Tensor) -> Encoder:
    """The same encoder, each channel scaled by what it stands for among the teacher's.

    Then distances between features are near to the teacher's; each layer has a mean square of 1. ReLU lets positive
    scales through, so the kernels above undo them and nothing else changes.
    """
    state, below = encoder.state(), torch.ones(3)
    layers = {key: f"relu{key}" for key in encoder.architecture.convolutions}
    heads = linear_heads(teacher, encoder, crops, list(layers.values()))
    for key, layer in layers.items():
        head, rows, _ = heads[layer]
        scale = head[:-1].square().sum(1).sqrt().clamp_min(1e-3 * float(head[:-1].abs().max()))
        scale = scale / (rows[:, :-1] * scale).square().mean().sqrt()
        weight = state[f"conv{key}.weight"]
        state[f"conv{key}.weight"] = weight * scale.view(-1, 1, 1, 1) / below.view(1, -1, 1, 1)
        state[f"conv{key}.bias"] = state[f"conv{key}.bias"] * scale
        below = scale
    return Encoder(encoder.architecture, state)


@torch.no_grad()
def explained_by_linear_heads(
    teacher: Teacher, encoder: Encoder, fit: Tensor, test: Tensor, layers: Sequence[str]
) -> dict[str, float]:
    """Share of the variance of the teacher's features that the best linear map of the student's explains.

    The map is fitted on the crops `fit` and judged on `test`, both (N, 3, S, S).
    """
    shares, judged = {}, _rows_of_both(teacher, encoder, test, layers)
    for layer, (head, *_) in linear_heads(teacher, encoder, fit, layers).items():
        x, y = judged[layer]
        shares[layer] = float(1 - (x @ head - y).square().sum() / (y - y.mean(0)).square().sum())
    return shares
