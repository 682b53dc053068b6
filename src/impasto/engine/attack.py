"""Photos changed by what nobody sees: noise, and attacks that seek the change that moves a result most."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

See = Callable[[Tensor], Tensor]


def noisy(photos: Tensor, epsilon: float, chance: Tensor) -> Tensor:
    """`photos` (N, 3, H, W) changed by at most `epsilon`, as `chance` in [0, 1] of their shape has it."""
    return (photos + epsilon * (2 * chance - 1)).clamp(0, 1)


def attack(photos: Tensor, before: Tensor, see: See, epsilon: float, chance: Tensor, steps: int) -> Tensor:
    """`photos` changed by at most `epsilon` so that `see` moves from `before` as far as can be found in so many steps.

    One step is the fast gradient sign method (Goodfellow et al., 2015), several are projected gradient descent (Madry
    et al., 2018), both from a point within the bound by `chance` in [0, 1], as at the photo itself there is no slope.
    """
    change = epsilon * (2 * chance - 1) * (0.5 if steps == 1 else 1)
    length = epsilon if steps == 1 else 2.5 * epsilon / steps
    for _ in range(steps):
        point = (photos + change).clamp(0, 1).requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad((see(point) - before).square().mean(), point)
        change = (change + length * slope.sign()).clamp(-epsilon, epsilon)
    return (photos + change).clamp(0, 1).detach()
