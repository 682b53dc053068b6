"""How far a result moves when the photo is disturbed by what nobody sees: noise, JPEG, and attacks that mean harm."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from impasto.encoders.encoder import Encoder
from impasto.metrics.specification import CONTENT_LAYERS

See = Callable[[Tensor], Tensor]
_PGD_STEPS = 10
_JPEG_QUALITY = 50


@dataclass(frozen=True)
class Disturbance:
    """A way to change photos; `epsilon` is the largest change of a value, of 255, or None where nothing bounds it."""

    name: str
    epsilon: float | None


DISTURBANCES = (
    Disturbance("noise 4", 4.0),
    Disturbance("jpeg", None),
    Disturbance("fgsm 2", 2.0),
    Disturbance("fgsm 4", 4.0),
    Disturbance("pgd 2", 2.0),
    Disturbance("pgd 4", 4.0),
)


def disturbed(photo: Tensor, see: See) -> Iterator[tuple[str, Tensor]]:
    """(name, changed photo (1, 3, H, W) in [0, 1]) for each disturbance; attacks push what `see` makes of it away."""
    with torch.no_grad():
        before = see(photo)
    for one in DISTURBANCES:
        kind, epsilon = one.name.split()[0], (one.epsilon or 0) / 255
        chance = torch.rand(photo.shape, generator=torch.Generator().manual_seed(0))
        if kind == "noise":
            yield one.name, noisy(photo, epsilon, chance)
        elif kind == "jpeg":
            yield one.name, _through_jpeg(photo)
        else:
            yield one.name, attack(photo, before, see, epsilon, chance, steps=1 if kind == "fgsm" else _PGD_STEPS)


def noisy(photos: Tensor, epsilon: float, chance: Tensor) -> Tensor:
    """`photos` (N, 3, H, W) changed by at most `epsilon`, as `chance` in [0, 1] of their shape has it."""
    return (photos + epsilon * (2 * chance - 1)).clamp(0, 1)


def attack(photos: Tensor, before: Tensor, see: See, epsilon: float, chance: Tensor, steps: int) -> Tensor:
    """`photos` changed by at most `epsilon` so that `see` moves from `before` as far as can be found in so many steps.

    One step is the fast gradient sign method (Goodfellow et al., 2015), several are projected gradient descent (Madry
    et al., 2018), both from a point within the bound by `chance` in [0, 1], as at the photo itself there is no slope.
    """
    change = epsilon * (2 * chance - 1) * (0.5 if steps == 1 else 1)
    length = epsilon if steps == 1 else 2.5 * epsilon / steps
    for _ in range(steps):
        point = (photos + change).clamp(0, 1).requires_grad_()
        with torch.enable_grad():
            (slope,) = torch.autograd.grad((see(point) - before).square().mean(), point)
        change = (change + length * slope.sign()).clamp(-epsilon, epsilon)
    return (photos + change).clamp(0, 1).detach()


def content_seen_by(encoder: Encoder) -> See:
    """What attacks aim at where a method's own slope is not to be had: the encoder's content features."""

    def see(picture: Tensor) -> Tensor:
        seen = encoder(picture, CONTENT_LAYERS)
        return torch.cat([features.flatten(1) / features.detach().std() for features in seen.values()], 1)

    return see


def _through_jpeg(photo: Tensor) -> Tensor:
    array = (photo[0].permute(1, 2, 0) * 255).round().byte().numpy()
    packed = io.BytesIO()
    Image.fromarray(array).save(packed, "JPEG", quality=_JPEG_QUALITY)
    with Image.open(packed) as unpacked:
        return torch.from_numpy(np.asarray(unpacked).copy()).permute(2, 0, 1)[None].float() / 255
