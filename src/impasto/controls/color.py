"""Whose colours: the style's, or the photo's (Gatys et al., 2016, "Preserving Color")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Color = Literal["style", "content", "match"]
COLORS: tuple[Color, ...] = ("style", "content", "match")

_LUMA = (0.299, 0.587, 0.114)


def match_palette(picture: Tensor, palette: Tensor) -> Tensor:
    """`picture` with the mean and covariance of the colours of `palette`, moved as little as possible.

    The map is the optimal transport between Gaussians, A = Σ^-½ (Σ^½ Σ_p Σ^½)^½ Σ^-½; (1, 3, H, W) in [0, 1].
    """
    import torch

    x, p = picture.flatten(2)[0].double(), palette.flatten(2)[0].double()
    mean, wanted = x.mean(1, keepdim=True), p.mean(1, keepdim=True)
    ridge = 1e-5 * torch.eye(3, dtype=x.dtype, device=x.device)
    root = _power((x - mean) @ (x - mean).T / x.shape[1] + ridge, 0.5)
    spread = (p - wanted) @ (p - wanted).T / p.shape[1] + ridge
    inverse = _power(root @ root, -0.5)
    moved = inverse @ _power(root @ spread @ root, 0.5) @ inverse @ (x - mean) + wanted
    return moved.to(picture.dtype).view_as(picture).clamp(0, 1)


def keep_palette(picture: Tensor, photo: Tensor) -> Tensor:
    """The light and shade of `picture` in the colours of `photo`, paler where they would not be displayable."""
    import torch

    weights = torch.tensor(_LUMA, device=picture.device, dtype=picture.dtype).view(1, 3, 1, 1)
    light = (picture * weights).sum(1, keepdim=True)
    chroma = photo - (photo * weights).sum(1, keepdim=True)
    room = torch.where(chroma > 0, (1 - light) / chroma.clamp_min(1e-6), light / (-chroma).clamp_min(1e-6))
    return (light + chroma * room.amin(1, keepdim=True).clamp(0, 1)).clamp(0, 1)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    import torch

    values, vectors = torch.linalg.eigh(matrix)
    return torch.matmul(vectors * values.clamp_min(1e-12) ** exponent, vectors.mT)
