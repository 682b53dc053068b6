"""A painting made larger than it was painted, with the edges that its photo has at that size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.luma import luma
from impasto.media.geometry import resample

_REACH = 4
_FLAT = 1e-3  # variance of luma in [0, 1] below which a place has no edges
_STEEPEST = 2.0


def enlarged(painted: Tensor, photo: Tensor) -> Tensor:
    """`painted` (1, 3, h, w) at the size of its `photo` (1, 3, H, W), both in [0, 1].

    What the photo shows beyond the smaller size is added in the contrast and colours that the painting gives to the
    photo around it: the slope of a line through both in 9x9 pixels (a guided filter; He et al., 2013).
    """
    small, size = (painted.shape[2], painted.shape[3]), (photo.shape[2], photo.shape[3])
    light = luma(photo)
    seen = resample(light, small)
    slope = _slope(painted, seen)
    detail = light.sub_(resample(seen, size))
    result = torch.empty_like(photo)
    for channel in range(3):
        own = slice(channel, channel + 1)
        part = resample(slope[:, own], size).mul_(detail)
        result[:, own] = part.add_(resample(painted[:, own], size)).clamp_(0, 1)
    return result


def _slope(painted: Tensor, light: Tensor) -> Tensor:
    """How much (1, 3, h, w) each channel changes with `light` (1, 1, h, w) around each place."""
    mean = _around(light)
    variance = _around(light.square()).sub_(mean.square()).clamp_min_(0)
    covariance = _around(painted * light).sub_(_around(painted) * mean)
    return _around((covariance / variance.add_(_FLAT)).clamp_(-_STEEPEST, _STEEPEST))


def _around(x: Tensor) -> Tensor:
    """Means over squares."""
    reach = min(_REACH, x.shape[2] - 1, x.shape[3] - 1)
    return F.avg_pool2d(F.pad(x, (reach, reach, reach, reach), "reflect"), 2 * reach + 1, 1)
