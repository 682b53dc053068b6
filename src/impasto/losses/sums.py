"""Means over the places of a picture, of which all statistics are made, with their slopes written by hand.

Places pass by a few at a time: whatever precision features come in, they are summed in float32, and no copy of them is
made whole or kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from impasto.device import exactly, values_at_once

_VALUES = 1 << 18


def moments(features: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Means of f (N, C) and of f fᵀ (N, C, C) over the places of `features` (N, C, H, W).

    With `weights` (R, H W), each row of which sums to 1, those of the R parts of one picture: (R, C) and (R, C, C).
    """
    mean, moment = _moments(_by_place(features), weights)
    return mean, moment


def products(features: Tensor, photo: Tensor, shares: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Means over places of f and f² (1, C) and of f p (1, C) of `features` and `photo` (1, C, H, W).

    With `shares` (R, H W), how far places belong to the R parts of the picture: of s_r s_q f and s_r s_q f² (R R, C)
    for all pairs of parts, and of s_r f p (R, C).
    """
    first, second, cross = _products(_by_place(features)[0], _by_place(photo)[0], shares)
    return first, second, cross


def pairs_of(shares: Tensor) -> Tensor:
    """s_r s_q (R R, P) of `shares` (R, P)."""
    return (shares.unsqueeze(1) * shares).flatten(0, 1)


def _by_place(features: Tensor) -> Tensor:
    """(N, H W, C)."""
    return features.permute(0, 2, 3, 1).flatten(1, 2)


class _Moments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, flat: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(flat, weights)
        count = len(flat) if weights is None else len(weights)
        mean = flat.new_zeros(count, flat.shape[2], dtype=_summed(flat))
        moment = mean.new_zeros(count, flat.shape[2], flat.shape[2])
        with exactly(flat.device):
            for picture in range(len(flat)):
                for some, own in _few(flat[picture], weights):
                    if own is None:
                        mean[picture] += some.sum(0)
                        moment[picture].addmm_(some.mT, some)
                    else:
                        mean += own @ some
                        moment += some.mT @ (some * own.unsqueeze(2))
        return (mean, moment) if weights is not None else (mean / flat.shape[1], moment / flat.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        flat, weights = ctx.saved_tensors
        slopes = gradients[1] + gradients[1].mT
        result = torch.empty_like(flat)
        with exactly(flat.device):
            for picture in range(len(flat)):
                at = 0
                for some, own in _few(flat[picture], weights):
                    rows = result[picture, at : at + len(some)]
                    at += len(some)
                    if own is None:
                        slope = torch.addmm(gradients[0][picture], some, slopes[picture])
                        rows.copy_(slope.div_(flat.shape[1]))
                    else:
                        each = torch.baddbmm(gradients[0].unsqueeze(1), some.expand(len(own), -1, -1), slopes)
                        rows.copy_(each.mul_(own.unsqueeze(2)).sum(0))
        return result, None


class _Products(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, flat: Tensor, photo: Tensor, shares: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        ctx.save_for_backward(flat, photo, shares)
        parts = 1 if shares is None else len(shares)
        first, second = flat.new_zeros(2, parts * parts, flat.shape[1], dtype=_summed(flat))
        cross = first.new_zeros(parts, flat.shape[1])
        with exactly(flat.device):
            for some, theirs, own in _beside(flat, photo, shares):
                if own is None:
                    first += some.sum(0)
                    second += some.square().sum(0)
                    cross += (some * theirs).sum(0)
                else:
                    pairs = pairs_of(own)
                    first += pairs @ some
                    second += pairs @ some.square()
                    cross += own @ (some * theirs)
        return first / len(flat), second / len(flat), cross / len(flat)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        flat, photo, shares = ctx.saved_tensors
        first, second, cross = (gradient / len(flat) for gradient in gradients)
        result, at = torch.empty_like(flat), 0
        with exactly(flat.device):
            for some, theirs, own in _beside(flat, photo, shares):
                if own is None:
                    slope = torch.addcmul(first, some, 2 * second).addcmul_(theirs, cross)
                else:
                    pairs = pairs_of(own).mT
                    slope = torch.addcmul(pairs @ first, some, 2 * (pairs @ second))
                    slope.addcmul_(theirs, own.mT @ cross)
                result[at : at + len(some)] = slope
                at += len(some)
        return result, None, None


_moments: Callable[..., tuple[Tensor, Tensor]] = _Moments.apply
_products: Callable[..., tuple[Tensor, Tensor, Tensor]] = _Products.apply


def _summed(flat: Tensor) -> torch.dtype:
    return torch.float64 if flat.dtype == torch.float64 else torch.float32


def _few(flat: Tensor, weights: Tensor | None) -> Iterator[tuple[Tensor, Tensor | None]]:
    """A few places (n, C) at a time, and their weights (R, n)."""
    count = _count(flat, 1 if weights is None else 1 + len(weights))
    parts = flat.split(count)
    own = [None] * len(parts) if weights is None else weights.split(count, 1)
    return ((some.to(_summed(flat)), weight) for some, weight in zip(parts, own))


def _beside(flat: Tensor, photo: Tensor, shares: Tensor | None) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """The same, with the photo's between."""
    count = _count(flat, 3)
    parts = flat.split(count)
    own = [None] * len(parts) if shares is None else shares.split(count, 1)
    summed = _summed(flat)
    return ((some.to(summed), theirs.to(summed), share) for some, theirs, share in zip(parts, photo.split(count), own))


def _count(flat: Tensor, copies: int) -> int:
    return max(1, values_at_once(flat.device, _VALUES) // (flat.shape[-1] * copies))
