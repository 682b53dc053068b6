"""A set of results against a collection: how far apart the two are as sets, and whether anything was copied."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.errors import InputError
from impasto.media.image import dimensions, read
from impasto.metrics.specification import SET_CELLS, SET_LAYERS, SIZE

_SUBSETS, _SUBSET = 50, 256


@torch.inference_mode()
def cells(encoder: Encoder, paths: Sequence[Path], size: int = SIZE) -> Iterator[tuple[float, Tensor]]:
    """(share done, features (K², D)) of each picture: means over K x K cells, of several layers; small ones stay small.

    Raises:
        PictureError: one that cannot be read.
    """
    for number, path in enumerate(paths):
        seen = encoder(read(path, min(size, max(dimensions(path)))).pixels, SET_LAYERS)
        parts = [F.adaptive_avg_pool2d(seen[layer], SET_CELLS)[0].flatten(1).T for layer in SET_LAYERS]
        yield (number + 1) / len(paths), torch.cat(parts, 1).double()


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """Squared Wasserstein-2 distance between Gaussians fitted to samples (N, D) and (M, D) (Heusel et al., 2017).

    Raises:
        InputError: fewer than two samples.
    """
    if min(len(one), len(other)) < 2:
        raise InputError("A distance between sets needs two pictures or more in each; give more.")
    means, factors = [], []
    for samples in (one.double(), other.double()):
        means.append(samples.mean(0))
        factors.append(torch.linalg.qr((samples - means[-1]) / (len(samples) - 1) ** 0.5, mode="r").R)
    overlap = torch.linalg.matrix_norm(factors[0] @ factors[1].T, "nuc")  # tr (Σ₁ Σ₂)^½, for Σ = Rᵀ R
    spread = factors[0].square().sum() + factors[1].square().sum() - 2 * overlap
    return float((means[0] - means[1]).square().sum() + spread)


def kernel_distance(one: Tensor, other: Tensor) -> float:
    """Squared maximum mean discrepancy under (x·y / D + 1)³, unbiased, over random subsets (Bińkowski et al., 2018).

    It needs no Gaussian and is honest about small sets; it can be a little below 0.
    """
    generator = torch.Generator().manual_seed(0)
    count = min(len(one), len(other), _SUBSET)
    if count < 2:
        raise InputError("A distance between sets needs two pictures or more in each; give more.")
    estimates = []
    for _ in range(_SUBSETS):
        x, y = (samples[torch.randperm(len(samples), generator=generator)[:count]].double() for samples in (one, other))
        xx, yy, xy = ((a @ b.T / a.shape[1] + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
        within = (xx.sum() - xx.trace() + yy.sum() - yy.trace()) / (count * (count - 1))
        estimates.append(within - 2 * xy.mean())
    return float(torch.stack(estimates).mean())


@dataclass(frozen=True)
class Copy:
    """A result, the picture of the collection that is nearest to it, and how near: 1 is as near as pictures of the
    collection are to each other in the median, 0 is the same picture."""

    result: Path
    nearest: Path
    distance: float


def nearest_pictures(
    results: Sequence[Path], seen: Sequence[Tensor], collection: Sequence[Path], known: Sequence[Tensor]
) -> list[Copy]:
    """For each result its nearest neighbour in the collection, by features (K², D) of each."""
    ours, theirs = (torch.stack(list(features)).flatten(1) for features in (seen, known))
    among = torch.cdist(theirs, theirs).fill_diagonal_(torch.inf)
    usual = among.amin(1).median() if len(theirs) > 1 else torch.ones((), dtype=theirs.dtype)
    distances, places = torch.cdist(ours, theirs).min(1)
    return [
        Copy(result, collection[int(place)], float(distance / usual.clamp_min(1e-12)))
        for result, place, distance in zip(results, places, distances)
    ]
