"""A weave: detail or lightness that depends on the place within a grid, as networks with strided layers paint it."""

from __future__ import annotations

from torch import Tensor

from impasto.luma import luma

_PERIOD = 8
_FLOOR = 2 / 255
_LIGHTNESS = 10.0


def grid_regularity(pictures: Tensor) -> Tensor:
    """How much () detail and lightness of `pictures` (N, 3, H, W) in [0, 1] depend on row and column modulo 8.

    Detail is the logarithm of luma's absolute second differences. Its mean for each of the eight phases should be the
    same; what is measured is their mean absolute deviation, and that of luma's own means, ten times.
    """
    light = luma(pictures)[:, 0]
    total = pictures.new_zeros(())
    for across in (light, light.mT):
        detail = (across.diff(n=2, dim=2).abs() + _FLOOR).log()
        total = total + _deviation_of_phases(detail) + _LIGHTNESS * _deviation_of_phases(across)
    return total


def _deviation_of_phases(x: Tensor) -> Tensor:
    whole = x[..., : x.shape[2] // _PERIOD * _PERIOD].unflatten(2, (-1, _PERIOD)).mean((0, 1, 2))
    deviation: Tensor = (whole - whole.mean()).abs().mean()
    return deviation
