"""Whose colours: formulas that give a picture the palette, the histogram, the chroma or the hues of another.

`match` and `histogram` move the painting's colours to the photo's before it is looked at, `content` and `harmony` put
the photo's colours into the finished picture. All pictures (1, 3, H, W), sRGB in [0, 1].
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from impasto.luma import luma

if TYPE_CHECKING:
    from torch import Tensor

Color = Literal["style", "content", "match", "histogram", "harmony"]
COLORS: tuple[Color, ...] = ("style", "content", "match", "histogram", "harmony")
OF_PHOTO: tuple[Color, ...] = ("match", "histogram")  # the painting takes the photo's colours before it is a style

_ROWS = 256
_ROTATIONS, _LEVELS, _SAMPLES = 6, 256, 1 << 16
_TO_CONES = ((0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566),
             (0.0883024619, 0.2817188376, 0.6299787005))  # fmt: skip
_TO_LAB = ((0.2104542553, 0.7936177850, -0.0040720468), (1.9779984951, -2.4285922050, 0.4505937099),
           (0.0259040371, 0.7827717662, -0.8086757660))  # fmt: skip


def recolored(painting: Tensor, color: Color, photo: Tensor, mask: Tensor | None = None) -> Tensor:
    """A painting as it is to be looked at: in its own colours, or in those of the photo inside `mask`."""
    change = {"match": match_palette, "histogram": match_histogram}.get(color)
    return change(painting, photo, mask) if change else painting


def finished(picture: Tensor, color: Color, photo: Tensor) -> Tensor:
    """A painted picture in the colours that it is to have in the end; `photo` is of its size."""
    change = {"content": keep_palette, "harmony": keep_hues}.get(color)
    return change(picture, photo) if change else picture


def match_palette(picture: Tensor, palette: Tensor, mask: Tensor | None = None) -> Tensor:
    """`picture` with the mean and covariance of the colours of `palette` inside `mask`, moved as little as possible.

    The map is the optimal transport between Gaussians, A = Σ^-½ (Σ^½ Σ_p Σ^½)^½ Σ^-½.
    """
    import torch

    x, p = picture.flatten(2)[0].double(), palette.flatten(2)[0].double()
    mean = x.mean(1, keepdim=True)
    ridge = 1e-5 * torch.eye(3, dtype=x.dtype, device=x.device)
    root = _power((x - mean) @ (x - mean).T / x.shape[1] + ridge, 0.5)
    if mask is None:
        wanted = p.mean(1, keepdim=True)
        spread = (p - wanted) @ (p - wanted).T / p.shape[1] + ridge
    else:
        weights = mask.flatten(2)[0].double() / mask.double().sum()
        wanted = (p * weights).sum(1, keepdim=True)
        spread = ((p - wanted) * weights) @ (p - wanted).T + ridge
    inverse = _power(root @ root, -0.5)
    moved = inverse @ _power(root @ spread @ root, 0.5) @ inverse @ (x - mean) + wanted
    return moved.to(picture.dtype).view_as(picture).clamp(0, 1)


def match_histogram(picture: Tensor, palette: Tensor, mask: Tensor | None = None) -> Tensor:
    """`picture` with the whole distribution of the colours of `palette` inside `mask` (Pitié et al., 2007).

    After mean and covariance, the histograms along three axes are matched, again and again along others, the same each
    time.
    """
    import torch

    x, p = match_palette(picture, palette, mask).flatten(2)[0], palette.flatten(2)[0]
    if mask is not None:
        inside = mask.flatten() >= min(0.5, float(mask.max()))
        p = p[:, inside]
    p = p[:, :: max(1, p.shape[1] // _SAMPLES)]
    generator = torch.Generator().manual_seed(0)
    at = torch.linspace(0, 1, _LEVELS, dtype=x.dtype, device=x.device)
    for turn in range(_ROTATIONS):
        random = torch.randn(3, 3, generator=generator)
        axes = (torch.linalg.qr(random).Q if turn else torch.eye(3)).to(x)
        sample = x[:, :: max(1, x.shape[1] // _SAMPLES)]
        own, wanted = (torch.quantile(axes @ colours, at, dim=1).T.contiguous() for colours in (sample, p))
        for left in range(0, x.shape[1], _SAMPLES):
            part = axes @ x[:, left : left + _SAMPLES]
            x[:, left : left + _SAMPLES] = axes.T @ _looked_up(part, own, wanted)
    return x.view_as(picture).clamp(0, 1)


def keep_palette(picture: Tensor, photo: Tensor) -> Tensor:
    """The light and shade of `picture` in the colours of `photo` (Gatys et al., 2016, "Preserving Color").

    They are paler where they would not be displayable.
    """

    def kept(picture: Tensor, photo: Tensor) -> Tensor:
        return _displayable(luma(picture), photo - luma(photo))

    return _by_rows(kept, picture, photo)


def keep_hues(picture: Tensor, photo: Tensor) -> Tensor:
    """The lightness and the strokes of `picture` in the hues of `photo`, in Oklab (Ottosson, 2020).

    Chroma is the geometric mean of both: what is grey in the photo stays grey, and where the painting is vivid, so is
    the result.
    """

    def kept(picture: Tensor, photo: Tensor) -> Tensor:
        painted, own = oklab(picture), oklab(photo)
        before = own[:, 1:].square().sum(1, keepdim=True).sqrt()
        chroma = (painted[:, 1:].square().sum(1, keepdim=True).sqrt() * before).sqrt()
        lightness = painted[:, :1]
        grey = _rgb(lightness.expand(-1, 3, -1, -1) * painted.new_tensor([1, 0, 0]).view(1, 3, 1, 1))
        toned = _rgb(_joined(lightness, own[:, 1:] * (chroma / before.clamp_min(1e-6))))
        return _displayable(grey, toned - grey)

    return _by_rows(kept, picture, photo)


def _by_rows(change: Callable[[Tensor, Tensor], Tensor], picture: Tensor, photo: Tensor) -> Tensor:
    """Pixels changed each on its own, a few rows at a time, so that large pictures take no memory besides."""
    import torch

    result = torch.empty_like(picture)
    for top in range(0, picture.shape[2], _ROWS):
        rows = slice(top, top + _ROWS)
        result[:, :, rows] = change(picture[:, :, rows], photo[:, :, rows])
    return result


def _displayable(light: Tensor, chroma: Tensor) -> Tensor:
    """`light` plus as much of `chroma` as stays within [0, 1]."""
    import torch

    room = torch.where(chroma > 0, (1 - light) / chroma.clamp_min(1e-6), light / (-chroma).clamp_min(1e-6))
    return (light + chroma * room.amin(1, keepdim=True).clamp(0, 1)).clamp(0, 1)


def _looked_up(values: Tensor, own: Tensor, wanted: Tensor) -> Tensor:
    """`values` (3, N) on the curves that lead from levels `own` to `wanted` (3, L), both rising."""
    import torch

    high = torch.searchsorted(own, values.contiguous()).clamp(1, own.shape[1] - 1)
    before, after = own.gather(1, high - 1), own.gather(1, high)
    part = ((values - before) / (after - before).clamp_min(1e-6)).clamp(0, 1)
    return wanted.gather(1, high - 1).lerp(wanted.gather(1, high), part)


def oklab(rgb: Tensor) -> Tensor:
    """Lightness and two axes of colour of sRGB."""
    import torch

    linear = torch.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055).clamp_min(0) ** 2.4)
    cones = torch.einsum("ij,njhw->nihw", rgb.new_tensor(_TO_CONES), linear).clamp_min(0) ** (1 / 3)
    return torch.einsum("ij,njhw->nihw", rgb.new_tensor(_TO_LAB), cones)


def _rgb(lab: Tensor) -> Tensor:
    """sRGB, perhaps beyond [0, 1], of Oklab."""
    import torch

    cones = torch.einsum("ij,njhw->nihw", torch.linalg.inv(lab.new_tensor(_TO_LAB)), lab) ** 3
    linear = torch.einsum("ij,njhw->nihw", torch.linalg.inv(lab.new_tensor(_TO_CONES)), cones)
    curved = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear <= 0.0031308, 12.92 * linear, curved)


def _joined(lightness: Tensor, colour: Tensor) -> Tensor:
    import torch

    return torch.cat([lightness, colour], 1)


def _power(matrix: Tensor, exponent: float) -> Tensor:
    import torch

    values, vectors = torch.linalg.eigh(matrix)
    return torch.matmul(vectors * values.clamp_min(1e-12) ** exponent, vectors.mT)
