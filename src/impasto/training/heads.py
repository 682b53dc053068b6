"""What of a teacher's features can be read off a student's: by the best linear map between them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.training.prune_and_regress import Teacher


@torch.no_grad()
def linear_head(teacher: Teacher, encoder: Encoder, crops: Tensor, layer: str) -> tuple[Tensor, Tensor, Tensor]:
    """The map (C + 1, D) from the encoder's features to the teacher's, and both: (rows, C + 1), the last 1, (rows, D).

    `crops` (N, 3, S, S), RGB in [0, 1].
    """
    x, y = _rows(encoder, crops, layer), _rows(teacher, crops, layer)
    gram = (x.T @ x).double() + 1e-4 * len(x) * torch.eye(x.shape[1], dtype=torch.float64)
    return torch.linalg.solve(gram, (x.T @ y).double()).float(), x, y


def _rows(encoder: Encoder | Teacher, crops: Tensor, layer: str) -> Tensor:
    every = 7 if layer.startswith(("relu1", "relu2")) else 1
    rows = [encoder(chunk, [layer])[layer].transpose(0, 1).flatten(1)[:, ::every].T for chunk in crops.split(8)]
    flat = torch.cat(rows)
    if isinstance(encoder, Encoder):
        flat = torch.cat([flat, torch.ones(len(flat), 1)], 1)
    return flat


def weigh_channels(encoder: Encoder, teacher: Teacher, crops: Tensor) -> Encoder:
    """The same encoder, each channel scaled by what it stands for among the teacher's.

    Then distances between features are near to the teacher's; each layer has a mean square of 1. ReLU lets positive
    scales through, so the kernels above undo them and nothing else changes.
    """
    state, below = encoder.state(), torch.ones(3)
    for key in encoder.architecture.convolutions:
        head, rows, _ = linear_head(teacher, encoder, crops, f"relu{key}")
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
    shares = {}
    for layer in layers:
        head, *_ = linear_head(teacher, encoder, fit, layer)
        x, y = _rows(encoder, test, layer), _rows(teacher, test, layer)
        shares[layer] = float(1 - (x @ head - y).square().sum() / (y - y.mean(0)).square().sum())
    return shares
