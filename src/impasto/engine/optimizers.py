"""Ways down: Adam whose moments stay warm across scales, L-BFGS, and gradient descent with momentum."""

from __future__ import annotations

import torch
from torch import Tensor

from impasto.engine.descent import OptimizerName
from impasto.media.geometry import resample


def make_optimizer(name: OptimizerName, image: Tensor, learning_rate: float) -> torch.optim.Optimizer:
    """An optimiser of the pixels of `image`."""
    if name == "adam":
        return torch.optim.Adam([image], learning_rate, betas=(0.9, 0.99))
    if name == "sgd":
        return torch.optim.SGD([image], learning_rate, momentum=0.9)
    return torch.optim.LBFGS([image], learning_rate, max_iter=1, history_size=20, tolerance_grad=0, tolerance_change=0)


def carry_over(old: torch.optim.Optimizer, new: torch.optim.Optimizer, image: Tensor) -> None:
    """Give `new`, an optimiser of the larger `image`, the moments of `old`; L-BFGS has none that survive resampling."""
    if isinstance(old, torch.optim.LBFGS):
        return
    (state,) = old.state.values()
    size = (image.shape[-2], image.shape[-1])
    new.state[image] = {
        name: _resized(name, value, size) if isinstance(value, Tensor) and value.dim() == 4 else value
        for name, value in state.items()
    }


def _resized(name: str, value: Tensor, size: tuple[int, int]) -> Tensor:
    resized = resample(value, size).contiguous()
    return resized.clamp_min_(0) if name == "exp_avg_sq" else resized
