"""Content as features of the photo (Gatys et al., 2016)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from impasto.losses.sums import pairs_of, products
from impasto.losses.terms import Statistics

Normalisation = Literal["gatys", "mean", "instance"]

# Least deviation of a channel, as a share of that of all channels. One that sees flat places alone all but dies in a
# painting; blown up, the last places where it lives would be painted over, with rosettes in skies at 2048 px. At 0.03
# traces of them are left; at 512 px nothing changes (eight pairs, 0.093 and 0.291 with 0.001 as with 0.1).
_FLOOR = 0.1


def instance_normalised(features: Tensor, mask: Tensor | None = None) -> Tensor:
    """`features` (N, C, H, W), each channel with mean 0 and deviation 1 over the picture, or in each region of `mask`.

    `mask` (1, R, H, W) sums to 1 at each place, where the regions' factors are mixed in these proportions.
    """
    if features.dtype == torch.float16 and (mask is None or mask.shape[1] == 1):
        return _normalised_in_place(features)
    x = features.float() if features.dtype in (torch.bfloat16, torch.float16) else features
    if mask is None or mask.shape[1] == 1:
        mean = x.mean((2, 3), keepdim=True)
        square = x.square().mean((2, 3), keepdim=True)
        factor, offset = _factors(mean[..., 0, 0].unsqueeze(1), square[..., 0, 0].unsqueeze(1))
        return torch.addcmul(offset[:, 0, :, None, None], x, factor[:, 0, :, None, None])
    shares, flat = mask[0].flatten(1), x[0].flatten(1).mT
    weights = shares / shares.sum(1, keepdim=True).clamp_min(1e-9)
    factor, offset = (each[0] for each in _factors((weights @ flat)[None], (weights @ flat.square())[None]))
    return torch.addcmul(shares.mT @ offset, flat, shares.mT @ factor).mT.view_as(x)


def _normalised_in_place(features: Tensor) -> Tensor:
    """The same of features (1, C, H, W) so many that they are kept as float16; they are lost."""
    mean, square, _ = products(features, features)
    factor, offset = (each[0, :, :, None, None] for each in _factors(mean[None], square[None]))
    for rows in features.split(64, 2):
        rows.copy_(torch.addcmul(offset, rows.float(), factor))
    return features


def _factors(mean: Tensor, square: Tensor) -> tuple[Tensor, Tensor]:
    """(a, b), each (N, R, C), such that a f + b has mean 0 and deviation 1, of the means of f and f² in R regions."""
    with torch.no_grad():
        whole_mean, whole_square = mean.mean((1, 2), keepdim=True), square.mean((1, 2), keepdim=True)
        floor = _FLOOR * (whole_square - whole_mean.square()).clamp_min(0).sqrt() + 1e-8
    factor = 1 / (square - mean.square()).clamp_min(1e-12).sqrt().maximum(floor)
    return factor, -mean * factor


@dataclass(frozen=True)
class Content:
    """Squared difference of features F from the photo's P.

    `normalisation`: `gatys`, ½ Σ (F − P)²; `mean`, the mean of (F − P)²; `instance`, half the mean of (F − P)² after
    instance normalisation, which leaves mean and contrast of each channel to the style.
    """

    normalisation: Normalisation = "mean"

    def photo(self, features: Tensor, mask: Tensor | None = None) -> Tensor:
        return instance_normalised(features, mask) if self.normalisation == "instance" else features

    def describe(self, features: Tensor, photo: Tensor, mask: Tensor | None = None) -> Statistics:
        places = features.new_full((1,), features.shape[2] * features.shape[3], dtype=torch.float32)
        if self.normalisation != "instance":
            square = (features.float() - photo.float()).square().mean((2, 3))
            return {"square": square, "places": places}
        shares = None if mask is None or mask.shape[1] == 1 else mask[0].flatten(1)
        sums = [products(*pair, shares) for pair in zip(features.split(1), photo.split(1))]
        theirs = photo.flatten(2).to(sums[0][0].dtype)
        return {
            **{name: torch.stack(rows) for name, rows in zip(("first", "second", "cross"), zip(*sums))},
            "photo": theirs.mean(2, keepdim=True).mT if shares is None else shares @ theirs.mT / theirs.shape[2],
            "power": theirs.square().mean((1, 2)),
            "shares": theirs.new_ones(1, 1) if shares is None else pairs_of(shares).mean(1)[None],
        }

    def compare(self, statistics: Statistics) -> Tensor:
        if self.normalisation == "mean":
            return statistics["square"].mean(1)
        if self.normalisation == "gatys":
            return statistics["square"].sum(1) * statistics["places"] / 2
        return _distance_of_normalised(statistics)


def _distance_of_normalised(statistics: Statistics) -> Tensor:
    """½ E[(a f + b − p)²] (N,), multiplied out, where a and b are mixed at each place from those of the R regions."""
    cross, regions = statistics["cross"], statistics["cross"].shape[1]
    first, second = (statistics[name].unflatten(1, (regions, regions)) for name in ("first", "second"))
    shares = statistics["shares"].view(-1, regions, regions)
    areas = shares.sum(2).clamp_min(1e-9).unsqueeze(2)
    a, b = _factors(first.sum(2) / areas, second.sum(2) / areas)
    squares = torch.einsum("nrc,nqc,nrqc->nc", a, a, second) + 2 * torch.einsum("nrc,nqc,nrqc->nc", a, b, first)
    squares = squares + torch.einsum("nrc,nqc,nrq->nc", b, b, shares.expand(len(b), -1, -1))
    return (statistics["power"] + (squares - 2 * (a * cross + b * statistics["photo"]).sum(1)).mean(1)) / 2


def content_distance(features: Mapping[str, Tensor], photo: Mapping[str, Tensor], layers: Sequence[str]) -> Tensor:
    """What pictures lost of their photos' shapes (), a mean over layers: 0 for a photo itself, about 1 for another."""
    return content_distances(features, photo, layers).mean()


def content_distances(features: Mapping[str, Tensor], photo: Mapping[str, Tensor], layers: Sequence[str]) -> Tensor:
    """The same for each of N pictures (N,)."""
    loss = Content("instance")
    distances = [loss.compare(loss.describe(features[layer], loss.photo(photo[layer]))) for layer in layers]
    return torch.stack(distances).mean(0)
