"""How sharp pictures are, and pictures made as sharp as others."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

_SHARPEST = 3.0
_BINOMIAL = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16]


def sharpness_of(picture: Tensor) -> float:
    """The mean square of the Laplacian."""
    return float(laplacian(picture).square().mean())


def sharpened(picture: Tensor, sharpness: float, where: Tensor) -> Tensor:
    """`picture` (1, 3, H, W) with as much sharpening, where it is asked for, as gives it a sharpness."""
    detail = (picture - _soft(picture)) * where
    seen, added = laplacian(picture), laplacian(detail)
    # |seen + amount added|^2 = sharpness, a quadratic equation for the amount
    square, product = added.square().mean(), (seen * added).mean()
    missing = sharpness - seen.square().mean()
    if missing <= 0 or square < 1e-12:
        return picture
    amount = float((-product + (product.square() + square * missing).sqrt()) / square)
    return (picture + min(amount, _SHARPEST) * detail).clamp_(0, 1)


def _soft(picture: Tensor) -> Tensor:
    """Blurred by a binomial of 5x5."""
    kernel = picture.new_tensor(_BINOMIAL).view(1, 1, 1, 5).expand(3, 1, 1, 5)
    across = F.conv2d(F.pad(picture, (2, 2, 0, 0), "reflect"), kernel, groups=3)
    return F.conv2d(F.pad(across, (0, 0, 2, 2), "reflect"), kernel.transpose(2, 3), groups=3)


def laplacian(picture: Tensor) -> Tensor:
    """Of (N, C, H, W): four neighbours less four times the middle, at each place but the border."""
    middle = picture[..., 1:-1, 1:-1]
    beside = picture[..., 1:-1, :-2] + picture[..., 1:-1, 2:]
    return beside + picture[..., :-2, 1:-1] + picture[..., 2:, 1:-1] - 4 * middle
