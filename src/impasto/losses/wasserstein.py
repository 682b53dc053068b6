"""Style as a Gaussian in feature space, compared by the Wasserstein-2 distance (Heitz et al. and others, 2021).

For Gaussians it is known in closed form (Dowson and Landau, 1982):
‖μ − μ_s‖² + tr(Σ + Σ_s − 2 (Σ_s^½ Σ Σ_s^½)^½).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from impasto.losses.gram import moments_of
from impasto.losses.terms import Statistics


@dataclass(frozen=True)
class Wasserstein:
    """Squared Wasserstein-2 distance between Gaussians fitted to the features.

    `normalisation`: `none`, as written; `relative`, divided by the style's tr(Σ_s) + ‖μ_s‖². `root` takes the square
    root, which weighs layers that are already close as much as those that are not.
    """

    normalisation: Literal["none", "relative"] = "relative"
    root: bool = False

    def describe(self, features: Tensor, mask: Tensor | None = None) -> Statistics:
        mean, moment = moments_of(features, mask)
        return {"mean": mean, "moment": moment}

    def prepare(self, statistics: Statistics) -> Statistics:
        covariance = covariance_of(statistics)
        values, vectors = torch.linalg.eigh(covariance.cpu().double())
        root = (vectors * values.clamp_min(0).sqrt().unsqueeze(-2)) @ vectors.mT
        return {**statistics, "covariance": covariance, "root": root}

    def compare(self, statistics: Statistics, target: Statistics) -> Tensor:
        covariance = covariance_of(statistics)
        means = (statistics["mean"] - target["mean"]).square().sum(1)
        spread = trace(covariance) + trace(target["covariance"]) - 2 * trace_of_root(covariance, target["root"])
        distance = (means + spread).clamp_min(0)
        if self.normalisation == "relative":
            distance = distance / (trace(target["covariance"]) + target["mean"].square().sum(1)).clamp_min(1e-12)
        return (distance + 1e-8).sqrt() if self.root else distance


def covariance_of(statistics: Statistics) -> Tensor:
    """Σ (N, C, C) from the mean and the second moment."""
    mean = statistics["mean"]
    return statistics["moment"] - mean.unsqueeze(2) * mean.unsqueeze(1)


def trace(matrix: Tensor) -> Tensor:
    """Sum (N,) of the diagonal of (N, C, C)."""
    return matrix.diagonal(dim1=-2, dim2=-1).sum(-1)


def trace_of_root(covariance: Tensor, root: Tensor) -> Tensor:
    """tr((R Σ R)^½) (N,) for symmetric `covariance` Σ and `root` R (N, C, C; float64, on the CPU), differentiable in Σ.

    The derivative, ½ R (R Σ R)^-½ R, comes with the value from one eigendecomposition; differentiating through the
    decomposition itself would divide by differences of equal eigenvalues. Small matrices are fastest on the CPU, which
    also knows float64 where other devices do not.
    """
    with torch.no_grad():
        turned = root @ covariance.cpu().double() @ root
        if not bool(turned.isfinite().all()):
            return torch.full_like(covariance[:, 0, 0], float("nan"))
        values, vectors = torch.linalg.eigh(turned)
        floor = 1e-8 * values[..., -1:].clamp_min(1e-20)
        roots = values.clamp_min(0).sqrt()
        inverse = roots / (values.clamp_min(0) + floor)
        rv = root @ vectors
        slope = (0.5 * (rv * inverse.unsqueeze(-2)) @ rv.mT).to(covariance)
        value: Tensor = roots.sum(-1).to(covariance)
    linear: Tensor = (slope * covariance).sum((-2, -1))
    return linear + (value - linear.detach())
