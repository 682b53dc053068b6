"""The game between a network that paints and a critic that tells its pictures from a collection's.

`logistic` is the game of Goodfellow et al. (2014), with the painter's loss that does not saturate; `least_squares` that
of Mao et al. (2017); `hinge` that of Lim and Ye (2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Game = Literal["logistic", "least_squares", "hinge"]
Verdicts = Sequence[Tensor]


def critic_loss(game: Game, real: Verdicts, painted: Verdicts) -> Tensor:
    """What the critic lowers (): mean over maps of verdicts (N, 1, H, W), one map for each of its views."""
    losses = [_real(game, ours) + _painted(game, theirs) for ours, theirs in zip(real, painted, strict=True)]
    return sum(losses[1:], start=losses[0]) / len(losses)


def painter_loss(game: Game, painted: Verdicts) -> Tensor:
    """What the painter lowers (): it wants its pictures taken for the collection's."""
    losses = [-verdict.mean() if game == "hinge" else _real(game, verdict) for verdict in painted]
    return sum(losses[1:], start=losses[0]) / len(losses)


def _real(game: Game, verdict: Tensor) -> Tensor:
    if game == "logistic":
        return F.softplus(-verdict).mean()
    return (verdict - 1).square().mean() if game == "least_squares" else F.relu(1 - verdict).mean()


def _painted(game: Game, verdict: Tensor) -> Tensor:
    if game == "logistic":
        return F.softplus(verdict).mean()
    return verdict.square().mean() if game == "least_squares" else F.relu(1 + verdict).mean()
